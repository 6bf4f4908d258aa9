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
    let mut names: Vec<String> = Vec::new();
    for record in RECORDS {
        names.push(format!("record: {record}: applied"));
        names.push(format!("record: {record}: rejected"));
    }
    names.extend(RULES.map(|rule| format!("rule: {rule}")));
    names.extend(OTHERS.map(str::to_owned));
    names
}
