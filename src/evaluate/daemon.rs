//! All seats of an account, bounty by bounty, for as long as the process lives.
//!
//! It may end at any moment: what matters is on the disk before it is sent. What
//! goes wrong with one bounty is said, tried again later, and keeps no other
//! bounty waiting.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use client::PhaseFilter;
use protocol::Amount;
use protocol::api::BountyView;
use protocol::id::{Address, ItemId};
use protocol::receipt::{Move, Phase, Purse, Rule};
use protocol::report::Outcome;
use serde_json::json;

use super::desk::{Desk, KEPT_AFTER_END_MS, room, rooms, tidy};
use super::duty;
use super::seat::{Step, Worker, test_text};
use crate::boxed::RunOptions;
use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::{Session, lock};
use crate::watch::{Away, Watch, is_away, now, patiently};

/// Whatever the stream says, the node is looked at so often.
const POLL: Duration = Duration::from_secs(10);

/// The longest wait before another try.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// How long the work on a bounty is kept that the node does not know: another network may have it.
const UNKNOWN_KEPT: Duration = Duration::from_secs(60 * 24 * 3_600);

/// What has to be done first: reveals are quick and late ones are dear, scoring is long.
const PHASES: [PhaseFilter; 3] = [
    PhaseFilter::ScoreReveal,
    PhaseFilter::TestCheck,
    PhaseFilter::Score,
];

/// A bounty with which something went wrong.
struct Trouble {
    tries: u32,
    until: Instant,
    said: String,
}

fn worker(session: &Session, options: RunOptions) -> Result<Worker<'_>, Failure> {
    let client = session.client()?;
    let path = room(session.home(), session.address()?).join("lock");
    let lock = lock(&path)?.ok_or_else(|| {
        let message = "another process evaluates for this account already";
        Failure::new("locked", message, "let it work, or stop it first").exit(Exit::Later)
    })?;
    let signer = session.signer()?;
    Ok(Worker {
        session,
        client,
        me: signer.address(),
        signer,
        options,
        test_set: None,
        failed: BTreeMap::new(),
        idle: RefCell::default(),
        _lock: lock,
    })
}

/// `lode evaluate once BOUNTY`.
///
/// # Errors
/// There is no seat, or something went wrong.
pub fn once(session: &Session, options: RunOptions, bounty: &str) -> Result<(), Failure> {
    let id = session.bounty_id(bounty)?;
    let client = session.client()?;
    let me = session.address()?;
    let mut view = client.bounty(id)?;
    if view.checks.is_empty() && view.seats.is_empty() {
        return say_idle(session, &view);
    }
    if !duty::has_seat(&view, me) {
        let message = format!("{me} has no seat in this bounty");
        let next =
            "seats are drawn by free stake among the evaluators, but for the bounty's own people";
        return Err(Failure::new("no_seat", message, next).exit(Exit::Rejected));
    }
    let Some(owed) = duty::duty(&view, me) else {
        return say_idle(session, &view);
    };
    if session.global.dry_run {
        if session.json() {
            return out::json(
                "evaluate.duty",
                &json!({ "bounty": id, "owed": owed.name() }),
            );
        }
        let text = "dry run: nothing was computed or sent. Owed now";
        return out::line(&format!("{text}: {}", owed.text()));
    }
    session.become_daemon();
    let mut worker = worker(session, options)?;
    loop {
        session.settle_outbox(me)?;
        view = client.bounty(id)?;
        match worker.step(&view)? {
            Step::Nothing => return Ok(()),
            step => say(session, &view, &step)?,
        }
    }
}

fn say_idle(session: &Session, view: &BountyView) -> Result<(), Failure> {
    let phase = view.summary.phase.name();
    let until = out::time(view.summary.until_ms);
    if session.json() {
        return out::json(
            "evaluate.duty",
            &json!({ "bounty": view.summary.id, "owed": null, "phase": phase }),
        );
    }
    let word = match view.summary.phase {
        Phase::Settled | Phase::Void(_) => "since",
        _ => "until",
    };
    out::line(&format!(
        "nothing is owed now: the phase is {phase} {word} {until}"
    ))
}

/// `lode evaluate run`.
///
/// # Errors
/// There is no key, or the node is of another version; with `once`, whatever went wrong.
pub fn run(session: &Session, options: RunOptions, once: bool) -> Result<(), Failure> {
    if session.global.dry_run {
        let next = "for one bounty there is 'lode evaluate once BOUNTY --dry-run'";
        return Err(Failure::new("usage", "a daemon has no dry run", next).exit(Exit::Usage));
    }
    session.become_daemon();
    if !once {
        patiently(|| session.client())?;
    }
    let mut worker = worker(session, options)?;
    let client = worker.client;
    if !session.json() {
        talk!("evaluating as {} at {}", worker.me, client.url());
    }
    let account = || Ok(client.account(worker.me)?);
    let account = if once { account() } else { patiently(account) }?;
    if account.evaluator.is_none() {
        talk!("note: this account is no evaluator: 'lode evaluate join STAKE' makes it one");
    }
    if let Some(until_ms) = account.evaluator.and_then(|it| it.leaves_ms) {
        talk!(
            "note: this account has given notice, until {}: it does the work of the seats it has, and gets new ones \
             only to score what it has checked",
            out::time(until_ms)
        );
    }
    let mut troubles = BTreeMap::new();
    let mut watch = Watch::new(client);
    let mut tidied: Option<Instant> = None;
    let mut away = Away::default();
    let mut unpaid = Unpaid::of(&worker);
    let mut said: Option<String> = None;
    loop {
        let is_due = tidied.is_none_or(|at| now().duration_since(at) > Duration::from_secs(3_600));
        if is_due {
            clear(&worker);
            tidied = Some(now());
        }
        let done = turn(&mut worker, &mut troubles, &mut unpaid).and_then(|busy| {
            unpaid.say_paid(&worker)?;
            Ok(busy)
        });
        let wait = match done {
            Ok(busy) => {
                away.back();
                if once && !busy {
                    return match troubles.into_values().next() {
                        None => Ok(()),
                        Some(trouble) => Err(Failure::new(
                            "not_done",
                            trouble.said,
                            "run it again, or leave 'lode evaluate run' running",
                        )
                        .exit(Exit::Later)),
                    };
                }
                if busy { Duration::ZERO } else { POLL }
            }
            Err(failure) if once => return Err(failure),
            Err(failure) => {
                let is_news = said.as_ref() != Some(&failure.message);
                if !away.takes(&failure) && is_news {
                    failure.print(session.json());
                    said = Some(failure.message);
                }
                watch.wait(Duration::from_secs(2));
                continue;
            }
        };
        said = None;
        let next = troubles
            .values()
            .map(|trouble: &Trouble| trouble.until)
            .min();
        let wait = next.map_or(wait, |at| wait.min(at.saturating_duration_since(now())));
        watch.wait(wait);
    }
}

/// Bounties with a seat of this account whose end was not told yet.
struct Unpaid {
    bounties: BTreeSet<ItemId>,
}

impl Unpaid {
    /// Those that an earlier process worked on.
    fn of(worker: &Worker<'_>) -> Self {
        let home = worker.session.home();
        let bounties = rooms(home, worker.me).into_iter();
        let untold = bounties.filter(|id| !Desk::new(home, worker.me, *id).was_told());
        Self {
            bounties: untold.collect(),
        }
    }

    /// Says of each that has ended what it brought.
    fn say_paid(&mut self, worker: &Worker<'_>) -> Result<(), Failure> {
        for id in self.bounties.clone() {
            let view = match worker.client.bounty(id) {
                Ok(view) => view,
                // Another network's, or forgotten.
                Err(error) if error.is_not_found() => {
                    self.bounties.remove(&id);
                    continue;
                }
                Err(error) if error.code() == "node_timed_out" => continue,
                Err(error) => return Err(error.into()),
            };
            if !matches!(view.summary.phase, Phase::Settled | Phase::Void(_)) {
                continue;
            }
            let mut moves = Vec::new();
            for entry in worker.client.bounty_history(id) {
                moves.extend(entry?.receipt.moves);
            }
            self.bounties.remove(&id);
            let (earned, lost) = (earned(worker.me, &moves), lost(worker.me, &moves));
            if worker.session.json() {
                let fields =
                    json!({ "event": "ended", "bounty": id, "earned": earned, "forfeited": lost });
                out::json_line("evaluate.event", fields)?;
            } else {
                let forfeited = match lost.is_zero() {
                    true => String::new(),
                    false => format!(
                        ", {} LODE of the seat's stake FORFEITED for what it did not say or reveal in time",
                        lost.to_lode_string()
                    ),
                };
                out::line(&format!(
                    "{}: ended ({}); {} LODE earned{forfeited}",
                    view.summary.title,
                    view.summary.phase.name(),
                    earned.to_lode_string()
                ))?;
            }
            Desk::new(worker.session.home(), worker.me, id).note_told();
        }
        Ok(())
    }
}

/// What an account was paid for its evaluations.
fn earned(me: Address, moves: &[Move]) -> Amount {
    let pays = moves
        .iter()
        .filter(|step| step.rule == Rule::EvaluationPay && step.to == Purse::Account(me));
    pays.fold(Amount::ZERO, |sum, step| {
        sum.checked_add(step.amount).unwrap_or(sum)
    })
}

/// What the seats of an account have forfeited.
fn lost(me: Address, moves: &[Move]) -> Amount {
    let is_lost = |step: &&Move| {
        let is_forfeit = matches!(step.rule, Rule::ForfeitHeld | Rule::ForfeitBurned);
        is_forfeit && matches!(step.from, Purse::Seat(_, who) if who == me)
    };
    let lost = moves.iter().filter(is_lost);
    lost.fold(Amount::ZERO, |sum, step| {
        sum.checked_add(step.amount).unwrap_or(sum)
    })
}

/// A look at every bounty that may want something, until a model was scored; whether more is to be done at once.
fn turn(
    worker: &mut Worker<'_>,
    troubles: &mut BTreeMap<ItemId, Trouble>,
    unpaid: &mut Unpaid,
) -> Result<bool, Failure> {
    worker.session.settle_outbox(worker.me)?;
    let mut ids = Vec::new();
    for phase in PHASES {
        let some = worker.client.bounties(Some(phase));
        let mut some = some.collect::<Result<Vec<_>, _>>()?;
        // What ends first comes first, so that a long scoring of what ends later takes none of its time.
        some.sort_by_key(|bounty| (bounty.until_ms, bounty.id));
        ids.extend(some);
    }
    troubles.retain(|id, _| ids.iter().any(|bounty| bounty.id == *id));
    let mut busy = false;
    for summary in ids {
        let id = summary.id;
        if worker.idle_until(&summary).is_some() {
            troubles.remove(&id);
            continue;
        }
        if troubles
            .get(&id)
            .is_some_and(|trouble| trouble.until > now())
        {
            continue;
        }
        let view = match worker.client.bounty(id) {
            Ok(view) => view,
            // One that is too large for the time it has keeps no other waiting.
            Err(error) if error.code() == "node_timed_out" => {
                let failure = Failure::from(error);
                let said = format!("{id}: {}", failure.message);
                if troubles.get(&id).is_none_or(|trouble| trouble.said != said) {
                    failure.print(worker.session.json());
                }
                let until = now() + POLL;
                let tries = 0;
                troubles.insert(id, Trouble { tries, until, said });
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if duty::has_seat(&view, worker.me) {
            unpaid.bounties.insert(id);
        }
        let began = now();
        match worker.step(&view) {
            Ok(Step::Nothing) => {
                worker.note_idle(&view);
                troubles.remove(&id);
            }
            Ok(Step::Again) => return Ok(true),
            Ok(step) => {
                troubles.remove(&id);
                say(worker.session, &view, &step)?;
                if matches!(step, Step::Scored(..)) {
                    return Ok(true);
                }
                busy = true;
            }
            // The node is away from all of them alike.
            Err(failure) if is_away(&failure) && failure.code != "node_timed_out" => {
                return Err(failure);
            }
            Err(failure) => {
                let took = now().duration_since(began);
                note(worker.session, &view, &failure, took, troubles);
            }
        }
    }
    Ok(busy)
}

/// Says a failure, unless it was the last thing said of this bounty, and plans another try.
fn note(
    session: &Session,
    view: &BountyView,
    failure: &Failure,
    took: Duration,
    troubles: &mut BTreeMap<ItemId, Trouble>,
) {
    let id = view.summary.id;
    let said = format!("{}: {}", view.summary.title, failure.message);
    let tries = match troubles.get(&id) {
        Some(trouble) if trouble.said == said => trouble.tries + 1,
        _ => {
            if session.json() {
                failure.print(true);
            } else {
                talk!(
                    "error[{}]: {said}\n  next: {}",
                    failure.code,
                    failure.next_step
                );
            }
            0
        }
    };
    let length_ms = duty::length_ms(view);
    // What took long to fail, a large model that is fetched for one, is not tried most of the time.
    let most = Duration::from_millis(length_ms / 20);
    let until = now() + retry_after(tries, length_ms).max(took.min(most));
    troubles.insert(id, Trouble { tries, until, said });
}

/// How long to wait after so many tries in a phase of this length.
fn retry_after(tries: u32, length_ms: u64) -> Duration {
    let doubled = Duration::from_millis(500) * 2_u32.pow(tries.min(10));
    // In a short phase the last try must not come after its end.
    let most = Duration::from_millis((length_ms / 20).max(250));
    doubled.min(RETRY_MAX).min(most)
}

/// Removes the work on bounties that ended long ago.
fn clear(worker: &Worker<'_>) {
    let Ok(status) = worker.client.status() else {
        return;
    };
    let is_over = |bounty| {
        let view = match worker.client.bounty(bounty) {
            Ok(view) => view,
            // Of another network, or of a node that was set back: a node knows what it has forgotten.
            Err(error) if error.is_not_found() => {
                let desk = Desk::new(worker.session.home(), worker.me, bounty);
                return desk.is_older_than(UNKNOWN_KEPT);
            }
            Err(_) => return false,
        };
        let ended = matches!(view.summary.phase, Phase::Settled | Phase::Void(_));
        ended && view.summary.until_ms.saturating_add(KEPT_AFTER_END_MS) < status.clock_ms
    };
    for bounty in tidy(worker.session.home(), worker.me, is_over) {
        if !worker.session.json() {
            talk!(
                "removed the work on {bounty}: it ended a day ago, or this node has never known it"
            );
        }
    }
}

fn say(session: &Session, view: &BountyView, step: &Step) -> Result<(), Failure> {
    let (bounty, title) = (view.summary.id, &view.summary.title);
    let (event, text, fields) = match step {
        Step::Nothing | Step::Again => return Ok(()),
        Step::Scored(submission, outcome) => (
            "scored",
            format!("{submission}: {}", outcome_text(outcome)),
            json!({ "submission": submission, "outcome": outcome }),
        ),
        Step::Attested(outcome, record) => (
            "attested_test_set",
            format!("attested the test set: {}", test_text(outcome)),
            json!({ "outcome": outcome, "record": record }),
        ),
        Step::Committed {
            attestations,
            unavailable,
            record,
        } => (
            "committed",
            match unavailable {
                0 => format!("committed to a batch of {attestations}"),
                some => {
                    format!("committed to a batch of {attestations}, {some} of them unavailable")
                }
            },
            json!({ "attestations": attestations, "unavailable": unavailable, "record": record }),
        ),
        Step::Revealed(count, record) => (
            "revealed",
            format!("revealed the batch of {count}"),
            json!({ "attestations": count, "record": record }),
        ),
    };
    if !session.json() {
        talk!("{title}: {text}");
        return Ok(());
    }
    let mut line = json!({ "event": event, "bounty": bounty });
    if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object()) {
        line.extend(fields.clone());
    }
    out::json_line("evaluate.event", line)
}

/// An outcome in few words.
pub fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Scored { score, .. } => format!("scored {score}"),
        Outcome::Invalid { code, place } => format!("invalid, {code} at {place}"),
        Outcome::BadSeal { chunk } => format!("bad seal, chunk {chunk}"),
        Outcome::Unavailable => "unavailable".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pay_for_evaluations_is_earned() {
        let me = Address([1; 32]);
        let bond = Purse::MinerBond(ItemId([2; 32]));
        let step = |to, rule| Move {
            from: bond,
            to,
            amount: Amount::from_base_units(5),
            rule,
        };
        let moves = [
            step(Purse::Account(me), Rule::EvaluationPay),
            step(Purse::Account(me), Rule::BondReturn),
            step(Purse::Account(Address([3; 32])), Rule::EvaluationPay),
            step(Purse::Account(me), Rule::EvaluationPay),
        ];
        assert_eq!(earned(me, &moves), Amount::from_base_units(10));
        let seat = |who, rule, to| Move {
            from: Purse::Seat(ItemId([4; 32]), who),
            to,
            amount: Amount::from_base_units(3),
            rule,
        };
        let harm = Purse::Harm(ItemId([4; 32]));
        let moves = [
            seat(me, Rule::ForfeitHeld, harm),
            seat(me, Rule::ForfeitBurned, Purse::Burned),
            seat(me, Rule::SeatReturn, Purse::Stake(me)),
            seat(Address([3; 32]), Rule::ForfeitHeld, harm),
        ];
        assert_eq!(lost(me, &moves), Amount::from_base_units(6));
    }

    #[test]
    fn waits_double_and_stay_within_the_phase() {
        let ms = |tries, length_ms| retry_after(tries, length_ms).as_millis();
        let day = 24 * 3_600_000;
        assert_eq!(
            [0, 1, 2, 9].map(|tries| ms(tries, day)),
            [500, 1_000, 2_000, 30_000]
        );
        assert_eq!(ms(40, day), 30_000);
        assert_eq!(ms(5, 10_000), 500);
        assert_eq!(ms(0, 0), 250);
    }
}
