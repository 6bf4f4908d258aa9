//! One prediction, recomputed, against what each evaluator published.

use std::collections::BTreeMap;
use std::io::{Read, Seek as _, SeekFrom};

use client::Client;
use evaluator::report::{LEAVES_BYTES_MAX, leaves_bytes};
use protocol::api::BountyView;
use protocol::id::{Address, Digest, ItemId};
use protocol::receipt::Cause;
use protocol::record::{Action, Attestation, BlobRef, Transaction};
use protocol::report::{Leaf, Outcome, predictions_root};
use serde::Serialize;

use crate::boxed::{Enclosure, RunOptions};
use crate::failure::{Exit, Failure};
use crate::out;
use crate::sealing::Store;
use crate::session::Session;

/// What an evaluator published for the example.
#[derive(Serialize)]
struct Published {
    evaluator: Address,
    /// `same`, `differs`, `not_scored`, `not_published`, `not_its_root`.
    finding: &'static str,
    outputs: Option<Vec<f32>>,
}

/// `lode evaluate reproduce`.
///
/// # Errors
/// Keys are not out yet, something is not held; or an evaluator published other bits.
pub fn reproduce(
    session: &Session,
    bounty: &str,
    submission: &str,
    example: u32,
    options: RunOptions,
) -> Result<(), Failure> {
    let client = session.client()?;
    let bounty = client.bounty(session.bounty_id(bounty)?)?;
    let id: ItemId = crate::submission::id_within(submission, &bounty.submissions)?;
    let found = bounty.submissions.iter().find(|one| one.id == id);
    let Some(found) = found else {
        let next = "look at 'lode submission list BOUNTY'";
        let message = format!("{id} is no submission to this bounty");
        return Err(Failure::new("unknown_submission", message, next).exit(Exit::NotFound));
    };
    let (Some(test_key), Some(key)) = (&bounty.test_key, &found.key) else {
        let message = "the keys of test set and submission are not both out";
        let next = "wait for the phase 'score'";
        return Err(Failure::new("sealed", message, next).exit(Exit::Later));
    };
    let temp = tempfile::tempdir().map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
    let made = Enclosure::new(temp.path(), options)?;
    let (ours, examples) = made.example(
        &bounty.posting.benchmark,
        (&bounty.posting.test_set, test_key),
        (&found.sealed, key),
        client,
        example,
    )?;
    let batches = batches(client, &bounty)?;
    let outputs = bounty.posting.benchmark.task.outputs();
    let mut published = Vec::new();
    for (evaluator, batches) in &batches {
        published.push(compare(
            session,
            *evaluator,
            batches,
            id,
            (examples, outputs),
            &ours,
        )?);
    }
    show(session, id, &ours, &published)?;
    match published
        .iter()
        .find(|one| matches!(one.finding, "differs" | "not_its_root"))
    {
        None => Ok(()),
        Some(other) => Err(Failure::new(
            "leaf_differs",
            format_args!(
                "{} published something else for example {example}",
                other.evaluator
            ),
            "compute it on another machine too; the bits of an honest evaluator are the same everywhere",
        )),
    }
}

/// What a seat has revealed in one round: its words, and where the leaves are.
struct Revealed {
    salt: Digest,
    words: Vec<Attestation>,
    leaves: Option<BlobRef>,
}

/// The batches of every seat, by address, as they are on the log: the state
/// forgets them once the bounty is settled.
fn batches(
    client: &Client,
    bounty: &BountyView,
) -> Result<BTreeMap<Address, Vec<Revealed>>, Failure> {
    let seats = bounty.seats.iter();
    let mut batches: BTreeMap<Address, Vec<Revealed>> =
        seats.map(|seat| (seat.evaluator, Vec::new())).collect();
    let pages = client.bounty_history(bounty.summary.id);
    for entry in pages.page_size(protocol::api::PAGE_MAX) {
        let entry = entry?;
        let is_reveal = entry.record_type.as_deref() == Some("reveal-attestations");
        let (Cause::Record(record), None) = (entry.receipt.cause, &entry.receipt.rejected) else {
            continue;
        };
        if !is_reveal {
            continue;
        }
        let item = client.record_item(record)?;
        let Ok(tx) = Transaction::read(&item) else {
            continue;
        };
        let Action::RevealAttestations { body, .. } = tx.action else {
            continue;
        };
        let own = batches.entry(tx.signer).or_default();
        // Parts of one batch have its salt, and come in order.
        match own.last_mut().filter(|last| last.salt == body.salt) {
            Some(last) => last.words.extend(body.attestations),
            None => own.push(Revealed {
                salt: body.salt,
                words: body.attestations,
                leaves: body.leaves,
            }),
        }
    }
    Ok(batches)
}

fn compare(
    session: &Session,
    evaluator: Address,
    batches: &[Revealed],
    submission: ItemId,
    (examples, width): (u32, u32),
    ours: &Leaf,
) -> Result<Published, Failure> {
    let published = |finding, leaf: Option<&Leaf>| Published {
        evaluator,
        finding,
        outputs: leaf.map(outputs),
    };
    if batches.is_empty() {
        return Ok(published("not_published", None));
    }
    let found = batches.iter().find_map(|batch| {
        let is_scored = |word: &&Attestation| matches!(word.outcome, Outcome::Scored { .. });
        let scored = batch.words.iter().filter(is_scored);
        let before = scored
            .clone()
            .position(|word| word.submission == submission)?;
        let Outcome::Scored {
            predictions_root, ..
        } = scored.clone().nth(before)?.outcome
        else {
            return None;
        };
        Some((
            predictions_root,
            before,
            scored.count() as u64,
            batch.leaves?,
        ))
    });
    let Some((root, before, scored, blob)) = found else {
        return Ok(published("not_scored", None));
    };
    // Leaves that everyone has are of one length: another is not fetched.
    let one = leaves_bytes(examples, width);
    if Some(blob.size_bytes) != one.checked_mul(scored) || one > LEAVES_BYTES_MAX {
        return Ok(published("not_its_root", None));
    }
    // Of this submission alone: those of all may be more than there is memory.
    let mut bytes = Vec::new();
    let path = std::path::Path::new("leaves");
    let mut file = session.client()?.fetch(blob)?;
    file.seek(SeekFrom::Start(before as u64 * one))
        .and_then(|_| file.take(one).read_to_end(&mut bytes))
        .map_err(|error| Failure::io(path, &error))?;
    match leaves_of(&bytes, examples) {
        Some(leaves) if predictions_root(&leaves) == root => {
            let theirs = &leaves[ours.index as usize];
            let finding = if theirs == ours { "same" } else { "differs" };
            Ok(published(finding, Some(theirs)))
        }
        _ => Ok(published("not_its_root", None)),
    }
}

/// The leaves of a submission.
fn leaves_of(bytes: &[u8], examples: u32) -> Option<Vec<Leaf>> {
    let mut rest = bytes;
    let mut leaves = Vec::new();
    for _ in 0..examples {
        let (leaf, after) = Leaf::split_from(rest)?;
        leaves.push(leaf);
        rest = after;
    }
    Some(leaves)
}

fn outputs(leaf: &Leaf) -> Vec<f32> {
    leaf.output_bits
        .iter()
        .map(|&bits| f32::from_bits(bits))
        .collect()
}

fn show(
    session: &Session,
    submission: ItemId,
    ours: &Leaf,
    published: &[Published],
) -> Result<(), Failure> {
    if session.json() {
        let value = serde_json::json!({
            "submission": submission,
            "example": ours.index,
            "output_bits": ours.output_bits,
            "outputs": outputs(ours),
            "published": published,
        });
        return out::json("evaluate.reproduce", &value);
    }
    let text = |outputs: &[f32]| {
        let outputs: Vec<String> = outputs.iter().map(|value| format!("{value:?}")).collect();
        outputs.join(" ")
    };
    out::line(&format!(
        "example {}, recomputed: {}",
        ours.index,
        text(&outputs(ours))
    ))?;
    let rows = published.iter().map(|one| {
        let theirs = match one.finding {
            "differs" => one.outputs.as_deref().map(text).unwrap_or_default(),
            _ => String::new(),
        };
        vec![
            one.evaluator.to_string(),
            one.finding.replace('_', " "),
            theirs,
        ]
    });
    out::line(&out::table(&["evaluator", "published", ""], &[], rows.collect()).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_are_as_many_as_there_are_examples() {
        let leaf = |index: u32, value: f32| Leaf::new(index, &[value, 1.0]);
        let two = [leaf(0, 1.5), leaf(1, 2.5)];
        let bytes: Vec<u8> = two.iter().flat_map(Leaf::to_bytes).collect();
        assert_eq!(leaves_of(&bytes, 2).unwrap(), two);
        assert_eq!(leaves_of(&bytes, 3), None);
        assert_eq!(leaves_of(&bytes[..bytes.len() - 1], 2), None);
    }
}
