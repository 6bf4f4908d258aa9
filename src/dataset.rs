//! `lode dataset`: folders of data, registered under terms; and how they are made.

mod init;

use std::path::{Path, PathBuf};

use client::AssetFilter;
use datasets::{DatasetError, Manifest};
use licensing::{DataModelTraining, Terms};
use protocol::api::AssetView;
use protocol::record::{Action, AssetKind, BlobRef, Holder, RegisterAsset};
use protocol::text::whole_number;
use protocol::{Address, ItemId};

use crate::failure::{Exit, Failure};
use crate::folder;
use crate::out;
use crate::sealing::{OpenError, Store, fetch_folder};
use crate::session::{Acted, Session, registered_meanwhile};
use crate::terms;
use crate::test_sets;

/// What `lode dataset` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Register a data-set folder: publish it, under terms.
    Add(AddArgs),
    /// Make a data-set folder from a CSV file, or from two IDX files.
    Init(init::InitArgs),
    /// List data sets, newest first.
    List {
        /// Only data sets made by this account: an address or the name of a key here.
        #[arg(long, value_name = "ACCOUNT")]
        maker: Option<String>,
        /// The most to list [default: all].
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Show a data set: its terms in sentences, its parents, its income.
    Show {
        /// The data set: its id, the beginning of it, or its name.
        id: String,
    },
    /// Download a data set and check it.
    Get {
        /// The data set: its id, the beginning of it, or its name.
        id: String,
        /// The folder to make.
        dir: PathBuf,
    },
    /// Check that a folder is exactly what its manifest says.
    Verify {
        /// The folder.
        folder: PathBuf,
        /// Check also that it is exactly this registered data set.
        #[arg(long)]
        id: Option<String>,
    },
}

/// What is registered, and how.
#[derive(clap::Args)]
pub struct AddArgs {
    /// The folder.
    folder: PathBuf,
    /// Its terms: open, credit, credit=5%, paid=LODE, monthly=LODE or revenue=5% [default: what its manifest says].
    #[arg(long)]
    terms: Option<String>,
    /// What it was made from: an asset's id or name. Repeat for more.
    #[arg(long, value_name = "ID")]
    parent: Vec<String>,
    /// Who holds its royalty shares, of 1000000. Repeat for more [default: you, all].
    #[arg(long, value_name = "ADDRESS=SHARES")]
    holder: Vec<String>,
    /// Publish it though it is the test set of a bounty posted from here.
    #[arg(long)]
    even_so: bool,
}

/// Runs `lode dataset …`.
///
/// # Errors
/// A folder is not what it should be, a rule refuses, or the node cannot be asked.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Add(args) => add(session, args),
        Command::Init(args) => init::run(session, args),
        Command::List { maker, limit } => list(session, maker.as_deref(), *limit),
        Command::Show { id } => show(session, id),
        Command::Get { id, dir } => get(session, id, dir),
        Command::Verify { folder, id } => verify(session, folder, id.as_deref()),
    }
}

fn data_failure(error: DatasetError) -> Failure {
    let (next, exit) = match &error {
        DatasetError::Io { .. } => ("check the path and the disk", Exit::Failed),
        DatasetError::NoManifest(_) => (
            "name a data-set folder; 'lode dataset init' makes one from a CSV file",
            Exit::NotFound,
        ),
        DatasetError::Csv { .. } => (
            "make the folder again, with 'lode dataset init'",
            Exit::Usage,
        ),
        DatasetError::Idx { .. } => (
            "give the whole IDX files of images and labels, plain or gzip, as they were published",
            Exit::Usage,
        ),
        DatasetError::NotEmpty(_) => ("name a folder that is not there yet", Exit::Usage),
        _ => (
            "make the folder again, or take what does not belong out of it",
            Exit::Failed,
        ),
    };
    Failure::new(error.code(), &error, next).exit(exit)
}

fn usage(code: &str, message: impl std::fmt::Display, next: &str) -> Failure {
    Failure::new(code, message, next).exit(Exit::Usage)
}

fn add(session: &Session, args: &AddArgs) -> Result<(), Failure> {
    let (manifest, _) = datasets::load(&args.folder).map_err(data_failure)?;
    let terms = terms_of(args, &manifest)?;
    let mut parents: Vec<ItemId> = Vec::new();
    for parent in &args.parent {
        parents.push(session.asset_id(parent)?);
    }
    parents.sort_unstable();
    parents.dedup();
    let holders = args.holder.iter().map(|text| holder(session, text));
    let holders = holders.collect::<Result<_, _>>()?;
    let (mut archive, blob) = folder::pack_to_file(&args.folder)?;
    let me = session.address()?;
    if !session.global.dry_run {
        // What an earlier command left open comes first: it may be this one.
        session.settle_outbox(me)?;
    }
    let earlier = || registered(session, Some(me), blob);
    if let Some(asset) = earlier()? {
        return report_registered(session, &asset);
    }
    if !args.even_so {
        not_kept(session, &args.folder, blob)?;
    }
    let action = Action::RegisterAsset {
        terms: terms.to_tags(),
        body: RegisterAsset {
            kind: AssetKind::DataSet,
            name: manifest.name.clone(),
            archive: blob,
            weights_digest: None,
            parents,
            holders,
            self_funding_ppm: 0,
        },
    };
    // The trial comes before the upload: what a rule refuses costs no traffic.
    let trial = session.try_as(me, &action)?;
    // With --yes nobody is asked, and there is nobody to read them.
    if !session.json() && (session.global.dry_run || !session.global.yes) {
        talk!("'{}' will be under these terms:", manifest.name);
        for sentence in terms.sentences() {
            talk!("  {sentence}");
        }
    }
    if let Some(other) = registered(session, None, blob)? {
        talk!(
            "note: '{}', {} of {}, is exactly this folder: what is made from that data set pays you nothing",
            other.name,
            other.id,
            out::short(other.maker)
        );
    }
    let is_sold = matches!(
        terms.data_model_training,
        Some(DataModelTraining::FeeOneTime(_))
    );
    if is_sold {
        talk!(
            "note: no bounty can require data whose training is sold; for a part of what models earn there \
             is --terms credit=5%"
        );
    }
    if session.global.dry_run {
        return session.report(&Acted::Tried(Box::new(trial)), "");
    }
    session.confirm(&format!(
        "Register and publish it? Anyone can download it from then on, and the terms stay until holders vote for others. Never publish \
         the test set of a bounty. {} pays.",
        session.payer(session.address()?)
    ))?;
    let signer = session.signer()?;
    session.client()?.hold(&mut archive)?;
    let view = session.send_if(&*signer, &action, |_| match earlier()? {
        Some(asset) => Err(registered_meanwhile(asset.id)),
        None => Ok(()),
    })?;
    let text = format!("registered '{}' as {}", manifest.name, view.id);
    session.report(&Acted::Done(Box::new(view)), &text)
}

/// The newest data set of exactly these bytes: of this maker, or of anybody.
fn registered(
    session: &Session,
    maker: Option<Address>,
    blob: BlobRef,
) -> Result<Option<AssetView>, Failure> {
    let filter = AssetFilter {
        kind: Some(AssetKind::DataSet),
        maker,
        ..AssetFilter::default()
    };
    for asset in session.client()?.assets(&filter) {
        let asset = asset?;
        if asset.blob == blob {
            return Ok(Some(asset));
        }
    }
    Ok(None)
}

fn report_registered(session: &Session, asset: &AssetView) -> Result<(), Failure> {
    if session.json() {
        return out::json("dataset", asset);
    }
    talk!("you have registered this data set already: nothing was sent");
    out::line(&format!("'{}' is {}", asset.name, asset.id))
}

/// Refuses to publish a folder that is the test set of a bounty posted from this home.
fn not_kept(session: &Session, folder: &Path, blob: BlobRef) -> Result<(), Failure> {
    if !test_sets::is_kept(session, blob.id)? {
        return Ok(());
    }
    let message = format_args!(
        "{} is the test set of a bounty that was posted from here: published, it measures nothing",
        folder.display()
    );
    let next =
        "publish the training set instead; add --even-so if the bounty has ended and you mean it";
    Err(Failure::new("test_set_kept", message, next).exit(Exit::Rejected))
}

/// What was asked for and what the manifest says must be the same: it travels with the data.
fn terms_of(args: &AddArgs, manifest: &Manifest) -> Result<Terms, Failure> {
    let named = args.terms.as_deref().map(terms::named).transpose()?;
    if manifest.license.is_empty() {
        return named.ok_or_else(|| {
            let message = "neither the manifest nor --terms says under which terms it is";
            usage("no_terms", message, "add --terms open, credit or paid=LODE")
        });
    }
    let written = terms::of_tags(&manifest.license)?;
    match named {
        Some(named) if named != written => Err(usage(
            "other_terms",
            "the manifest in the folder says other terms than --terms",
            "leave --terms out, or make the folder again with the terms that you want",
        )),
        _ => Ok(written),
    }
}

fn holder(session: &Session, text: &str) -> Result<Holder, Failure> {
    let wrong = || {
        let message = format_args!("'{text:.80}' is not ADDRESS=SHARES");
        let next = "give an address or the name of a key here, '=', and whole shares of 1000000";
        usage("holder", message, next)
    };
    let (account, shares) = text.split_once('=').ok_or_else(wrong)?;
    Ok(Holder {
        account: session.account(account)?,
        shares: whole_number(shares).ok_or_else(wrong)?,
    })
}

fn list(session: &Session, maker: Option<&str>, limit: Option<usize>) -> Result<(), Failure> {
    let filter = AssetFilter {
        kind: Some(AssetKind::DataSet),
        maker: maker.map(|maker| session.account(maker)).transpose()?,
        ..AssetFilter::default()
    };
    let assets = session.client()?.assets(&filter);
    let assets = assets.take(limit.unwrap_or(usize::MAX));
    let assets = assets.collect::<Result<Vec<AssetView>, _>>()?;
    if session.json() {
        return out::json("dataset.list", &assets);
    }
    if assets.is_empty() {
        return out::line("no data sets");
    }
    let rows = assets.iter().map(|asset| {
        vec![
            asset.id.to_string(),
            asset.name.to_string(),
            out::short(asset.maker),
            asset.blob.size_bytes.to_string(),
            asset.income.to_lode_string(),
        ]
    });
    let head = ["id", "name", "maker", "bytes", "LODE earned"];
    out::line(&out::table(&head, &[3, 4], rows.collect()).to_string())
}

/// The data set that a text names.
fn asset(session: &Session, text: &str) -> Result<AssetView, Failure> {
    let asset = session.client()?.asset(session.asset_id(text)?)?;
    match asset.kind {
        AssetKind::DataSet => Ok(asset),
        AssetKind::Model => Err(usage(
            "not_a_data_set",
            format_args!("'{}' is a model", asset.name),
            "look at 'lode dataset list'",
        )),
    }
}

fn show(session: &Session, id: &str) -> Result<(), Failure> {
    let asset = asset(session, id)?;
    if session.json() {
        return out::json("dataset", &asset);
    }
    let mut rows = vec![
        vec!["id".to_owned(), asset.id.to_string()],
        vec!["name".to_owned(), asset.name.to_string()],
        vec!["maker".to_owned(), asset.maker.to_string()],
        vec!["archive".to_owned(), asset.blob.id.to_string()],
        vec!["bytes".to_owned(), asset.blob.size_bytes.to_string()],
        vec!["LODE earned".to_owned(), asset.income.to_lode_string()],
    ];
    for parent in &asset.parents {
        rows.push(vec!["made from".to_owned(), parent.to_string()]);
    }
    out::line(&out::table(&[], &[], rows).to_string())?;
    out::line("\nits terms")?;
    for sentence in &asset.sentences {
        out::line(&format!("  {sentence}"))?;
    }
    Ok(())
}

fn get(session: &Session, id: &str, dir: &Path) -> Result<(), Failure> {
    let asset = asset(session, id)?;
    if dir.exists() {
        let message = format_args!("{} is there already", dir.display());
        return Err(usage(
            "folder_exists",
            message,
            "name a folder that is not there yet",
        ));
    }
    fetch_folder(asset.blob, session.client()?, dir).map_err(|error| match error {
        OpenError::Machine(failure) => failure,
        fault => not_sound(&asset, fault.of_asset().message),
    })?;
    let (manifest, _) = datasets::load(dir).map_err(|error| not_sound(&asset, error))?;
    if session.json() {
        let value = serde_json::json!({
            "asset": asset.id, "folder": dir.display().to_string(), "manifest": manifest,
        });
        return out::json("dataset.get", &value);
    }
    out::line(&format!(
        "{}: '{}', {} rows, whole and as registered",
        dir.display(),
        manifest.name,
        manifest.rows
    ))
}

fn not_sound(asset: &AssetView, what: impl std::fmt::Display) -> Failure {
    Failure::new(
        "data_not_sound",
        format_args!(
            "what is registered as '{}' is no sound data set: {what}",
            asset.name
        ),
        "do not train on it; ask its maker",
    )
}

fn verify(session: &Session, folder: &Path, id: Option<&str>) -> Result<(), Failure> {
    let (manifest, _) = datasets::load(folder).map_err(data_failure)?;
    let (_, blob) = folder::pack_to_file(folder)?;
    if let Some(id) = id {
        let asset = asset(session, id)?;
        if asset.blob != blob {
            let message = format_args!(
                "the folder is sound, but its archive is {} and '{}' was registered with {}",
                blob.id, asset.name, asset.blob.id
            );
            let next = "get the registered one with 'lode dataset get'";
            return Err(Failure::new("other_data", message, next));
        }
    }
    if session.json() {
        let value = serde_json::json!({
            "archive": blob, "rows": manifest.rows, "is_registered": id.is_some(),
        });
        return out::json("dataset.verify", &value);
    }
    let registered = if id.is_some() { ", as registered" } else { "" };
    out::line(&format!(
        "'{}': {} rows, exactly what its manifest says{registered}",
        manifest.name, manifest.rows
    ))
}
