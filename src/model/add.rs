//! Registering a model that exists already.

use std::fs;
use std::path::PathBuf;

use client::blob_ref_of;
use protocol::record::{Action, AssetKind, RegisterAsset};
use protocol::text::Name;

use super::load_any;
use crate::failure::{Exit, Failure};
use crate::folder;
use crate::out;
use crate::sealing::Store;
use crate::session::{Session, registered_meanwhile};

/// What `lode model add` can be told.
#[derive(clap::Args)]
pub struct Args {
    /// The model folder.
    folder: PathBuf,
    /// What people call it [default: the folder's name].
    #[arg(long)]
    name: Option<String>,
    /// The terms: 'open', 'credit', 'credit=5%', 'paid=LODE', 'monthly=LODE', 'revenue=5%', or 'file:PATH' with a 'Name: value' a line.
    ///
    /// 'open' grants everything for nothing; 'paid=300' sells each grant (business use, training,
    /// making something new from it) for one payment of 300 LODE, 'monthly=25' business use and
    /// training for 25 LODE a month each (making something new from it is not granted); 'credit=10%' is free
    /// with credit and gets 10 % of what descendants earn, 'revenue=5%' gets 5 % of that and of
    /// what a business earns with it. A file has the tags of the Universal Data License, one a line.
    #[arg(long, value_name = "TERMS")]
    terms: String,
    /// What it sets aside of each income for further rounds, up to 20%; it never changes.
    #[arg(long, value_name = "PERCENT", default_value = "0%")]
    self_funding: String,
    /// What it was made from: an asset's id, its beginning, or its name; may be given many times.
    #[arg(long, value_name = "ASSET")]
    parent: Vec<String>,
}

/// `lode model add`.
///
/// # Errors
/// It is no model folder, a rule refuses, or the node cannot be asked.
pub fn run(args: &Args, session: &Session) -> Result<(), Failure> {
    let client = session.client()?;
    let terms = crate::terms::named(&args.terms)?;
    let self_funding_ppm = crate::bounty::shares(&args.self_funding).map_err(|why| {
        let message = format!("--self-funding '{:.60}': {why}", args.self_funding);
        Failure::new("self_funding", message, "write it as 20%").exit(Exit::Usage)
    })?;
    let model = load_any(&args.folder)?;
    let mut parents = Vec::new();
    for text in &args.parent {
        parents.push(session.asset_id(text)?);
    }
    parents.sort();
    let me = session.address()?;
    session.settle_outbox(me)?;
    let earlier = || {
        let made = client::AssetFilter {
            kind: Some(AssetKind::Model),
            maker: Some(me),
            ..client::AssetFilter::default()
        };
        for asset in client.assets(&made) {
            let asset = asset?;
            if asset.weights_digest == Some(model.weights_digest) {
                return Ok::<_, Failure>(Some(asset));
            }
        }
        Ok(None)
    };
    if let Some(asset) = earlier()? {
        if session.json() {
            return out::json("asset", &asset);
        }
        talk!("you have registered these weights already: nothing was sent");
        return out::line(&format!("model {}", asset.id));
    }
    let io = |error: std::io::Error| Failure::io(&std::env::temp_dir(), &error);
    let mut archive = folder::pack(&args.folder, tempfile::tempfile().map_err(io)?)?;
    std::io::Seek::rewind(&mut archive).map_err(io)?;
    let blob = blob_ref_of(&mut archive).map_err(io)?;
    let action = Action::RegisterAsset {
        terms: terms.to_tags(),
        body: RegisterAsset {
            kind: AssetKind::Model,
            name: name(args)?,
            archive: blob,
            weights_digest: Some(model.weights_digest),
            parents,
            holders: Vec::new(),
            self_funding_ppm,
        },
    };
    // What a rule would refuse is not uploaded.
    session.try_as(me, &action)?;
    if !session.json() {
        talk!("under these terms, until holders of its shares vote for others:");
        for sentence in terms.sentences() {
            talk!("  {sentence}");
        }
    }
    if !session.global.dry_run {
        let warning = "Register the model; its weights will be open to all.";
        session.confirm(&format!("{warning} {} pays.", session.payer(me)))?;
        std::io::Seek::rewind(&mut archive).map_err(io)?;
        client.hold(&mut archive)?;
    }
    let acted = session.act_if(&action, None, || match earlier()? {
        Some(asset) => Err(registered_meanwhile(asset.id)),
        None => Ok(()),
    })?;
    let text = match acted.id() {
        Some(id) => format!("model {id}"),
        None => String::new(),
    };
    session.report(&acted, &text)
}

fn name(args: &Args) -> Result<Name, Failure> {
    let text = match &args.name {
        Some(name) => name.clone(),
        None => {
            let dir = fs::canonicalize(&args.folder).unwrap_or_else(|_| args.folder.clone());
            dir.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        }
    };
    Name::new(text).map_err(|error| {
        let next = "give another one with --name";
        Failure::new("name", format_args!("the model's name: {error}"), next).exit(Exit::Usage)
    })
}
