//! Status, blocks, the log, proofs.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use protocol::ans104::BundleReader;
use protocol::api::{
    API_VERSION, BlockView, Mempool, Problem, Readiness, ReceiptProof, Status, Version,
    to_base64url,
};
use protocol::benchmark::ARITHMETIC_VERSION;
use protocol::id::ItemId;
use protocol::merkle;
use protocol::record::LOG_VERSION;
use protocol::text::whole_number;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::answer::{Answered, Segment, Wrong, bad, bug, id, missing, octets, reader, unavailable};
use super::budget::Peer;
use super::records::{closed, find, no_history, past};
use super::{App, Shared};
use crate::block::BODY_LIMITS;
use crate::chain::Chain;
use crate::log::LogView;

const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn live() -> &'static str {
    "live\n"
}

pub(super) async fn ready(State(app): App) -> Response {
    // Said at once: the chain may be a while away.
    if let Some(trouble) = app.node.trouble() {
        return readiness(vec![trouble.message]);
    }
    let mut reasons = Vec::new();
    match app.node.chain().await.open() {
        None => reasons.push("the log is closed".to_owned()),
        Some(chain) => {
            let behind = app.node.behind_ms(chain).map(crate::engine::clock_behind);
            let failed = chain.database_failure();
            let failed = failed.map(|error| crate::inclusion::no_past(&error));
            let problems = behind.into_iter().chain(failed);
            reasons.extend(
                problems.map(|problem| format!("{}: {}", problem.message, problem.next_step)),
            );
        }
    }
    readiness(reasons)
}

fn readiness(reasons: Vec<String>) -> Response {
    let ready = reasons.is_empty();
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(Readiness { ready, reasons })).into_response()
}

pub(super) async fn version() -> Json<Version> {
    Json(Version {
        software: "lode".to_owned(),
        version: VERSION.to_owned(),
        api: API_VERSION,
        log: LOG_VERSION,
        arithmetic: ARITHMETIC_VERSION,
    })
}

pub(super) async fn status(State(app): App) -> Answered<Json<Status>> {
    Ok(Json(status_of(&app).await?))
}

async fn status_of(app: &Shared) -> Answered<Status> {
    let chain = app.node.chain().await;
    let chain = chain.open().ok_or_else(|| unavailable(closed(app)))?;
    let (state, tip) = (chain.state(), chain.tip());
    let clock = app.node.clock();
    let info = state.network_info();
    let mempool = {
        let mempool = app.node.mempool();
        let limits = mempool.limits();
        Mempool {
            records: mempool.len() as u64,
            bytes: mempool.bytes() as u64,
            records_max: limits.records_max as u64,
            bytes_max: limits.bytes_max as u64,
        }
    };
    Ok(Status {
        version: VERSION.to_owned(),
        api: API_VERSION,
        network: info.id,
        name: chain.genesis().genesis.name.clone(),
        genesis: info.genesis,
        proposer: info.proposer,
        height: tip.height,
        tip: tip.id,
        time_ms: tip.time_ms,
        clock_ms: clock.now_ms(),
        hand_clock: clock.is_by_hand(),
        is_dev: app.is_dev,
        next_deadline_ms: state.next_deadline_ms(),
        state_root: tip.state_root,
        mempool,
        supply: info.supply,
        parameters: info.parameters.clone(),
    })
}

/// A page for whoever opens the node in a browser.
pub(super) async fn front(State(app): App) -> Answered<Html<String>> {
    let status = status_of(&app).await?;
    let row = |name: &str, value: String| format!("<tr><th>{name}</th><td>{value}</td></tr>");
    let rows = [
        row("network", status.network.to_string()),
        row("height", status.height.to_string()),
        row("last block", status.tip.to_string()),
        row("state root", status.state_root.to_string()),
        row("supply", format!("{} LODE", status.supply.to_lode_string())),
        row("records that wait", status.mempool.records.to_string()),
        row("version", status.version),
    ];
    // A name holds no control characters, but may hold markup.
    let name = status
        .name
        .as_str()
        .replace('&', "&amp;")
        .replace('<', "&lt;");
    Ok(Html(format!(
        "<!doctype html><meta charset=utf-8><title>{name}: a Lode node</title>\
         <style>body{{font:16px/1.5 system-ui;margin:3em auto;max-width:46em;padding:0 1em}}\
         th{{text-align:left;padding-right:2em;font-weight:500}}td{{font-family:monospace;\
         word-break:break-all}}</style><h1>{name}</h1><p>A node of the Lode market. Programs \
         ask it under <code>/v1</code>; people use the <code>lode</code> command.</p>\
         <table>{}</table>",
        rows.concat()
    )))
}

pub(super) async fn genesis(State(app): App) -> Answered<Response> {
    let chain = app.node.chain().await;
    let chain = chain.open().ok_or_else(|| unavailable(closed(&app)))?;
    Ok(octets(chain.log().genesis_item().bytes().to_vec()))
}

fn height(text: &str) -> Answered<u64> {
    let next = "give one from 0 on, in digits";
    whole_number(text).ok_or_else(|| bad("height", "a height is a whole number", next))
}

pub(super) async fn block(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Json<BlockView>> {
    let height = height(&text)?;
    if height == 0 {
        let chain = app.node.chain().await;
        let chain = chain.open().ok_or_else(|| unavailable(closed(&app)))?;
        let genesis = chain.genesis();
        return Ok(Json(BlockView {
            height,
            id: genesis.id,
            time_ms: genesis.genesis.time_ms,
            records: 0,
            rejected: 0,
            deadlines: 0,
        }));
    }
    let history = past(&app).await?;
    let found = app.blocking(peer, move || Ok(history.block(height)?));
    let found = found.await?;
    found.map(Json).ok_or_else(|| missing("block", height))
}

pub(super) async fn bundle(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Response> {
    let height = height(&text)?;
    let shared = Arc::clone(&app);
    app.blocking(peer, move || {
        let body = log_view(&shared)?.read(height).map_err(bug)?;
        shared.octets(peer, body.ok_or_else(|| missing("block", height))?)
    })
    .await
}

/// The log as it is now. To be called in one's turn of what blocks: a view grows with the log, and as many are held
/// as there are turns.
pub(super) fn log_view(app: &Shared) -> Answered<LogView> {
    let chain = app.node.chain_blocking();
    let chain = chain.open().ok_or_else(|| unavailable(closed(app)))?;
    Ok(chain.log().view().clone())
}

/// Sends what is written into it to a response, piece by piece.
struct Sender {
    pieces: mpsc::Sender<std::io::Result<Bytes>>,
}

impl std::io::Write for Sender {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let piece = Bytes::copy_from_slice(bytes);
        let sent = self.pieces.blocking_send(Ok(piece));
        sent.map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) async fn log(State(app): App, peer: Peer) -> Answered<Response> {
    let next = "try again later, or ask for its blocks one by one";
    let permit = reader(&app.log_readers, peer, "log_readers", "the log", next)?;
    let shared = Arc::clone(&app);
    let view = app.blocking(peer, move || log_view(&shared)).await?;
    let (pieces, receiver) = mpsc::channel(4);
    // Not among the heavy work: this waits for its reader.
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let broken = pieces.clone();
        let out = std::io::BufWriter::with_capacity(1 << 18, Sender { pieces });
        if let Err(error) = crate::export::export(&view, out, |_| {}) {
            // The connection is cut, so that half a log is not taken for a whole one.
            let _ = broken.blocking_send(Err(std::io::Error::other(error)));
        }
    });
    Ok(octets(Body::from_stream(ReceiverStream::new(receiver))))
}

/// That a record's receipt is on the log. The next block's header names the
/// root, so a record in the last block gets an empty block after it.
pub(super) async fn proof(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Response> {
    let id: ItemId = id(&text)?;
    let found = find(&app, peer, id).await?;
    let found = found.ok_or_else(|| missing("record", id))?;
    let (height, place) = (found.place.height, found.place.place);
    app.node.block_after(height).await;
    let (history, genesis, network) = {
        let chain = app.node.chain().await;
        let chain = chain.open().ok_or_else(|| unavailable(closed(&app)))?;
        (
            Chain::history(chain).ok_or_else(no_history)?,
            chain.log().genesis_item().clone(),
            chain.genesis().network,
        )
    };
    let shared = Arc::clone(&app);
    app.answer(peer, move || {
        let next = log_view(&shared)?
            .read(height + 1)
            .map_err(bug)?
            .ok_or_else(later)?;
        let mut items = BundleReader::new(&next[..], BODY_LIMITS).map_err(bug)?;
        let header = items.next_item().ok_or_else(later)?.map_err(bug)?;
        let receipts = history.receipts(height)?.ok_or_else(no_history)?;
        let leaves: Vec<Vec<u8>> = receipts.iter().map(|receipt| receipt.to_leaf()).collect();
        let path = merkle::proof(&leaves, u64::from(place)).map_err(bug)?;
        Ok(ReceiptProof {
            genesis: to_base64url(genesis.bytes()),
            record: to_base64url(found.item.bytes()),
            receipt: to_base64url(&leaves[place as usize]),
            place,
            receipts: leaves.len() as u32,
            path,
            header: to_base64url(header.bytes()),
            network,
        })
    })
    .await
}

fn later() -> Wrong {
    let problem = Problem::new(
        "proof_later",
        "no block follows the record's yet, and the next header is what proves its receipt",
        "ask again in a moment",
    );
    unavailable(problem.retry_after_ms(1_000))
}
