//! From a model folder to a commitment on the log: once, however often it is run.
//!
//! ```text
//! $LODE_HOME/submitted/<account>/<bounty>/<archive>.json   Note
//! ```
//!
//! The archive's digest names the folder's content. Key and nonce of its seal are
//! drawn once and kept before anything is sent, so that a second run makes the same ciphertext, goes on
//! with a broken upload, and finds the commitment of the first by its ciphertext.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use client::{Client, blob_ref_of};
use protocol::Amount;
use protocol::ans104::Tag;
use protocol::api::{BountyView, Status, SubmissionView};
use protocol::id::{Address, BlobId, ItemId, NetworkId};
use protocol::receipt::Phase;
use protocol::record::{Action, BlobRef, CommitSubmission, RevealSubmission, SealedFolder};
use protocol::seal::{NONCE_LEN, SealKey, SealScope, encrypt, seal_digest};
use protocol::text::Name;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::SubmitArgs;
use super::check::check;
use super::known::known;
use crate::bounty::{scored_in, scored_text};
use crate::failure::{Exit, Failure};
use crate::folder;
use crate::funds::{self, Needed};
use crate::out;
use crate::sealing::Store;
use crate::seals::{self, Kept, Of};
use crate::session::{Session, byte_fee, entropy, keep, lock};

const NOTE_BYTES_MAX: usize = 64 * 1024;

/// How a folder was sealed for a bounty; nothing in it is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// The ciphertext, which names the seal in `seals` too.
    ciphertext: BlobRef,
    /// The nonce of its encryption.
    nonce: [u8; NONCE_LEN],
}

/// `lode submit`.
///
/// # Errors
/// The folder is invalid, a rule refuses, or the node cannot be asked.
pub fn submit(args: &SubmitArgs, session: &Session) -> Result<(), Failure> {
    let client = session.client()?;
    let id = session.bounty_id(&args.bounty)?;
    let bounty = client.bounty(id)?;
    let mut checked = check(&args.dir, &bounty.posting.benchmark, args.data.as_deref())?;
    if args.check {
        checked.known = known(session, &bounty, checked.weights_digest)?;
        if bounty.summary.phase != Phase::Open {
            talk!(
                "note: '{}' takes no submissions any more: it is in the phase '{}'",
                bounty.summary.title,
                bounty.summary.phase.name()
            );
        }
        if session.json() {
            return out::json("submit.check", &checked);
        }
        out::line(&checked.text())?;
        if let Some(known) = &checked.known {
            talk!("note: {}", known.text());
        }
        return Ok(());
    }
    if !session.json() {
        talk!("{}", checked.text());
    }
    let me = session.address()?;
    let archive = pack(&args.dir)?;
    let note_path = note_path(session.home(), me, id, archive.1.id);
    let path = session
        .home()
        .join("submitted")
        .join(me.to_string())
        .join("lock");
    let _lock = lock(&path)?.ok_or_else(|| {
        let message = "another process submits for this account right now";
        Failure::new(
            "locked",
            message,
            "wait for it, then look at 'lode submission list'",
        )
        .exit(Exit::Later)
    })?;
    session.settle_outbox(me)?;
    let note = read_note(&note_path);
    // What a first run committed shows only after its record was settled.
    let bounty = client.bounty(id)?;
    if let Some(earlier) = note.and_then(|note| find(&bounty, me, note.ciphertext)) {
        return say_earlier(session, &bounty, earlier, args.name.as_deref());
    }
    let name = name_of(args)?;
    let is_taken = is_name_taken(&bounty.submissions, me, &name);
    let mut parents = Vec::new();
    for text in &args.parent {
        parents.push(session.asset_id(text)?);
    }
    parents.sort();
    let status = client.status()?;
    let (kept, note) = seal(session, status.network, id, me, &archive, note)?;
    let action = commit_action(&bounty, name.clone(), kept.sealed, parents);
    let cost = Cost::of(
        &status,
        &bounty,
        me,
        client.account(me)?.next_nonce,
        &action,
    );
    // Before gigabytes are sent, and before anyone is asked.
    funds::check(session, me, &action, &cost.needed())?;
    let trial = session.try_as(me, &action)?;
    if let Some(known) = known(session, &bounty, checked.weights_digest)? {
        if !args.even_so {
            return Err(known.failure());
        }
        talk!("note: {}", known.text());
    }
    if is_taken {
        talk!(
            "note: another submission of yours to this bounty is called '{name}': tell them apart by their ids, or \
             give this one another name with --name"
        );
    }
    say_cost(session, &bounty, &cost);
    if session.global.dry_run {
        return session.report(&crate::session::Acted::Tried(Box::new(trial)), "");
    }
    let warning = "Commit this model to the bounty: fee and bond are paid now.";
    session.confirm(&format!("{warning} {} pays.", session.payer(me)))?;
    let signer = session.signer()?;
    seals::save(session, &kept)?;
    keep(&note_path, &protocol::json::to_vec(&note))?;
    upload(client, &kept, &note, archive.0)?;
    let view = session.send_if(&*signer, &action, |_| still_prepaid(client, id, &cost))?;
    if session.json() {
        return out::json("record", &view);
    }
    out::moves(view.receipt.as_ref())?;
    out::line(&format!("submission {}", view.id))?;
    talk!(
        "its key is in {} and must not be lost. It has to be revealed when the phase 'reveal' begins, else \
         the bond is lost.\n  next: leave this running: lode submission reveal --watch",
        session.home().join("seals").display()
    );
    Ok(())
}

/// Refuses to sign if the sponsor was to pay the fee, and others have been faster since that was said.
fn still_prepaid(client: &Client, bounty: ItemId, cost: &Cost) -> Result<(), Failure> {
    if !cost.is_prepaid {
        return Ok(());
    }
    let bounty = client.bounty(bounty)?;
    if bounty.summary.submissions < bounty.posting.prepaid {
        return Ok(());
    }
    let message = format!(
        "others were faster: the evaluation fees that the sponsor has prepaid are used, and this submission would pay \
         {} LODE. Nothing was committed",
        bounty.posting.evaluation_fee.to_lode_string()
    );
    let next = "run it again if you want to pay the fee: what was uploaded is kept";
    Err(Failure::new("fee_changed", message, next).exit(Exit::Rejected))
}

/// What a submission takes from its account: now, and when its key comes out.
struct Cost {
    /// Nothing, if the sponsor has paid it.
    fee: Amount,
    is_prepaid: bool,
    bond: Amount,
    byte_fee: Option<Amount>,
    deposit: Option<Amount>,
    /// Of the record that reveals the key: without it the bond is lost.
    key_fee: Option<Amount>,
}

impl Cost {
    fn of(status: &Status, bounty: &BountyView, me: Address, nonce: u64, commit: &Action) -> Self {
        let reveal = Action::RevealSubmission {
            bounty: bounty.summary.id,
            body: RevealSubmission {
                submission: ItemId([0; 32]),
                key: SealKey::from_bytes([0; 32]),
            },
        };
        let is_prepaid = bounty.summary.submissions < bounty.posting.prepaid;
        let byte_fee_now = byte_fee(status, me, nonce, commit);
        Self {
            fee: match is_prepaid {
                true => Amount::ZERO,
                false => bounty.posting.evaluation_fee,
            },
            is_prepaid,
            bond: bounty.miner_bond,
            byte_fee: byte_fee_now,
            deposit: funds::deposit(status, byte_fee_now),
            key_fee: byte_fee(status, me, u64::MAX, &reveal),
        }
    }

    fn needed(&self) -> Needed {
        let Self {
            fee,
            bond,
            byte_fee,
            deposit,
            key_fee,
            ..
        } = *self;
        Needed {
            what: "evaluation fee, bond, byte fee, deposit, and the byte fee of the record that reveals the key",
            amount: funds::sum([Some(fee), Some(bond), byte_fee, deposit, key_fee]),
            next: "receive some more first: who cannot pay for the reveal loses the bond",
        }
    }

    /// A line for each part, and one for all.
    fn rows(&self) -> Vec<Vec<String>> {
        let fee_becomes = match self.is_prepaid {
            true => "the sponsor has paid it for the first",
            false => {
                "goes to the evaluators who agree on your model; returns if nobody had to score it"
            }
        };
        let parts = [
            ("evaluation fee", Some(self.fee), fee_becomes),
            (
                "bond",
                Some(self.bond),
                "returns at settlement; lost if you do not reveal, or what you reveal does not open",
            ),
            ("byte fee", self.byte_fee, "burned"),
            (
                "deposit",
                self.deposit,
                "for its place in the state; returns when that is forgotten, stays with a model",
            ),
            (
                "byte fee of the key",
                self.key_fee,
                "burned later, by the record that reveals the key",
            ),
            ("in all", Some(self.needed().amount), ""),
        ];
        let known = parts.into_iter().filter_map(|(what, amount, becomes)| {
            let amount = amount?.to_lode_string();
            Some(vec![what.to_owned(), amount, becomes.to_owned()])
        });
        known.collect()
    }
}

/// Whether a submission of this account has the name already: nobody can tell them apart by it.
fn is_name_taken(submissions: &[SubmissionView], me: Address, name: &Name) -> bool {
    let mut own = submissions.iter().filter(|one| one.miner == me);
    own.any(|one| one.name == *name)
}

/// The folder's canonical archive in a temporary file, and its name and size.
fn pack(dir: &Path) -> Result<(File, BlobRef), Failure> {
    let io = |error: std::io::Error| Failure::io(&std::env::temp_dir(), &error);
    let mut archive = folder::pack(dir, tempfile::tempfile().map_err(io)?)?;
    archive.seek(SeekFrom::Start(0)).map_err(io)?;
    let blob = blob_ref_of(&mut archive).map_err(io)?;
    Ok((archive, blob))
}

/// Where it is noted how this content was sealed.
fn note_path(home: &Path, owner: Address, bounty: ItemId, archive: BlobId) -> PathBuf {
    let dir = home.join("submitted").join(owner.to_string());
    dir.join(bounty.to_string()).join(format!("{archive}.json"))
}

/// A note that is damaged is none: the folder is sealed anew, and what it named stays in `seals`.
fn read_note(path: &Path) -> Option<Note> {
    let bytes = fs::read(path).ok()?;
    protocol::json::from_slice(&bytes, NOTE_BYTES_MAX).ok()
}

fn find(bounty: &BountyView, me: Address, ciphertext: BlobRef) -> Option<&SubmissionView> {
    let mut submissions = bounty.submissions.iter();
    submissions.find(|one| one.miner == me && one.sealed.ciphertext == ciphertext)
}

/// The seal of this content, as an earlier run kept it, or a fresh one that is not kept yet.
fn seal(
    session: &Session,
    network: NetworkId,
    bounty: ItemId,
    owner: Address,
    archive: &(File, BlobRef),
    note: Option<Note>,
) -> Result<(Kept, Note), Failure> {
    let of = Of::Submission { bounty };
    if let Some(note) = note
        && let Some(kept) = seals::find(session, note.ciphertext)?
        && (kept.network, kept.owner, kept.of) == (network, owner, of)
    {
        return Ok((kept, note));
    }
    let key = SealKey::from_bytes(*entropy()?);
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&entropy()?[..NONCE_LEN]);
    let ciphertext = cipher(&archive.0, &key, nonce)?.1;
    let scope = SealScope::submission(network, bounty, owner);
    let seal = seal_digest(&scope, &key, &ciphertext.id, ciphertext.size_bytes);
    let sealed = SealedFolder { seal, ciphertext };
    let kept = Kept {
        network,
        owner,
        of,
        sealed,
        key,
    };
    Ok((kept, Note { ciphertext, nonce }))
}

fn cipher(
    mut archive: &File,
    key: &SealKey,
    nonce: [u8; NONCE_LEN],
) -> Result<(File, BlobRef), Failure> {
    let io = |error: std::io::Error| Failure::io(&std::env::temp_dir(), &error);
    archive.seek(SeekFrom::Start(0)).map_err(io)?;
    let mut sealed = tempfile::tempfile().map_err(io)?;
    let blob = encrypt(key, nonce, archive, &mut sealed).map_err(|error| {
        Failure::new("seal", error, "check the room for temporary files (TMPDIR)")
    })?;
    sealed.seek(SeekFrom::Start(0)).map_err(io)?;
    let blob = BlobRef {
        id: blob.root,
        size_bytes: blob.len,
    };
    Ok((sealed, blob))
}

fn upload(client: &Client, kept: &Kept, note: &Note, archive: File) -> Result<(), Failure> {
    let (mut sealed, blob) = cipher(&archive, &kept.key, note.nonce)?;
    if blob != note.ciphertext {
        return Err(Failure::bug(
            "the same key and nonce gave another ciphertext",
        ));
    }
    client.hold(&mut sealed).map(|_| ())
}

fn commit_action(
    bounty: &BountyView,
    name: Name,
    sealed: SealedFolder,
    parents: Vec<ItemId>,
) -> Action {
    let terms = bounty.posting.model_terms.iter();
    Action::CommitSubmission {
        bounty: bounty.summary.id,
        terms: terms.map(|(name, value)| Tag::new(name, value)).collect(),
        body: CommitSubmission {
            name,
            sealed,
            parents,
        },
    }
}

fn name_of(args: &SubmitArgs) -> Result<Name, Failure> {
    let text = match &args.name {
        Some(name) => name.clone(),
        None => {
            let dir = fs::canonicalize(&args.dir).unwrap_or_else(|_| args.dir.clone());
            let name = dir.file_name().unwrap_or_default();
            name.to_string_lossy().into_owned()
        }
    };
    Name::new(text).map_err(|error| {
        let next = "give another one with --name";
        Failure::new("name", format_args!("the model's name: {error}"), next).exit(Exit::Usage)
    })
}

fn say_earlier(
    session: &Session,
    bounty: &BountyView,
    earlier: &SubmissionView,
    name: Option<&str>,
) -> Result<(), Failure> {
    if name.is_some_and(|name| name != earlier.name.as_str()) {
        talk!(
            "note: it keeps the name '{}' that it was committed with",
            earlier.name
        );
    }
    if session.json() {
        let value =
            json!({ "submission": earlier.id, "bounty": bounty.summary.id, "is_earlier": true });
        return out::json("submit", &value);
    }
    talk!(
        "this folder is committed to '{}' already, in block {}: nothing was sent.",
        bounty.summary.title,
        earlier.height
    );
    out::line(&format!("submission {}", earlier.id))?;
    talk!("  next: lode submission reveal --watch");
    Ok(())
}

/// What it costs, what returns when.
fn say_cost(session: &Session, bounty: &BountyView, cost: &Cost) {
    if session.json() {
        return;
    }
    talk!(
        "{}",
        out::table(&["it costs", "LODE", ""], &[1], cost.rows())
    );
    let (before, posting) = (bounty.summary.submissions, &bounty.posting);
    let scored = scored_in(&posting.benchmark, posting.schedule.score_ms);
    if u128::from(before) >= scored {
        talk!(
            "note: {} committed before yours, and in the score phase an evaluator that makes a billion \
             multiply-adds a second gets to {} of the largest allowed size. If yours has no verdict, it wins \
             nothing; fee and bond return",
            match before {
                1 => "1 model is".to_owned(),
                count => format!("{count} models are"),
            },
            scored_text(scored)
        );
    }
    talk!(
        "a model with the weights of an earlier one is out, whoever made it. The model will be under the \
         bounty's terms:"
    );
    for sentence in &bounty.sentences {
        talk!("  {sentence}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_key_and_nonce_are_the_same_ciphertext() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), vec![1; 70_000]).unwrap();
        let first = pack(dir.path()).unwrap();
        let again = pack(dir.path()).unwrap();
        assert_eq!(first.1, again.1);
        let key = SealKey::from_bytes([2; 32]);
        let sealed = |archive: &File| cipher(archive, &key, [3; NONCE_LEN]).unwrap().1;
        assert_eq!(sealed(&first.0), sealed(&again.0));
        assert_eq!(sealed(&first.0), sealed(&first.0));
        assert_ne!(sealed(&first.0), first.1);
    }

    #[test]
    fn a_note_is_read_back_and_a_torn_one_is_none() {
        let home = tempfile::tempdir().unwrap();
        let path = note_path(
            home.path(),
            Address([1; 32]),
            ItemId([2; 32]),
            BlobId([3; 32]),
        );
        assert_eq!(read_note(&path), None);
        let note = Note {
            ciphertext: BlobRef {
                id: BlobId([4; 32]),
                size_bytes: 5,
            },
            nonce: [6; NONCE_LEN],
        };
        keep(&path, &protocol::json::to_vec(&note)).unwrap();
        assert_eq!(read_note(&path), Some(note));
        fs::write(&path, "{").unwrap();
        assert_eq!(read_note(&path), None);
    }
}
