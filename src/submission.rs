//! `lode submit` and `lode submission`: a miner's way from a folder to a reward.
//!
//! | module | what it does |
//! |---|---|
//! | `check` | the folder, read and run with the evaluator's own code |
//! | `submit` | check, seal, keep, upload, commit: once, however often it is run |
//! | `reveal` | the key comes out when the phase begins |
//! | `show` | what became of a submission, and every movement of its money |

mod check;
mod reveal;
mod show;
mod submit;

use std::path::PathBuf;

use protocol::id::ItemId;

use crate::failure::{Exit, Failure};
use crate::session::{Session, bare_id};

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
    /// A parent of the bounty's optional ones that this model was made from; may be given many times.
    #[arg(long, value_name = "ID")]
    pub parent: Vec<String>,
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
        /// Its id.
        id: String,
    },
    /// Reveal the key of a submission, or with --watch of each as soon as it may be.
    ///
    /// With --watch this waits for every bounty to which this home holds a
    /// seal of the account, reveals each submission as soon as the phase 'reveal' begins, and
    /// ends when nothing is left to reveal. It may be killed and started again at
    /// any moment. A submission that is not revealed in time is out, and its bond is lost.
    Reveal {
        /// The submission's id; with --watch the bounties to watch [default: all].
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
        Command::Show { id: text } => show::show(session, id(text)?),
        Command::Reveal { ids, watch: true } => reveal::watch(session, ids),
        Command::Reveal { ids, watch: false } => {
            for text in ids {
                reveal::reveal(session, id(text)?)?;
            }
            Ok(())
        }
    }
}

/// A submission's id from the command line.
///
/// # Errors
/// It is none.
pub fn id(text: &str) -> Result<ItemId, Failure> {
    bare_id(text).parse().map_err(|error| {
        let next = "give all 43 characters, as 'lode submission list BOUNTY' shows them";
        Failure::new("submission_id", format_args!("'{text:.60}': {error}"), next).exit(Exit::Usage)
    })
}
