//! `lode account`: what an account has, sending tokens, the faucet.

use protocol::Amount;
use protocol::api::FaucetRequest;
use protocol::record::{Action, Transfer};

use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::Session;

/// What `lode account` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Show an account: its balance, nonce and stake.
    Show {
        /// An address or the name of a key here [default: the key that signs].
        account: Option<String>,
    },
    /// Send tokens to another account.
    Send {
        /// To whom: an address or the name of a key here.
        to: String,
        /// How many LODE, as 12 or 0.5.
        #[arg(value_name = "LODE")]
        amount: String,
    },
    /// Ask the faucet of a development network for tokens.
    Faucet {
        /// For whom [default: the key that signs].
        account: Option<String>,
        /// How many LODE [default: what the faucet gives].
        #[arg(long, value_name = "LODE")]
        amount: Option<String>,
    },
}

/// An amount of LODE from the command line.
///
/// # Errors
/// It is none.
pub fn amount(text: &str) -> Result<Amount, Failure> {
    Amount::parse_lode(text).map_err(|error| {
        let next = "write LODE with at most 24 decimals, as 12 or 0.5";
        Failure::new("amount", format_args!("'{text:.60}': {error}"), next).exit(Exit::Usage)
    })
}

/// Runs `lode account …`.
///
/// # Errors
/// The node cannot be asked, or refuses.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Show { account } => show(session, account.as_deref()),
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
            let request = FaucetRequest {
                account: whose(session, account.as_deref())?,
                amount: text.as_deref().map(amount).transpose()?,
            };
            let view = session.client()?.faucet(&request)?;
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

fn show(session: &Session, account: Option<&str>) -> Result<(), Failure> {
    let address = whose(session, account)?;
    let view = session.client()?.account(address)?;
    if session.json() {
        return out::json("account", &view);
    }
    let waits = view.next_nonce - view.nonce;
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
    }
    out::line(&out::table(&[], &[], rows).to_string())
}
