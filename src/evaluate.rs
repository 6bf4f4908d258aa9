//! `lode evaluate`: stake, take seats, score, and be paid for it.
//!
//! | module | what it does |
//! |---|---|
//! | `duty` | what a seat owes now; pure |
//! | `desk` | what of a seat's work is on the disk, and in which order it gets there |
//! | `seat` | the work itself: check, score, commit, reveal |
//! | `daemon` | all seats of this account, for as long as the process lives |
//! | `leaf` | one prediction of anyone, recomputed |

mod daemon;
mod desk;
mod duty;
mod leaf;
mod seat;

pub use seat::test_text;

use protocol::receipt::Rule;
use protocol::record::{Action, JoinEvaluators, RECORD_BYTES_MAX};

use crate::amount::amount;
use crate::boxed::RunOptions;
use crate::failure::Failure;
use crate::session::{Acted, Session};

/// What `lode evaluate` can do.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Put up a stake and join the evaluators, or add to a stake. It takes a notice back.
    ///
    /// Seats are drawn by free stake, and each locks half of what its bounty pays. A
    /// seat that stays silent loses 1 % of that, one that commits and does not reveal
    /// loses 10 % (the network's parameters say how much). Keep 'lode evaluate run'
    /// running from the moment you join.
    Join {
        /// How many LODE, as 1000.
        stake: String,
    },
    /// Leave the evaluators: give notice, and after it take back what no seat has locked.
    ///
    /// Who has given notice gets no new seat, but one: who checked a test set can be drawn to
    /// score what is revealed for it. 'lode evaluate join' with some more stake takes the notice
    /// back.
    Leave,
    /// Do what the seats of this account owe, for as long as this runs.
    ///
    /// It may be stopped, killed and started again at any moment: what it
    /// commits to is on the disk before it is sent ($LODE_HOME/evaluator), so a
    /// restart goes on with the same batch and scores nothing twice. Keep that
    /// folder: without it a commitment cannot be revealed. Run it once for each
    /// account, on one machine only.
    Run {
        #[command(flatten)]
        options: RunOptions,
        /// Do what is owed now, and end.
        #[arg(long)]
        once: bool,
    },
    /// Do what the seat in one bounty owes now, and end.
    Once {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
        #[command(flatten)]
        options: RunOptions,
    },
    /// Recompute one prediction, and hold it against what each evaluator published.
    Reproduce {
        /// The bounty: its id, the beginning of it, or its title.
        bounty: String,
        /// The submission: its id, the beginning of it (6 characters or more), or its model's name.
        submission: String,
        /// The example of the test set, counted from 0.
        example: u32,
        #[command(flatten)]
        options: RunOptions,
    },
}

/// Runs `lode evaluate …`.
///
/// # Errors
/// The node cannot be asked, or refuses; a machine's fault kept the work from being done.
pub fn run(command: &Command, session: &Session) -> Result<(), Failure> {
    match command {
        Command::Join { stake } => {
            let stake = amount(stake)?;
            let body = JoinEvaluators { stake };
            let warning = format!(
                "Put up {} LODE. Seats are drawn by it, and who has one has to work: run \
                 'lode evaluate run'.",
                stake.to_lode_string()
            );
            let acted = session.act(&Action::JoinEvaluators { body }, Some(&warning))?;
            session.report(&acted, &joined(session, &acted)?)
        }
        Command::Leave => {
            let client = session.client()?;
            let notice_ms = client.status()?.parameters.unstake_ms;
            let warning = format!(
                "Leave the evaluators. The first time gives notice of {}: no new seat is drawn for this account, but \
                 who checked a test set can be drawn to score for it. When the notice is over, the same command takes \
                 back what no seat has locked.",
                crate::bounty::duration_text(notice_ms)
            );
            let acted = session.act(&Action::LeaveEvaluators, Some(&warning))?;
            session.report(&acted, &left(session, &acted)?)?;
            match acted {
                Acted::Tried(_) if !session.json() => crate::out::line(&warning),
                _ => Ok(()),
            }
        }
        Command::Run { options, once } => daemon::run(session, *options, *once),
        Command::Once { bounty, options } => daemon::once(session, *options, bounty),
        Command::Reproduce {
            bounty,
            submission,
            example,
            options,
        } => leaf::reproduce(session, bounty, submission, *example, *options),
    }
}

/// What has come back, and what is still to come.
fn left(session: &Session, acted: &Acted) -> Result<String, Failure> {
    let account = session.client()?.account(session.address()?)?;
    let (Acted::Done(record), Some(evaluator)) = (acted, account.evaluator) else {
        return Ok("left; the stake is back".to_owned());
    };
    let seats = match evaluator.seats {
        0 => String::new(),
        seats => format!(
            "; {} LODE are locked by seats at work ({seats}): let 'lode evaluate run' do their work; they stay locked \
             until the bounties that they are in have ended",
            evaluator.locked.to_lode_string()
        ),
    };
    let mut moves = record.receipt.iter().flat_map(|receipt| &receipt.moves);
    if moves.any(|step| step.rule == Rule::Unstake) {
        return Ok(format!("what was free is back{seats}. Then leave again"));
    }
    let until_ms = evaluator.leaves_ms.unwrap_or_default();
    Ok(format!(
        "notice given: no new seat is drawn for this account, but who checked a test set can be drawn to score for it. \
         Leave again from {} on to take back what is free then, now {} LODE{seats}",
        crate::out::time(until_ms),
        evaluator.stake.to_lode_string(),
    ))
}

/// What is at stake now: another stake adds to the one before.
fn joined(session: &Session, acted: &Acted) -> Result<String, Failure> {
    let account = session.client()?.account(session.address()?)?;
    let at_stake = match (acted, account.evaluator) {
        (Acted::Done(_), Some(evaluator)) => evaluator.stake.to_lode_string(),
        _ => return Ok("joined".to_owned()),
    };
    let parameters = session.client()?.status()?.parameters;
    let largest = parameters
        .fee_per_byte
        .checked_mul(RECORD_BYTES_MAX as u128);
    if largest.is_some_and(|largest| account.balance < largest) {
        talk!(
            "note: {} LODE are left for byte fees; a seat's records take up to {} LODE in a large bounty, and a seat \
             whose account cannot pay for them loses stake",
            account.balance.to_lode_string(),
            largest.unwrap_or_default().to_lode_string()
        );
    }
    Ok(format!(
        "joined: {at_stake} LODE at stake. Next: lode evaluate run"
    ))
}
