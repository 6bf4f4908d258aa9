//! `lode bounty explain`: every unit that moved, and the sums.
//!
//! Everything is computed from the receipts that touched the bounty, so anyone
//! who has the log comes to the same; and compared with the sums and the state of
//! the node. Once the bounty has ended each of its purses must be empty but its
//! deposits, which return when it is forgotten or stay with its models.

use std::collections::{BTreeMap, BTreeSet};

use client::Client;
use protocol::api::{BountyView, HistoryEntry, PAGE_MAX, RuleSum};
use protocol::receipt::{Cause, Move, Purse, Rule, Standing};
use protocol::statement::{Flow, Statement, Subject, movements};
use protocol::{Address, Amount, ItemId};
use serde::Serialize;

use super::{has_ended, phase_text};
use crate::failure::Failure;
use crate::out;
use crate::session::Session;
use crate::statement::Sums;

/// The account of a bounty.
#[derive(Debug, Serialize)]
struct Explained {
    bounty: ItemId,
    /// The last block that it knows of.
    height: u64,
    /// Every movement, in the order of the log.
    moves: Vec<Step>,
    /// By account.
    accounts: Vec<Person>,
    /// By purse.
    purses: Vec<Sum>,
    /// By rule.
    rules: Vec<RuleSum>,
    /// Whether it has ended.
    has_ended: bool,
    /// Whether the purses hold what they must: what the state has; nothing, once it
    /// has ended, but deposits.
    adds_up: bool,
    /// What does not add up.
    flaws: Vec<String>,
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
    /// Lost of bonds that it put up, which `put_in` counts: by what became of it.
    bonds_lost: Vec<Lost>,
    /// Deposits that have not come back yet; not counted in `put_in` and `net`.
    deposits: Amount,
    /// Got less all that it put in, paid and lost, in LODE with its sign.
    net: String,
    /// Royalty shares of the winner, the best if there are several, that the
    /// settlement gave it, of 1000000.
    shares: u32,
    /// The same of every awarded model.
    models: Vec<Held>,
    /// By rule, in the order of the rules.
    why: Vec<Why>,
}

/// Royalty shares of an awarded model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Held {
    asset: ItemId,
    name: String,
    shares: u32,
}

#[derive(Debug, Serialize)]
struct Why {
    rule: Rule,
    got: bool,
    amount: Amount,
}

/// A part of a bond that did not come back.
#[derive(Debug, Serialize)]
struct Lost {
    rule: Rule,
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
/// There is none, the node cannot be asked, or it does not add up.
pub fn run(session: &Session, bounty: &str, account: Option<&str>) -> Result<(), Failure> {
    let id = session.bounty_id(bounty)?;
    let only = account.map(|text| session.account(text)).transpose()?;
    let client = session.client()?;
    // The sums first: the history is then read up to their block.
    let sums = Sums::ask(client, &Subject::Bounty(id))?;
    let mut history = Vec::new();
    for entry in client.bounty_history(id).page_size(PAGE_MAX) {
        let entry = entry?;
        if entry.height > sums.height {
            break;
        }
        history.push(entry);
    }
    let view = client.bounty(id)?;
    let models = awarded(client, &view)?;
    let (mut explained, sums) = explain(&view, &history, &models, sums);
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
        out::json("bounty.explain", &explained)?;
    } else {
        print(&view, &explained, only)?;
    }
    sums.verdict()
}

/// Who got which shares of every model that was awarded, as the node has settled it.
fn awarded(client: &Client, view: &BountyView) -> Result<Vec<(Address, Held)>, Failure> {
    let won = |standing| standing == Some(Standing::Won);
    let mut all = Vec::new();
    for submission in view.submissions.iter().filter(|one| won(one.standing)) {
        for holder in client.submission(submission.id)?.holders {
            let held = Held {
                asset: submission.id,
                name: submission.name.to_string(),
                shares: holder.shares,
            };
            all.push((holder.account, held));
        }
    }
    Ok(all)
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

fn explain(
    view: &BountyView,
    history: &[HistoryEntry],
    models: &[(Address, Held)],
    mut sums: Sums,
) -> (Explained, Sums) {
    let id = view.summary.id;
    let subject = Subject::Bounty(id);
    let statement = Statement::of(subject, Amount::ZERO, history);
    sums.check(&statement.book);
    let purses = statement.book.purses.iter();
    let purses: Vec<Sum> = purses.map(|(&purse, flow)| sum(purse, flow)).collect();
    let is_over = |entry: &HistoryEntry| {
        let mut events = entry.receipt.events.iter();
        events.any(|event| {
            matches!(event, protocol::receipt::Event::PhaseBegan { bounty, phase }
                if *bounty == id && has_ended(phase))
        })
    };
    // By the history: the view may be of a block after it.
    let has_ended = history.iter().any(is_over);
    for one in &purses {
        let may_hold = !has_ended || matches!(one.purse, Purse::Deposit(_));
        let is_empty = one.left.is_some_and(Amount::is_zero);
        if one.left.is_none() || !(is_empty || may_hold) {
            sums.flaw(format!("{} is not empty", out::purse(&one.purse)));
        }
    }
    let moves = steps(&subject, history);
    let mut accounts = people(&subject, &moves, models);
    for person in &mut accounts {
        person.bonds_lost = bonds_lost(view, &moves, person.account);
    }
    let explained = Explained {
        bounty: id,
        height: sums.height,
        accounts,
        has_ended,
        adds_up: sums.adds_up,
        flaws: sums.flaws.clone(),
        purses,
        rules: sums.rules.clone(),
        moves,
    };
    (explained, sums)
}

/// The movements through the bounty's purses, and the byte fees of its records.
fn steps(subject: &Subject, history: &[HistoryEntry]) -> Vec<Step> {
    let mut steps = Vec::new();
    for entry in history {
        let step = |step| Step {
            height: entry.height,
            time_ms: entry.time_ms,
            record: match entry.receipt.cause {
                Cause::Record(record) => Some(record),
                Cause::Deadline(_)
                | Cause::Distribution(_)
                | Cause::Terms(_)
                | Cause::License(_) => None,
            },
            step,
        };
        let fees = entry.receipt.moves.iter();
        let fees = fees.filter(|step| step.rule == Rule::ByteFee);
        steps.extend(fees.map(|&fee| step(fee)));
        steps.extend(movements(subject, entry).map(|movement| step(movement.step)));
    }
    steps
}

/// Amounts on one log are parts of one supply, so their sum fits.
fn add(to: &mut Amount, amount: Amount) {
    *to = to.checked_add(amount).unwrap_or(Amount::MAX);
}

fn sum(purse: Purse, flow: &Flow) -> Sum {
    Sum {
        purse,
        paid_in: flow.paid_in,
        paid_out: flow.paid_out,
        left: flow.paid_in.checked_sub(flow.paid_out),
    }
}

fn people(subject: &Subject, moves: &[Step], models: &[(Address, Held)]) -> Vec<Person> {
    let mut people: BTreeMap<Address, Person> = BTreeMap::new();
    let mut why: BTreeMap<(Address, bool, Rule), Amount> = BTreeMap::new();
    let mut count = |address, got, rule, amount| {
        add(why.entry((address, got, rule)).or_default(), amount);
    };
    for Step { step, .. } in moves {
        let Move {
            from,
            to,
            amount,
            rule,
        } = *step;
        if let Purse::Account(address) = from {
            let person = people.entry(address).or_default();
            count(address, false, rule, amount);
            match to {
                Purse::Deposit(_) => add(&mut person.deposits, amount),
                _ if subject.owns(&to, &from) => add(&mut person.put_in, amount),
                _ if rule == Rule::ByteFee => add(&mut person.byte_fees, amount),
                _ => {}
            }
        }
        if let (Purse::Seat(_, address), Purse::Harm(_) | Purse::Burned) = (from, to) {
            let person = people.entry(address).or_default();
            add(&mut person.stake_lost, amount);
            count(address, false, rule, amount);
        }
        if let Purse::Account(address) = to {
            let person = people.entry(address).or_default();
            count(address, true, rule, amount);
            match from {
                Purse::Deposit(_) => {
                    let left = person.deposits.checked_sub(amount);
                    person.deposits = left.unwrap_or_default();
                }
                _ => add(&mut person.got, amount),
            }
        }
    }
    for ((address, got, rule), amount) in why {
        if let Some(person) = people.get_mut(&address) {
            person.why.push(Why { rule, got, amount });
        }
    }
    let best = models.last().map(|(_, held)| held.asset);
    for (account, held) in models {
        let person = people.entry(*account).or_default();
        if Some(held.asset) == best {
            person.shares = held.shares;
        }
        person.models.push(held.clone());
    }
    let with_account = people.into_iter().map(|(address, person)| Person {
        account: Some(address),
        net: net(&person),
        ..person
    });
    with_account.collect()
}

/// What did not come back of the bonds of an account: by rule, in their order.
fn bonds_lost(view: &BountyView, moves: &[Step], account: Option<Address>) -> Vec<Lost> {
    let is_own = |purse: Purse| match purse {
        Purse::SponsorBond(_) => account == Some(view.summary.sponsor),
        Purse::MinerBond(id) => {
            let mut submissions = view.submissions.iter();
            submissions.any(|one| one.id == id && Some(one.miner) == account)
        }
        _ => false,
    };
    let mut lost: BTreeMap<Rule, Amount> = BTreeMap::new();
    for Step { step, .. } in moves {
        if step.rule != Rule::BondReturn && is_own(step.from) {
            add(lost.entry(step.rule).or_default(), step.amount);
        }
    }
    let lost = lost.into_iter();
    lost.map(|(rule, amount)| Lost { rule, amount }).collect()
}

/// What became of a part of a bond that was lost.
const fn went(rule: Rule) -> &'static str {
    match rule {
        Rule::ForfeitBurned => "burned",
        Rule::EvaluationPay => "to who found the test set bad",
        _ => "to who was harmed, and what is left of it burned",
    }
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
            format!("-{}", less.to_lode_string())
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
            Some(record) => out::short(record),
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
    let rows = person.why.iter().map(|why| {
        vec![
            format!("  {}", word(why)),
            why.amount.to_lode_string(),
            out::reason(why.rule).to_owned(),
        ]
    });
    out::line(&out::table(&[], &[1], rows.collect()).to_string())?;
    let lode = |amount: Amount| amount.to_lode_string();
    // Deposits are neither: they are what the account still has, elsewhere.
    let beside = match person.why.iter().any(is_deposit) {
        true => " beside deposits",
        false => "",
    };
    out::line(&format!(
        "  paid {} LODE in all{beside}, got {} LODE: net {} LODE",
        lode(all_out(person)),
        lode(person.got),
        person.net
    ))?;
    if !person.bonds_lost.is_empty() {
        let all = person.bonds_lost.iter();
        let sum = all.clone().fold(Amount::ZERO, |mut sum, lost| {
            add(&mut sum, lost.amount);
            sum
        });
        let parts: Vec<String> = all
            .map(|lost| format!("{} {}", lode(lost.amount), went(lost.rule)))
            .collect();
        out::line(&format!(
            "  LOST {} LODE of what was put up as bonds: {}",
            lode(sum),
            parts.join(", ")
        ))?;
    }
    if !person.deposits.is_zero() {
        out::line(&format!(
            "  and {} LODE as deposits, which come back when the bounty is forgotten, or stay with a model",
            lode(person.deposits)
        ))?;
    }
    for held in &person.models {
        out::line(&format!(
            "  and {} % of the royalty shares of '{}', which won",
            f64::from(held.shares) / 10_000.0,
            held.name
        ))?;
    }
    Ok(())
}

const fn is_deposit(why: &Why) -> bool {
    matches!(why.rule, Rule::Deposit | Rule::DepositReturn)
}

/// What an account did with the money of a line, so that lines of a word make the sum of that word.
const fn word(why: &Why) -> &'static str {
    match (is_deposit(why), why.got) {
        (true, false) => "deposited",
        (true, true) => "back",
        (false, false) => "paid",
        (false, true) => "got",
    }
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
        (true, true) => {
            "it adds up: every unit that went in has come out, but for the deposits that are left above"
        }
        (false, true) => {
            "it adds up: the bounty is not over, and what is left above is still at stake"
        }
        (_, false) => "THIS DOES NOT ADD UP: see what follows, and 'left' above",
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
    fn what_everybody_put_in_and_got_makes_the_net_without_deposits() {
        let (sponsor, winner) = (Purse::Account(SPONSOR), Purse::Account(WINNER));
        let (reward, bond) = (Purse::Reward(BOUNTY), Purse::SponsorBond(BOUNTY));
        let deposit = Purse::Deposit(BOUNTY);
        let moves = [
            step(sponsor, Purse::Burned, 1, Rule::ByteFee),
            step(sponsor, reward, 100, Rule::Reward),
            step(sponsor, bond, 20, Rule::Bond),
            step(sponsor, deposit, 10, Rule::Deposit),
            step(reward, winner, 100, Rule::Award),
            step(bond, sponsor, 15, Rule::BondReturn),
            step(deposit, sponsor, 4, Rule::DepositReturn),
        ];
        let units = Amount::from_base_units;
        let held = |asset, shares| Held {
            asset: ItemId([asset; 32]),
            name: format!("model {asset}"),
            shares,
        };
        let models = [(WINNER, held(7, 1)), (WINNER, held(8, 600_000))];
        let people = people(&Subject::Bounty(BOUNTY), &moves, &models);
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
        assert_eq!(people[0].net, format!("-{}", units(106).to_lode_string()));
        assert_eq!(people[0].deposits, units(6));
        // Lines of a word make the sum of that word.
        let said = |person: &Person, which: &str| {
            let lines = person.why.iter().filter(|why| word(why) == which);
            lines.fold(Amount::ZERO, |mut sum, why| {
                add(&mut sum, why.amount);
                sum
            })
        };
        for person in &people {
            assert_eq!(said(person, "paid"), all_out(person));
            assert_eq!(said(person, "got"), person.got);
        }
        assert_eq!(said(&people[0], "deposited"), units(10));
        assert_eq!(said(&people[0], "back"), units(4));
        assert_eq!(people[1].net, format!("+{}", units(100).to_lode_string()));
        assert_eq!([people[0].shares, people[1].shares], [0, 600_000]);
        assert_eq!(people[1].models.len(), 2);
    }

    #[test]
    fn more_out_than_in_is_seen() {
        let flow = Flow {
            paid_in: Amount::ZERO,
            paid_out: Amount::from_base_units(1),
            left: Amount::MAX,
        };
        assert_eq!(sum(Purse::Reward(BOUNTY), &flow).left, None);
    }
}
