//! Accounts, bounties, assets, licences: one thing, a page of them, a history.

use axum::Json;
use axum::extract::{Path, State};
use protocol::api::{
    AccountView, AssetView, BountySummary, BountyView, EvaluatorView, HistoryEntry, HolderView,
    LicenseView, PAGE_DEFAULT, PAGE_MAX, Page, SubmissionView, VotesView,
};
use protocol::id::{Address, ItemId};
use protocol::receipt::Phase;
use protocol::record::AssetKind;
use protocol::statement::Subject;
use serde::Deserialize;

use super::answer::{Answered, Asked, Wrong, bad, id, missing, unavailable};
use super::records::{closed, past};
use super::{App, Shared};
use crate::derived::DerivedError;
use crate::history::{History, Place};
use crate::views;

/// What every list can be asked.
#[derive(Deserialize)]
pub(super) struct Paging {
    pub(super) after: Option<String>,
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

    /// The page of those entries that are wanted, after the one whose key's text is
    /// `after`. That one is looked for among all: it may not be wanted any more.
    fn page<T>(
        &self,
        all: impl Iterator<Item = T>,
        key: impl Fn(&T) -> String,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Answered<Page<T>> {
        let mut begun = self.after.is_none();
        let mut rest = all.filter(|one| {
            let is_after = begun;
            begun = begun || self.after.as_ref() == Some(&key(one));
            is_after && is_wanted(one)
        });
        let items: Vec<T> = rest.by_ref().take(self.limit()?).collect();
        let next = rest.next().and(items.last()).map(&key);
        drop(rest);
        if !begun {
            return Err(not_an_entry());
        }
        Ok(Page { items, next })
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

/// Asks the past for what the state has forgotten.
async fn ended<T: Send + 'static>(
    app: &Shared,
    ask: impl FnOnce(&History) -> Result<T, DerivedError> + Send + 'static,
) -> Answered<T> {
    let reader = past(app).await?;
    app.blocking(move || Ok(ask(&reader)?)).await
}

pub(super) async fn account(
    State(app): App,
    Path(text): Path<String>,
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
) -> Answered<Json<Page<EvaluatorView>>> {
    let page = read(&app, |state| {
        let key = |(address, _): &(Address, _)| address.to_string();
        let page = paging.page(state.evaluators(), key, |_| true)?;
        let items = page.items.into_iter();
        Answered::Ok(Page {
            items: items
                .map(|(address, one)| views::evaluator(state, address, one))
                .collect(),
            next: page.next,
        })
    });
    Ok(Json(page.await??))
}

#[derive(Deserialize)]
pub(super) struct BountyFilter {
    phase: Option<String>,
    sponsor: Option<Address>,
}

pub(super) async fn bounties(
    State(app): App,
    Asked(paging): Asked<Paging>,
    Asked(filter): Asked<BountyFilter>,
) -> Answered<Json<Page<BountySummary>>> {
    if let Some(text) = &filter.phase
        && !Phase::NAMES.contains(&text.as_str())
    {
        let message = format_args!("'{text:.40}' is no phase");
        let next = format!("choose one of {}", Phase::NAMES.join(", "));
        return Err(bad("phase", message, &next));
    }
    let page = read(&app, |state| {
        let mut all: Vec<BountySummary> = state
            .bounties()
            .filter_map(|(id, bounty)| {
                let (_, progress) = state.bounty(id)?;
                Some(views::summary(id, bounty, progress))
            })
            .collect();
        all.sort_by_key(|one| std::cmp::Reverse((one.posted_ms, one.id)));
        let key = |one: &BountySummary| one.id.to_string();
        paging.page(all.into_iter(), key, |one| {
            let phase = filter.phase.as_deref();
            phase.is_none_or(|phase| phase == one.phase.name())
                && filter.sponsor.is_none_or(|sponsor| one.sponsor == sponsor)
        })
    });
    Ok(Json(page.await??))
}

pub(super) async fn bounty(
    State(app): App,
    Path(text): Path<String>,
) -> Answered<Json<BountyView>> {
    let id: ItemId = id(&text)?;
    let view = match read(&app, |state| views::bounty(state, id)).await? {
        Some(view) => Some(view),
        None => ended(&app, move |history| history.ended_bounty(id)).await?,
    };
    view.map(Json).ok_or_else(|| missing("bounty", id))
}

pub(super) async fn submission(
    State(app): App,
    Path(text): Path<String>,
) -> Answered<Json<SubmissionView>> {
    let id: ItemId = id(&text)?;
    let view = match read(&app, |state| views::submission_alone(state, id)).await? {
        Some(view) => Some(view),
        None => ended(&app, move |history| history.ended_submission(id)).await?,
    };
    view.map(Json).ok_or_else(|| missing("submission", id))
}

#[derive(Deserialize)]
pub(super) struct AssetFilter {
    kind: Option<AssetKind>,
    maker: Option<Address>,
    holder: Option<Address>,
    name: Option<String>,
}

pub(super) async fn assets(
    State(app): App,
    Asked(paging): Asked<Paging>,
    Asked(filter): Asked<AssetFilter>,
) -> Answered<Json<Page<AssetView>>> {
    let page = read(&app, |state| {
        let mut all: Vec<(ItemId, &market::assets::Asset)> = state.assets().collect();
        all.sort_by_key(|(id, asset)| std::cmp::Reverse((asset.order, *id)));
        let key = |(id, _): &(ItemId, _)| id.to_string();
        let page = paging.page(all.into_iter(), key, |(id, asset)| {
            let name = filter.name.as_deref();
            filter.kind.is_none_or(|kind| kind == asset.kind)
                && filter.maker.is_none_or(|maker| maker == asset.maker)
                && name.is_none_or(|name| asset.name.as_str() == name)
                && filter
                    .holder
                    .is_none_or(|holder| state.holding(*id, holder).is_some())
        })?;
        let items = page.items.into_iter();
        Answered::Ok(Page {
            items: items
                .map(|(id, asset)| views::asset(state, id, asset))
                .collect(),
            next: page.next,
        })
    });
    Ok(Json(page.await??))
}

pub(super) async fn asset(State(app): App, Path(text): Path<String>) -> Answered<Json<AssetView>> {
    let id: ItemId = id(&text)?;
    let view = read(&app, |state| {
        state.asset(id).map(|asset| views::asset(state, id, asset))
    });
    view.await?.map(Json).ok_or_else(|| missing("asset", id))
}

pub(super) async fn votes(State(app): App, Path(text): Path<String>) -> Answered<Json<VotesView>> {
    let id: ItemId = id(&text)?;
    let view = read(&app, |state| {
        state.asset(id).map(|asset| views::votes(state, id, asset))
    });
    view.await?.map(Json).ok_or_else(|| missing("asset", id))
}

pub(super) async fn holders(
    State(app): App,
    Path(text): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answered<Json<Page<HolderView>>> {
    let asset: ItemId = id(&text)?;
    let page = read(&app, |state| {
        state.asset(asset)?;
        let all = state
            .holdings(asset)
            .map(|(account, holding)| views::holder(state, asset, account, holding.shares));
        Some(paging.page(all, |one| one.account.to_string(), |_| true))
    });
    let page = page.await?.ok_or_else(|| missing("asset", asset))?;
    Ok(Json(page?))
}

pub(super) async fn holdings(
    State(app): App,
    Path(text): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Answered<Json<Page<HolderView>>> {
    let account: Address = id(&text)?;
    let page = read(&app, |state| {
        let all = state.assets().map(|(asset, _)| {
            let holding = state.holding(asset, account);
            let shares = holding.map(|holding| holding.shares);
            (asset, shares)
        });
        let key = |(asset, _): &(ItemId, _)| asset.to_string();
        let page = paging.page(all, key, |(_, shares)| shares.is_some())?;
        let items = page.items.into_iter();
        Answered::Ok(Page {
            items: items
                .map(|(asset, shares)| views::holder(state, asset, account, shares.unwrap_or(0)))
                .collect(),
            next: page.next,
        })
    });
    Ok(Json(page.await??))
}

#[derive(Deserialize)]
pub(super) struct LicenseFilter {
    asset: Option<ItemId>,
    licensee: Option<Address>,
}

pub(super) async fn licenses(
    State(app): App,
    Asked(paging): Asked<Paging>,
    Asked(filter): Asked<LicenseFilter>,
) -> Answered<Json<Page<LicenseView>>> {
    let page = read(&app, |state| {
        let mut all: Vec<LicenseView> = state
            .licenses()
            .map(|(id, one)| views::license(state, id, &one))
            .collect();
        all.sort_by_key(|one| std::cmp::Reverse((one.height, one.id)));
        let key = |one: &LicenseView| one.id.to_string();
        paging.page(all.into_iter(), key, |one| {
            filter.asset.is_none_or(|asset| asset == one.asset)
                && filter.licensee.is_none_or(|who| who == one.licensee)
        })
    });
    Ok(Json(page.await??))
}

pub(super) async fn license(
    State(app): App,
    Path(text): Path<String>,
) -> Answered<Json<LicenseView>> {
    let id: ItemId = id(&text)?;
    let view = read(&app, |state| {
        state.license(id).map(|one| views::license(state, id, &one))
    });
    view.await?.map(Json).ok_or_else(|| missing("licence", id))
}

type Entries = Answered<Json<Page<HistoryEntry>>>;

pub(super) async fn account_history(
    State(app): App,
    Path(text): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Entries {
    history(&app, Subject::Account(id(&text)?), &paging).await
}

pub(super) async fn bounty_history(
    State(app): App,
    Path(text): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Entries {
    history(&app, Subject::Bounty(id(&text)?), &paging).await
}

pub(super) async fn asset_history(
    State(app): App,
    Path(text): Path<String>,
    Asked(paging): Asked<Paging>,
) -> Entries {
    history(&app, Subject::Asset(id(&text)?), &paging).await
}

async fn history(app: &Shared, subject: Subject, paging: &Paging) -> Entries {
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
    let mut items = app
        .blocking(move || Ok(reader.entries(subject, from, limit + 1)?))
        .await?;
    let has_more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| has_more);
    let next = last.map(|last| {
        let (height, place) = (last.height, last.place);
        Place { height, place }.to_string()
    });
    Ok(Json(Page { items, next }))
}
