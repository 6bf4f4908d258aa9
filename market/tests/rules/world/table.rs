//! Receipts as lines of a table.

use std::collections::BTreeMap;

use protocol::receipt::{Cause, Event, Purse, Receipt, Rule, Standing};
use protocol::record::Action;
use protocol::report::{Outcome, TestOutcome};
use protocol::{Address, ItemId};

use super::World;

impl World {
    /// One line of a table: a record, and what comes of it.
    pub fn row(&mut self, who: &str, action: Action, expected: &str) -> ItemId {
        let receipt = self.send(who, action);
        assert_eq!(self.show(&receipt), expected, "{who}");
        id_of(&receipt)
    }

    /// One line of a table: the clock moves to `time_ms`, and what comes of it.
    pub fn clock(&mut self, time_ms: u64, expected: &[&str]) {
        let receipts = self.block(time_ms, &[]);
        assert_eq!(self.lines(&receipts), expected, "at {time_ms}");
    }

    /// As [`Self::clock`], to the end of the bounty's phase and the beginning of the next.
    pub fn phase_ends(&mut self, bounty: ItemId, expected: &[&str]) {
        let receipts = self.skip(bounty);
        assert_eq!(self.lines(&receipts), expected);
    }

    pub fn lines(&self, receipts: &[Receipt]) -> Vec<String> {
        let shown = receipts.iter().map(|receipt| self.show(receipt));
        let lines = shown.flat_map(|text| {
            let lines = text.split("; ").map(str::to_owned);
            lines.collect::<Vec<String>>()
        });
        lines.filter(|line| !line.is_empty()).collect()
    }

    pub fn who(&self, address: Address) -> String {
        let unnamed = || address.to_string()[..6].to_owned();
        self.names.get(&address).cloned().unwrap_or_else(unnamed)
    }

    /// What terms are called that were labelled by their id.
    pub fn terms(&self, id: protocol::Digest) -> String {
        self.what(ItemId(id.0))
    }

    pub fn what(&self, id: ItemId) -> String {
        let unnamed = || id.to_string()[..6].to_owned();
        self.labels.get(&id).cloned().unwrap_or_else(unnamed)
    }

    fn purse(&self, purse: Purse) -> String {
        match purse {
            Purse::Account(who) => self.who(who),
            Purse::Reward(_) => "reward".to_owned(),
            Purse::SponsorBond(_) => "bond".to_owned(),
            Purse::MinerBond(id) => format!("bond:{}", self.what(id)),
            Purse::EvaluationFee(id) => format!("fee:{}", self.what(id)),
            Purse::PrepaidFees(_) => "prepaid".to_owned(),
            Purse::Stake(who) => format!("stake:{}", self.who(who)),
            Purse::Seat(_, who) => format!("seat:{}", self.who(who)),
            Purse::Harm(_) => "harm".to_owned(),
            Purse::Deposit(id) => format!("deposit:{}", self.what(id)),
            Purse::Income(id) => format!("income:{}", self.what(id)),
            Purse::Burned => "burned".to_owned(),
            Purse::Fund(id) => format!("fund:{}", self.what(id)),
        }
    }

    /// A receipt as a line: its code, its events, and by how much each purse
    /// changed; byte fees, deposits and what seats lock are left out.
    pub fn show(&self, receipt: &Receipt) -> String {
        if let Some(code) = &receipt.rejected {
            return code.to_string();
        }
        let mut parts: Vec<String> = match receipt.cause {
            Cause::Record(_) => vec!["ok".to_owned()],
            Cause::Deadline(_) | Cause::Distribution(_) | Cause::Terms(_) => Vec::new(),
        };
        parts.extend(receipt.events.iter().map(|event| self.event(event)));
        let mut change: BTreeMap<String, i128> = BTreeMap::new();
        let hidden = [
            Rule::ByteFee,
            Rule::Deposit,
            Rule::DepositReturn,
            Rule::SeatLock,
            Rule::SeatReturn,
        ];
        for step in receipt.moves.iter().filter(|m| !hidden.contains(&m.rule)) {
            let amount = step.amount.base_units() as i128;
            *change.entry(self.purse(step.from)).or_default() -= amount;
            *change.entry(self.purse(step.to)).or_default() += amount;
        }
        change.retain(|_, amount| *amount != 0);
        if !change.is_empty() {
            let shown: Vec<String> = change
                .iter()
                .map(|(purse, amount)| format!("{purse} {amount:+}"))
                .collect();
            parts.push(shown.join(", "));
        }
        parts.join("; ")
    }

    fn event(&self, event: &Event) -> String {
        match event {
            Event::AssetRegistered { asset } => format!("asset {}", self.what(*asset)),
            Event::PhaseBegan { phase, .. } => format!("phase {phase:?}"),
            Event::Verdict {
                submission,
                outcome,
                agreeing,
                dissenting,
            } => {
                let found = outcome.as_ref().map_or("none", Outcome::name);
                let others: Vec<String> = dissenting.iter().map(|&who| self.who(who)).collect();
                format!(
                    "verdict {} {found} {agreeing} {others:?}",
                    self.what(*submission)
                )
            }
            Event::PhaseExtended { phase, .. } => format!("phase {phase:?} extended"),
            Event::Seated {
                panel,
                round,
                all,
                seats,
                ..
            } => {
                let mut names: Vec<String> = seats.iter().map(|&seat| self.who(seat)).collect();
                names.sort_unstable();
                let round = match all {
                    true => "all".to_owned(),
                    false => round.to_string(),
                };
                format!("seated {} {round} {}", panel.name(), names.join(" "))
            }
            Event::TestSetVerdict {
                outcome,
                agreeing,
                dissenting,
                ..
            } => {
                let found = match outcome {
                    None => "none",
                    Some(TestOutcome::Ok) => "ok",
                    Some(TestOutcome::BadSeal { .. }) => "bad_seal",
                    Some(TestOutcome::Unavailable) => unreachable!("it is no word"),
                };
                let others: Vec<String> = dissenting.iter().map(|&who| self.who(who)).collect();
                format!("test set {found} {agreeing} {others:?}")
            }
            Event::SeatFailed {
                panel,
                evaluator,
                had_committed,
                ..
            } => {
                let how = match had_committed {
                    true => "unrevealed",
                    false => "silent",
                };
                format!("{} seat {} {how}", panel.name(), self.who(*evaluator))
            }
            Event::BountyForgotten { bounty } => format!("forgotten {}", self.what(*bounty)),
            Event::Ranked {
                submission,
                standing: Standing::Copied(first),
            } => format!("{} Copied({})", self.what(*submission), self.what(*first)),
            Event::Ranked {
                submission,
                standing,
            } => format!("{} {standing:?}", self.what(*submission)),
            Event::LicenseIssued {
                licensee, price, ..
            } => format!("license to {} for {price}", self.who(*licensee)),
            Event::TermsChanged { terms, .. } => format!("terms {}", self.terms(*terms)),
            Event::TighteningScheduled { terms, at_ms, .. } => {
                format!("terms {} at {at_ms}", self.terms(*terms))
            }
            Event::TighteningDropped { terms, .. } => {
                format!("terms {} dropped", self.terms(*terms))
            }
        }
    }
}

pub fn id_of(receipt: &Receipt) -> ItemId {
    match receipt.cause {
        Cause::Record(id) | Cause::Deadline(id) | Cause::Distribution(id) | Cause::Terms(id) => id,
    }
}
