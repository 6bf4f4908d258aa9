//! `lode key`: keys at rest. The words are shown once, on the terminal.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use protocol::Address;
use protocol::keys::PublicKey;
use serde::Serialize;
use wallet::key_file::{self, WORK_FACTOR_DEMO, WriteOptions};
use wallet::{Passphrase, RecoveryWords};

use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::Session;

/// The longest line of words that is read.
const WORDS_LINE_BYTES_MAX: u64 = 1_024;

/// A passphrase with fewer characters is soon guessed by who has the file.
const PASSPHRASE_CHARS_ADVISED: usize = 8;

/// What `lode key` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a key, encrypted under a passphrase, and show its recovery words once, on a terminal.
    New {
        /// What to call it [default: that of --key, or 'default'].
        name: Option<String>,
        /// Encrypt cheaply: for tests and demonstrations, never for money.
        #[arg(long)]
        low_work_factor: bool,
        /// Do not show the recovery words; 'lode key export' does so later.
        #[arg(long)]
        hide_words: bool,
    },
    /// Show the address of a key, or of every key here.
    Show {
        /// Which [default: all of them].
        name: Option<String>,
    },
    /// Make a key file again from its recovery words.
    ///
    /// The 24 words are read from the terminal or, in one line, from stdin.
    Recover {
        /// What to call it [default: that of --key, or 'default'].
        name: Option<String>,
        /// Encrypt cheaply: for tests and demonstrations, never for money.
        #[arg(long)]
        low_work_factor: bool,
    },
    /// Show a key's recovery words. Whoever reads them has everything the key has.
    Export {
        /// Which [default: that of --key, or 'default'].
        name: Option<String>,
    },
}

/// A key, as JSON shows it.
#[derive(Serialize)]
struct KeyView {
    name: String,
    address: protocol::Address,
    public: String,
    file: String,
}

/// Writes the words to the terminal from the memory that is wiped: no copy of them is made.
fn show_words(words: &RecoveryWords) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    let phrase = words.phrase();
    let written = stderr
        .write_all(phrase.as_bytes())
        .and_then(|()| stderr.write_all(b"\n\n"));
    written.map_err(|error| {
        let message = format_args!("the recovery words could not be shown: {error}");
        Failure::new(
            "words_unshown",
            message,
            "the key is there; 'lode key export' shows them",
        )
    })
}

/// Runs `lode key …`.
///
/// # Errors
/// The key is not there, is there already, or does not open.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    let named = |name: &Option<String>| name.clone().unwrap_or_else(|| session.key_name());
    match command {
        Command::New {
            name,
            low_work_factor,
            hide_words,
        } => {
            let words = RecoveryWords::generate()?;
            let view = write(session, named(name), &words, *low_work_factor)?;
            let shown = show_one(session, &view);
            let is_terminal = std::io::stderr().is_terminal();
            if !*hide_words && !session.json() && is_terminal {
                talk!(
                    "Write these 24 words on paper, in order. They are the key: whoever has them has \
                     everything it has, and without them a lost file is lost for ever.\n"
                );
                show_words(&words)?;
            } else if !*hide_words {
                let where_not = match is_terminal {
                    true => "with --json",
                    false => "where a file may keep them",
                };
                talk!(
                    "note: the recovery words are not shown {where_not}; 'lode key export' shows them: \
                     write them on paper"
                );
            }
            shown.map_err(|failure| {
                let message = format_args!(
                    "the key is made, and could not be shown: {}",
                    failure.message
                );
                let next = "'lode key show' shows it, 'lode key export' its words";
                Failure::new("not_shown", message, next)
            })
        }
        Command::Recover {
            name,
            low_work_factor,
        } => {
            let words = read_words()?;
            let view = write(session, named(name), &words, *low_work_factor)?;
            show_one(session, &view)
        }
        Command::Export { name } => export(session, &named(name)),
        Command::Show { name: Some(name) } => {
            let view = view(session, name)?;
            show_one(session, &view)
        }
        Command::Show { name: None } => show_all(session),
    }
}

/// That a name is one that a key may have: it is a part of a path.
///
/// # Errors
/// It is not.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(plain) {
        return Ok(());
    }
    let message = "a key's name is made of 1 to 64 letters, digits, '-' and '_'";
    Err(Failure::new("key_name", message, "choose such a name").exit(Exit::Usage))
}

/// The same of a key that is made: where an account is meant, an address counts before a name.
fn check_new_name(name: &str) -> Result<(), Failure> {
    if name.parse::<Address>().is_ok() {
        let message = "this name is an account's address, and would be taken for that account";
        return Err(Failure::new("key_name", message, "choose a shorter name").exit(Exit::Usage));
    }
    check_name(name)
}

fn write(
    session: &Session,
    name: String,
    words: &RecoveryWords,
    low_work_factor: bool,
) -> Result<KeyView, Failure> {
    check_new_name(&name)?;
    let path = session.key_path(&name);
    if let Some(dir) = path.parent() {
        crate::session::private_dir(dir)?;
    }
    if path.exists() {
        let message = format_args!("there is a key '{name}' already, at {}", path.display());
        let next = "choose another name; keys are never overwritten";
        return Err(Failure::new("key_exists", message, next).exit(Exit::Usage));
    }
    let passphrase: Passphrase = session
        .passphrase_source()?
        .read_new(&format!("the key '{name}'"))?;
    if !low_work_factor && passphrase.chars() < PASSPHRASE_CHARS_ADVISED {
        talk!(
            "note: this passphrase is short. Whoever gets the file can try many: \
             {PASSPHRASE_CHARS_ADVISED} characters or more, better a few words, keep it safe"
        );
    }
    let options = WriteOptions {
        work_factor: low_work_factor.then_some(WORK_FACTOR_DEMO),
        replace: false,
    };
    let public = key_file::write(&path, words, &passphrase, options)?;
    Ok(view_of(name, &path, &public))
}

fn view_of(name: String, path: &Path, public: &PublicKey) -> KeyView {
    KeyView {
        name,
        address: public.address(),
        public: public.to_string(),
        file: path.display().to_string(),
    }
}

fn view(session: &Session, name: &str) -> Result<KeyView, Failure> {
    check_name(name)?;
    let path = session.key_path(name);
    match key_file::read_public(&path) {
        Ok(public) => Ok(view_of(name.to_owned(), &path, &public)),
        // Only the file with the public half is missing: the key itself can give it.
        Err(_) if path.exists() => {
            let passphrase = session
                .passphrase_source()?
                .read(&format!("the key '{name}'"))?;
            let words = key_file::unlock(&path, &passphrase)?;
            let public = words.secret_key().public();
            key_file::write_public(&path, &public)?;
            Ok(view_of(name.to_owned(), &path, &public))
        }
        Err(error) => {
            session.check_key(&path)?;
            Err(error.into())
        }
    }
}

fn show_one(session: &Session, view: &KeyView) -> Result<(), Failure> {
    if session.json() {
        return out::json("key", view);
    }
    out::line(&format!("{}  {}", view.name, view.address))
}

fn show_all(session: &Session) -> Result<(), Failure> {
    let dir = session.home().join("keys");
    let mut names: Vec<String> = match std::fs::read_dir(&dir) {
        Ok(entries) => entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name().into_string().ok()?;
                name.strip_suffix(".age").map(str::to_owned)
            })
            .collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Failure::io(&dir, &error)),
    };
    names.sort();
    let views = names.iter().map(|name| view(session, name));
    let views: Vec<KeyView> = views.collect::<Result<_, _>>()?;
    if session.json() {
        return out::json("key.list", &views);
    }
    if views.is_empty() {
        talk!("no keys in {}\nnext: lode key new", dir.display());
        return Ok(());
    }
    let rows = views
        .into_iter()
        .map(|view| vec![view.name, view.address.to_string()]);
    out::line(&out::table(&["name", "address"], &[], rows.collect()).to_string())
}

fn export(session: &Session, name: &str) -> Result<(), Failure> {
    check_name(name)?;
    let path = session.key_path(name);
    session.check_key(&path)?;
    session.confirm(&format!(
        "This shows the recovery words of '{name}'. Whoever reads them has everything the key has."
    ))?;
    let passphrase = session
        .passphrase_source()?
        .read(&format!("the key '{name}'"))?;
    let words = key_file::unlock(&path, &passphrase)?;
    if session.json() {
        return out::json(
            "key.export",
            &serde_json::json!({ "name": name, "words": *words.phrase() }),
        );
    }
    let phrase = words.phrase();
    out::bytes(phrase.as_bytes())?;
    out::line("")
}

fn read_words() -> Result<RecoveryWords, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        talk!("The 24 recovery words, in one line:");
    }
    // With room from the start: a string that grows leaves copies behind.
    let mut line = zeroize::Zeroizing::new(String::with_capacity(WORDS_LINE_BYTES_MAX as usize));
    std::io::Read::take(stdin.lock(), WORDS_LINE_BYTES_MAX)
        .read_line(&mut line)
        .map_err(|error| Failure::io(Path::new("stdin"), &error))?;
    RecoveryWords::parse(line.trim()).map_err(|flaw| {
        let next = "check the words and their order against what you wrote down";
        Failure::new("recovery_words", flaw, next).exit(Exit::Key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_a_name_that_is_no_address() {
        let address = Address([5; 32]).to_string();
        assert!(check_name(&address).is_ok(), "one that is there is found");
        let failure = check_new_name(&address).unwrap_err();
        assert_eq!(failure.code, "key_name");
        for name in ["alice", "A-b_2", &"a".repeat(64)] {
            assert!(check_new_name(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "../a", "é", &"a".repeat(65)] {
            assert!(check_new_name(name).is_err(), "{name}");
        }
    }
}
