//! Panels: who may sit, and the draw.
//!
//! A panel is drawn in the block after the one in which the work on the phase before
//! it was done, or later where more is due than fits, from the id of the block before its own. Nobody sits in judgement on their own
//! bounty: not the sponsor, a backer, or a miner with a submission.
//!
//! The check's panel is drawn when submissions close, before the test key is asked for: its seats are locked while
//! the labels come out, so that nobody can leave a test set that is out without somebody to look at it.
//!
//! The seats that checked the test set stay locked until the score's panel is drawn: they
//! are among its candidates, so that weights are shown only where somebody will score them.
//!
//! A draw is by free stake, and where all are asked a word weighs by it too: keys are free,
//! stake is not.

use std::collections::BTreeMap;

use protocol::receipt::{Event, Panel, Phase, Purse, VoidReason};
use protocol::{Address, Amount, ItemId};

use super::post::part;
use super::{Check, PLACES, REDRAWS_MAX, Seat, Step, tally, void};
use crate::draw;
use crate::evaluators::{PANEL_SIZES, panel_size, take_seat};
use crate::rejection::Rejection;
use crate::state::{Queue, State};

/// A candidate and its free stake.
type Candidate = (Address, Amount);

impl State {
    /// What each seat of a bounty's panels locks.
    pub fn seat_stake(&self, id: ItemId) -> Option<Amount> {
        let (bounty, progress) = self.bounty(id)?;
        let both = bounty.posting.reward.checked_add(progress.backed)?;
        Some(seat_stake(self, both))
    }
}

/// What a seat locks for a pot of reward and backings.
fn seat_stake(state: &State, pot: Amount) -> Amount {
    part(pot, state.parameters().seat_stake_ppm)
}

/// The most that a seat of this stake can forfeit. Where all are asked a seat locks no more: what
/// makes every evaluator work for one bounty must not take them from all others.
fn at_risk(state: &State, stake: Amount) -> Amount {
    let parameters = state.parameters();
    let most = parameters
        .silent_forfeit_ppm
        .max(parameters.unrevealed_forfeit_ppm);
    part(stake, most)
}

/// Evaluators with so much stake free who are not excluded, those with most first: keys that take part in the bounty
/// have to lock more than others have, to stand before them.
fn with_free_stake<'a>(
    state: &'a State,
    stake: Amount,
    is_excluded: impl Fn(Address) -> bool + 'a,
) -> impl Iterator<Item = Candidate> + 'a {
    let able = state.tables.free_stakes.range((stake, Address([0; 32]))..);
    able.rev()
        .map(|(&(free, account), ())| (account, free))
        .filter(move |(account, _)| !is_excluded(*account))
}

/// Checks that a panel could be drawn for a pot; gives its size.
pub(super) fn check_pool(
    state: &State,
    pot: Amount,
    is_excluded: impl Fn(Address) -> bool,
) -> Result<u32, Rejection> {
    let stake = seat_stake(state, pot);
    let most = PANEL_SIZES[0] as usize;
    let candidates = with_free_stake(state, stake, is_excluded)
        .take(most)
        .count();
    let least = state.parameters().committee_min;
    panel_size(candidates, least).ok_or(Rejection::PoolTooSmall {
        candidates,
        least,
        stake,
    })
}

/// Checks that a panel could be drawn for a pot if this account took part in the bounty.
pub(super) fn check_pool_without(
    state: &State,
    id: ItemId,
    account: Address,
    pot: Amount,
) -> Result<u32, Rejection> {
    check_pool(state, pot, |evaluator| {
        evaluator == account || is_party(state, id, evaluator)
    })
}

/// Whether an account has a stake of its own in a bounty.
pub(super) fn is_party(state: &State, id: ItemId, account: Address) -> bool {
    state.tables.parties.get(&(id, account)).is_some()
}

/// Notes that an account has a stake of its own in a bounty.
pub(super) fn join_parties(state: &mut State, id: ItemId, account: Address) {
    if !is_party(state, id, account) {
        state.tables.parties.put((id, account), ());
    }
}

/// Which panel the bounty is at.
pub(super) fn at_work(state: &State, id: ItemId) -> Panel {
    match state.posted(id).1.phase {
        Phase::Open | Phase::TestKey | Phase::TestCheck => Panel::Check,
        _ => Panel::Score,
    }
}

/// Who may be seated now, by address.
fn candidates(state: &mut State, id: ItemId, panel: Panel) -> Vec<Candidate> {
    state.spend(state.tables.evaluators.len() / 8);
    let stake = state.seat_stake(id).expect("it was posted");
    let has_seat = |account: Address| match panel {
        Panel::Check => state.tables.checks.get(&(id, account)).is_some(),
        Panel::Score => state.tables.seats.get(&(id, account)).is_some(),
    };
    let is_excluded = |account: Address| is_party(state, id, account) || has_seat(account);
    let mut found: Vec<Candidate> = with_free_stake(state, stake, is_excluded).collect();
    if panel == Panel::Score {
        let checked = |which: fn(&Check) -> bool| {
            let seats = state.checks(id).filter(move |(_, check)| which(check));
            seats
                .map(|(account, _)| (account, state.balance(Purse::Stake(account))))
                .filter(|(account, free)| !is_excluded(*account) && !free.is_zero())
        };
        let silent: Vec<Candidate> = checked(|check| check.failed).collect();
        found.retain(|candidate| !silent.contains(candidate));
        if state.posted(id).1.panel.seats == 0 {
            // Who checked may be drawn, though it leaves.
            let leaving = |account: Address| {
                let evaluator = state.tables.evaluators.get(&account);
                evaluator.is_some_and(|evaluator| evaluator.leaves_ms.is_some())
            };
            let able = |(account, free): &Candidate| *free >= stake && leaving(*account);
            found.extend(checked(|check| !check.failed && !check.extra).filter(able));
            // Who was silent in the check cannot keep the others from a panel.
            if panel_size(found.len(), state.parameters().committee_min).is_none() {
                found.extend(silent);
            }
        }
    }
    found.sort_unstable();
    found
}

/// Draws one of the candidates for a place, in proportion to free stake; gives its index.
fn draw_one(
    state: &State,
    id: ItemId,
    panel: Panel,
    round: u8,
    place: usize,
    from: &[Candidate],
) -> usize {
    let parent = state.clock().parent;
    let all: u128 = from.iter().map(|(_, free)| free.base_units()).sum();
    let place = u32::try_from(place).expect("panels are small");
    let kind = match panel {
        Panel::Check => 0,
        Panel::Score => 1,
    };
    let number = draw::below(
        all,
        &[
            b"lode/draw/1",
            &parent.0,
            &id.0,
            &[kind, round],
            &place.to_le_bytes(),
        ],
    );
    let at = draw::falls_on(number, from.iter().map(|&(_, free)| free));
    at.expect("the number is below the sum")
}

/// Draws so many of the candidates, without putting back.
fn draw(
    state: &State,
    id: ItemId,
    panel: Panel,
    round: u8,
    mut from: Vec<Candidate>,
    count: usize,
) -> Vec<Candidate> {
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count && !from.is_empty() {
        let at = draw_one(state, id, panel, round, drawn.len(), &from);
        drawn.push(from.remove(at));
    }
    drawn
}

/// Draws [`PLACES`] places among these, with putting back; gives who has how many.
fn draw_places(
    state: &State,
    id: ItemId,
    panel: Panel,
    round: u8,
    from: &[Candidate],
) -> BTreeMap<Address, u128> {
    let mut places = BTreeMap::new();
    for place in 0..PLACES {
        let (account, _) = from[draw_one(state, id, panel, round, place, from)];
        *places.entry(account).or_default() += 1;
    }
    places
}

/// The accounts of a panel's seats, by address, and whether each has failed.
fn seated(state: &State, id: ItemId, panel: Panel) -> Vec<(Address, bool)> {
    match panel {
        Panel::Check => {
            let checks = state.checks(id);
            checks
                .map(|(account, check)| (account, check.failed))
                .collect()
        }
        Panel::Score => {
            let seats = state.seats(id);
            seats
                .map(|(account, seat)| (account, seat.failed))
                .collect()
        }
    }
}

/// How many seats did not fail.
fn standing_seats(state: &State, id: ItemId, panel: Panel) -> usize {
    let seated = seated(state, id, panel).into_iter();
    seated.filter(|(_, failed)| !failed).count()
}

/// Says what a seat's word weighs where all are asked.
fn weigh(state: &mut State, id: ItemId, panel: Panel, account: Address, weight: u128) {
    let (key, tables) = ((id, account), &mut state.tables);
    match panel {
        Panel::Check => tables.checks.update(&key, |check| check.weight = weight),
        Panel::Score => tables.seats.update(&key, |seat| seat.weight = weight),
    };
}

/// Draws the seats that a panel lacks, and lets the seats work.
pub(super) fn fill(state: &mut State, id: ItemId) {
    let panel = at_work(state, id);
    if panel == Panel::Score {
        super::check::return_seats(state, id);
    }
    let mut progress = state.posted(id).1.panel;
    let from = candidates(state, id, panel);
    if progress.seats == 0 {
        let least = state.parameters().committee_min;
        progress.seats = panel_size(from.len(), least).unwrap_or(0);
    }
    let standing = standing_seats(state, id, panel);
    let missing = (progress.seats as usize).saturating_sub(standing);
    if progress.seats == 0 && state.posted(id).1.phase == Phase::Open {
        // Nothing is shown yet, and nothing is lost but time.
        return void::begin(state, id, VoidReason::NoQuorum);
    }
    let drawn = draw(state, id, panel, progress.round, from, missing);
    state.change_progress(id, |all| all.panel = progress);
    seat(state, id, panel, &drawn);
    begin_round(state, id, panel);
}

/// Seats all further candidates; if there are none, the words that are there are counted as
/// those of all. A word weighs what its evaluator has free and in this seat at this moment, so that no
/// stake counts twice; what seats that have failed weigh counts among all, so that sleepers do not make a
/// liar's part larger. Of more than [`PLACES`] so many places are drawn, by the same weight and with putting
/// back: who has none is not seated, and a word weighs its evaluator's places.
pub(super) fn seat_all(state: &mut State, id: ItemId) {
    let panel = at_work(state, id);
    let round = state.posted(id).1.panel.round;
    let mut from = candidates(state, id, panel);
    let stake = |(account, _): &(Address, bool)| {
        let free = state.balance(Purse::Stake(*account));
        let all = free.checked_add(state.balance(Purse::Seat(id, *account)));
        (*account, all.expect("both are part of the supply"))
    };
    let mut all: Vec<Candidate> = seated(state, id, panel).iter().map(stake).collect();
    all.extend(&from);
    all.sort_unstable();
    let weights: BTreeMap<Address, u128> = if all.len() > PLACES {
        draw_places(state, id, panel, round, &all)
    } else {
        let weighed = all
            .iter()
            .map(|(account, stake)| (*account, stake.base_units()));
        weighed.collect()
    };
    from.retain(|(account, _)| weights.contains_key(account));
    state.change_progress(id, |progress| {
        progress.panel.all = true;
        progress.panel.weight = weights.values().sum();
    });
    seat(state, id, panel, &from);
    for (account, _) in seated(state, id, panel) {
        let weight = weights.get(&account).copied().unwrap_or(0);
        weigh(state, id, panel, account, weight);
    }
    let seats = u32::try_from(standing_seats(state, id, panel)).expect("panels are small");
    state.change_progress(id, |progress| progress.panel.seats = seats);
    match (from.is_empty(), panel) {
        (false, _) => begin_round(state, id, panel),
        (true, Panel::Check) => super::check::end(state, id),
        (true, Panel::Score) => state.set_step(id, tally::FIRST),
    }
}

fn seat(state: &mut State, id: ItemId, panel: Panel, drawn: &[Candidate]) {
    let progress = state.posted(id).1.panel;
    let stake = state.seat_stake(id).expect("it was posted");
    let stake = match progress.all {
        true => at_risk(state, stake),
        false => stake,
    };
    state.spend(4 * drawn.len());
    for &(account, _) in drawn {
        take_seat(state, id, account, stake);
        match panel {
            Panel::Check => {
                let check = Check {
                    extra: progress.all,
                    ..Check::default()
                };
                state.tables.checks.put((id, account), check);
            }
            Panel::Score => {
                let seat = Seat {
                    asked: true,
                    extra: progress.all,
                    ..Seat::default()
                };
                state.tables.seats.put((id, account), seat);
            }
        }
    }
    if !drawn.is_empty() {
        state.events.push(Event::Seated {
            bounty: id,
            panel,
            round: progress.round,
            all: progress.all,
            seats: drawn.iter().map(|(account, _)| *account).collect(),
        });
    }
}

fn begin_round(state: &mut State, id: ItemId, panel: Panel) {
    let schedule = state.posted(id).0.posting.schedule;
    match panel {
        Panel::Check if state.posted(id).1.phase == Phase::Open => {
            state.enter(id, Phase::TestKey, schedule.test_key_ms);
        }
        Panel::Check => {
            super::check::let_speak_again(state, id);
            state.enter(id, Phase::TestCheck, schedule.test_check_ms);
        }
        Panel::Score => {
            let asked =
                u32::try_from(state.undecided(id).count()).expect("submissions are counted");
            state.change_progress(id, |progress| progress.panel.asked = asked);
            state.enter(id, Phase::Score, schedule.score_ms);
        }
    }
}

/// Has the panel's missing seats drawn again, if that is still allowed.
pub(super) fn draw_again(state: &mut State, id: ItemId) -> bool {
    let again = state.posted(id).1.panel.round < REDRAWS_MAX;
    if again {
        state.change_progress(id, |progress| progress.panel.round += 1);
        next_block(state, id, Step::Draw);
    }
    again
}

/// Leaves a step for the next block, whose draws are seeded by the id of this one.
pub(super) fn next_block(state: &mut State, id: ItemId, step: Step) {
    state.set_step(id, step);
    state.plan(Queue::Bounties, state.time_ms(), id);
}
