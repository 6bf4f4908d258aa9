//! A licence on paper: shown, written as a certificate, verified without a node.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use licensing::Terms;
use licensing::certificate::{CERTIFICATE_BYTES_MAX, Certificate, CertificateError, Proven};
use protocol::ans104::{BundleReader, VerifiedItem, bundle};
use protocol::api::{LicenseProgress, LicenseTerm, LicenseView};
use protocol::id::Digest;
use protocol::receipt::{Event, LicenseStanding};
use protocol::record::Transaction;
use serde::Serialize;

use crate::failure::Failure;
use crate::out;
use crate::outfile::OutFile;
use crate::session::Session;

/// The licence as a text: proven by the node's own proof before it is shown.
///
/// # Errors
/// The node cannot be asked, or its proof does not hold.
pub fn show(session: &Session, license: LicenseView) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown<'a> {
        #[serde(flatten)]
        proven: &'a Proven,
        weights_as_scored: Option<Digest>,
        progress: Option<LicenseProgress>,
    }
    let (_, proven) = fetch(session, license)?;
    // A sealed model's record cannot state its weights: what evaluators found is the node's word.
    let weights_as_scored = match proven.weights_digest {
        Some(_) => None,
        None => session.client()?.asset(license.asset)?.weights_digest,
    };
    if session.json() {
        let proven = &proven;
        return out::json(
            "license",
            &Shown {
                proven,
                weights_as_scored,
                progress: license.progress,
            },
        );
    }
    say_if_over(&license);
    out::bytes(proven.text().as_bytes())?;
    if let Some(digest) = weights_as_scored {
        out::line(&format!(
            "\nThe model's weights digest, as its bounty's evaluators found it: {digest}\n  \
             (the node says so; it is no part of the certificate)"
        ))?;
    }
    if let (Some(term), Some(progress)) = (license.term, license.progress) {
        out::line(&format!("\n{}", said_of(&term, &progress)))?;
    }
    talk!("next: lode license certificate {}", license.id);
    Ok(())
}

/// Says of a licence that the node knows to be over that it is: what its certificate
/// proves is the purchase.
fn say_if_over(license: &LicenseView) {
    match license.progress.map(|progress| progress.standing) {
        None | Some(LicenseStanding::Runs) => {}
        Some(LicenseStanding::Ended) => {
            talk!("note: this licence is over: its months have ended")
        }
        Some(LicenseStanding::Lapsed) => {
            talk!(
                "note: this licence is over: it has lapsed, because a month's revenue was not declared"
            )
        }
    }
}

/// How far a licence's months have come, as the node says.
fn said_of(term: &LicenseTerm, progress: &LicenseProgress) -> String {
    let until = out::time(term.until_ms);
    let months = term.months;
    let mut text = match progress.standing {
        LicenseStanding::Runs => format!(
            "{} of its {months} months have begun; it runs until {until}, and {} LODE for the months to \
             come are with the network",
            progress.begun,
            progress.escrow.to_lode_string()
        ),
        LicenseStanding::Ended => format!("its {months} months are over since {until}"),
        LicenseStanding::Lapsed => {
            "it has LAPSED: the revenue of a month was not declared in time".to_owned()
        }
    };
    if let Some(next) = progress.declares {
        text.push_str(&format!(
            "\nrevenue is declared for {} of its months; that of month {} is due from {} and before {}:\n  \
             'lode license report'",
            next.period - 1,
            next.period,
            out::time(next.from_ms),
            out::time(next.until_ms)
        ));
    }
    text.push_str("\n  (the node says so; it is no part of the certificate)");
    text
}

/// Writes the certificate of a licence.
///
/// # Errors
/// The file is there, the node cannot be asked, or its proof does not hold.
pub fn write(
    session: &Session,
    license: LicenseView,
    out: Option<&Path>,
    force: bool,
) -> Result<(), Failure> {
    let out = match out {
        Some(out) => out.to_owned(),
        None => {
            let short: String = license.id.to_string().chars().take(10).collect();
            PathBuf::from(format!("license-{short}.json"))
        }
    };
    OutFile::check(&out, force)?;
    say_if_over(&license);
    let (certificate, proven) = fetch(session, license)?;
    let mut bytes = serde_json::to_vec_pretty(&certificate).map_err(Failure::bug)?;
    bytes.push(b'\n');
    let read = Certificate::read(&bytes).and_then(|read| read.verify(Some(proven.network)));
    read.map_err(Failure::bug)?;
    write_whole(&out, &bytes, force)?;
    let file = out.display().to_string();
    if session.json() {
        let written = serde_json::json!({
            "file": file,
            "size_bytes": bytes.len(),
            "license": license.id,
            "network": proven.network,
        });
        return out::json("license.certificate", &written);
    }
    out::line(&format!("{file}: {} bytes, verified", bytes.len()))?;
    talk!(
        "next: keep it; whoever has the file can check it without a node:\n  \
         lode license verify '{file}' --network {}",
        proven.network
    );
    Ok(())
}

/// Verifies a certificate's file. No node is asked.
///
/// # Errors
/// What does not hold.
pub fn verify(session: &Session, file: &Path) -> Result<(), Failure> {
    let network = session.network()?;
    let certificate = Certificate::read(&read_limited(file)?);
    let proven = certificate.and_then(|certificate| certificate.verify(network));
    let proven = proven.map_err(certificate_failure)?;
    if session.json() {
        #[derive(Serialize)]
        struct Verified<'a> {
            network_compared: bool,
            #[serde(flatten)]
            proven: &'a Proven,
        }
        let network_compared = network.is_some();
        let proven = &proven;
        return out::json(
            "license.verify",
            &Verified {
                network_compared,
                proven,
            },
        );
    }
    out::bytes(proven.text().as_bytes())?;
    out::line("\nevery signature, root and word of this certificate holds")?;
    if let Some(term) = proven.license.term {
        out::line(&format!(
            "it runs until {}: look at the date, the proof holds after it too",
            out::time(term.until_ms)
        ))?;
    }
    if proven.license.term.is_some_and(|term| term.owes_share) {
        out::line(
            "but the licence is for a share of revenue: if a month's was not declared in time it has \
             lapsed since, and no certificate can know that. Ask a node: 'lode license show'",
        )?;
    }
    match network {
        Some(_) => out::line("it is on the network that you named"),
        None => out::line(&format!(
            "it is on the network {} ('{}'). Anyone can begin a network: compare this id with the one \
             that you know, or give that with --network",
            proven.network, proven.network_name
        )),
    }
}

/// The certificate of a licence, and what it proves.
fn fetch(session: &Session, license: LicenseView) -> Result<(Certificate, Proven), Failure> {
    let client = session.client()?;
    let proof = client.receipt_proof(license.id)?;
    let block = header(&client.block_bundle(license.height)?)?;
    let asset = client.record_item(license.asset)?;
    let certificate = match vote_for(session, &license, &asset)? {
        None => Certificate::new(proof, &block, &asset),
        Some(vote) => Certificate::with_vote(proof, &block, &asset, &vote),
    };
    let certificate = certificate.map_err(node_failure)?;
    let network = client.status()?.network;
    let proven = certificate.verify(Some(network)).map_err(node_failure)?;
    let shown = LicenseView {
        // How far its months have come is not part of what is proven.
        progress: None,
        ..license
    };
    if proven.license != shown {
        let why = "it proves another licence than the node shows";
        return Err(node_failure(why));
    }
    Ok((certificate, proven))
}

/// The vote that carries a licence's terms, if the asset's own record does not: the
/// asset's history has the change that brought them into force.
fn vote_for(
    session: &Session,
    license: &LicenseView,
    asset: &VerifiedItem,
) -> Result<Option<VerifiedItem>, Failure> {
    let own = Transaction::read(asset).map_err(node_failure)?;
    let own = Terms::parse(own.action.terms()).map_err(node_failure)?;
    if own.id() == license.terms {
        return Ok(None);
    }
    let client = session.client()?;
    for entry in client.asset_history(license.asset) {
        for event in entry?.receipt.events {
            match event {
                Event::TermsChanged { terms, record, .. } if terms == license.terms => {
                    return Ok(Some(client.record_item(record)?));
                }
                _ => {}
            }
        }
    }
    Err(node_failure(
        "no vote brought the licence's terms into force",
    ))
}

/// The header of a block's bundle: its first item.
fn header(bundle: &[u8]) -> Result<VerifiedItem, Failure> {
    let mut items = BundleReader::new(bundle, bundle::Limits::default()).map_err(node_failure)?;
    let first = items.next_item();
    let first = first.ok_or_else(|| node_failure("the block has no header"))?;
    let first = first.map_err(node_failure)?;
    first.verify().map_err(node_failure)
}

fn certificate_failure(error: CertificateError) -> Failure {
    let next = match error {
        CertificateError::OtherNetwork { .. } => {
            "do not rely on it, unless you know that other network and trust it"
        }
        CertificateError::Form(_) | CertificateError::Schema(_) => {
            "give the file that 'lode license certificate' wrote; another schema needs another version"
        }
        _ => {
            "do not rely on it: ask the licensee for the file as it was written, or the node for a new one"
        }
    };
    Failure::new(error.code(), error, next)
}

fn node_failure(why: impl std::fmt::Display) -> Failure {
    let message = format!("the node's proof does not hold: {why}");
    Failure::new(
        "node_proof",
        message,
        "do not rely on this node: ask another one",
    )
}

fn write_whole(out: &Path, bytes: &[u8], force: bool) -> Result<(), Failure> {
    let mut file = OutFile::begin(out, force)?;
    file.file()
        .write_all(bytes)
        .map_err(|error| Failure::io(out, &error))?;
    file.finish().map(|_| ())
}

fn read_limited(path: &Path) -> Result<Vec<u8>, Failure> {
    let io = |error: std::io::Error| Failure::io(path, &error);
    let mut bytes = Vec::new();
    // One byte more than the limit, so that what is too long is seen to be.
    let limit = CERTIFICATE_BYTES_MAX as u64 + 1;
    let file = File::open(path).map_err(io)?;
    file.take(limit).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}
