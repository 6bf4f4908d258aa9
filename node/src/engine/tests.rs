use axum::body::Body;
use axum::http::{Request, StatusCode};
use protocol::record::{Action, Envelope, Genesis, Transaction, Transfer};
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::testing::{BEGIN_MS, address, genesis_body, key, lode};

/// How long something that has to come may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node at work whose network begins at this time.
struct AtWork {
    node: Node,
    begin_ms: u64,
    _dir: TempDir,
}

impl AtWork {
    fn begin(begin_ms: u64, clock: Clock) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let genesis = Genesis {
            time_ms: begin_ms,
            ..genesis_body("salt")
        };
        let item = genesis.draft().sign(&key(0)).expect("few tags");
        create(dir.path(), &item).expect("a fresh folder");
        let sign = |draft: Draft| -> Result<VerifiedItem, SignError> {
            draft.sign(&key(0)).map_err(Into::into)
        };
        let config = Config {
            dir: dir.path().to_owned(),
            signer: Arc::new(sign),
            clock,
            mempool: MempoolLimits::default(),
        };
        let blobs = Blobs::open(&dir.path().join("blobs")).expect("it opens");
        let (node, _, _) = Node::open(config, blobs).expect("it opens");
        Self {
            node,
            begin_ms,
            _dir: dir,
        }
    }

    fn by_hand() -> Self {
        Self::begin(BEGIN_MS, Clock::by_hand(BEGIN_MS))
    }

    fn transfer(&self, nonce: u64) -> Record {
        let chain = self.node.chain_blocking();
        let envelope = Envelope {
            network: chain.open().expect("it is open").genesis().network,
            nonce,
            valid_until_ms: self.begin_ms + 3_600_000,
        };
        let action = Action::Transfer {
            to: address(5),
            body: Transfer { amount: lode(1) },
        };
        let draft = Transaction::draft(&envelope, &action);
        let item = draft.sign(&key(1)).expect("few tags");
        let tx = Transaction::read(&item).expect("a record");
        Record { item, tx }
    }

    fn offer(&self, record: Record) -> Result<Ticket, Problem> {
        self.node.submit_blocking(vec![record]).remove(0)
    }

    /// Offers a record and waits until it is on the log.
    fn include(&self, record: Record) -> Inclusion {
        match self.offer(record).expect("it is taken") {
            Ticket::Final(found) => found,
            Ticket::Waiting(answer) => answer.blocking_recv().expect("told").expect("included"),
        }
    }

    /// Status and body of `GET /readyz`.
    fn readiness(&self) -> (StatusCode, String) {
        let routes = crate::http::router(self.node.clone(), None, false);
        let request = Request::get("/readyz").body(Body::empty()).expect("sound");
        runtime().block_on(async {
            let answer = routes.oneshot(request).await.expect("infallible");
            let (head, body) = answer.into_parts();
            let body = axum::body::to_bytes(body, 10_000).await.expect("short");
            let text = String::from_utf8(body.to_vec()).expect("text");
            (head.status, text)
        })
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.node.stop();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

/// The network begins a little ahead of the machine's clock, which then comes up with it.
#[test]
fn once_the_clock_is_right_again_records_are_taken_with_nothing_else_due() {
    let begin_ms = crate::clock::system_ms() + 6_000;
    let at_work = AtWork::begin(begin_ms, Clock::System);
    // Somebody wants a block, which cannot be made yet.
    runtime().block_on(at_work.node.block_after(0));
    let pause = Duration::from_millis(20);
    let tries = PATIENCE.as_millis() / pause.as_millis();
    for _ in 0..tries {
        match at_work.offer(at_work.transfer(0)) {
            Ok(_) => return,
            Err(problem) => assert_eq!(problem.code, "clock_behind"),
        }
        std::thread::sleep(pause);
    }
    panic!("records are refused for ever");
}

#[test]
fn records_that_name_no_blob_are_taken_while_blobs_are_removed() {
    let at_work = AtWork::by_hand();
    let removing = at_work.node.naming().blocking_write();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            at_work.include(at_work.transfer(0));
            let second = at_work.transfer(1);
            let tickets = runtime().block_on(at_work.node.submit_all(vec![second]));
            sender.send(tickets.len()).expect("somebody listens");
        });
        let taken = receiver.recv_timeout(PATIENCE);
        drop(removing);
        assert_eq!(taken, Ok(1));
    });
}

#[test]
fn a_database_that_fails_is_told_and_what_it_forgot_is_not_another_record() {
    let at_work = AtWork::by_hand();
    let [first, second] = [0, 1].map(|nonce| at_work.transfer(nonce));
    assert_eq!(at_work.include(first.clone()).height, 1);
    assert_eq!(at_work.readiness().0, StatusCode::OK);
    {
        let chain = at_work.node.chain_blocking();
        chain.open().expect("it is open").database().lose(true);
    }
    // Blocks go on.
    assert_eq!(at_work.include(second).height, 2);
    let (status, text) = at_work.readiness();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(text.contains("cannot read its past"), "{text}");
    // The first is on the log; that its nonce is used says nothing else.
    let problem = at_work.offer(first).expect_err("nobody can tell");
    assert_eq!(problem.code, "history");
    assert!(problem.retry_after_ms.is_some());
}
