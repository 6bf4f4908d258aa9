//! `lode bounty watch` and `lode bounty reveal`: a bounty as it goes on, and the
//! one thing that its sponsor has to do in time.
//!
//! What is done is decided by the bounty's phase alone, asked for right before,
//! never by what was seen earlier: so the watch may be killed and started again
//! at any time. A node that is away for a while is waited for. A key is never
//! sent while the bounty is open, because that would void it.

use std::rc::Rc;
use std::time::Duration;

use client::{Client, ClientError, EventFilter, EventId, EventKind, Events, EventsFrom};
use protocol::ItemId;
use protocol::api::{BountyView, HistoryEntry};
use protocol::receipt::{Event, Panel, Phase, Rule, VoidReason};
use protocol::record::{Action, RevealTestSet};
use protocol::report::TestOutcome;
use protocol::seal::{SealKey, SealScope, seal_digest};
use wallet::Signer;

use super::show::{is_bond_lost, outcome_text, standing_text};
use super::{has_ended, next_text, phase_text};
use crate::failure::{Exit, Failure};
use crate::out;
use crate::seals::{self, Of};
use crate::session::Session;
use crate::watch::{is_foreign, patiently};

/// How long the bounty is not asked about if nothing happens: the stream says when something does.
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// What a node says that streams events to as many as it can.
const NO_ROOM: &str = "event_readers";

/// How long to wait before a node that does not answer is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Reveals the key of a test set.
///
/// # Errors
/// The bounty is open, its key is not kept here, or a rule refuses.
pub fn reveal(session: &Session, bounty: &str) -> Result<(), Failure> {
    let id = session.own_bounty_id(bounty)?;
    let view = session.client()?.bounty(id)?;
    check_time(&view)?;
    let key = kept_key(session, &view)?;
    let action = action(id, key);
    let acted = session.act(&action, Some("Reveal the key of the test set to everyone."))?;
    session.report(&acted, "the key of the test set is out")
}

fn action(bounty: ItemId, key: SealKey) -> Action {
    Action::RevealTestSet {
        bounty,
        body: RevealTestSet { key },
    }
}

/// Only in its own phase, and only once.
fn check_time(view: &BountyView) -> Result<(), Failure> {
    let refused = |code: &str, message: &str, next: &str| {
        Err(Failure::new(code, message, next).exit(Exit::Rejected))
    };
    match view.summary.phase {
        _ if view.test_key.is_some() => refused(
            "already_revealed",
            "the key of this test set is out already",
            "nothing has to be done",
        ),
        Phase::TestKey => Ok(()),
        Phase::Open => {
            let message = format!(
                "the bounty is open until {}: the key in public now would void it as your fault, and your \
                 bond would be lost",
                out::time(view.summary.until_ms)
            );
            refused(
                "bounty_open",
                &message,
                "wait until then; 'lode bounty watch ID --reveal' waits and reveals by itself",
            )
        }
        phase => {
            let message = format!("the bounty is in the phase '{}'", phase_text(&phase));
            let next = "look at it with 'lode bounty show': what is over cannot be made up for";
            refused("wrong_phase", &message, next)
        }
    }
}

/// The key of the test set, if it is kept here and is the one that was committed to.
fn kept_key(session: &Session, view: &BountyView) -> Result<SealKey, Failure> {
    let sealed = view.posting.test_set;
    let next = "run this where the bounty was posted from, or copy the file in seals/ from there";
    let Some(kept) = seals::find(session, sealed.ciphertext)? else {
        let message = "the key of this bounty's test set is not kept here";
        return Err(Failure::new("no_seal_key", message, next).exit(Exit::Key));
    };
    let network = session.client()?.status()?.network;
    let scope = SealScope::test_set(network, view.summary.sponsor, view.poster_nonce);
    let (id, size_bytes) = (sealed.ciphertext.id, sealed.ciphertext.size_bytes);
    if seal_digest(&scope, &kept.key, &id, size_bytes) != sealed.seal {
        let message = "the key that is kept here is not the one that the bounty was sealed with";
        return Err(Failure::new("seal_mismatch", message, next).exit(Exit::Key));
    }
    Ok(kept.key.clone())
}

/// Follows a bounty until it ends; with `reveals`, reveals its key in time.
///
/// # Errors
/// The bounty cannot be followed, or its key not be revealed.
pub fn watch(session: &Session, bounty: &str, reveals: bool, all: bool) -> Result<(), Failure> {
    if reveals && session.global.dry_run {
        let next = "for the reveal alone there is 'lode bounty reveal ID --dry-run'";
        return Err(Failure::new("usage", "watching has no dry run", next).exit(Exit::Usage));
    }
    let mut unlocked = Ok(());
    if reveals {
        session.become_daemon();
        unlocked = seals::unlock(session, |kept| matches!(kept.of, Of::TestSet { .. }));
    }
    let id = patiently(|| session.own_bounty_id(bounty))?;
    let client = patiently(|| session.client())?;
    let view = patiently(|| Ok(client.bounty(id)?))?;
    let needs_key = reveals && view.test_key.is_none() && !has_ended(&view.summary.phase);
    let mut revealer = match needs_key {
        true => {
            let key = patiently(|| kept_key(session, &view))?;
            let signer = unlocked.and_then(|()| session.signer())?;
            Some(Revealer {
                signer,
                key,
                is_out: false,
                said: String::new(),
            })
        }
        false => None,
    };
    let from = if all {
        EventsFrom::Genesis
    } else {
        EventsFrom::Now
    };
    let mut follower = Follower {
        client,
        id,
        from,
        events: None,
        is_away: false,
    };
    // First the place in the stream, then the bounty: nothing between the two is missed. The stream itself may
    // come later: others may have all that a node gives, and no duty waits for it.
    patiently(|| Ok(follower.begin()?))?;
    match follower.open() {
        Err(error) if !passes(&error) => return Err(error.into()),
        _ => {}
    }
    let mut view = Some(patiently(|| Ok(client.bounty(id)?))?);
    if let Some(view) = view.as_ref().filter(|_| !session.json())
        && let Err(failure) = head(view, revealer.is_some())
    {
        match &mut revealer {
            Some(revealer) => revealer.say(&failure),
            None => return Err(failure),
        }
    }
    loop {
        match turn(session, &mut follower, &mut revealer, &mut view) {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // The bond is at stake: until the key is out, only the end of the bounty ends this.
            Err(failure) => match &mut revealer {
                Some(revealer) if !revealer.is_out && !failure.code.starts_with("unknown_") => {
                    revealer.say(&failure);
                    follower.events = None;
                    std::thread::sleep(AGAIN_AFTER);
                    view = follower.look().ok().flatten();
                }
                _ => return Err(failure),
            },
        }
    }
}

/// Does what the bounty, as it was seen last, asks for; then waits and looks again. Whether it has ended, and
/// everything is said.
fn turn(
    session: &Session,
    follower: &mut Follower<'_>,
    revealer: &mut Option<Revealer>,
    view: &mut Option<BountyView>,
) -> Result<bool, Failure> {
    if let Some(view) = view {
        if has_ended(&view.summary.phase) {
            let kept_back = revealer.take();
            if kept_back.is_some() {
                // Nothing hangs on it any more. That the file stays is no harm.
                let _ = seals::forget(session, view.posting.test_set.ciphertext);
            }
            follower.drain(session)?;
            end(session, view)?;
            return match (view.summary.phase, kept_back) {
                (Phase::Void(VoidReason::KeyWithheld), Some(revealer)) => Err(revealer.too_late()),
                _ => Ok(true),
            };
        }
        if let Some(revealer) = revealer {
            // Not for good: a node that was set back to a copy of yesterday asks for it again.
            revealer.is_out = view.test_key.is_some();
            if view.summary.phase == Phase::TestKey && !revealer.is_out {
                revealer.is_out = revealer.reveal(session, view.summary.id)?;
            }
        }
    }
    follower.wait(session)?;
    *view = follower.look()?;
    Ok(false)
}

fn head(view: &BountyView, reveals: bool) -> Result<(), Failure> {
    let summary = &view.summary;
    if has_ended(&summary.phase) {
        return out::line(&format!(
            "'{}': {} at {}",
            summary.title,
            phase_text(&summary.phase),
            out::time(summary.until_ms)
        ));
    }
    out::line(&format!(
        "'{}' is in the phase '{}' until {}: {}",
        summary.title,
        phase_text(&summary.phase),
        out::time(summary.until_ms),
        next_text(&summary.phase, view.test_key.is_some())
    ))?;
    if reveals {
        out::line("the key of the test set is revealed as soon as its phase begins")?;
    }
    Ok(())
}

fn end(session: &Session, view: &BountyView) -> Result<(), Failure> {
    let id = view.summary.id;
    if session.json() {
        let fields = serde_json::json!({
            "event": "ended",
            "bounty": id,
            "phase": view.summary.phase,
            "winner": super::show::winner(view).map(|winner| winner.id),
        });
        return out::json_line("bounty.event", fields);
    }
    out::line(&format!(
        "it has ended: {}",
        phase_text(&view.summary.phase)
    ))?;
    if is_bond_lost(&view.summary.phase) {
        let bond = view.bond.to_lode_string();
        out::line(&format!("the sponsor's bond of {bond} LODE is LOST"))?;
    }
    out::line(&format!("next: lode bounty explain {id}"))
}

struct Revealer {
    signer: Rc<dyn Signer>,
    key: SealKey,
    is_out: bool,
    /// What kept it from revealing, as it was last said.
    said: String,
}

impl Revealer {
    /// Whether the key is out now. What may pass by itself is tried again later.
    fn reveal(&mut self, session: &Session, id: ItemId) -> Result<bool, Failure> {
        // The phase may have changed since the bounty was looked at.
        let view = session.client()?.bounty(id);
        let view = match view {
            Ok(view) => view,
            Err(error) if passes(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if view.summary.phase != Phase::TestKey || view.test_key.is_some() {
            return Ok(view.test_key.is_some());
        }
        let sent = session.send(&*self.signer, &action(id, self.key.clone()));
        match sent {
            Ok(_) => {
                talk!("note: the key of the test set was revealed");
                Ok(true)
            }
            Err(failure) if failure.code == "already_revealed" => Ok(true),
            Err(failure) if failure.code == "phase_over" || failure.code == "wrong_phase" => {
                talk!("note: the key came too late: {}", failure.message);
                Ok(true)
            }
            // A record whose outcome is open is posted again with the same bytes.
            Err(failure) => {
                self.say(&failure);
                Ok(false)
            }
        }
    }

    /// That the bounty has ended without the key.
    fn too_late(self) -> Failure {
        let why = match self.said.as_str() {
            "" => "this was not running in the time for it",
            said => said,
        };
        let message = format!("the key was not revealed in time, and the bond is lost: {why}");
        let next = "leave 'lode bounty watch ID --reveal' running from the moment you post";
        Failure::new("not_revealed", message, next).exit(Exit::Rejected)
    }

    /// Says what keeps the key back, once.
    fn say(&mut self, failure: &Failure) {
        if self.said != failure.message {
            self.said.clone_from(&failure.message);
            talk!("note: the key is not out yet: {failure}; trying on");
        }
    }
}

/// Whether this goes by itself: the node is away, or something else answers in its place.
fn passes(error: &ClientError) -> bool {
    error.is_temporary() || is_foreign(error.code())
}

/// The stream of a bounty's events, opened again when it breaks.
struct Follower<'a> {
    client: &'a Client,
    id: ItemId,
    from: EventsFrom,
    events: Option<Events>,
    is_away: bool,
}

impl Follower<'_> {
    /// Makes of "now" a place that holds, whenever the stream is opened.
    fn begin(&mut self) -> Result<(), ClientError> {
        if self.from == EventsFrom::Now {
            let height = self.client.status()?.height;
            let place = u32::MAX;
            self.from = EventsFrom::After(EventId { height, place });
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), ClientError> {
        self.begin()?;
        let filter = EventFilter::Bounty(self.id);
        self.events = Some(self.client.events(filter, self.from)?);
        Ok(())
    }

    /// Prints what happens within a while.
    fn wait(&mut self, session: &Session) -> Result<(), Failure> {
        let Some(events) = &self.events else {
            std::thread::sleep(AGAIN_AFTER);
            return match self.open() {
                // A node that has no room for another reader is not asked more often than one that streams.
                Err(error) if error.code() == NO_ROOM => {
                    std::thread::sleep(LOOK_EVERY);
                    Ok(())
                }
                Err(error) if !passes(&error) => Err(error.into()),
                _ => Ok(()),
            };
        };
        let wait = if self.is_away {
            AGAIN_AFTER
        } else {
            LOOK_EVERY
        };
        match events.next_within(wait) {
            Ok(Some(event)) => {
                self.from = EventsFrom::After(event.id);
                print(session, event.id, &event.kind)
            }
            Ok(None) => Ok(()),
            Err(error) if passes(&error) => {
                self.events = None;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Prints what is on its way already, also what came while the stream was cut.
    fn drain(&mut self, session: &Session) -> Result<(), Failure> {
        loop {
            let Some(events) = &self.events else {
                let is_open = patiently(|| match self.open() {
                    Err(error) if error.code() == NO_ROOM => Ok(false),
                    opened => Ok(opened.map(|()| true)?),
                })?;
                if is_open {
                    continue;
                }
                talk!(
                    "note: the node streams events to as many as it can; 'lode bounty explain' has the rest"
                );
                return Ok(());
            };
            match events.next_within(AGAIN_AFTER) {
                Ok(Some(event)) => {
                    self.from = EventsFrom::After(event.id);
                    print(session, event.id, &event.kind)?;
                }
                Ok(None) => return Ok(()),
                Err(error) if passes(&error) => self.events = None,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The bounty as it is now; none if the node is away.
    fn look(&mut self) -> Result<Option<BountyView>, Failure> {
        match self.client.bounty(self.id) {
            Ok(view) => {
                if std::mem::take(&mut self.is_away) {
                    talk!("note: the node answers again");
                }
                Ok(Some(view))
            }
            Err(error) if passes(&error) => {
                if !std::mem::replace(&mut self.is_away, true) {
                    talk!("note: the node does not answer; waiting for it: {error}");
                }
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn print(session: &Session, id: EventId, kind: &EventKind) -> Result<(), Failure> {
    let EventKind::Entry(entry) = kind else {
        return Ok(());
    };
    if session.json() {
        let value = serde_json::json!({ "id": id.to_string(), "entry": entry });
        return out::json_line("bounty.event", value);
    }
    for text in lines(entry) {
        out::line(&format!("{}  {text}", out::time(entry.time_ms)))?;
    }
    Ok(())
}

/// What an entry says, in sentences.
fn lines(entry: &HistoryEntry) -> Vec<String> {
    let mut lines = Vec::new();
    let signer = entry.signer.map(out::short).unwrap_or_default();
    if let Some(record_type) = &entry.record_type {
        let what = record_type.replace('-', " ");
        lines.push(match &entry.receipt.rejected {
            Some(code) => format!("{what} by {signer} was refused: {code}"),
            None => format!("{what} by {signer}"),
        });
    }
    for event in &entry.receipt.events {
        lines.push(match event {
            Event::PhaseBegan { phase, .. } => {
                let phase_name = phase_text(phase);
                match has_ended(phase) {
                    true => format!("ended: {phase_name}"),
                    false => format!("phase '{phase_name}': {}", next_text(phase, false)),
                }
            }
            Event::Verdict {
                submission,
                outcome,
                agreeing,
                dissenting,
            } => {
                let submission = out::short(submission);
                let found = match outcome {
                    Some(outcome) => outcome_text(outcome),
                    None => "no quorum agrees".to_owned(),
                };
                let others = match dissenting.len() {
                    0 => String::new(),
                    others => format!(", {others} say otherwise: two thirds decide, by stake"),
                };
                format!("submission {submission}: {found} ({agreeing} evaluators agree{others})")
            }
            Event::PhaseExtended {
                phase, until_ms, ..
            } => format!(
                "phase '{}' was missed by a halt, and lasts until {}",
                phase_text(phase),
                out::time(*until_ms)
            ),
            Event::Seated {
                panel, all, seats, ..
            } => {
                let what = match panel {
                    Panel::Check => "check the test set",
                    Panel::Score => "score",
                };
                let who: Vec<String> = seats.iter().map(out::short).collect();
                let how = if *all { "all are asked" } else { "drawn" };
                format!("{how} to {what}: {}", who.join(", "))
            }
            Event::TestSetVerdict {
                outcome, agreeing, ..
            } => match outcome {
                Some(TestOutcome::Ok) => {
                    format!("the test set is sound ({agreeing} evaluators agree)")
                }
                Some(_) => format!("the test set is bad ({agreeing} evaluators agree)"),
                None => "no quorum agrees on the test set".to_owned(),
            },
            Event::BountyForgotten { .. } => "the ledger keeps it no longer".to_owned(),
            Event::SeatFailed {
                evaluator,
                had_committed,
                ..
            } => {
                let what = match had_committed {
                    true => "committed and did not show it",
                    false => "stayed silent",
                };
                format!("evaluator {} {what}", out::short(evaluator))
            }
            Event::Ranked {
                submission,
                standing,
            } => format!(
                "submission {}: {}",
                out::short(submission),
                standing_text(*standing)
            ),
            Event::AssetRegistered { .. }
            | Event::LicenseIssued { .. }
            | Event::TermsChanged { .. }
            | Event::TighteningScheduled { .. }
            | Event::TighteningDropped { .. }
            | Event::LicenseRuns { .. }
            | Event::MonthBegan { .. }
            | Event::RevenueDeclared { .. }
            | Event::GraceExtended { .. }
            | Event::LicenseLapsed { .. }
            | Event::LicenseEnded { .. } => continue,
        });
    }
    for step in &entry.receipt.moves {
        if matches!(step.rule, Rule::Award | Rule::Backing) {
            lines.push(format!(
                "{} LODE, {}, from {} to {}",
                step.amount.to_lode_string(),
                out::rule(step.rule),
                out::purse(&step.from),
                out::purse(&step.to)
            ));
        }
    }
    lines
}
