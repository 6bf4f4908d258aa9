//! Whether weights are on the log already: what is submitted then is out as a copy.

use client::{AssetFilter, PhaseFilter};
use protocol::api::{BountyView, SubmissionView};
use protocol::id::{Digest, ItemId};
use protocol::record::AssetKind;
use protocol::report::Outcome;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::session::Session;

/// How many of the newest models are compared with what is submitted.
const ASSETS_LOOKED_AT: usize = 1_000;

/// How many bounties of a phase are looked into.
const BOUNTIES_LOOKED_AT: usize = 100;

/// Where the weights were found.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Known {
    /// A model, or a submission that becomes one when its bounty settles.
    pub kind: &'static str,
    pub id: ItemId,
    pub name: String,
}

impl Known {
    /// What it means, in a sentence.
    pub fn text(&self) -> String {
        format!(
            "the {} '{}' ({}) has these weights: this folder would be out as a copy, and its fee spent",
            self.kind, self.name, self.id
        )
    }

    /// The same as a refusal.
    pub fn failure(&self) -> Failure {
        let next = "train a model of your own, or add --even-so if that is what you want";
        Failure::new("weights_known", self.text(), next).exit(Exit::Rejected)
    }
}

/// The model or submission with these weights, if one of the newest has them. A submission is
/// registered as a model when its bounty settles, so only bounties between verdict and
/// settlement can hold one that is no model yet.
///
/// # Errors
/// The node cannot be asked.
pub fn known(
    session: &Session,
    bounty: &BountyView,
    weights: Digest,
) -> Result<Option<Known>, Failure> {
    let client = session.client()?;
    let filter = AssetFilter {
        kind: Some(AssetKind::Model),
        ..AssetFilter::default()
    };
    for asset in client.assets(&filter).take(ASSETS_LOOKED_AT) {
        let asset = asset?;
        if asset.weights_digest == Some(weights) {
            return Ok(Some(Known {
                kind: "model",
                id: asset.id,
                name: asset.name.to_string(),
            }));
        }
    }
    if let Some(found) = among(&bounty.submissions, weights) {
        return Ok(Some(found));
    }
    for phase in [PhaseFilter::ScoreReveal, PhaseFilter::Challenge] {
        for summary in client.bounties(Some(phase)).take(BOUNTIES_LOOKED_AT) {
            let view = client.bounty(summary?.id)?;
            if let Some(found) = among(&view.submissions, weights) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

fn among(submissions: &[SubmissionView], weights: Digest) -> Option<Known> {
    let found = submissions
        .iter()
        .find(|one| is_scored_with(one.verdict.as_ref(), weights))?;
    Some(Known {
        kind: "submission",
        id: found.id,
        name: found.name.to_string(),
    })
}

fn is_scored_with(verdict: Option<&Outcome>, weights: Digest) -> bool {
    matches!(verdict, Some(Outcome::Scored { weights_digest, .. }) if *weights_digest == weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Score;

    #[test]
    fn only_a_score_tells_of_weights() {
        let weights = Digest([1; 32]);
        let scored = Outcome::Scored {
            score: Score(0),
            weights_digest: weights,
            predictions_root: Digest([2; 32]),
        };
        assert!(is_scored_with(Some(&scored), weights));
        assert!(!is_scored_with(Some(&scored), Digest([2; 32])));
        assert!(!is_scored_with(Some(&Outcome::Unavailable), weights));
        assert!(!is_scored_with(None, weights));
    }

    #[test]
    fn a_refusal_says_what_has_the_weights() {
        let known = Known {
            kind: "model",
            id: ItemId([3; 32]),
            name: "Digits".to_owned(),
        };
        let failure = known.failure();
        assert_eq!(
            (failure.code.as_str(), failure.exit),
            ("weights_known", Exit::Rejected)
        );
        assert!(failure.message.contains("'Digits'"));
        assert!(failure.next_step.contains("--even-so"));
    }
}
