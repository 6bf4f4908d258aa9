//! What every command against a node shares: which node, whose key, how to ask
//! and how to act.
//!
//! ```text
//! $LODE_HOME (~/.lode)
//!   keys/NAME.age, NAME.pub    encrypted keys (crate `wallet`)
//!   seals/<id>.json            the keys of seals that are not revealed yet
//!   test-sets/<archive>.json   which bounties a test set was used in
//!   outbox/<address>@<network>.item   the record that was signed last there and not yet answered for
//!   outbox/<address>@<network>.lock   held by the one command that acts for this account now
//! ```
//!
//! Acting: the draft is tried on the node first, so that what a rule would
//! reject is refused here and costs nothing; then it is signed, kept in the
//! outbox, sent until it is final, and only then forgotten. A record whose
//! outcome is open comes before every other of its account.

mod names;
mod outbox;
mod settled;

use std::cell::{Cell, OnceCell};
use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use client::{Client, SendError, Sender};
use protocol::Amount;
use protocol::api::{RecordView, Status, TrialAnswer};
use protocol::id::{Address, IdError, ItemId, NetworkId};
use protocol::record::{Action, Envelope, Transaction};
use wallet::{PassphraseSource, Signer, SignerSpec};

use crate::failure::{Exit, Failure};
use crate::out;

pub use names::{ambiguous, bare_id, guard_id};
use outbox::{forget, turn};
pub use outbox::{keep, lock, private_dir};

/// Where a node listens if nobody says otherwise.
pub const NODE_URL: &str = "http://127.0.0.1:4747";

/// How long the node may take for an answer; its own patience for a block is shorter.
const ANSWER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Says once that a command waits, and for what, when the waits begin to be felt.
fn tell_wait(wait: std::time::Duration) {
    use std::sync::atomic::{AtomicU64, Ordering};
    static WAITED_MS: AtomicU64 = AtomicU64::new(0);
    let wait_ms = wait.as_millis() as u64;
    let before = WAITED_MS.fetch_add(wait_ms, Ordering::Relaxed);
    if before < 1_000 && before + wait_ms >= 1_000 {
        talk!(
            "note: no answer from the node yet; trying again for a while (Ctrl-C ends this, and nothing \
             is paid twice)"
        );
    }
}

/// What can be said to every command.
#[derive(clap::Args, Debug)]
pub struct Global {
    /// Print JSON for programs, errors included.
    #[arg(long, global = true, help_heading = "Output")]
    pub json: bool,
    /// The node to ask [default: $LODE_NODE, or http://127.0.0.1:4747].
    #[arg(long, global = true, value_name = "URL", help_heading = "Node and key")]
    pub node: Option<String>,
    /// The network's id that the node, or a certificate, must be of [default: $LODE_NETWORK, or any].
    #[arg(
        long,
        global = true,
        value_name = "ID",
        value_parser = network,
        help_heading = "Node and key"
    )]
    pub network: Option<NetworkId>,
    /// The name of the key in $LODE_HOME/keys [default: $LODE_SIGNER, else $LODE_KEY, or 'default'].
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        help_heading = "Node and key"
    )]
    pub key: Option<String>,
    /// Who signs: 'file:PATH' of a key file, or 'exec:COMMAND' [default: $LODE_SIGNER, or the key by name].
    #[arg(
        long,
        global = true,
        value_name = "SPEC",
        help_heading = "Node and key"
    )]
    pub signer: Option<String>,
    /// Where the passphrase comes from: 'prompt', 'file:PATH', 'env:NAME' or 'stdin' [default: $LODE_PASSPHRASE_FILE, or prompt].
    #[arg(
        long,
        global = true,
        value_name = "SOURCE",
        help_heading = "Node and key"
    )]
    pub passphrase: Option<String>,
    /// Show what would happen and what it would cost; sign and send nothing.
    #[arg(long, global = true, help_heading = "Acting")]
    pub dry_run: bool,
    /// Do not ask before what cannot be undone.
    #[arg(long, short = 'y', global = true, help_heading = "Acting")]
    pub yes: bool,
}

/// A command's way to its node and key.
pub struct Session {
    pub global: Global,
    home: PathBuf,
    client: OnceCell<Client>,
    signer: OnceCell<Rc<dyn Signer>>,
    /// Whether nobody reads what it says: it works for hours, beside the commands of the same account.
    is_daemon: Cell<bool>,
}

/// What acting came to.
pub enum Acted {
    /// The record is final, and no rule rejected it.
    Done(Box<RecordView>),
    /// Nothing was signed: this is what would come of it.
    Tried(Box<TrialAnswer>),
}

impl Acted {
    /// The record's id; none if nothing was signed.
    pub fn id(&self) -> Option<ItemId> {
        match self {
            Self::Done(view) => Some(view.id),
            Self::Tried(_) => None,
        }
    }
}

fn network(text: &str) -> Result<NetworkId, IdError> {
    bare_id(text).parse()
}

fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Session {
    /// The session that the command line and the environment describe. Nothing is asked yet.
    ///
    /// # Errors
    /// There is no home to keep keys in.
    pub fn new(global: Global) -> Result<Self, Failure> {
        let home = match env("LODE_HOME") {
            Some(home) => PathBuf::from(home),
            None => match env("HOME").or_else(|| env("USERPROFILE")) {
                Some(home) => Path::new(&home).join(".lode"),
                None => {
                    let message = "neither LODE_HOME nor HOME says where keys are kept";
                    let next = "set LODE_HOME to a folder of your own";
                    return Err(Failure::new("no_home", message, next).exit(Exit::Usage));
                }
            },
        };
        Ok(Self {
            global,
            home,
            client: OnceCell::new(),
            signer: OnceCell::new(),
            is_daemon: Cell::new(false),
        })
    }

    /// From here on this works as a daemon: it says nothing of what it settles of other commands.
    pub fn become_daemon(&self) {
        self.is_daemon.set(true);
    }

    /// The folder of keys, seals and the outbox.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Whether results and errors are JSON.
    pub fn json(&self) -> bool {
        self.global.json
    }

    /// The node's address.
    pub fn node_url(&self) -> String {
        let given = self.global.node.clone().or_else(|| env("LODE_NODE"));
        given.unwrap_or_else(|| NODE_URL.to_owned())
    }

    /// The node, once it was seen to be one that this version can talk to.
    ///
    /// # Errors
    /// It cannot be reached, is no Lode node, or speaks another version.
    pub fn client(&self) -> Result<&Client, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let options = client::Options {
            timeout: ANSWER_TIMEOUT,
            upload_secret: outbox::upload_secret(&self.home),
            ..client::Options::default()
        };
        let client = Client::telling_waits(&self.node_url(), options, tell_wait)?;
        client.check_compatible()?;
        if let Some(wanted) = self.network()? {
            let status = client.status()?;
            if status.network != wanted {
                let message = format!(
                    "the node at {} is of the network '{}', {}, and not of {wanted}: nothing was signed",
                    self.node_url(),
                    status.name,
                    status.network
                );
                let next =
                    "name a node of that network with --node, or the other network with --network";
                return Err(Failure::new("other_network", message, next).exit(Exit::Key));
            }
        }
        if let Ok(Some(skew_ms)) = client.clock_skew_ms()
            && skew_ms.unsigned_abs() > 60_000
        {
            talk!(
                "note: this machine's clock and the node's differ by {} seconds; deadlines go by the node's",
                skew_ms.unsigned_abs() / 1_000
            );
        }
        Ok(self.client.get_or_init(|| client))
    }

    /// The network that is meant, if one is named.
    ///
    /// # Errors
    /// The environment's is no id.
    pub fn network(&self) -> Result<Option<NetworkId>, Failure> {
        if self.global.network.is_some() {
            return Ok(self.global.network);
        }
        let Some(text) = env("LODE_NETWORK") else {
            return Ok(None);
        };
        network(&text).map(Some).map_err(|error| {
            let message = format_args!("LODE_NETWORK: {error}");
            let next = "give the 43 characters of the network's id, or leave it empty";
            Failure::new("usage", message, next).exit(Exit::Usage)
        })
    }

    /// Where a key of this name is kept.
    pub fn key_path(&self, name: &str) -> PathBuf {
        self.home.join("keys").join(format!("{name}.age"))
    }

    /// The name of the key that signs, if it goes by name.
    pub fn key_name(&self) -> String {
        let given = self.global.key.clone().or_else(|| env("LODE_KEY"));
        given.unwrap_or_else(|| "default".to_owned())
    }

    /// Who signs.
    ///
    /// # Errors
    /// The description makes no sense, or two are given.
    pub fn signer_spec(&self) -> Result<SignerSpec, Failure> {
        let given = match (&self.global.signer, &self.global.key) {
            (Some(_), Some(_)) => {
                let next = "name the key with --key, or say who signs with --signer";
                let message = "--key and --signer both say who signs";
                return Err(Failure::new("two_signers", message, next).exit(Exit::Usage));
            }
            (Some(spec), None) => Some(spec.clone()),
            // What the command line says counts before the environment.
            (None, Some(_)) => None,
            (None, None) => env("LODE_SIGNER"),
        };
        match given {
            Some(spec) => Ok(spec.parse::<SignerSpec>()?),
            None => {
                let name = self.key_name();
                crate::key::check_name(&name)?;
                Ok(SignerSpec::File(self.key_path(&name)))
            }
        }
    }

    /// Where the passphrase comes from.
    ///
    /// # Errors
    /// The description makes no sense.
    pub fn passphrase_source(&self) -> Result<PassphraseSource, Failure> {
        if let Some(source) = &self.global.passphrase {
            return Ok(source.parse::<PassphraseSource>()?);
        }
        Ok(match env("LODE_PASSPHRASE_FILE") {
            Some(path) => PassphraseSource::File(path.into()),
            None => PassphraseSource::Prompt,
        })
    }

    /// Whose key signs, without unlocking it.
    ///
    /// # Errors
    /// There is no such key.
    pub fn address(&self) -> Result<Address, Failure> {
        let spec = self.signer_spec()?;
        match &spec {
            // Its public half may be here alone: that is enough for what is only tried.
            SignerSpec::File(path) if !wallet::key_file::public_path(path).exists() => {
                self.check_key(path)?;
            }
            _ => {}
        }
        Ok(spec.public()?.address())
    }

    /// The names of the keys in the home, sorted.
    pub fn key_names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.home.join("keys"));
        let names = entries.into_iter().flatten().filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            name.strip_suffix(".age").map(str::to_owned)
        });
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// That a key file is there.
    ///
    /// # Errors
    /// It is not: code `no_key`.
    pub fn check_key(&self, path: &Path) -> Result<(), Failure> {
        if path.exists() {
            return Ok(());
        }
        let is_named = path.parent() == Some(&self.home.join("keys"));
        let name = path.file_stem().filter(|_| is_named);
        let what = match name {
            Some(name) => format!("there is no key '{}'", name.to_string_lossy()),
            None => format!("there is no key file {}", path.display()),
        };
        let next = key_advice(&self.key_names());
        Err(Failure::new("no_key", what, next).exit(Exit::Key))
    }

    /// The key, unlocked: once, however often a command signs, since a passphrase can be read once.
    ///
    /// # Errors
    /// There is no such key, or the passphrase is wrong.
    pub fn signer(&self) -> Result<Rc<dyn Signer>, Failure> {
        if let Some(signer) = self.signer.get() {
            return Ok(Rc::clone(signer));
        }
        let source = self.passphrase_source()?;
        if let Some(note) = source.weak_permissions() {
            talk!("note: {note}");
        }
        let spec = self.signer_spec()?;
        if let SignerSpec::File(path) = &spec {
            self.check_key(path)?;
        }
        let signer = Rc::from(spec.open(&source)?);
        Ok(Rc::clone(self.signer.get_or_init(|| signer)))
    }

    /// Does what an action says, after a trial; with `--dry-run` only tries.
    /// `warning` is what a person has to agree to, if it cannot be undone.
    ///
    /// # Errors
    /// A rule would reject it or did, nobody agreed, there is no key, or the node
    /// cannot be asked.
    pub fn act(&self, action: &Action, warning: Option<&str>) -> Result<Acted, Failure> {
        self.act_if(action, warning, || Ok(()))
    }

    /// The same, where `check` says whether it is still to be done once it is this
    /// command's turn: another one of the same account may have done it meanwhile.
    ///
    /// # Errors
    /// As [`Session::act`], or what `check` says.
    pub fn act_if(
        &self,
        action: &Action,
        warning: Option<&str>,
        check: impl Fn() -> Result<(), Failure>,
    ) -> Result<Acted, Failure> {
        let address = self.address()?;
        if !self.global.dry_run {
            let outbox = self.outbox(address)?;
            let _turn = turn(&outbox)?;
            if let Some(view) = self.done_before(&outbox, address, action)? {
                return Ok(Acted::Done(view));
            }
        }
        let trial = self.try_as(address, action)?;
        if self.global.dry_run {
            return Ok(Acted::Tried(Box::new(trial)));
        }
        if let Some(warning) = warning {
            self.confirm(&format!("{warning} {} pays.", self.payer(address)))?;
        }
        let signer = self.signer()?;
        let view = self.send_if(&*signer, action, |_| check())?;
        Ok(Acted::Done(Box::new(view)))
    }

    /// What would come of an action of this account.
    ///
    /// # Errors
    /// A rule would reject it, or the node cannot be asked.
    pub fn try_as(&self, address: Address, action: &Action) -> Result<TrialAnswer, Failure> {
        let client = self.client()?;
        let prepared = Sender::new(client, address).prepare(action)?;
        let trial = client.trial(address, &prepared.draft)?;
        match &trial.problem {
            // Records of this account that wait come first; the node says the same.
            Some(problem) if problem.code != "nonce" => Err(problem.clone().into()),
            _ => Ok(trial),
        }
    }

    /// Signs an action and sends it until it is final, without a trial: for a
    /// daemon that knows what it does.
    ///
    /// # Errors
    /// A rule rejected it, it was not signed, or its outcome is open.
    pub fn send(&self, signer: &dyn Signer, action: &Action) -> Result<RecordView, Failure> {
        self.send_if(signer, action, |_| Ok(()))
    }

    /// The same, where `check` may refuse to sign under a nonce that the action
    /// does not fit.
    ///
    /// # Errors
    /// As [`Session::send`], or what `check` says.
    pub fn send_if(
        &self,
        signer: &dyn Signer,
        action: &Action,
        check: impl Fn(u64) -> Result<(), Failure>,
    ) -> Result<RecordView, Failure> {
        let address = signer.address();
        let outbox = self.outbox(address)?;
        let _turn = turn(&outbox)?;
        match self.done_before(&outbox, address, action) {
            Ok(Some(view)) => return Ok(*view),
            Ok(None) => {}
            Err(failure) if is_reveal(action) && failure.code == "io" => {
                talk!("note: what an earlier command left open is not settled: {failure}");
            }
            Err(failure) => return Err(failure),
        }
        let mut sender = Sender::new(self.client()?, address);
        let sent = sender.send(action, |draft| {
            let nonce = draft.tags.iter().find(|tag| tag.name == "Nonce");
            let nonce = nonce.and_then(|tag| tag.value.parse().ok()).unwrap_or(0);
            check(nonce)?;
            let item = signer.sign(draft).map_err(Failure::from)?;
            match keep(&outbox, item.bytes()) {
                // A bond hangs on it, and it is done once however often it is sent.
                Err(failure) if is_reveal(action) => {
                    talk!("note: the record could not be kept before it is sent: {failure}");
                }
                kept => kept?,
            }
            Ok::<_, Failure>(item)
        });
        let view = match sent {
            Ok(view) => view,
            Err(error) => {
                // What is known not to be on the log need not be taken up again.
                if sender.outstanding().is_none() {
                    forget(&outbox)?;
                }
                return Err(match error {
                    SendError::Sign(failure) => failure,
                    SendError::Client(error) => error.into(),
                    error => Failure::bug(error),
                });
            }
        };
        forget(&outbox)?;
        match view.problem {
            Some(problem) => Err(problem.into()),
            None => Ok(view),
        }
    }

    /// Where the account's open record on the node's network is kept.
    fn outbox(&self, address: Address) -> Result<PathBuf, Failure> {
        let network = self.client()?.status()?.network;
        let name = format!("{address}@{network}.item");
        Ok(self.home.join("outbox").join(name))
    }

    /// Whose money it is, for a person who is asked.
    pub fn payer(&self, address: Address) -> String {
        match self.signer_spec() {
            Ok(SignerSpec::File(path)) if path == self.key_path(&self.key_name()) => {
                format!("The key '{}', {address},", self.key_name())
            }
            _ => address.to_string(),
        }
    }

    /// Asks a person to agree to what cannot be undone.
    ///
    /// # Errors
    /// They do not, or there is nobody to ask.
    pub fn confirm(&self, warning: &str) -> Result<(), Failure> {
        if self.global.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            let next = "add --yes if that is what you want, or --dry-run to see what it does";
            let message = format_args!("this needs your word: {warning}");
            return Err(Failure::new("confirmation", message, next).exit(Exit::Usage));
        }
        let mut stderr = std::io::stderr();
        let _ = write!(stderr, "{warning}\nGo on? [y/N] ");
        let _ = stderr.flush();
        let mut answer = String::new();
        std::io::stdin()
            .read_line(&mut answer)
            .map_err(|error| Failure::io(Path::new("stdin"), &error))?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(Failure::new(
            "not_confirmed",
            "nothing was done",
            "answer y if you want it done",
        ))
    }

    /// Prints what acting came to: JSON of the record or the trial, or `text` and
    /// the movements of money.
    ///
    /// # Errors
    /// stdout cannot be written; what was done is done, and the error says so.
    pub fn report(&self, acted: &Acted, text: &str) -> Result<(), Failure> {
        let shown = self.show(acted, text);
        let (Err(failure), Acted::Done(view)) = (&shown, acted) else {
            return shown;
        };
        let is_left = self.leave_open(view.id);
        let message = format_args!(
            "it is done, as record {}, and could not be shown: {}",
            view.id, failure.message
        );
        let next = match is_left {
            true => {
                "the same command again shows it and sends nothing; so does 'lode account explain'"
            }
            false => "do not run it again: it is done. 'lode account explain' shows it",
        };
        Err(Failure::new("not_shown", message, next))
    }

    fn show(&self, acted: &Acted, text: &str) -> Result<(), Failure> {
        if self.json() {
            return match acted {
                Acted::Done(view) => out::json("record", view),
                Acted::Tried(trial) => out::json("trial", trial),
            };
        }
        match acted {
            Acted::Done(view) => {
                out::line(text)?;
                out::moves(view.receipt.as_ref())?;
                out::line(&format!(
                    "record {} in block {}",
                    view.id,
                    view.height.unwrap_or_default()
                ))
            }
            Acted::Tried(trial) => {
                out::line("dry run: nothing was signed or sent. It would do this:")?;
                out::moves(trial.receipt.as_ref())?;
                out::line(&format!(
                    "the record would have {} bytes, for {} LODE",
                    trial.size_bytes,
                    trial.byte_fee.to_lode_string()
                ))
            }
        }
    }
}

/// Whether an action shows what was committed to.
const fn is_reveal(action: &Action) -> bool {
    matches!(
        action,
        Action::RevealTestSet { .. }
            | Action::RevealSubmission { .. }
            | Action::RevealAttestations { .. }
    )
}

/// The byte fee of a record that is not tried: one to come, or one that a trial did not get to.
pub fn byte_fee(status: &Status, signer: Address, nonce: u64, action: &Action) -> Option<Amount> {
    let envelope = Envelope {
        network: status.network,
        nonce,
        valid_until_ms: status.time_ms,
    };
    let tx = Transaction::of_draft(signer, &Transaction::draft(&envelope, action)).ok()?;
    tx.byte_fee(status.parameters.fee_per_byte)
}

/// What another command of this account has registered while this one waited.
pub fn registered_meanwhile(id: ItemId) -> Failure {
    let message = format_args!("another command has just registered it as {id}: nothing was sent");
    let next = "nothing is left to do; 'show' tells what was registered";
    Failure::new("registered_already", message, next).exit(Exit::Rejected)
}

/// What to do without the key that was named.
fn key_advice(names: &[String]) -> String {
    match names {
        [] => "make one with 'lode key new', or name the $LODE_HOME that has yours".to_owned(),
        names => {
            let shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
            let more = if names.len() > shown.len() {
                ", …"
            } else {
                ""
            };
            format!(
                "name one of the keys here with --key ({}{more}), or make one with 'lode key new'",
                shown.join(", ")
            )
        }
    }
}

/// 32 bytes from the system.
///
/// # Errors
/// The system gives none.
pub fn entropy() -> Result<zeroize::Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| {
        Failure::new(
            "entropy",
            format_args!("the system gives no random bytes: {error}"),
            "try again; if it goes on, look at the system",
        )
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_names_the_keys_that_are_there() {
        assert!(key_advice(&[]).contains("lode key new"));
        let names = ["alice", "bob"].map(str::to_owned);
        assert!(key_advice(&names).contains("--key (alice, bob)"));
        let many: Vec<String> = (0..9).map(|count| format!("k{count}")).collect();
        assert!(key_advice(&many).contains("k7, …)"));
    }
}
