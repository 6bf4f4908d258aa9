//! One bounty of very many submissions, and nothing else that is due.

use super::*;

impl<L: Ledger> Play<L> {
    /// Posts the bounty and floods it.
    ///
    /// # Panics
    /// Nobody takes it: three people can pay for all of it.
    pub(super) fn flood(&mut self, setup: Setup) {
        let body = Box::new(self.posting(0, u16::from(setup.numbers) * 3, 7));
        let posted = self.send(0, Action::PostBounty { body });
        if posted != Ok(Decision::Applied) {
            // The plain one.
            let body = Box::new(self.posting(0, 0, 7));
            let posted = self.send(0, Action::PostBounty { body });
            assert_eq!(posted, Ok(Decision::Applied), "a bounty is posted");
        }
        let bounty = *self.model.bounties.keys().next().expect("it was posted");
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
