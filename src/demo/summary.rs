//! The demo's result as one JSON object.
//!
//! Amounts are decimal strings of base units, scores whole billionths, metrics
//! numbers, ids and digests strings. Lists are sorted: submissions by miner,
//! payouts in the order they were made, royalties by asset and holder, licences
//! by id, balances by name.

use std::collections::BTreeMap;

use protocol::benchmark::Metric;
use protocol::receipt::{Cause, Purse, Rule, Standing};
use protocol::record::Grant;
use protocol::report::Outcome;
use protocol::{Address, Amount, Digest, ItemId};
use serde::Serialize;

use super::acts::Play;
use super::cast::CAST;
use crate::failure::Failure;

/// The whole object.
#[derive(Serialize)]
pub struct Summary {
    schema: &'static str,
    submissions: Vec<SubmissionRow>,
    payouts: Vec<Payout>,
    royalties: Vec<Royalty>,
    licenses: Vec<LicenseRow>,
    balances: Vec<Balance>,
    supply: Supply,
    /// Blocks.
    pub height: u64,
    /// The root of the state at the end.
    pub state_root: Digest,
    /// How long it took.
    pub seconds: f64,
}

#[derive(Serialize)]
struct SubmissionRow {
    miner: String,
    submission: ItemId,
    score: Option<i64>,
    accuracy: Option<f64>,
    predictions_root: Option<Digest>,
    outcome: &'static str,
    standing: Option<Standing>,
    attestations: Vec<AttestationRow>,
}

#[derive(Serialize)]
struct AttestationRow {
    evaluator: String,
    outcome: &'static str,
    score: Option<i64>,
    predictions_root: Option<Digest>,
    agrees: bool,
}

#[derive(Serialize)]
struct Payout {
    to: String,
    amount: Amount,
    rule: Rule,
    from: Purse,
}

#[derive(Serialize)]
struct Royalty {
    asset: ItemId,
    name: String,
    holder: String,
    shares: u32,
    claimed: Amount,
}

#[derive(Serialize)]
struct LicenseRow {
    license: ItemId,
    asset: ItemId,
    licensee: String,
    grant: Grant,
    price: Amount,
    terms: Digest,
}

#[derive(Serialize)]
struct Balance {
    name: String,
    address: Address,
    balance: Amount,
    stake: Amount,
}

#[derive(Serialize)]
struct Supply {
    genesis: Amount,
    total: Amount,
    by_purse: BTreeMap<&'static str, Amount>,
    balances: bool,
}

fn scored(outcome: Option<&Outcome>) -> (Option<i64>, Option<Digest>) {
    match outcome {
        Some(Outcome::Scored {
            score,
            predictions_root,
            ..
        }) => (Some(score.0), Some(*predictions_root)),
        _ => (None, None),
    }
}

impl Summary {
    /// What a play came to.
    ///
    /// # Errors
    /// If the purses do not add up to the supply: a bug.
    pub fn of(play: &Play<'_>, seconds: f64) -> Result<Self, Failure> {
        let state = play.world.state();
        let totals = state
            .audit()
            .ok_or_else(|| Failure::bug("the purses are not the supply"))?;
        let total = totals
            .sum()
            .ok_or_else(|| Failure::bug("the purses are above all"))?;
        let kinds = Purse::KINDS.into_iter().zip(totals.by_kind);
        Ok(Self {
            schema: "lode.demo/1",
            submissions: submissions(play),
            payouts: payouts(play),
            royalties: royalties(play),
            licenses: licenses(play),
            balances: balances(play),
            supply: Supply {
                genesis: state.network_info().supply,
                total,
                by_purse: kinds.collect(),
                balances: total == state.network_info().supply,
            },
            height: state.height(),
            state_root: state.root(),
            seconds,
        })
    }
}

fn submissions(play: &Play<'_>) -> Vec<SubmissionRow> {
    let state = play.world.state();
    let mut rows: Vec<SubmissionRow> = Vec::new();
    for submission in state.submissions(play.bounty) {
        let verdict = submission.verdict.as_ref();
        let (score, predictions_root) = scored(verdict);
        let mut attestations: Vec<AttestationRow> = Vec::new();
        for (evaluator, batch) in &play.words {
            for word in batch.iter().filter(|word| word.submission == submission.id) {
                let (score, predictions_root) = scored(Some(&word.outcome));
                attestations.push(AttestationRow {
                    evaluator: evaluator.name().to_owned(),
                    outcome: word.outcome.name(),
                    score,
                    predictions_root,
                    agrees: Some(&word.outcome) == verdict,
                });
            }
        }
        attestations.sort_by(|a, b| a.evaluator.cmp(&b.evaluator));
        let report = play.reports.get(&submission.id);
        rows.push(SubmissionRow {
            miner: play.world.name_of(submission.miner),
            submission: submission.id,
            score,
            accuracy: report
                .and_then(|report| report.metrics)
                .and_then(|metrics| metrics.value(Metric::Accuracy)),
            predictions_root,
            outcome: match (verdict, submission.key) {
                (Some(outcome), _) => outcome.name(),
                (None, None) => "not_revealed",
                (None, Some(_)) => "no_verdict",
            },
            standing: submission.standing,
            attestations,
        });
    }
    rows.sort_by(|a, b| a.miner.cmp(&b.miner));
    rows
}

/// What the bounty's deadlines paid to accounts.
fn payouts(play: &Play<'_>) -> Vec<Payout> {
    let deadlines = play
        .world
        .receipts()
        .iter()
        .filter(|receipt| receipt.cause == Cause::Deadline(play.bounty));
    let mut rows = Vec::new();
    for step in deadlines.flat_map(|receipt| &receipt.moves) {
        rows.push(Payout {
            to: play.purse(step.to),
            amount: step.amount,
            rule: step.rule,
            from: step.from,
        });
    }
    rows
}

fn royalties(play: &Play<'_>) -> Vec<Royalty> {
    let state = play.world.state();
    let mut rows = Vec::new();
    for (asset, row) in state.assets() {
        for (holder, holding) in state.holdings(asset) {
            let claimed = CAST
                .iter()
                .find(|(who, _, _)| play.world.address(*who) == holder)
                .and_then(|(who, _, _)| play.claimed.get(&(asset, *who)).copied());
            rows.push(Royalty {
                asset,
                name: row.name.to_string(),
                holder: play.world.name_of(holder),
                shares: holding.shares,
                claimed: claimed.unwrap_or(Amount::ZERO),
            });
        }
    }
    rows.sort_by(|a, b| (a.asset, &a.holder).cmp(&(b.asset, &b.holder)));
    rows
}

fn licenses(play: &Play<'_>) -> Vec<LicenseRow> {
    let rows = play
        .world
        .state()
        .licenses()
        .map(|(license, row)| LicenseRow {
            license,
            asset: row.asset,
            licensee: play.world.name_of(row.licensee),
            grant: row.grant,
            price: row.price,
            terms: row.terms,
        });
    rows.collect()
}

fn balances(play: &Play<'_>) -> Vec<Balance> {
    let state = play.world.state();
    let rows = CAST.iter().map(|&(who, name, _)| {
        let address = play.world.address(who);
        Balance {
            name: name.to_owned(),
            address,
            balance: state.balance(Purse::Account(address)),
            stake: state.balance(Purse::Stake(address)),
        }
    });
    let mut rows: Vec<Balance> = rows.collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}
