//! `lode royalty`: shares and what they earned, claiming it, passing shares on,
//! and where every unit of an asset's income came from and went.

mod book;
mod explain;
mod tell;

use protocol::Amount;
use protocol::api::{AssetView, HolderView};
use protocol::id::{Address, ItemId};
use protocol::record::{Action, SHARES_PER_ASSET, TransferShares};
use protocol::text::whole_number;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::license::shares_text;
use crate::out;
use crate::session::{Acted, Session};

/// What `lode royalty` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Show what the key that signs holds and is owed, or an asset's holders and income.
    Show {
        /// The asset: its id, the beginning of it (6 characters or more), or its name.
        asset: Option<String>,
    },
    /// Pay out what the key that signs is owed, of one asset or of all.
    #[command(after_help = "\
Examples:
  lode royalty claim 'Digits base'
  lode royalty claim --all --dry-run")]
    Claim {
        /// The asset: its id, the beginning of it (6 characters or more), or its name.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        asset: Option<String>,
        /// Of every asset that owes something.
        #[arg(long)]
        all: bool,
    },
    /// Pass royalty shares on to another account. What they earned so far stays yours: to claim,
    /// or paid with the last of them.
    #[command(after_help = "\
Examples:
  lode royalty transfer 'Digits base' alice 250000 --dry-run")]
    Transfer {
        /// The asset: its id, the beginning of it (6 characters or more), or its name.
        asset: String,
        /// To whom: an address or the name of a key here.
        to: String,
        /// How many of the asset's 1,000,000 shares; whole.
        #[arg(value_parser = shares)]
        shares: u32,
    },
    /// Derive every unit of an asset's income from the log, and say whether it adds up.
    ///
    /// Each sale of a licence, of the asset or of a descendant, with what went to
    /// which ancestor and what stayed; each claim; each transfer of shares. From these
    /// alone follows what every holder is owed, which is then compared with what the
    /// node says. Exits with 1 if anything differs by a single unit.
    #[command(after_help = "\
Examples:
  lode royalty explain 'Digits base'
  lode royalty explain 'Digits base' --account alice --json")]
    Explain {
        /// The asset: its id, the beginning of it (6 characters or more), or its name.
        asset: String,
        /// Only this account's part: an address or the name of a key here.
        #[arg(long)]
        account: Option<String>,
    },
}

/// Runs `lode royalty …`.
///
/// # Errors
/// The node cannot be asked, a rule refuses, or the books do not add up.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Show { asset: None } => show_holdings(session),
        Command::Show { asset: Some(asset) } => show_asset(session, session.asset_id(asset)?),
        Command::Claim {
            asset: Some(asset), ..
        } => {
            let asset = session.asset_id(asset)?;
            let acted = session.act(&Action::ClaimRoyalty { asset }, None)?;
            session.report(&acted, "claimed")
        }
        Command::Claim { asset: None, .. } => claim_all(session),
        Command::Transfer { asset, to, shares } => transfer(session, asset, to, *shares),
        Command::Explain { asset, account } => explain_asset(session, asset, account.as_deref()),
    }
}

/// Explains the income of an asset that a text names, or one account's part of it.
///
/// # Errors
/// There is none, the node cannot be asked, or the books do not add up.
pub fn explain_asset(session: &Session, asset: &str, account: Option<&str>) -> Result<(), Failure> {
    let account = account.map(|text| session.account(text)).transpose()?;
    explain::run(session, session.asset_id(asset)?, account)
}

/// A holding with the asset's name.
#[derive(Serialize)]
struct HoldingJson {
    asset: ItemId,
    name: String,
    account: Address,
    shares: u32,
    owed: Amount,
}

fn holdings(session: &Session) -> Result<Vec<HoldingJson>, Failure> {
    let client = session.client()?;
    let mut found = Vec::new();
    for holding in client.holdings(session.address()?) {
        let holding = holding?;
        found.push(HoldingJson {
            asset: holding.asset,
            name: client.asset(holding.asset)?.name.to_string(),
            account: holding.account,
            shares: holding.shares,
            owed: holding.owed,
        });
    }
    Ok(found)
}

fn show_holdings(session: &Session) -> Result<(), Failure> {
    let holdings = holdings(session)?;
    if session.json() {
        return out::json("royalty.holdings", &holdings);
    }
    if holdings.is_empty() {
        talk!("{} holds no royalty shares", session.address()?);
        return Ok(());
    }
    let rows = holdings.iter().map(|holding| {
        vec![
            holding.name.clone(),
            shares_text(holding.shares),
            holding.owed.to_lode_string(),
            holding.asset.to_string(),
        ]
    });
    let head = ["asset", "share", "LODE owed", "id"];
    out::line(&out::table(&head, &[1, 2], rows.collect()).to_string())?;
    if holdings.iter().any(|holding| !holding.owed.is_zero()) {
        talk!("next: lode royalty claim --all");
    }
    Ok(())
}

fn show_asset(session: &Session, id: ItemId) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct AssetJson {
        asset: ItemId,
        name: String,
        income: Amount,
        unclaimed: Amount,
        stack: Vec<(ItemId, String)>,
        holders: Vec<HolderView>,
    }
    let client = session.client()?;
    let view: AssetView = client.asset(id)?;
    let holders = client.holders(id).collect::<Result<Vec<_>, _>>()?;
    if session.json() {
        let json = AssetJson {
            asset: view.id,
            name: view.name.to_string(),
            income: view.income,
            unclaimed: view.unclaimed,
            stack: view.stack,
            holders,
        };
        return out::json("royalty.asset", &json);
    }
    let mut rows = vec![
        vec!["asset".to_owned(), format!("'{}', {}", view.name, view.id)],
        vec!["LODE earned".to_owned(), view.income.to_lode_string()],
        vec![
            "not claimed yet".to_owned(),
            view.unclaimed.to_lode_string(),
        ],
    ];
    for (ancestor, share) in &view.stack {
        let name = client.asset(*ancestor)?.name;
        rows.push(vec![
            "owes first".to_owned(),
            format!("{share} of every price to '{name}', {ancestor}"),
        ]);
    }
    out::line(&out::table(&[], &[], rows).to_string())?;
    let rows = holders.iter().map(|holder| {
        vec![
            holder.account.to_string(),
            shares_text(holder.shares),
            holder.owed.to_lode_string(),
        ]
    });
    let head = ["holder", "share", "LODE owed"];
    out::line(&format!("\n{}", out::table(&head, &[1, 2], rows.collect())))
}

fn claim_all(session: &Session) -> Result<(), Failure> {
    // What an earlier claim left open is not owed any more once it is known.
    session.settle_outbox(session.address()?)?;
    let mut holdings = holdings(session)?;
    holdings.retain(|holding| !holding.owed.is_zero());
    if holdings.is_empty() && !session.json() {
        talk!("nothing is owed to {}", session.address()?);
        return Ok(());
    }
    let mut answers = Vec::with_capacity(holdings.len());
    let mut claim = |holding: &HoldingJson| {
        let asset = holding.asset;
        let acted = session.act(&Action::ClaimRoyalty { asset }, None)?;
        if !session.json() {
            return session.report(&acted, &format!("claimed of '{}'", holding.name));
        }
        answers.push(match &acted {
            Acted::Done(view) => serde_json::to_value(view).map_err(Failure::bug)?,
            Acted::Tried(trial) => serde_json::to_value(trial).map_err(Failure::bug)?,
        });
        Ok(())
    };
    let done = holdings.iter().try_for_each(&mut claim);
    // What was claimed before something failed is said all the same.
    if session.json() && (done.is_ok() || !answers.is_empty()) {
        let kind = match session.global.dry_run {
            true => "trial.list",
            false => "record.list",
        };
        out::json(kind, &answers)?;
    }
    done
}

/// A number of shares on the command line.
fn shares(text: &str) -> Result<u32, String> {
    let all = SHARES_PER_ASSET;
    let number = whole_number(text).filter(|shares| (1..=all).contains(shares));
    number.ok_or_else(|| {
        format!(
            "shares are a whole number from 1 to {all}, which is all of them: 10 % is {}",
            all / 10
        )
    })
}

fn transfer(session: &Session, asset: &str, to: &str, shares: u32) -> Result<(), Failure> {
    let asset = session.asset_id(asset)?;
    let to = session.account(to)?;
    if to == session.address()? {
        let next = "name another account";
        let message = "these shares are that account's already";
        return Err(Failure::new("same_account", message, next).exit(Exit::Usage));
    }
    let name = session.client()?.asset(asset)?.name;
    let action = Action::TransferShares {
        asset,
        body: TransferShares { to, shares },
    };
    let warning = format!(
        "Give {shares} royalty shares ({}) of '{name}' to {to}, for nothing. What they earn from now \
         on is that account's; what they earned so far stays yours, and is paid with the last of them.",
        shares_text(shares)
    );
    let before = match session.global.dry_run && !session.json() {
        true => Some(held(session, asset, to)?),
        false => None,
    };
    let acted = session.act(&action, Some(&warning))?;
    session.report(&acted, &format!("{shares} shares of '{name}' are {to}'s"))?;
    if let Some((mine, theirs)) = before {
        let me = session.address()?;
        out::line(&format!(
            "\n{shares} shares ({}) of '{name}' would move, for nothing. It cannot be undone.",
            shares_text(shares)
        ))?;
        let rows = moved((me, mine), (to, theirs), shares);
        let head = ["", "account", "shares before", "shares after"];
        out::line(&out::table(&head, &[2, 3], rows).to_string())?;
        out::line("what they earned so far stays yours, and is paid with the last of them")?;
        if theirs == 0 {
            out::line(
                "a deposit is locked, for the holding that the other account gets; it returns to you when that account \
                 has no share left",
            )?;
        }
    }
    Ok(())
}

/// The shares of an asset that this account and another hold.
fn held(session: &Session, asset: ItemId, to: Address) -> Result<(u32, u32), Failure> {
    let me = session.address()?;
    let (mut mine, mut theirs) = (0, 0);
    for holder in session.client()?.holders(asset) {
        let holder = holder?;
        if holder.account == me {
            mine = holder.shares;
        } else if holder.account == to {
            theirs = holder.shares;
        }
    }
    Ok((mine, theirs))
}

/// What both would hold after a transfer.
fn moved(from: (Address, u32), to: (Address, u32), shares: u32) -> Vec<Vec<String>> {
    let row = |what: &str, (account, before): (Address, u32), after: u32| {
        let in_words = |shares| format!("{shares} ({})", shares_text(shares));
        vec![
            what.to_owned(),
            account.to_string(),
            in_words(before),
            in_words(after),
        ]
    };
    vec![
        row("from", from, from.1.saturating_sub(shares)),
        row("to", to, to.1.saturating_add(shares)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_whole_and_the_refusal_says_of_how_many() {
        assert_eq!(shares("1"), Ok(1));
        assert_eq!(shares("1000000"), Ok(1_000_000));
        for text in ["0", "1000001", "50%", "0.5", "", "-1"] {
            assert!(shares(text).unwrap_err().contains("1000000"), "{text}");
        }
    }

    #[test]
    fn a_dry_run_says_what_both_would_hold() {
        let (me, to) = (Address([1; 32]), Address([2; 32]));
        let rows = moved((me, 1_000_000), (to, 0), 250_000);
        assert_eq!(rows[0][2..], ["1000000 (100%)", "750000 (75%)"]);
        assert_eq!(rows[1][1..], [&to.to_string(), "0 (0%)", "250000 (25%)"]);
    }
}
