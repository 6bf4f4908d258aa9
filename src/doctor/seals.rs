//! The seals that are kept here, and whether anything hangs on them still. Never a key.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use client::Client;
use protocol::api::BountyView;
use protocol::id::{ItemId, NetworkId};
use protocol::receipt::Phase;

use super::files;
use super::report::Report;
use crate::out;
use crate::seals::{Kept, Of};
use crate::session::Session;

/// The largest file of a kept seal.
const SEAL_BYTES_MAX: usize = 64 * 1024;

/// How many of the newest bounties are looked through for that of a test set.
const BOUNTIES_LOOKED_AT: usize = 200;

/// Says of every kept seal what it is of, and what to do with its file.
pub fn seals(report: &mut Report, session: &Session, client: Option<&Client>) {
    let paths = match files(&session.home().join("seals"), "json") {
        Ok(paths) => paths,
        Err(error) => return report.failed("seals", &error),
    };
    if paths.is_empty() {
        return report.ok("seals", "none is kept here");
    }
    let mut bounties = client.map(Bounties::new);
    let mut found: BTreeMap<(Option<&str>, String), Vec<&Path>> = BTreeMap::new();
    for path in &paths {
        let Some(kept) = read(report, path) else {
            continue;
        };
        let bounty = bounties.as_mut().and_then(|all| all.of(&kept));
        // Two bounties may have one title.
        let named = bounty
            .map(|view| format!("'{}' ({})", view.summary.title, out::short(view.summary.id)));
        let end = bounty.and_then(|view| end_of(&view.summary.phase));
        let what = what_of(&kept, named.as_deref());
        found.entry((end, what)).or_default().push(path);
    }
    for ((end, what), paths) in found {
        let (found, next) = told(end, &what, &paths);
        report.note("seals", found, &next);
    }
}

/// A kept seal; a problem, if it cannot be read.
fn read(report: &mut Report, path: &Path) -> Option<Kept> {
    if let Some(weak) = wallet::weak_permissions(path) {
        let next = format!("chmod 600 {}", quoted(path));
        report.problem("seals", weak.to_string(), &next);
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => zeroize::Zeroizing::new(bytes),
        Err(error) => {
            let text = format!("{} cannot be read: {error}", path.display());
            report.problem("seals", text, "run this as the user whose seals they are");
            return None;
        }
    };
    // What is wrong with it is not said: an error could quote the key.
    let kept = protocol::json::from_slice::<Kept>(&bytes, SEAL_BYTES_MAX).ok();
    if kept.is_none() {
        report.problem(
            "seals",
            format!("{} is damaged", path.display()),
            "restore it from a copy: without its key the seal cannot be revealed",
        );
    }
    kept
}

/// What is said of the seals of one kind for one bounty, and what to do with their files.
fn told(end: Option<&str>, what: &str, paths: &[&Path]) -> (String, String) {
    let (found, these) = match paths.len() {
        1 => (what.to_owned(), "this file"),
        many => (format!("{many} times {what}"), "these files"),
    };
    let Some(end) = end else {
        let next = format!(
            "keep {these} until the bounty has ended: nobody else has the key before it is out"
        );
        return (found, next);
    };
    let files: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
    let next = format!("nothing hangs on it any more: rm {}", files.join(" "));
    (format!("{found}, which {end}"), next)
}

/// How a bounty has ended, if it has.
fn end_of(phase: &Phase) -> Option<&'static str> {
    match phase {
        Phase::Settled => Some("is settled"),
        Phase::Void(_) => Some("is void"),
        _ => None,
    }
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// What a kept seal is of, with its bounty as people know it; never its key.
fn what_of(kept: &Kept, bounty: Option<&str>) -> String {
    let owner = kept.owner;
    match (kept.of, bounty) {
        (Of::TestSet { .. }, Some(bounty)) => {
            format!("the test set of {owner} for the bounty {bounty}")
        }
        (Of::TestSet { poster_nonce }, None) => {
            format!("a test set of {owner}, for its posting with nonce {poster_nonce}")
        }
        (Of::Submission { .. }, Some(bounty)) => {
            format!("a submission of {owner} to the bounty {bounty}")
        }
        (Of::Submission { bounty }, None) => {
            format!("a submission of {owner} to the bounty {bounty}")
        }
    }
}

/// Bounties of the node, asked for once each.
struct Bounties<'a> {
    client: &'a Client,
    network: Option<NetworkId>,
    known: BTreeMap<ItemId, Option<BountyView>>,
}

impl<'a> Bounties<'a> {
    fn new(client: &'a Client) -> Self {
        Self {
            client,
            network: client.status().ok().map(|status| status.network),
            known: BTreeMap::new(),
        }
    }

    fn view(&mut self, id: ItemId) -> Option<&BountyView> {
        let client = self.client;
        let view = self.known.entry(id);
        view.or_insert_with(|| client.bounty(id).ok()).as_ref()
    }

    /// The bounty that a seal belongs to, if it is on this node's network and was found.
    fn of(&mut self, kept: &Kept) -> Option<&BountyView> {
        if self.network != Some(kept.network) {
            return None;
        }
        let id = match kept.of {
            Of::Submission { bounty } => bounty,
            Of::TestSet { .. } => self.posted(kept)?,
        };
        self.view(id)
    }

    fn posted(&mut self, kept: &Kept) -> Option<ItemId> {
        let summaries = self.client.bounties(None).take(BOUNTIES_LOOKED_AT);
        for summary in summaries {
            let summary = summary.ok()?;
            if summary.sponsor != kept.owner {
                continue;
            }
            let view = self.view(summary.id)?;
            if view.posting.test_set.ciphertext == kept.sealed.ciphertext {
                return Some(summary.id);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::id::{Address, BlobId, Digest};
    use protocol::receipt::VoidReason;
    use protocol::record::{BlobRef, SealedFolder};
    use protocol::seal::SealKey;

    #[test]
    fn a_seal_is_named_by_its_bounty_where_that_is_known() {
        let ciphertext = BlobRef {
            id: BlobId([4; 32]),
            size_bytes: 5,
        };
        let kept = Kept {
            network: NetworkId([1; 32]),
            owner: Address([2; 32]),
            of: Of::TestSet { poster_nonce: 7 },
            sealed: SealedFolder {
                seal: Digest([3; 32]),
                ciphertext,
            },
            key: SealKey::from_bytes([9; 32]),
        };
        assert!(what_of(&kept, None).ends_with("nonce 7"));
        assert!(what_of(&kept, Some("'Digits'")).ends_with("the bounty 'Digits'"));
    }

    #[test]
    fn seals_of_one_bounty_are_told_together() {
        let [one, two] = ["a.json", "b.json"].map(Path::new);
        let (found, next) = told(Some("is settled"), "a submission", &[one, two]);
        assert_eq!(found, "2 times a submission, which is settled");
        assert_eq!(next, "nothing hangs on it any more: rm 'a.json' 'b.json'");
        assert_eq!(quoted(Path::new("it's")), r"'it'\''s'");
        let (found, next) = told(None, "a test set", &[one]);
        assert_eq!(found, "a test set");
        assert!(next.starts_with("keep this file until"));
    }

    #[test]
    fn only_a_bounty_that_ended_lets_its_seals_go() {
        assert_eq!(end_of(&Phase::TestKey), None);
        assert_eq!(end_of(&Phase::Challenge), None);
        assert_eq!(end_of(&Phase::Settled), Some("is settled"));
        let void = Phase::Void(VoidReason::Cancelled);
        assert_eq!(end_of(&void), Some("is void"));
    }
}
