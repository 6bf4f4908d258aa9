//! The child's half: limits on oneself that cannot be lifted again.

use std::fmt;
use std::io;
use std::path::Path;

use crate::Limits;

/// A limit that there is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Not even memory and processor time are limited.
    Resources,
    /// Files can be read and written wherever the account may.
    Files,
    /// The network can be reached and programs started.
    SystemCalls,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resources => {
                "this system does not limit the memory and processor time of a process"
            }
            Self::Files => {
                "this system does not confine a process to folders (Landlock: Linux 5.13 or later)"
            }
            Self::SystemCalls => {
                "this system does not keep a process from the network and from other programs \
                 (seccomp: Linux on x86-64, aarch64 or riscv64)"
            }
        })
    }
}

/// Why the limits could not be set: then nothing may be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConfineError {
    /// The system refused a limit.
    #[error("the limit on {what} could not be set: {error}")]
    Resource {
        /// What was to be limited.
        what: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// The system knows the rules on files but refused ours.
    #[error("the rules on files could not be set: {0}")]
    Files(String),
    /// The system knows filters of system calls but refused ours.
    #[error("the filter of system calls could not be set: {0}")]
    SystemCalls(String),
}

/// Limits this process, for good. To be called while it has one thread: the
/// rules on files hold for this thread and those that it starts.
///
/// Gives the limits that are missing on this system.
///
/// # Errors
/// [`ConfineError`] if a limit that there is was refused.
pub fn confine(
    limits: &Limits,
    readable: &[&Path],
    writable: &Path,
) -> Result<Vec<Missing>, ConfineError> {
    let mut missing = Vec::new();
    resources(limits, &mut missing)?;
    kernel(readable, writable, &mut missing)?;
    Ok(missing)
}

/// Has this process end when its parent does, which is all that watches it: from here on. Whoever wants to know that the
/// parent had not gone before asks afterwards who it is.
///
/// # Errors
/// [`ConfineError`] if the system knows this and refuses.
pub fn die_with_parent() -> Result<(), ConfineError> {
    #[cfg(target_os = "linux")]
    {
        let died = Some(rustix::process::Signal::KILL);
        rustix::process::set_parent_process_death_signal(died).map_err(|error| {
            ConfineError::Resource {
                what: "its life without a parent",
                error: error.into(),
            }
        })?;
    }
    Ok(())
}

#[cfg(unix)]
fn resources(limits: &Limits, _: &mut Vec<Missing>) -> Result<(), ConfineError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Past the soft limit of processor time comes a signal that ends it; the
    // hard one, a little later, is for who ignores that.
    let cpu = (limits.cpu_seconds, limits.cpu_seconds.saturating_add(2));
    for (what, resource, (soft, hard)) in [
        ("core files", Resource::Core, (0, 0)),
        ("processor time", Resource::Cpu, cpu),
        (
            "the size of a file",
            Resource::Fsize,
            (limits.file_bytes, limits.file_bytes),
        ),
        (
            "open files",
            Resource::Nofile,
            (limits.open_files, limits.open_files),
        ),
        (
            "memory",
            Resource::As,
            (limits.memory_bytes, limits.memory_bytes),
        ),
    ] {
        // Whoever started us may have set a lower one, which cannot be raised.
        let ceiling = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let wanted = Rlimit {
            current: Some(soft.min(ceiling)),
            maximum: Some(hard.min(ceiling)),
        };
        setrlimit(resource, wanted).map_err(|error| ConfineError::Resource {
            what,
            error: error.into(),
        })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn resources(_: &Limits, missing: &mut Vec<Missing>) -> Result<(), ConfineError> {
    missing.push(Missing::Resources);
    Ok(())
}

#[cfg(target_os = "linux")]
fn kernel(
    readable: &[&Path],
    writable: &Path,
    missing: &mut Vec<Missing>,
) -> Result<(), ConfineError> {
    if !crate::linux::rule_files(readable, writable)? {
        missing.push(Missing::Files);
    }
    if !crate::linux::filter_calls()? {
        missing.push(Missing::SystemCalls);
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn kernel(_: &[&Path], _: &Path, missing: &mut Vec<Missing>) -> Result<(), ConfineError> {
    missing.extend([Missing::Files, Missing::SystemCalls]);
    Ok(())
}
