//! `lode submit` and `lode submission`: a miner's way from a folder to a reward.
//!
//! | module | what it does |
//! |---|---|
//! | `check` | the folder, read and run with the evaluator's own code |
//! | `known` | whether the weights are on the log already |
//! | `submit` | check, seal, keep, upload, commit: once, however often it is run |
//! | `reveal` | the key comes out when the phase begins |
//! | `show` | what became of a submission, and every movement of its money |

mod check;
mod known;
mod reveal;
mod show;
mod submit;

use std::path::PathBuf;

use protocol::api::SubmissionView;
use protocol::id::ItemId;

use crate::failure::{Exit, Failure};
use crate::session::{Session, ambiguous, bare_id};

pub use submit::submit;

/// What `lode submit` can be told.
#[derive(clap::Args)]
pub struct SubmitArgs {
    /// The bounty: its id, the beginning of it, or its title.
    pub bounty: String,
    /// The model folder: config.json and model.safetensors, see docs/model-folder.md.
    pub dir: PathBuf,
    /// Check the folder as an evaluator will, and end: nothing is sealed or sent. The first thing that
    /// is invalid is said with its code and place, as every evaluator will attest it.
    #[arg(long)]
    pub check: bool,
    /// A data-set folder to score the model on first, such as a validation split.
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// What people will call the model [default: the folder's name].
    #[arg(long)]
    pub name: Option<String>,
    /// An asset that this model was made from, besides those that the bounty requires: what one takes that the bounty
    /// does not name is paid from your shares. May be given many times.
    #[arg(long, value_name = "ID")]
    pub parent: Vec<String>,
    /// Submit although a model with these weights is on the log: it will be out as a copy.
    #[arg(long)]
    pub even_so: bool,
}

/// What `lode submission` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// List the submissions to a bounty, in the order of commitment.
    List {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
    },
    /// Show a submission: verdict, standing, and every movement of its money with its rule.
    Show {
        /// The submission: its id, the beginning of it (6 characters or more), or its model's name.
        id: String,
    },
    /// Reveal the key of a submission, or with --watch of each as soon as it may be.
    ///
    /// With --watch this waits for every bounty to which this home holds a
    /// seal of the account, reveals each submission as soon as the phase 'reveal' begins, and
    /// ends when nothing is left to reveal. It may be killed and started again at
    /// any moment. A submission that is not revealed in time is out, and its bond is lost.
    Reveal {
        /// The submission: its id, the beginning of it (6 characters or more), or its model's name;
        /// with --watch the bounties to watch [default: all].
        #[arg(required_unless_present = "watch")]
        ids: Vec<String>,
        /// Wait and reveal, until nothing is left to reveal.
        #[arg(long)]
        watch: bool,
    },
}

/// Runs `lode submission …`.
///
/// # Errors
/// The node cannot be asked, or refuses.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::List { bounty } => show::list(session, bounty),
        Command::Show { id: text } => show::show(session, id(session, text)?),
        Command::Reveal { ids, watch: true } => reveal::watch(session, ids),
        Command::Reveal { ids, watch: false } => {
            let ids = ids.iter().map(|text| id(session, text));
            reveal::reveal(session, &ids.collect::<Result<Vec<_>, _>>()?)
        }
    }
}

/// How many of the newest bounties are looked through for a submission.
const BOUNTIES_LOOKED_AT: usize = 200;

/// The submission that a text names: its id, the beginning of it, or its model's name, if one
/// of the newest bounties has it.
///
/// # Errors
/// There is none, or more than one.
pub fn id(session: &Session, text: &str) -> Result<ItemId, Failure> {
    if let Ok(id) = bare_id(text).parse() {
        return Ok(id);
    }
    let client = session.client()?;
    let mut found = Vec::new();
    for summary in client.bounties(None).take(BOUNTIES_LOOKED_AT) {
        let summary = summary?;
        if summary.submissions > 0 {
            found.extend(named(text, &client.bounty(summary.id)?.submissions));
        }
    }
    only(text, &found)
}

/// The same among the submissions of one bounty.
///
/// # Errors
/// There is none, or more than one.
pub fn id_within(text: &str, submissions: &[SubmissionView]) -> Result<ItemId, Failure> {
    match bare_id(text).parse() {
        Ok(id) => Ok(id),
        Err(_) => only(text, &named(text, submissions)),
    }
}

fn named(text: &str, submissions: &[SubmissionView]) -> Vec<ItemId> {
    let text = bare_id(text);
    let is_it = |one: &&SubmissionView| is_named(text, one.id, one.name.as_str());
    submissions.iter().filter(is_it).map(|one| one.id).collect()
}

fn is_named(text: &str, id: ItemId, name: &str) -> bool {
    name == text || (text.len() >= 6 && id.to_string().starts_with(text))
}

fn only(text: &str, found: &[ItemId]) -> Result<ItemId, Failure> {
    match found {
        [id] => Ok(*id),
        [] => {
            let next = "look at 'lode submission list BOUNTY' for ids, and give one or its first 6 characters";
            let message = format_args!("there is no submission '{text:.60}'");
            Err(Failure::new("unknown_submission", message, next).exit(Exit::NotFound))
        }
        many => Err(ambiguous(text, many)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_submission_is_named_by_its_models_name_or_the_beginning_of_its_id() {
        let id = ItemId([7; 32]);
        let text = id.to_string();
        for (given, expected) in [
            (&text[..], true),
            (&text[..6], true),
            (&text[..5], false),
            ("My model", true),
            ("My", false),
        ] {
            assert_eq!(is_named(given, id, "My model"), expected, "{given}");
        }
    }

    #[test]
    fn a_text_that_names_many_is_refused_with_their_ids() {
        let (one, other) = (ItemId([1; 32]), ItemId([2; 32]));
        assert_eq!(only("a", &[one]).unwrap(), one);
        assert_eq!(only("a", &[]).unwrap_err().code, "unknown_submission");
        let many = only("a", &[one, other]).unwrap_err();
        assert_eq!(many.code, "ambiguous");
        assert!(many.message.contains(&other.to_string()));
    }
}
