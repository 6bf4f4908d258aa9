//! Listening: connections, their limits, and stopping.
//!
//! Bounded: open connections in all and for each address (of IPv6 each network); requests a second for
//! each address; the time a request's head may take; the time a reader may take none of
//! its answer, or little. Who comes above a limit is told so, where it still listens, and may come again.
//!
//! Stopping: no new connections; what is being answered is answered, within
//! ten seconds; event streams end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use protocol::api::Problem;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tower::ServiceExt;

use super::BODY_PATIENCE;
use super::answer::Wrong;
use super::body::is_slow;
use super::budget::{Budget, Peer};

/// How long the head of a request may take, and a connection may be idle.
const HEAD_PATIENCE: Duration = Duration::from_secs(30);

/// How long requests that are being answered may take once the node stops.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How long to wait when the system gives no more sockets.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How much of a body is read at once; more makes large uploads faster.
const READ_BUFFER_BYTES: usize = 512 << 10;

/// What the rate limiter forgets so often.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// What a server lets in.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections in all.
    pub connections_max: usize,
    /// Open connections from one address.
    pub connections_each_max: usize,
    /// Requests a second from one address, as a mean over two seconds.
    pub requests_each_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 2_048,
            connections_each_max: 1_024,
            requests_each_max: 10_000,
        }
    }
}

struct Gate {
    connections: Arc<Budget>,
    rates: DefaultKeyedRateLimiter<IpAddr>,
}

impl Gate {
    fn new(limits: Limits) -> Self {
        let rate = NonZeroU32::new(limits.requests_each_max).unwrap_or(NonZeroU32::MIN);
        let burst = rate.saturating_mul(NonZeroU32::MIN.saturating_add(1));
        Self {
            connections: Budget::new(
                limits.connections_max as u64,
                limits.connections_each_max as u64,
            ),
            rates: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)),
        }
    }
}

/// Serves the routes until `stop` resolves, then lets what is being answered end.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let gate = Arc::new(Gate::new(limits));
    let graceful = GracefulShutdown::new();
    let mut forget = tokio::time::interval(FORGET_EVERY);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => connect(stream, peer, &gate, &routes, &graceful),
                // Out of sockets, or the peer has gone: others may do better.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            _ = forget.tick() => gate.rates.retain_recent(),
            () = &mut stop => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(STOP_PATIENCE, graceful.shutdown()).await;
}

fn connect(
    stream: TcpStream,
    peer: SocketAddr,
    gate: &Arc<Gate>,
    routes: &Router,
    graceful: &GracefulShutdown,
) {
    let address = one_network(peer.ip());
    let Some(entered) = gate.connections.take(Some(address), 1) else {
        tokio::spawn(turn_away(stream));
        return;
    };
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let routes = routes.clone();
    let rates = Arc::clone(gate);
    let peer = Peer::of(peer.ip());
    let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
        let routes = routes.clone();
        request.extensions_mut().insert(peer);
        let is_too_fast = rates.rates.check_key(&address).is_err();
        async move {
            if is_too_fast {
                return Ok::<Response, Infallible>(too_fast());
            }
            routes.oneshot(request.map(Body::new)).await
        }
    });
    let stream = Patient::new(stream, BODY_PATIENCE);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(READ_BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let watched = graceful.watch(connection);
    tokio::spawn(async move {
        // A connection that breaks is the peer's affair.
        let _ = watched.await;
        drop(entered);
    });
}

impl Peer {
    fn of(address: IpAddr) -> Self {
        let is_local = address.to_canonical().is_loopback();
        Self((!is_local).then(|| one_network(address)))
    }
}

/// The address that limits go by: of IPv6 the network, since whoever has one has all of its addresses.
fn one_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(network.into())
        }
        address => address,
    }
}

/// A connection that ends once its peer has taken nothing for a while of what it is to
/// get, or too little for as long as it was waited for: else an answer that nobody reads
/// would be held for ever.
struct Patient<S> {
    stream: S,
    patience: Duration,
    /// While the peer takes nothing: since when, and until when it may.
    stalled: Option<(Instant, Pin<Box<Sleep>>)>,
    /// How long the peer was waited for, and what it took, since that was looked at.
    waited: Duration,
    taken_bytes: u64,
}

impl<S> Patient<S> {
    fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
            waited: Duration::ZERO,
            taken_bytes: 0,
        }
    }

    /// What a write came to, or that the peer has kept it waiting for too long.
    fn judge<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        bytes_of: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        if let Poll::Ready(Ok(done)) = &written {
            self.taken_bytes += bytes_of(done) as u64;
        }
        if written.is_ready() {
            if let Some((since, _)) = self.stalled.take() {
                self.waited += since.elapsed();
            }
            if self.waited <= self.patience {
                return written;
            }
            if is_slow(self.taken_bytes, self.waited) {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            (self.waited, self.taken_bytes) = (Duration::ZERO, 0);
            return written;
        }
        let patience = self.patience;
        let (_, stalled) = self
            .stalled
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(patience))));
        stalled
            .as_mut()
            .poll(context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written, |bytes| *bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.judge(context, written, |bytes| *bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

fn too_fast() -> Response {
    let problem = Problem::new(
        "too_many_requests",
        "more requests a second came from this address than the node answers",
        "wait a moment; many records can go in one bundle",
    );
    Wrong::new(StatusCode::TOO_MANY_REQUESTS, problem.retry_after_ms(1_000)).into_response()
}

/// Tells one who came above the limit, without reading anything.
async fn turn_away(mut stream: TcpStream) {
    let body = r#"{"error":{"code":"too_many_connections","message":"as many connections as this node allows are open","next_step":"close some, or try again in a moment","retry_after_ms":1000}}"#;
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nretry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let say = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    };
    let _ = tokio::time::timeout(Duration::from_secs(1), say).await;
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn patient(stream: tokio::io::DuplexStream, patience: Duration) -> Patient<impl AsyncWrite> {
        Patient::new(stream, patience)
    }

    #[tokio::test]
    async fn a_connection_whose_peer_takes_nothing_ends() {
        let (stream, peer) = tokio::io::duplex(16);
        let mut stream = patient(stream, Duration::from_millis(50));
        let written = stream.write_all(&[0; 1_000]).await;
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(peer);
    }

    #[tokio::test]
    async fn a_connection_whose_peer_took_too_little_while_it_was_waited_for_ends() {
        let waited = Duration::from_secs(21);
        let enough = 21 << 14;
        for (waited, taken_bytes, is_cut) in [
            (waited, enough - 11, true),
            (waited, enough - 10, false),
            (Duration::from_secs(20), 0, false),
        ] {
            let (stream, _peer) = tokio::io::duplex(100);
            let mut stream = Patient {
                waited,
                taken_bytes,
                ..Patient::new(stream, Duration::from_secs(20))
            };
            let written = stream.write_all(&[7; 10]).await;
            assert_eq!(written.is_err(), is_cut, "{taken_bytes} in {waited:?}");
            if taken_bytes > 0 && !is_cut {
                assert_eq!((stream.waited, stream.taken_bytes), (Duration::ZERO, 0));
            }
        }
    }

    #[tokio::test]
    async fn only_the_time_in_which_a_peer_was_waited_for_counts() {
        let (stream, mut peer) = tokio::io::duplex(16);
        let mut stream = Patient::new(stream, Duration::from_secs(20));
        stream.write_all(&[0; 16]).await.unwrap();
        assert_eq!(stream.waited, Duration::ZERO);
        let writing = tokio::spawn(async move {
            stream.write_all(&[0; 8]).await.unwrap();
            stream
        });
        while !writing.is_finished() {
            tokio::time::sleep(Duration::from_millis(2)).await;
            peer.read_buf(&mut Vec::with_capacity(8)).await.unwrap();
        }
        let stream = writing.await.unwrap();
        assert!(stream.waited > Duration::ZERO);
        assert_eq!(stream.taken_bytes, 24);
    }

    #[tokio::test]
    async fn the_routes_know_who_asks_but_on_the_machine_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let say = |peer: axum::Extension<Peer>| async move { format!("{:?}", peer.0) };
        let routes = Router::new().route("/", axum::routing::get(say));
        let never = std::future::pending();
        tokio::spawn(serve(listener, routes, Limits::default(), never));
        let mut stream = TcpStream::connect(at).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("Peer(None)"), "{answer}");
        let of = |text: &str| Peer::of(text.parse().unwrap()).0;
        assert_eq!(of("192.0.2.7"), Some("192.0.2.7".parse().unwrap()));
        for local in ["127.0.0.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(local), None, "{local}");
        }
    }

    #[test]
    fn limits_go_by_the_network_of_an_address() {
        let of = |text: &str| one_network(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::1"), "::");
    }

    #[tokio::test]
    async fn a_connection_whose_peer_takes_a_little_at_a_time_lives() {
        let (stream, mut peer) = tokio::io::duplex(16);
        let mut stream = patient(stream, Duration::from_secs(20));
        let writing = tokio::spawn(async move { stream.write_all(&[7; 1_000]).await });
        let mut taken = Vec::new();
        while peer.read_buf(&mut taken).await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
        writing.await.unwrap().unwrap();
        assert_eq!(taken, [7; 1_000]);
    }
}
