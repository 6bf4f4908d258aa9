//! Records: posted, tried, looked up; the faucet; the clock driven by hand.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use protocol::Amount;
use protocol::ans104::bundle::{BundleReader, Limits};
use protocol::ans104::{SignedItem, VerifiedItem};
use protocol::api::{
    BUNDLE_BYTES_MAX, BUNDLE_ITEMS_MAX, BundleAnswer, BundleEntry, ClockAnswer, ClockRequest,
    FaucetRequest, Problem, RecordView, TrialAnswer, TrialRequest,
};
use protocol::id::ItemId;
use protocol::record::{Action, Envelope, RECORD_BYTES_MAX, Transaction, Transfer};
use serde::Deserialize;

use super::answer::{
    Answered, Asked, Segment, Wrong, bad, bug, id, json, missing, not_taken, octets, unavailable,
};
use super::body::whole;
use super::budget::Peer;
use super::{App, FINAL_PATIENCE, Faucet, Shared};
use crate::block::{BODY_LIMITS, Record};
use crate::engine::Ticket;
use crate::history::{History, Place};
use crate::inclusion::{self, Answer};

/// A faucet's transfer is valid for so long: one minute.
const FAUCET_VALID_MS: u64 = 60_000;

/// `?wait=`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    #[serde(default = "yes")]
    wait: bool,
}

const fn yes() -> bool {
    true
}

/// Reads and verifies the bytes of a record.
fn read(item: SignedItem) -> Result<Record, Problem> {
    let next = "sign it with the tools of this version, and post the bytes unchanged";
    let item: VerifiedItem = item
        .verify()
        .map_err(|error| Problem::new("item", error, next))?;
    let tx = Transaction::read(&item).map_err(|error| Problem::new(error.code(), error, next))?;
    Ok(Record { item, tx })
}

fn decode(bytes: &[u8]) -> Result<Record, Problem> {
    let item = SignedItem::decode(bytes).map_err(|error| {
        let next = "post the bytes of one signed ANS-104 data item, unchanged";
        Problem::new("item", error, next)
    })?;
    read(item)
}

pub(super) async fn post_record(
    State(app): App,
    peer: Peer,
    Asked(wait): Asked<Wait>,
    body: Body,
) -> Answered<Response> {
    let bytes = whole(body, RECORD_BYTES_MAX).await?;
    let record = decode(&bytes).map_err(|problem| Wrong::new(StatusCode::BAD_REQUEST, problem))?;
    let tx = record.tx.clone();
    let own = app.offers.own(peer).await;
    let ticket = app.node.submit(record).await.map_err(not_taken)?;
    drop(own);
    answer(ticket, &tx, wait.wait).await
}

/// Waits for what comes of a record and says it.
async fn answer(ticket: Ticket, tx: &Transaction, wait: bool) -> Answered<Response> {
    let pending = || (StatusCode::ACCEPTED, Json(inclusion::pending(tx))).into_response();
    let receiver = match ticket {
        Ticket::Final(found) => return Ok(Json(found.view(tx)).into_response()),
        Ticket::Waiting(_) if !wait => return Ok(pending()),
        Ticket::Waiting(receiver) => receiver,
    };
    match tokio::time::timeout(FINAL_PATIENCE, receiver).await {
        Ok(Ok(answer)) => {
            let found = answer.map_err(not_taken)?;
            Ok(Json(found.view(tx)).into_response())
        }
        // The engine has gone; whether the record is on the log, nobody knows here.
        Ok(Err(_)) => Err(unavailable(
            Problem::new(
                "stopping",
                "the node is stopping",
                "post the same bytes again when it is back",
            )
            .retry_after_ms(1_000),
        )),
        Err(_) => Ok(pending()),
    }
}

pub(super) async fn post_bundle(
    State(app): App,
    peer: Peer,
    Asked(wait): Asked<Wait>,
    body: Body,
) -> Answered<Json<BundleAnswer>> {
    let bytes = whole(body, BUNDLE_BYTES_MAX).await?;
    // A thousand signatures take tens of milliseconds.
    let read = app.blocking(peer, move || read_bundle(&bytes)).await?;
    let mut entries: Vec<Entry> = read.into_iter().map(Entry::new).collect();
    let offered = entries.iter_mut().filter_map(|entry| entry.record.take());
    let own = app.offers.own(peer).await;
    let tickets = app.node.submit_all(offered.collect()).await;
    drop(own);
    let mut tickets = tickets.into_iter();
    for entry in entries.iter_mut().filter(|entry| entry.tx.is_some()) {
        match tickets.next() {
            Some(Ok(ticket)) => entry.ticket = Some(ticket),
            Some(Err(problem)) => entry.problem = Some(problem),
            None => {}
        }
    }
    let mut answered = Vec::with_capacity(entries.len());
    let deadline = tokio::time::Instant::now() + FINAL_PATIENCE;
    for entry in entries {
        answered.push(entry.answer(wait.wait, deadline).await);
    }
    Ok(Json(BundleAnswer { entries: answered }))
}

type ReadItem = (Option<ItemId>, Result<Record, Problem>);

fn read_bundle(bytes: &[u8]) -> Answered<Vec<ReadItem>> {
    let limits = Limits {
        items_max: BUNDLE_ITEMS_MAX as u64,
        item_bytes_max: RECORD_BYTES_MAX as u64,
    };
    let wrong = |error: &dyn std::fmt::Display| {
        let next = "post one ANS-104 bundle of signed items, within the limits of docs/api.md";
        bad("bundle", error, next)
    };
    let mut reader = BundleReader::new(bytes, limits).map_err(|error| wrong(&error))?;
    let mut records = Vec::new();
    while let Some(item) = reader.next_item() {
        let item = item.map_err(|error| wrong(&error))?;
        records.push((Some(item.id()), read(item)));
    }
    Ok(records)
}

/// One item of a bundle on its way.
struct Entry {
    id: Option<ItemId>,
    tx: Option<Transaction>,
    record: Option<Record>,
    ticket: Option<Ticket>,
    problem: Option<Problem>,
}

impl Entry {
    fn new((id, read): ReadItem) -> Self {
        let (record, problem) = match read {
            Ok(record) => (Some(record), None),
            Err(problem) => (None, Some(problem)),
        };
        Self {
            id,
            tx: record.as_ref().map(|record| record.tx.clone()),
            record,
            ticket: None,
            problem,
        }
    }

    async fn answer(self, wait: bool, deadline: tokio::time::Instant) -> BundleEntry {
        let (mut record, mut problem) = (None, self.problem);
        if let (Some(ticket), Some(tx)) = (self.ticket, self.tx) {
            let answer: Option<Answer> = match ticket {
                Ticket::Final(found) => Some(Ok(found)),
                Ticket::Waiting(_) if !wait => None,
                Ticket::Waiting(receiver) => {
                    let answer = tokio::time::timeout_at(deadline, receiver).await;
                    answer.ok().and_then(Result::ok)
                }
            };
            match answer {
                Some(Ok(found)) => record = Some(found.view(&tx)),
                Some(Err(why)) => problem = Some(why),
                None => record = Some(inclusion::pending(&tx)),
            }
        }
        BundleEntry {
            id: self.id,
            record,
            problem,
        }
    }
}

pub(super) async fn trial(State(app): App, peer: Peer, body: Body) -> Answered<Json<TrialAnswer>> {
    let bytes = whole(body, 2 * RECORD_BYTES_MAX).await?;
    let request: TrialRequest = json(&bytes)?;
    let next = "send the draft that would be signed";
    let draft = request
        .draft()
        .ok_or_else(|| bad("trial", "the data is not base64url", next))?;
    let tx = Transaction::of_draft(request.signer, &draft)
        .map_err(|error| bad(error.code(), error, next))?;
    let size_bytes = tx.size_bytes;
    let node = app.node.clone();
    let tried = app
        .trials
        .run(peer, move || node.trial_blocking(&tx).map_err(unavailable));
    let tried = tried.await?;
    Ok(Json(TrialAnswer {
        size_bytes,
        byte_fee: tried.byte_fee,
        receipt: tried.receipt,
        problem: tried.problem,
    }))
}

/// A record of the log with its place: what a block holds at the place of a receipt.
pub(super) struct Found {
    pub(super) place: Place,
    pub(super) item: VerifiedItem,
    pub(super) block_time_ms: u64,
}

/// Looks a final record up: none if no block has it.
pub(super) async fn find(app: &Arc<Shared>, peer: Peer, id: ItemId) -> Answered<Option<Found>> {
    let history = past(app).await?;
    let shared = Arc::clone(app);
    app.blocking(peer, move || {
        let Some(place) = history.place_of(id)? else {
            return Ok(None);
        };
        let damaged = || bug("the log and its history differ; restart the node");
        let block = history.block(place.height)?.ok_or_else(damaged)?;
        let view = super::chain::log_view(&shared)?;
        let body = view.read(place.height).map_err(bug)?.ok_or_else(damaged)?;
        let mut reader = BundleReader::new(&body[..], BODY_LIMITS).map_err(bug)?;
        while let Some(item) = reader.next_item() {
            let item = item.map_err(bug)?;
            if item.id() == id {
                return Ok(Some(Found {
                    place,
                    item: item.verify().map_err(bug)?,
                    block_time_ms: block.time_ms,
                }));
            }
        }
        Err(damaged())
    })
    .await
}

pub(super) fn closed(app: &Shared) -> Problem {
    app.node.trouble().unwrap_or_else(|| {
        Problem::new(
            "stopping",
            "the node is stopping",
            "try again when it is back",
        )
        .retry_after_ms(1_000)
    })
}

/// The past, once it has the last block that the state shows. It is written after
/// the state has moved on, and whoever saw something there looks for it here.
pub(super) async fn past(app: &Shared) -> Answered<History> {
    let (history, height) = {
        let chain = app.node.chain().await;
        let chain = chain.open().ok_or_else(|| unavailable(closed(app)))?;
        (chain.history().ok_or_else(no_history)?, chain.tip().height)
    };
    let mut heights = app.node.heights();
    tokio::select! {
        biased;
        _ = heights.wait_for(|&told| told >= height) => Ok(history),
        () = app.node.ended() => Err(unavailable(closed(app))),
    }
}

pub(super) fn no_history() -> Wrong {
    crate::derived::DerivedError::failed().into()
}

pub(super) async fn record(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Json<RecordView>> {
    let id: ItemId = id(&text)?;
    // The mempool first: a record leaves it only once it is in the history.
    let waiting = app.node.mempool().get(id).map(|record| record.tx.clone());
    if let Some(tx) = waiting {
        return Ok(Json(inclusion::pending(&tx)));
    }
    let found = find(&app, peer, id).await?;
    let found = found.ok_or_else(|| missing("record", id))?;
    let tx = Transaction::read(&found.item).map_err(bug)?;
    let (history, place) = (past(&app).await?, found.place);
    let entry = app.blocking(peer, move || Ok(history.entry(place)?));
    let entry = entry.await?;
    let entry = entry.ok_or_else(|| missing("record", id))?;
    let rejected = entry.receipt.rejected.as_ref();
    Ok(Json(RecordView {
        status: protocol::api::RecordStatus::Final,
        height: Some(found.place.height),
        place: Some(found.place.place),
        time_ms: Some(found.block_time_ms),
        problem: rejected.map(|code| inclusion::rejected_by(code.as_str())),
        receipt: Some(entry.receipt),
        ..inclusion::pending(&tx)
    }))
}

pub(super) async fn item(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Response> {
    let id: ItemId = id(&text)?;
    let found = find(&app, peer, id).await?;
    let found = found.ok_or_else(|| missing("record", id))?;
    Ok(octets(found.item.bytes().to_vec()))
}

pub(super) async fn faucet(State(app): App, body: Body) -> Answered<Response> {
    let bytes = whole(body, 1_024).await?;
    let request: FaucetRequest = json(&bytes)?;
    let Some(faucet) = &app.faucet else {
        return Err(Wrong::new(
            StatusCode::NOT_FOUND,
            Problem::new(
                "no_faucet",
                "this network has no faucet",
                "ask somebody who has tokens for some; a faucet is for 'lode node --dev' only",
            ),
        ));
    };
    let amount = request.amount.unwrap_or(faucet.amount);
    if amount > faucet.amount_max {
        let message = format_args!(
            "the faucet gives at most {} LODE at once",
            faucet.amount_max.to_lode_string()
        );
        return Err(bad("faucet_amount", message, "ask for less"));
    }
    let _turn = app.faucet_turn.lock().await;
    let record = give(&app, faucet, &request, amount).await?;
    let tx = record.tx.clone();
    let ticket = app.node.submit(record).await.map_err(not_taken)?;
    answer(ticket, &tx, true).await
}

/// Signs a transfer of the faucet.
async fn give(
    app: &Shared,
    faucet: &Faucet,
    request: &FaucetRequest,
    amount: Amount,
) -> Answered<Record> {
    let address = faucet.key.public().address();
    let envelope = {
        let chain = app.node.chain().await;
        let open = chain.open().ok_or_else(|| unavailable(closed(app)))?;
        let nonce = open.state().account(address).nonce;
        Envelope {
            network: open.genesis().network,
            nonce: app.node.mempool().next_nonce(address, nonce),
            valid_until_ms: app.node.clock().now_ms().max(open.tip().time_ms) + FAUCET_VALID_MS,
        }
    };
    let action = Action::Transfer {
        to: request.account,
        body: Transfer { amount },
    };
    let signed = Transaction::draft(&envelope, &action).sign(&faucet.key);
    let item = signed.map_err(bug)?;
    let tx = Transaction::read(&item).map_err(bug)?;
    Ok(Record { item, tx })
}

pub(super) async fn clock(State(app): App, body: Body) -> Answered<Json<ClockAnswer>> {
    let bytes = whole(body, 1_024).await?;
    let request: ClockRequest = json(&bytes)?;
    let (time_ms, height) = app
        .node
        .set_clock(request.time_ms)
        .await
        .map_err(|problem| match problem.code.as_str() {
            "clock_not_by_hand" => Wrong::new(StatusCode::NOT_FOUND, problem),
            _ => unavailable(problem),
        })?;
    Ok(Json(ClockAnswer { time_ms, height }))
}
