//! One request and its answer: addresses, time-outs, limits, errors. Nothing here knows a route.

use std::io::Read;
use std::time::{Duration, Instant};

use protocol::api::{ErrorAnswer, Problem};
use serde::de::DeserializeOwned;
use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use crate::client::Options;
use crate::error::{ClientError, excerpt, foreign_code};
use crate::upload::UploadSecret;

/// The most bytes of a JSON answer: 64 MiB.
pub const JSON_BYTES_MAX: u64 = 64 << 20;
/// The most bytes of an error's body: 64 KiB.
pub const ERROR_BYTES_MAX: u64 = 64 << 10;
/// The slowest transfer that is waited for: 16 KiB a second.
pub const RATE_MIN_BYTES: u64 = 16 << 10;

/// What the connections of transfers read and write at once.
pub(crate) const TRANSFER_BUFFER_BYTES: usize = 512 << 10;
/// A node that works through a blob before it answers does so at this rate at least, a second.
const DISK_RATE_MIN_BYTES: u64 = 16 << 20;
const USER_AGENT: &str = concat!("lode-client/", env!("CARGO_PKG_VERSION"));
const URL_CHARS_MAX: usize = 2_048;

/// Connections to one node.
pub(crate) struct Http {
    /// The address, without a slash at its end.
    pub(crate) url: String,
    pub(crate) options: Options,
    /// For messages: small buffers, an end to every exchange.
    agent: Agent,
    /// For blobs and the log: large buffers, a time-out for every read and write.
    transfers: Agent,
    /// Called before a wait between two tries.
    pub(crate) on_wait: Option<fn(std::time::Duration)>,
}

/// A request without its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) path: String,
    pub(crate) query: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Ask {
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query
            .extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// How long a transfer may take that goes on after it broke: who sends a byte now and then holds nobody for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    since: Instant,
    most: Duration,
}

impl Patience {
    pub(crate) fn is_left(&self) -> bool {
        self.since.elapsed() < self.most
    }
}

impl Http {
    pub(crate) fn new(url: &str, mut options: Options) -> Result<Self, ClientError> {
        let url = node_url(url)?;
        if options.upload_secret.is_none() {
            options.upload_secret = UploadSecret::random();
        }
        Ok(Self {
            agent: message_agent(&url, &options),
            transfers: transfer_agent(&url, &options),
            url,
            options,
            on_wait: None,
        })
    }

    /// An agent of its own, whose connections can be shut without touching the others.
    pub(crate) fn stream_agent(&self) -> Agent {
        let config =
            base_config(&self.url, &self.options).timeout_recv_response(Some(self.options.timeout));
        config.build().new_agent()
    }

    pub(crate) fn get(&self, ask: &Ask) -> Result<Response<Body>, ClientError> {
        self.get_with(&self.agent, ask)
    }

    pub(crate) fn get_with(&self, agent: &Agent, ask: &Ask) -> Result<Response<Body>, ClientError> {
        let request = self.with(agent.get(self.target(ask)), ask);
        request.call().map_err(|error| self.failed(error))
    }

    pub(crate) fn head(&self, ask: &Ask) -> Result<Response<Body>, ClientError> {
        let request = self.with(self.agent.head(self.target(ask)), ask);
        request.call().map_err(|error| self.failed(error))
    }

    pub(crate) fn post(
        &self,
        ask: &Ask,
        kind: &str,
        body: &[u8],
    ) -> Result<Response<Body>, ClientError> {
        let request = self.with(self.agent.post(self.target(ask)), ask);
        let request = request.header("content-type", kind);
        request.send(body).map_err(|error| self.failed(error))
    }

    /// A download of at most so many bytes.
    pub(crate) fn get_bytes(
        &self,
        ask: &Ask,
        size_bytes: u64,
    ) -> Result<Response<Body>, ClientError> {
        let request = self.with(self.transfers.get(self.target(ask)), ask);
        let request = request
            .config()
            .timeout_recv_body(Some(self.transfer_time(size_bytes)))
            .build();
        request.call().map_err(|error| self.failed(error))
    }

    /// An upload of exactly so many bytes, after which the node works through `whole_bytes`.
    pub(crate) fn put(
        &self,
        ask: &Ask,
        size_bytes: u64,
        whole_bytes: u64,
        body: &mut dyn Read,
    ) -> Result<Response<Body>, ClientError> {
        let request = self.with(self.transfers.put(self.target(ask)), ask);
        let time = self.transfer_time(size_bytes);
        let answer_time =
            self.options.timeout + Duration::from_secs(whole_bytes / DISK_RATE_MIN_BYTES);
        let request = request
            .header("content-type", "application/octet-stream")
            .header("content-length", size_bytes.to_string())
            .config()
            .timeout_send_body(Some(time))
            // The node hashes what came before and syncs the blob to its disk before it answers.
            .timeout_recv_response(Some(answer_time))
            .timeout_per_read(Some(answer_time))
            .build();
        request
            .send(ureq::SendBody::from_reader(body))
            .map_err(|error| self.failed(error))
    }

    fn target(&self, ask: &Ask) -> String {
        format!("{}{}", self.url, ask.path)
    }

    fn with<B>(&self, request: ureq::RequestBuilder<B>, ask: &Ask) -> ureq::RequestBuilder<B> {
        let query = ask
            .query
            .iter()
            .map(|(name, value)| (*name, value.as_str()));
        let request = request.query_pairs(query);
        let headers = ask.headers.iter();
        headers.fold(request, |request, (name, value)| {
            request.header(*name, value)
        })
    }

    /// The patience with a transfer of so many bytes in all, over all connections that it takes.
    pub(crate) fn patience(&self, size_bytes: u64) -> Patience {
        #[expect(
            clippy::disallowed_methods,
            reason = "how long a transfer takes enters nothing but its end"
        )]
        let since = Instant::now();
        Patience {
            since,
            most: self.transfer_time(size_bytes),
        }
    }

    fn transfer_time(&self, size_bytes: u64) -> Duration {
        self.options.timeout + Duration::from_secs(size_bytes / RATE_MIN_BYTES)
    }

    /// The answer as a message, if its status says that it is one.
    pub(crate) fn message<T: DeserializeOwned>(
        &self,
        response: Response<Body>,
    ) -> Result<T, ClientError> {
        let bytes = self.bytes(response, "the answer", JSON_BYTES_MAX)?;
        self.read(&bytes)
    }

    /// The answer's bytes, if its status says that it is no error.
    pub(crate) fn bytes(
        &self,
        response: Response<Body>,
        what: &'static str,
        limit_bytes: u64,
    ) -> Result<Vec<u8>, ClientError> {
        let mut response = self.accepted(response)?;
        self.limited(&mut response, what, limit_bytes)
    }

    pub(crate) fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(bytes)
            .map_err(|error| self.bad(format!("{error} in '{}'", excerpt(bytes))))
    }

    /// The answer, or the problem that it is.
    pub(crate) fn accepted(
        &self,
        mut response: Response<Body>,
    ) -> Result<Response<Body>, ClientError> {
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        if status < 400 {
            return Err(ClientError::NotALodeNode {
                url: self.url.clone(),
                why: format!("it answers with HTTP status {status}, and a node never redirects"),
            });
        }
        // A body that cannot be read says as much as none: the status stands.
        let body = self.limited(&mut response, "an error", ERROR_BYTES_MAX);
        Err(problem(status, &body.unwrap_or_default()))
    }

    pub(crate) fn limited(
        &self,
        response: &mut Response<Body>,
        what: &'static str,
        limit_bytes: u64,
    ) -> Result<Vec<u8>, ClientError> {
        let too_large = ClientError::TooLarge { what, limit_bytes };
        if response
            .body()
            .content_length()
            .is_some_and(|length| length > limit_bytes)
        {
            return Err(too_large);
        }
        let mut bytes = Vec::new();
        let reader = response.body_mut().as_reader();
        let read = reader.take(limit_bytes + 1).read_to_end(&mut bytes);
        read.map_err(|error| self.failed(error.into()))?;
        match bytes.len() as u64 > limit_bytes {
            true => Err(too_large),
            false => Ok(bytes),
        }
    }

    pub(crate) fn bad(&self, what: impl Into<String>) -> ClientError {
        ClientError::Protocol {
            url: self.url.clone(),
            what: what.into(),
        }
    }

    /// What a failed exchange means. Only what cannot have sent a byte is "unreachable".
    pub(crate) fn failed(&self, error: ureq::Error) -> ClientError {
        use std::io::ErrorKind::{ConnectionRefused, TimedOut, WouldBlock};
        use ureq::{Error, Timeout};
        let url = self.url.clone();
        let why = excerpt(error.to_string().as_bytes());
        match error {
            Error::HostNotFound | Error::ConnectionFailed | Error::ConnectProxyFailed(_) => {
                ClientError::Unreachable { url, why }
            }
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                ClientError::Unreachable { url, why }
            }
            Error::Io(io) if io.kind() == ConnectionRefused => {
                ClientError::Unreachable { url, why }
            }
            // A name that no server knows: nothing was sent.
            Error::Io(io) if io.to_string().contains("failed to lookup address") => {
                ClientError::Unreachable { url, why }
            }
            Error::Tls(_) | Error::Rustls(_) => ClientError::NotALodeNode {
                url,
                why: format!("{why}; if it speaks plain HTTP, write http:// instead of https://"),
            },
            Error::Timeout(what) => ClientError::TimedOut {
                url,
                what: what.to_string(),
            },
            Error::Io(io) if matches!(io.kind(), TimedOut | WouldBlock) => {
                ClientError::TimedOut { url, what: why }
            }
            Error::Protocol(_) | Error::LargeResponseHeader(..) | Error::Http(_) => {
                ClientError::NotALodeNode { url, why }
            }
            _ => ClientError::Disconnected { url, why },
        }
    }
}

/// The problem of an error answer.
fn problem(status: u16, body: &[u8]) -> ClientError {
    let problem = match serde_json::from_slice::<ErrorAnswer>(body) {
        Ok(answer) => answer.error,
        Err(_) => Problem::new(
            foreign_code(status),
            format!(
                "HTTP status {status} without a problem of the API: '{}'",
                excerpt(body)
            ),
            "Check that the address is a node's; something between may have answered in its place.",
        ),
    };
    let problem = Box::new(problem);
    ClientError::Problem { status, problem }
}

/// The address in one spelling.
fn node_url(text: &str) -> Result<String, ClientError> {
    let fail = |why| {
        // A user name or a password would stand in every error message.
        let url = match text.rsplit_once('@') {
            Some((_, host)) => format!("…@{}", excerpt(host.as_bytes())),
            None => excerpt(text.as_bytes()),
        };
        Err(ClientError::Address { url, why })
    };
    if text.len() > URL_CHARS_MAX {
        return fail("it is too long");
    }
    let Ok(uri) = text.parse::<Uri>() else {
        return fail("it is not a URL");
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return fail("it begins with neither http:// nor https://");
    }
    let Some(authority) = uri
        .authority()
        .filter(|authority| !authority.host().is_empty())
    else {
        return fail("it names no host");
    };
    if authority.as_str().contains('@') {
        return fail("it holds a user name or a password");
    }
    if uri.query().is_some() || text.contains('#') {
        return fail("it has a query or a fragment");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn base_config(
    url: &str,
    options: &Options,
) -> ureq::config::ConfigBuilder<ureq::typestate::AgentScope> {
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .user_agent(USER_AGENT)
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        .timeout_per_read(Some(options.timeout))
        .timeout_per_write(Some(options.timeout));
    match is_local(url) {
        // A proxy is for other machines.
        true => config.proxy(None),
        false => config,
    }
}

fn message_agent(url: &str, options: &Options) -> Agent {
    let config = base_config(url, options).timeout_global(Some(options.timeout));
    config.build().new_agent()
}

fn transfer_agent(url: &str, options: &Options) -> Agent {
    let config = base_config(url, options)
        .input_buffer_size(TRANSFER_BUFFER_BYTES)
        .output_buffer_size(TRANSFER_BUFFER_BYTES)
        .timeout_recv_response(Some(options.timeout));
    config.build().new_agent()
}

fn is_local(url: &str) -> bool {
    let host = url
        .parse::<Uri>()
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned));
    host.is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_http_or_https_and_holds_no_secret() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(node_url(text).ok().as_deref(), expected, "{text}");
        };
        check("http://127.0.0.1:4370", Some("http://127.0.0.1:4370"));
        check("https://node.example/", Some("https://node.example"));
        check(
            "https://node.example/lode/",
            Some("https://node.example/lode"),
        );
        check("127.0.0.1:4370", None);
        check("ftp://node.example", None);
        check("http://", None);
        check("http://me:secret@node.example", None);
        check("http://node.example/?a=b", None);
        check("", None);
    }

    #[test]
    fn an_error_without_a_problem_keeps_its_status() {
        let error = problem(502, b"<html>bad gateway</html>");
        assert_eq!(error.code(), "http_502");
        assert!(error.is_temporary());
    }
}
