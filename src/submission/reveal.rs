//! Revealing keys: one by hand, or each as soon as its phase begins.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use client::{Client, PhaseFilter};
use protocol::api::{BountySummary, BountyView, SubmissionView};
use protocol::id::{Address, BlobId, ItemId};
use protocol::receipt::Phase;
use protocol::record::{Action, RevealSubmission};
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::out;
use crate::seals::{self, Kept, Of};
use crate::session::{Acted, Session};
use crate::watch::{Away, Watch, patiently};

/// Whatever the stream says, the node is looked at so often.
const POLL: Duration = Duration::from_secs(10);

/// What came of a reveal by hand.
enum Shown {
    /// It is out already.
    Before(Box<SubmissionView>),
    /// It was revealed, or that was tried.
    Now(Acted),
}

/// `lode submission reveal ID…`, one after the other until one fails. As JSON several are one object of those
/// that did not.
///
/// # Errors
/// No seal of one is kept here, it is not the time, or the node cannot be asked.
pub fn reveal(session: &Session, ids: &[ItemId]) -> Result<(), Failure> {
    if !session.json() || ids.len() == 1 {
        return ids.iter().try_for_each(|&id| match one(session, id)? {
            Shown::Now(acted) => session.report(&acted, &format!("revealed {id}")),
            Shown::Before(submission) if session.json() => {
                out::json("submission.reveal", &submission)
            }
            Shown::Before(_) => out::line("its key is out already"),
        });
    }
    let mut items = Vec::new();
    let all = ids.iter().try_for_each(|&id| {
        items.push(match one(session, id)? {
            Shown::Now(Acted::Done(record)) => json!({ "submission": id, "record": record }),
            Shown::Now(Acted::Tried(trial)) => json!({ "submission": id, "trial": trial }),
            Shown::Before(_) => json!({ "submission": id }),
        });
        Ok(())
    });
    if all.is_ok() || !items.is_empty() {
        let shown = out::json("submission.reveal.list", &items);
        let is_done = items.iter().any(|item| item.get("record").is_some());
        shown.map_err(|failure| match is_done {
            true => not_shown(&failure),
            false => failure,
        })?;
    }
    all
}

/// Some keys are out, and stdout did not take it.
fn not_shown(failure: &Failure) -> Failure {
    let message = format_args!(
        "keys were revealed, which could not be shown: {}",
        failure.message
    );
    let next = "run it again: it sends only what is not out";
    Failure::new("not_shown", message, next)
}

fn one(session: &Session, id: ItemId) -> Result<Shown, Failure> {
    let client = session.client()?;
    session.settle_outbox(session.address()?)?;
    let submission = client.submission(id)?;
    let kept = seals::find(session, submission.sealed.ciphertext)?;
    if submission.key.is_some() {
        return Ok(Shown::Before(Box::new(submission)));
    }
    let bounty = client.bounty(submission.bounty)?;
    if kept.is_none() && crate::bounty::has_ended(&bounty.summary.phase) {
        let message = "its bounty has ended: its key is not asked for any more";
        let next = "look at what came of it with 'lode submission show'";
        return Err(Failure::new("ended", message, next).exit(Exit::Rejected));
    }
    let kept = kept.ok_or_else(|| {
        let message = "no key of this submission is kept here";
        let next = "run this with the $LODE_HOME that submitted it";
        Failure::new("no_seal", message, next).exit(Exit::Key)
    })?;
    // Before the node sees the key, were it only to try.
    check_time(&bounty)?;
    let acted = session.act(&action(&submission, &kept), None)?;
    Ok(Shown::Now(acted))
}

/// Only in its own phase: whoever has the key has the model.
fn check_time(bounty: &BountyView) -> Result<(), Failure> {
    let phase = &bounty.summary.phase;
    let (message, next) = match phase {
        Phase::Reveal => return Ok(()),
        Phase::Open | Phase::TestKey | Phase::TestCheck => (
            format!(
                "the bounty is in the phase '{}' until {}: keys are shown when the phase 'reveal' begins, and who \
                 has the key has the model",
                phase.name(),
                out::time(bounty.summary.until_ms)
            ),
            "'lode submission reveal --watch' waits and reveals by itself",
        ),
        _ => (
            format!("the bounty is in the phase '{}'", phase.name()),
            "look at it with 'lode bounty show': what is over cannot be made up for",
        ),
    };
    Err(Failure::new("wrong_phase", message, next).exit(Exit::Rejected))
}

fn action(submission: &SubmissionView, kept: &Kept) -> Action {
    Action::RevealSubmission {
        bounty: submission.bounty,
        body: RevealSubmission {
            submission: submission.id,
            key: kept.key.clone(),
        },
    }
}

/// What is to be done with a seal that is kept.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Its time has not come.
    Wait,
    /// Now.
    Reveal(ItemId),
    /// Nothing now, and nothing later if the node keeps what it says.
    Done,
    /// Nothing hangs on it any more.
    Forget(&'static str),
    /// It is too late, and the bond is lost.
    Missed(ItemId),
}

/// The phases in which a seal is still waited for.
const RUNNING: [PhaseFilter; 4] = [
    PhaseFilter::Reveal,
    PhaseFilter::Open,
    PhaseFilter::TestKey,
    PhaseFilter::TestCheck,
];

/// What is known of the seals that are waited for. A bounty with all its submissions is large, and all its miners
/// watch it: it is asked for once to learn which submission is whose, and once more when it runs no longer.
#[derive(Default)]
struct Known {
    submissions: BTreeMap<BlobId, ItemId>,
    running: BTreeMap<ItemId, BountySummary>,
}

impl Known {
    /// Looks at which bounties run.
    fn look(&mut self, client: &Client) -> Result<(), Failure> {
        let mut running = BTreeMap::new();
        for phase in RUNNING {
            for summary in client.bounties(Some(phase)) {
                let summary = summary?;
                // One that moved on meanwhile is in the list before.
                running.entry(summary.id).or_insert(summary);
            }
        }
        self.running = running;
        Ok(())
    }

    /// What is to be done with a seal, and its bounty in short.
    fn next(
        &mut self,
        client: &Client,
        bounty: ItemId,
        kept: &Kept,
    ) -> Result<(Next, BountySummary), Failure> {
        let ciphertext = kept.sealed.ciphertext;
        if let (Some(summary), Some(&id)) = (
            self.running.get(&bounty),
            self.submissions.get(&ciphertext.id),
        ) {
            // A key is out in this phase and after it only.
            let is_out = match summary.phase {
                Phase::Reveal => client.submission(id)?.key.is_some(),
                _ => false,
            };
            return Ok((decide(&summary.phase, Some((id, is_out))), summary.clone()));
        }
        let view = client.bounty(bounty)?;
        let mut submissions = view.submissions.iter();
        let found =
            submissions.find(|one| one.miner == kept.owner && one.sealed.ciphertext == ciphertext);
        if let Some(found) = found {
            self.submissions.insert(ciphertext.id, found.id);
        }
        let found = found.map(|one| (one.id, one.key.is_some()));
        Ok((decide(&view.summary.phase, found), view.summary))
    }
}

fn decide(phase: &Phase, submission: Option<(ItemId, bool)>) -> Next {
    match (phase, submission) {
        (Phase::Open, None) => Next::Wait,
        (Phase::Settled | Phase::Void(_), None) => Next::Forget("it was never committed"),
        (_, None) => Next::Done,
        (Phase::Settled, Some((_, true))) => Next::Forget("its key is out, and the bounty settled"),
        // Void before the reveal: the model stays its miner's, and the key nobody's business.
        (Phase::Void(_), Some(_)) => Next::Forget("the bounty is void"),
        (_, Some((_, true))) => Next::Done,
        (Phase::Open | Phase::TestKey | Phase::TestCheck, Some(_)) => Next::Wait,
        (Phase::Reveal, Some((id, _))) => Next::Reveal(id),
        (_, Some((id, _))) => Next::Missed(id),
    }
}

/// `lode submission reveal --watch`.
///
/// # Errors
/// There is no key, a seal cannot be read, or the node refuses a reveal for good.
pub fn watch(session: &Session, bounties: &[String]) -> Result<(), Failure> {
    if session.global.dry_run {
        let next = "for one submission there is 'lode submission reveal ID --dry-run'";
        return Err(Failure::new("usage", "watching has no dry run", next).exit(Exit::Usage));
    }
    session.become_daemon();
    let unlocked = seals::unlock(session, |kept| matches!(kept.of, Of::Submission { .. }));
    let client = patiently(|| session.client())?;
    let mut only = BTreeSet::new();
    for text in bounties {
        only.insert(patiently(|| session.bounty_id(text))?);
    }
    let network = patiently(|| Ok(client.status()?))?.network;
    let me = session.address()?;
    let mut said_damaged = BTreeSet::new();
    let mut over = BTreeSet::new();
    let first = waiting(session, me, network, &only, &over, &mut said_damaged)?;
    let mut known = Known::default();
    patiently(|| known.look(client))?;
    if first.seals.is_empty() {
        check_others(session, me, &first, &known)?;
        return end(session, 0, first.unread);
    }
    let others = names(&first.owners(&known));
    if !others.is_empty() {
        talk!(
            "note: seals of {others} wait here too; this reveals those of {me} alone: each key has a watch of its own"
        );
    }
    let signer = unlocked.and_then(|()| session.signer())?;
    let mut watch = Watch::new(client);
    let mut missed = 0;
    let mut held: BTreeMap<BlobId, (ItemId, Kept)> = BTreeMap::new();
    let mut said = BTreeMap::new();
    let mut away = Away::default();
    loop {
        // New ones may have been submitted since. What was seen is held: a folder that is away for a while, or
        // a file that cannot be read once, does not end this.
        let found = waiting(session, me, network, &only, &over, &mut said_damaged);
        let unread = found.as_ref().map_or(0, |found| found.unread);
        match found {
            Ok(found) => {
                let seals = found.seals.into_iter();
                held.extend(
                    seals.map(|(bounty, kept)| (kept.sealed.ciphertext.id, (bounty, kept))),
                );
            }
            Err(failure) => {
                if said_damaged.insert(failure.message.clone()) {
                    failure.print(session.json());
                }
            }
        }
        held.retain(|ciphertext, _| !over.contains(ciphertext));
        if held.is_empty() {
            return end(session, missed, unread);
        }
        let seals: Vec<(ItemId, Kept)> = held.values().cloned().collect();
        let mut wait = POLL;
        let mut looked = known.look(client);
        for (bounty, kept) in &seals {
            let done = (|| {
                std::mem::replace(&mut looked, Ok(()))?;
                match session.settle_outbox(me) {
                    // A disk that takes nothing keeps no key back.
                    Err(failure) if failure.code != "io" => return Err(failure),
                    _ => {}
                }
                let (step, summary) = known.next(client, *bounty, kept)?;
                match step {
                    Next::Wait => say_waiting(session, &summary, &mut said),
                    Next::Reveal(id) => {
                        let submission = client.submission(id)?;
                        let action = action(&submission, kept);
                        if let Some(record) = send_once(session, &*signer, id, &action)? {
                            let fields =
                                json!({ "event": "revealed", "submission": id, "record": record });
                            say(session, &format!("revealed {id}"), fields)?;
                        }
                        over.insert(kept.sealed.ciphertext.id);
                    }
                    Next::Done => {
                        over.insert(kept.sealed.ciphertext.id);
                    }
                    Next::Forget(why) => {
                        over.insert(kept.sealed.ciphertext.id);
                        seals::forget(session, kept.sealed.ciphertext).map(|()| {
                            if !session.json() {
                                talk!("a seal for '{}' is done with: {why}", summary.title);
                            }
                        })?
                    }
                    Next::Missed(id) => {
                        over.insert(kept.sealed.ciphertext.id);
                        missed += 1;
                        if crate::bounty::has_ended(&summary.phase) {
                            seals::forget(session, kept.sealed.ciphertext)?;
                        }
                        let text =
                            format!("{id} was not revealed in time: it is out, its bond is lost");
                        say(
                            session,
                            &text,
                            json!({ "event": "missed", "submission": id }),
                        )?;
                    }
                }
                Ok::<_, Failure>(())
            })();
            if let Err(failure) = done {
                wait = Duration::from_secs(1);
                // One that takes too long keeps no other waiting.
                if failure.code != "node_timed_out" && away.takes(&failure) {
                    break;
                }
                let text = failure.to_string();
                if said.insert(*bounty, text.clone()) != Some(text) {
                    failure.print(session.json());
                }
            } else {
                away.back();
            }
        }
        watch.wait(wait);
    }
}

/// Reveals a key, unless somebody did while this waited for its turn: two that watch
/// do not both pay for it.
fn send_once(
    session: &Session,
    signer: &dyn wallet::Signer,
    id: ItemId,
    action: &Action,
) -> Result<Option<ItemId>, Failure> {
    const IS_OUT: &str = "key_is_out";
    let client = session.client()?;
    let sent = session.send_if(signer, action, |_| match client.submission(id)?.key {
        None => Ok(()),
        Some(_) => Err(Failure::new(
            IS_OUT,
            "its key is out",
            "nothing is left to do",
        )),
    });
    match sent {
        Ok(view) => Ok(Some(view.id)),
        Err(failure) if failure.code == IS_OUT => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What is kept of seals of submissions.
#[derive(Default)]
struct Waiting {
    /// Of this account, by bounty.
    seals: Vec<(ItemId, Kept)>,
    /// Files that could not be read. Each of these is said once and keeps no other seal back.
    unread: usize,
    /// Of other accounts on this network, by bounty.
    others: Vec<(ItemId, Address)>,
    /// Whether some are of this account on another network.
    elsewhere: bool,
}

impl Waiting {
    /// Whose seals are for bounties that run, this account's apart.
    fn owners(&self, known: &Known) -> BTreeSet<Address> {
        let others = self.others.iter();
        let running = others.filter(|(bounty, _)| known.running.contains_key(bounty));
        running.map(|(_, owner)| *owner).collect()
    }
}

fn names(owners: &BTreeSet<Address>) -> String {
    let names: Vec<String> = owners.iter().map(Address::to_string).collect();
    names.join(", ")
}

/// The seals that are kept here, without those that are over.
fn waiting(
    session: &Session,
    me: Address,
    network: protocol::NetworkId,
    only: &BTreeSet<ItemId>,
    over: &BTreeSet<BlobId>,
    damaged: &mut BTreeSet<String>,
) -> Result<Waiting, Failure> {
    let mut found = Waiting::default();
    for kept in seals::all(session)? {
        let kept = match kept {
            Ok(kept) => kept,
            Err(failure) => {
                found.unread += 1;
                if damaged.insert(failure.message.clone()) {
                    failure.print(session.json());
                }
                continue;
            }
        };
        let Of::Submission { bounty } = kept.of else {
            continue;
        };
        if !only.is_empty() && !only.contains(&bounty) {
            continue;
        }
        match (kept.owner == me, kept.network == network) {
            (true, true) if !over.contains(&kept.sealed.ciphertext.id) => {
                found.seals.push((bounty, kept));
            }
            (true, true) => {}
            (true, false) => found.elsewhere = true,
            (false, true) => found.others.push((bounty, kept.owner)),
            (false, false) => {}
        }
    }
    Ok(found)
}

/// Where seals are kept and none is this account's here, somebody waits for the wrong thing.
fn check_others(
    session: &Session,
    me: Address,
    found: &Waiting,
    known: &Known,
) -> Result<(), Failure> {
    let owners = found.owners(known);
    let (message, next) = if !owners.is_empty() {
        (
            format!(
                "no seal that waits here is of {me} (the key '{}'): those that wait are of {}",
                session.key_name(),
                names(&owners)
            ),
            "name the key that submitted with --key",
        )
    } else if found.elsewhere {
        (
            format!("the seals of {me} that are kept here are of another network"),
            "name a node of that network with --node",
        )
    } else {
        return Ok(());
    };
    Err(Failure::new("other_seals", message, next).exit(Exit::Key))
}

fn say(session: &Session, text: &str, fields: serde_json::Value) -> Result<(), Failure> {
    if session.json() {
        return out::json_line("submission.event", fields);
    }
    talk!("{text}");
    Ok(())
}

/// Says once for each phase what is waited for.
fn say_waiting(session: &Session, summary: &BountySummary, said: &mut BTreeMap<ItemId, String>) {
    let phase = summary.phase.name();
    let text = format!(
        "waiting for '{}' to reach the phase 'reveal': it is in '{phase}' until {}",
        summary.title,
        out::time(summary.until_ms)
    );
    if said.get(&summary.id) != Some(&text) {
        if !session.json() {
            talk!("{text}");
        }
        said.insert(summary.id, text);
    }
}

fn end(session: &Session, missed: usize, unread: usize) -> Result<(), Failure> {
    if missed > 0 {
        let message = format!("{missed} submissions were not revealed in time");
        let next = "leave 'lode submission reveal --watch' running from the moment you submit";
        return Err(Failure::new("missed", message, next).exit(Exit::Rejected));
    }
    if unread > 0 {
        let message = format!(
            "{unread} files in seals/ could not be read: what they are for is not revealed"
        );
        let next = "mend or restore them, or take them out of the folder, then run this again";
        return Err(Failure::new("seals_unread", message, next).exit(Exit::Key));
    }
    say(
        session,
        "nothing is left to reveal",
        json!({ "event": "done" }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::receipt::VoidReason;

    #[test]
    fn a_seal_is_revealed_in_its_phase_and_forgotten_only_when_nothing_hangs_on_it() {
        let id = ItemId([1; 32]);
        let hidden = Some((id, false));
        for (phase, submission, expected) in [
            (Phase::Open, None, Next::Wait),
            (Phase::Open, hidden, Next::Wait),
            (Phase::TestKey, None, Next::Done),
            (Phase::Settled, None, Next::Forget("it was never committed")),
            (Phase::TestKey, hidden, Next::Wait),
            (Phase::TestCheck, hidden, Next::Wait),
            (Phase::Reveal, hidden, Next::Reveal(id)),
            (Phase::Reveal, Some((id, true)), Next::Done),
            (Phase::Challenge, Some((id, true)), Next::Done),
            (Phase::Score, hidden, Next::Missed(id)),
            (Phase::Settled, hidden, Next::Missed(id)),
            (
                Phase::Settled,
                Some((id, true)),
                Next::Forget("its key is out, and the bounty settled"),
            ),
            (
                Phase::Void(VoidReason::KeyWithheld),
                hidden,
                Next::Forget("the bounty is void"),
            ),
        ] {
            assert_eq!(decide(&phase, submission), expected, "{phase:?}");
        }
    }
}
