//! The client: its address, its patience, and the calls that are about the node itself.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use protocol::Address;
use protocol::ans104::bundle::ITEM_BYTES_MAX;
use protocol::ans104::{Draft, SignedItem, VerifiedItem};
use protocol::api::{
    API_VERSION, ClockAnswer, ClockRequest, FaucetRequest, Readiness, RecordView, Status,
    TrialAnswer, TrialRequest, Version,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backoff::Backoff;
use crate::error::ClientError;
use crate::http::{Ask, ERROR_BYTES_MAX, Http, TRANSFER_BUFFER_BYTES};
use crate::upload::UploadSecret;

/// How patient a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long to wait for a connection, TLS included.
    pub connect_timeout: Duration,
    /// How long to wait for a message's whole answer, or for the next bytes of a transfer or a stream.
    pub timeout: Duration,
    /// How many more times a call is tried that can be tried again without risk, and
    /// how often in a row a transfer may break without progress, or once it has taken longer than a slow one does.
    pub retries: u32,
    /// The wait before the second try; each later one is twice as long.
    pub wait_first: Duration,
    /// The longest such wait.
    pub wait_max: Duration,
    /// What makes an upload that broke off this client's, to go on with; none: one for this client alone.
    pub upload_secret: Option<UploadSecret>,
}

impl Default for Options {
    /// 5 s to connect, 60 s for an answer, 6 retries after 0.25 s to 10 s, an upload secret of its own.
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            retries: 6,
            wait_first: Duration::from_millis(250),
            wait_max: Duration::from_secs(10),
            upload_secret: None,
        }
    }
}

/// A node, seen from outside. A clone is cheap and shares the connections; threads may share one.
#[derive(Clone)]
pub struct Client {
    pub(crate) http: Arc<Http>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the node at this address, `http://` or `https://`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn new(url: &str) -> Result<Self, ClientError> {
        Self::with_options(url, Options::default())
    }

    /// The same, with another patience.
    ///
    /// # Errors
    /// [`ClientError::Address`].
    pub fn with_options(url: &str, options: Options) -> Result<Self, ClientError> {
        let http = Arc::new(Http::new(url, options)?);
        Ok(Self { http })
    }

    /// As [`Client::with_options`]; `told` is called before every wait between two
    /// tries with how long it will be, so that a person is not left without a word.
    ///
    /// # Errors
    /// As there.
    pub fn telling_waits(
        url: &str,
        options: Options,
        told: fn(Duration),
    ) -> Result<Self, ClientError> {
        let mut http = Http::new(url, options)?;
        http.on_wait = Some(told);
        Ok(Self {
            http: Arc::new(http),
        })
    }

    /// The node's address, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.http.url
    }

    /// How patient this client is.
    pub fn options(&self) -> &Options {
        &self.http.options
    }

    /// `GET /livez`: whether the process answers.
    ///
    /// # Errors
    /// It does not.
    pub fn live(&self) -> Result<(), ClientError> {
        self.http.bytes(
            self.ask(&Ask::new("/livez"))?,
            "the answer",
            ERROR_BYTES_MAX,
        )?;
        Ok(())
    }

    /// `GET /readyz`: whether records are taken, and if not, why.
    ///
    /// # Errors
    /// The node cannot be asked. A node that is not ready is no error.
    pub fn ready(&self) -> Result<Readiness, ClientError> {
        let mut response = self.ask(&Ask::new("/readyz"))?;
        if response.status().as_u16() == 503 {
            let body = self
                .http
                .limited(&mut response, "the answer", ERROR_BYTES_MAX)?;
            return self.http.read(&body);
        }
        self.http.message(response)
    }

    /// `GET /version`.
    ///
    /// # Errors
    /// The node cannot be asked.
    pub fn version(&self) -> Result<Version, ClientError> {
        self.get(Ask::new("/version"))
    }

    /// Whether a lode node answers there, and one that speaks this client's version of the API.
    ///
    /// # Errors
    /// [`ClientError::NotALodeNode`], [`ClientError::Incompatible`], or it cannot be asked.
    pub fn check_compatible(&self) -> Result<Version, ClientError> {
        let foreign = |why: String| ClientError::NotALodeNode {
            url: self.url().to_owned(),
            why,
        };
        let version = match self.version() {
            Ok(version) => version,
            Err(ClientError::Protocol { what, .. }) => return Err(foreign(what)),
            Err(ClientError::Problem { status, problem })
                if problem.code == crate::error::foreign_code(status) && status < 500 =>
            {
                return Err(foreign(problem.message));
            }
            Err(error) => return Err(error),
        };
        if version.software != "lode" {
            let software = crate::error::excerpt(version.software.as_bytes());
            return Err(foreign(format!("it calls itself '{software}'")));
        }
        if version.api != API_VERSION {
            return Err(ClientError::Incompatible {
                url: self.url().to_owned(),
                version: crate::error::excerpt(version.version.as_bytes()),
                theirs: version.api,
            });
        }
        Ok(version)
    }

    /// `GET /v1/status`: the network, the last block, what waits.
    ///
    /// # Errors
    /// The node cannot be asked.
    pub fn status(&self) -> Result<Status, ClientError> {
        self.get(Ask::new("/v1/status"))
    }

    /// How far this machine's clock is ahead of the node's, in milliseconds: below zero if it is behind.
    /// `None` if the node's clock is driven by hand. Half the time that the answer took is its error.
    ///
    /// # Errors
    /// The node cannot be asked.
    pub fn clock_skew_ms(&self) -> Result<Option<i64>, ClientError> {
        let before = now_ms();
        let status = self.status()?;
        let after = now_ms();
        if status.hand_clock {
            return Ok(None);
        }
        let here = before + after.saturating_sub(before) / 2;
        let skew = i128::from(here) - i128::from(status.clock_ms);
        Ok(Some(skew.clamp(i64::MIN.into(), i64::MAX.into()) as i64))
    }

    /// `GET /v1/genesis`: the genesis item, its signature checked. What it says of the
    /// network is read with [`protocol::record::GenesisRecord`].
    ///
    /// # Errors
    /// The node cannot be asked, or sent no signed item.
    pub fn genesis_item(&self) -> Result<VerifiedItem, ClientError> {
        self.item(Ask::new("/v1/genesis"), "the genesis")
    }

    /// `GET /v1/log`: the whole log as one ANS-104 bundle, of at most so many bytes, into `out`. Gives its size.
    ///
    /// # Errors
    /// The transfer broke, `out` failed, or the log is longer. What was written then is no bundle.
    pub fn log(&self, out: &mut impl Write, size_bytes_max: u64) -> Result<u64, ClientError> {
        let response = self.http.get_bytes(&Ask::new("/v1/log"), size_bytes_max)?;
        let mut response = self.http.accepted(response)?;
        let mut reader = response.body_mut().as_reader();
        let mut buffer = vec![0; TRANSFER_BUFFER_BYTES];
        let mut size_bytes = 0;
        loop {
            let read = reader.read(&mut buffer);
            let len = read.map_err(|error| self.http.failed(error.into()))?;
            if len == 0 {
                return Ok(size_bytes);
            }
            size_bytes += len as u64;
            if size_bytes > size_bytes_max {
                return Err(ClientError::TooLarge {
                    what: "the log",
                    limit_bytes: size_bytes_max,
                });
            }
            let written = out.write_all(&buffer[..len]);
            written.map_err(|error| ClientError::io("the output", error))?;
        }
    }

    /// `POST /v1/trial`: what would come of a draft, if this account signed it. Nothing comes of it.
    ///
    /// # Errors
    /// The node cannot be asked. That a rule would refuse is in the answer.
    pub fn trial(&self, signer: Address, draft: &Draft) -> Result<TrialAnswer, ClientError> {
        let request = TrialRequest::new(signer, draft);
        self.patiently(|| self.post_json("/v1/trial", &request))
    }

    /// `POST /v1/faucet`, on development networks: the transfer that it made. Never tried again
    /// by itself, as each call pays.
    ///
    /// # Errors
    /// The node has no faucet, or cannot be asked.
    pub fn faucet(&self, request: &FaucetRequest) -> Result<RecordView, ClientError> {
        self.post_json("/v1/faucet", request)
    }

    /// `POST /v1/clock`, where the clock is driven by hand: returns once all work that is due is done.
    ///
    /// # Errors
    /// The node's clock is its own, or the time is before its clock's.
    pub fn set_clock(&self, time_ms: u64) -> Result<ClockAnswer, ClientError> {
        self.post_json("/v1/clock", &ClockRequest { time_ms })
    }

    /// A message that is asked for.
    pub(crate) fn get<T: DeserializeOwned>(&self, ask: Ask) -> Result<T, ClientError> {
        self.patiently(|| self.http.message(self.http.get(&ask)?))
    }

    /// An item that is asked for, its signature checked.
    pub(crate) fn item(&self, ask: Ask, what: &'static str) -> Result<VerifiedItem, ClientError> {
        let bytes =
            self.patiently(|| self.http.bytes(self.http.get(&ask)?, what, ITEM_BYTES_MAX))?;
        let item = SignedItem::from_vec(bytes).and_then(SignedItem::verify);
        item.map_err(|error| self.http.bad(format!("{what}: {error}")))
    }

    fn ask(&self, ask: &Ask) -> Result<ureq::http::Response<ureq::Body>, ClientError> {
        self.patiently(|| self.http.get(ask))
    }

    fn post_json<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).expect("a message of the API is JSON");
        let response = self.http.post(&Ask::new(path), "application/json", &body)?;
        self.http.message(response)
    }

    /// Tries a call without effect again: once at once if a kept connection had died in
    /// the meantime, and later when the node asks for it. A node that is not there is
    /// said at once, so that a person need not wait to learn of a wrong address.
    pub(crate) fn patiently<T>(
        &self,
        call: impl Fn() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let mut backoff = self.backoff();
        let mut is_fresh = false;
        loop {
            let error = match call() {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let try_again = match error {
                ClientError::Disconnected { .. } => !std::mem::replace(&mut is_fresh, true),
                ClientError::Problem { .. } if error.retry_after_ms().is_some() => {
                    backoff.wait(error.retry_after_ms())
                }
                _ => false,
            };
            if !try_again {
                return Err(error);
            }
        }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        let options = self.options();
        Backoff::new(options.wait_first, options.wait_max, options.retries)
            .telling(self.http.on_wait)
    }
}

/// This machine's clock, in milliseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the skew of this clock is what is asked for; nothing signed is made from it"
)]
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
