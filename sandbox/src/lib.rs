//! A child process under limits, for bytes that a stranger made.
//!
//! Two halves. The parent starts a program and watches it ([`run`]): it ends it
//! after a wall time, or when its folder grows too large, and says how it ended.
//! The child limits itself ([`confine`]) before it opens anything from outside;
//! from then on nothing in that process can undo it:
//!
//! | limit | Linux | other Unix | elsewhere |
//! |---|---|---|---|
//! | memory, processor time, bytes of a file, open files, no core file | `setrlimit` | `setrlimit` | none |
//! | reads only below named folders, writes only below its own | Landlock | none | none |
//! | no sockets, no other program or process, nothing but a list of system calls | seccomp | none | none |
//! | wall time, bytes of its folder | the parent | the parent | the parent |
//!
//! What a platform or kernel lacks is no error: [`confine`] gives a sentence for
//! each, for whoever runs it to read. Nothing here knows what the child computes.

mod confine;
#[cfg(target_os = "linux")]
mod linux;
mod watch;

pub use confine::{ConfineError, Missing, confine, die_with_parent};
pub use watch::{ENTRY_BYTES, Ending, Run, run};

use std::time::Duration;

/// What a child may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of address space, the program's own included.
    pub memory_bytes: u64,
    /// Seconds of processor time, of all threads together.
    pub cpu_seconds: u64,
    /// How long it may run by the clock.
    pub wall: Duration,
    /// Bytes of one file that it writes.
    pub file_bytes: u64,
    /// Bytes of all files of its folder, and [`ENTRY_BYTES`] for each file and
    /// folder in it; looked at several times a second.
    pub folder_bytes: u64,
    /// Files that are open at a time.
    pub open_files: u64,
}
