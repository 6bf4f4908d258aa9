//! `lode license buy`: one record that names terms, months and the most to pay.

use client::LicenseFilter;
use licensing::Grant;
use protocol::api::RecordView;
use protocol::record::{Action, BuyLicense};
use protocol::{Amount, ItemId};

use super::is_over;
use super::quote::Quoted;
use crate::failure::{Exit, Failure};
use crate::funds::{self, Needed};
use crate::session::{Acted, Session, byte_fee};

/// What is to be bought.
pub struct Wanted {
    /// Of what.
    pub asset: ItemId,
    /// Which grant.
    pub grant: Grant,
    /// For how many months; 0: for what is paid once.
    pub months: u32,
    /// The most to pay.
    pub price_max: Option<Amount>,
    /// Also if this key has that licence already.
    pub again: bool,
}

/// The price of what is wanted, and the id of the terms that it is bought under.
fn priced(quoted: &Quoted, wanted: &Wanted) -> Result<(Amount, protocol::Digest), Failure> {
    let refused = |refusal: licensing::Refusal| {
        let next = match refusal {
            licensing::Refusal::SoldByMonth { .. } => "say how many with --months",
            licensing::Refusal::SoldOnce { .. } => "leave --months out",
            _ => refusal.next_step(),
        };
        Failure::new(refusal.code(), refusal, next).exit(Exit::Rejected)
    };
    let quote = quoted.terms.quote(wanted.grant).map_err(refused)?;
    let price = quote
        .total(wanted.months, quoted.minimum)
        .map_err(refused)?;
    let price = price.ok_or_else(|| {
        let message = "so many months cost more than an amount can hold";
        Failure::new("overflow", message, "buy fewer months").exit(Exit::Rejected)
    })?;
    if let Some(most) = wanted.price_max.filter(|most| price > *most) {
        let message = format_args!(
            "{} costs {} LODE, you would pay {} at most",
            wanted.grant.name(),
            price.to_lode_string(),
            most.to_lode_string()
        );
        let next = "raise --price-max, or look at 'lode license quote' for other grants";
        return Err(Failure::new("price_above_max", message, next).exit(Exit::Rejected));
    }
    Ok((price, quote.terms))
}

/// Shows what would be bought, asks, and buys it.
///
/// # Errors
/// It is not sold so, costs more than is allowed, is there already, or a rule refuses it.
pub fn buy(session: &Session, wanted: &Wanted) -> Result<(), Failure> {
    let &Wanted {
        asset,
        grant,
        months,
        again,
        ..
    } = wanted;
    if let Some(view) = settled(session, wanted)? {
        let acted = Acted::Done(view);
        return told(session, &acted, "an earlier purchase is final: licence");
    }
    let quoted = Quoted::of(session, asset)?;
    let (price, terms) = priced(&quoted, wanted)?;
    if !again {
        check_not_owned(session, asset, grant)?;
    }
    if !session.json() {
        talk!("{}\n", quoted.text(Some(grant))?);
    }
    let action = Action::BuyLicense {
        asset,
        body: BuyLicense {
            grant,
            terms,
            price_max: price,
            months,
        },
    };
    let quote = quoted.terms.quote(grant).ok();
    let how = match (months, quote.and_then(|quote| quote.price.share())) {
        (0, _) => "It is paid once and not returned.".to_owned(),
        (1, None) => "That is one month; it is not returned.".to_owned(),
        (count, None) => format!("Those are {count} months, all paid now; they are not returned."),
        (count, Some(share)) => format!(
            "That is the least for {count} months, all paid now. After each month you declare its \
             revenue with 'lode license report' and pay what {share} of it is above that; a month \
             that is not declared in time ends the licence."
        ),
    };
    let warning = format!(
        "Buy {} of '{}' for {} LODE, under the terms {terms}. {how}",
        grant.name(),
        quoted.view.name,
        price.to_lode_string(),
    );
    check_funds(session, &action, price)?;
    if session.global.yes && !session.json() {
        // Nobody is asked, so nobody was told the sum.
        talk!("in all {} LODE. {how}", price.to_lode_string());
    }
    // Another command of this account may have bought it while this one waited.
    let acted = session.act_if(&action, Some(&warning), || match again {
        true => Ok(()),
        false => check_not_owned(session, asset, grant),
    })?;
    told(session, &acted, "licence")
}

fn told(session: &Session, acted: &Acted, what: &str) -> Result<(), Failure> {
    let id = acted.id().map_or(String::new(), |id| id.to_string());
    session.report(acted, &format!("{what} {id}"))?;
    if acted.id().is_some() {
        talk!("next: lode license certificate {id}");
    }
    Ok(())
}

/// What became of an earlier command's record, if that was this very purchase: whoever
/// runs the command again, because the answer did not arrive, does not want two.
fn settled(session: &Session, wanted: &Wanted) -> Result<Option<Box<RecordView>>, Failure> {
    let is_it = |action: &Action| {
        matches!(action, Action::BuyLicense { asset, body }
            if *asset == wanted.asset && body.grant == wanted.grant && body.months == wanted.months)
    };
    let taken = session.take_settled(session.address()?, is_it)?;
    Ok(taken.map(|(_, view)| view))
}

/// That the account has the price and what the record takes beside it.
fn check_funds(session: &Session, action: &Action, price: Amount) -> Result<(), Failure> {
    let (client, me) = (session.client()?, session.address()?);
    let status = client.status()?;
    let fee = byte_fee(&status, me, client.account(me)?.next_nonce, action);
    let needed = Needed {
        what: "price, byte fee and deposit",
        amount: funds::sum([Some(price), fee, funds::deposit(&status, fee)]),
        next: "receive tokens first ('lode account faucet' on a development network)",
    };
    funds::check(session, me, action, &needed)
}

/// A second licence gives nothing that the first did not, unless that has ended.
fn check_not_owned(session: &Session, asset: ItemId, grant: Grant) -> Result<(), Failure> {
    let filter = LicenseFilter {
        asset: Some(asset),
        licensee: Some(session.address()?),
    };
    for license in session.client()?.licenses(&filter) {
        let license = license?;
        if license.grant == grant && !is_over(&license) {
            let message = format_args!("this key has that licence already: {}", license.id);
            let next = "look at it with 'lode license show', or add --again to pay for another";
            return Err(Failure::new("licensed_already", message, next).exit(Exit::Rejected));
        }
    }
    Ok(())
}
