//! `lode demo`: the whole market on one machine, on real data.

mod acts;
mod cast;
mod lab;
mod story;
mod summary;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use protocol::receipt::Purse;

use crate::failure::{Exit, Failure};
use crate::out;
use acts::Play;
use cast::CAST;
use story::{Story, grouped, lode_text};
use summary::Summary;
use world::endowment;

/// The largest seed: a thousand times it is still a seed of a recipe.
const SEED_MAX: u64 = 9_000_000_000_000_000;

/// What `lode demo` can be told.
#[derive(clap::Args)]
pub struct Args {
    /// Keep the files in this folder, which must be empty or not exist yet.
    #[arg(long, value_name = "D")]
    dir: Option<PathBuf>,
    /// Another story: other keys, other first weights.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u64).range(..=SEED_MAX))]
    seed: u64,
}

/// Plays the story.
///
/// # Errors
/// If the folder is not empty, or something could not be read or written.
pub fn run(args: &Args, json: bool) -> Result<(), Failure> {
    let Some(dir) = &args.dir else {
        let temp = std::env::temp_dir();
        let scratch = tempfile::tempdir().map_err(|error| {
            let message = format_args!("no temporary folder in {}: {error}", temp.display());
            Failure::new(
                "temporary_folder",
                message,
                "set TMPDIR to a folder that you may write to",
            )
        })?;
        return play(args, json, scratch.path());
    };
    check_empty(dir)?;
    fs::create_dir_all(dir).map_err(|error| Failure::io(dir, &error))?;
    play(args, json, dir).inspect_err(|_| {
        talk!(
            "note: {} holds an unfinished demo; delete it before the next try",
            dir.display()
        );
    })
}

fn play(args: &Args, is_json: bool, dir: &Path) -> Result<(), Failure> {
    // Only for the line that says how long it took; nothing else sees a clock.
    #[allow(clippy::disallowed_methods)]
    let begin = Instant::now();
    let mut play = Play::new(dir, args.seed, Story::new(is_json))?;
    play.perform()?;
    close(&mut play)?;
    let seconds = begin.elapsed().as_secs_f64();
    let summary = Summary::of(&play, seconds)?;
    let json = serde_json::to_string_pretty(&summary).map_err(Failure::bug)?;
    play.story
        .say(&format!("All of it took {seconds:.1} seconds."));
    if args.dir.is_some() {
        write_files(dir, &play, &json)?;
    }
    play.story.check_printed()?;
    match (&args.dir, is_json) {
        (_, true) => out::bytes(format!("{json}\n").as_bytes()),
        (Some(dir), false) => out::line(&format!(
            "\nThe files are in {}; begin with README.txt there.",
            dir.display()
        )),
        (None, false) => out::line("\nTo look at the files, run it with --dir lode-demo."),
    }
}

fn check_empty(dir: &Path) -> Result<(), Failure> {
    let is_used = match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if dir.is_symlink() {
                let message = format_args!("{} is a link that leads nowhere", dir.display());
                let next = "name a folder that is empty or does not exist, or delete that link";
                return Err(Failure::new("folder_used", message, next).exit(Exit::Usage));
            }
            false
        }
        Err(error) => return Err(Failure::io(dir, &error)),
    };
    if is_used {
        let message = format_args!(
            "{} is not empty, and the demo overwrites nothing",
            dir.display()
        );
        let next = "name a folder that is empty or does not exist, or delete that one";
        return Err(Failure::new("folder_used", message, next).exit(Exit::Usage));
    }
    Ok(())
}

/// The last act: what everyone has, and that the log alone gives the same.
fn close(play: &mut Play<'_>) -> Result<(), Failure> {
    play.story.act("The books");
    let rows = CAST.iter().map(|&(who, name, _)| {
        let address = play.world.address(who);
        let balance = play.world.state().balance(Purse::Account(address));
        let stake = play.world.state().balance(Purse::Stake(address));
        let cells = [endowment(who), balance, stake].map(lode_text);
        std::iter::once(name.to_owned()).chain(cells).collect()
    });
    let rows = rows.collect();
    play.story.table(
        &["name", "began with", "has now", "at stake"],
        &[1, 2, 3],
        rows,
    );
    let totals = play
        .world
        .state()
        .audit()
        .ok_or_else(|| Failure::bug("the supply is off"))?;
    let kinds = Purse::KINDS.into_iter().zip(totals.by_kind);
    let rows: Vec<Vec<String>> = kinds
        .filter(|(_, amount)| !amount.is_zero())
        .map(|(kind, amount)| vec![kind.replace('_', " "), lode_text(amount)])
        .collect();
    play.story
        .table(&["where all money is", "LODE"], &[1], rows);
    let supply = play.world.state().network_info().supply;
    play.story.say(&format!(
        "Together {} LODE, the same as at the beginning, to the last of 10^24 parts of each. \
         Burned are the forfeited 25 LODE and the fees for the records' bytes.",
        lode_text(supply)
    ));

    let mut bundle = Vec::new();
    node::export::export(play.world.chain().log().view(), &mut bundle, |_| {})
        .map_err(|error| Failure::bug(error.to_string()))?;
    let replayed = node::replay::replay(&bundle[..], |_| {})
        .map_err(|error| Failure::bug(error.to_string()))?;
    let state = play.world.state();
    if replayed.state_root != state.root() {
        return Err(Failure::bug("the replayed log gives another state"));
    }
    play.story.say(&format!(
        "The log exports as one file of {} bytes: the genesis, {} blocks and {} signed records. \
         Replayed from nothing else, with every signature checked, it gives the same state. One hash \
         stands for all of it, the state root: {}.",
        grouped(&bundle.len().to_string()),
        replayed.height,
        replayed.records,
        replayed.state_root
    ));
    Ok(())
}

fn write_files(dir: &Path, play: &Play<'_>, json: &str) -> Result<(), Failure> {
    let guide = format!(
        "What the demo left behind\n\n\
         story.txt      the story\n\
         demo.json      its result for programs\n\
         people/NAME/   what each had on disk: data, recipes, models, reports, opened seals\n\
         log/           the truth: every block, append-only\n\
         state/         what the log folds to; may be deleted, is rebuilt\n\
         blobs/         ciphertexts, archives and prediction leaves, named by their BLAKE3 root\n\n\
         lode log export --dir '{0}' --out log.bundle   the whole log as one ANS-104 bundle\n\
         lode log replay log.bundle   every balance recomputed from it\n",
        dir.display()
    );
    for (name, text) in [
        ("story.txt", play.story.text()),
        ("demo.json", json),
        ("README.txt", &guide),
    ] {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|error| Failure::io(&path, &error))?;
    }
    Ok(())
}
