//! Registering a model that exists already.

use std::fs;
use std::path::{Path, PathBuf};

use client::blob_ref_of;
use licensing::{Fee, Percent, Terms, presets};
use protocol::ans104::Tag;
use protocol::record::{Action, AssetKind, RegisterAsset};
use protocol::text::Name;

use super::load_any;
use crate::account::amount;
use crate::failure::{Exit, Failure};
use crate::folder;
use crate::out;
use crate::sealing::Store;
use crate::session::Session;

/// What `lode model add` can be told.
#[derive(clap::Args)]
pub struct Args {
    /// The model folder.
    folder: PathBuf,
    /// What people call it [default: the folder's name].
    #[arg(long)]
    name: Option<String>,
    /// The terms: 'open', 'one-time:PRICE', 'share:PERCENT', or 'file:PATH' with a 'Name: value' a line.
    ///
    /// 'open' grants everything for nothing; 'one-time:300' sells every grant for one payment of
    /// 300 LODE; 'share:10' is free with credit and gets 10 % of what descendants
    /// earn. A file has the tags of the Universal Data License, one a line.
    #[arg(long, value_name = "TERMS")]
    terms: String,
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
    let terms = terms(&args.terms)?;
    let model = load_any(&args.folder)?;
    let mut parents = Vec::new();
    for text in &args.parent {
        parents.push(session.asset_id(text)?);
    }
    parents.sort();
    let me = session.address()?;
    session.settle_outbox(me)?;
    let made = client::AssetFilter {
        kind: Some(AssetKind::Model),
        maker: Some(me),
        ..client::AssetFilter::default()
    };
    for asset in client.assets(&made) {
        let asset = asset?;
        if asset.weights_digest == Some(model.weights_digest) {
            if session.json() {
                return out::json("asset", &asset);
            }
            eprintln!("you have registered these weights already: nothing was sent");
            return out::line(&format!("model {}", asset.id));
        }
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
        },
    };
    // What a rule would refuse is not uploaded.
    session.try_as(me, &action)?;
    if !session.json() {
        eprintln!("under these terms, which cannot be changed later:");
        for sentence in terms.sentences() {
            eprintln!("  {sentence}");
        }
    }
    if !session.global.dry_run {
        session.confirm("Register the model; its weights will be open to all.")?;
        std::io::Seek::rewind(&mut archive).map_err(io)?;
        client.hold(&mut archive)?;
    }
    let acted = session.act(&action, None)?;
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

/// Terms from the command line.
fn terms(text: &str) -> Result<Terms, Failure> {
    let bad = |why: &dyn std::fmt::Display| {
        let next = "write 'open', 'one-time:300', 'share:10' or 'file:PATH'";
        Failure::new("terms", format_args!("'{text:.80}': {why}"), next).exit(Exit::Usage)
    };
    match text.split_once(':') {
        None if text == "open" => Ok(presets::open()),
        Some(("one-time", price)) => {
            let fee = Fee::new(amount(price)?);
            let fee = fee.ok_or_else(|| bad(&"a price is above zero; 'open' is free"))?;
            Ok(presets::one_time(fee))
        }
        Some(("share", share)) => {
            let share = format!("{}%", share.trim_end_matches('%'));
            let share: Percent = share.parse().map_err(|error| bad(&error))?;
            Ok(presets::share_with_credit(share))
        }
        Some(("file", path)) => from_file(Path::new(path)),
        _ => Err(bad(&"no such terms")),
    }
}

fn from_file(path: &Path) -> Result<Terms, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::io(path, &error))?;
    let tags = tags(&text).map_err(|line| {
        let message = format!("{}: line {line} is not 'Name: value'", path.display());
        Failure::new("terms", message, "write one tag a line").exit(Exit::Usage)
    })?;
    Terms::parse(&tags).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        let next = "correct the tag; the Universal Data License says what each may be";
        Failure::new(error.code(), message, next).exit(Exit::Usage)
    })
}

/// One tag a line; empty lines and lines that begin with '#' do not count. The error is a line's number.
fn tags(text: &str) -> Result<Vec<Tag>, usize> {
    let mut tags = Vec::new();
    for (place, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(place + 1)?;
        tags.push(Tag::new(name.trim(), value.trim()));
    }
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_presets_or_a_file_of_tags() {
        assert_eq!(terms("open").unwrap(), presets::open());
        let fee = Fee::new(amount("300").unwrap()).unwrap();
        assert_eq!(terms("one-time:300").unwrap(), presets::one_time(fee));
        let share = presets::share_with_credit("10%".parse().unwrap());
        assert_eq!(terms("share:10").unwrap(), share);
        assert_eq!(terms("share:10%").unwrap(), share);
        for bad in [
            "",
            "closed",
            "share:",
            "share:101",
            "one-time:0",
            "one-time:x",
        ] {
            assert!(terms(bad).is_err(), "{bad}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = share
            .to_tags()
            .into_iter()
            .map(|tag| format!("{}: {}\n", tag.name, tag.value));
        fs::write(
            file.path(),
            format!("# terms\n\n{}", lines.collect::<String>()),
        )
        .unwrap();
        assert_eq!(
            terms(&format!("file:{}", file.path().display())).unwrap(),
            share
        );
        assert_eq!(tags("A: b\nc"), Err(2));
    }
}
