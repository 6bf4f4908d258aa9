//! `lode bounty list` and `lode bounty show`.

use protocol::api::{BountyView, CheckView, SeatView, SubmissionView};
use protocol::benchmark::Task;
use protocol::receipt::{Phase, Standing};
use protocol::record::Pay;
use protocol::report::{Outcome, TestOutcome};

use super::offer::{NO_LICENSE, fee_text, margin_text, split_text};
use super::values::duration_text;
use super::{has_ended, next_text, phase_filter, phase_text, scored_in, scored_text};
use crate::failure::Failure;
use crate::out;
use crate::session::Session;

/// Lists bounties, newest first.
///
/// # Errors
/// The node cannot be asked.
pub fn list(session: &Session, phase: Option<&str>) -> Result<(), Failure> {
    let filter = phase.map(phase_filter).transpose()?;
    let pages = session.client()?.bounties(filter);
    let bounties: Vec<_> = pages.collect::<Result<_, _>>()?;
    if session.json() {
        return out::json("bounty.list", &bounties);
    }
    if bounties.is_empty() {
        return out::line("no bounties");
    }
    let rows = bounties.iter().map(|bounty| {
        vec![
            bounty.id.to_string(),
            bounty.title.to_string(),
            phase_text(&bounty.phase),
            out::time(bounty.until_ms),
            bounty.award.to_lode_string(),
            bounty.submissions.to_string(),
        ]
    });
    let head = [
        "id",
        "title",
        "phase",
        "until, or ended",
        "LODE",
        "submissions",
    ];
    out::line(&out::table(&head, &[4, 5], rows.collect()).to_string())
}

/// Shows a bounty.
///
/// # Errors
/// There is none, or the node cannot be asked.
pub fn show(session: &Session, bounty: &str) -> Result<(), Failure> {
    let id = session.bounty_id(bounty)?;
    let client = session.client()?;
    let view = client.bounty(id)?;
    if session.json() {
        return out::json("bounty", &view);
    }
    let clock_ms = client.status()?.clock_ms;
    out::line(&page(&view, clock_ms))
}

fn page(view: &BountyView, clock_ms: u64) -> String {
    let mut page = format!("{}\n\n", view.summary.title);
    page.push_str(&out::table(&[], &[], facts(view, clock_ms)).to_string());
    page.push('\n');
    let mut part = |title: &str, head: &[&str], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            let table = out::table(head, &[], rows);
            page.push_str(&format!("\n{title}\n{table}\n"));
        }
    };
    let head = [
        "id", "model", "miner", "key", "outcome", "standing", "award",
    ];
    let rows = view.submissions.iter().map(submission_row).collect();
    part("Submissions, in the order of commitment", &head, rows);
    let rows = view.backings.iter().map(|backing| {
        vec![
            out::short(backing.account),
            format!("{} LODE", backing.amount.to_lode_string()),
        ]
    });
    part("Backers", &["account", "stake"], rows.collect());
    let rows = view.checks.iter().map(check_row).collect();
    part(
        "Seats that check the test set",
        &["evaluator", "it is"],
        rows,
    );
    let rows = view.seats.iter().map(seat_row).collect();
    part("Seats that score", &["evaluator", "scores"], rows);
    let rows = view.posting.parents.iter().map(|parent| {
        let word = if parent.required { "always" } else { "maybe" };
        vec![parent.asset.to_string(), word.to_owned()]
    });
    part("Models are made from", &["asset", ""], rows.collect());
    page.push_str("\nEvery model submitted is under these terms\n");
    for sentence in &view.sentences {
        page.push_str(&format!("  {sentence}\n"));
    }
    if view.summary.phase == Phase::Settled {
        page.push_str(&format!("\n{NO_LICENSE}\n"));
    }
    if let Some(winner) = winner(view) {
        page.push_str(&format!(
            "next: lode model get {} FOLDER\n      lode royalty claim --all\n",
            winner.id
        ));
    }
    page.trim_end().to_owned()
}

/// The best submission that won, once it is known. In a bounty that is paid by steps
/// each one beats those before it, so it is the last.
pub fn winner(view: &BountyView) -> Option<&SubmissionView> {
    let mut all = view.submissions.iter().rev();
    all.find(|one| one.standing == Some(Standing::Won))
}

/// A score alone; what else came of it in words.
fn score_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Scored { score, .. } => score.to_string(),
        other => outcome_text(other),
    }
}

fn facts(view: &BountyView, clock_ms: u64) -> Vec<Vec<String>> {
    let (summary, posting) = (&view.summary, &view.posting);
    let lode = |amount: protocol::Amount| format!("{} LODE", amount.to_lode_string());
    let mut rows: Vec<(&str, String)> = vec![
        ("id", summary.id.to_string()),
        ("sponsor", summary.sponsor.to_string()),
        ("posted", out::time(summary.posted_ms)),
        ("phase", phase_text(&summary.phase)),
    ];
    if has_ended(&summary.phase) {
        let word = match summary.phase {
            Phase::Settled => "settled at",
            _ => "ended at",
        };
        rows.push((word, out::time(summary.until_ms)));
        if let Some(winner) = winner(view) {
            rows.extend([
                (winner_word(posting.pay), winner.name.to_string()),
                ("its id", winner.id.to_string()),
                ("its miner", winner.miner.to_string()),
            ]);
            rows.extend(
                winner
                    .verdict
                    .as_ref()
                    .map(|found| ("its score", score_text(found))),
            );
        }
    } else {
        rows.push((
            "until",
            format!(
                "{}, {}",
                out::time(summary.until_ms),
                left(summary.until_ms, clock_ms)
            ),
        ));
        if clock_ms < view.backing_until_ms {
            rows.push((
                "backers may join until",
                format!(
                    "{}, {}",
                    out::time(view.backing_until_ms),
                    left(view.backing_until_ms, clock_ms)
                ),
            ));
        }
    }
    let next = next_text(&summary.phase, view.test_key.is_some());
    // After a win the page ends with what to do next.
    if winner(view).is_none() {
        rows.push(("next", next.to_owned()));
    }
    rows.extend(round_row(view));
    rows.extend([
        award_row(view),
        ("reserve", posting.reserve.to_string()),
        ("margin", margin_text(posting.margin)),
        ("metric", posting.benchmark.metric.name().to_owned()),
        (
            "shape",
            match posting.benchmark.task {
                Task::Classification { classes } => {
                    format!("{} inputs, {classes} classes", posting.benchmark.inputs)
                }
                Task::Regression => format!("{} inputs, one number", posting.benchmark.inputs),
            },
        ),
        (
            "examples",
            format!("at most {}", posting.benchmark.examples_max),
        ),
        (
            "a model has at most",
            format!(
                "{} parameters, {} bytes, {} multiply-adds",
                posting.benchmark.limits.parameters_max,
                posting.benchmark.limits.file_bytes_max,
                posting.benchmark.limits.multiply_adds_max
            ),
        ),
        (
            "scored in time",
            format!(
                "{} of that size, by an evaluator of a billion multiply-adds a second",
                scored_text(scored_in(&posting.benchmark, posting.schedule.score_ms))
            ),
        ),
        ("sponsor's bond", bond_text(view)),
        (
            "a submission puts up",
            format!(
                "{} for its evaluation, {} as a bond",
                fee_text(posting, view.summary.submissions),
                lode(view.miner_bond)
            ),
        ),
        ("winner's shares", split_text(&posting.split)),
    ]);
    rows.into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect()
}

const fn winner_word(pay: Pay) -> &'static str {
    match pay {
        Pay::WinnerTakesAll => "winner",
        Pay::Steps => "best winner",
    }
}

/// How far the evaluators are, where the first round was not enough.
fn round_row(view: &BountyView) -> Option<(&'static str, String)> {
    let panel = &view.panel;
    let (asked, standing) = match view.summary.phase {
        Phase::TestCheck => {
            let standing = view.checks.iter().filter(|seat| !seat.failed);
            let asked = standing.clone().filter(|seat| seat.word.is_none());
            (asked.count(), standing.count())
        }
        Phase::Score | Phase::ScoreReveal => {
            let standing = view.seats.iter().filter(|seat| !seat.failed);
            (
                standing.clone().filter(|seat| seat.asked).count(),
                standing.count(),
            )
        }
        _ => return None,
    };
    let text = match (panel.all, panel.round) {
        (true, _) => format!(
            "all {} evaluators are asked; two thirds decide, by stake",
            panel.seats
        ),
        (false, 0) => return None,
        (false, round) => format!(
            "{} of 4: {standing} of {} seats have not failed, {} must agree, {asked} are asked; missing ones are drawn \
             among evaluators who have the stake free, then all are asked",
            round + 1,
            panel.seats,
            panel.quorum
        ),
    };
    Some(("round", text))
}

/// The award, and what becomes of it.
fn award_row(view: &BountyView) -> (&'static str, String) {
    let amount = format!("{} LODE", view.summary.award.to_lode_string());
    let won = view.submissions.iter();
    let won = won.filter(|one| one.standing == Some(Standing::Won));
    let text = match (view.summary.phase, view.posting.pay, won.count()) {
        (Phase::Void(_), ..) => format!("{amount}, returned"),
        (Phase::Settled, _, 0) => {
            let all = || view.submissions.iter();
            let has_verdict = |one: &SubmissionView| {
                !matches!(
                    one.standing,
                    Some(Standing::NoVerdict | Standing::NotRevealed)
                )
            };
            let why = if all().all(|one| one.standing == Some(Standing::NotRevealed)) {
                "no submission was revealed"
            } else if !all().any(has_verdict) {
                "too few evaluators agreed on any submission, by nobody's fault"
            } else {
                "no submission that counts reached the reserve"
            };
            format!("{amount}, returned: {why}")
        }
        (Phase::Settled, Pay::Steps, 1) => format!("{amount}, for one step"),
        (Phase::Settled, Pay::Steps, steps) => format!("{amount}, shared by {steps} steps"),
        (_, Pay::Steps, _) => format!("{amount}, shared by all who improve on the best"),
        (_, Pay::WinnerTakesAll, _) => amount,
    };
    ("award", text)
}

/// How long it is until then.
fn left(until_ms: u64, clock_ms: u64) -> String {
    match until_ms.checked_sub(clock_ms) {
        // Below a second nobody reads milliseconds.
        Some(left_ms) if left_ms >= 1_000 => {
            format!("{} left", duration_text(left_ms / 1_000 * 1_000))
        }
        Some(_) => "now".to_owned(),
        None => "over; the next phase begins with the next block".to_owned(),
    }
}

fn submission_row(submission: &SubmissionView) -> Vec<String> {
    vec![
        out::short(submission.id),
        submission.name.to_string(),
        out::short(submission.miner),
        match submission.key {
            Some(_) => "revealed".to_owned(),
            None => "sealed".to_owned(),
        },
        submission
            .verdict
            .as_ref()
            .map(outcome_text)
            .unwrap_or_default(),
        submission.standing.map(standing_text).unwrap_or_default(),
        match submission.award.is_zero() {
            true => String::new(),
            false => format!("{} LODE", submission.award.to_lode_string()),
        },
    ]
}

fn check_row(check: &CheckView) -> Vec<String> {
    let word = match &check.word {
        None if check.failed => "silent".to_owned(),
        None => String::new(),
        Some(TestOutcome::Ok) => "sound".to_owned(),
        Some(TestOutcome::BadSeal { code, place }) => format!("bad: {code} at {place}"),
        Some(TestOutcome::Unavailable) => "not reachable".to_owned(),
    };
    vec![out::short(check.evaluator), word]
}

/// The sponsor's bond, and that it is lost.
fn bond_text(view: &BountyView) -> String {
    let bond = format!("{} LODE", view.bond.to_lode_string());
    match is_bond_lost(&view.summary.phase) {
        true => format!("{bond}, LOST: 'lode bounty explain' says to whom"),
        false => bond,
    }
}

/// Whether a bounty has ended by its sponsor's fault.
pub fn is_bond_lost(phase: &Phase) -> bool {
    matches!(phase, Phase::Void(reason) if reason.is_sponsors_fault())
}

fn seat_row(seat: &SeatView) -> Vec<String> {
    let scores = match (seat.failed, seat.given, seat.asked, &seat.commitment) {
        (true, _, _, None) => "silent",
        (true, _, _, Some(_)) => "committed, not shown",
        (_, true, false, _) => "shown",
        (_, _, true, Some(_)) => "committed",
        (_, _, true, None) => "asked",
        (_, false, false, _) => "",
    };
    vec![out::short(seat.evaluator), scores.into()]
}

/// What came of a submission, in few words.
pub fn outcome_text(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Scored { score, .. } => format!("scored {score}"),
        Outcome::Invalid { code, place } => format!("invalid: {code} at {place}"),
        Outcome::BadSeal { .. } => "does not open".to_owned(),
        Outcome::Unavailable => "not reachable".to_owned(),
    }
}

/// How a submission stands, in few words.
pub fn standing_text(standing: Standing) -> String {
    match standing {
        Standing::Won => "won".to_owned(),
        Standing::Lost => "did not win".to_owned(),
        Standing::Copied(of) => format!("copy of {}", out::short(of)),
        Standing::NotRevealed => "not revealed".to_owned(),
        Standing::BadSeal => "does not open".to_owned(),
        Standing::Invalid => "invalid".to_owned(),
        Standing::NoVerdict => "no verdict".to_owned(),
    }
}
