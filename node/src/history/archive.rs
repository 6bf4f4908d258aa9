//! Bounties as they were at their end, for when the state has forgotten them.
//!
//! ```text
//!   'e' + bounty           the `BountyView` without its submissions, JSON
//!   'e' + bounty + place   a submission (u32, big-endian, in the order of commitment), JSON
//!   'u' + submission       its bounty and place
//! ```
//!
//! Nothing of a bounty changes after its end, so that they are written once, with
//! the block in which it ended.

use market::State;
use protocol::Amount;
use protocol::api::{BountyView, SubmissionView};
use protocol::id::{Address, ItemId};
use protocol::receipt::{Event, Phase, Receipt};
use serde::de::DeserializeOwned;

use super::{History, damaged};
use crate::derived::{DerivedError, guarded};
use crate::views;

const ENDED: u8 = b'e';
const SUBMISSION: u8 = b'u';

/// Keeps the bounties that end with this receipt.
pub(super) fn keep(receipt: &Receipt, state: &State, rows: &mut Vec<(Vec<u8>, Vec<u8>)>) {
    for event in &receipt.events {
        let Event::PhaseBegan {
            bounty,
            phase: Phase::Settled | Phase::Void(_),
        } = *event
        else {
            continue;
        };
        let Some(mut view) = views::bounty(state, bounty) else {
            continue;
        };
        let submissions = std::mem::take(&mut view.submissions);
        rows.push((ended_key(bounty), protocol::json::to_vec(&view)));
        for (place, one) in (0u32..).zip(&submissions) {
            let key = submission_key(bounty, place);
            rows.push(([&[SUBMISSION][..], &one.id.0].concat(), key[1..].to_vec()));
            rows.push((key, protocol::json::to_vec(one)));
        }
    }
}

impl History {
    /// A bounty as it was at its end; none if it has not ended.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn ended_bounty(&self, id: ItemId) -> Result<Option<BountyView>, DerivedError> {
        let Some(mut view) = self.json::<BountyView>(&ended_key(id))? else {
            return Ok(None);
        };
        view.forgotten = true;
        let rows = guarded("reading", || {
            // Below the bounty's own key, which is their prefix, comes nothing else.
            let rows = self.db.scan_prefix(ended_key(id)).skip(1);
            rows.collect::<sled::Result<Vec<_>>>()
        })?;
        for (_, value) in &rows {
            view.submissions.push(from_json(value)?);
        }
        Ok(Some(view))
    }

    /// A submission as it was at the end of its bounty; none if that has not ended.
    ///
    /// # Errors
    ///
    /// The database fails.
    pub fn ended_submission(&self, id: ItemId) -> Result<Option<SubmissionView>, DerivedError> {
        let key = [&[SUBMISSION][..], &id.0].concat();
        let Some(place) = guarded("reading", || self.db.get(key))? else {
            return Ok(None);
        };
        let key = [&[ENDED][..], &place].concat();
        let submission = self.json::<SubmissionView>(&key)?;
        let mut view = submission.ok_or_else(|| damaged("an ended submission"))?;
        let bounty = self.json::<BountyView>(&ended_key(view.bounty))?;
        let bounty = bounty.ok_or_else(|| damaged("an ended bounty"))?;
        let backings: Vec<(Address, Amount)> = bounty
            .backings
            .iter()
            .map(|backing| (backing.account, backing.amount))
            .collect();
        view.holders = views::first_holders(&view, bounty.summary.sponsor, &backings);
        Ok(Some(view))
    }

    fn json<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, DerivedError> {
        let value = guarded("reading", || self.db.get(key))?;
        value.map(|value| from_json(&value)).transpose()
    }
}

fn ended_key(bounty: ItemId) -> Vec<u8> {
    [&[ENDED][..], &bounty.0].concat()
}

fn submission_key(bounty: ItemId, place: u32) -> Vec<u8> {
    [&ended_key(bounty)[..], &place.to_be_bytes()].concat()
}

fn from_json<T: DeserializeOwned>(value: &[u8]) -> Result<T, DerivedError> {
    protocol::json::from_slice(value, value.len()).map_err(|_| damaged("an ended bounty"))
}
