//! What of a seat's work is on the disk, so that a process may die at any moment.
//!
//! ```text
//! $LODE_HOME/evaluator/<account>/lock   held by the one process that works for the account
//! $LODE_HOME/evaluator/<account>/<bounty>/
//!   test/                   the test set, opened
//!   box-<…>/                a model or a test set while it is opened and scored
//!   reports/<submission>/   report.json, leaves.bin (crate `evaluator`): what was found
//!   leaves.bin              all leaves of the batch, end to end: the blob that it names
//!   batch.json              salt and batch: what is committed to
//!   told                    it was said what the bounty brought
//! ```
//!
//! Order: reports, then leaves, then the batch, then the commitment is signed and
//! sent. A batch that is there is never replaced while its commitment may be on
//! the log. Everything else can be made again, to the same bits.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use evaluator::Report;
use evaluator::report::{LEAVES_FILE, REPORT_FILE};
use protocol::id::{Address, Digest, ItemId};
use protocol::record::{Attestation, BlobRef, RevealAttestations, attestation_commitment};
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::session::keep;

/// The most bytes of a batch's file: a word on each of 10,000 submissions has a few hundred.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// How long the work on a bounty that has ended stays.
pub const KEPT_AFTER_END_MS: u64 = 24 * 3_600_000;

/// A round of scoring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// How often missing seats were drawn again.
    pub number: u8,
    /// Whether all evaluators are asked.
    pub all: bool,
}

/// What a seat commits to, and later reveals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The round it is for.
    pub round: Round,
    /// The salt of the commitment.
    pub salt: Digest,
    /// A word on each submission at issue, in the order of commitment.
    pub attestations: Vec<Attestation>,
    /// The prediction leaves of all that are scored.
    pub leaves: Option<BlobRef>,
}

impl Batch {
    /// What reveals it, part by part.
    pub fn reveals(&self) -> Vec<RevealAttestations> {
        RevealAttestations::batch(self.salt, &self.attestations, self.leaves)
    }

    /// The commitment to it; none for a batch without attestations.
    pub fn commitment(&self, bounty: ItemId, author: Address) -> Option<Digest> {
        let reveals = self.reveals();
        let first = reveals.first()?;
        Some(attestation_commitment(bounty, author, first))
    }
}

/// The work on one bounty.
pub struct Desk {
    dir: PathBuf,
}

/// Where the work of an account is.
pub fn room(home: &Path, account: Address) -> PathBuf {
    home.join("evaluator").join(account.to_string())
}

impl Desk {
    /// The work of this account on this bounty.
    pub fn new(home: &Path, account: Address, bounty: ItemId) -> Self {
        Self {
            dir: room(home, account).join(bounty.to_string()),
        }
    }

    /// Where the test set is opened.
    pub fn test_dir(&self) -> PathBuf {
        self.dir.join("test")
    }

    /// Whether nothing was done here for so long, by this machine's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "it decides only how long what is over stays on the disk"
    )]
    pub fn is_older_than(&self, age: std::time::Duration) -> bool {
        let changed = fs::metadata(&self.dir).and_then(|found| found.modified());
        let now = std::time::SystemTime::now();
        changed.is_ok_and(|at| now.duration_since(at).is_ok_and(|since| since > age))
    }

    /// Where an evaluation has its folder while it runs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn report_dir(&self, submission: ItemId) -> PathBuf {
        self.dir.join("reports").join(submission.to_string())
    }

    fn leaves_path(&self) -> PathBuf {
        self.dir.join("leaves.bin")
    }

    /// Whether it was said what the bounty brought at its end.
    pub fn was_told(&self) -> bool {
        self.dir.join("told").exists()
    }

    /// Notes that it was said; what cannot be noted is said again.
    pub fn note_told(&self) {
        let _ = fs::write(self.dir.join("told"), "");
    }

    fn batch_path(&self) -> PathBuf {
        self.dir.join("batch.json")
    }

    /// Makes the folder.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn open(&self) -> Result<(), Failure> {
        crate::session::private_dir(&self.dir)?;
        // What a process that died had open: only one works for the account.
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("box-") {
                let _ = fs::remove_dir_all(entry.path());
            } else if name.starts_with(".tmp") {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Whether there is a report on this submission.
    pub fn has_report(&self, submission: ItemId) -> bool {
        self.report_dir(submission).join(REPORT_FILE).exists()
    }

    /// The report on this submission, of a model with so many outputs; none if there is none that can be read: then it is made again.
    pub fn report(&self, submission: ItemId, outputs: u32) -> Option<Report> {
        let dir = self.report_dir(submission);
        let report = Report::read(&dir, outputs).ok();
        if report.is_none() {
            let _ = fs::remove_dir_all(&dir);
        }
        report
    }

    /// Keeps a report.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn keep_report(&self, submission: ItemId, report: &Report) -> Result<(), Failure> {
        let dir = self.report_dir(submission);
        report.write(&dir).map_err(|error| {
            let next = "make room on the disk of $LODE_HOME; this is tried again";
            Failure::new("report", error, next)
        })
    }

    /// Puts the leaves of these submissions end to end into one file, and opens it.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn write_leaves(&self, scored: &[ItemId]) -> Result<File, Failure> {
        let path = self.leaves_path();
        let failed = |error: io::Error| Failure::io(&path, &error);
        let mut file = tempfile::NamedTempFile::new_in(&self.dir).map_err(failed)?;
        for &submission in scored {
            let from = self.report_dir(submission).join(LEAVES_FILE);
            let mut leaves = File::open(&from).map_err(|error| Failure::io(&from, &error))?;
            io::copy(&mut leaves, &mut file).map_err(failed)?;
        }
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        self.leaves()
    }

    /// The file of all leaves.
    ///
    /// # Errors
    /// It is not there.
    pub fn leaves(&self) -> Result<File, Failure> {
        let path = self.leaves_path();
        File::open(&path).map_err(|error| Failure::io(&path, &error))
    }

    /// The batch; none if there is none yet.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn batch(&self) -> Result<Option<Batch>, Failure> {
        let path = self.batch_path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::io(&path, &error)),
        };
        let batch = protocol::json::from_slice(&bytes, BATCH_BYTES_MAX);
        batch.map(Some).map_err(|error| {
            Failure::new(
                "batch_file",
                format_args!("{} is damaged: {error}", path.display()),
                "restore it from a copy: without it the commitment cannot be revealed",
            )
        })
    }

    /// Keeps the batch; on return it is on the disk, and may be committed to.
    ///
    /// # Errors
    /// The system's refusal.
    pub fn keep_batch(&self, batch: &Batch) -> Result<(), Failure> {
        keep(&self.batch_path(), &protocol::json::to_vec(batch))
    }
}

/// The bounties with work on the disk.
pub fn rooms(home: &Path, account: Address) -> Vec<ItemId> {
    let entries = fs::read_dir(room(home, account));
    let entries = entries.into_iter().flatten().flatten();
    let mut found: Vec<ItemId> = entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    found.sort();
    found
}

/// Removes the work on bounties for which `is_over` holds; what cannot be removed stays.
pub fn tidy(home: &Path, account: Address, is_over: impl Fn(ItemId) -> bool) -> Vec<ItemId> {
    let mut removed = rooms(home, account);
    removed.retain(|bounty| {
        let dir = room(home, account).join(bounty.to_string());
        is_over(*bounty) && fs::remove_dir_all(dir).is_ok()
    });
    removed
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::report::Outcome;

    const ME: Address = Address([1; 32]);

    fn report(outcome: Outcome) -> Report {
        Report {
            arithmetic: 1,
            outcome,
            examples: 3,
            weights_digest: None,
            metrics: None,
            message: None,
            leaves: Vec::new(),
        }
    }

    #[test]
    fn what_is_kept_is_read_back_and_what_is_torn_is_made_again() {
        let home = tempfile::tempdir().unwrap();
        let desk = Desk::new(home.path(), ME, ItemId([2; 32]));
        let submission = ItemId([3; 32]);
        assert_eq!(desk.batch().unwrap(), None);
        assert!(!desk.has_report(submission));
        let found = report(Outcome::BadSeal { chunk: 4 });
        desk.keep_report(submission, &found).unwrap();
        assert_eq!(desk.report(submission, 10), Some(found));
        let path = desk.report_dir(submission).join(REPORT_FILE);
        fs::write(path, "{").unwrap();
        assert_eq!(desk.report(submission, 10), None);
        assert!(!desk.has_report(submission));

        let batch = Batch {
            round: Round {
                number: 1,
                all: false,
            },
            salt: Digest([5; 32]),
            attestations: vec![Attestation {
                submission,
                outcome: Outcome::Unavailable,
            }],
            leaves: None,
        };
        desk.keep_batch(&batch).unwrap();
        assert_eq!(desk.batch().unwrap(), Some(batch));
        fs::write(desk.batch_path(), "{").unwrap();
        assert_eq!(desk.batch().unwrap_err().code, "batch_file");
    }

    #[test]
    fn only_the_work_that_is_over_is_removed() {
        let home = tempfile::tempdir().unwrap();
        let (over, at_work) = (ItemId([2; 32]), ItemId([3; 32]));
        for bounty in [over, at_work] {
            Desk::new(home.path(), ME, bounty).open().unwrap();
        }
        fs::create_dir(room(home.path(), ME).join("notes")).unwrap();
        assert_eq!(tidy(home.path(), ME, |bounty| bounty == over), [over]);
        assert_eq!(fs::read_dir(room(home.path(), ME)).unwrap().count(), 2);
        assert!(tidy(home.path(), Address([9; 32]), |_| true).is_empty());
    }
}
