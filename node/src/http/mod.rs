//! The HTTP API: the routes of docs/api.md over a [`Node`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`server`] | listening, limits on connections and rates, stopping |
//! | `records` | posting, trying and looking up records; the faucet; the clock |
//! | `market` | accounts, bounties, assets, licences, histories |
//! | `statements` | every unit in and out of an account, a bounty, an asset |
//! | `chain` | status, blocks, the log, proofs |
//! | `events` | server-sent events |
//! | `blobs`, `range` | blobs up and down, whole or in parts |
//! | `answer` | answers as JSON, errors with their status |
//! | `outgoing` | what is held of large answers until their peers have taken them |
//! | `body` | bodies that come in, from senders who keep sending |
//! | `budget` | what peers share, in all and for each address |
//!
//! Invariants: it holds no key. Every body, page and stream has a named limit.
//! What it tells of the chain is between two blocks, and synced.

mod answer;
mod blobs;
mod body;
mod budget;
mod chain;
mod events;
mod market;
mod outgoing;
mod range;
mod records;
pub mod server;
mod statements;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::{get, post};
use protocol::api::BUNDLE_BYTES_MAX;
use protocol::keys::SecretKey;
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::engine::Node;
use answer::{Answered, no_method, no_route};
use budget::{Budget, Peer};
use turns::Turns;

/// How long a body may keep the node waiting: a request's for its next bytes, an answer's
/// for its reader to take some.
const BODY_PATIENCE: Duration = Duration::from_secs(20);

/// How long `POST /v1/records` waits for the block before it answers 202.
const FINAL_PATIENCE: Duration = Duration::from_secs(20);

/// Readers of events at once, in all and from one address; each may stay for months.
const EVENT_READERS_MAX: u64 = 512;
const EVENT_READERS_EACH_MAX: u64 = 64;

/// Readers of the whole log at once, in all and from one address. Each has a thread of its own for as long as it reads.
const LOG_READERS_MAX: u64 = 16;
const LOG_READERS_EACH_MAX: u64 = 4;

/// Work on disk or processor at once, so that a few askers leave room for all, and of one address. Nobody
/// waits for a peer under it.
const HEAVY_MAX: usize = 16;
const HEAVY_EACH_MAX: usize = 4;

/// Lists at once that look at many entries of the state, beside that: what reads files keeps nobody from them. And
/// of one address, whose others wait without a place.
const LOOKS_MAX: usize = 4;
const LOOKS_EACH_MAX: usize = 2;

/// Views at once of one thing with what belongs to it, beside those: no list keeps a sponsor from a bounty.
const VIEWS_MAX: usize = 8;
const VIEWS_EACH_MAX: usize = 4;

/// Trials at once. Each waits for the state as the next block does, so that no more than these stand before it.
const TRIALS_MAX: usize = 4;
const TRIALS_EACH_MAX: usize = 2;

/// Offers at once of one address, until they wait for a block: what may be on the log already is looked up, and no
/// address has all such looks.
const OFFERS_EACH_MAX: usize = 8;

/// Bytes at once of large answers that are held until their peers have taken them, in all and for one address.
const OUTGOING_BYTES_MAX: u64 = 256 << 20;
const OUTGOING_BYTES_EACH_MAX: u64 = 32 << 20;

/// What a development network gives away.
#[derive(Debug)]
pub struct Faucet {
    /// Whose tokens it gives.
    pub key: SecretKey,
    /// How much, if the asker does not say.
    pub amount: protocol::Amount,
    /// The most at once.
    pub amount_max: protocol::Amount,
}

/// What the routes share.
pub(crate) struct Shared {
    node: Node,
    faucet: Option<Faucet>,
    /// One transfer of the faucet at a time, so that nonces follow each other.
    faucet_turn: tokio::sync::Mutex<()>,
    is_dev: bool,
    event_readers: Arc<Budget>,
    log_readers: Arc<Budget>,
    heavy: Turns,
    looks: Turns,
    views: Turns,
    trials: Turns,
    offers: Turns,
    outgoing: Arc<Budget>,
}

type App = axum::extract::State<Arc<Shared>>;

/// The routes over a node. `is_dev` is told in the status; a faucet is for
/// development networks only.
pub fn router(node: Node, faucet: Option<Faucet>, is_dev: bool) -> Router {
    routes(Arc::new(Shared::new(node, faucet, is_dev)))
}

fn routes(shared: Arc<Shared>) -> Router {
    let asked = Router::new()
        .route("/v1/records", post(records::post_record))
        .route("/v1/bundles", post(records::post_bundle))
        .route("/v1/accounts/{address}/holdings", get(market::holdings))
        .route(
            "/v1/accounts/{address}/history",
            get(market::account_history),
        )
        .route(
            "/v1/accounts/{address}/statement",
            get(statements::of_account),
        )
        .route("/v1/bounties/{id}/statement", get(statements::of_bounty))
        .route("/v1/assets/{id}/statement", get(statements::of_asset))
        .route("/v1/evaluators", get(market::evaluators))
        .route("/v1/bounties", get(market::bounties))
        .route("/v1/bounties/{id}/history", get(market::bounty_history))
        .route("/v1/assets", get(market::assets))
        .route("/v1/assets/{id}/holders", get(market::holders))
        .route("/v1/assets/{id}/history", get(market::asset_history))
        .route("/v1/licenses", get(market::licenses))
        .route("/v1/events", get(events::events));
    // These take no parameters, and would pass over what they are given.
    Router::new()
        .route("/", get(chain::front))
        .route("/livez", get(chain::live))
        .route("/readyz", get(chain::ready))
        .route("/version", get(chain::version))
        .route("/v1/status", get(chain::status))
        .route("/v1/genesis", get(chain::genesis))
        .route("/v1/trial", post(records::trial))
        .route("/v1/records/{id}", get(records::record))
        .route("/v1/records/{id}/item", get(records::item))
        .route("/v1/receipts/{id}/proof", get(chain::proof))
        .route("/v1/accounts/{address}", get(market::account))
        .route("/v1/bounties/{id}", get(market::bounty))
        .route("/v1/submissions/{id}", get(market::submission))
        .route("/v1/assets/{id}", get(market::asset))
        .route("/v1/assets/{id}/votes", get(market::votes))
        .route("/v1/licenses/{id}", get(market::license))
        .route("/v1/blocks/{height}", get(chain::block))
        .route("/v1/blocks/{height}/bundle", get(chain::bundle))
        .route("/v1/log", get(chain::log))
        .route(
            "/v1/blobs/{id}",
            get(blobs::get)
                .head(blobs::head)
                .put(blobs::put)
                .layer(DefaultBodyLimit::disable()),
        )
        .route("/v1/uploads/{id}", get(blobs::upload))
        .route("/v1/faucet", post(records::faucet))
        .route("/v1/clock", post(records::clock))
        .route_layer(axum::middleware::from_fn(answer::no_query))
        .merge(asked)
        .layer(axum::middleware::from_fn(answer::no_page))
        .method_not_allowed_fallback(no_method)
        .fallback(no_route)
        .layer(DefaultBodyLimit::max(BUNDLE_BYTES_MAX))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&shared),
            outgoing::count,
        ))
        .with_state(shared)
}

impl Shared {
    fn new(node: Node, faucet: Option<Faucet>, is_dev: bool) -> Self {
        Self {
            node,
            faucet,
            faucet_turn: tokio::sync::Mutex::default(),
            is_dev,
            event_readers: Budget::new(EVENT_READERS_MAX, EVENT_READERS_EACH_MAX),
            log_readers: Budget::new(LOG_READERS_MAX, LOG_READERS_EACH_MAX),
            heavy: Turns::new(HEAVY_MAX, HEAVY_EACH_MAX),
            looks: Turns::new(LOOKS_MAX, LOOKS_EACH_MAX),
            views: Turns::new(VIEWS_MAX, VIEWS_EACH_MAX),
            trials: Turns::new(TRIALS_MAX, TRIALS_EACH_MAX),
            offers: Turns::new(Semaphore::MAX_PERMITS, OFFERS_EACH_MAX),
            outgoing: Budget::new(OUTGOING_BYTES_MAX, OUTGOING_BYTES_EACH_MAX),
        }
    }

    /// Runs work that blocks, a bounded number at a time, and a smaller one for one address.
    async fn blocking<T: Send + 'static>(
        &self,
        peer: Peer,
        work: impl FnOnce() -> Answered<T> + Send + 'static,
    ) -> Answered<T> {
        self.heavy.run(peer, work).await
    }

    /// The same for what is answered: it is made into bytes there, and they are counted.
    async fn answer<T: Serialize + 'static>(
        self: &Arc<Self>,
        peer: Peer,
        work: impl FnOnce() -> Answered<T> + Send + 'static,
    ) -> Answered<Response> {
        let shared = Arc::clone(self);
        self.blocking(peer, move || shared.json(peer, &work()?))
            .await
    }
}

/// Runs work that blocks, under one of so many permits, which the work keeps to its end: who asked for it may be
/// gone before.
async fn blocking<T: Send + 'static>(
    permits: &Arc<Semaphore>,
    work: impl FnOnce() -> Answered<T> + Send + 'static,
) -> Answered<T> {
    let permit = Arc::clone(permits).acquire_owned().await;
    let permit = permit.map_err(answer::bug)?;
    let work = move || {
        let done = work();
        drop(permit);
        done
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(answer::bug(error)),
    }
}

#[cfg(test)]
mod tests;
