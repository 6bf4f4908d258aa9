//! `lode model`: models as assets.
//!
//! | module | what it does |
//! |---|---|
//! | `add` | an archive, a digest, terms: an asset |
//! | `show` | list, one model, its lineage |
//! | `votes` | terms in force, votes on others |
//! | `predict` | predictions for a data-set folder |

mod add;
mod predict;
mod show;
mod votes;

use std::fs;
use std::path::{Path, PathBuf};

use evaluator::fault::Failure as Verdict;
use evaluator::{LoadedModel, load_model};
use models::ModelConfig;
use models::config::CONFIG_BYTES_MAX;
use models::error::CONFIG_FILE;
use protocol::Digest;
use protocol::api::AssetView;
use protocol::benchmark::{ARITHMETIC_VERSION, Benchmark, Metric, ModelLimits, Task};
use protocol::record::{AssetKind, SealedFolder};

use crate::boxed::RunOptions;
use crate::failure::{Exit, Failure};
use crate::out;
use crate::sealing::{OpenError, fetch_folder, open_folder};
use crate::session::Session;

/// What `lode model` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Register a model that exists already, under terms of your choice.
    Add(add::Args),
    /// List the models on the log, newest first.
    List {
        /// Only models made by this account: an address or the name of a key here.
        #[arg(long, value_name = "ACCOUNT")]
        maker: Option<String>,
        /// The most to list.
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// Show a model: its terms, what can be bought, what it earned.
    Show {
        /// Its id, the beginning of it, or its name.
        model: String,
    },
    /// Download a model folder; what was sealed for a bounty opens with the key on the log.
    Get {
        /// Its id, the beginning of it, or its name.
        model: String,
        /// Where it goes; must not exist yet.
        dir: PathBuf,
    },
    /// Show what a model was made from, and what its ancestors get of its income.
    Lineage {
        /// Its id, the beginning of it, or its name.
        model: String,
    },
    /// Show the terms that an asset is under, and what its holders vote for.
    Terms {
        /// A model's or data set's id, the beginning of it, or its name.
        asset: String,
    },
    /// Vote for other terms, as a holder of the asset's shares.
    ///
    /// A ballot stands until another replaces it, the shares are gone, or terms take
    /// effect. Half of the shares loosen terms at once; anything else takes nine
    /// tenths, and thirty days in which buyers see it come. A vote for the terms in
    /// force takes the ballot back.
    #[command(after_help = "\
Examples:
  lode model vote 'Digits base' --terms paid=200 --dry-run
  lode model vote 'Digits base' --terms file:terms.txt")]
    Vote {
        /// A model's or data set's id, the beginning of it, or its name.
        asset: String,
        /// The terms: 'open', 'credit', 'credit=5%', 'paid=LODE', 'monthly=LODE', 'revenue=5%', or 'file:PATH' with a 'Name: value' a line.
        #[arg(long, value_name = "TERMS", required_unless_present = "take_back")]
        terms: Option<String>,
        /// Take the ballot back: a vote for the terms in force.
        #[arg(long, conflicts_with = "terms")]
        take_back: bool,
    },
    /// Vote for terms that grant nothing: no more licences are sold, those sold stay.
    #[command(after_help = "\
Examples:
  lode model revoke 'Digits base' --dry-run")]
    Revoke {
        /// A model's or data set's id, the beginning of it, or its name.
        asset: String,
    },
    /// Account for every unit of a model's income; the same as 'lode royalty explain'.
    Explain {
        /// Its id, the beginning of it, or its name.
        model: String,
        /// Only this account's part: an address or the name of a key here.
        #[arg(long)]
        account: Option<String>,
    },
    /// Predict the class or the number of every row of a data-set folder: CSV, or with --json JSON.
    ///
    /// Model and data are opened and run in a child process under limits, which reaches
    /// no key, no network and no other folder.
    Run {
        /// A model folder, or a model's id or name.
        model: String,
        /// The data-set folder.
        #[arg(long, value_name = "FOLDER")]
        data: PathBuf,
        #[command(flatten)]
        options: RunOptions,
    },
}

/// Runs `lode model …`.
///
/// # Errors
/// The node cannot be asked, or refuses; a folder cannot be read or written.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Add(args) => add::run(args, session),
        Command::List { maker, limit } => show::list(session, maker.as_deref(), *limit),
        Command::Show { model } => show::show(session, model),
        Command::Get { model, dir } => {
            let asset = model_asset(session, model)?;
            if dir.exists() {
                let message = format!("{} is there already", dir.display());
                let next = "name a folder that does not exist yet";
                return Err(Failure::new("output_exists", message, next).exit(Exit::Usage));
            }
            get(session, &asset, dir)?;
            if session.json() {
                return out::json("asset", &asset);
            }
            talk!("'{}' comes under these terms:", asset.name);
            for sentence in &asset.sentences {
                talk!("  {sentence}");
            }
            out::bytes(format!("{}\n", dir.display()).as_bytes())
        }
        Command::Lineage { model } => show::lineage(session, model),
        Command::Terms { asset } => votes::terms(session, asset),
        Command::Vote { asset, terms, .. } => votes::vote(session, asset, terms.as_deref()),
        Command::Revoke { asset } => votes::revoke(session, asset),
        Command::Explain { model, account } => {
            crate::royalty::explain_asset(session, model, account.as_deref())
        }
        Command::Run {
            model,
            data,
            options,
        } => predict::run(session, model, data, *options),
    }
}

/// The model that a text names: its id, the beginning of it, or its name.
fn model_asset(session: &Session, text: &str) -> Result<AssetView, Failure> {
    let asset = session.client()?.asset(session.asset_id(text)?)?;
    match asset.kind {
        AssetKind::Model => Ok(asset),
        AssetKind::DataSet => {
            let message = format_args!("'{}' is a data set", asset.name);
            let next =
                "look at 'lode model list'; for data sets there is 'lode dataset show' and 'get'";
            Err(Failure::new("not_a_model", message, next).exit(Exit::Usage))
        }
    }
}

/// Downloads an asset's folder.
fn get(session: &Session, asset: &AssetView, dir: &Path) -> Result<(), Failure> {
    let client = session.client()?;
    let opened = match &asset.key {
        Some(key) => open_folder(&sealed(asset), key, client, dir),
        None => fetch_folder(asset.blob, client, dir),
    };
    opened.map_err(OpenError::of_asset)
}

/// An asset's ciphertext as what was sealed. The ledger has checked the seal; opening needs
/// ciphertext and key.
const fn sealed(asset: &AssetView) -> SealedFolder {
    SealedFolder {
        seal: Digest([0; 32]),
        ciphertext: asset.blob,
    }
}

/// Reads a model folder that no bounty limits.
///
/// # Errors
/// It is no model folder, with code and place.
pub fn load_any(dir: &Path) -> Result<LoadedModel, Failure> {
    fs::metadata(dir).map_err(|error| Failure::io(dir, &error))?;
    let path = dir.join(CONFIG_FILE);
    let next = "docs/model-folder.md has every rule";
    // Every evaluator would refuse such a folder too, wherever it is submitted.
    let refuse =
        |code: &str, message: String| Failure::new(code, message, next).exit(Exit::Rejected);
    let size = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("{} is not there: this is no model folder", path.display());
            return Err(refuse("file_missing", message));
        }
        Err(error) => return Err(Failure::io(&path, &error)),
    };
    if size > CONFIG_BYTES_MAX {
        let message = format!(
            "{} has {size} bytes, the limit is {CONFIG_BYTES_MAX}",
            path.display()
        );
        return Err(refuse("config_too_long", message));
    }
    let bytes = fs::read(&path).map_err(|error| Failure::io(&path, &error))?;
    let config = ModelConfig::from_json(&bytes).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        refuse(error.code(), message)
    })?;
    let width = |width: usize| u32::try_from(width).unwrap_or(u32::MAX);
    let (task, metric) = match width(config.num_labels()) {
        1 => (Task::Regression, Metric::Rmse),
        classes => (Task::Classification { classes }, Metric::Accuracy),
    };
    let benchmark = Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task,
        inputs: width(config.input_size()),
        metric,
        examples_max: u32::MAX,
        limits: ModelLimits {
            parameters_max: u64::MAX,
            file_bytes_max: u64::MAX,
            multiply_adds_max: u64::MAX,
        },
    };
    load_model(dir, &benchmark).map_err(|error| match error {
        Verdict::Fault(fault) => {
            let message = format!("{} ({} at {})", fault.message, fault.code, fault.place);
            refuse(fault.code.as_str(), message)
        }
        Verdict::NoVerdict(reason) => {
            Failure::new("unreadable", reason, "check the path and the disk")
        }
    })
}
