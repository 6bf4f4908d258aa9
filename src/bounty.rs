//! `lode bounty`: what a sponsor does, from the file to the last unit.
//!
//! | module | what it does |
//! |---|---|
//! | [`plan`], [`values`] | the bounty's file, read with every fault named |
//! | [`template`] | `init`: such a file, every field explained |
//! | [`check`], [`parents`], [`cost`] | everything that the ledger would refuse |
//! | [`exposure`] | a test set that miners can look into |
//! | [`offer`] | what a posting binds its sponsor to, in sentences |
//! | [`pace`] | how many models are scored in time |
//! | [`reach`] | what no model can reach, and what every one does |
//! | [`post`] | seals the test set, posts the bounty |
//! | [`show`] | `list` and `show` |
//! | [`watch`] | follows it live; reveals the test key when its time has come |
//! | [`explain`] | every unit that moved, and the sums |

mod check;
mod cost;
mod explain;
mod exposure;
mod offer;
mod pace;
mod parents;
mod plan;
mod post;
mod reach;
mod show;
mod template;
mod values;
mod watch;

use std::path::PathBuf;

use client::PhaseFilter;
use protocol::receipt::{Phase, VoidReason};
use protocol::record::{Action, BackBounty};

use crate::amount::amount;
use crate::failure::{Exit, Failure};
use crate::session::Session;

pub use pace::{scored_in, scored_text};
pub use post::path as pending_path;
pub use values::{duration_text, shares};

/// What `lode bounty` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Write a bounty's file, with every field explained.
    Init {
        /// The file to write.
        file: PathBuf,
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        fill: template::Fill,
    },
    /// Say everything that keeps a bounty from being posted, all at once.
    Check {
        /// The bounty's file.
        file: PathBuf,
        /// Take a test set that is public, or in use, for what it is: say so, and do not refuse.
        #[arg(long)]
        even_so: bool,
    },
    /// Show what it costs, seal the test set and post the bounty. An interrupted posting is just started again.
    Post {
        /// The bounty's file.
        file: PathBuf,
        #[command(flatten)]
        knowing: post::Knowing,
    },
    /// Add to a bounty's reward, for a part of the winner's royalty shares.
    Back {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
        /// How many LODE, as 12 or 0.5.
        #[arg(allow_negative_numbers = true)]
        amount: String,
    },
    /// Take a bounty back, before the first submission.
    Cancel {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
    },
    /// List bounties, newest first.
    List {
        /// Only those in this phase: open, test_key, test_check, reveal, score, score_reveal, challenge, settled, void.
        #[arg(long)]
        phase: Option<String>,
    },
    /// Show a bounty: where it is, who does what next, money, submissions, terms.
    Show {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
    },
    /// Follow a bounty until it ends.
    Watch {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
        /// Reveal the test set's key by itself as soon as its time has come.
        #[arg(long)]
        reveal: bool,
        /// Begin with everything that has happened so far.
        #[arg(long)]
        all: bool,
    },
    /// Reveal the key of a bounty's test set, once submissions are closed.
    Reveal {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
    },
    /// Account for every unit that went into a bounty and out of it.
    Explain {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
        /// Only what this account put in and got: an address or the name of a key here.
        #[arg(long)]
        account: Option<String>,
    },
}

/// Runs `lode bounty …`.
///
/// # Errors
/// The file makes no sense, a rule refuses, or the node cannot be asked.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Init { file, force, fill } => template::run(session, file, *force, fill),
        Command::Check { file, even_so } => check::run(session, file, *even_so),
        Command::Post { file, knowing } => post::run(session, file, knowing),
        Command::Back {
            bounty,
            amount: text,
        } => back(session, bounty, text),
        Command::Cancel { bounty } => cancel(session, bounty),
        Command::List { phase } => show::list(session, phase.as_deref()),
        Command::Show { bounty } => show::show(session, bounty),
        Command::Watch {
            bounty,
            reveal,
            all,
        } => watch::watch(session, bounty, *reveal, *all),
        Command::Reveal { bounty } => watch::reveal(session, bounty),
        Command::Explain { bounty, account } => explain::run(session, bounty, account.as_deref()),
    }
}

fn back(session: &Session, bounty: &str, text: &str) -> Result<(), Failure> {
    let amount = amount(text)?;
    let id = session.bounty_id(bounty)?;
    let view = session.client()?.bounty(id)?;
    let action = Action::BackBounty {
        bounty: id,
        body: BackBounty { amount },
    };
    let warning = format!(
        "Add {} LODE to the reward of '{}'. It cannot be taken back: it goes to the winner, for {} % of \
         the royalty shares divided among all backers, and returns only if nobody wins. The sponsor knows \
         the test set and could take part.",
        amount.to_lode_string(),
        view.summary.title,
        f64::from(view.posting.split.backers) / 10_000.0,
    );
    if session
        .client()?
        .account(session.address()?)?
        .evaluator
        .is_some()
    {
        talk!(
            "note: this account is an evaluator; with a stake in this bounty it does not sit in its panels"
        );
    }
    let acted = session.act(&action, Some(&warning))?;
    session.report(&acted, &format!("backed {}", view.summary.title))
}

fn cancel(session: &Session, bounty: &str) -> Result<(), Failure> {
    let id = session.bounty_id(bounty)?;
    let view = session.client()?.bounty(id)?;
    let warning = format!(
        "Cancel '{}' for good. Reward, bond and stakes return to who put them up.",
        view.summary.title
    );
    let acted = session.act(&Action::CancelBounty { bounty: id }, Some(&warning))?;
    session.report(&acted, &format!("cancelled {}", view.summary.title))
}

const FILTERS: [PhaseFilter; 9] = [
    PhaseFilter::Open,
    PhaseFilter::TestKey,
    PhaseFilter::TestCheck,
    PhaseFilter::Reveal,
    PhaseFilter::Score,
    PhaseFilter::ScoreReveal,
    PhaseFilter::Challenge,
    PhaseFilter::Settled,
    PhaseFilter::Void,
];

fn phase_filter(text: &str) -> Result<PhaseFilter, Failure> {
    let found = FILTERS.into_iter().find(|filter| filter.name() == text);
    found.ok_or_else(|| {
        let names = FILTERS.map(PhaseFilter::name).join(", ");
        let message = format_args!("'{text:.40}' is no phase");
        Failure::new("phase", message, format!("choose one of {names}")).exit(Exit::Usage)
    })
}

/// A phase in few words.
fn phase_text(phase: &Phase) -> String {
    match phase {
        Phase::Void(reason) => format!("void: {}", void_text(*reason)),
        other => other.name().replace('_', " "),
    }
}

fn void_text(reason: VoidReason) -> &'static str {
    match reason {
        VoidReason::Cancelled => "the sponsor cancelled it",
        VoidReason::NoSubmissions => "nobody submitted",
        VoidReason::KeyLeaked => "the test key was out too early, by the sponsor's fault",
        VoidReason::KeyWithheld => "the sponsor did not reveal the test key",
        VoidReason::BadTestSet => "the test set does not open or is not sound",
        VoidReason::NoQuorum => {
            "too few evaluators were free, answered or agreed, by nobody's fault"
        }
    }
}

/// Whether a bounty is over.
pub fn has_ended(phase: &Phase) -> bool {
    matches!(phase, Phase::Settled | Phase::Void(_))
}

/// Who does what in a phase, for the sponsor to read.
fn next_text(phase: &Phase, key_is_out: bool) -> &'static str {
    match phase {
        Phase::Open => {
            "miners commit sealed models; in the first half others may add to the reward"
        }
        Phase::TestKey if key_is_out => "the key is out; the committee checks the test set next",
        Phase::TestKey => "the sponsor reveals the test key, or loses the bond",
        Phase::TestCheck => "evaluators check that the test set opens and is sound",
        Phase::Reveal => "miners reveal the keys of their models",
        Phase::Score => "evaluators score the models and commit to what they found",
        Phase::ScoreReveal => "evaluators show what they found",
        Phase::Challenge => "what was found stands open; then all is paid or returned",
        Phase::Settled => "nothing: it is paid out",
        Phase::Void(_) => "nothing: it has ended without a ranking",
    }
}
