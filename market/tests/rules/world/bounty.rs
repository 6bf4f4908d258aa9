//! The records of a bounty until its submissions are revealed, and of a licence.

use protocol::record::*;
use protocol::seal::{SealScope, seal_digest};
use protocol::{Amount, ItemId, Score};

use super::{
    SCHEDULE, World, address, benchmark, blob, id_of, name, pairs, priced, seal_key, units,
};

impl World {
    /// What a bounty looks like unless a test wants another.
    pub fn posting(&self, who: &str) -> PostBounty {
        let nonce = self.state.account(address(who)).nonce;
        let label = format!("test set of {who}, {nonce}");
        let ciphertext = blob(&label);
        let scope = SealScope::test_set(self.state.network(), address(who), nonce);
        PostBounty {
            title: name("digits"),
            benchmark: benchmark(),
            test_set: SealedFolder {
                seal: seal_digest(
                    &scope,
                    &seal_key(&label),
                    &ciphertext.id,
                    ciphertext.size_bytes,
                ),
                ciphertext,
            },
            reward: units(10_000),
            pay: Pay::WinnerTakesAll,
            reserve: Score(500),
            margin: 10,
            evaluation_fee: units(30),
            prepaid: 0,
            schedule: SCHEDULE,
            model_terms: pairs(&priced(1_000_000)),
            parents: Vec::new(),
            split: RoyaltySplit {
                miner: 600_000,
                sponsor: 300_000,
                backers: 100_000,
            },
            self_funding_ppm: 0,
            fund: None,
        }
    }

    /// Posts a bounty by the sponsor, changed as a test wants it.
    pub fn post(&mut self, change: impl FnOnce(&mut PostBounty)) -> ItemId {
        let action = self.post_action("sponsor", change);
        let id = self.must("sponsor", action);
        self.label(id, "bounty");
        id
    }

    pub fn post_action(&self, who: &str, change: impl FnOnce(&mut PostBounty)) -> Action {
        let mut posting = self.posting(who);
        change(&mut posting);
        Action::PostBounty {
            body: Box::new(posting),
        }
    }

    pub fn test_key(&self, bounty: ItemId) -> Action {
        let (posted, _) = self.state.bounty(bounty).expect("posted");
        let who = &self.names[&posted.sponsor];
        Action::RevealTestSet {
            bounty,
            body: RevealTestSet {
                key: seal_key(&format!("test set of {who}, {}", posted.poster_nonce)),
            },
        }
    }

    pub fn commit_action(
        &self,
        who: &str,
        bounty: ItemId,
        label: &str,
        parents: &[ItemId],
    ) -> Action {
        let ciphertext = blob(label);
        let scope = SealScope::submission(self.state.network(), bounty, address(who));
        let seal = seal_digest(
            &scope,
            &seal_key(label),
            &ciphertext.id,
            ciphertext.size_bytes,
        );
        let terms = match self.state.bounty(bounty) {
            Some((posted, _)) => posted.terms.to_tags(),
            None => priced(1),
        };
        Action::CommitSubmission {
            bounty,
            terms,
            body: CommitSubmission {
                name: name(label),
                sealed: SealedFolder { seal, ciphertext },
                parents: parents.to_vec(),
            },
        }
    }

    /// Commits a submission that is called `label`.
    pub fn commit(&mut self, who: &str, bounty: ItemId, label: &str) -> ItemId {
        self.commit_child(who, bounty, label, &[])
    }

    /// The same, of a submission with parents.
    pub fn commit_child(
        &mut self,
        who: &str,
        bounty: ItemId,
        label: &str,
        parents: &[ItemId],
    ) -> ItemId {
        let action = self.commit_action(who, bounty, label, parents);
        let id = self.must(who, action);
        self.sealed(id, label);
        id
    }

    /// Commits many submissions in one block.
    pub fn commit_many(&mut self, who: &str, bounty: ItemId, labels: &[String]) -> Vec<ItemId> {
        let commits = labels.iter().map(|label| {
            let action = self.commit_action(who, bounty, label, &[]);
            (who, action)
        });
        let commits: Vec<(&str, Action)> = commits.collect();
        let receipts = self.block(self.now() + 1, &commits);
        let ids: Vec<ItemId> = receipts.iter().map(id_of).collect();
        for (id, label) in ids.iter().zip(labels) {
            self.sealed(*id, label);
        }
        ids
    }

    /// Notes what a submission is called and was sealed from.
    pub fn sealed(&mut self, submission: ItemId, label: &str) {
        self.label(submission, label);
        self.sealed_from.insert(submission, label.to_owned());
    }

    pub fn key_action(&self, submission: ItemId) -> Action {
        let (bounty, _) = self.state.submission(submission).expect("committed");
        let label = &self.sealed_from[&submission];
        Action::RevealSubmission {
            bounty,
            body: RevealSubmission {
                submission,
                key: seal_key(label),
            },
        }
    }

    /// The miner reveals a submission's key.
    pub fn reveal(&mut self, submission: ItemId) {
        let (_, committed) = self.state.submission(submission).expect("committed");
        let who = self.names[&committed.miner].clone();
        self.must(&who, self.key_action(submission));
    }

    pub fn reveal_all(&mut self, bounty: ItemId) {
        let sealed = self.state.submissions(bounty);
        let sealed: Vec<ItemId> = sealed
            .filter(|submission| submission.key.is_none())
            .map(|submission| submission.id)
            .collect();
        for submission in sealed {
            self.reveal(submission);
        }
    }

    pub fn buy(&self, asset: ItemId, grant: Grant) -> Action {
        let terms = &self.state.asset(asset).expect("registered").terms;
        let body = BuyLicense {
            grant,
            terms: terms.id(),
            price_max: Amount::MAX,
        };
        Action::BuyLicense { asset, body }
    }
}
