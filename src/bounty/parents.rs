//! What models are made from: whether the assets are there, allow it, and leave
//! something of the income.

use client::Client;
use licensing::{Percent, RoyaltyStack, Terms, check_derivation};
use protocol::ItemId;
use protocol::ans104::Tag;
use protocol::api::AssetView;
use protocol::record::{AssetKind, FundPart, NamedParent, PARENTS_MAX};

use super::check::Check;
use super::offer::Parent;
use super::plan::{Finding, Plan, Weight};
use crate::failure::{Exit, Failure};
use crate::session::Session;

impl Check {
    /// The parents in ascending order, once all of them are there.
    pub(super) fn parents(
        &mut self,
        session: &Session,
        client: &Client,
        plan: &Plan,
    ) -> Result<Option<Vec<NamedParent>>, Failure> {
        let mut parents: Vec<NamedParent> = Vec::new();
        let mut stacks = Vec::new();
        let before = self.findings.len();
        for (text, required) in &plan.parents {
            let asset = match self.asset(session, client, text) {
                Ok(asset) => asset,
                // Which asset is meant is the file's to say: the ledger never sees a name.
                Err(failure) if failure.exit == Exit::NotFound || failure.exit == Exit::Usage => {
                    let finding = Finding::of(Weight::File, "parents", &failure);
                    self.findings.push(finding);
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            if parents.iter().any(|parent| parent.asset == asset.id) {
                let message = format!("'{text:.60}' is named twice");
                self.ledger("parents", "parents", message, "name each parent once");
                continue;
            }
            parents.push(NamedParent {
                asset: asset.id,
                required: *required,
            });
            let terms = plan.terms.as_ref();
            let owed = terms.and_then(|terms| self.derivation(text, &asset, terms));
            self.parents.push(Parent {
                asset,
                is_required: *required,
                share: owed.as_ref().and_then(|(_, share, _)| *share),
            });
            stacks.extend(owed);
        }
        if plan.parents.len() > PARENTS_MAX {
            let message = format!("{} parents; at most {PARENTS_MAX}", plan.parents.len());
            self.ledger("parents", "parents", message, "leave some out");
        }
        let owed: Vec<_> = stacks
            .iter()
            .map(|(id, share, stack)| (*id, *share, stack))
            .collect();
        if let Err(error) = RoyaltyStack::merge(&owed) {
            let next = "choose parents that ask for less";
            self.ledger(error.code(), "parents", error, next);
        }
        parents.sort_by_key(|parent| parent.asset);
        Ok((self.findings.len() == before).then_some(parents))
    }

    /// The part of the reward that a parent's fund pays.
    pub(super) fn fund(
        &mut self,
        session: &Session,
        client: &Client,
        plan: &Plan,
    ) -> Result<Option<FundPart>, Failure> {
        let Some((text, amount)) = &plan.fund else {
            return Ok(None);
        };
        match self.asset(session, client, text) {
            Ok(asset) => Ok(Some(FundPart {
                asset: asset.id,
                amount: *amount,
            })),
            Err(failure) if failure.exit == Exit::NotFound || failure.exit == Exit::Usage => {
                let finding = Finding::of(Weight::File, "fund.asset", &failure);
                self.findings.push(finding);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }

    fn asset(&self, session: &Session, client: &Client, text: &str) -> Result<AssetView, Failure> {
        let id = session.asset_id(text)?;
        Ok(client.asset(id)?)
    }

    /// Whether models under `terms` may be made from this parent, and what it is owed then.
    fn derivation(
        &mut self,
        text: &str,
        asset: &AssetView,
        terms: &Terms,
    ) -> Option<(ItemId, Option<Percent>, RoyaltyStack)> {
        let tags: Vec<Tag> = asset.terms.iter().map(|(n, v)| Tag::new(n, v)).collect();
        let parent = Terms::parse(&tags).ok()?;
        let entries: Vec<_> = asset
            .stack
            .iter()
            .filter_map(|(id, share)| Some((*id, Some(share.parse().ok()?))))
            .collect();
        let none = RoyaltyStack::default();
        let entries: Vec<_> = entries
            .iter()
            .map(|&(id, share)| (id, share, &none))
            .collect();
        let stack = RoyaltyStack::merge(&entries).ok()?;
        match check_derivation(&parent, asset.kind, terms, AssetKind::Model) {
            Ok(share) => Some((asset.id, share, stack)),
            Err(refusal) => {
                let message = format!("'{text:.60}': {refusal}");
                let next = "choose another parent, or other terms";
                self.ledger(refusal.code(), "parents", message, next);
                None
            }
        }
    }
}
