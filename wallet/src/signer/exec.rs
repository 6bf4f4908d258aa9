//! A program that signs. Its protocol is in [`super`].
//!
//! One thread a request writes the line and reads the answer while the caller
//! waits with a limit, so that a program that does neither hangs nobody. The
//! program is ended when its answer is in and it does not end by itself.

use std::fmt;
use std::io::{self, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::str::FromStr;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use protocol::ans104::{Draft, VerifiedItem};
use protocol::json;
use protocol::keys::{PublicKey, SIGNATURE_LEN};
use serde::Serialize;

use super::Signer;
use super::reply::{REPLY_BYTES_MAX, Reply};
use crate::error::{ExecFlaw, WalletError};

/// How long a program may take: a person may have to find and touch a key.
pub const TIMEOUT: Duration = Duration::from_secs(120);

/// Version of the protocol.
const PROTOCOL: u32 = 1;
/// How long a program may stay after its answer: this many looks, so far apart.
const EXIT_LOOKS: u32 = 200;
const EXIT_LOOK_EVERY: Duration = Duration::from_millis(10);
/// Most characters that are shown of a program's own reason.
const REASON_CHARS_MAX: usize = 200;

/// A program and its arguments. `Debug` shows the program alone: an argument
/// may hold what its owner would rather not see in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecCommand {
    program: String,
    arguments: Vec<String>,
}

impl ExecCommand {
    /// The program.
    pub fn program(&self) -> &str {
        &self.program
    }
}

impl FromStr for ExecCommand {
    type Err = WalletError;

    fn from_str(text: &str) -> Result<Self, WalletError> {
        let words = shell_words::split(text).map_err(|_| WalletError::SignerForm)?;
        match words.split_first() {
            Some((program, arguments)) if !program.is_empty() => Ok(Self {
                program: program.clone(),
                arguments: arguments.to_vec(),
            }),
            _ => Err(WalletError::SignerForm),
        }
    }
}

impl fmt::Debug for ExecCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecCommand")
            .field("program", &self.program)
            .finish_non_exhaustive()
    }
}

/// A program that holds a key and signs with it.
#[derive(Debug, Clone)]
pub struct ExecSigner {
    command: ExecCommand,
    timeout: Duration,
    public: PublicKey,
}

impl ExecSigner {
    /// Asks the program for its public key.
    ///
    /// # Errors
    ///
    /// It cannot be started, or does not answer as the protocol has it.
    pub fn open(command: ExecCommand) -> Result<Self, WalletError> {
        Self::open_within(command, TIMEOUT)
    }

    /// As [`ExecSigner::open`], with another limit for each answer.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open_within(command: ExecCommand, timeout: Duration) -> Result<Self, WalletError> {
        let request = Request {
            version: PROTOCOL,
            op: "public",
            message: None,
            draft: None,
        };
        let found = ask(&command, timeout, &request)
            .and_then(|reply| reply.public.ok_or(ExecFlaw::Form("public")));
        let public = found.map_err(|flaw| failure(&command, flaw))?;
        Ok(Self {
            command,
            timeout,
            public,
        })
    }

    fn signature(&self, message: &[u8], draft: &Draft) -> Result<[u8; SIGNATURE_LEN], ExecFlaw> {
        let request = Request {
            version: PROTOCOL,
            op: "sign",
            message: Some(encode(message)),
            draft: Some(DraftView::of(draft)),
        };
        let reply = ask(&self.command, self.timeout, &request)?;
        reply.signature_bytes().ok_or(ExecFlaw::Form("signature"))
    }
}

impl Signer for ExecSigner {
    fn public(&self) -> PublicKey {
        self.public
    }

    fn sign(&self, draft: Draft) -> Result<VerifiedItem, WalletError> {
        let message = draft.message(&self.public).map_err(WalletError::Draft)?;
        let signature = self
            .signature(&message, &draft)
            .map_err(|flaw| failure(&self.command, flaw))?;
        let item = draft
            .with_signature(self.public, signature)
            .map_err(WalletError::Draft)?;
        item.verify()
            .map_err(|_| failure(&self.command, ExecFlaw::Signature(Box::new(self.public))))
    }
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(rename = "lode-signer")]
    version: u32,
    op: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    draft: Option<DraftView<'a>>,
}

#[derive(Serialize)]
struct DraftView<'a> {
    target: Option<String>,
    anchor: Option<String>,
    tags: Vec<TagView<'a>>,
    data: String,
}

#[derive(Serialize)]
struct TagView<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> DraftView<'a> {
    fn of(draft: &'a Draft) -> Self {
        let tags = draft.tags.iter().map(|tag| TagView {
            name: &tag.name,
            value: &tag.value,
        });
        Self {
            target: draft.target.map(|target| encode(&target)),
            anchor: draft.anchor.map(|anchor| encode(&anchor)),
            tags: tags.collect(),
            data: encode(&draft.data),
        }
    }
}

fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
}

fn failure(command: &ExecCommand, flaw: ExecFlaw) -> WalletError {
    WalletError::Exec {
        program: command.program.clone(),
        flaw,
    }
}

/// One request, one answer.
fn ask(command: &ExecCommand, timeout: Duration, request: &Request<'_>) -> Result<Reply, ExecFlaw> {
    let mut line = json::to_vec(request);
    line.push(b'\n');

    let mut running = Running::start(command)?;
    let (stdin, stdout) = running.pipes()?;
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new()
        .name("signer".to_owned())
        // The caller may have stopped waiting; then nobody misses the answer.
        .spawn(move || drop(sender.send(talk(stdin, stdout, &line))))
        .map_err(|error| ExecFlaw::Start(error.kind()))?;
    let answer = match receiver.recv_timeout(timeout) {
        Ok(answer) => answer.map_err(|error| ExecFlaw::Io(error.kind()))?,
        Err(_) => {
            running.kill();
            return Err(ExecFlaw::Timeout(timeout.as_secs()));
        }
    };

    let status = running.end();
    if answer.len() > REPLY_BYTES_MAX {
        return Err(ExecFlaw::TooLong);
    }
    if answer.is_empty() {
        let exit_code = status.and_then(|status| status.code());
        return Err(ExecFlaw::NoAnswer { exit_code });
    }
    let field = if request.draft.is_some() {
        "signature"
    } else {
        "public"
    };
    let reply = Reply::from_json(&answer).map_err(|_| ExecFlaw::Form(field))?;
    match reply.error {
        Some(reason) => Err(ExecFlaw::Declined(printable(&reason))),
        None => Ok(reply),
    }
}

/// Writes the request and reads one line, or one byte more than a line may have.
fn talk(mut stdin: ChildStdin, stdout: ChildStdout, line: &[u8]) -> io::Result<Vec<u8>> {
    use std::io::{BufRead as _, BufReader, Read as _};
    match stdin.write_all(line) {
        // It may answer without having read everything.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
        _ => drop(stdin),
    }
    let mut answer = Vec::new();
    BufReader::new(stdout)
        .take(REPLY_BYTES_MAX as u64 + 1)
        .read_until(b'\n', &mut answer)?;
    Ok(answer)
}

/// A reason from outside, shortened and without characters that steer a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .take(REASON_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// A started program that never outlives its request.
struct Running(Child);

impl Running {
    fn start(command: &ExecCommand) -> Result<Self, ExecFlaw> {
        Command::new(&command.program)
            .args(&command.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map(Self)
            .map_err(|error| ExecFlaw::Start(error.kind()))
    }

    fn pipes(&mut self) -> Result<(ChildStdin, ChildStdout), ExecFlaw> {
        match (self.0.stdin.take(), self.0.stdout.take()) {
            (Some(stdin), Some(stdout)) => Ok((stdin, stdout)),
            _ => Err(ExecFlaw::Start(io::ErrorKind::BrokenPipe)),
        }
    }

    /// Lets it end by itself for a while, then ends it.
    fn end(&mut self) -> Option<ExitStatus> {
        for _ in 0..EXIT_LOOKS {
            match self.0.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => thread::sleep(EXIT_LOOK_EVERY),
                Err(_) => break,
            }
        }
        self.kill();
        None
    }

    fn kill(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !matches!(self.0.try_wait(), Ok(Some(_))) {
            self.kill();
        }
    }
}
