//! An archive: what is read is written again as the same bytes, and a reader
//! that skips contents sees the same files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::archive::{ArchiveError, Limits, Reader, decode, encode};

const LIMITS: Limits = Limits {
    files_max: 64,
    file_bytes_max: 1 << 18,
    total_bytes_max: 1 << 18,
};

fuzz_target!(|data: &[u8]| {
    let files = decode(data, LIMITS);
    let skipped = names(data);
    match files {
        Ok(files) => {
            assert_eq!(encode(&files).expect("what is read can be written"), data);
            let names: Vec<_> = files.keys().map(|path| path.to_string()).collect();
            assert_eq!(skipped.ok(), Some(names));
        }
        Err(error) => {
            let skipped = skipped.expect_err("a fault of the headers, or of what follows them");
            assert_eq!(skipped.to_string(), error.to_string(), "the same fault");
        }
    }
});

fn names(data: &[u8]) -> Result<Vec<String>, ArchiveError> {
    let mut reader = Reader::new(data, LIMITS)?;
    let mut names = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        names.push(entry.path().to_string());
    }
    Ok(names)
}
