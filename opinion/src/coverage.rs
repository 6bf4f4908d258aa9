//! What a play has seen: how often each record type was applied, rejected or
//! left out, and each thing that can happen on the way happened.

use std::collections::BTreeMap;
use std::fmt;

use crate::model::Decision;

/// Counters by name, in order of name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(pub BTreeMap<String, u64>);

impl Coverage {
    /// One more of `name`.
    pub fn saw(&mut self, name: impl Into<String>) {
        *self.0.entry(name.into()).or_default() += 1;
    }

    /// One more decision on a record of this type.
    pub fn decided(&mut self, record_type: &str, decision: Decision) {
        let what = match decision {
            Decision::NotIncludable(_) => "left out",
            Decision::Rejected(_) => "rejected",
            Decision::Applied => "applied",
        };
        self.saw(format!("record: {record_type}: {what}"));
    }

    /// How often something was seen.
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// Takes another's counts into this one.
    pub fn add(&mut self, other: &Self) {
        for (name, count) in &other.0 {
            *self.0.entry(name.clone()).or_default() += count;
        }
    }

    /// Records that were decided on.
    pub fn records(&self) -> u64 {
        let of_records = self
            .0
            .iter()
            .filter(|(name, _)| name.starts_with("record: "));
        of_records.map(|(_, count)| count).sum()
    }

    /// What a whole play must have seen and did not.
    pub fn missing(&self) -> Vec<String> {
        let wanted = wanted().into_iter();
        wanted.filter(|name| self.count(name) == 0).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.0 {
            writeln!(f, "{count:>12}  {name}")?;
        }
        Ok(())
    }
}

/// Everything that a whole play must see.
pub fn wanted() -> Vec<String> {
    const RECORDS: [&str; 18] = [
        "transfer",
        "register-asset",
        "post-bounty",
        "back-bounty",
        "cancel-bounty",
        "commit-submission",
        "reveal-test-set",
        "attest-test-set",
        "reveal-submission",
        "join-evaluators",
        "leave-evaluators",
        "commit-attestations",
        "reveal-attestations",
        "buy-license",
        "claim-royalty",
        "transfer-shares",
        "vote-terms",
        "declare-revenue",
    ];
    const RULES: [&str; 28] = [
        "ByteFee",
        "Transfer",
        "Reward",
        "Backing",
        "Bond",
        "EvaluationFee",
        "PrepaidFees",
        "Deposit",
        "DepositReturn",
        "Stake",
        "Unstake",
        "SeatLock",
        "SeatReturn",
        "Award",
        "Refund",
        "BondReturn",
        "EvaluationPay",
        "ForfeitBurned",
        "ForfeitHeld",
        "ForfeitShared",
        "LicenseIncome",
        "StackIncome",
        "Claim",
        "RandomDistribution",
        "SelfFunding",
        "FundedReward",
        "FundReturn",
        "Escrow",
    ];
    const OTHERS: [&str; 72] = [
        "phase: Open",
        "phase: TestKey",
        "phase: TestCheck",
        "phase: Reveal",
        "phase: Score",
        "phase: ScoreReveal",
        "phase: Challenge",
        "phase: Settled",
        "phase: Void(Cancelled)",
        "phase: Void(NoSubmissions)",
        "phase: Void(KeyLeaked)",
        "phase: Void(KeyWithheld)",
        "phase: Void(BadTestSet)",
        "phase: Void(NoQuorum)",
        "extended: Open",
        "extended: TestKey",
        "extended: TestCheck",
        "extended: Reveal",
        "extended: Score",
        "extended: ScoreReveal",
        "extended: Challenge",
        "standing: Won",
        "standing: Lost",
        "standing: Copied",
        "standing: NotRevealed",
        "standing: BadSeal",
        "standing: Invalid",
        "standing: NoVerdict",
        "failed: check: silent",
        "failed: score: silent",
        "failed: score: unrevealed",
        "failed: score: a part is missing",
        "batch: of several parts",
        "clock: over several blocks",
        "panel: check: redrawn",
        "panel: check: all seated",
        "panel: check: counted at once",
        "panel: score: redrawn",
        "panel: score: all seated",
        "panel: score: counted at once",
        "check: the finders are paid",
        "panel: check: none could be drawn",
        "panel: the silent are asked again",
        "panel: check: places drawn",
        "panel: score: places drawn",
        "panel: check: too few have said",
        "panel: score: too few have said",
        "commit: too few would be left to judge",
        "evaluator: gone",
        "evaluator: left but for its seats",
        "evaluator: stayed after all",
        "commit: a named parent asks for more by now",
        "panel: of 1",
        "panel: of 3",
        "panel: of 5",
        "settled: several steps won",
        "settled: an unnamed parent diluted the miner",
        "settled: nobody is left to be paid",
        "forgotten",
        "terms: loosened",
        "terms: loosened by a transfer",
        "terms: tightening scheduled",
        "terms: tightening replaced",
        "terms: tightened",
        "terms: tightening dropped",
        "licence: a month began",
        "licence: its months are over",
        "licence: fresh grace",
        "licence: lapsed with nothing left",
        "licence: lapsed, the rest returned",
        "licence: declared at the minimum",
        "licence: declared above the minimum",
    ];
    const CODES: [&str; 76] = [
        "all_declared",
        "already_done",
        "already_revealed",
        "backing_closed",
        "ballot_stands",
        "batch_incomplete",
        "benchmark",
        "commitment_mismatch",
        "derivation_fee_not_yet",
        "derivation_monthly_fee_not_yet",
        "derivation_not_granted",
        "draw_pending",
        "evaluation_fee",
        "expired",
        "fee_unpayable",
        "fund_amount",
        "fund_majority",
        "fund_parent",
        "has_submissions",
        "insufficient_funds",
        "leaves_missing",
        "license_lapsed",
        "no_ballot",
        "no_license",
        "no_revenue_share",
        "nonce",
        "not_asked",
        "not_evaluator",
        "not_granted",
        "not_holder",
        "not_owner",
        "nothing_owed",
        "nothing_to_buy",
        "notice_not_over",
        "other_network",
        "other_period",
        "other_terms",
        "overflow",
        "paid_by_child",
        "parent_required",
        "parents",
        "part_out_of_order",
        "payment_mode",
        "payment_mode_fixed",
        "period_not_over",
        "phase_over",
        "pool_too_small",
        "prepaid",
        "price_above_max",
        "royalties_above_all",
        "schedule",
        "seal_mismatch",
        "self_funding",
        "shares",
        "sold_by_month",
        "sold_once",
        "stake_too_small",
        "terms_bound",
        "terms_changed",
        "terms_not_canonical",
        "terms_not_passed_on",
        "test_set_used",
        "too_few_shares",
        "training_fee_not_yet",
        "training_monthly_fee_not_yet",
        "training_not_granted",
        "unknown_asset",
        "unknown_bounty",
        "unknown_license",
        "unknown_submission",
        "unnamed_parents",
        "valid_too_long",
        "weights_digest",
        "weights_taken",
        "wrong_phase",
        "zero_amount",
    ];
    let mut names: Vec<String> = Vec::new();
    for record in RECORDS {
        names.push(format!("record: {record}: applied"));
        names.push(format!("record: {record}: rejected"));
    }
    names.extend(RULES.map(|rule| format!("rule: {rule}")));
    names.extend(OTHERS.map(str::to_owned));
    names.extend(CODES.map(|code| format!("code: {code}")));
    names
}
