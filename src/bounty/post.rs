//! `lode bounty post`: what it costs, the seal, the record.
//!
//! ```text
//! $LODE_HOME/postings/<archive>.json   Pending: a sealed test set whose bounty is not final yet
//! ```
//!
//! A posting may be cut off anywhere and started again. Key and nonce of the
//! cipher are kept before the first byte leaves, and the same archive under them
//! is the same ciphertext: an upload goes on where it broke off. Only the seal
//! depends on the record's nonce; it is made again for the nonce that is signed.
//! Once the bounty is final the pending file goes, so that a key seals the
//! test set of one bounty only.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

use licensing::Terms;
use protocol::api::{BountyView, RecordView};
use protocol::id::{Address, BlobId, Digest, ItemId, NetworkId};
use protocol::record::{Action, BlobRef, PostBounty, SealedFolder};
use protocol::seal::{NONCE_LEN, SealKey, SealScope, encrypt, seal_digest};
use protocol::text::Name;
use serde::{Deserialize, Serialize};
use wallet::Signer;

use super::cost::Cost;
use super::offer::{self, Parent};
use super::{check, has_ended};
use crate::failure::{Exit, Failure};
use crate::folder;
use crate::out;
use crate::sealing::Store;
use crate::seals::{self, Kept, Of};
use crate::session::{self, Acted, Session, entropy};
use crate::test_sets;

const PENDING_BYTES_MAX: usize = 4_096;

/// How often a nonce may be taken by another command of this account meanwhile.
const NONCES_MAX: u32 = 8;

/// A sealed test set whose bounty is not final yet.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Pending {
    network: NetworkId,
    owner: Address,
    /// The archive that was sealed.
    archive: BlobId,
    /// What it became.
    ciphertext: BlobRef,
    /// The nonce of the cipher, which the ciphertext begins with.
    cipher_nonce: Digest,
}

/// What a sponsor takes into account and wants all the same.
#[derive(clap::Args)]
pub struct Knowing {
    /// Take a test set that is public, or in use, for what it is: say so, and do not refuse.
    #[arg(long)]
    even_so: bool,
    /// Post it though a bounty of yours with this title is running.
    #[arg(long)]
    again: bool,
}

/// Posts the bounty that a file describes.
///
/// # Errors
/// Something is wrong with it, nobody agreed, or the node cannot be asked.
pub fn run(session: &Session, file: &Path, knowing: &Knowing) -> Result<(), Failure> {
    let owner = session.address()?;
    if !session.global.dry_run {
        // What an earlier posting left open comes first: it may be this one.
        session.settle_outbox(owner)?;
    }
    // Once: what is shown, checked, sealed and signed is one file.
    let (plan, findings) = super::plan::load(file)?;
    let folder = plan.test_set.as_deref().filter(|folder| folder.is_dir());
    // What is looked at below is what is sealed, however long somebody thinks about it.
    let looked_at = folder.map(archive_of).transpose()?;
    if let Some(archive) = looked_at.filter(|_| !session.global.dry_run)
        && let Some((pending, view)) = posted_before(session, owner, archive)?
    {
        let id = view.summary.id;
        let is_other = plan.title.as_ref() != Some(&view.posting.title)
            || plan.reward != Some(view.posting.reward);
        if is_other {
            talk!(
                "note: what was posted is '{}' for {} LODE, and the file says something else by now",
                view.posting.title,
                view.posting.reward.to_lode_string()
            );
        }
        test_sets::note(session, pending.archive, id)?;
        report_again(session, id)?;
        return forget(session, &pending);
    }
    if let Some(title) = plan.title.as_ref().filter(|_| !knowing.again) {
        not_running(session, owner, title)?;
    }
    let checked = check::check(session, &plan, findings, knowing.even_so)?;
    let verdict = check::verdict(&checked.findings);
    if verdict.is_err() || !session.json() {
        check::tell(session, &checked)?;
    }
    verdict?;
    if checked.archive != looked_at {
        return Err(test_set_changed(plan.test_set.as_deref()));
    }
    let (Some(mut posting), Some(cost)) = (checked.posting, checked.cost) else {
        return Err(Failure::bug("a bounty without findings has a posting"));
    };
    if !session.json() {
        let terms = plan
            .terms
            .as_ref()
            .map(Terms::sentences)
            .unwrap_or_default();
        print_offer(&posting, &cost, &terms, &checked.parents)?;
    }
    if session.global.dry_run {
        let body = Box::new(posting);
        let trial = session.try_as(owner, &Action::PostBounty { body })?;
        return session.report(&Acted::Tried(Box::new(trial)), "");
    }
    session.confirm(&format!(
        "Post it? It can be cancelled only until the first submission; the test set, the terms and the \
         schedule cannot be changed. {} pays.",
        session.payer(owner)
    ))?;
    let signer = session.signer()?;
    let (Some(folder), Some(archive)) = (plan.test_set, looked_at) else {
        return Err(Failure::bug("a checked bounty has a test set"));
    };
    let mut post = || {
        let (pending, key) = seal(session, owner, &folder, archive)?;
        posting.test_set.ciphertext = pending.ciphertext;
        let posting = posting.clone();
        match send(session, &*signer, posting, &pending, &key, knowing.again) {
            Err(failure) if failure.code == "test_set_used" => {
                // What comes next is sealed under a fresh key.
                forget(session, &pending)?;
                Err(failure)
            }
            sent => sent.map(|view| (view, pending)),
        }
    };
    let (view, pending) = match post() {
        Err(failure) if failure.code == "test_set_used" => {
            talk!("note: somebody has posted this ciphertext: the test set is sealed anew");
            post()?
        }
        posted => posted?,
    };
    test_sets::note(session, pending.archive, view.id)?;
    // Whoever could not see it runs this again, and is told by what is kept.
    report(session, &view)?;
    forget(session, &pending)
}

fn print_offer(
    posting: &PostBounty,
    cost: &Cost,
    terms: &[String],
    parents: &[Parent],
) -> Result<(), Failure> {
    cost.print(posting)?;
    for text in offer::lines(posting, terms, parents) {
        out::line(&text)?;
    }
    Ok(())
}

/// Where a posting of this archive is kept while it is not final.
pub fn path(session: &Session, archive: BlobId) -> PathBuf {
    session
        .home()
        .join("postings")
        .join(format!("{archive}.json"))
}

/// What an earlier, interrupted posting of this archive left.
fn find(session: &Session, owner: Address, archive: BlobId) -> Result<Option<Pending>, Failure> {
    let path = path(session, archive);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(&path, &error)),
    };
    // A file that makes no sense only costs a second upload.
    let pending: Option<Pending> = protocol::json::from_slice(&bytes, PENDING_BYTES_MAX).ok();
    let network = session.client()?.status()?.network;
    Ok(pending.filter(|pending| {
        pending.network == network && pending.owner == owner && pending.archive == archive
    }))
}

fn forget(session: &Session, pending: &Pending) -> Result<(), Failure> {
    let path = path(session, pending.archive);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io(&path, &error))
        }
        _ => Ok(()),
    }
}

/// Refuses a title that a running bounty of this account has.
fn not_running(session: &Session, owner: Address, title: &Name) -> Result<(), Failure> {
    let Some(id) = running(session, owner, title)? else {
        return Ok(());
    };
    let message =
        format_args!("you have posted a bounty '{title}' already, and it is running: {id}");
    let next =
        "look at it with 'lode bounty show'; for another one, change the title, or add --again";
    Err(Failure::new("posted_already", message, next).exit(Exit::Rejected))
}

/// The running bounty of this account with this title.
pub(super) fn running(
    session: &Session,
    owner: Address,
    title: &Name,
) -> Result<Option<ItemId>, Failure> {
    for summary in session.client()?.bounties(None) {
        let summary = summary?;
        if summary.sponsor == owner && summary.title == *title && !has_ended(&summary.phase) {
            return Ok(Some(summary.id));
        }
    }
    Ok(None)
}

/// The name of a folder's archive.
fn archive_of(folder: &Path) -> Result<BlobId, Failure> {
    Ok(folder::pack_to_file(folder)?.1.id)
}

/// The bounty that an earlier run did post with this test set, without living to see it. One that has ended is no
/// answer to whoever posts again.
fn posted_before(
    session: &Session,
    owner: Address,
    archive: BlobId,
) -> Result<Option<(Pending, BountyView)>, Failure> {
    let Some(pending) = find(session, owner, archive)? else {
        return Ok(None);
    };
    let client = session.client()?;
    for summary in client.bounties(None) {
        let summary = summary?;
        if summary.sponsor != owner || has_ended(&summary.phase) {
            continue;
        }
        let view = client.bounty(summary.id)?;
        if view.posting.test_set.ciphertext == pending.ciphertext {
            return Ok(Some((pending, view)));
        }
    }
    Ok(None)
}

/// Seals the test set, if it is still what was looked at, and uploads it; its key is on the disk before that.
fn seal(
    session: &Session,
    owner: Address,
    folder: &Path,
    looked_at: BlobId,
) -> Result<(Pending, SealKey), Failure> {
    let client = session.client()?;
    let (archive, id) = (pack_unchanged(folder, looked_at)?, looked_at);
    let earlier = match find(session, owner, id)? {
        Some(pending) => seals::find(session, pending.ciphertext)?.map(|kept| (pending, kept.key)),
        None => None,
    };
    if let Some((pending, key)) = earlier {
        let nonce = cipher_nonce(&pending.cipher_nonce);
        let mut sealed = encrypt_file(archive, &key, nonce)?;
        if client.hold(&mut sealed)? == pending.ciphertext {
            return Ok((pending, key));
        }
        return Err(Failure::bug("the same archive gave another ciphertext"));
    }
    let key = SealKey::from_bytes(*entropy()?);
    let cipher_nonce_bytes = Digest(*entropy()?);
    let mut sealed = encrypt_file(archive, &key, cipher_nonce(&cipher_nonce_bytes))?;
    let ciphertext = client::blob_ref_of(&mut sealed).map_err(|error| temp_failure(&error))?;
    let pending = Pending {
        network: client.status()?.network,
        owner,
        archive: id,
        ciphertext,
        cipher_nonce: cipher_nonce_bytes,
    };
    let nonce = client.account(owner)?.next_nonce;
    keep_key(session, &pending, &key, nonce)?;
    session::keep(&path(session, id), &protocol::json::to_vec(&pending))?;
    client.hold(&mut rewind(sealed)?)?;
    Ok((pending, key))
}

/// The folder's archive, if it is still the one that was looked at: what is sealed is what
/// the sponsor was told about, or nothing.
fn pack_unchanged(folder: &Path, looked_at: BlobId) -> Result<File, Failure> {
    let (archive, blob) = folder::pack_to_file(folder)?;
    if blob.id == looked_at {
        return Ok(archive);
    }
    Err(test_set_changed(Some(folder)))
}

fn test_set_changed(folder: Option<&Path>) -> Failure {
    let folder = folder.unwrap_or(Path::new("the test set"));
    let message = format!(
        "{} has changed since it was looked at: nothing was posted",
        folder.display()
    );
    let next = "let nothing else write to the folder, and run this again: it is looked at anew";
    Failure::new("test_set_changed", message, next)
}

/// The first bytes of a digest's worth of randomness.
fn cipher_nonce(bytes: &Digest) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&bytes.0[..NONCE_LEN]);
    nonce
}

fn encrypt_file(archive: File, key: &SealKey, nonce: [u8; NONCE_LEN]) -> Result<File, Failure> {
    let mut sealed = temp()?;
    encrypt(key, nonce, archive, &mut sealed)
        .map_err(|error| Failure::new("seal", error, "check the disk's free space"))?;
    rewind(sealed)
}

/// The seal for a posting with this nonce; it is on the disk once this returns.
fn keep_key(
    session: &Session,
    pending: &Pending,
    key: &SealKey,
    nonce: u64,
) -> Result<SealedFolder, Failure> {
    let scope = SealScope::test_set(pending.network, pending.owner, nonce);
    let ciphertext = pending.ciphertext;
    let seal = seal_digest(&scope, key, &ciphertext.id, ciphertext.size_bytes);
    let sealed = SealedFolder { seal, ciphertext };
    let kept = Kept {
        network: pending.network,
        owner: pending.owner,
        of: Of::TestSet {
            poster_nonce: nonce,
        },
        sealed,
        key: key.clone(),
    };
    seals::save(session, &kept)?;
    Ok(sealed)
}

/// Signs under the nonce that the seal names, and seals again if it was taken.
fn send(
    session: &Session,
    signer: &dyn Signer,
    mut posting: PostBounty,
    pending: &Pending,
    key: &SealKey,
    again: bool,
) -> Result<RecordView, Failure> {
    const TAKEN: &str = "nonce_taken";
    for _ in 0..NONCES_MAX {
        let nonce = session.client()?.account(pending.owner)?.next_nonce;
        posting.test_set = keep_key(session, pending, key, nonce)?;
        let body = Box::new(posting.clone());
        let action = Action::PostBounty { body };
        let sent = session.send_if(signer, &action, |signed| {
            if signed != nonce {
                return Err(Failure::new(TAKEN, "the nonce was taken", "seal again"));
            }
            // In this command's turn: another one may have posted it while somebody was asked.
            match again {
                true => Ok(()),
                false => not_running(session, pending.owner, &posting.title),
            }
        });
        match sent {
            Err(failure) if failure.code == TAKEN => {}
            other => return other,
        }
    }
    let message = "other commands of this account came in between again and again";
    let next = "let them end, then post again: what was uploaded is kept";
    Err(Failure::new(TAKEN, message, next).exit(Exit::Later))
}

fn report(session: &Session, view: &RecordView) -> Result<(), Failure> {
    let acted = Acted::Done(Box::new(view.clone()));
    session.report(&acted, &format!("posted. The bounty's id is {}", view.id))?;
    next(session, view.id)
}

fn report_again(session: &Session, id: ItemId) -> Result<(), Failure> {
    if session.json() {
        return out::json("record", &session.client()?.record(id)?);
    }
    out::line(&format!(
        "an earlier run has posted this bounty already; its id is {id}. Nothing was sent."
    ))?;
    next(session, id)
}

fn next(session: &Session, id: ItemId) -> Result<(), Failure> {
    if session.json() {
        return Ok(());
    }
    out::line("next: leave this running until the bounty has ended")?;
    out::line(&format!("  lode bounty watch {id} --reveal"))?;
    out::line(&format!(
        "the key of the test set is in {}: keep a copy, without it the bond is lost",
        session.home().join("seals").display()
    ))
}

fn temp() -> Result<File, Failure> {
    tempfile::tempfile().map_err(|error| temp_failure(&error))
}

fn temp_failure(error: &std::io::Error) -> Failure {
    Failure::io(&std::env::temp_dir(), error)
}

fn rewind(mut file: File) -> Result<File, Failure> {
    file.seek(SeekFrom::Start(0))
        .map_err(|error| temp_failure(&error))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_set_that_changed_since_it_was_looked_at_is_not_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("data.csv");
        std::fs::write(&file, "1,0\n").unwrap();
        let looked_at = folder::pack_to_file(folder.path()).unwrap().1.id;
        assert!(pack_unchanged(folder.path(), looked_at).is_ok());
        std::fs::write(&file, "1,1\n").unwrap();
        let failure = pack_unchanged(folder.path(), looked_at).unwrap_err();
        assert_eq!(failure.code, "test_set_changed");
    }
}
