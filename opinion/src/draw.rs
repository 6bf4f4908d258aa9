//! Draws: who may sit, who is drawn, and what that locks.

use std::collections::BTreeMap;

use protocol::receipt::{Event, Panel, Phase, Purse, Rule, VoidReason};
use protocol::report::TestOutcome;
use protocol::{Address, ItemId};

use crate::asset::draw_below;
use crate::bounty::{Bounty, Draw};
use crate::limits::PLACES;
use crate::model::Model;
use crate::money::{Units, part};
use crate::panel::{Seat, Seats};

impl Model {
    /// The panel that so many candidates allow.
    pub(crate) fn panel_size(&self, candidates: usize) -> Option<usize> {
        let least = self.parameters.committee_min as usize;
        [5, 3, 1]
            .into_iter()
            .find(|seats| *seats <= candidates && *seats >= least)
    }

    /// Evaluators with this much free stake for whom `excluded` is not true, by address.
    pub(crate) fn with_free_stake(
        &self,
        stake: &Units,
        excluded: impl Fn(Address) -> bool,
    ) -> Vec<(Address, Units)> {
        let able = self.evaluators.keys().filter(|who| !excluded(**who));
        let able = able.filter(|who| !self.leaving.contains_key(who));
        able.map(|who| (*who, self.money.balance(Purse::Stake(*who))))
            .filter(|(_, free)| free >= stake && *free > Units::from(0))
            .collect()
    }

    /// The candidates of a bounty for a seat in this panel.
    pub(crate) fn candidates(&self, bounty: &Bounty, panel: Panel) -> Vec<(Address, Units)> {
        let stake = self.seat_stake(bounty);
        let sits = |who: Address| {
            let seats = bounty.panel(panel);
            seats.is_some_and(|seats| seats.seats.iter().any(|seat| seat.who == who))
        };
        let mut able = self.with_free_stake(&stake, |who| {
            bounty.is_party(who) || bounty.has_failed(who) || sits(who)
        });
        let is_sized = bounty.score.as_ref().is_some_and(|it| it.size.is_some());
        if panel == Panel::Score && !is_sized {
            let none = Units::from(0);
            let checked = bounty.check.iter().flat_map(|check| &check.seats);
            let checked: Vec<(&Seat, Units)> = checked
                .map(|seat| (seat, self.money.balance(Purse::Stake(seat.who))))
                .filter(|(seat, free)| {
                    !bounty.is_party(seat.who) && !sits(seat.who) && *free > none
                })
                .collect();
            for (seat, free) in &checked {
                // Who checked may be drawn though it leaves.
                let is_leaving = self.leaving.contains_key(&seat.who);
                let of_panel = seat.failed_in.is_none() && !seat.with_all;
                if of_panel && is_leaving && *free >= stake {
                    able.push((seat.who, free.clone()));
                }
            }
            if self.panel_size(able.len()).is_none() {
                // Those who were silent in the check are better than nobody.
                let silent = checked
                    .into_iter()
                    .filter(|(seat, _)| seat.failed_in.is_some());
                able.extend(silent.map(|(seat, free)| (seat.who, free)));
            }
            able.sort();
        }
        able
    }

    /// What a seat of this bounty locks.
    pub(crate) fn seat_stake(&self, bounty: &Bounty) -> Units {
        part(&bounty.stakes(), self.parameters.seat_stake_ppm)
    }

    /// A draw: one after the other, without putting back, in proportion to free stake.
    fn draw(
        &self,
        bounty: ItemId,
        panel: Panel,
        round: u8,
        count: usize,
        mut candidates: Vec<(Address, Units)>,
    ) -> Vec<Address> {
        let mut drawn = Vec::new();
        while drawn.len() < count && !candidates.is_empty() {
            let place = drawn.len() as u32;
            let winner = self.winner(bounty, panel, round, place, &candidates);
            drawn.push(candidates.remove(winner).0);
        }
        drawn
    }

    /// Which of the candidates one draw falls on.
    fn winner(
        &self,
        bounty: ItemId,
        panel: Panel,
        round: u8,
        place: u32,
        candidates: &[(Address, Units)],
    ) -> usize {
        let panel = match panel {
            Panel::Check => 0u8,
            Panel::Score => 1,
        };
        let seed = [
            b"lode/draw/1",
            &self.parent.0[..],
            &bounty.0,
            &[panel, round],
            &place.to_le_bytes(),
        ]
        .concat();
        let together: Units = candidates.iter().map(|(_, free)| free).sum();
        let mut number = Units::from(0);
        if together > Units::from(0) {
            number = draw_below(&seed, &together);
        }
        let mut running = Units::from(0);
        let is_it = |(_, free): &(Address, Units)| {
            running += free;
            running > number
        };
        candidates.iter().position(is_it).unwrap_or(0)
    }

    /// The places that each gets of those that are drawn with putting back.
    fn places(
        &self,
        bounty: ItemId,
        panel: Panel,
        round: u8,
        asked: &[(Address, Units)],
    ) -> BTreeMap<Address, Units> {
        let mut places: BTreeMap<Address, Units> = BTreeMap::new();
        for place in 0..PLACES as u32 {
            let (who, _) = asked[self.winner(bounty, panel, round, place, asked)];
            *places.entry(who).or_default() += 1;
        }
        places
    }

    /// The draw that a bounty waits for, and the phase that begins with it.
    pub(crate) fn seat(&mut self, id: ItemId, draw: Draw) {
        if draw.panel == Panel::Score && self.bounties[&id].phase == Phase::Reveal {
            self.work.besides(self.bounties[&id].rows_of_seats());
            self.return_seats(id, Panel::Check);
        }
        self.work.besides(self.evaluators.len() / 8);
        let bounty = &self.bounties[&id];
        let mut candidates = self.candidates(bounty, draw.panel);
        let stake = self.seat_stake(bounty);
        let mut seats = bounty.panel(draw.panel).cloned().unwrap_or(Seats {
            panel: draw.panel,
            size: None,
            seats: Vec::new(),
            stake,
            round: 0,
            redraws: 0,
            all: false,
            weights: BTreeMap::new(),
        });
        if draw.again {
            seats.round += 1;
        }
        let name = seats.name();
        let standing = seats.standing().count();
        let count = if draw.all {
            seats.all = true;
            let mut asked: Vec<(Address, Units)> = candidates.clone();
            for seat in &seats.seats {
                let free = self.money.balance(Purse::Stake(seat.who));
                let locked = self.money.balance(Purse::Seat(id, seat.who));
                asked.push((seat.who, free + locked));
            }
            asked.sort();
            seats.weights = if asked.len() <= PLACES {
                asked.into_iter().collect()
            } else {
                self.coverage.saw(format!("panel: {name}: places drawn"));
                self.places(id, draw.panel, seats.redraws, &asked)
            };
            candidates.retain(|(who, _)| seats.weights.contains_key(who));
            if candidates.is_empty() {
                self.coverage.saw(format!("panel: {name}: counted at once"));
                let bounty = self.bounties.get_mut(&id).expect("it is there");
                bounty.draw = None;
                *bounty.panel_mut(draw.panel) = Some(seats);
                return match draw.panel {
                    Panel::Check => self.count_check(id),
                    Panel::Score => self.count_score(id),
                };
            }
            self.coverage.saw(format!("panel: {name}: all seated"));
            candidates.len()
        } else {
            if draw.again {
                seats.redraws += 1;
                self.coverage.saw(format!("panel: {name}: redrawn"));
            }
            if seats.size.is_none() {
                seats.size = self.panel_size(candidates.len());
                let failed = |(who, _): &(Address, Units)| self.bounties[&id].has_failed(*who);
                if candidates.iter().any(failed) {
                    self.coverage.saw("panel: the silent are asked again");
                }
                match seats.size {
                    Some(size) => self.coverage.saw(format!("panel: of {size}")),
                    None => self
                        .coverage
                        .saw(format!("panel: {name}: none could be drawn")),
                }
            }
            if seats.size.is_none() && self.bounties[&id].phase == Phase::Open {
                return self.void(id, VoidReason::NoQuorum);
            }
            seats.size.unwrap_or(0).saturating_sub(standing)
        };
        // Who said `unavailable` of the test set is asked again.
        for seat in &mut seats.seats {
            if seat.said == Some(TestOutcome::Unavailable) {
                seat.said = None;
            }
        }
        let drawn: Vec<Address> = match draw.all {
            true => candidates.into_iter().map(|(who, _)| who).collect(),
            false => self.draw(id, draw.panel, seats.redraws, count, candidates),
        };
        self.work.besides(4 * drawn.len());
        if !drawn.is_empty() {
            self.event(Event::Seated {
                bounty: id,
                panel: draw.panel,
                round: seats.redraws,
                all: draw.all,
                seats: drawn.clone(),
            });
        }
        for who in drawn {
            let (from, to) = (Purse::Stake(who), Purse::Seat(id, who));
            let mut lock = self.money.balance(from).min(seats.stake.clone());
            if draw.all {
                let most = (self.parameters.silent_forfeit_ppm)
                    .max(self.parameters.unrevealed_forfeit_ppm);
                lock = lock.min(part(&seats.stake, most));
            }
            self.money.must_pay(from, to, &lock, Rule::SeatLock);
            seats.seats.push(Seat {
                who,
                since_round: seats.round,
                with_all: seats.all,
                failed_in: None,
                said: None,
                batches: Vec::new(),
            });
        }
        let phase = match draw.panel {
            Panel::Check if self.bounties[&id].phase == Phase::Open => Phase::TestKey,
            Panel::Check => Phase::TestCheck,
            Panel::Score => Phase::Score,
        };
        let bounty = self.bounties.get_mut(&id).expect("it is there");
        *bounty.panel_mut(draw.panel) = Some(seats);
        self.begin_phase(id, phase);
    }
}
