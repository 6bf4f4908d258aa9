//! `lode log`: the whole log as one bundle, and every balance recomputed from it.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use comfy_table::{Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use node::log::{Log, LogError};
use node::replay::{Progress, Replay, replay};
use protocol::receipt::Purse;
use serde_json::json;

use crate::failure::{Exit, Failure};

/// What `lode log` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write the whole log as one flat ANS-104 bundle.
    Export {
        /// The node's folder.
        #[arg(long, value_name = "D")]
        dir: PathBuf,
        /// The file to write; without it D/log.bundle.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Overwrite the file if it is there.
        #[arg(long)]
        force: bool,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Recompute every balance from a bundle and nothing else.
    Replay {
        /// The bundle.
        #[arg(value_name = "FILE")]
        bundle: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// Whether errors are to be JSON too.
    pub fn json(&self) -> bool {
        match self {
            Self::Export { json, .. } | Self::Replay { json, .. } => *json,
        }
    }
}

/// Runs `lode log …`.
///
/// # Errors
/// If the log or the bundle cannot be read, or does not hold.
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Export {
            dir,
            out,
            force,
            json,
        } => {
            let out = out.clone().unwrap_or_else(|| dir.join("log.bundle"));
            export(dir, &out, *force, *json)
        }
        Command::Replay { bundle, json } => replay_file(bundle, *json),
    }
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
        error => Failure::new("log", error, "restore the log from a copy: it is the truth"),
    }
}

fn export(dir: &Path, out: &Path, force: bool, json: bool) -> Result<(), Failure> {
    if out.exists() && !force {
        let message = format_args!("{} is there already", out.display());
        let next = "choose another --out, or add --force to overwrite it";
        return Err(Failure::new("file_exists", message, next).exit(Exit::Usage));
    }
    let (log, cut) = Log::open(&dir.join("log")).map_err(log_failure)?;
    if let Some(cut) = cut {
        eprintln!(
            "note: the last write was cut short: {} bytes at the end of {} are kept in {}",
            cut.size_bytes,
            cut.segment.display(),
            cut.kept_at.display()
        );
    }
    let io = |error: &std::io::Error| Failure::io(out, error);
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| io(&error))?;
    let mut writer = BufWriter::new(file.as_file_mut());
    let bar = items_bar()?;
    let exported = node::export::export(&log, &mut writer, |progress| show(&bar, progress));
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
    let size_bytes = file.as_file().metadata().map_err(|error| io(&error))?.len();
    file.as_file().sync_all().map_err(|error| io(&error))?;
    file.persist(out).map_err(|error| io(&error.error))?;
    if json {
        let text = json!({
            "file": out.display().to_string(),
            "size_bytes": size_bytes,
            "items": log.items(),
            "height": log.height(),
        });
        println!("{text}");
    } else {
        println!(
            "{}: {} items up to height {}, {size_bytes} bytes",
            out.display(),
            log.items(),
            log.height()
        );
        eprintln!("next: lode log replay {}", out.display());
    }
    Ok(())
}

fn replay_file(path: &Path, json: bool) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| Failure::io(path, &error))?;
    let size_bytes = fs::metadata(path)
        .map_err(|error| Failure::io(path, &error))?
        .len();
    let bar = items_bar()?;
    let replayed = replay(BufReader::new(file), |progress| show(&bar, progress));
    bar.finish_and_clear();
    let replayed = replayed.map_err(|error| {
        let message = format_args!("{}: {error}", path.display());
        let next = "do not trust this file: export the log again, or get it from another node";
        Failure::new("bundle", message, next)
    })?;
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
            "state_root": replayed.state_root,
            "supply": replayed.state.network_info().supply,
            "purses": purses,
            "balances": balances,
        });
        println!("{text}");
    } else {
        print_table(&replayed, size_bytes, kinds);
    }
    Ok(())
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
) {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.add_row(["network", &replayed.network.to_string()]);
    table.add_row(["height", &replayed.height.to_string()]);
    table.add_row(["records", &replayed.records.to_string()]);
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
    println!("{table}");
    println!("every signature, root and balance holds");
}
