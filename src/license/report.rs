//! `lode license report`: the licensee's word on a month's revenue, and the share of it.

use licensing::Percent;
use protocol::Amount;
use protocol::api::LicenseView;
use protocol::receipt::LicenseStanding;
use protocol::record::{Action, DeclareRevenue};

use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::{Acted, Session};

/// Declares the revenue of a month, the next one unless another is named.
///
/// # Errors
/// The licence has nothing to declare now, or a rule refuses it.
pub fn run(
    session: &Session,
    license: &LicenseView,
    revenue: Amount,
    period: Option<u32>,
) -> Result<(), Failure> {
    let is_it = |action: &Action| {
        matches!(action, Action::DeclareRevenue { license: of, body }
            if *of == license.id && period.is_none_or(|period| period == body.period))
    };
    if let Some((Action::DeclareRevenue { body, .. }, view)) =
        session.take_settled(session.address()?, is_it)?
    {
        // It was broken off and is run again: 'the next month' is another one now.
        let month = body.period;
        if body.revenue != revenue {
            let message = format_args!(
                "an earlier command's record is on the log now: it declared {} LODE for month {month}",
                body.revenue.to_lode_string()
            );
            let next = "what is declared stands; look at 'lode license show', and name another month with --period";
            return Err(Failure::new("declared_already", message, next).exit(Exit::Rejected));
        }
        return session.report(
            &Acted::Done(view),
            &format!("an earlier command has declared month {month}: record"),
        );
    }
    // As it is after that.
    let license = &session.client()?.license(license.id)?;
    let next = license.progress.and_then(|progress| progress.declares);
    let Some((next, term)) = next.zip(license.term) else {
        let has_lapsed = license
            .progress
            .is_some_and(|progress| progress.standing == LicenseStanding::Lapsed);
        let (message, next) = match has_lapsed {
            true => (
                "the licence has lapsed: the revenue of a month was not declared in time",
                "buy another one with 'lode license buy'",
            ),
            false => (
                "the licence has no month whose revenue is to be declared",
                "look at it with 'lode license show'",
            ),
        };
        return Err(Failure::new("nothing_to_declare", message, next).exit(Exit::Rejected));
    };
    let share = Percent::from_billionths(next.share_billionths);
    let share = share.ok_or_else(|| Failure::bug("the node names a share that is none"))?;
    let owed = share.of(revenue);
    let more = owed.checked_sub(term.month_price).unwrap_or(Amount::ZERO);
    let period = period.unwrap_or(next.period);
    let action = Action::DeclareRevenue {
        license: license.id,
        body: DeclareRevenue { period, revenue },
    };
    let lode = Amount::to_lode_string;
    let warning = format!(
        "Declare that month {period} of {} earned {} LODE. {share} of it are {} LODE, of which {} are paid in \
         advance: pay {} LODE now. What is declared stands for ever, and is not returned.",
        term.months,
        lode(revenue),
        lode(owed),
        lode(term.month_price),
        lode(more),
    );
    if !session.json() {
        talk!(
            "month {} is over at {}; declare it before {}",
            next.period,
            out::time(next.from_ms),
            out::time(next.until_ms)
        );
    }
    let acted = session.act(&action, Some(&warning))?;
    session.report(&acted, &format!("declared month {period}: record"))
}
