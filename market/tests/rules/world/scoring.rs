//! Evaluators: who is asked, and what they hand in.

use protocol::ItemId;
use protocol::record::*;
use protocol::report::Outcome;

use super::{World, address, batch_of, blob, join};

impl World {
    /// A network where so many evaluators are at work, beyond the cast's five too;
    /// `more` names further people with money.
    pub fn pool(parameters: Parameters, count: usize, more: &[&str]) -> Self {
        let evaluators: Vec<String> = (6..=count).map(|number| format!("eve-{number}")).collect();
        let people = evaluators.iter().map(String::as_str);
        let people: Vec<&str> = people.chain(more.iter().copied()).collect();
        let mut world = Self::with(parameters, &people);
        world.evaluators(count);
        world
    }

    /// Evaluators join with the least stake: two seats of the usual bounty.
    pub fn evaluators(&mut self, count: usize) {
        for number in 1..=count {
            self.must(&format!("eve-{number}"), join(10_000));
        }
    }

    /// Who has a seat that checks the test set and did not fail, by name.
    pub fn checks(&self, bounty: ItemId) -> Vec<String> {
        let seats = self.state.checks(bounty);
        let standing = seats.filter(|(_, check)| !check.failed);
        let mut names: Vec<String> = standing.map(|(seat, _)| self.who(seat)).collect();
        names.sort_unstable();
        names
    }

    /// Who is asked for a batch in this round, by name.
    pub fn asked(&self, bounty: ItemId) -> Vec<String> {
        let seats = self.state.seats(bounty).filter(|(_, seat)| seat.asked);
        let mut names: Vec<String> = seats.map(|(seat, _)| self.who(seat)).collect();
        names.sort_unstable();
        names
    }

    /// A batch for all submissions of a bounty that are asked for, at most 500.
    pub fn batch(&self, who: &str, bounty: ItemId, outcomes: &[Outcome]) -> RevealAttestations {
        let mut parts = self.parts(who, bounty, outcomes);
        assert_eq!(parts.len(), 1, "more than one part");
        parts.remove(0)
    }

    /// A batch for all submissions that are asked for, in parts.
    pub fn parts(
        &self,
        who: &str,
        bounty: ItemId,
        outcomes: &[Outcome],
    ) -> Vec<RevealAttestations> {
        let asked = self.state.undecided(bounty);
        let attestations: Vec<Attestation> = asked
            .zip(outcomes)
            .map(|((_, submission), outcome)| Attestation {
                submission: submission.id,
                outcome: outcome.clone(),
            })
            .collect();
        let round = self.state.bounty(bounty).map_or(0, |it| it.1.panel.round);
        batch_of(who, round, &attestations, Some(blob(who)))
    }

    pub fn commitment(&self, who: &str, bounty: ItemId, batch: &RevealAttestations) -> Action {
        Action::CommitAttestations {
            bounty,
            body: CommitAttestations {
                commitment: attestation_commitment(bounty, address(who), batch),
            },
        }
    }

    /// Commits a batch and keeps it for [`Self::reveal_batch`].
    pub fn commit_batch(&mut self, who: &str, bounty: ItemId, outcomes: &[Outcome]) {
        let batch = self.parts(who, bounty, outcomes);
        let action = self.commitment(who, bounty, &batch[0]);
        self.must(who, action);
        self.batches.insert((who.to_owned(), bounty), batch);
    }

    /// The records that reveal what was committed, one a part.
    pub fn batch_actions(&self, who: &str, bounty: ItemId) -> Vec<Action> {
        let parts = self.batches[&(who.to_owned(), bounty)].iter();
        parts
            .map(|body| Action::RevealAttestations {
                bounty,
                body: body.clone(),
            })
            .collect()
    }

    pub fn reveal_batch(&mut self, who: &str, bounty: ItemId) {
        for action in self.batch_actions(who, bounty) {
            self.must(who, action);
        }
    }
}
