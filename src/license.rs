//! `lode license`: what an asset's grants cost, buying one, and the certificate
//! that proves it to anyone, offline.

mod buy;
mod certificate;
mod quote;
mod report;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use client::LicenseFilter;
use licensing::Grant;
use protocol::api::LicenseView;
use protocol::id::ItemId;
use protocol::receipt::LicenseStanding;

use crate::amount::amount;
use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::{Session, ambiguous, bare_id};
use buy::Wanted;
use quote::Quoted;
pub use quote::takes_no_child;
pub use quote::{shares_text, terms_of};

/// What `lode license` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Show an asset's terms in plain sentences, what each grant costs, and who gets it.
    #[command(after_help = "\
Examples:
  lode license quote 'Digits base'
  lode license quote 'Digits base' --grant commercial_use --json")]
    Quote {
        /// The asset: its id, the beginning of it (6 characters or more), or its name.
        asset: String,
        /// Only this grant.
        #[arg(long, value_name = "GRANT", value_parser = grants())]
        grant: Option<Grant>,
    },
    /// Buy a licence: shows terms, price and who gets it, asks, pays.
    ///
    /// What the terms sell by the month is bought for a number of months, all paid in
    /// advance: the network keeps the price of those to come, and pays out each as it begins.
    /// The record names the terms that were shown and their price as the most to
    /// pay, so nothing else can be bought by it. The licence has the id of that record.
    #[command(after_help = "\
Examples:
  lode license buy 'Digits base' --grant commercial_use --dry-run
  lode license buy 'Digits base' --grant commercial_use --price-max 300
  lode license buy 'Digits base' --grant commercial_use --months 12")]
    Buy {
        /// The asset: its id, the beginning of it (6 characters or more), or its name.
        asset: String,
        /// What to buy.
        #[arg(long, value_name = "GRANT", value_parser = grants())]
        grant: Grant,
        /// For how many months, where the terms sell it by the month.
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        months: u32,
        /// Buy only if it costs at most so many LODE, all months together.
        #[arg(long, value_name = "LODE")]
        price_max: Option<String>,
        /// Buy it even if this key has that licence already, as for one that has ended.
        #[arg(long)]
        again: bool,
    },
    /// Declare what a month of a licence for a share of revenue earned, and pay the share.
    ///
    /// Months are declared one after the other, each once it is over and before its grace
    /// is over. A month that nobody declares ends the licence.
    #[command(after_help = "\
Examples:
  lode license report 4a7uQ1 --revenue 1200 --dry-run
  lode license report 'Digits base' --revenue 0")]
    Report {
        /// The licence: its id, the beginning of it (6 characters or more), or the name of the asset that this key has one licence of.
        license: String,
        /// What the licensee earned with the asset in that month, in LODE.
        #[arg(long, value_name = "LODE", allow_negative_numbers = true)]
        revenue: String,
        /// Which month, from 1 [default: the next that is not declared].
        #[arg(long, value_name = "N")]
        period: Option<u32>,
    },
    /// List licences, newest first: those of the key that signs, or others.
    List {
        /// Only of this asset; then of every licensee, unless one is given.
        #[arg(long)]
        asset: Option<String>,
        /// Only of this account: an address or the name of a key here.
        #[arg(long, conflicts_with = "all")]
        licensee: Option<String>,
        /// Of everyone.
        #[arg(long)]
        all: bool,
    },
    /// Show a licence as a text to read: who may do what, under which terms.
    Show {
        /// The licence: its id, the beginning of it (6 characters or more), or the name of the asset that this key has one licence of.
        license: String,
    },
    /// Write the certificate of a licence: one file that proves it offline, for ever.
    ///
    /// It holds the signed purchase, its receipt, the path to the root that the next
    /// block names, both headers, the genesis, and the record that put the asset
    /// under its terms. 'lode license verify' needs nothing else.
    #[command(after_help = "\
Examples:
  lode license certificate 4a7uQ1 --out license.json
  lode license verify license.json")]
    Certificate {
        /// The licence: its id, the beginning of it (6 characters or more), or the name of the asset that this key has one licence of.
        license: String,
        /// The file to write [default: license-ID.json, with the beginning of its id].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Overwrite the file if it is there.
        #[arg(long)]
        force: bool,
    },
    /// Check a certificate, without any node: every signature, root and word of it.
    ///
    /// Anyone can begin a network, so a certificate counts for as much as the
    /// network that it is on: give the id that you know with --network.
    #[command(after_help = "\
Examples:
  lode license verify license.json --network gu19Xf3X8bbXsVRqa0M_I8WXuGwENQpQWNZhmjXqcOI")]
    Verify {
        /// The certificate.
        file: PathBuf,
    },
}

fn grants() -> impl TypedValueParser<Value = Grant> {
    PossibleValuesParser::new(Grant::ALL.map(Grant::name)).map(|name| {
        let named = Grant::ALL.into_iter().find(|grant| grant.name() == name);
        named.expect("the parser lets only these names through")
    })
}

/// Runs `lode license …`.
///
/// # Errors
/// The node cannot be asked, a rule refuses, or a certificate does not hold.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Quote { asset, grant } => {
            let quoted = Quoted::of(session, session.asset_id(asset)?)?;
            quoted.print(session, *grant)
        }
        Command::Buy {
            asset,
            grant,
            months,
            price_max,
            again,
        } => {
            let wanted = Wanted {
                asset: session.asset_id(asset)?,
                grant: *grant,
                months: *months,
                price_max: price_max.as_deref().map(amount).transpose()?,
                again: *again,
            };
            buy::buy(session, &wanted)
        }
        Command::Report {
            license,
            revenue,
            period,
        } => report::run(session, &find(session, license)?, amount(revenue)?, *period),
        Command::List {
            asset,
            licensee,
            all,
        } => list(session, asset.as_deref(), licensee.as_deref(), *all),
        Command::Show { license } => certificate::show(session, find(session, license)?),
        Command::Certificate {
            license,
            out,
            force,
        } => certificate::write(session, find(session, license)?, out.as_deref(), *force),
        Command::Verify { file } => certificate::verify(session, file),
    }
}

fn list(
    session: &Session,
    asset: Option<&str>,
    licensee: Option<&str>,
    all: bool,
) -> Result<(), Failure> {
    let licensee = match licensee {
        Some(text) => Some(session.account(text)?),
        None if all || asset.is_some() => None,
        None => Some(session.address()?),
    };
    let filter = LicenseFilter {
        asset: asset.map(|text| session.asset_id(text)).transpose()?,
        licensee,
    };
    let licenses = session.client()?.licenses(&filter);
    let licenses: Vec<LicenseView> = licenses.collect::<Result<_, _>>()?;
    if session.json() {
        return out::json("license.list", &licenses);
    }
    if licenses.is_empty() {
        talk!("no licences\nnext: lode license quote ASSET");
        return Ok(());
    }
    let rows = licenses.iter().map(|license| {
        vec![
            license.id.to_string(),
            license.grant.name().to_owned(),
            license.price.to_lode_string(),
            out::time(license.time_ms),
            until(license),
            license.asset.to_string(),
            license.licensee.to_string(),
        ]
    });
    let head = [
        "licence", "grant", "LODE", "bought", "until", "asset", "licensee",
    ];
    out::line(&out::table(&head, &[2], rows.collect()).to_string())
}

/// Until when a licence runs, or that it is over; nothing for one without months.
fn until(license: &LicenseView) -> String {
    let Some(term) = license.term else {
        return String::new();
    };
    let until = out::time(term.until_ms);
    match license.progress.map(|progress| progress.standing) {
        Some(LicenseStanding::Ended) => format!("{until} (over)"),
        Some(LicenseStanding::Lapsed) => format!("{until} (lapsed)"),
        Some(LicenseStanding::Runs) | None => until,
    }
}

/// Whether a licence that was bought for months is over.
fn is_over(license: &LicenseView) -> bool {
    let standing = license.progress.map(|progress| progress.standing);
    standing.is_some_and(|standing| standing != LicenseStanding::Runs)
}

/// The licence that a text names: its id, or the beginning of it.
fn find(session: &Session, text: &str) -> Result<LicenseView, Failure> {
    let client = session.client()?;
    let text = bare_id(text);
    if let Ok(id) = text.parse() {
        return Ok(client.license(id)?);
    }
    let mut found = Vec::new();
    if text.len() >= 6 {
        for license in client.licenses(&LicenseFilter::default()) {
            let license = license?;
            if license.id.to_string().starts_with(text) {
                found.push(license);
            }
        }
    }
    if found.is_empty()
        && let (Ok(licensee), Ok(asset)) = (session.address(), session.asset_id(text))
    {
        // Whoever has one licence of a model need not know its id.
        let filter = LicenseFilter {
            asset: Some(asset),
            licensee: Some(licensee),
        };
        found = client.licenses(&filter).collect::<Result<_, _>>()?;
    }
    match found[..] {
        [license] => Ok(license),
        [] => Err(Failure::new(
            "unknown_license",
            format_args!("there is no licence '{text:.60}'"),
            "look at 'lode license list' for ids; 6 characters of one are enough",
        )
        .exit(Exit::NotFound)),
        _ => {
            let ids: Vec<ItemId> = found.iter().map(|license| license.id).collect();
            Err(ambiguous(text, &ids))
        }
    }
}
