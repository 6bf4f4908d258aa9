//! The parent's half: start, watch, end.

use std::fmt;
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Limits;

/// What each file and folder counts beside its bytes: about what a file system
/// keeps for it, so that the smallest ones fill a folder too.
pub const ENTRY_BYTES: u64 = 4 << 10;

/// The most bytes of a child's stderr that are kept.
pub const STDERR_BYTES_MAX: u64 = 16 << 10;

/// How often a child is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// How often its folder is counted.
const COUNT: Duration = Duration::from_millis(250);

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ended itself, with this exit code.
    Exit(i32),
    /// It ran longer than it may.
    WallTime(Duration),
    /// Its folder has more bytes, or files and folders, than it may.
    FolderBytes(u64),
    /// It used more processor time than it may.
    CpuTime(u64),
    /// It wrote more bytes into one file than it may.
    FileBytes(u64),
    /// Another signal ended it.
    Signal(i32),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "it ended with exit code {code}"),
            Self::WallTime(wall) => write!(f, "it ran longer than {} s", wall.as_secs_f64()),
            Self::FolderBytes(limit) => write!(f, "it wrote more than {limit} bytes"),
            Self::CpuTime(limit) => write!(f, "it used more than {limit} s of processor time"),
            Self::FileBytes(limit) => write!(f, "it wrote a file of more than {limit} bytes"),
            // What an allocation that fails comes to.
            Self::Signal(6) => write!(
                f,
                "it aborted (signal 6): most often more memory than it may have"
            ),
            Self::Signal(signal) => write!(f, "signal {signal} ended it"),
        }
    }
}

/// What became of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How it ended.
    pub ending: Ending,
    /// The beginning of what it said on stderr, at most `STDERR_BYTES_MAX`
    /// bytes, control characters other than line feeds replaced.
    pub stderr: String,
}

/// Starts a program, gives it `input` on stdin and waits until it ends or is
/// ended. It begins in `folder`, which is counted, with an empty environment
/// but for what `command` sets, and without stdout.
///
/// # Errors
/// It cannot be started or waited for.
pub fn run(mut command: Command, input: &[u8], limits: &Limits, folder: &Path) -> io::Result<Run> {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            // A child that does not read ends, or is ended: then this fails.
            let _ = stdin.map(|mut stdin| stdin.write_all(input));
        });
        let said = scope.spawn(move || stderr.map(listen).unwrap_or_default());
        let ending = watch(&mut child, limits, folder);
        if ending.is_err() {
            let _ = child.kill().and_then(|()| child.wait());
        }
        end_group(&child);
        let stderr = said.join().unwrap_or_default();
        Ok(Run {
            ending: ending?,
            stderr,
        })
    })
}

fn watch(child: &mut Child, limits: &Limits, folder: &Path) -> io::Result<Ending> {
    let begun = now();
    let mut counted = begun;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(ending(status, limits));
        }
        let ending = if now().duration_since(begun) > limits.wall {
            Some(Ending::WallTime(limits.wall))
        } else if now().duration_since(counted) > COUNT {
            counted = now();
            (bytes_in(folder, limits.folder_bytes) > limits.folder_bytes)
                .then_some(Ending::FolderBytes(limits.folder_bytes))
        } else {
            None
        };
        if let Some(ending) = ending {
            child.kill()?;
            child.wait()?;
            return Ok(ending);
        }
        thread::sleep(LOOK);
    }
}

/// Ends what the child may have started, where nothing kept it from that: it
/// would else hold the pipe.
#[cfg(unix)]
fn end_group(child: &Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // Most often there is nobody left.
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
}

#[cfg(not(unix))]
fn end_group(_: &Child) {}

/// The clock by which a child is watched; no result depends on it.
#[allow(
    clippy::disallowed_methods,
    reason = "a limit of wall time needs the clock"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(unix)]
fn ending(status: ExitStatus, limits: &Limits) -> Ending {
    use rustix::process::Signal;
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        None => Ending::Exit(status.code().unwrap_or(-1)),
        Some(signal) if signal == Signal::XCPU.as_raw() => Ending::CpuTime(limits.cpu_seconds),
        Some(signal) if signal == Signal::XFSZ.as_raw() => Ending::FileBytes(limits.file_bytes),
        Some(signal) => Ending::Signal(signal),
    }
}

#[cfg(not(unix))]
fn ending(status: ExitStatus, _: &Limits) -> Ending {
    Ending::Exit(status.code().unwrap_or(-1))
}

/// Bytes of all files below a folder, and [`ENTRY_BYTES`] for each of them and
/// each folder; stops counting above `enough`. What vanishes meanwhile counts
/// nothing but that.
fn bytes_in(folder: &Path, enough: u64) -> u64 {
    let mut bytes = 0u64;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            bytes = bytes.saturating_add(ENTRY_BYTES);
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes = bytes.saturating_add(metadata.len()),
                Err(_) => {}
            }
            if bytes > enough {
                return bytes;
            }
        }
    }
    bytes
}

/// The beginning of what is said; the rest is heard and forgotten, so that
/// nobody waits for a pipe.
fn listen(mut stderr: impl Read) -> String {
    let mut said = Vec::new();
    let _ = (&mut stderr).take(STDERR_BYTES_MAX).read_to_end(&mut said);
    let _ = io::copy(&mut stderr, &mut io::sink());
    let said = String::from_utf8_lossy(&said);
    let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    said.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_folders_count_beside_their_bytes() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        assert_eq!(bytes_in(at, u64::MAX), 0);
        fs::create_dir_all(at.join("a/b/c")).expect("folders");
        assert_eq!(bytes_in(at, u64::MAX), 3 * ENTRY_BYTES);
        fs::write(at.join("a/file"), [7; 1_000]).expect("a file");
        assert_eq!(bytes_in(at, u64::MAX), 4 * ENTRY_BYTES + 1_000);
        assert!(bytes_in(at, ENTRY_BYTES) <= 2 * ENTRY_BYTES + 1_000);
    }
}
