//! A bounty from phase to phase.

use std::collections::BTreeMap;

use market::bounty::Step;
use protocol::ItemId;
use protocol::receipt::{Phase, Receipt};
use protocol::report::{Outcome, TestOutcome};

use super::{World, found};

impl World {
    /// The clock moves to the end of the bounty's phase, and on block by block until
    /// the next has begun: draws take place in the block after.
    pub fn skip(&mut self, bounty: ItemId) -> Vec<Receipt> {
        let mut receipts = self.block(self.until(bounty), &[]);
        let first = self.state.height();
        while !self.waits(bounty) {
            assert!(self.state.height() < first + 1_000, "the work never ends");
            receipts.extend(self.block(self.now() + 1, &[]));
        }
        receipts
    }

    /// Whether the clock has nothing to do for the bounty until its next deadline.
    pub fn waits(&self, bounty: ItemId) -> bool {
        let Some((_, progress)) = self.state.bounty(bounty) else {
            return true;
        };
        matches!(progress.step, Step::Wait | Step::Forget { next: 0 })
    }

    /// From the open phase to the test check: the test key is out, the seats are drawn.
    pub fn bring_to_check(&mut self, bounty: ItemId) {
        self.skip(bounty);
        let (posted, _) = self.state.bounty(bounty).expect("posted");
        let sponsor = self.names[&posted.sponsor].clone();
        self.must(&sponsor, self.test_key(bounty));
        self.skip(bounty);
        assert_eq!(self.phase(bounty), Phase::TestCheck);
    }

    /// From the open phase to the reveal: the test key is out and found good.
    pub fn bring_to_reveal(&mut self, bounty: ItemId) {
        self.bring_to_check(bounty);
        self.find_good(bounty);
    }

    /// From the test check to the reveal: every seat finds the test set good.
    pub fn find_good(&mut self, bounty: ItemId) {
        for who in self.checks(bounty) {
            self.must(&who, found(bounty, TestOutcome::Ok));
        }
        self.skip(bounty);
        assert_eq!(self.phase(bounty), Phase::Reveal);
    }

    /// From the open phase to the scoring: everybody has revealed, the seats are drawn.
    pub fn bring_to_score(&mut self, bounty: ItemId) {
        self.bring_to_reveal(bounty);
        self.show_all(bounty);
    }

    /// From the reveal to the scoring: everybody reveals, the seats are drawn.
    pub fn show_all(&mut self, bounty: ItemId) {
        self.reveal_all(bounty);
        self.skip(bounty);
        assert_eq!(self.phase(bounty), Phase::Score);
    }

    /// One round of scoring: every seat that is asked says what `word` gives for it
    /// and a submission; `None` for the first: the seat is silent.
    pub fn round(
        &mut self,
        bounty: ItemId,
        word: impl Fn(&str, &str) -> Option<Outcome>,
    ) -> Vec<Receipt> {
        let mut at_work = Vec::new();
        for who in self.asked(bounty) {
            let asked = self.state.undecided(bounty);
            let labels: Vec<String> = asked.map(|(_, it)| self.what(it.id)).collect();
            let words: Vec<Outcome> = labels.iter().map_while(|it| word(&who, it)).collect();
            if words.len() == labels.len() {
                self.commit_batch(&who, bounty, &words);
                at_work.push(who);
            }
        }
        self.skip(bounty);
        for who in at_work {
            self.reveal_batch(&who, bounty);
        }
        self.skip(bounty)
    }

    /// As [`Self::round`], and its receipts' lines.
    pub fn plays(
        &mut self,
        bounty: ItemId,
        word: impl Fn(&str, &str) -> Option<Outcome>,
        expected: &[&str],
    ) {
        let receipts = self.round(bounty, word);
        assert_eq!(self.lines(&receipts), expected);
    }

    /// From the reveal phase on: all submissions are revealed, and every seat finds
    /// these outcomes, in as many rounds as it takes.
    pub fn bring_to_challenge(&mut self, bounty: ItemId, outcomes: &[Outcome]) -> Vec<Receipt> {
        if self.phase(bounty) == Phase::Reveal {
            self.reveal_all(bounty);
            self.skip(bounty);
        }
        let revealed = self.state.submissions(bounty);
        let revealed = revealed.filter(|submission| submission.key.is_some());
        let words: BTreeMap<ItemId, Outcome> = revealed
            .map(|submission| submission.id)
            .zip(outcomes.iter().cloned())
            .collect();
        let mut receipts = Vec::new();
        while self.phase(bounty) == Phase::Score {
            let seats = self.asked(bounty);
            let asked = self.state.undecided(bounty);
            let outcomes: Vec<Outcome> = asked.map(|(_, it)| words[&it.id].clone()).collect();
            for who in &seats {
                self.commit_batch(who, bounty, &outcomes);
            }
            self.skip(bounty);
            for who in &seats {
                self.reveal_batch(who, bounty);
            }
            receipts.extend(self.skip(bounty));
        }
        receipts
    }

    /// As [`Self::bring_to_challenge`], and on to the settlement; what comes of that.
    pub fn settle(&mut self, bounty: ItemId, outcomes: &[Outcome]) -> Vec<Receipt> {
        self.bring_to_challenge(bounty, outcomes);
        let receipts = self.skip(bounty);
        assert_eq!(self.phase(bounty), Phase::Settled);
        receipts
    }
}
