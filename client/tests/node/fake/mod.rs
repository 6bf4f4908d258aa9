//! A small HTTP server whose every answer, and every failure to give one, is written by the test.

mod ledger;

pub use ledger::{Fault, Ledger, action};

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Client, Options};
use protocol::api::{ErrorAnswer, Problem};
use serde::Serialize;

/// A request whose body is not read yet.
pub struct Exchange {
    pub method: String,
    /// Path and query.
    pub target: String,
    headers: Vec<(String, String)>,
    stream: BufReader<TcpStream>,
    is_open: bool,
}

impl Exchange {
    fn read(stream: BufReader<TcpStream>) -> Option<Self> {
        let mut exchange = Self {
            method: String::new(),
            target: String::new(),
            headers: Vec::new(),
            stream,
            is_open: true,
        };
        let line = exchange.line()?;
        let mut words = line.split(' ').map(str::to_owned);
        (exchange.method, exchange.target) = (words.next()?, words.next()?);
        loop {
            let line = exchange.line()?;
            let Some((name, value)) = line.split_once(": ") else {
                return Some(exchange);
            };
            exchange
                .headers
                .push((name.to_lowercase(), value.to_owned()));
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let len = self.stream.read_line(&mut line).ok()?;
        (len > 0).then(|| line.trim_end().to_owned())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find_map(|(known, value)| (known == name).then_some(value.as_str()))
    }

    pub fn content_length(&self) -> usize {
        self.header("content-length")
            .map_or(0, |length| length.parse().unwrap())
    }

    /// Gives the leave to send a body.
    pub fn go_on(&mut self) {
        if self.header("expect").is_some() {
            self.raw(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
    }

    /// The body's next bytes.
    pub fn take(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    pub fn body(&mut self) -> Vec<u8> {
        self.go_on();
        self.take(self.content_length())
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        // A client that has gone away is part of the tests.
        self.is_open &= self.stream.get_mut().write_all(bytes).is_ok();
    }

    pub fn reply(&mut self, status: u16, headers: &[(&str, String)], body: &[u8]) {
        let mut head = format!(
            "HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.raw(format!("{head}\r\n").as_bytes());
        if self.method != "HEAD" {
            self.raw(body);
        }
    }

    pub fn json(&mut self, status: u16, body: &impl Serialize) {
        self.reply(status, &[], &serde_json::to_vec(body).unwrap());
    }

    pub fn problem(&mut self, status: u16, code: &str) {
        let error = Problem::new(code, format!("the message of {code}"), "the next step");
        self.json(status, &ErrorAnswer { error });
    }

    /// Closes the connection.
    pub fn cut(&mut self) {
        self.is_open = false;
    }

    /// Holds the connection without an answer until the client gives up.
    pub fn hang(&mut self) {
        let _ = self.stream.read(&mut [0]);
        self.is_open = false;
    }

    /// Whether the client has closed the connection; waits until it does.
    pub fn is_left(&mut self) -> bool {
        matches!(self.stream.read(&mut [0]), Ok(0) | Err(_))
    }
}

/// The server. It ends with the test.
pub struct Fake {
    url: String,
    seen: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
}

impl Fake {
    /// A server with this answer to everything; one exchange at a time.
    pub fn new(handler: impl FnMut(&mut Exchange) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let is_over = Arc::new(AtomicBool::new(false));
        let handler = Arc::new(Mutex::new(handler));
        let fake = Self {
            url,
            seen: Arc::clone(&seen),
            is_over: Arc::clone(&is_over),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
                let stream = stream.unwrap();
                stream.set_nodelay(true).unwrap();
                let mut stream = BufReader::new(stream);
                std::thread::spawn(move || {
                    while let Some(mut exchange) = Exchange::read(stream) {
                        let line = format!("{} {}", exchange.method, exchange.target);
                        seen.lock().unwrap().push(line);
                        let mut answer = handler.lock().unwrap();
                        (*answer)(&mut exchange);
                        drop(answer);
                        if !exchange.is_open {
                            return;
                        }
                        stream = exchange.stream;
                    }
                });
            }
        });
        fake
    }

    /// A client without patience.
    pub fn client(&self) -> Client {
        self.client_with(3, Duration::from_secs(30))
    }

    pub fn client_with(&self, retries: u32, timeout: Duration) -> Client {
        let options = Options {
            connect_timeout: Duration::from_secs(30),
            timeout,
            retries,
            wait_first: Duration::from_millis(1),
            wait_max: Duration::from_millis(4),
            upload_secret: None,
        };
        Client::with_options(&self.url, options).unwrap()
    }

    /// The requests so far, as "METHOD target".
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests began so.
    pub fn count(&self, start: &str) -> usize {
        self.seen()
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
    }
}

/// Long enough that only a hanging server is given up.
pub const SHORT: Duration = Duration::from_millis(300);
