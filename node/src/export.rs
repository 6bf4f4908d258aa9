//! Export: the whole log as one flat ANS-104 bundle.
//!
//! ```text
//! the genesis item; then, block by block, the header item and its items
//! ```
//!
//! Any Arweave tool can verify it, and [`mod@crate::replay`] needs nothing else. It
//! is written as a stream in two passes over the log: first the sizes and ids,
//! which stand at the beginning of a bundle, then the items. One block is held
//! at a time. What is exported is the log as it is when the export begins.

use std::io::Write;

use protocol::ans104::bundle::{BundleReader, BundleWriter};
use protocol::ans104::{BundleError, SignedItem};

use crate::block::BODY_LIMITS;
use crate::log::{LogError, LogView};
use crate::replay::Progress;

/// Why an export was not finished. What was written so far is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A block of the log is no bundle.
    #[error("block {height} of the log: {error}")]
    Block {
        /// Its height.
        height: u64,
        /// What is wrong with it.
        error: BundleError,
    },
    /// The export could not be written.
    #[error("the export could not be written: {0}")]
    Write(BundleError),
}

/// Writes a log as one bundle; gives the writer back, flushed.
///
/// # Errors
///
/// The log cannot be read, or `out` cannot be written.
pub fn export<W: Write>(
    log: &LogView,
    out: W,
    mut progress: impl FnMut(Progress),
) -> Result<W, ExportError> {
    let (count, end) = (log.items(), log.height());
    let mut failed = None;
    let entries = items(log, end).map_while(|item| match item {
        Ok((_, item)) => Some((item.bytes().len() as u64, item.id())),
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    let begun = BundleWriter::write_header(out, count, entries);
    if let Some(error) = failed {
        return Err(error);
    }
    let mut writer = begun.map_err(ExportError::Write)?;
    for (item, done) in items(log, end).zip(1..) {
        let (height, item) = item?;
        writer.write_item(&item).map_err(ExportError::Write)?;
        progress(Progress {
            height,
            items: done,
            items_total: count,
        });
    }
    writer.finish().map_err(ExportError::Write)
}

/// All items of the log up to a height, each with the height of its block.
fn items(log: &LogView, end: u64) -> impl Iterator<Item = Result<(u64, SignedItem), ExportError>> {
    log.blocks(0)
        .take_while(move |block| block.as_ref().map_or(true, |(height, _)| *height <= end))
        .flat_map(|block| {
            let items: Vec<_> = match block {
                Ok((height, body)) => read(height, &body),
                Err(error) => vec![Err(error.into())],
            };
            items
        })
}

fn read(height: u64, body: &[u8]) -> Vec<Result<(u64, SignedItem), ExportError>> {
    let in_block = |error| ExportError::Block { height, error };
    match BundleReader::new(body, BODY_LIMITS) {
        Ok(items) => items
            .map(|item| item.map(|item| (height, item)).map_err(in_block))
            .collect(),
        Err(error) => vec![Err(in_block(error))],
    }
}
