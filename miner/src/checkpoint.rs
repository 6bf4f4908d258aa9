//! The state of a training on disk, so that a training that was killed goes on to the same bits.
//!
//! ```text
//! DIR/checkpoint.json          what the state belongs to, where the training was, what the other file is
//! DIR/state-<step>.safetensors weights.NAME, best.NAME, moment.PARAMETER.NUMBER: 32-bit floats
//! ```
//!
//! Each file is written under a temporary name, synced, and renamed; the state first, then `checkpoint.json`, which
//! has its length and BLAKE3 digest, and last the state before is removed. So whenever a process dies, `checkpoint.json` is
//! whole and names a whole state, or there is none. It ends with a digest of itself.
//!
//! A checkpoint belongs to one training: recipe, rows, base and version of the arithmetic. Sums are stored as the
//! bits of their binary64, in hexadecimal.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use models::{Architecture, ModelConfig, Tensor, Weights};
use ndarray::ArrayView2;
use safetensors::Dtype;
use safetensors::tensor::{SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use crate::fit::{Best, Counts, State, Targets, Trainer};
use crate::output::sync_folder;
use crate::recipe::Recipe;

/// Name of the file that says what a checkpoint is.
pub const CHECKPOINT_FILE: &str = "checkpoint.json";

/// The most bytes of that file.
pub const CHECKPOINT_BYTES_MAX: u64 = 64 << 10;

const FORMAT: &str = "lode/checkpoint/1";

/// The most bytes of a state's header.
const HEADER_BYTES_MAX: u64 = 1 << 20;

/// What a checkpoint belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// BLAKE3 of the canonical recipe.
    pub recipe: String,
    /// BLAKE3 of the rows: their shape, inputs and targets.
    pub data: String,
    /// SHA-256 digest of the base's weights, in hexadecimal; empty without a base.
    pub base: String,
    /// Version of `repro`'s arithmetic.
    pub arithmetic: u32,
}

impl Origin {
    /// Of a training on these.
    pub fn of(
        recipe: &Recipe,
        inputs: ArrayView2<'_, f32>,
        targets: Targets<'_>,
        base: Option<&Weights>,
    ) -> Self {
        let mut hash = blake3::Hasher::new();
        for len in [inputs.nrows(), inputs.ncols()] {
            hash.update(&(len as u64).to_le_bytes());
        }
        for row in inputs.rows() {
            let bytes: Vec<u8> = row.iter().flat_map(|x| x.to_le_bytes()).collect();
            hash.update(&bytes);
        }
        let targets: Vec<u8> = match targets {
            Targets::Classes { labels, classes } => {
                hash.update(b"classes").update(&classes.to_le_bytes());
                labels.iter().flat_map(|x| x.to_le_bytes()).collect()
            }
            Targets::Values(values) => {
                hash.update(b"values");
                values.iter().flat_map(|x| x.to_le_bytes()).collect()
            }
        };
        hash.update(&targets);
        Self {
            recipe: blake3::hash(recipe.to_toml().as_bytes())
                .to_hex()
                .to_string(),
            data: hash.finalize().to_hex().to_string(),
            base: base.map_or_else(String::new, |base| {
                base.digest().iter().map(|b| format!("{b:02x}")).collect()
            }),
            arithmetic: repro::VERSION,
        }
    }
}

/// Why a checkpoint cannot be written or gone on from.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It belongs to another training.
    #[error(
        "the checkpoint in '{dir}' is of another training: its {what} differs. Train with what it was begun with, \
         or begin anew, which removes it"
    )]
    Other {
        /// Where it is.
        dir: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// Its bytes are not those that were written.
    #[error("the checkpoint in '{dir}' is damaged: {what}. Begin anew, which removes it")]
    Damaged {
        /// Where it is.
        dir: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The system's error.
    #[error("'{path}': {error}")]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl CheckpointError {
    /// The stable code, in snake case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Other { .. } => "checkpoint_other",
            Self::Damaged { .. } => "checkpoint_damaged",
            Self::Io { .. } => "checkpoint_io",
        }
    }
}

/// `checkpoint.json` but for its digest.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format: String,
    origin: Origin,
    step: u64,
    /// Bits of [`Counts::total`].
    total: String,
    seen: u64,
    best: Option<BestNote>,
    state: String,
    state_bytes: u64,
    state_blake3: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BestNote {
    epoch: u64,
    /// Bits of [`Best::loss`].
    loss: String,
}

/// A note and the digest of its compact JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    note: Note,
    blake3: String,
}

/// Writes a checkpoint in place of the one before; the folder is made if it is not there.
///
/// # Errors
/// [`CheckpointError::Io`]; the checkpoint before is then still there.
pub fn write(dir: &Path, origin: &Origin, state: &State) -> Result<(), CheckpointError> {
    fs::create_dir_all(dir).map_err(|error| at(dir, error))?;
    let bytes = tensors_of(state);
    let note = Note {
        format: FORMAT.to_owned(),
        origin: origin.clone(),
        step: state.counts.step,
        total: hex(state.counts.total),
        seen: state.counts.seen,
        best: state.best.as_ref().map(|best| BestNote {
            epoch: best.epoch,
            loss: hex(best.loss),
        }),
        state: format!("state-{}.safetensors", state.counts.step),
        state_bytes: bytes.len() as u64,
        state_blake3: blake3::hash(&bytes).to_hex().to_string(),
    };
    replace(dir, &note.state, &bytes)?;
    let digest = digest(&note);
    let keep = note.state.clone();
    let signed = Signed {
        note,
        blake3: digest,
    };
    let json = serde_json::to_vec_pretty(&signed).expect("strings and whole numbers are JSON");
    let replaced = replace(dir, CHECKPOINT_FILE, &json);
    if replaced.is_err()
        && bytes_of(&dir.join(CHECKPOINT_FILE), CHECKPOINT_BYTES_MAX)
            .is_ok_and(|found| found.as_deref() != Some(&json))
    {
        // Nothing names the new state, and a full disk needs its room. Best effort, as below.
        let _ = fs::remove_file(dir.join(&keep));
    }
    replaced?;
    remove_states(dir, Some(&keep))
}

/// Reads the checkpoint of a training, if there is one.
///
/// # Errors
/// [`CheckpointError`] if it is another training's, or damaged, or cannot be read.
pub fn read(
    dir: &Path,
    origin: &Origin,
    trainer: &Trainer<'_>,
) -> Result<Option<State>, CheckpointError> {
    let damaged = |what: &str| CheckpointError::Damaged {
        dir: dir.to_owned(),
        what: what.to_owned(),
    };
    let Some(json) = bytes_of(&dir.join(CHECKPOINT_FILE), CHECKPOINT_BYTES_MAX)? else {
        return Ok(None);
    };
    let signed: Signed = serde_json::from_slice(&json)
        .map_err(|_| damaged("checkpoint.json is not what was written"))?;
    let note = signed.note;
    if digest(&note) != signed.blake3 || note.format != FORMAT {
        return Err(damaged("checkpoint.json has another digest than it says"));
    }
    for (what, found, expected) in [
        ("recipe", &note.origin.recipe, &origin.recipe),
        ("training data", &note.origin.data, &origin.data),
        ("base", &note.origin.base, &origin.base),
    ] {
        if found != expected {
            let dir = dir.to_owned();
            return Err(CheckpointError::Other { dir, what });
        }
    }
    if note.origin.arithmetic != origin.arithmetic {
        return Err(CheckpointError::Other {
            dir: dir.to_owned(),
            what: "version of the arithmetic",
        });
    }
    let config = trainer.config();
    let copies = 2 + trainer.moments_each() as u64;
    let limit = HEADER_BYTES_MAX + copies * 4 * config.parameters();
    if note.state != format!("state-{}.safetensors", note.step) || note.state_bytes > limit {
        return Err(damaged("checkpoint.json names no state of this model"));
    }
    let bytes = bytes_of(&dir.join(&note.state), note.state_bytes)?
        .ok_or_else(|| damaged("its state is not there"))?;
    if bytes.len() as u64 != note.state_bytes
        || blake3::hash(&bytes).to_hex().as_str() != note.state_blake3
    {
        return Err(damaged("its state has other bytes than were written"));
    }
    let state = state_of(&note, &bytes, config, trainer.moments_each())
        .ok_or_else(|| damaged("its state is not one of this model"))?;
    if !trainer.is_possible(&state) {
        return Err(damaged(
            "its numbers are not those of any step of this training",
        ));
    }
    Ok(Some(state))
}

/// Removes a checkpoint, whatever it is; the folder too, if nothing else is in it.
///
/// # Errors
/// [`CheckpointError::Io`]
pub fn remove(dir: &Path) -> Result<(), CheckpointError> {
    match fs::remove_file(dir.join(CHECKPOINT_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(at(&dir.join(CHECKPOINT_FILE), error));
        }
        _ => {}
    }
    if dir.is_dir() {
        remove_states(dir, None)?;
        // What is not ours in it stays.
        let _ = fs::remove_dir(dir);
    }
    Ok(())
}

/// Removes states and what was being written when a process died, but for one.
fn remove_states(dir: &Path, keep: Option<&str>) -> Result<(), CheckpointError> {
    let entries = fs::read_dir(dir).map_err(|error| at(dir, error))?;
    for entry in entries {
        let entry = entry.map_err(|error| at(dir, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_state = name.starts_with("state-") && name.ends_with(".safetensors");
        let is_partial = name.starts_with('.') && name.ends_with(".partial");
        if (is_state && keep != Some(name.as_str())) || is_partial {
            fs::remove_file(entry.path()).map_err(|error| at(&entry.path(), error))?;
        }
    }
    Ok(())
}

/// Writes a file under another name, syncs it, renames it, and syncs the folder.
fn replace(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), CheckpointError> {
    let (partial, path) = (dir.join(format!(".{name}.partial")), dir.join(name));
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        sync_folder(dir)
    };
    write().map_err(|error| {
        // On a full disk it would be in the way of the next one. The error that matters is the first one.
        let _ = fs::remove_file(&partial);
        at(&path, error)
    })
}

/// The bytes of a file, one more than the limit at most; `None` if it is not there.
fn bytes_of(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, CheckpointError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(path, error)),
    };
    let mut bytes = Vec::new();
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(|error| at(path, error))?;
    Ok(Some(bytes))
}

fn at(path: &Path, error: io::Error) -> CheckpointError {
    CheckpointError::Io {
        path: path.to_owned(),
        error,
    }
}

fn digest(note: &Note) -> String {
    let json = serde_json::to_vec(note).expect("strings and whole numbers are JSON");
    blake3::hash(&json).to_hex().to_string()
}

fn hex(number: f64) -> String {
    format!("{:016x}", number.to_bits())
}

fn from_hex(text: &str) -> Option<f64> {
    u64::from_str_radix(text, 16).ok().map(f64::from_bits)
}

fn tensors_of(state: &State) -> Vec<u8> {
    let mut all: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
    let mut add = |name: String, shape: Vec<usize>, values: &[f32]| {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        all.insert(name, (shape, bytes));
    };
    let best = state.best.as_ref().map(|best| ("best", &best.weights));
    for (prefix, weights) in [("weights", &state.weights)].into_iter().chain(best) {
        for (name, tensor) in weights.tensors() {
            add(
                format!("{prefix}.{name}"),
                tensor.shape.clone(),
                &tensor.values,
            );
        }
    }
    for (parameter, moments) in state.moments.iter().enumerate() {
        for (number, values) in moments.iter().enumerate() {
            add(
                format!("moment.{parameter}.{number}"),
                vec![values.len()],
                values,
            );
        }
    }
    let views = all.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes)
            .expect("the number of values is the product of the shape");
        (name, view)
    });
    safetensors::serialize(views, None).expect("names are strings, shapes fit their bytes")
}

/// The state in these bytes, if it is one of this model and optimiser.
fn state_of(note: &Note, bytes: &[u8], config: &ModelConfig, moments_each: usize) -> Option<State> {
    let file = SafeTensors::deserialize(bytes).ok()?;
    let values = |name: &str| -> Option<(Vec<usize>, Vec<f32>)> {
        let view = file.tensor(name).ok()?;
        let values = view.data().chunks_exact(4);
        let values = values.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        (view.dtype() == Dtype::F32).then(|| (view.shape().to_vec(), values.collect()))
    };
    let weights = |prefix: &str| -> Option<Weights> {
        let tensor = |name: String| {
            let (shape, values) = values(&format!("{prefix}.{name}"))?;
            Some((name, Tensor { shape, values }))
        };
        let tensors: Option<BTreeMap<_, _>> = config
            .tensors()
            .into_iter()
            .map(|spec| tensor(spec.name))
            .collect();
        Weights::from_tensors(config, tensors?).ok()
    };
    let moment = |parameter: usize, number: usize, len: usize| {
        let (_, values) = values(&format!("moment.{parameter}.{number}"))?;
        (values.len() == len).then_some(values)
    };
    let specs = config.tensors();
    // The model walks its parameters in the order of declaration; before the first step there are no moments.
    let count = if note.step == 0 { 0 } else { specs.len() };
    let moments: Option<Vec<Vec<Vec<f32>>>> = specs[..count]
        .iter()
        .enumerate()
        .map(|(parameter, spec)| {
            (0..moments_each)
                .map(|number| moment(parameter, number, spec.len()))
                .collect()
        })
        .collect();
    let best = match &note.best {
        None => None,
        Some(best) => Some(Best {
            epoch: best.epoch,
            loss: from_hex(&best.loss)?,
            weights: weights("best")?,
        }),
    };
    Some(State {
        counts: Counts {
            step: note.step,
            total: from_hex(&note.total)?,
            seen: note.seen,
        },
        weights: weights("weights")?,
        moments: moments?,
        best,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    const RECIPE: &str =
        "[model]\nhidden = [2]\n[train]\nepochs = 3\nbatch_size = 4\nheld_out = 0.1\nseed = 1\n";

    /// Whether a state of five steps, changed so, can be gone on from; 9 rows in batches of 4 are 3 steps an epoch.
    fn check(change: impl FnOnce(&mut State), is_possible: bool) {
        let recipe = Recipe::parse(RECIPE).unwrap();
        let inputs = Array2::from_shape_fn((10, 3), |(row, column)| (row * column) as f32);
        let labels = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
        let targets = Targets::Classes {
            labels: &labels,
            classes: 2,
        };
        let mut trainer = Trainer::new(&recipe, inputs.view(), targets, None).unwrap();
        for _ in 0..5 {
            trainer.step().unwrap();
        }
        let mut state = trainer.state().unwrap();
        change(&mut state);
        let root = tempfile::tempdir().unwrap();
        let origin = Origin::of(&recipe, inputs.view(), targets, None);
        write(root.path(), &origin, &state).unwrap();
        match read(root.path(), &origin, &trainer) {
            Ok(found) => assert!(is_possible && found == Some(state)),
            Err(error) => assert!(
                !is_possible && error.code() == "checkpoint_damaged",
                "{error}"
            ),
        }
    }

    #[test]
    fn a_state_that_no_step_comes_to_is_damaged_whoever_signed_it() {
        let best = |state: &mut State, change: fn(&mut Best)| {
            change(state.best.as_mut().expect("an epoch is over"));
        };
        check(|_| (), true);
        check(|state| state.counts.step = 6, false);
        check(
            |state| (state.counts.step, state.counts.seen) = (6, 9),
            true,
        );
        check(
            |state| (state.counts.step, state.counts.seen) = (11, 8),
            false,
        );
        check(|state| state.counts.step = u64::MAX, false);
        check(|state| state.counts.seen = 0, false);
        check(|state| state.counts.total = f64::NAN, false);
        check(|state| best(state, |best| best.epoch = 2), false);
        check(|state| best(state, |best| best.epoch = 0), false);
        check(|state| best(state, |best| best.epoch = u64::MAX), false);
        check(|state| best(state, |best| best.loss = f64::INFINITY), false);
        check(|state| state.best = None, false);
    }

    #[test]
    fn what_could_not_be_written_leaves_no_part() {
        let root = tempfile::tempdir().unwrap();
        // A folder cannot be replaced by a file.
        fs::create_dir(root.path().join("state")).unwrap();
        replace(root.path(), "state", b"bytes").unwrap_err();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
