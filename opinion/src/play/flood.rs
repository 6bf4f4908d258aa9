//! One bounty of very many submissions, and nothing else that is due.

use super::*;

impl<L: Ledger> Play<L> {
    /// Posts the bounty and floods it.
    ///
    /// # Panics
    /// Model and ledger differ, or there are too few evaluators for any bounty.
    pub(super) fn flood(&mut self, setup: Setup) {
        let mut shapes = (0..).map(|number: u16| choice(setup.numbers.into(), "flood") ^ number);
        while self.model.bounties.is_empty() {
            let shape = shapes.next().expect("a bounty can be posted");
            let body = self.posting(0, shape, 7);
            self.post_body(0, body).expect("both say the same");
        }
        let bounty = *self.model.bounties.keys().next().expect("it was posted");
        let least = units(
            self.model.bounties[&bounty]
                .body
                .reward
                .base_units()
                .div_ceil(1_000),
        );
        let backings = [0, 70, 990];
        for number in 0..backings[usize::from(choice(setup.numbers.into(), "backings")) % 3] {
            let body = BackBounty { amount: least };
            let backer = [14, 17][number % 2];
            self.send(backer, Action::BackBounty { bounty, body })
                .expect("both say the same");
        }
        for number in 0..setup.flood {
            let miner = person(12 + (number % 3) as u8);
            self.commit_as(miner, bounty, 0).expect("both say the same");
        }
        let kept = self.model.bounties[&bounty].submissions.len();
        assert_eq!(kept, usize::from(setup.flood), "all are taken");
    }

    /// Whether a step has to do with that bounty alone, and lets the clock alone end it.
    pub(super) fn is_of_flood(&self, step: &Step) -> bool {
        match step {
            Step::Proceed { .. } => self.first_bounty().is_some(),
            Step::Wait(_)
            | Step::Back { .. }
            | Step::Commit { .. }
            | Step::Cancel { .. }
            | Step::Join { .. }
            | Step::Leave { .. }
            | Step::Claim { .. }
            | Step::MoveShares { .. }
            | Step::Send { .. } => true,
            Step::Odd { what, .. } => matches!(what % 32, 0..=5 | 15..=19),
            Step::Post { .. }
            | Step::Leak { .. }
            | Step::Register { .. }
            | Step::Buy { .. }
            | Step::Declare { .. }
            | Step::Vote { .. } => false,
        }
    }
}
