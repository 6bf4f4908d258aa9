//! What an asset's grants cost, and who would get what of a price.
//!
//! Terms are read from their tags and held against their id here, so that what
//! is shown is what would be bought, whatever a node says of it.

use licensing::{Grant, Percent, Terms, check_derivation};
use protocol::Amount;
use protocol::ans104::Tag;
use protocol::api::{AssetView, HolderView};
use protocol::id::{Address, ItemId};
use protocol::record::{AssetKind, SHARES_PER_ASSET};
use serde::Serialize;

use crate::failure::Failure;
use crate::out;
use crate::session::Session;

/// Holders that a text names one by one.
const HOLDERS_SHOWN_MAX: usize = 12;

/// An asset with its terms, the names of its ancestors, and its holders.
pub struct Quoted {
    pub view: AssetView,
    pub terms: Terms,
    /// What a month of a licence for a share of revenue costs in advance on this network.
    pub minimum: Amount,
    ancestors: Vec<Ancestor>,
    holders: Vec<HolderView>,
}

/// An ancestor and its share of the gross.
struct Ancestor {
    id: ItemId,
    name: String,
    share: Percent,
}

/// A grant for programs.
#[derive(Serialize)]
struct OfferJson {
    grant: Grant,
    price: Option<Amount>,
    /// For how many months at most it is sold at once; 0: the price is paid once.
    months_max: u32,
    /// The share of the buyer's revenue that is owed beyond it, in percent, if one is.
    revenue_share: Option<Percent>,
    reason: Option<String>,
    next_step: Option<String>,
    /// What the ledger does not do with it yet; left out if it does all.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
    ancestors: Vec<AncestorJson>,
    /// What the asset sets aside; left out if it sets nothing aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    fund: Option<Amount>,
    holders_together: Option<Amount>,
    holders: Vec<HolderJson>,
}

#[derive(Serialize)]
struct AncestorJson {
    asset: ItemId,
    name: String,
    share: String,
    amount: Amount,
}

#[derive(Serialize)]
struct HolderJson {
    account: Address,
    shares: u32,
    amount: Amount,
}

#[derive(Serialize)]
struct QuoteJson<'a> {
    asset: ItemId,
    name: &'a str,
    weights_digest: Option<protocol::Digest>,
    terms_id: protocol::Digest,
    terms: &'a [(String, String)],
    sentences: Vec<String>,
    offers: Vec<OfferJson>,
}

/// Whether the ledger takes no asset of this kind made from one under these terms and under the same.
pub fn takes_no_child(terms: &Terms, kind: AssetKind, child: AssetKind) -> bool {
    check_derivation(terms, kind, terms, child).is_err()
}

impl Quoted {
    /// Asks for all of it.
    ///
    /// # Errors
    /// There is no such asset, or the node's answer does not hold together.
    pub fn of(session: &Session, id: ItemId) -> Result<Self, Failure> {
        let client = session.client()?;
        let view = client.asset(id)?;
        let terms = terms_of(&view)?;
        let mut ancestors = Vec::with_capacity(view.stack.len());
        for (id, share) in &view.stack {
            ancestors.push(Ancestor {
                id: *id,
                name: client.asset(*id)?.name.to_string(),
                share: share.parse().map_err(wrong_node)?,
            });
        }
        let holders = client.holders(id).collect::<Result<Vec<_>, _>>()?;
        // Who holds no share any more may still be owed something.
        let holders = holders.into_iter().filter(|holder| holder.shares > 0);
        let holders = holders.collect();
        Ok(Self {
            view,
            terms,
            minimum: client.status()?.parameters.revenue_minimum,
            ancestors,
            holders,
        })
    }

    fn grants(&self, only: Option<Grant>) -> impl Iterator<Item = Grant> + Clone {
        let grants = Grant::ALL.into_iter();
        grants.filter(move |grant| only.is_none_or(|only| only == *grant))
    }

    /// Each ancestor's part of a price, rounded down, and the rest.
    fn divide(&self, price: Amount) -> Result<(Vec<Amount>, Amount), Failure> {
        let mut rest = price;
        let mut parts = Vec::with_capacity(self.ancestors.len());
        for ancestor in &self.ancestors {
            let part = ancestor.share.of(price);
            rest = rest
                .checked_sub(part)
                .ok_or_else(|| wrong_node("its ancestors are owed more than everything"))?;
            parts.push(part);
        }
        Ok((parts, rest))
    }

    /// What the asset sets aside of its income, rounded down, and what its holders get.
    fn set_aside(&self, income: Amount) -> (Amount, Amount) {
        let fund = part_of(income, self.view.self_funding_ppm);
        (fund, income.checked_sub(fund).unwrap_or(Amount::ZERO))
    }

    /// What is made under a grant that is paid for is its buyer's to use, but the ledger takes no asset of it yet.
    fn limit(&self, grant: Grant) -> Option<&'static str> {
        let makes = match grant {
            Grant::Derivation => true,
            Grant::DataModelTraining => self.view.kind == AssetKind::DataSet,
            _ => false,
        };
        if !makes {
            return None;
        }
        let child = match (grant, self.view.kind) {
            (Grant::Derivation, AssetKind::DataSet) => AssetKind::DataSet,
            _ => AssetKind::Model,
        };
        takes_no_child(&self.terms, self.view.kind, child).then_some(
            "what you make of it is yours to use under the licence; it cannot be registered here as made from it for now",
        )
    }

    fn offer(&self, grant: Grant) -> Result<OfferJson, Failure> {
        let quote = match self.terms.quote(grant) {
            Ok(quote) => quote,
            Err(refusal) => {
                return Ok(OfferJson {
                    grant,
                    price: None,
                    months_max: 0,
                    revenue_share: None,
                    reason: Some(refusal.to_string()),
                    next_step: Some(refusal.next_step().to_owned()),
                    limit: None,
                    ancestors: Vec::new(),
                    fund: None,
                    holders_together: None,
                    holders: Vec::new(),
                });
            }
        };
        let (parts, rest) = self.divide(quote.price.unit(self.minimum))?;
        let (fund, rest) = self.set_aside(rest);
        let ancestors = self.ancestors.iter().zip(parts);
        let ancestors = ancestors.map(|(ancestor, amount)| AncestorJson {
            asset: ancestor.id,
            name: ancestor.name.clone(),
            share: ancestor.share.to_string(),
            amount,
        });
        let holders = self.holders.iter().map(|holder| HolderJson {
            account: holder.account,
            shares: holder.shares,
            amount: part_of(rest, holder.shares),
        });
        Ok(OfferJson {
            grant,
            price: Some(quote.price.unit(self.minimum)),
            months_max: quote.months_max,
            revenue_share: quote.price.share(),
            reason: None,
            next_step: None,
            limit: self.limit(grant),
            ancestors: ancestors.collect(),
            fund: Some(fund).filter(|fund| !fund.is_zero()),
            holders_together: Some(rest),
            holders: holders.collect(),
        })
    }

    /// Prints the quote, as text or as JSON.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub fn print(&self, session: &Session, only: Option<Grant>) -> Result<(), Failure> {
        if !session.json() {
            out::line(&self.text(only)?)?;
            let mut sold = self
                .grants(only)
                .filter(|grant| self.terms.quote(*grant).is_ok());
            // What most readers of a quote are here for.
            let first = sold.clone().find(|grant| *grant == Grant::CommercialUse);
            let sold = first.or_else(|| sold.next());
            if let Some(grant) = sold {
                let quote = self.terms.quote(grant).ok();
                let months = match quote {
                    Some(quote) if quote.months_max > 0 => " --months N",
                    _ => "",
                };
                talk!(
                    "next: lode license buy {} --grant {}{months}",
                    self.view.id,
                    grant.name()
                );
            }
            return Ok(());
        }
        let offers = self.grants(only).map(|grant| self.offer(grant));
        let quote = QuoteJson {
            asset: self.view.id,
            name: self.view.name.as_str(),
            weights_digest: self.view.weights_digest,
            terms_id: self.view.terms_id,
            terms: &self.view.terms,
            sentences: self.terms.sentences(),
            offers: offers.collect::<Result<_, _>>()?,
        };
        out::json("license.quote", &quote)
    }

    /// Terms in sentences, grants with their prices, and who gets what of each.
    ///
    /// # Errors
    /// The node's stack makes no sense.
    pub fn text(&self, only: Option<Grant>) -> Result<String, Failure> {
        let mut text = format!("'{}', {}\n", self.view.name, self.view.id);
        if let Some(digest) = self.view.weights_digest {
            text.push_str(&format!("weights digest {digest}\n"));
        }
        text.push_str(&format!("terms {}\n", self.view.terms_id));
        for sentence in self.terms.sentences() {
            text.push_str(&format!("  {sentence}\n"));
        }
        if let Some(pending) = &self.view.pending {
            let from = licensing::certificate::utc(pending.at_ms);
            text.push_str(&format!("from {from} on, most likely:\n"));
            for sentence in &pending.sentences {
                text.push_str(&format!("  {sentence}\n"));
            }
        }
        let mut rows = Vec::new();
        for grant in self.grants(only) {
            let offer = self.offer(grant)?;
            let price = offer
                .price
                .map_or_else(|| "-".into(), Amount::to_lode_string);
            let how = match (offer.months_max, offer.revenue_share) {
                (0, _) => String::new(),
                (most, None) => format!("a month, 1 to {most} months, all paid in advance"),
                (most, Some(share)) => format!(
                    "a month at least, 1 to {most} months, all paid in advance; after each month \
                     you declare its revenue and pay what {share} of it is above that"
                ),
            };
            let why = match (offer.reason, offer.next_step, offer.limit) {
                (Some(reason), Some(next), _) => format!("{reason}: {next}"),
                (_, _, Some(limit)) if how.is_empty() => limit.to_owned(),
                (_, _, Some(limit)) => format!("{how}; {limit}"),
                _ => how,
            };
            rows.push(vec![grant.name().to_owned(), price, why]);
        }
        text.push('\n');
        text.push_str(&out::table(&["grant", "LODE", ""], &[1], rows).to_string());
        let mut prices: Vec<Amount> = Vec::new();
        for grant in self.grants(only) {
            let Ok(quote) = self.terms.quote(grant) else {
                continue;
            };
            // Grants of the same price are divided in the same way.
            let unit = quote.price.unit(self.minimum);
            if !prices.contains(&unit) {
                prices.push(unit);
                text.push_str(&self.parts(unit)?);
            }
        }
        Ok(text)
    }

    fn parts(&self, price: Amount) -> Result<String, Failure> {
        let (parts, rest) = self.divide(price)?;
        let (fund, rest) = self.set_aside(rest);
        let mut rows = Vec::new();
        for (ancestor, part) in self.ancestors.iter().zip(parts) {
            rows.push(vec![
                format!("holders of its ancestor '{}'", ancestor.name),
                ancestor.share.to_string(),
                part.to_lode_string(),
            ]);
        }
        if !fund.is_zero() {
            rows.push(vec![
                "its fund for further rounds".to_owned(),
                shares_text(self.view.self_funding_ppm),
                fund.to_lode_string(),
            ]);
        }
        rows.push(vec![
            "its own holders".to_owned(),
            "the rest".to_owned(),
            rest.to_lode_string(),
        ]);
        for holder in self.holders.iter().take(HOLDERS_SHOWN_MAX) {
            rows.push(vec![
                format!("  {}", holder.account),
                shares_text(holder.shares),
                part_of(rest, holder.shares).to_lode_string(),
            ]);
        }
        if let more @ 1.. = self.holders.len().saturating_sub(HOLDERS_SHOWN_MAX) {
            rows.push(vec![
                format!("  and {more} more"),
                String::new(),
                String::new(),
            ]);
        }
        let title = format!("\n\nwho gets what of {} LODE\n", price.to_lode_string());
        let head = ["to", "share", "LODE"];
        Ok(title + &out::table(&head, &[1, 2], rows).to_string())
    }
}

/// The part of so many shares, rounded down: what does not divide stays in the pool for the next income.
fn part_of(amount: Amount, shares: u32) -> Amount {
    let part = amount.checked_ratio(u128::from(shares), u128::from(SHARES_PER_ASSET));
    part.unwrap_or(Amount::ZERO)
}

/// Shares as a percentage.
pub fn shares_text(shares: u32) -> String {
    let (whole, rest) = (shares / 10_000, shares % 10_000);
    let text = format!("{whole}.{rest:04}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}

/// The terms of an asset, held against their id.
///
/// # Errors
/// The node's tags are not the terms that it names.
pub fn terms_of(view: &AssetView) -> Result<Terms, Failure> {
    let tags = view.terms.iter().map(|(name, value)| Tag::new(name, value));
    let terms = Terms::parse(&tags.collect::<Vec<_>>()).map_err(wrong_node)?;
    if terms.id() != view.terms_id {
        return Err(wrong_node("its terms have another id than it says"));
    }
    Ok(terms)
}

fn wrong_node(why: impl std::fmt::Display) -> Failure {
    let message = format!("the node's answer does not hold together: {why}");
    Failure::new(
        "node_answer",
        message,
        "do not buy through it: ask another node",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_as_percentages() {
        for (shares, text) in [
            (1_000_000, "100%"),
            (333_333, "33.3333%"),
            (250_000, "25%"),
            (1, "0.0001%"),
            (0, "0%"),
        ] {
            assert_eq!(shares_text(shares), text);
        }
    }
}
