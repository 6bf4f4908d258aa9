//! `lode bounty explain`: every unit that moved, and the sums.
//!
//! Everything is computed from the receipts that touched the bounty, so anyone
//! who has the log comes to the same. A bounty's purses are its reward, the
//! sponsor's bond, and the bond and fee of every submission. Once it has ended
//! each of them must be empty.

use std::collections::{BTreeMap, BTreeSet};

use licensing::split_by_weights;
use protocol::api::{BountyView, HistoryEntry};
use protocol::receipt::{Cause, Move, Phase, Purse, Rule};
use protocol::{Address, Amount, ItemId};
use serde::Serialize;

use super::show::{short, winner};
use super::{has_ended, phase_text};
use crate::failure::Failure;
use crate::out;
use crate::session::Session;

/// The account of a bounty.
#[derive(Debug, Serialize)]
struct Explained {
    bounty: ItemId,
    /// Every movement, in the order of the log.
    moves: Vec<Step>,
    /// By account.
    accounts: Vec<Person>,
    /// By purse.
    purses: Vec<Sum>,
    /// Whether it has ended.
    has_ended: bool,
    /// Whether the purses hold what they must: nothing, once it has ended.
    adds_up: bool,
}

/// A movement of money with its place on the log.
#[derive(Clone, Debug, Serialize)]
struct Step {
    height: u64,
    time_ms: u64,
    /// The record that caused it; none: the clock.
    record: Option<ItemId>,
    #[serde(flatten)]
    step: Move,
}

/// What an account put in and got.
#[derive(Debug, Default, Serialize)]
struct Person {
    account: Option<Address>,
    put_in: Amount,
    got: Amount,
    /// Byte fees of records to this bounty, burned.
    byte_fees: Amount,
    /// Lost from an evaluator's stake.
    stake_lost: Amount,
    /// Got less all that it put in, paid and lost, in LODE with its sign.
    net: String,
    /// Royalty shares of the winner that the settlement gave it, of 1000000.
    shares: u32,
    /// By rule, in the order of the rules.
    why: Vec<Why>,
}

#[derive(Debug, Serialize)]
struct Why {
    rule: Rule,
    got: bool,
    amount: Amount,
}

/// What went through a purse.
#[derive(Debug, Serialize)]
struct Sum {
    purse: Purse,
    paid_in: Amount,
    paid_out: Amount,
    /// What it still holds; none: more went out than in.
    left: Option<Amount>,
}

/// Prints the account of a bounty.
///
/// # Errors
/// There is none, or the node cannot be asked.
pub fn run(session: &Session, bounty: &str, account: Option<&str>) -> Result<(), Failure> {
    let id = session.bounty_id(bounty)?;
    let only = account.map(|text| session.account(text)).transpose()?;
    let client = session.client()?;
    // The history first: a submission that comes in between has no purse yet.
    let pages = client.bounty_history(id).page_size(protocol::api::PAGE_MAX);
    let history: Vec<HistoryEntry> = pages.collect::<Result<_, _>>()?;
    let view = client.bounty(id)?;
    let mut explained = explain(&view, &history);
    if let Some(only) = only {
        let own = own_purses(&view, only);
        explained
            .moves
            .retain(|step| own.contains(&step.step.from) || own.contains(&step.step.to));
        explained
            .accounts
            .retain(|person| person.account == Some(only));
    }
    if session.json() {
        return out::json("bounty.explain", &explained);
    }
    print(&view, &explained, only)
}

/// The purses that an account's money was in, so that it sees where that went.
fn own_purses(view: &BountyView, account: Address) -> BTreeSet<Purse> {
    let id = view.summary.id;
    let mut own = BTreeSet::from([
        Purse::Account(account),
        Purse::Stake(account),
        Purse::Seat(id, account),
    ]);
    if view.summary.sponsor == account {
        own.extend([
            Purse::Reward(id),
            Purse::SponsorBond(id),
            Purse::PrepaidFees(id),
        ]);
    }
    if view.backings.iter().any(|one| one.account == account) {
        own.insert(Purse::Reward(id));
    }
    for submission in &view.submissions {
        if submission.miner == account {
            own.insert(Purse::MinerBond(submission.id));
            own.insert(Purse::EvaluationFee(submission.id));
        }
    }
    own
}

fn explain(view: &BountyView, history: &[HistoryEntry]) -> Explained {
    let id = view.summary.id;
    let mut purses = BTreeSet::from([
        Purse::Reward(id),
        Purse::SponsorBond(id),
        Purse::PrepaidFees(id),
        Purse::Harm(id),
    ]);
    let seats = view.checks.iter().map(|check| check.evaluator);
    let seats = seats.chain(view.seats.iter().map(|seat| seat.evaluator));
    purses.extend(seats.map(|evaluator| Purse::Seat(id, evaluator)));
    for submission in &view.submissions {
        purses.insert(Purse::MinerBond(submission.id));
        purses.insert(Purse::EvaluationFee(submission.id));
    }
    let moves = steps(id, &purses, history);
    let sums: Vec<Sum> = purses.iter().map(|&purse| sum(purse, &moves)).collect();
    let has_ended = has_ended(&view.summary.phase);
    let fits = |sum: &Sum| match sum.left {
        None => false,
        Some(left) => left.is_zero() || !has_ended,
    };
    Explained {
        bounty: id,
        accounts: people(&purses, &moves, &winners_shares(view)),
        has_ended,
        adds_up: sums.iter().all(fits),
        purses: sums,
        moves,
    }
}

/// The movements through the bounty's purses, what its clock took from stakes,
/// and the byte fees of its records.
fn steps(id: ItemId, purses: &BTreeSet<Purse>, history: &[HistoryEntry]) -> Vec<Step> {
    let mut steps = Vec::new();
    for entry in history {
        let is_clock = entry.receipt.cause == Cause::Deadline(id);
        let concerns = |step: &Move| {
            purses.contains(&step.from)
                || purses.contains(&step.to)
                || step.rule == Rule::ByteFee
                || is_clock
        };
        let record = match entry.receipt.cause {
            Cause::Record(record) => Some(record),
            Cause::Deadline(_) | Cause::Distribution(_) => None,
        };
        steps.extend(
            entry
                .receipt
                .moves
                .iter()
                .filter(|step| concerns(step))
                .map(|&step| Step {
                    height: entry.height,
                    time_ms: entry.time_ms,
                    record,
                    step,
                }),
        );
    }
    steps
}

/// Amounts on one log are parts of one supply, so their sum fits.
fn add(to: &mut Amount, amount: Amount) {
    *to = to.checked_add(amount).unwrap_or(Amount::MAX);
}

fn sum(purse: Purse, moves: &[Step]) -> Sum {
    let (mut paid_in, mut paid_out) = (Amount::ZERO, Amount::ZERO);
    for Step { step, .. } in moves {
        if step.to == purse {
            add(&mut paid_in, step.amount);
        }
        if step.from == purse {
            add(&mut paid_out, step.amount);
        }
    }
    Sum {
        purse,
        paid_in,
        paid_out,
        left: paid_in.checked_sub(paid_out),
    }
}

/// Who got which shares of the winner when the bounty was settled; nobody if nobody won.
fn winners_shares(view: &BountyView) -> BTreeMap<Address, u32> {
    let mut shares: BTreeMap<Address, u32> = BTreeMap::new();
    let Some(winner) = winner(view).filter(|_| view.summary.phase == Phase::Settled) else {
        return shares;
    };
    let split = &view.posting.split;
    let mut give = |account, part: u32| *shares.entry(account).or_default() += part;
    give(winner.miner, split.miner);
    give(view.summary.sponsor, split.sponsor);
    let stakes: Vec<u128> = view
        .backings
        .iter()
        .map(|backing| backing.amount.base_units())
        .collect();
    // Without a backer there are no weights, and the part is the sponsor's.
    match split_by_weights(u128::from(split.backers), &stakes) {
        Ok(parts) => {
            for (backing, part) in view.backings.iter().zip(parts) {
                give(backing.account, u32::try_from(part).unwrap_or(u32::MAX));
            }
        }
        Err(_) => give(view.summary.sponsor, split.backers),
    }
    shares.retain(|_, shares| *shares > 0);
    shares
}

fn people(
    purses: &BTreeSet<Purse>,
    moves: &[Step],
    shares: &BTreeMap<Address, u32>,
) -> Vec<Person> {
    let mut people: BTreeMap<Address, Person> = BTreeMap::new();
    let mut why: BTreeMap<(Address, bool, Rule), Amount> = BTreeMap::new();
    for Step { step, .. } in moves {
        if let Purse::Account(address) = step.from {
            let person = people.entry(address).or_default();
            if purses.contains(&step.to) {
                add(&mut person.put_in, step.amount);
            } else if step.rule == Rule::ByteFee {
                add(&mut person.byte_fees, step.amount);
            }
            add(
                why.entry((address, false, step.rule)).or_default(),
                step.amount,
            );
        }
        if let (Purse::Seat(_, address), Purse::Harm(_) | Purse::Burned) = (step.from, step.to) {
            let person = people.entry(address).or_default();
            add(&mut person.stake_lost, step.amount);
            add(
                why.entry((address, false, step.rule)).or_default(),
                step.amount,
            );
        }
        if let Purse::Account(address) = step.to {
            let person = people.entry(address).or_default();
            add(&mut person.got, step.amount);
            add(
                why.entry((address, true, step.rule)).or_default(),
                step.amount,
            );
        }
    }
    for ((address, got, rule), amount) in why {
        if let Some(person) = people.get_mut(&address) {
            person.why.push(Why { rule, got, amount });
        }
    }
    for (&address, &held) in shares {
        people.entry(address).or_default().shares = held;
    }
    let with_account = people.into_iter().map(|(address, person)| Person {
        account: Some(address),
        net: net(&person),
        ..person
    });
    with_account.collect()
}

/// All that an account put in, paid and lost.
fn all_out(person: &Person) -> Amount {
    let mut all = person.put_in;
    add(&mut all, person.byte_fees);
    add(&mut all, person.stake_lost);
    all
}

fn net(person: &Person) -> String {
    let out = all_out(person);
    match person.got.checked_sub(out) {
        Some(more) if more.is_zero() => "0".to_owned(),
        Some(more) => format!("+{}", more.to_lode_string()),
        None => {
            let less = out.checked_sub(person.got).unwrap_or(Amount::ZERO);
            format!("−{}", less.to_lode_string())
        }
    }
}

/// Whether a movement is from or to this account or its stake.
fn is_of(step: &Move, account: Address) -> bool {
    let is_own = |purse: Purse| match purse {
        Purse::Account(of) | Purse::Stake(of) | Purse::Seat(_, of) => of == account,
        _ => false,
    };
    is_own(step.from) || is_own(step.to)
}

fn print(view: &BountyView, explained: &Explained, only: Option<Address>) -> Result<(), Failure> {
    out::line(&format!(
        "{}: {}\n",
        view.summary.title,
        phase_text(&view.summary.phase)
    ))?;
    let shown = |step: &&Step| only.is_none_or(|account| is_of(&step.step, account));
    let rows = explained.moves.iter().filter(shown).map(|step| {
        let by = match step.record {
            Some(record) => short(record),
            None => "the clock".to_owned(),
        };
        let Move {
            from,
            to,
            amount,
            rule,
        } = &step.step;
        vec![
            step.height.to_string(),
            out::time(step.time_ms),
            out::purse(from),
            out::purse(to),
            amount.to_lode_string(),
            out::rule(*rule),
            by,
        ]
    });
    let head = ["block", "time", "from", "to", "LODE", "rule", "by"];
    out::line(&out::table(&head, &[0, 4], rows.collect()).to_string())?;
    for person in &explained.accounts {
        print_person(view, person)?;
    }
    match only {
        Some(_) => Ok(()),
        None => print_purses(explained),
    }
}

fn print_person(view: &BountyView, person: &Person) -> Result<(), Failure> {
    let Some(account) = person.account else {
        return Ok(());
    };
    let parts = parts(view, account);
    out::line(&format!("\n{account}{parts}"))?;
    let sign = |got: bool| if got { "got" } else { "paid" };
    let rows = person.why.iter().map(|why| {
        vec![
            format!("  {}", sign(why.got)),
            why.amount.to_lode_string(),
            out::reason(why.rule).to_owned(),
        ]
    });
    out::line(&out::table(&[], &[1], rows.collect()).to_string())?;
    let lode = |amount: Amount| amount.to_lode_string();
    out::line(&format!(
        "  paid {} LODE in all, got {} LODE: net {} LODE",
        lode(all_out(person)),
        lode(person.got),
        person.net
    ))?;
    if person.shares > 0 {
        out::line(&format!(
            "  and {} % of the winner's royalty shares",
            f64::from(person.shares) / 10_000.0
        ))?;
    }
    Ok(())
}

/// What an account is in a bounty.
fn parts(view: &BountyView, account: Address) -> String {
    let mut parts = Vec::new();
    if view.summary.sponsor == account {
        parts.push("sponsor");
    }
    if view
        .backings
        .iter()
        .any(|backing| backing.account == account)
    {
        parts.push("backer");
    }
    if view.submissions.iter().any(|one| one.miner == account) {
        parts.push("miner");
    }
    let checks = view.checks.iter().any(|check| check.evaluator == account);
    if checks || view.seats.iter().any(|seat| seat.evaluator == account) {
        parts.push("evaluator");
    }
    match parts.is_empty() {
        true => String::new(),
        false => format!(", {}", parts.join(" and ")),
    }
}

fn print_purses(explained: &Explained) -> Result<(), Failure> {
    let left = |sum: &Sum| match sum.left {
        Some(left) => left.to_lode_string(),
        None => "less than nothing".to_owned(),
    };
    let rows = explained.purses.iter().map(|sum| {
        vec![
            out::purse(&sum.purse),
            sum.paid_in.to_lode_string(),
            sum.paid_out.to_lode_string(),
            left(sum),
        ]
    });
    let head = ["purse", "in", "out", "left"];
    out::line(&format!(
        "\n{}",
        out::table(&head, &[1, 2, 3], rows.collect())
    ))?;
    let verdict = match (explained.has_ended, explained.adds_up) {
        (true, true) => "every unit that went in has come out: all purses of the bounty are empty",
        (false, true) => "the bounty is not over: what is left above is still at stake",
        (_, false) => "THIS DOES NOT ADD UP: a purse holds what it should not; see 'left' above",
    };
    out::line(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNTY: ItemId = ItemId([1; 32]);
    const SPONSOR: Address = Address([2; 32]);
    const WINNER: Address = Address([3; 32]);

    fn step(from: Purse, to: Purse, units: u128, rule: Rule) -> Step {
        Step {
            height: 1,
            time_ms: 1,
            record: None,
            step: Move {
                from,
                to,
                amount: Amount::from_base_units(units),
                rule,
            },
        }
    }

    #[test]
    fn what_goes_in_comes_out_or_is_left() {
        let (sponsor, winner) = (Purse::Account(SPONSOR), Purse::Account(WINNER));
        let (reward, bond) = (Purse::Reward(BOUNTY), Purse::SponsorBond(BOUNTY));
        let moves = [
            step(sponsor, Purse::Burned, 1, Rule::ByteFee),
            step(sponsor, reward, 100, Rule::Reward),
            step(sponsor, bond, 20, Rule::Bond),
            step(reward, winner, 100, Rule::Award),
            step(bond, sponsor, 15, Rule::BondReturn),
        ];
        let units = Amount::from_base_units;
        assert_eq!(sum(reward, &moves).left, Some(Amount::ZERO));
        assert_eq!(sum(bond, &moves).left, Some(units(5)));
        let shares = BTreeMap::from([(WINNER, 600_000)]);
        let people = people(&BTreeSet::from([reward, bond]), &moves, &shares);
        let found: Vec<_> = people
            .iter()
            .map(|person| (person.account, person.put_in, person.got, person.byte_fees))
            .collect();
        assert_eq!(
            found,
            [
                (Some(SPONSOR), units(120), units(15), units(1)),
                (Some(WINNER), Amount::ZERO, units(100), Amount::ZERO),
            ]
        );
        // What was paid in all and what was got make the net: 15 − (120 + 1).
        assert_eq!(all_out(&people[0]), units(121));
        assert_eq!(people[0].net, format!("−{}", units(106).to_lode_string()));
        assert_eq!(people[1].net, format!("+{}", units(100).to_lode_string()));
        assert_eq!([people[0].shares, people[1].shares], [0, 600_000]);
    }

    #[test]
    fn more_out_than_in_is_seen() {
        let reward = Purse::Reward(BOUNTY);
        let moves = [step(reward, Purse::Account(WINNER), 1, Rule::Award)];
        assert_eq!(sum(reward, &moves).left, None);
    }
}
