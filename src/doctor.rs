//! `lode doctor`: what this machine has, what it lacks, and what to do about it.
//! Never a secret: of keys, seals and passphrases it says where they are and how many.

mod node;
mod report;
mod seals;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use protocol::record::LOG_VERSION;

use crate::failure::Failure;
use crate::out;
use crate::session::Session;
use report::{Report, State};

/// Below so much free disk a node or a download is soon in trouble: 1 GiB.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// What `lode doctor` can be told.
#[derive(clap::Args)]
#[command(after_help = "\
Exits with 0 if there is no problem, else with 1. It changes nothing, unless you agree that it
settles a record whose outcome an earlier command did not learn.

Examples:
  lode doctor
  lode doctor --json | jq '.lines[] | select(.state == \"problem\")'")]
pub struct Args {}

/// Looks at everything and says what it found.
///
/// # Errors
/// There is a problem, or stdout cannot be written.
pub fn run(_: &Args, session: &Session) -> Result<(), Failure> {
    let mut report = Report::default();
    versions(&mut report);
    arithmetic(&mut report);
    environment(&mut report, std::env::vars_os());
    home(&mut report, session);
    keys(&mut report, session);
    passphrase(&mut report, session);
    let client = node::node(&mut report, session);
    seals::seals(&mut report, session, client.as_ref());
    node::outbox(&mut report, session, client.is_some());
    print(session, &report)?;
    let problems = report.lines.iter();
    let problems = problems.filter(|line| line.state == State::Problem).count();
    match problems {
        0 => Ok(()),
        count => Err(Failure::new(
            "problems",
            format_args!("{count} of the lines above say 'problem'"),
            "do what each says next, then run 'lode doctor' again",
        )),
    }
}

fn print(session: &Session, report: &Report) -> Result<(), Failure> {
    if session.json() {
        return out::json("doctor", report);
    }
    for line in &report.lines {
        let state = match line.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "problem",
        };
        out::line(&format!("{state:<8}{:<12}{}", line.what, line.found))?;
        if let Some(next) = &line.next_step {
            out::line(&format!("{:20}next: {next}", ""))?;
        }
    }
    Ok(())
}

fn versions(report: &mut Report) {
    report.ok(
        "version",
        format!(
            "lode {}, API {}, log {LOG_VERSION}, arithmetic {}, on {} {}",
            env!("CARGO_PKG_VERSION"),
            protocol::api::API_VERSION,
            protocol::benchmark::ARITHMETIC_VERSION,
            std::env::consts::OS,
            std::env::consts::ARCH
        ),
    );
}

fn arithmetic(report: &mut Report) {
    match evaluator::settings() {
        Ok(settings) => report.ok(
            "arithmetic",
            format!(
                "{} with {} threads; neither changes a bit of any result",
                settings.path.name(),
                settings.threads
            ),
        ),
        Err(why) => report.problem("arithmetic", why, "correct the variable, or unset it"),
    }
}

/// The variables whose values are shown. Any other may be one that a passphrase is read
/// from, whatever its name.
const SHOWN: [&str; 10] = [
    "LODE_HOME",
    "LODE_KEY",
    "LODE_NETWORK",
    "LODE_NODE",
    "LODE_PASSPHRASE_FILE",
    "LODE_REPRO_PATH",
    "LODE_REQUIRE_SHARED",
    "LODE_SHARED",
    "LODE_SIGNER",
    "LODE_THREADS",
];

fn environment(
    report: &mut Report,
    variables: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) {
    let mut found: Vec<(String, String)> = variables
        .map(|(name, value)| {
            let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
            (text(name), text(value))
        })
        .filter(|(name, _)| name.starts_with("LODE_"))
        .collect();
    found.sort();
    if found.is_empty() {
        report.ok("environment", "no LODE_ variable is set");
    }
    for (name, value) in found {
        match SHOWN.contains(&name.as_str()) {
            false => report.ok("environment", format!("{name} is set")),
            true => report.ok("environment", format!("{name}={}", shown(&name, &value))),
        }
    }
}

/// A value without what should not be repeated: a password in an address, the rest of a command.
fn shown(name: &str, value: &str) -> String {
    let value = match value.split_once("://").zip(value.rsplit_once('@')) {
        Some(((scheme, _), (_, host))) => format!("{scheme}://…@{host}"),
        None => value.to_owned(),
    };
    match (name, value.split_once(' ')) {
        ("LODE_SIGNER", Some((program, _))) => format!("{program} …"),
        _ => value.chars().take(200).collect(),
    }
}

fn home(report: &mut Report, session: &Session) {
    let home = session.home();
    if !home.exists() {
        let found = format!("{} is not there yet", home.display());
        report.note("home", found, "lode key new");
        return;
    }
    // The only way to know is to try; the file is gone at once.
    match tempfile::tempfile_in(home).and_then(|mut file| file.write_all(b"?")) {
        Ok(()) => report.ok("home", format!("{} can be written", home.display())),
        Err(error) => report.failed("home", &Failure::io(home, &error)),
    }
    match free_bytes(home) {
        Ok(free) if free < FREE_BYTES_MIN => report.note(
            "disk",
            format!("{} MiB are free at {}", free >> 20, home.display()),
            "make room before you download or seal anything",
        ),
        Ok(free) => report.ok("disk", format!("{} GiB are free", free >> 30)),
        Err(error) => report.failed("disk", &error),
    }
}

#[cfg(unix)]
fn free_bytes(dir: &Path) -> Result<u64, Failure> {
    let found = rustix::fs::statvfs(dir).map_err(|error| Failure::io(dir, &error.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Result<u64, Failure> {
    Ok(u64::MAX)
}

/// The files of a folder with this ending, sorted; none if there is no folder.
fn files(dir: &Path, ending: &str) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::io(dir, &error)),
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    paths.sort();
    Ok(paths)
}

fn keys(report: &mut Report, session: &Session) {
    let keys = match files(&session.home().join("keys"), "age") {
        Ok(keys) => keys,
        Err(error) => return report.failed("keys", &error),
    };
    for path in &keys {
        if let Some(weak) = wallet::weak_permissions(path) {
            let next = format!("chmod 600 '{}'", path.display());
            report.problem("keys", weak.to_string(), &next);
        }
    }
    match session.address() {
        Ok(address) => report.ok(
            "keys",
            format!("{} here; what acts is signed by {address}", keys.len()),
        ),
        Err(error) if error.code == "no_key" && keys.is_empty() => {
            report.note("keys", "none here", "lode key new");
        }
        // Nobody asked for 'default' by name: each command may be told another one.
        Err(error) if error.code == "no_key" && session.key_name() == "default" => {
            let found = format!("{} here, none of them is 'default'", keys.len());
            report.note("keys", found, &error.next_step);
        }
        Err(error) => report.failed("keys", &error),
    }
}

fn passphrase(report: &mut Report, session: &Session) {
    match session.passphrase_source() {
        Ok(source) => match source.weak_permissions() {
            Some(weak) => {
                let next = format!("chmod 600 '{}'", weak.path.display());
                // In a container there may be nobody else to read it.
                report.note("passphrase", weak.to_string(), &next);
            }
            None => report.ok("passphrase", place(&source)),
        },
        Err(error) => report.failed("passphrase", &error),
    }
}

fn place(source: &wallet::PassphraseSource) -> &'static str {
    match source {
        wallet::PassphraseSource::Prompt => "is asked for on the terminal",
        wallet::PassphraseSource::File(_) => "comes from a file",
        _ => "is given to the command",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_variables_hold_no_secret() {
        for (name, value, text) in [
            (
                "LODE_NODE",
                "http://localhost:4747",
                "LODE_NODE=http://localhost:4747",
            ),
            (
                "LODE_NODE",
                "https://me:word@host:1",
                "LODE_NODE=https://…@host:1",
            ),
            ("LODE_PASSPHRASE", "word", "LODE_PASSPHRASE is set"),
            ("LODE_PW", "word", "LODE_PW is set"),
            ("LODE_PASSPHRASE_FILE", "/p", "LODE_PASSPHRASE_FILE=/p"),
            ("LODE_KEY", "alice", "LODE_KEY=alice"),
            (
                "LODE_SIGNER",
                "exec:sign --pin 1234",
                "LODE_SIGNER=exec:sign …",
            ),
        ] {
            let mut report = Report::default();
            let variables = [(name.into(), value.into()), ("HOME".into(), "/h".into())];
            environment(&mut report, variables.into_iter());
            assert_eq!(report.lines.len(), 1);
            assert_eq!(report.lines[0].found, text);
        }
    }
}
