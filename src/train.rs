//! `lode train`: a recipe and a bounty's data in, a model folder out.
//!
//! ```text
//! $LODE_HOME/data/<asset>/           data sets that were fetched, unpacked
//! $LODE_HOME/training/<place>.json   what was begun where: Begun
//! $LODE_HOME/training/<place>.lock   held by the process that trains it
//! $LODE_HOME/training/<place>/       its checkpoint, while it is not finished
//! ```
//!
//! A training is a function of recipe, rows and base. What was begun is noted
//! before it starts, so that a second run knows a finished output from somebody
//! else's folder, and what a process that died has left beside it.

use std::cell::Cell;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use datasets::{DatasetError, LabelKind, MANIFEST_FILE};
use evaluator::{NoVerdict, fault};
use indicatif::{ProgressBar, ProgressStyle};
use miner::checkpoint::CheckpointError;
use miner::output::OutputError;
use miner::train::RECIPE_FILE;
use miner::{Checkpoints, Next, Outcome, Progress, Recipe, TrainError};
use models::error::WEIGHTS_FILE;
use models::{Architecture, Limits};
use protocol::Digest;
use protocol::api::BountyView;
use protocol::benchmark::Task;
use protocol::receipt::Phase;
use protocol::record::AssetKind;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::failure::{Exit, Failure};
use crate::out;
use crate::sealing::{OpenError, fetch_folder};
use crate::session::{Session, keep, lock};

const BEGUN_BYTES_MAX: usize = 64 * 1024;

/// Least time between two checkpoints: what a kill costs, unless a checkpoint takes long to write.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

/// Times that the last checkpoint took to be written until the next one.
const CHECKPOINT_SHARE: u32 = 10;

/// What `lode train` can be told.
#[derive(clap::Args)]
pub struct Args {
    /// The bounty: its id, the beginning of it, or its title.
    bounty: String,
    /// The recipe: shapes, optimiser, seed; examples are in examples/digits.
    #[arg(long, value_name = "FILE")]
    recipe: PathBuf,
    /// A data-set folder to train on [default: the data set that the bounty requires, fetched once].
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// A model folder to start from; it must have the recipe's hidden layers.
    #[arg(long, value_name = "FOLDER")]
    base: Option<PathBuf>,
    /// Where the model goes; nothing is overwritten.
    #[arg(long, value_name = "DIR", default_value = "model")]
    out: PathBuf,
    /// Begin anew, even if a training of this output was stopped and could go on.
    #[arg(long)]
    fresh: bool,
    /// Write a checkpoint after every so many steps, besides one every ten seconds.
    #[arg(long, value_name = "STEPS")]
    checkpoint_every: Option<std::num::NonZeroU64>,
}

/// What was begun in a folder.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    recipe: String,
    /// BLAKE3 of the data's manifest, which has the digests of all files.
    data: String,
    /// The same of the base's weights.
    base: Option<String>,
    /// The weights digest of what it came to, once that is there.
    #[serde(default)]
    finished: Option<Digest>,
}

/// Runs `lode train`.
///
/// # Errors
/// Recipe, data or base do not fit, or the output cannot be written.
#[allow(clippy::disallowed_methods)] // Checkpoints are written by the clock; no bit depends on when.
pub fn run(args: &Args, session: &Session) -> Result<(), Failure> {
    let bounty = session.client()?.bounty(session.bounty_id(&args.bounty)?)?;
    let bytes = fs::read(&args.recipe).map_err(|error| Failure::io(&args.recipe, &error))?;
    let recipe = Recipe::from_toml(&bytes).map_err(|error| {
        let next = "correct the recipe; examples/digits has some that work";
        let message = format!("{}: {error}", args.recipe.display());
        Failure::new(error.code(), message, next).exit(Exit::Usage)
    })?;
    check_limits(&recipe, &bounty)?;
    let data = match &args.data {
        Some(dir) => dir.clone(),
        None => required_data(session, &bounty)?,
    };
    check_data(&data, &bounty)?;
    let begun = Begun {
        recipe: recipe.to_toml(),
        data: digest_of(&data.join(MANIFEST_FILE))?,
        base: match &args.base {
            Some(dir) => Some(digest_of(&dir.join(WEIGHTS_FILE))?),
            None => None,
        },
        finished: None,
    };
    let note = note_path(session.home(), &args.out)?;
    if session.global.dry_run {
        talk!("dry run: nothing was trained. Recipe, limits and data fit.");
        if session.json() {
            let plan = json!({
                "out": args.out, "data": data, "base": args.base, "recipe": begun.recipe,
            });
            out::json("train.plan", &plan)?;
        }
        return Ok(());
    }
    // Two at once would write over each other's checkpoints, and the second over what the first has finished.
    let _turn = take_turn(&note)?;
    let mut was_ours = read_begun(&note);
    let came_to = was_ours.as_mut().and_then(|was| was.finished.take());
    let checkpoint = note.with_extension("");
    if was_ours.as_ref() == Some(&begun) && is_finished(&args.out, &begun, came_to) {
        // A process that died right after it wrote the model leaves one.
        let _ = miner::checkpoint::remove(&checkpoint);
        return say_finished(session, args, &bounty);
    }
    if was_ours.is_some() {
        clear_leftovers(&args.out);
    }
    // Only a free place is noted as ours.
    miner::output::check_free(&args.out).map_err(|error| {
        let next = match &error {
            OutputError::Io { path, error } => Failure::io(path, error).next_step,
            error => output_next(error),
        };
        Failure::new(error.code(), &error, next).exit(output_exit(&error))
    })?;
    keep(&note, &protocol::json::to_vec(&begun))?;
    if bounty.summary.phase != Phase::Open {
        talk!(
            "note: '{}' takes no submissions any more: it is in the phase '{}'",
            bounty.summary.title,
            bounty.summary.phase.name()
        );
    }
    talk!("  this may be stopped: the same command goes on from the last checkpoint");
    let bar = bar()?;
    let rhythm = Rhythm::new();
    let mut first = None;
    let mut next = |progress: Progress| {
        let first = *first.get_or_insert(progress.step);
        bar.set_length(progress.steps);
        bar.set_position(progress.step);
        if first > 1 && progress.step == first {
            let text = format!("going on after step {}", first - 1);
            tell(&bar, &text);
            // What an earlier run did says nothing of this one's speed.
            bar.reset_eta();
        }
        let Progress {
            epoch,
            epochs,
            loss,
            ..
        } = progress;
        if progress.step.is_multiple_of(32) {
            let held_out = progress
                .held_out_loss
                .map_or_else(String::new, |loss| format!(", best held out {loss:.4}"));
            bar.set_message(format!(
                "epoch {epoch} of {epochs}, loss {loss:.4}{held_out}"
            ));
        }
        let is_counted = args
            .checkpoint_every
            .is_some_and(|every| progress.step.is_multiple_of(every.get()));
        if is_counted || rhythm.is_due() {
            rhythm.begin();
            if bar.is_hidden() {
                let Progress { step, steps, .. } = progress;
                talk!("step {step} of {steps}, epoch {epoch} of {epochs}, loss {loss:.4}");
            }
            return Next::Save;
        }
        Next::Go
    };
    let mut was_written = true;
    let mut outcome = |outcome: Outcome| {
        let has_failed = matches!(outcome, Outcome::NotWritten(_));
        match outcome {
            Outcome::Written => {}
            // Said once, not after every step.
            Outcome::NotWritten(_) if !was_written => {}
            Outcome::NotWritten(error) => {
                let text = format!(
                    "warning: no checkpoint could be written: {error}\n  the training goes on, and tries again"
                );
                tell(&bar, &text);
            }
            Outcome::NotRemoved(error) => {
                let text = format!("warning: its checkpoint could not be removed: {error}");
                tell(&bar, &text);
            }
        }
        was_written = !has_failed;
        rhythm.end();
    };
    let checkpoints = Checkpoints {
        dir: &checkpoint,
        is_fresh: args.fresh,
        next: &mut next,
        outcome: &mut outcome,
    };
    let base = args.base.as_deref();
    let trained = miner::train_resumable(&recipe, &data, base, &args.out, checkpoints);
    bar.finish_and_clear();
    let trained = trained.map_err(|error| {
        let exit = match &error {
            TrainError::Output(error) => output_exit(error),
            _ => Exit::Failed,
        };
        Failure::new(error.code().to_owned(), &error, next_after(&error)).exit(exit)
    })?;
    // What cannot be noted costs a look at the folder's recipe instead.
    let finished = Some(trained.weights_digest);
    let _ = keep(&note, &protocol::json::to_vec(&Begun { finished, ..begun }));
    if session.json() {
        let value = json!({
            "out": args.out,
            "weights_digest": trained.weights_digest,
            "parameters": trained.config.parameters(),
            "rows": trained.rows,
            "epochs": trained.epochs,
            "steps": trained.steps,
            "loss": trained.loss,
            "best_epoch": trained.best_epoch,
            "held_out_loss": trained.held_out_loss,
            "was_finished": false,
        });
        return out::json("train", &value);
    }
    out::line(&format!(
        "trained {} parameters on {} rows, {} epochs; loss {:.4}\nweights digest {}\n{}",
        trained.config.parameters(),
        trained.rows,
        trained.epochs,
        trained.loss,
        trained.weights_digest,
        args.out.display()
    ))?;
    talk!(
        "  next: lode submit {} {} --check",
        bounty.summary.id,
        args.out.display()
    );
    Ok(())
}

/// The right to train to this output, until what is returned is dropped.
fn take_turn(note: &Path) -> Result<fs::File, Failure> {
    lock(&note.with_extension("lock"))?.ok_or_else(|| {
        let message = "a training of this output is running";
        let next = "wait for it, or name another folder with --out";
        Failure::new("training_running", message, next).exit(Exit::Later)
    })
}

/// When a checkpoint is due. Shared by what asks for one and what hears that it was written.
struct Rhythm {
    begun: Cell<Instant>,
    ended: Cell<Instant>,
    every: Cell<Duration>,
}

impl Rhythm {
    fn new() -> Self {
        let now = crate::watch::now();
        Self {
            begun: Cell::new(now),
            ended: Cell::new(now),
            every: Cell::new(CHECKPOINT_EVERY),
        }
    }

    fn is_due(&self) -> bool {
        self.ended.get().elapsed() >= self.every.get()
    }

    fn begin(&self) {
        self.begun.set(crate::watch::now());
    }

    fn end(&self) {
        self.ended.set(crate::watch::now());
        let took = self.ended.get().saturating_duration_since(self.begun.get());
        self.every.set(interval_after(took));
    }
}

/// The time from the end of a checkpoint to the next one: a large model or a slow disk shall not halve the speed.
fn interval_after(took: Duration) -> Duration {
    CHECKPOINT_EVERY.max(took.saturating_mul(CHECKPOINT_SHARE))
}

/// What to do about a training that failed.
fn next_after(error: &TrainError) -> String {
    const AGAIN: &str = "then give the same command again: it goes on from its checkpoint";
    match error {
        TrainError::Checkpoint(CheckpointError::Other { .. }) => {
            "go on with what it was begun with, or begin anew with --fresh".to_owned()
        }
        TrainError::Checkpoint(CheckpointError::Damaged { .. }) => {
            "begin anew with --fresh: it comes to the same bits".to_owned()
        }
        TrainError::Checkpoint(CheckpointError::Io { path, error })
        | TrainError::Output(OutputError::Io { path, error }) => match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => format!("make room, {AGAIN}"),
            _ => format!("{}, {AGAIN}", Failure::io(path, error).next_step),
        },
        TrainError::Output(error) => output_next(error),
        TrainError::Data(DatasetError::Io { path, error }) => {
            Failure::io(Path::new(path), error).next_step
        }
        TrainError::Base(fault::Failure::NoVerdict(NoVerdict::Io { path, error })) => {
            Failure::io(path, error).next_step
        }
        _ => "check recipe, data and base; no model was left behind".to_owned(),
    }
}

/// What to do about a place that no folder can be written to.
fn output_next(error: &OutputError) -> String {
    match error {
        OutputError::Kept { kept, .. } => {
            let kept = kept.display();
            format!("move '{kept}' to where you want it: it is a model folder like any other")
        }
        OutputError::Name(_) | OutputError::Fixed { .. } => {
            "name a new folder with --out".to_owned()
        }
        _ => "name another folder with --out, or remove this one".to_owned(),
    }
}

/// Whether it is the command line that names a place where nothing can be written.
const fn output_exit(error: &OutputError) -> Exit {
    match error {
        OutputError::Exists(_) | OutputError::Name(_) | OutputError::Link(_) => Exit::Usage,
        OutputError::Fixed { .. } | OutputError::Kept { .. } | OutputError::Io { .. } => {
            Exit::Failed
        }
    }
}

fn bar() -> Result<ProgressBar, Failure> {
    let bar = ProgressBar::new(0);
    // The last part gives way in a narrow window.
    let style = "{percent:>3} % {bar:16} {eta:>4} left  {wide_msg}";
    bar.set_style(ProgressStyle::with_template(style).map_err(Failure::bug)?);
    Ok(bar)
}

/// Says something above the bar, or without one.
fn tell(bar: &ProgressBar, text: &str) {
    match bar.is_hidden() {
        true => talk!("{text}"),
        false => bar.println(text),
    }
}

/// That what the recipe makes is allowed: worth knowing before hours of training.
fn check_limits(recipe: &Recipe, bounty: &BountyView) -> Result<(), Failure> {
    let benchmark = &bounty.posting.benchmark;
    let inputs = u64::from(benchmark.inputs);
    let outputs = u64::from(benchmark.task.outputs());
    let limits = Limits {
        parameters_max: benchmark.limits.parameters_max,
        multiply_adds_max: benchmark.limits.multiply_adds_max,
    };
    let config = recipe.model.config(inputs, outputs);
    config
        .and_then(|config| config.check_limits(&limits))
        .map_err(|error| {
            let message = format!("the bounty would refuse what this recipe makes: {error}");
            Failure::new(
                error.code(),
                message,
                "make the layers smaller, or fit them to the inputs",
            )
            .exit(Exit::Rejected)
        })
}

/// That a model of these data is one for the bounty: the same inputs, and as many classes.
fn check_data(dir: &Path, bounty: &BountyView) -> Result<(), Failure> {
    let manifest = datasets::Manifest::load(dir).map_err(|error| {
        let next = "name a data-set folder with --data; 'lode dataset init' makes one";
        let exit = match &error {
            DatasetError::NoManifest(_) => Exit::NotFound,
            _ => Exit::Usage,
        };
        Failure::new(error.code(), &error, next).exit(exit)
    })?;
    let benchmark = &bounty.posting.benchmark;
    let labels = match benchmark.task {
        Task::Classification { classes } => LabelKind::Classes(classes),
        Task::Regression => LabelKind::Numbers,
    };
    let what = |inputs: u32, labels: LabelKind| match labels.classes() {
        Some(classes) => format!("{inputs} inputs and {classes} classes"),
        None => format!("{inputs} inputs and numbers as labels"),
    };
    if (manifest.inputs(), manifest.labels()) == (benchmark.inputs, labels) {
        return Ok(());
    }
    let message = format!(
        "the data have {}, the bounty asks for {}",
        what(manifest.inputs(), manifest.labels()),
        what(benchmark.inputs, labels)
    );
    let next = "train on data of the bounty's shape: a model of these would be invalid";
    Err(Failure::new("data_shape", message, next).exit(Exit::Rejected))
}

/// The data set that every submission is made from, unpacked in the home.
fn required_data(session: &Session, bounty: &BountyView) -> Result<PathBuf, Failure> {
    let client = session.client()?;
    for parent in bounty
        .posting
        .parents
        .iter()
        .filter(|parent| parent.required)
    {
        let asset = client.asset(parent.asset)?;
        if asset.kind != AssetKind::DataSet {
            continue;
        }
        let dir = session.home().join("data").join(asset.id.to_string());
        if !dir.exists() {
            talk!("fetching '{}'; its terms:", asset.name);
            for sentence in &asset.sentences {
                talk!("  {sentence}");
            }
            match fetch_folder(asset.blob, client, &dir) {
                Ok(()) => {}
                // Another training has fetched it meanwhile; it is there whole, or not at all.
                Err(OpenError::Machine(_)) if dir.exists() => {}
                Err(OpenError::Machine(failure)) => return Err(failure),
                Err(_) => {
                    let message = format!("'{}' is no archive of a folder", asset.name);
                    let next = "name another folder with --data";
                    return Err(Failure::new("archive", message, next));
                }
            }
        }
        return Ok(dir);
    }
    let message = "this bounty requires no data set";
    Err(Failure::new("no_data", message, "say what to train on with --data").exit(Exit::Usage))
}

fn digest_of(path: &Path) -> Result<String, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::io(path, &error))?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

fn note_path(home: &Path, out: &Path) -> Result<PathBuf, Failure> {
    let whole = std::path::absolute(out).map_err(|error| Failure::io(out, &error))?;
    let name = blake3::hash(whole.as_os_str().as_encoded_bytes()).to_hex();
    Ok(home.join("training").join(format!("{name}.json")))
}

fn read_begun(path: &Path) -> Option<Begun> {
    protocol::json::from_slice(&fs::read(path).ok()?, BEGUN_BYTES_MAX).ok()
}

/// Whether the folder is what this training comes to: it is written whole or not at all. Of one that died right after
/// that it is not known what it came to.
fn is_finished(out: &Path, begun: &Begun, came_to: Option<Digest>) -> bool {
    let recipe = fs::read(out.join(RECIPE_FILE));
    let is_of_recipe = recipe.is_ok_and(|recipe| recipe == begun.recipe.as_bytes());
    let is_it = |found: Digest| came_to.is_none_or(|came_to| came_to == found);
    is_of_recipe && crate::model::load_any(out).is_ok_and(|model| is_it(model.weights_digest))
}

/// Removes what a training of ours that died while it wrote has left beside its output.
fn clear_leftovers(out: &Path) {
    let Some(name) = out.file_name() else {
        return;
    };
    let prefix = format!(".{}.partial-", name.to_string_lossy());
    let dir = out.parent().filter(|dir| !dir.as_os_str().is_empty());
    let Ok(entries) = fs::read_dir(dir.unwrap_or(Path::new("."))) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_left = entry.file_name().to_string_lossy().starts_with(&prefix);
        // A finished model that could not take its name is kept: it may be of another recipe.
        let is_whole = || path.join(RECIPE_FILE).exists() && crate::model::load_any(&path).is_ok();
        if is_left && !is_whole() {
            // What cannot be removed is in nobody's way.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn say_finished(session: &Session, args: &Args, bounty: &BountyView) -> Result<(), Failure> {
    let digest = crate::model::load_any(&args.out)?.weights_digest;
    if session.json() {
        let value = json!({ "out": args.out, "weights_digest": digest, "was_finished": true });
        return out::json("train", &value);
    }
    talk!(
        "this training is finished already: the same recipe on the same data comes to the same bits"
    );
    out::line(&format!("weights digest {digest}\n{}", args.out.display()))?;
    talk!(
        "  next: lode submit {} {} --check",
        bounty.summary.id,
        args.out.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_trains_to_an_output_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let note = dir.path().join("training/place.json");
        let turn = take_turn(&note).unwrap();
        let failure = take_turn(&note).unwrap_err();
        assert_eq!(failure.code, "training_running");
        assert_eq!(failure.exit, Exit::Later);
        drop(turn);
        take_turn(&note).unwrap();
    }

    #[test]
    fn a_full_disk_is_told_from_a_wrong_recipe() {
        let full = || std::io::Error::from(ErrorKind::StorageFull);
        let path = || PathBuf::from("somewhere");
        let checkpoint = CheckpointError::Io {
            path: path(),
            error: full(),
        };
        let output = OutputError::Io {
            path: path(),
            error: full(),
        };
        for error in [TrainError::from(checkpoint), TrainError::from(output)] {
            assert_eq!(
                next_after(&error),
                "make room, then give the same command again: it goes on from its checkpoint"
            );
        }
        let kept = OutputError::Kept {
            path: path(),
            kept: PathBuf::from("elsewhere"),
            error: full(),
        };
        assert!(next_after(&kept.into()).contains("move 'elsewhere'"));
    }

    #[test]
    fn a_slow_disk_is_written_to_less_often() {
        let seconds = Duration::from_secs;
        assert_eq!(interval_after(seconds(0)), seconds(10));
        assert_eq!(interval_after(seconds(3)), seconds(30));
    }

    #[test]
    fn only_our_leftovers_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            ".model.partial-0",
            ".model.partial-12",
            ".other.partial-0",
            "model",
        ] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        clear_leftovers(&dir.path().join("model"));
        let mut left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, [".other.partial-0", "model"]);
    }
}
