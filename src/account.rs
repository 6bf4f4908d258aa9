//! `lode account`: what an account has and where that came from, sending tokens, the faucet.

use protocol::Address;
use protocol::api::{FaucetRequest, RecordStatus};
use protocol::record::{Action, Transfer};
use protocol::statement::{Movement, Subject};
use serde::Serialize;

use crate::amount::amount;
use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::Session;
use crate::statement::{self, Sums};

/// What `lode account` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Show an account: its balance, nonce and stake.
    Show {
        /// An address or the name of a key here [default: the key that signs].
        account: Option<String>,
    },
    /// Account for every unit that came into an account and went out of it.
    ///
    /// Every movement through its balance, its stake, its seats and its deposits, with
    /// the rule and the record behind it; the sums by rule and by purse; and whether
    /// they are what the node's state has. Exits with 1 if anything differs by a unit.
    #[command(after_help = "\
Examples:
  lode account explain
  lode account explain alice --sums --json")]
    Explain {
        /// An address or the name of a key here [default: the key that signs].
        account: Option<String>,
        /// Only the sums, not every movement.
        #[arg(long)]
        sums: bool,
    },
    /// Send tokens to another account.
    Send {
        /// To whom: an address or the name of a key here.
        to: String,
        /// How many LODE, as 12 or 0.5.
        #[arg(value_name = "LODE", allow_negative_numbers = true)]
        amount: String,
    },
    /// Ask the faucet of a development network for tokens.
    Faucet {
        /// For whom [default: the key that signs].
        account: Option<String>,
        /// How many LODE [default: what the faucet gives].
        #[arg(long, value_name = "LODE", allow_negative_numbers = true)]
        amount: Option<String>,
    },
}

/// Runs `lode account …`.
///
/// # Errors
/// The node cannot be asked, or refuses.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Show { account } => show(session, account.as_deref()),
        Command::Explain { account, sums } => explain(session, account.as_deref(), *sums),
        Command::Send { to, amount: text } => {
            let to = session.account(to)?;
            let amount = amount(text)?;
            if to == session.address()? {
                let message = "this would send LODE from an account to itself, for a byte fee";
                let next = "name another account, or sign with another key (--key)";
                return Err(Failure::new("same_account", message, next).exit(Exit::Usage));
            }
            let action = Action::Transfer {
                to,
                body: Transfer { amount },
            };
            let warning = format!("Send {} LODE to {to}.", amount.to_lode_string());
            let acted = session.act(&action, Some(&warning))?;
            session.report(&acted, &format!("sent to {to}"))
        }
        Command::Faucet {
            account,
            amount: text,
        } => {
            if session.global.dry_run {
                let next = "leave --dry-run out: it costs you nothing";
                let message = "a faucet has no dry run";
                return Err(Failure::new("usage", message, next).exit(Exit::Usage));
            }
            let request = FaucetRequest {
                account: whose(session, account.as_deref())?,
                amount: text.as_deref().map(amount).transpose()?,
            };
            let view = session.client()?.faucet(&request)?;
            if let Some(problem) = view.problem {
                return Err(problem.into());
            }
            if view.status != RecordStatus::Final {
                let message = format_args!("the faucet's record {} is in no block yet", view.id);
                let next = "look at the account in a while: 'lode account show'";
                return Err(Failure::new("pending", message, next).exit(Exit::Later));
            }
            if session.json() {
                return out::json("record", &view);
            }
            let account = session.client()?.account(request.account)?;
            out::line(&format!(
                "{} has {} LODE",
                account.address,
                account.balance.to_lode_string()
            ))
        }
    }
}

fn whose(session: &Session, account: Option<&str>) -> Result<protocol::Address, Failure> {
    match account {
        Some(text) => session.account(text),
        None => session.address(),
    }
}

/// The statement of an account.
#[derive(Serialize)]
struct Explained {
    account: Address,
    #[serde(flatten)]
    sums: Sums,
    /// Every movement, in the order of the log, if they were asked for.
    items: Option<Vec<Movement>>,
}

fn explain(session: &Session, account: Option<&str>, only_sums: bool) -> Result<(), Failure> {
    let account = whose(session, account)?;
    let client = session.client()?;
    let subject = Subject::Account(account);
    let mut sums = Sums::ask(client, &subject)?;
    let items = match only_sums {
        true => None,
        false => Some(sums.movements(client, &subject)?),
    };
    let explained = Explained {
        account,
        sums,
        items,
    };
    if session.json() {
        out::json("account.explain", &explained)?;
    } else {
        out::line(&format!("{account}\n"))?;
        if let Some(items) = &explained.items {
            statement::print(items)?;
        }
        explained.sums.print()?;
    }
    explained.sums.verdict()
}

fn show(session: &Session, account: Option<&str>) -> Result<(), Failure> {
    let address = whose(session, account)?;
    let view = session.client()?.account(address)?;
    if session.json() {
        return out::json("account", &view);
    }
    let waits = view.next_nonce.saturating_sub(view.nonce);
    let mut rows = vec![
        vec!["address".to_owned(), address.to_string()],
        vec!["LODE".to_owned(), view.balance.to_lode_string()],
        vec!["records so far".to_owned(), view.nonce.to_string()],
    ];
    if waits > 0 {
        rows.push(vec!["records that wait".to_owned(), waits.to_string()]);
    }
    if let Some(evaluator) = view.evaluator {
        rows.push(vec![
            "LODE at stake".to_owned(),
            evaluator.stake.to_lode_string(),
        ]);
        rows.push(vec![
            "seats at work".to_owned(),
            evaluator.seats.to_string(),
        ]);
        if evaluator.seats > 0 {
            rows.push(vec![
                "LODE that they lock".to_owned(),
                evaluator.locked.to_lode_string(),
            ]);
        }
        if let Some(until_ms) = evaluator.leaves_ms {
            rows.push(vec![
                "leaves the evaluators".to_owned(),
                format!(
                    "notice until {}; then 'lode evaluate leave' again",
                    out::time(until_ms)
                ),
            ]);
        }
    }
    out::line(&out::table(&[], &[], rows).to_string())
}
