//! Where every unit of an asset's income came from, and where it went.

use client::Client;
use protocol::Amount;
use protocol::api::{AssetView, HistoryEntry};
use protocol::id::{Address, ItemId};
use protocol::receipt::{Cause, Event, Move, Purse, Rule};
use protocol::record::{Action, Holder, SHARES_PER_ASSET, Transaction};
use protocol::statement::{Statement, Subject};
use serde::Serialize;

use super::book::Book;
use super::tell::print;
use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::Session;
use crate::statement::Sums;

/// How often the asset is read again if it earns something in the meantime.
const TRIES: usize = 5;

/// Something that changed who is owed what.
#[derive(Debug, Serialize)]
pub struct Step {
    pub height: u64,
    pub time_ms: u64,
    /// The record; none: the draw of the clock.
    pub record: Option<ItemId>,
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum What {
    /// A licence was sold, of the asset or of a descendant.
    Income {
        license: ItemId,
        sold: ItemId,
        licensee: Address,
        price: Amount,
        /// What went to other assets by the sold asset's stack.
        others: Vec<(ItemId, Amount)>,
        /// What was set aside for further rounds; left out if nothing was.
        #[serde(skip_serializing_if = "Option::is_none")]
        set_aside: Option<Amount>,
        amount: Amount,
        /// What the account that was asked for earned by it.
        account_earned: Option<Amount>,
    },
    /// An income went whole to the holder that was drawn.
    Drawn { account: Address, amount: Amount },
    /// A holder was paid.
    Claim { account: Address, amount: Amount },
    /// Shares changed hands.
    Transfer {
        from: Address,
        to: Address,
        shares: u32,
    },
}

/// What one account has of it.
#[derive(Debug, Serialize)]
pub struct HolderJson {
    pub account: Address,
    pub shares: u32,
    pub earned: Amount,
    pub claimed: Amount,
    pub owed: Amount,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Explained {
    pub asset: ItemId,
    pub name: String,
    pub began_with: Vec<Holder>,
    pub steps: Vec<Step>,
    pub income: Amount,
    pub claimed: Amount,
    pub unclaimed: Amount,
    pub remainder: Amount,
    pub holders: Vec<HolderJson>,
    pub adds_up: bool,
    pub flaws: Vec<String>,
    /// What went through the asset's purses, by rule and kind.
    pub statement: Sums,
}

/// Explains an asset's income, or one account's part of it.
///
/// # Errors
/// The node cannot be asked, or the books do not add up.
pub fn run(session: &Session, asset: ItemId, account: Option<Address>) -> Result<(), Failure> {
    let explained = explain(session.client()?, asset, account)?;
    if session.json() {
        out::json("royalty.explain", &explained)?;
    } else {
        print(session.client()?, &explained, account)?;
    }
    match explained.adds_up {
        true => Ok(()),
        false => Err(Failure::new(
            "does_not_add_up",
            explained.flaws.join("; "),
            "do not rely on this node: replay its log with 'lode log export' and 'lode log replay'",
        )),
    }
}

fn explain(client: &Client, asset: ItemId, account: Option<Address>) -> Result<Explained, Failure> {
    for _ in 0..TRIES {
        let view = client.asset(asset)?;
        let subject = Subject::Asset(asset);
        let mut sums = Sums::ask(client, &subject)?;
        let history = client.asset_history(asset).collect::<Result<Vec<_>, _>>()?;
        let holders = client.holders(asset).collect::<Result<Vec<_>, _>>()?;
        let after = client.asset_history(asset).count();
        // The sums may be of a block before: then what came since is not in them.
        if after != history.len() || history.iter().any(|entry| entry.height > sums.height) {
            continue;
        }
        let statement = Statement::of(subject, Amount::ZERO, &history);
        sums.check(&statement.book);
        let began_with = first_holders(client, &view)?;
        let mut book = Book::new(&began_with, is_drawn(&view));
        let mut steps = Vec::new();
        for entry in &history {
            steps.extend(steps_of(client, entry, asset)?);
        }
        for step in &mut steps {
            enter(&mut book, &mut step.what, account);
        }
        let said = holders.into_iter();
        let said = said.map(|holder| (holder.account, (holder.shares, holder.owed)));
        book.compare(view.income, view.unclaimed, &said.collect());
        steps.retain(|step| concerns(&step.what, account));
        return Ok(told(&view, began_with, steps, (book, sums), account));
    }
    let message = "the asset earns or pays while it is explained, again and again";
    Err(Failure::new("busy", message, "try again in a moment").exit(Exit::Later))
}

fn enter(book: &mut Book, what: &mut What, account: Option<Address>) {
    let earned = |book: &Book| {
        let page = book.accounts.get(&account?)?;
        Some(page.earned)
    };
    match what {
        What::Income {
            amount,
            account_earned,
            ..
        } => {
            let before = earned(book);
            book.receive(*amount);
            let since = |after: Amount| after.checked_sub(before.unwrap_or_default());
            *account_earned = earned(book).and_then(since);
        }
        What::Drawn { account, amount } => book.draw(*account, *amount),
        What::Claim { account, amount } => book.claim(*account, *amount),
        What::Transfer { from, to, shares } => book.transfer(*from, *to, *shares),
    }
}

fn concerns(what: &What, account: Option<Address>) -> bool {
    let Some(wanted) = account else { return true };
    match what {
        What::Income { account_earned, .. } => account_earned.is_some_and(|part| !part.is_zero()),
        What::Drawn { account, .. } | What::Claim { account, .. } => *account == wanted,
        What::Transfer { from, to, .. } => [*from, *to].contains(&wanted),
    }
}

fn told(
    view: &AssetView,
    began_with: Vec<Holder>,
    steps: Vec<Step>,
    (mut book, sums): (Book, Sums),
    account: Option<Address>,
) -> Explained {
    book.flaws.extend(sums.flaws.iter().cloned());
    let pages = book.accounts.iter();
    let pages = pages.filter(|(address, _)| account.is_none_or(|wanted| wanted == **address));
    let holders = pages.map(|(address, page)| HolderJson {
        account: *address,
        shares: page.shares,
        earned: page.earned,
        claimed: page.claimed,
        owed: page.owed().unwrap_or_default(),
    });
    Explained {
        asset: view.id,
        name: view.name.to_string(),
        began_with,
        steps,
        income: book.income,
        claimed: book.claimed,
        unclaimed: book.unclaimed().unwrap_or_default(),
        remainder: book.remainder,
        holders: holders.collect(),
        adds_up: book.flaws.is_empty(),
        flaws: book.flaws,
        statement: sums,
    }
}

/// The holders that the asset was registered with: by its record, or by the
/// bounty that it was made for.
fn first_holders(client: &Client, view: &AssetView) -> Result<Vec<Holder>, Failure> {
    if view.bounty.is_some() {
        // As the settlement has divided them, which the node works out by the same rule.
        return Ok(client.submission(view.id)?.holders);
    }
    let record = read(client, view.id)?;
    Ok(match record.action {
        Action::RegisterAsset { body, .. } if !body.holders.is_empty() => body.holders,
        _ => vec![Holder {
            account: record.signer,
            shares: SHARES_PER_ASSET,
        }],
    })
}

/// The signed record, as its signer wrote it.
fn read(client: &Client, id: ItemId) -> Result<Transaction, Failure> {
    let item = client.record_item(id)?;
    Transaction::read(&item).map_err(|error| {
        let message = format_args!("the node's record {id} is none: {error}");
        Failure::new("node_answer", message, "ask another node")
    })
}

/// What an entry of the history changed of who is owed what, one after the other.
fn steps_of(client: &Client, entry: &HistoryEntry, asset: ItemId) -> Result<Vec<Step>, Failure> {
    let receipt = &entry.receipt;
    let steps = |record, what: Vec<Option<What>>| {
        let step = |what| Step {
            height: entry.height,
            time_ms: entry.time_ms,
            record,
            what,
        };
        what.into_iter().flatten().map(step).collect()
    };
    let record = match receipt.cause {
        Cause::Record(record) => record,
        Cause::License(_) => return Ok(steps(None, vec![income(entry, asset)])),
        _ => return Ok(steps(None, vec![drawn(entry, asset)])),
    };
    if receipt.rejected.is_some() {
        return Ok(Vec::new());
    }
    let what = match entry.record_type.as_deref() {
        // Who gives the last share away is paid what is owed.
        Some("transfer-shares") => {
            vec![transfer(&read(client, record)?, asset), claim(entry, asset)]
        }
        _ => vec![claim(entry, asset).or_else(|| income(entry, asset))],
    };
    Ok(steps(Some(record), what))
}

/// Whether each income goes whole to one holder, drawn by shares.
fn is_drawn(view: &AssetView) -> bool {
    let mut terms = view.terms.iter();
    terms.any(|(name, value)| name == "Payment-Mode" && value == "Random-Distribution")
}

fn drawn(entry: &HistoryEntry, of: ItemId) -> Option<What> {
    let mut moves = entry.receipt.moves.iter();
    moves.find_map(|step| match (step.from, step.to, step.rule) {
        (Purse::Income(from), Purse::Account(account), Rule::RandomDistribution) if from == of => {
            let amount = step.amount;
            Some(What::Drawn { account, amount })
        }
        _ => None,
    })
}

fn transfer(record: &Transaction, of: ItemId) -> Option<What> {
    match &record.action {
        Action::TransferShares { asset, body } if *asset == of => Some(What::Transfer {
            from: record.signer,
            to: body.to,
            shares: body.shares,
        }),
        _ => None,
    }
}

fn claim(entry: &HistoryEntry, asset: ItemId) -> Option<What> {
    let mut moves = entry.receipt.moves.iter();
    moves.find_map(|step| match (step.from, step.to) {
        (Purse::Income(from), Purse::Account(account)) if from == asset => Some(What::Claim {
            account,
            amount: step.amount,
        }),
        _ => None,
    })
}

fn income(entry: &HistoryEntry, of: ItemId) -> Option<What> {
    // All that was paid ends with a holder's pool or what an asset sets aside of its part.
    let is_part = |step: &Move| match step.to {
        Purse::Fund(_) => step.rule == Rule::SelfFunding,
        _ => matches!(step.rule, Rule::LicenseIncome | Rule::StackIncome),
    };
    let paid = entry.receipt.moves.iter().filter(|step| is_part(step));
    let paid = paid.map(|step| step.amount);
    let paid = paid.reduce(|sum, part| sum.checked_add(part).unwrap_or(Amount::MAX));
    let mut events = entry.receipt.events.iter();
    // Of a purchase for months, the first: the others are income as they begin.
    let (license, sold, licensee) = events.find_map(|event| match *event {
        Event::LicenseIssued {
            license,
            asset,
            licensee,
            ..
        }
        | Event::MonthBegan {
            license,
            asset,
            licensee,
            ..
        }
        | Event::RevenueDeclared {
            license,
            asset,
            licensee,
            ..
        } => Some((license, asset, licensee)),
        _ => None,
    })?;
    let price = paid.unwrap_or_default();
    let mut amount = Amount::ZERO;
    let mut others: Vec<(ItemId, Amount)> = Vec::new();
    let mut set_aside = None;
    for step in entry.receipt.moves.iter().filter(|step| is_part(step)) {
        match step.to {
            Purse::Income(asset) if asset == of => {
                amount = amount.checked_add(step.amount)?;
            }
            Purse::Fund(asset) if asset == of => set_aside = Some(step.amount),
            // What others set aside is theirs as well.
            Purse::Income(asset) | Purse::Fund(asset) => {
                match others.iter_mut().find(|(known, _)| *known == asset) {
                    Some((_, part)) => *part = part.checked_add(step.amount)?,
                    None => others.push((asset, step.amount)),
                }
            }
            _ => {}
        }
    }
    Some(What::Income {
        license,
        sold,
        licensee,
        price,
        others,
        set_aside,
        amount,
        account_earned: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use licensing::Grant;
    use protocol::Digest;
    use protocol::receipt::Receipt;

    /// Ten for a model: 1 to its parent, which sets 0.2 of that aside, and of the 9 that are left 2 aside.
    #[test]
    fn a_price_is_all_that_was_paid_whoever_sets_a_part_of_it_aside() {
        let [model, parent, license] = [1, 2, 3].map(|seed| ItemId([seed; 32]));
        let buyer = Address([4; 32]);
        let lode = |tenths: u128| Amount::from_base_units(tenths);
        let paid = |to, tenths, rule| Move {
            from: Purse::Account(buyer),
            to,
            amount: lode(tenths),
            rule,
        };
        let entry = HistoryEntry {
            height: 1,
            place: 0,
            time_ms: 1,
            signer: Some(buyer),
            record_type: Some("buy-license".to_owned()),
            receipt: Receipt {
                cause: Cause::Record(license),
                rejected: None,
                moves: vec![
                    paid(Purse::Burned, 3, Rule::ByteFee),
                    paid(Purse::Fund(parent), 2, Rule::SelfFunding),
                    paid(Purse::Income(parent), 8, Rule::StackIncome),
                    paid(Purse::Fund(model), 20, Rule::SelfFunding),
                    paid(Purse::Income(model), 70, Rule::LicenseIncome),
                ],
                events: vec![Event::LicenseIssued {
                    license,
                    asset: model,
                    licensee: buyer,
                    grant: Grant::CommercialUse,
                    terms: Digest([5; 32]),
                    price: lode(100),
                }],
            },
        };
        for (of, own, aside, other) in [
            (model, 70, 20, (parent, lode(10))),
            (parent, 8, 2, (model, lode(90))),
        ] {
            let Some(What::Income {
                price,
                others,
                set_aside,
                amount,
                ..
            }) = income(&entry, of)
            else {
                panic!("an income");
            };
            assert_eq!(price, lode(100));
            assert_eq!((amount, set_aside), (lode(own), Some(lode(aside))));
            assert_eq!(others, [other]);
        }
    }
}
