//! Panels: who may sit, and the draw.
//!
//! A panel is drawn in the block after the one in which the phase before it
//! ended, from the id of that block. Nobody sits in judgement on their own
//! bounty: not the sponsor, a backer, or a miner with a submission.

use protocol::receipt::{Event, Panel, Phase, Purse};
use protocol::{Address, Amount, ItemId};

use super::post::part;
use super::{Check, REDRAWS_MAX, SEATS_MAX, Seat, Step, tally};
use crate::draw;
use crate::evaluators::{PANEL_SIZES, panel_size, take_seat};
use crate::rejection::Rejection;
use crate::state::{Queue, State};

/// A candidate and its free stake.
type Candidate = (Address, Amount);

impl State {
    /// What each seat of a bounty locks.
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

/// Evaluators with so much stake free who are not excluded, by address.
fn with_free_stake<'a>(
    state: &'a State,
    stake: Amount,
    is_excluded: impl Fn(Address) -> bool + 'a,
) -> impl Iterator<Item = Candidate> + 'a {
    state
        .evaluators()
        .filter(move |(account, _)| !is_excluded(*account))
        .map(|(account, _)| (account, state.balance(Purse::Stake(account))))
        .filter(move |(_, free)| *free >= stake && !free.is_zero())
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
        Phase::TestKey | Phase::TestCheck => Panel::Check,
        _ => Panel::Score,
    }
}

/// Who may be seated now, by address.
fn candidates(state: &mut State, id: ItemId, panel: Panel) -> Vec<Candidate> {
    let stake = state.seat_stake(id).expect("it was posted");
    let is_excluded = |account: Address| {
        let check = state.tables.checks.get(&(id, account));
        is_party(state, id, account)
            || check.is_some_and(|check| check.failed || panel == Panel::Check)
            || state.tables.seats.get(&(id, account)).is_some()
    };
    let found = with_free_stake(state, stake, is_excluded).collect();
    state.spend(state.tables.evaluators.len() / 8);
    found
}

/// Draws so many of the candidates, in proportion to free stake.
fn draw(
    state: &State,
    id: ItemId,
    panel: Panel,
    round: u8,
    mut from: Vec<Candidate>,
    count: usize,
) -> Vec<Address> {
    let parent = state.clock().parent;
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count && !from.is_empty() {
        let all: u128 = from.iter().map(|(_, free)| free.base_units()).sum();
        let place = u32::try_from(drawn.len()).expect("panels are small");
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
        let (account, _) = from.remove(at.expect("the number is below the sum"));
        drawn.push(account);
    }
    drawn
}

/// Seats that did not fail.
fn standing_seats(state: &State, id: ItemId, panel: Panel) -> u32 {
    let count = match panel {
        Panel::Check => state.checks(id).filter(|(_, check)| !check.failed).count(),
        Panel::Score => state.seats(id).filter(|(_, seat)| !seat.failed).count(),
    };
    u32::try_from(count).expect("panels are small")
}

/// Draws the seats that a panel lacks, and lets the seats work.
pub(super) fn fill(state: &mut State, id: ItemId) {
    let panel = at_work(state, id);
    let mut progress = state.posted(id).1.panel;
    let from = candidates(state, id, panel);
    if progress.seats == 0 {
        let least = state.parameters().committee_min;
        progress.seats = panel_size(from.len(), least).unwrap_or(0);
    }
    let missing = progress
        .seats
        .saturating_sub(standing_seats(state, id, panel));
    let drawn = draw(state, id, panel, progress.round, from, missing as usize);
    state.change_progress(id, |all| all.panel = progress);
    seat(state, id, panel, drawn);
    begin_round(state, id, panel);
}

/// Seats all further candidates, as far as there is room; if there are none, the
/// words that are there are counted as those of all.
pub(super) fn seat_all(state: &mut State, id: ItemId) {
    let panel = at_work(state, id);
    let mut progress = state.posted(id).1.panel;
    let from = candidates(state, id, panel);
    let standing = standing_seats(state, id, panel);
    let room = SEATS_MAX.saturating_sub(standing as usize);
    let drawn: Vec<Address> = if from.len() <= room {
        from.into_iter().map(|(account, _)| account).collect()
    } else {
        draw(state, id, panel, progress.round, from, room)
    };
    progress.all = true;
    progress.seats = standing + u32::try_from(drawn.len()).expect("panels are small");
    state.change_progress(id, |all| all.panel = progress);
    let alone = drawn.is_empty();
    seat(state, id, panel, drawn);
    match (alone, panel) {
        (false, _) => begin_round(state, id, panel),
        (true, Panel::Check) => super::check::end(state, id),
        (true, Panel::Score) => state.set_step(id, tally::FIRST),
    }
}

fn seat(state: &mut State, id: ItemId, panel: Panel, drawn: Vec<Address>) {
    let stake = state.seat_stake(id).expect("it was posted");
    let progress = state.posted(id).1.panel;
    state.spend(4 * drawn.len());
    for &account in &drawn {
        take_seat(state, id, account, stake);
        match panel {
            Panel::Check => state.tables.checks.put((id, account), Check::default()),
            Panel::Score => {
                let seat = Seat {
                    asked: true,
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
            seats: drawn,
        });
    }
}

fn begin_round(state: &mut State, id: ItemId, panel: Panel) {
    let schedule = state.posted(id).0.posting.schedule;
    match panel {
        Panel::Check => {
            super::check::let_speak_again(state, id);
            state.enter(id, Phase::TestCheck, schedule.test_check_ms);
        }
        Panel::Score => state.enter(id, Phase::Score, schedule.score_ms),
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
