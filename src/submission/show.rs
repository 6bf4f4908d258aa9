//! What became of submissions, and every movement of their money.

use protocol::api::{BountyView, HistoryEntry, SubmissionView};
use protocol::id::{Address, ItemId};
use protocol::receipt::{Cause, Move, Purse, Rule, Standing};
use protocol::record::{Action, Pay, Transaction};
use protocol::report::Outcome;
use protocol::{Amount, Score};
use serde::Serialize;

use crate::failure::Failure;
use crate::out;
use crate::session::Session;

/// `lode submission list`.
///
/// # Errors
/// The node cannot be asked.
pub fn list(session: &Session, bounty: &str) -> Result<(), Failure> {
    let view = session.client()?.bounty(session.bounty_id(bounty)?)?;
    if session.json() {
        return out::json("submission.list", &view.submissions);
    }
    if view.submissions.is_empty() {
        talk!("nobody has submitted yet");
        return Ok(());
    }
    let rows = view.submissions.iter().map(|one| {
        vec![
            one.id.to_string(),
            one.name.to_string(),
            out::short(one.miner),
            one.height.to_string(),
            state(&view, one),
        ]
    });
    let head = ["submission", "name", "miner", "block", "state"];
    out::line(&out::table(&head, &[3], rows.collect()).to_string())
}

/// Billionths as a decimal without the zeros that say nothing.
fn margin(billionths: u64) -> String {
    let text = Score(i64::try_from(billionths).unwrap_or(i64::MAX)).to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn state(bounty: &BountyView, one: &SubmissionView) -> String {
    let found = one.verdict.as_ref().map(verdict);
    match (&one.standing, found) {
        (Some(standing), Some(found)) => format!("{}; {found}", standing_text(standing)),
        (Some(standing), None) => standing_text(standing),
        (None, Some(found)) => found,
        (None, None) if one.key.is_some() => "revealed".to_owned(),
        (None, None) => format!("sealed ({})", bounty.summary.phase.name()),
    }
}

fn verdict(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Scored { score, .. } => format!("score {score}"),
        Outcome::Invalid { code, place } => format!("invalid: {code} at {place}"),
        Outcome::BadSeal { chunk } => format!("the key does not open chunk {chunk}"),
        Outcome::Unavailable => "no verdict".to_owned(),
    }
}

fn standing_text(standing: &Standing) -> String {
    match standing {
        Standing::Won => "won".to_owned(),
        Standing::Lost => "did not win".to_owned(),
        Standing::Copied(earlier) => format!("out: the weights of the earlier {earlier}"),
        Standing::NotRevealed => "out: its key was not revealed".to_owned(),
        Standing::BadSeal => "out: its key does not open its ciphertext".to_owned(),
        Standing::Invalid => "out: it breaks the benchmark's rules".to_owned(),
        Standing::NoVerdict => "no verdict: bond and fee have returned".to_owned(),
    }
}

/// A movement of money with its place on the log.
#[derive(Serialize)]
struct Step {
    height: u64,
    time_ms: u64,
    record_type: Option<String>,
    #[serde(flatten)]
    step: Move,
}

#[derive(Serialize)]
struct Shown<'a> {
    submission: &'a SubmissionView,
    moves: Vec<Step>,
    /// What the miner got for it, less what the miner paid, its deposit left out.
    net: String,
}

/// `lode submission show`.
///
/// # Errors
/// There is none, or the node cannot be asked.
pub fn show(session: &Session, id: ItemId) -> Result<(), Failure> {
    let client = session.client()?;
    let view = client.submission(id)?;
    let bounty = client.bounty(view.bounty)?;
    let mut moves = Vec::new();
    for entry in client.bounty_history(view.bounty) {
        let entry = entry?;
        let is_own = is_own_record(session, &entry, &view)?;
        let chosen = entry
            .receipt
            .moves
            .iter()
            .filter(|step| belongs(step, &view, is_own));
        moves.extend(chosen.map(|&step| Step {
            height: entry.height,
            time_ms: entry.time_ms,
            record_type: entry.record_type.clone(),
            step,
        }));
    }
    let net = net(view.miner, moves.iter().map(|one| &one.step));
    if session.json() {
        let shown = Shown {
            submission: &view,
            moves,
            net,
        };
        return out::json("submission", &shown);
    }
    let rows = [
        ("submission", view.id.to_string()),
        ("name", view.name.to_string()),
        (
            "bounty",
            format!("{} ({})", bounty.summary.title, view.bounty),
        ),
        ("miner", view.miner.to_string()),
        ("committed", format!("block {}", view.height)),
        ("state", state(&bounty, &view)),
        ("reserve", bounty.posting.reserve.to_string()),
        ("margin", margin(bounty.posting.margin)),
    ];
    let rows = rows.map(|(what, value)| vec![what.to_owned(), value]);
    out::line(&out::table(&[], &[], rows.to_vec()).to_string())?;
    let pay = bounty.posting.pay;
    let rows = moves.iter().map(|one| {
        vec![
            one.height.to_string(),
            out::purse(&one.step.from),
            out::purse(&one.step.to),
            one.step.amount.to_lode_string(),
            format!("{}: {}", out::rule(one.step.rule), why(one.step.rule, pay)),
        ]
    });
    let head = ["block", "from", "to", "LODE", "why"];
    out::line(&out::table(&head, &[0, 3], rows.collect()).to_string())?;
    out::line(&format!("all in all {net} LODE for its miner"))?;
    let is_unclaimed = view.key.is_some() && view.standing == Some(Standing::NoVerdict);
    if is_unclaimed && session.address().ok() == Some(view.miner) {
        talk!(
            "note: its weights are public, and no verdict says whose they are: unless you have registered them, do so \
             before somebody else does, with 'lode model add FOLDER --terms TERMS'"
        );
    }
    Ok(())
}

/// Whether the record of this entry is about the submission: its commitment or its reveal.
fn is_own_record(
    session: &Session,
    entry: &HistoryEntry,
    view: &SubmissionView,
) -> Result<bool, Failure> {
    let Cause::Record(record) = entry.receipt.cause else {
        return Ok(false);
    };
    if record == view.id {
        return Ok(true);
    }
    if entry.signer != Some(view.miner) || entry.record_type.as_deref() != Some("reveal-submission")
    {
        return Ok(false);
    }
    let item = session.client()?.record_item(record)?;
    Ok(Transaction::read(&item).is_ok_and(|tx| {
        matches!(tx.action, Action::RevealSubmission { body, .. } if body.submission == view.id)
    }))
}

/// Whether a movement is one of the submission's.
fn belongs(step: &Move, view: &SubmissionView, is_own_record: bool) -> bool {
    let purses = [Purse::MinerBond(view.id), Purse::EvaluationFee(view.id)];
    let won = view.standing == Some(Standing::Won);
    let miner = Purse::Account(view.miner);
    is_own_record
        || purses.contains(&step.from)
        || purses.contains(&step.to)
        || (won && step.rule == Rule::Award && step.to == miner && step.amount == view.award)
        || (step.rule == Rule::ForfeitShared && step.to == miner)
}

/// What an account got less what it paid, in LODE with its sign. A deposit is the
/// account's own still, so it does not count.
fn net<'a>(account: Address, moves: impl Iterator<Item = &'a Move>) -> String {
    let purse = Purse::Account(account);
    let (mut got, mut paid) = (Amount::ZERO, Amount::ZERO);
    let is_deposit = |one: &Purse| matches!(one, Purse::Deposit(_));
    for step in moves.filter(|step| !is_deposit(&step.from) && !is_deposit(&step.to)) {
        if step.to == purse {
            got = got.checked_add(step.amount).unwrap_or(got);
        }
        if step.from == purse {
            paid = paid.checked_add(step.amount).unwrap_or(paid);
        }
    }
    match got.checked_sub(paid) {
        Some(more) => format!("+{}", more.to_lode_string()),
        None => {
            let less = paid.checked_sub(got).unwrap_or(Amount::ZERO);
            format!("-{}", less.to_lode_string())
        }
    }
}

/// A rule that moves a submission's money, in a sentence.
fn why(rule: Rule, pay: Pay) -> &'static str {
    match rule {
        Rule::Deposit => "for its place in the state; comes back when that is forgotten",
        Rule::DepositReturn => "its place in the state is given up",
        Rule::ByteFee => "every record pays for its bytes",
        Rule::Bond => "put up with the commitment",
        Rule::EvaluationFee => "paid with the commitment, for the evaluators",
        Rule::EvaluationPay => "to an evaluator who agrees with the quorum",
        Rule::Award if pay == Pay::Steps => "its step's part of the reward and all stakes",
        Rule::Award => "the reward and all stakes, to the best score",
        Rule::BondReturn => "nothing was withheld: it returns to who put it up",
        Rule::Refund => "nobody had to score it, or nobody did",
        Rule::ForfeitBurned => "half of a forfeit, and what nobody was harmed by",
        Rule::ForfeitShared => "to who was harmed, at most what they put at risk",
        _ => "by the bounty's rules",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_margin_is_a_decimal() {
        for (billionths, text) in [(2_000_000, "0.002"), (0, "0"), (1_000_000_000, "1")] {
            assert_eq!(margin(billionths), text);
        }
    }

    #[test]
    fn net_has_a_sign() {
        let me = Address([1; 32]);
        let lode = |count: u128| Amount::from_base_units(count * 10_u128.pow(24));
        let step = |from, to, amount| Move {
            from,
            to,
            amount,
            rule: Rule::Bond,
        };
        let bond = Purse::MinerBond(ItemId([2; 32]));
        let paid = step(Purse::Account(me), bond, lode(50));
        let back = step(bond, Purse::Account(me), lode(30));
        assert_eq!(net(me, [&paid, &back].into_iter()), "-20");
        assert_eq!(net(me, [&back].into_iter()), "+30");
        assert_eq!(net(me, [&paid, &back, &back].into_iter()), "+10");
    }
}
