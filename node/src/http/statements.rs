//! Statements: sums, movements, and whether they add up with the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use protocol::Amount;
use protocol::api::{PurseFlaw, PurseSum, RuleSum, StatementView};
use protocol::receipt::Purse;
use protocol::record::GenesisRecord;
use protocol::statement::{Flow, Subject, Totals, with_opening};

use super::answer::{Answered, Asked, Segment, Wrong, id, unavailable};
use super::budget::Peer;
use super::market::{Paging, not_an_entry};
use super::records::{closed, no_history};
use super::{App, Shared};
use crate::history::{History, Mark};

/// The most purses that are compared with the state for one answer, those of which a
/// subject has one of a kind not counted. The next block waits for it.
const COMPARED_MAX: usize = 2_000;

/// The most flaws that are told.
const FLAWS_MAX: usize = 16;

/// The past is written right after a block: how often it is looked at until it is, and
/// after which pause.
const BEHIND_LOOKS_MAX: u32 = 5_000;
const BEHIND_PAUSE: Duration = Duration::from_millis(1);

pub(super) async fn of_account(
    State(app): App,
    Segment(text): Segment,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    statement(&app, peer, Subject::Account(id(&text)?), &paging).await
}

pub(super) async fn of_bounty(
    State(app): App,
    Segment(text): Segment,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    statement(&app, peer, Subject::Bounty(id(&text)?), &paging).await
}

pub(super) async fn of_asset(
    State(app): App,
    Segment(text): Segment,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    statement(&app, peer, Subject::Asset(id(&text)?), &paging).await
}

async fn statement(
    app: &Arc<Shared>,
    peer: Peer,
    subject: Subject,
    paging: &Paging,
) -> Answered<Response> {
    let after = paging.after.as_deref().map(str::parse::<Mark>).transpose();
    let after = after.map_err(|()| not_an_entry())?;
    let limit = paging.limit()?;
    let node = app.node.clone();
    let stopped = unavailable(closed(app));
    app.answer(peer, move || {
        // Between two blocks: the guard keeps the state where it is.
        let guard = node.chain_blocking();
        let chain = guard.open().ok_or(stopped)?;
        let history = chain.history().ok_or_else(no_history)?;
        let height = chain.state().height();
        wait_for(&history, height)?;
        let opening = opening(chain.genesis(), &subject);
        let totals = history.totals(subject)?;
        let open = history.open_purses(subject, COMPARED_MAX + 1)?;
        let mut view = sums(height, opening, &totals);
        compare(&mut view, &subject, &open, &totals, chain.state());
        drop(guard);
        let (items, next) = history.movements(subject, after, height, limit)?;
        view.items = items;
        view.next = next.map(|mark| mark.to_string());
        Ok(view)
    })
    .await
}

/// Waits until the past is written up to the state.
fn wait_for(history: &History, height: u64) -> Result<(), Wrong> {
    for _ in 0..BEHIND_LOOKS_MAX {
        if history.height()? >= height {
            return Ok(());
        }
        std::thread::sleep(BEHIND_PAUSE);
    }
    Err(no_history())
}

/// What the genesis gave an account.
fn opening(genesis: &GenesisRecord, subject: &Subject) -> Amount {
    let Subject::Account(account) = subject else {
        return Amount::ZERO;
    };
    let mut allocations = genesis.genesis.allocations.iter();
    let own = allocations.find(|allocation| allocation.account == *account);
    own.map_or(Amount::ZERO, |allocation| allocation.amount)
}

fn sums(height: u64, opening: Amount, totals: &Totals) -> StatementView {
    let kind = |(&kind, flow): (&u8, &Flow)| PurseSum {
        kind: Purse::KINDS[usize::from(kind)].to_owned(),
        paid_in: flow.paid_in,
        paid_out: flow.paid_out,
        left: match kind {
            0 => with_opening(opening, flow.left),
            _ => flow.left,
        },
    };
    let mut kinds = totals.kinds.clone();
    if !opening.is_zero() {
        // An account that nothing has happened to since the genesis.
        kinds.entry(0).or_default();
    }
    let rules = totals.rules.iter().map(|(&rule, flow)| RuleSum {
        rule,
        paid_in: flow.paid_in,
        paid_out: flow.paid_out,
    });
    StatementView {
        height,
        opening,
        purses: kinds.iter().map(kind).collect(),
        rules: rules.collect(),
        movements: totals.movements,
        compared: 0,
        compared_all: true,
        adds_up: true,
        flaws: Vec::new(),
        items: Vec::new(),
        next: None,
    }
}

/// Compares what the movements left with what the state has, purse by purse; and the
/// sums with the purses.
fn compare(
    view: &mut StatementView,
    subject: &Subject,
    open: &[(Purse, Flow)],
    totals: &Totals,
    state: &market::State,
) {
    let single = subject.single_purses();
    let kind_left = |kind: usize| {
        let flow = totals.kinds.get(&(kind as u8));
        flow.copied().unwrap_or_default().left
    };
    view.compared_all = open.len() <= COMPARED_MAX;
    let open = &open[..open.len().min(COMPARED_MAX)];
    let mut by_kind: BTreeMap<usize, Amount> = BTreeMap::new();
    let mut expected: Vec<(Purse, Amount)> = Vec::with_capacity(single.len() + open.len());
    for &purse in &single {
        let left = match purse {
            Purse::Account(_) => with_opening(view.opening, kind_left(purse.kind())),
            _ => kind_left(purse.kind()),
        };
        expected.push((purse, left));
    }
    for &(purse, flow) in open {
        expected.push((purse, flow.left));
        let sum = by_kind.entry(purse.kind()).or_default();
        *sum = with_opening(*sum, flow.left);
    }
    for (purse, left) in expected {
        view.compared += 1;
        let balance = state.balance(purse);
        if balance != left {
            view.adds_up = false;
            if view.flaws.len() < FLAWS_MAX {
                view.flaws.push(PurseFlaw {
                    purse,
                    left,
                    balance,
                });
            }
        }
    }
    if view.compared_all {
        let is_single = |kind| single.iter().any(|purse| purse.kind() == kind);
        let kinds = (0..Purse::KINDS.len()).filter(|&kind| !is_single(kind));
        for kind in kinds {
            let sum = by_kind.get(&kind).copied().unwrap_or_default();
            view.adds_up &= sum == kind_left(kind);
        }
    }
}
