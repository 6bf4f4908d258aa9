//! What a bounty offers and binds its sponsor to, in sentences, before it is posted.

use licensing::Percent;
use protocol::api::AssetView;
use protocol::record::{Pay, PostBounty, RoyaltySplit};
use protocol::score::Score;

use super::values::duration_text;
use crate::license::shares_text;

/// What the reward is not.
pub const NO_LICENSE: &str = "The reward buys no licence: you hold your part of the royalty shares, and buy a \
     licence like anybody.";

/// Something that models are made from.
#[derive(Clone, Debug)]
pub struct Parent {
    /// The asset.
    pub asset: AssetView,
    /// Whether every model is made from it.
    pub is_required: bool,
    /// Its own share of a model's income; its ancestors' are in the asset's stack.
    pub share: Option<Percent>,
}

impl Parent {
    /// What it takes of a model's income.
    fn text(&self) -> String {
        let word = match self.is_required {
            true => "always",
            false => "if a miner names it",
        };
        let own = match self.share {
            Some(share) => format!("{share} of the income"),
            None => "nothing of the income".to_owned(),
        };
        let mut text = format!("'{}' ({word}): takes {own}", self.asset.name);
        let above: Vec<&str> = self
            .asset
            .stack
            .iter()
            .map(|(_, share)| share.as_str())
            .collect();
        if !above.is_empty() {
            text.push_str(&format!(
                "; what it was made from takes {}",
                above.join(" and ")
            ));
        }
        text
    }
}

/// The shares of a split as a sentence.
pub fn split_text(split: &RoyaltySplit) -> String {
    let percent = |shares: u32| f64::from(shares) / 10_000.0;
    format!(
        "miner {} %, sponsor {} %, backers {} %",
        percent(split.miner),
        percent(split.sponsor),
        percent(split.backers)
    )
}

/// A margin as a score.
pub fn margin_text(margin: u64) -> String {
    Score(i64::try_from(margin).unwrap_or(i64::MAX)).to_string()
}

/// Who is paid what.
fn who_wins(posting: &PostBounty) -> String {
    let metric = posting.benchmark.metric.name();
    let (reserve, margin) = (posting.reserve, margin_text(posting.margin));
    match posting.pay {
        Pay::WinnerTakesAll => format!(
            "Who wins: the best {metric} that reaches {reserve}; a later model must be better by more than {margin}."
        ),
        Pay::Steps => format!(
            "Who wins: in the order of submission, each model whose {metric} is better than the best so far (at \
             first {reserve}) by more than {margin}; the reward is divided by how much better."
        ),
    }
}

/// What a submission pays for its evaluation.
pub fn fee_text(posting: &PostBounty, submissions: u32) -> String {
    let fee = posting.evaluation_fee.to_lode_string();
    match posting.prepaid {
        0 => format!("{fee} LODE"),
        first if submissions >= first => {
            format!("{fee} LODE (the sponsor has paid it for the first {first}, which are in)")
        }
        first => {
            format!("{fee} LODE (nothing, if it is among the first {first}: the sponsor does)")
        }
    }
}

/// All that a sponsor agrees to beside the cost, a line each.
pub fn lines(posting: &PostBounty, terms: &[String], parents: &[Parent]) -> Vec<String> {
    let mut lines = vec![
        who_wins(posting),
        format!(
            "For its evaluation a submission pays {}, and its miner puts up a bond.",
            fee_text(posting, 0)
        ),
        format!(
            "The winner's royalty shares: {}{}.",
            split_text(&posting.split),
            match posting.split.backers {
                0 => "",
                _ => " (yours, if nobody adds to the reward)",
            }
        ),
        NO_LICENSE.to_owned(),
        "Every model submitted is under these terms:".to_owned(),
    ];
    lines.extend(terms.iter().map(|sentence| format!("  {sentence}")));
    if posting.self_funding_ppm > 0 {
        lines.push(format!(
            "Each sets aside {} of every income for further rounds; that never changes.",
            shares_text(posting.self_funding_ppm)
        ));
    }
    if !parents.is_empty() {
        lines.push("Models are made from:".to_owned());
        lines.extend(parents.iter().map(|parent| format!("  {}", parent.text())));
    }
    let (open, key) = (
        duration_text(posting.schedule.open_ms),
        duration_text(posting.schedule.test_key_ms),
    );
    lines.push(format!(
        "It is open for {open}. In the {key} after that the key of the test set must be revealed:"
    ));
    lines.push("run 'lode bounty watch ID --reveal' and leave it running.".to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_margins_are_read_as_people_write_them() {
        let split = RoyaltySplit {
            miner: 600_000,
            sponsor: 333_333,
            backers: 66_667,
        };
        assert_eq!(
            split_text(&split),
            "miner 60 %, sponsor 33.3333 %, backers 6.6667 %"
        );
        assert_eq!(margin_text(2_000_000), "0.002000000");
    }
}
