//! `lode log`: the whole log as one bundle, and every balance recomputed from it.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use node::log::{Log, LogError, TailCut};
use node::replay::{Progress, Replay, ReplayError, replay};
use protocol::receipt::Purse;
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::out;
use crate::outfile::{OutFile, folder_of};
use crate::session::Session;

/// What `lode log` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write the whole log as one flat ANS-104 bundle.
    ///
    /// From a node that runs, or with --dir from the folder of one that does not.
    Export {
        /// The folder of a node that does not run [default: the node is asked].
        #[arg(long, value_name = "D")]
        dir: Option<PathBuf>,
        /// The file to write [default: log.bundle, in D or here].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Overwrite the file if it is there.
        #[arg(long)]
        force: bool,
        /// Leave a last block out that is not whole.
        #[arg(long)]
        partial: bool,
    },
    /// Recompute every balance from a bundle and nothing else.
    ///
    /// Compare height, tip and state root with those of a node that you trust: a bundle
    /// cannot show that it is the newest.
    Replay {
        /// The bundle.
        #[arg(value_name = "FILE")]
        bundle: PathBuf,
    },
}

/// Runs `lode log …`.
///
/// # Errors
/// If the log or the bundle cannot be read, or does not hold.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    let json = session.json();
    match command {
        Command::Export {
            dir: Some(dir),
            out,
            force,
            partial,
        } => {
            let out = out.clone().unwrap_or_else(|| dir.join("log.bundle"));
            export(dir, &out, *force, *partial, json)
        }
        Command::Export { out, force, .. } => {
            let out = out.clone().unwrap_or_else(|| "log.bundle".into());
            fetch(session, &out, *force)
        }
        Command::Replay { bundle } => replay_file(bundle, json),
    }
}

/// Asks a node that runs for its log.
fn fetch(session: &Session, out: &Path, force: bool) -> Result<(), Failure> {
    let io = |error: &std::io::Error| Failure::io(out, error);
    let mut file = OutFile::begin(out, force)?;
    let bar = out::bytes_bar("log")?;
    let mut writer = BufWriter::new(bar.wrap_write(file.file()));
    session.client()?.log(&mut writer, u64::MAX)?;
    writer.flush().map_err(|error| io(&error))?;
    drop(writer);
    bar.finish_and_clear();
    let size_bytes = file.finish()?;
    if session.json() {
        let text = json!({ "file": out.display().to_string(), "size_bytes": size_bytes });
        return out::json("log.export", &text);
    }
    out::line(&format!("{}: {size_bytes} bytes", out.display()))?;
    talk!("next: lode log replay '{}'", out.display());
    Ok(())
}

fn log_failure(error: LogError) -> Failure {
    match error {
        LogError::Locked(_) => {
            Failure::new("log_locked", error, "stop the node that uses it, or wait")
                .exit(Exit::Later)
        }
        LogError::Missing(_) => {
            let next = "name the folder of a node, such as the one that 'lode demo --dir' made";
            Failure::new("log_missing", error, next).exit(Exit::NotFound)
        }
        LogError::Io { path, source } => Failure::io(&path, &source),
        error => Failure::new("log", error, "restore the log from a copy: it is the truth"),
    }
}

/// Refuses to write where something of worth stands: into the node's own
/// folders, over what is no regular file, and over a file unless asked to.
fn check_out(dir: &Path, out: &Path, force: bool) -> Result<(), Failure> {
    let refuse = |code: &str, message: String, next: &str| {
        Err(Failure::new(code, message, next).exit(Exit::Usage))
    };
    let folder = folder_of(out);
    let real = fs::canonicalize(folder).map_err(|error| Failure::io(folder, &error))?;
    for own in ["log", "state", "blobs"] {
        if fs::canonicalize(dir.join(own)).is_ok_and(|own| real.starts_with(own)) {
            let message = format!(
                "{} lies inside the node's own folder '{own}'",
                out.display()
            );
            return refuse("out_inside_node", message, "choose an --out outside of it");
        }
    }
    OutFile::check(out, force)
}

/// A last block that is not whole: left out only if that was asked for.
fn check_tail(cut: Option<&TailCut>, partial: bool) -> Result<(), Failure> {
    let Some(cut) = cut else { return Ok(()) };
    let message = format!(
        "block {} at byte {} of {} is not whole: {}",
        cut.height,
        cut.offset,
        cut.segment.display(),
        cut.flaw
    );
    if partial {
        talk!("note: {message}; it is left out, and the log is as it was");
        return Ok(());
    }
    let next = "restore the log from a copy, or add --partial to export the whole blocks before it";
    Err(Failure::new("log_tail", message, next))
}

fn export(dir: &Path, out: &Path, force: bool, partial: bool, json: bool) -> Result<(), Failure> {
    let (log, cut) = Log::open_for_reading(&dir.join("log")).map_err(log_failure)?;
    check_tail(cut.as_ref(), partial)?;
    check_out(dir, out, force)?;
    let io = |error: &std::io::Error| Failure::io(out, error);
    let mut file = OutFile::begin(out, force)?;
    let mut writer = BufWriter::new(file.file());
    let bar = items_bar()?;
    let exported = node::export::export(log.view(), &mut writer, |progress| show(&bar, progress));
    bar.finish_and_clear();
    exported.map_err(|error| {
        Failure::new(
            "export",
            error,
            "check the disk's free space; the log itself is untouched",
        )
    })?;
    writer.flush().map_err(|error| io(&error))?;
    drop(writer);
    let size_bytes = file.finish()?;
    let (items, height) = (log.items(), log.height());
    if json {
        let text = json!({
            "file": out.display().to_string(),
            "size_bytes": size_bytes,
            "items": items,
            "height": height,
            "tip": log.tip(),
            "left_out_height": cut.map(|cut| cut.height),
        });
        return out::json("log.export", &text);
    }
    let records = items - height - 1;
    out::line(&format!(
        "{}: {size_bytes} bytes, {items} items: the genesis, {height} blocks, {records} records",
        out.display()
    ))?;
    talk!("next: lode log replay '{}'", out.display());
    Ok(())
}

fn replay_file(path: &Path, json: bool) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| Failure::io(path, &error))?;
    let metadata = fs::metadata(path).map_err(|error| Failure::io(path, &error))?;
    if metadata.is_dir() {
        let message = format_args!("{} is a folder", path.display());
        let next = "name the file that 'lode log export' wrote";
        return Err(Failure::new("not_a_file", message, next).exit(Exit::Usage));
    }
    let size_bytes = metadata.len();
    let bar = items_bar()?;
    let replayed = replay(BufReader::new(file), |progress| show(&bar, progress));
    bar.finish_and_clear();
    let replayed = replayed.map_err(|error| not_replayed(path, &error))?;
    let totals = replayed
        .state
        .audit()
        .ok_or_else(|| Failure::bug("the purses do not add up to the supply"))?;
    let kinds = Purse::KINDS.into_iter().zip(totals.by_kind);
    if json {
        let purses: std::collections::BTreeMap<_, _> = kinds.collect();
        let balances: std::collections::BTreeMap<String, _> = replayed
            .state
            .accounts()
            .map(|(address, account)| (address.to_string(), account.balance))
            .collect();
        let text = json!({
            "network": replayed.network,
            "height": replayed.height,
            "records": replayed.records,
            "rejected": replayed.rejected,
            "tip": replayed.tip,
            "time_ms": replayed.time_ms,
            "state_root": replayed.state_root,
            "supply": replayed.state.network_info().supply,
            "purses": purses,
            "balances": balances,
        });
        out::json("log.replay", &text)
    } else {
        print_table(&replayed, size_bytes, kinds)
    }
}

/// What fails before the first block is most likely another file than was meant.
fn not_replayed(path: &Path, error: &ReplayError) -> Failure {
    let file = path.display();
    if error.height.is_none() && error.item.unwrap_or_default() == 0 {
        let message =
            format_args!("{file} is no exported log, or its beginning is damaged: {error}");
        let next =
            "name the file that 'lode log export' wrote; if it is that file, export the log again";
        return Failure::new("bundle", message, next);
    }
    let next = "do not trust this file: export the log again, or get it from another node";
    Failure::new("bundle", format_args!("{file}: {error}"), next)
}

/// A bar on a terminal, nothing elsewhere.
fn items_bar() -> Result<ProgressBar, Failure> {
    let style = ProgressStyle::with_template("  {bar:40} {pos} of {len} items");
    Ok(ProgressBar::new(0).with_style(style.map_err(Failure::bug)?))
}

fn show(bar: &ProgressBar, progress: Progress) {
    bar.set_length(progress.items_total);
    bar.set_position(progress.items);
}

fn print_table(
    replayed: &Replay,
    size_bytes: u64,
    kinds: impl Iterator<Item = (&'static str, protocol::Amount)>,
) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.add_row(["network", &replayed.network.to_string()]);
    table.add_row(["height", &replayed.height.to_string()]);
    let records = format!(
        "{}, {} of them rejected by a rule",
        replayed.records, replayed.rejected
    );
    table.add_row(["records", &records]);
    table.add_row(["last block", &replayed.tip.to_string()]);
    table.add_row(["bytes", &size_bytes.to_string()]);
    table.add_row(["accounts", &replayed.state.accounts().count().to_string()]);
    for (kind, amount) in kinds.filter(|(_, amount)| !amount.is_zero()) {
        table.add_row([
            &format!("LODE in {}", kind.replace('_', " ")),
            &amount.to_lode_string(),
        ]);
    }
    table.add_row([
        "LODE in all",
        &replayed.state.network_info().supply.to_lode_string(),
    ]);
    table.add_row(["state root", &replayed.state_root.to_string()]);
    out::line(&table.to_string())?;
    out::line(
        "every signature, root and balance holds; that it is the newest log, only a comparison of \
         height and root with the node's can show",
    )
}
