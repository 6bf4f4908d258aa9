//! The terms of an asset: in force, voted for, and a vote of one's own.

use licensing::certificate::utc;
use licensing::{PaymentMode, Terms};
use protocol::api::{AssetView, TallyView, VotesView};
use protocol::record::{Action, SHARES_PER_ASSET};

use crate::failure::{Exit, Failure};
use crate::license::{shares_text, terms_of};
use crate::out;
use crate::session::Session;

/// `lode model terms`.
///
/// # Errors
/// There is none, or the node cannot be asked.
pub fn terms(session: &Session, asset: &str) -> Result<(), Failure> {
    let client = session.client()?;
    let asset = client.asset(session.asset_id(asset)?)?;
    let votes = client.votes(asset.id)?;
    if session.json() {
        return out::json("model.terms", &votes);
    }
    out::line(&format!("'{}' is under these terms:", asset.name))?;
    sentences(&asset.sentences)?;
    match asset.terms_record == asset.id {
        true => out::line("they are those it was registered with")?,
        false => out::line(&format!(
            "its holders voted for them: {}",
            asset.terms_record
        ))?,
    }
    if let Some(pending) = &votes.pending {
        out::line(&format!(
            "\nfrom {} on, if nine tenths of the shares are still for it:",
            utc(pending.at_ms)
        ))?;
        sentences(&pending.sentences)?;
    }
    for tally in &votes.tallies {
        out::line(&format!("\n{}", headline(tally)))?;
        sentences(&tally.sentences)?;
    }
    if votes.tallies.is_empty() {
        talk!("nobody votes for others");
    }
    Ok(())
}

fn headline(tally: &TallyView) -> String {
    let effect = match tally.loosens {
        true => "take effect at once",
        false => "take effect after the notice",
    };
    format!(
        "{} of the shares are for these, which {effect} with {}:",
        shares_text(tally.shares),
        shares_text(tally.needed)
    )
}

fn sentences(sentences: &[String]) -> Result<(), Failure> {
    for sentence in sentences {
        out::line(&format!("  {sentence}"))?;
    }
    Ok(())
}

/// `lode model vote`; without terms, the ballot is taken back.
///
/// # Errors
/// The text names no terms, a rule refuses, or the node cannot be asked.
pub fn vote(session: &Session, asset: &str, terms: Option<&str>) -> Result<(), Failure> {
    let asset = session.client()?.asset(session.asset_id(asset)?)?;
    let in_force = terms_of(&asset)?;
    let wanted = match terms {
        Some(text) => paid_like(crate::terms::named(text)?, in_force.payment_mode),
        None => in_force.clone(),
    };
    send(session, &asset, &in_force, &wanted)
}

/// `lode model revoke`.
///
/// # Errors
/// A rule refuses, or the node cannot be asked.
pub fn revoke(session: &Session, asset: &str) -> Result<(), Failure> {
    let asset = session.client()?.asset(session.asset_id(asset)?)?;
    let in_force = terms_of(&asset)?;
    if in_force.grants_nothing() {
        let next = "nothing has to be done";
        let message = format!("the terms of '{}' grant nothing as it is", asset.name);
        return Err(Failure::new("grants_nothing", message, next).exit(Exit::Rejected));
    }
    send(session, &asset, &in_force, &in_force.revoked())
}

/// A preset pays all holders; an asset that draws one keeps to that.
fn paid_like(terms: Terms, payment_mode: PaymentMode) -> Terms {
    match terms.payment_mode {
        PaymentMode::GlobalDistribution => Terms {
            payment_mode,
            ..terms
        },
        _ => terms,
    }
}

fn send(
    session: &Session,
    asset: &AssetView,
    in_force: &Terms,
    wanted: &Terms,
) -> Result<(), Failure> {
    let me = session.address()?;
    let before = session.client()?.votes(asset.id)?;
    let shares = held(session, asset)?;
    let effect = effect(asset, in_force, wanted, &before, shares);
    if !session.json() {
        talk!(
            "{} of '{}' are {me}'s; a vote for:",
            shares_text(shares),
            asset.name
        );
        for sentence in wanted.sentences() {
            talk!("  {sentence}");
        }
    }
    let action = Action::VoteTerms {
        asset: asset.id,
        terms: wanted.to_tags(),
    };
    let acted = session.act(&action, Some(&effect))?;
    session.report(&acted, &format!("voted; {effect}"))
}

/// The shares of an asset that the key which signs holds.
fn held(session: &Session, asset: &AssetView) -> Result<u32, Failure> {
    let me = session.address()?;
    for holder in session.client()?.holders(asset.id) {
        let holder = holder?;
        if holder.account == me {
            return Ok(holder.shares);
        }
    }
    Ok(0)
}

/// What the vote would come to, in a sentence.
fn effect(
    asset: &AssetView,
    in_force: &Terms,
    wanted: &Terms,
    votes: &VotesView,
    shares: u32,
) -> String {
    if wanted == in_force {
        return "these are the terms in force: it takes the ballot back".to_owned();
    }
    let id = wanted.id();
    let known = votes.tallies.iter().find(|tally| tally.terms_id == id);
    // Who votes anew for the same terms is refused, so nobody is counted twice.
    let all = known.map_or(0, |tally| tally.shares).saturating_add(shares);
    let all = shares_text(all.min(SHARES_PER_ASSET));
    match wanted.loosens(in_force, asset.kind) {
        true => format!("with this ballot {all} are for it, half loosens at once"),
        false => format!(
            "with this ballot {all} are for it; it tightens, so it takes 90% and this network's notice \
             ('lode model terms' says from when)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use licensing::presets;

    #[test]
    fn a_preset_pays_as_the_asset_does() {
        let random = PaymentMode::RandomDistribution;
        let terms = paid_like(presets::open(), random);
        assert_eq!(terms.payment_mode, random);
        assert_eq!(paid_like(Terms::default(), random), Terms::default());
    }

    #[test]
    fn a_tally_says_what_it_needs() {
        let tally = |loosens, needed| TallyView {
            terms: Vec::new(),
            terms_id: presets::open().id(),
            sentences: Vec::new(),
            record: protocol::ItemId([1; 32]),
            shares: 250_000,
            needed,
            loosens,
        };
        assert_eq!(
            headline(&tally(true, 500_000)),
            "25% of the shares are for these, which take effect at once with 50%:"
        );
        assert_eq!(
            headline(&tally(false, 900_000)),
            "25% of the shares are for these, which take effect after the notice with 90%:"
        );
    }
}
