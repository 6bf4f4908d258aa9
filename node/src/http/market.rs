//! Accounts, bounties, assets, licences: one thing, a page of them, a history.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use market::assets::Order;
use protocol::Amount;
use protocol::api::{AccountView, AssetView, LicenseView, PAGE_DEFAULT, PAGE_MAX, Page};
use protocol::id::{Address, ItemId};
use protocol::receipt::Phase;
use protocol::record::AssetKind;
use protocol::statement::Subject;
use protocol::text::whole_number;
use serde::{Deserialize, Serialize};

use super::answer::{Answered, Asked, Segment, Wrong, bad, bug, id, missing, number, unavailable};
use super::budget::Peer;
use super::records::{closed, past};
use super::turns::Turns;
use super::{App, Shared};
use crate::history::{History, Place};
use crate::views;

/// What every list can be asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Paging {
    pub(super) after: Option<String>,
    #[serde(default, deserialize_with = "number")]
    limit: Option<usize>,
}

impl Paging {
    pub(super) fn limit(&self) -> Answered<usize> {
        match self.limit.unwrap_or(PAGE_DEFAULT) {
            limit @ 1..=PAGE_MAX => Ok(limit),
            limit => {
                let message = format_args!("a page of {limit} entries");
                Err(bad("limit", message, "ask for 1 to 1000"))
            }
        }
    }

    /// The page of a list in the order of its keys, after the key that is named, whether that is still
    /// one of the list or not.
    fn page<K: Ord + Copy + FromStr + ToString, T>(
        &self,
        all: impl Iterator<Item = (K, T)>,
    ) -> Answered<Page<(K, T)>> {
        let after = match &self.after {
            None => None,
            Some(text) => Some(text.parse::<K>().map_err(|_| not_an_entry())?),
        };
        let mut rest = all.filter(|(key, _)| after.is_none_or(|after| *key > after));
        let items: Vec<(K, T)> = rest.by_ref().take(self.limit()?).collect();
        let next = rest
            .next()
            .and(items.last())
            .map(|(key, _)| key.to_string());
        Ok(Page { items, next })
    }

    /// The page of a list whose newest entries come first, after the one that is named with its place, whether that
    /// is still one of the list or not. Of all entries only their places are looked at, and only those of the page
    /// are sorted.
    fn newest<K: Key>(&self, wanted: impl Iterator<Item = (K, ItemId)>) -> Answered<Page<ItemId>> {
        let limit = self.limit()?;
        let after = self.after.as_ref().map(|text| {
            let (key, id) = text.split_once('.')?;
            Some((K::read(key)?, id.parse::<ItemId>().ok()?))
        });
        let after = after
            .map(|after| after.ok_or_else(not_an_entry))
            .transpose()?;
        let mut rest: Vec<(K, ItemId)> = match after {
            None => wanted.collect(),
            Some(after) => wanted.filter(|one| *one < after).collect(),
        };
        let has_more = rest.len() > limit;
        if has_more {
            rest.select_nth_unstable_by(limit, |one, other| other.cmp(one));
            rest.truncate(limit);
        }
        rest.sort_unstable_by(|one, other| other.cmp(one));
        let last = rest.last().filter(|_| has_more);
        let next = last.map(|(key, id)| format!("{}.{id}", key.text()));
        let items = rest.into_iter().map(|(_, id)| id).collect();
        Ok(Page { items, next })
    }
}

/// What lists with the newest first are ordered by, before the id.
trait Key: Ord + Copy {
    fn text(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

/// A time or a height.
impl Key for u64 {
    fn text(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        whole_number(text)
    }
}

/// A height, and a place in its block.
impl Key for Order {
    fn text(&self) -> String {
        format!("{}-{}", self.height, self.place)
    }

    fn read(text: &str) -> Option<Self> {
        let (height, place) = text.split_once('-')?;
        Some(Self {
            height: whole_number(height)?,
            place: whole_number(place)?,
        })
    }
}

/// The same page with what stands for each entry.
fn shown<T>(page: Page<ItemId>, show: impl Fn(ItemId) -> Option<T>) -> Page<T> {
    Page {
        items: page.items.into_iter().filter_map(show).collect(),
        next: page.next,
    }
}

pub(super) fn not_an_entry() -> Wrong {
    let next = "give the 'next' of the page before";
    bad("after", "this is not an entry of the list", next)
}

/// Asks the state between two blocks.
async fn read<T>(app: &Shared, ask: impl FnOnce(&market::State) -> T) -> Answered<T> {
    let chain = app.node.chain().await;
    let state = chain.state().ok_or_else(|| unavailable(closed(app)))?;
    Ok(ask(state))
}

/// The same for what looks at many entries, or answers with many bytes: in its turn, and on no thread that answers
/// others. None if there is nothing.
async fn look_in<T: Serialize>(
    turns: &Turns,
    app: &Arc<Shared>,
    peer: Peer,
    ask: impl FnOnce(&market::State) -> Answered<Option<T>> + Send + 'static,
) -> Answered<Option<Response>> {
    let shared = Arc::clone(app);
    turns
        .run(peer, move || {
            let found = {
                let chain = shared.node.chain_blocking();
                let state = chain.state().ok_or_else(|| unavailable(closed(&shared)))?;
                ask(state)?
            };
            let answer = found.map(|view| shared.json(peer, &view));
            answer.transpose()
        })
        .await
}

/// The same for one thing with what belongs to it. None if it is not there.
async fn view<T: Serialize>(
    app: &Arc<Shared>,
    peer: Peer,
    ask: impl FnOnce(&market::State) -> Answered<Option<T>> + Send + 'static,
) -> Answered<Option<Response>> {
    look_in(&app.views, app, peer, ask).await
}

/// The same for a list.
async fn look<T: Serialize>(
    app: &Arc<Shared>,
    peer: Peer,
    ask: impl FnOnce(&market::State) -> Answered<T> + Send + 'static,
) -> Answered<Response> {
    let answer = look_in(&app.looks, app, peer, |state| ask(state).map(Some)).await?;
    answer.ok_or_else(|| bug("nothing was found where there is something"))
}

/// Asks the past for what the state has forgotten.
async fn ended<T: Serialize + 'static>(
    app: &Arc<Shared>,
    peer: Peer,
    ask: impl FnOnce(&History) -> Answered<T> + Send + 'static,
) -> Answered<Response> {
    let reader = past(app).await?;
    app.answer(peer, move || ask(&reader)).await
}

pub(super) async fn account(
    State(app): App,
    Segment(text): Segment,
) -> Answered<Json<AccountView>> {
    let address: Address = id(&text)?;
    let view = read(&app, |state| {
        let nonce = state.account(address).nonce;
        let next_nonce = app.node.mempool().next_nonce(address, nonce);
        views::account(state, address, next_nonce)
    });
    Ok(Json(view.await?))
}

pub(super) async fn evaluators(
    State(app): App,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    look(&app, peer, move |state| {
        let page = paging.page(state.evaluators())?;
        let items = page.items.into_iter();
        // Once for all: what one has locked is found among the seats of all.
        let mut locked: BTreeMap<Address, Amount> = BTreeMap::new();
        for (holder, amount) in state.seats_locked() {
            let sum = locked.entry(holder).or_default();
            *sum = sum.checked_add(amount).unwrap_or(Amount::MAX);
        }
        let locked = |address| locked.get(&address).copied().unwrap_or_default();
        Ok(Page {
            items: items
                .map(|(address, one)| views::evaluator(state, address, one, locked(address)))
                .collect(),
            next: page.next,
        })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BountyFilter {
    phase: Option<String>,
    sponsor: Option<Address>,
    after: Option<String>,
    #[serde(default, deserialize_with = "number")]
    limit: Option<usize>,
}

pub(super) async fn bounties(
    State(app): App,
    Asked(filter): Asked<BountyFilter>,
    peer: Peer,
) -> Answered<Response> {
    let paging = Paging {
        after: filter.after,
        limit: filter.limit,
    };
    if let Some(text) = &filter.phase
        && !Phase::NAMES.contains(&text.as_str())
    {
        let message = format_args!("'{text:.40}' is no phase");
        let next = format!("choose one of {}", Phase::NAMES.join(", "));
        return Err(bad("phase", message, &next));
    }
    look(&app, peer, move |state| {
        let is_wanted = |id: ItemId, sponsor: Address| {
            let progress = state.bounty(id).map(|(_, progress)| progress);
            let phase = filter.phase.as_deref();
            let in_phase = |name| progress.is_some_and(|progress| progress.phase.name() == name);
            phase.is_none_or(in_phase) && filter.sponsor.is_none_or(|one| one == sponsor)
        };
        let wanted = state
            .bounties()
            .filter(|(id, bounty)| is_wanted(*id, bounty.sponsor))
            .map(|(id, bounty)| (bounty.posted_ms, id));
        let page = paging.newest(wanted)?;
        Ok(shown(page, |id| {
            let (bounty, progress) = state.bounty(id)?;
            Some(views::summary(id, bounty, progress))
        }))
    })
    .await
}

pub(super) async fn bounty(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Response> {
    let id: ItemId = id(&text)?;
    if let Some(answer) = view(&app, peer, move |state| Ok(views::bounty(state, id))).await? {
        return Ok(answer);
    }
    ended(&app, peer, move |history| {
        let view = history.ended_bounty(id)?;
        view.ok_or_else(|| missing("bounty", id))
    })
    .await
}

pub(super) async fn submission(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Response> {
    let id: ItemId = id(&text)?;
    let seen = view(&app, peer, move |state| {
        Ok(views::submission_alone(state, id))
    });
    if let Some(answer) = seen.await? {
        return Ok(answer);
    }
    ended(&app, peer, move |history| {
        let view = history.ended_submission(id)?;
        view.ok_or_else(|| missing("submission", id))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssetFilter {
    kind: Option<AssetKind>,
    maker: Option<Address>,
    holder: Option<Address>,
    name: Option<String>,
    after: Option<String>,
    #[serde(default, deserialize_with = "number")]
    limit: Option<usize>,
}

pub(super) async fn assets(
    State(app): App,
    Asked(filter): Asked<AssetFilter>,
    peer: Peer,
) -> Answered<Response> {
    let paging = Paging {
        after: filter.after,
        limit: filter.limit,
    };
    look(&app, peer, move |state| {
        let wanted = state.assets().filter(|(id, asset)| {
            let name = filter.name.as_deref();
            filter.kind.is_none_or(|kind| kind == asset.kind)
                && filter.maker.is_none_or(|maker| maker == asset.maker)
                && name.is_none_or(|name| asset.name.as_str() == name)
                && filter
                    .holder
                    .is_none_or(|holder| state.holding(*id, holder).is_some())
        });
        let wanted = wanted.map(|(id, asset)| (asset.order, id));
        let page = paging.newest(wanted)?;
        Ok(shown(page, |id| {
            state.asset(id).map(|asset| views::asset(state, id, asset))
        }))
    })
    .await
}

pub(super) async fn asset(State(app): App, Segment(text): Segment) -> Answered<Json<AssetView>> {
    let id: ItemId = id(&text)?;
    let view = read(&app, |state| {
        state.asset(id).map(|asset| views::asset(state, id, asset))
    });
    view.await?.map(Json).ok_or_else(|| missing("asset", id))
}

pub(super) async fn votes(
    State(app): App,
    Segment(text): Segment,
    peer: Peer,
) -> Answered<Response> {
    let id: ItemId = id(&text)?;
    let seen = view(&app, peer, move |state| {
        let asset = state.asset(id);
        Ok(asset.map(|asset| views::votes(state, id, asset)))
    });
    seen.await?.ok_or_else(|| missing("asset", id))
}

pub(super) async fn holders(
    State(app): App,
    Segment(text): Segment,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    let asset: ItemId = id(&text)?;
    look(&app, peer, move |state| {
        state.asset(asset).ok_or_else(|| missing("asset", asset))?;
        let page = paging.page(state.holdings(asset))?;
        let items = page.items.into_iter();
        Ok(Page {
            items: items
                .map(|(account, holding)| views::holder(state, asset, account, holding.shares))
                .collect(),
            next: page.next,
        })
    })
    .await
}

pub(super) async fn holdings(
    State(app): App,
    Segment(text): Segment,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    let account: Address = id(&text)?;
    look(&app, peer, move |state| {
        let all = state.assets().filter_map(|(asset, _)| {
            let holding = state.holding(asset, account)?;
            Some((asset, holding.shares))
        });
        let page = paging.page(all)?;
        let items = page.items.into_iter();
        Ok(Page {
            items: items
                .map(|(asset, shares)| views::holder(state, asset, account, shares))
                .collect(),
            next: page.next,
        })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LicenseFilter {
    asset: Option<ItemId>,
    licensee: Option<Address>,
    after: Option<String>,
    #[serde(default, deserialize_with = "number")]
    limit: Option<usize>,
}

pub(super) async fn licenses(
    State(app): App,
    Asked(filter): Asked<LicenseFilter>,
    peer: Peer,
) -> Answered<Response> {
    let paging = Paging {
        after: filter.after,
        limit: filter.limit,
    };
    look(&app, peer, move |state| {
        let wanted = state.licenses().filter(|(_, one)| {
            filter.asset.is_none_or(|asset| asset == one.asset)
                && filter.licensee.is_none_or(|who| who == one.licensee)
        });
        let wanted = wanted.map(|(id, one)| (one.height, id));
        let page = paging.newest(wanted)?;
        Ok(shown(page, |id| {
            state.license(id).map(|one| views::license(state, id, &one))
        }))
    })
    .await
}

pub(super) async fn license(
    State(app): App,
    Segment(text): Segment,
) -> Answered<Json<LicenseView>> {
    let id: ItemId = id(&text)?;
    let view = read(&app, |state| {
        state.license(id).map(|one| views::license(state, id, &one))
    });
    view.await?.map(Json).ok_or_else(|| missing("licence", id))
}

pub(super) async fn account_history(
    State(app): App,
    Segment(text): Segment,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    history(&app, peer, Subject::Account(id(&text)?), &paging).await
}

pub(super) async fn bounty_history(
    State(app): App,
    Segment(text): Segment,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    history(&app, peer, Subject::Bounty(id(&text)?), &paging).await
}

pub(super) async fn asset_history(
    State(app): App,
    Segment(text): Segment,
    Asked(paging): Asked<Paging>,
    peer: Peer,
) -> Answered<Response> {
    history(&app, peer, Subject::Asset(id(&text)?), &paging).await
}

async fn history(
    app: &Arc<Shared>,
    peer: Peer,
    subject: Subject,
    paging: &Paging,
) -> Answered<Response> {
    let from = match &paging.after {
        None => Place::BEGIN,
        Some(after) => after
            .parse::<Place>()
            .ok()
            .and_then(Place::next)
            .ok_or_else(not_an_entry)?,
    };
    let limit = paging.limit()?;
    let reader = past(app).await?;
    app.answer(peer, move || {
        let (items, more) = reader.entries(subject, from, limit)?;
        let last = items.last().filter(|_| more.is_some());
        let next = last.map(|last| {
            let (height, place) = (last.height, last.place);
            Place { height, place }.to_string()
        });
        Ok(Page { items, next })
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_any_size_are_the_list_with_the_newest_first() {
        let all: Vec<(u64, ItemId)> = (0..50u8)
            .map(|seed| (u64::from(seed.wrapping_mul(37) % 9), ItemId([seed; 32])))
            .collect();
        let mut sorted = all.clone();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        let sorted: Vec<ItemId> = sorted.into_iter().map(|(_, id)| id).collect();
        for limit in [1, 7, 25, 49, 50, 51, 1_000] {
            let (mut got, mut after, mut gone) = (Vec::new(), None, Vec::new());
            loop {
                let paging = Paging {
                    after,
                    limit: Some(limit),
                };
                // What is forgotten meanwhile is passed over, were it the one that is named.
                let page = paging.newest(all.iter().copied().filter(|one| !gone.contains(&one.1)));
                let page = page.unwrap_or_else(|_| panic!("a page"));
                assert!(page.items.len() <= limit);
                got.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
                gone.extend(got.last());
            }
            assert_eq!(got, sorted, "{limit}");
        }
        for after in ["nonsense".to_owned(), ItemId([99; 32]).to_string()] {
            let paging = Paging {
                after: Some(after),
                limit: None,
            };
            assert!(paging.newest(all.iter().copied()).is_err());
        }
    }
}
