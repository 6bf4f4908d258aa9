//! What ought to be refused, or is at least odd.

use super::bounty::Conduct;
use super::*;

impl<L: Ledger> Play<L> {
    /// Things that ought not to be done.
    pub(super) fn odd(&mut self, who: u8, what: u8, at: u8, shape: u16) -> Result<(), String> {
        let first = self
            .first_bounty()
            .filter(|_| choice(shape, "first") & 1 == 0);
        let bounty = first.unwrap_or_else(|| self.any_bounty(at));
        let nothing = ItemId(hash("nothing", &[]));
        let transfer = || Action::Transfer {
            to: person(0),
            body: Transfer { amount: units(1) },
        };
        let me = person(who);
        let now = self.model.time_ms;
        match what % 32 {
            0 => self.send_as(me, transfer(), |envelope| envelope.nonce += 1)?,
            1 => self.send_as(me, transfer(), |envelope| {
                envelope.nonce = envelope.nonce.wrapping_sub(1);
            })?,
            2 => self.send_as(me, transfer(), |envelope| envelope.valid_until_ms = now - 1)?,
            3 => self.send_as(me, transfer(), |envelope| envelope.valid_until_ms = now)?,
            4 => self.send_as(me, transfer(), |envelope| {
                envelope.valid_until_ms = now + 60_000 + u64::from(shape & 1);
            })?,
            5 => self.send_as(me, transfer(), |envelope| {
                envelope.network = NetworkId([3; 32]);
            })?,
            6 => {
                let body = BackBounty {
                    amount: units(u128::from(shape & 1)),
                };
                self.send(who, Action::BackBounty { bounty, body })?
            }
            7 => self.send(who, Action::CancelBounty { bounty })?,
            8 => return self.commit_as(me, bounty, shape),
            9 => return self.test_key(me, bounty),
            10 => {
                let key = SealKey::from_bytes([5; 32]);
                let body = RevealTestSet { key };
                self.send(who, Action::RevealTestSet { bounty, body })?
            }
            11 => {
                let outcome = TestOutcome::Ok;
                let body = AttestTestSet { outcome };
                let seat = self.seat_of(bounty, shape);
                let who = seat
                    .filter(|_| choice(shape, "seat") & 3 != 0)
                    .unwrap_or(me);
                self.send_as(who, Action::AttestTestSet { bounty, body }, |_| {})?
            }
            12..=14 => {
                let submissions = self
                    .model
                    .bounties
                    .get(&bounty)
                    .map(|b| b.submissions.clone());
                let submissions = submissions.unwrap_or_default();
                let chosen = submissions.get(usize::from(shape) % (submissions.len() + 1));
                let (id, owner) = chosen.map_or((nothing, me), |s| (s.id, s.miner));
                let key = match self.keys.get(&id) {
                    Some(key) if what % 32 != 12 => key.clone(),
                    _ => SealKey::from_bytes([6; 32]),
                };
                let from = if what % 32 == 13 { me } else { owner };
                return self.reveal(from, bounty, id, key);
            }
            15 => {
                let commitment = Digest([8; 32]);
                let body = CommitAttestations { commitment };
                let who = self.seat_of(bounty, shape).unwrap_or(me);
                self.send_as(who, Action::CommitAttestations { bounty, body }, |_| {})?
            }
            16..=19 => {
                let who = self.seat_of(bounty, shape >> 2).unwrap_or(me);
                return self.odd_batch(who, bounty, shape);
            }
            20 => {
                let asset = nothing;
                self.send(who, Action::ClaimRoyalty { asset })?
            }
            21 => {
                let body = TransferShares { to: me, shares: 1 };
                let asset = self.asset(at).unwrap_or(nothing);
                self.send(who, Action::TransferShares { asset, body })?
            }
            22 => {
                let body = BuyLicense {
                    grant: Grant::Access,
                    terms: Digest([1; 32]),
                    price_max: Amount::MAX,
                    months: 0,
                };
                let asset = nothing;
                self.send(who, Action::BuyLicense { asset, body })?
            }
            23 => self.send(who, Action::LeaveEvaluators)?,
            24 => {
                let to = person(who);
                let body = Transfer { amount: units(5) };
                self.send(who, Action::Transfer { to, body })?
            }
            _ => return self.odd_posting(who, shape),
        };
        Ok(())
    }

    /// Somebody who has a seat there.
    pub(super) fn seat_of(&self, bounty: ItemId, shape: u16) -> Option<Address> {
        let bounty = self.model.bounties.get(&bounty)?;
        let panels = [bounty.check.as_ref(), bounty.score.as_ref()];
        let seats = panels.into_iter().flatten().flat_map(|panel| &panel.seats);
        let seats: Vec<Address> = seats.map(|seat| seat.who).collect();
        let at = usize::from(shape).checked_rem(seats.len())?;
        Some(seats[at])
    }

    pub(super) fn odd_batch(&mut self, who: Address, id: ItemId, shape: u16) -> Result<(), String> {
        let round = self.model.bounties.get(&id).and_then(|b| b.score.as_ref());
        let round = round.map_or(0, |seats| seats.round);
        let known = self.batches.get(&(id, who, round)).cloned();
        let mut parts = known.unwrap_or_else(|| Self::batch(who, &[id], Conduct::Honest, 0));
        let mut body = parts.swap_remove(usize::from(shape >> 3) % parts.len());
        match shape & 7 {
            0 => body.part ^= 1,
            1 => body.salt = Digest([2; 32]),
            2 => body.leaves = None,
            3 => body.parts.push(Digest([3; 32])),
            4 => body.attestations.clear(),
            5 => body.attestations.reverse(),
            6 => body.parts.clear(),
            _ => {}
        }
        let action = Action::RevealAttestations { bounty: id, body };
        self.send_as(who, action, |_| {})?;
        Ok(())
    }

    /// A posting that mostly has a fault, and often a second one.
    pub(super) fn odd_posting(&mut self, who: u8, shape: u16) -> Result<(), String> {
        let who = who % PEOPLE;
        let terms = match choice(shape, "terms") & 3 {
            0 => choice(shape, "other terms"),
            _ => 7,
        };
        let mut body = self.posting(who, choice(shape, "posting"), terms);
        self.spoil(&mut body, choice(shape, "first fault"));
        self.spoil(&mut body, choice(shape, "second fault"));
        self.post_body(who, body)
    }

    /// Makes a fault, in two cases of three.
    fn spoil(&self, body: &mut PostBounty, how: u16) {
        match how & 31 {
            0 => body.reward = units(0),
            1 => body.schedule.open_ms = 99,
            2 => body.schedule.challenge_ms = 100_001,
            3 => body.split.miner ^= 1,
            4 => body.split.sponsor = u32::MAX,
            5 => {
                let half = u128::MAX / 2;
                let fees = [30, half, half + 1, u128::MAX];
                body.evaluation_fee = units(fees[usize::from(how >> 5 & 3)]);
            }
            6 => body.prepaid = 10_001,
            7 => body.prepaid = 10_000,
            8 => {
                if let Some(other) = self.model.bounties.values().next() {
                    body.test_set = other.body.test_set;
                }
            }
            9 => body.benchmark.task = Task::Classification { classes: 1 },
            10 => body.benchmark.arithmetic += 1,
            11 => body.model_terms.clear(),
            12 => body.model_terms = pairs(terms(13).to_tags()),
            13 => body.reward = units(100_000_000),
            14 => body.reward = Amount::MAX,
            15 => {
                body.parents.push(NamedParent {
                    asset: ItemId([7; 32]),
                    required: true,
                });
            }
            16 => {
                let three = units(body.evaluation_fee.base_units() / 5 * 3);
                body.evaluation_fee = three;
            }
            17 => body.self_funding_ppm = 200_001,
            18 => body.model_terms.reverse(),
            19 => {
                let asset = ItemId([9; 32]);
                let amount = units(1);
                body.fund = Some(FundPart { asset, amount });
            }
            20 => body.prepaid = u32::MAX,
            _ => {}
        }
    }
}
