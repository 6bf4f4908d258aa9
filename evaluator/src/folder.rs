//! The model folder: which files it may have, how large, strictly read.
//!
//! A folder has `config.json` and `model.safetensors`, and may have `README.md`,
//! `LICENSE` and `recipe.toml`, which are not read but counted. Anything else,
//! a folder or a link included, is a fault, so that nothing can travel with the
//! weights that no evaluator looked at.
//!
//! Order of the checks, the first fault being the one reported: entries that do
//! not belong (lowest name first), files that are missing (in the order above),
//! bytes of all files together, `config.json`, its widths against the
//! benchmark, parameters, multiply-adds, then the weights as in
//! [`models::reader`]. Every size is checked before the file is read.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use models::config::CONFIG_BYTES_MAX;
use models::error::{CONFIG_FILE, WEIGHTS_FILE};
use models::reader::check_file_size;
use models::{Architecture, Limits, ModelConfig, ModelError, Weights};
use protocol::benchmark::{Benchmark, Task};
use protocol::id::Digest;

use crate::fault::{Failure, Fault, NoVerdict};

/// Files that a model folder must have.
pub const FILES_REQUIRED: [&str; 2] = [CONFIG_FILE, WEIGHTS_FILE];

/// Files that a model folder may have; counted, not read.
pub const FILES_OPTIONAL: [&str; 3] = ["LICENSE", "README.md", "recipe.toml"];

/// A model that passed every check of its folder.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedModel {
    /// Its shapes.
    pub config: ModelConfig,
    /// Its weights, complete and finite.
    pub weights: Weights,
    /// The digest that names the weights.
    pub weights_digest: Digest,
    /// Bytes of all files of the folder together.
    pub folder_bytes: u64,
}

/// Reads a model folder and holds it against a benchmark.
///
/// # Errors
/// [`Failure::Fault`] for what is wrong with the model, in the order of the
/// module's head; [`Failure::NoVerdict`] if something could not be read.
pub fn load_model(dir: &Path, benchmark: &Benchmark) -> Result<LoadedModel, Failure> {
    let sizes = list(dir)?;
    let folder_bytes: u64 = sizes.values().sum();
    let limit_bytes = benchmark.limits.file_bytes_max;
    if folder_bytes > limit_bytes {
        let message =
            format!("the model folder has {folder_bytes} bytes, the limit is {limit_bytes}");
        return Err(Fault::new("folder_too_large", "folder", message).into());
    }
    let size_bytes = sizes[CONFIG_FILE];
    if size_bytes > CONFIG_BYTES_MAX {
        return Err(ModelError::ConfigTooLong {
            size_bytes,
            limit_bytes: CONFIG_BYTES_MAX,
        }
        .into());
    }
    let config = ModelConfig::from_json(&read(&dir.join(CONFIG_FILE), size_bytes)?)?;
    check_widths(&config, benchmark)?;
    config.check_limits(&Limits {
        parameters_max: benchmark.limits.parameters_max,
        multiply_adds_max: benchmark.limits.multiply_adds_max,
    })?;
    let size_bytes = sizes[WEIGHTS_FILE];
    check_file_size(&config, size_bytes)?;
    let weights = Weights::from_safetensors(&config, &read(&dir.join(WEIGHTS_FILE), size_bytes)?)?;
    let weights_digest = Digest(weights.digest());
    Ok(LoadedModel {
        config,
        weights,
        weights_digest,
        folder_bytes,
    })
}

/// Entries that do not belong into a model folder. Only the lowest is kept: memory does not grow with the folder.
///
/// Whoever unpacks an archive asks it before anything is written: what a model is must not hang on how many files a disk
/// has room for.
#[derive(Debug, Default)]
pub struct Strangers(Option<(String, bool)>);

impl Strangers {
    /// Whether an entry of this name belongs, which is a regular file or something else.
    pub fn admits(&mut self, name: &str, is_file: bool) -> bool {
        let mut known = FILES_REQUIRED.iter().chain(&FILES_OPTIONAL);
        let is_known = known.any(|known| *known == name);
        if is_known && is_file {
            return true;
        }
        let Self(lowest) = self;
        if lowest
            .as_ref()
            .is_none_or(|(lowest, _)| name < lowest.as_str())
        {
            *lowest = Some((name.to_owned(), is_known));
        }
        false
    }

    /// What is wrong with the folder, if anything did not belong.
    pub fn fault(self) -> Option<Fault> {
        let Self(lowest) = self;
        let (name, is_known) = lowest?;
        if is_known {
            let message = format!("'{name}' is not a regular file");
            return Some(Fault::new("file_not_regular", &name, message));
        }
        let message = format!(
            "'{name}' does not belong into a model folder, which has {FILES_REQUIRED:?} and \
             may have {FILES_OPTIONAL:?}"
        );
        Some(Fault::new("file_unexpected", &name, message))
    }
}

/// The size of every file of the folder, all of which belong there.
fn list(dir: &Path) -> Result<BTreeMap<String, u64>, Failure> {
    let io = |error| NoVerdict::io(dir, error);
    let mut sizes = BTreeMap::new();
    let mut strangers = Strangers::default();
    for entry in fs::read_dir(dir).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Of the entry itself: a link is not followed.
        let metadata = entry.metadata().map_err(io)?;
        if strangers.admits(&name, metadata.is_file()) {
            sizes.insert(name, metadata.len());
        }
    }
    if let Some(fault) = strangers.fault() {
        return Err(fault.into());
    }
    for name in FILES_REQUIRED {
        if !sizes.contains_key(name) {
            let message = format!("the model folder has no '{name}'");
            return Err(Fault::new("file_missing", name, message).into());
        }
    }
    Ok(sizes)
}

fn check_widths(config: &ModelConfig, benchmark: &Benchmark) -> Result<(), Fault> {
    let outputs = match benchmark.task {
        Task::Classification { .. } => "classes",
        Task::Regression => "outputs",
    };
    let widths = [
        (
            match config {
                ModelConfig::Mlp(_) => "input_size",
                ModelConfig::Cnn(_) => "input_channels",
            },
            "inputs",
            config.input_size(),
            benchmark.inputs,
        ),
        (
            "num_labels",
            outputs,
            config.num_labels(),
            benchmark.task.outputs(),
        ),
    ];
    for (field, what, found, expected) in widths {
        if found as u64 != u64::from(expected) {
            let code = format!("{what}_mismatch");
            let message = format!("the model has {found} {what}, the benchmark has {expected}");
            return Err(Fault::new(
                &code,
                &format!("{CONFIG_FILE}/{field}"),
                message,
            ));
        }
    }
    Ok(())
}

/// The bytes of a file whose size was checked; another size now is the disk's
/// doing, not the model's.
fn read(path: &Path, size_bytes: u64) -> Result<Vec<u8>, NoVerdict> {
    let io = |error| NoVerdict::io(path, error);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(io)?
        .take(size_bytes + 1)
        .read_to_end(&mut bytes)
        .map_err(io)?;
    if bytes.len() as u64 != size_bytes {
        return Err(io(io::Error::other("its size changed while it was read")));
    }
    Ok(bytes)
}
