//! Assets: models and data sets under licence terms, with parents and holders.
//!
//! Parents are older than their child, because they must exist when it is
//! registered, so lineage has no cycle. Parents and the royalty stack are frozen, at
//! registration for an import, at commitment for a submission; the terms are those
//! of that moment until holders vote for others ([`crate::terms`]).

use borsh::{BorshDeserialize, BorshSerialize};
use licensing::{PaymentMode, Percent, RoyaltyStack, Terms, check_derivation};
use protocol::ans104::Tag;
use protocol::receipt::Event;
use protocol::record::{
    AssetKind, BlobRef, HOLDERS_MAX, Holder, PARENTS_MAX, RegisterAsset, SHARES_PER_ASSET,
    Transaction,
};
use protocol::text::Name;
use protocol::{Address, Digest, ItemId};

use crate::funds;
use crate::rejection::Rejection;
use crate::royalties::{Holding, Pool};
use crate::state::State;

/// A registered model or data set.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Asset {
    /// What it is.
    pub kind: AssetKind,
    /// What people call it.
    pub name: Name,
    /// Who made it: the signer of the record that it is named by.
    pub maker: Address,
    /// Its folder: an archive, or the ciphertext of one.
    pub blob: BlobRef,
    /// The key of that ciphertext; `None`: the blob is the archive itself.
    pub key: Option<[u8; 32]>,
    /// A model's weights digest.
    pub weights_digest: Option<Digest>,
    /// The bounty it was made for, if it was.
    pub bounty: Option<ItemId>,
    /// Its licence terms.
    pub terms: Terms,
    /// What it was made from.
    pub parents: Vec<ItemId>,
    /// What its ancestors get of all that it earns.
    pub stack: RoyaltyStack,
    /// Where on the log it was registered, or, for a bounty's model, committed.
    pub order: Order,
    /// What it sets aside of each income, in millionths.
    pub self_funding_ppm: u32,
}

/// A place on the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Order {
    /// The height of the block.
    pub height: u64,
    /// The place of the record's receipt in it.
    pub place: u32,
}

/// Whose some weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct WeightsClaim {
    pub(crate) asset: ItemId,
    /// Where they were registered, or, for a bounty's model, committed.
    pub(crate) order: Order,
}

impl State {
    /// An asset by its id.
    pub fn asset(&self, id: ItemId) -> Option<&Asset> {
        self.tables.assets.get(&id)
    }

    /// All assets, by id.
    pub fn assets(&self) -> impl Iterator<Item = (ItemId, &Asset)> {
        self.tables.assets.iter().map(|(&id, asset)| (id, asset))
    }

    pub(crate) fn need_asset(&self, id: ItemId) -> Result<&Asset, Rejection> {
        self.asset(id).ok_or(Rejection::UnknownAsset(id))
    }
}

/// Reads licence tags that must be canonical and pay the holders.
pub(crate) fn read_terms(tags: &[Tag]) -> Result<Terms, Rejection> {
    let terms = Terms::parse(tags)?;
    if terms.payment_mode == PaymentMode::Signer {
        return Err(Rejection::PaymentMode);
    }
    if terms.to_tags() != tags {
        return Err(Rejection::TermsNotCanonical);
    }
    Ok(terms)
}

/// A parent's own share of gross, by its terms; `None`: they ask for none.
pub type ParentShare = (ItemId, Option<Percent>);

/// Checks that a child of this kind under `terms` may be made from `parents`, and gives what each of
/// them asks for itself.
pub(crate) fn shares_of(
    state: &State,
    parents: &[ItemId],
    terms: &Terms,
    kind: AssetKind,
) -> Result<Vec<ParentShare>, Rejection> {
    let share = |&parent| Ok((parent, share_of(state, parent, terms, kind)?));
    parents.iter().map(share).collect()
}

/// The same of one parent.
pub(crate) fn share_of(
    state: &State,
    parent: ItemId,
    terms: &Terms,
    kind: AssetKind,
) -> Result<Option<Percent>, Rejection> {
    let asset = state.need_asset(parent)?;
    check_derivation(&asset.terms, asset.kind, terms, kind)
        .map_err(|refusal| Rejection::Derivation { parent, refusal })
}

/// The stack of a child whose parents get these shares.
pub(crate) fn stack_of(state: &State, shares: &[ParentShare]) -> Result<RoyaltyStack, Rejection> {
    let mut owed: Vec<(ItemId, Option<Percent>, &RoyaltyStack)> = Vec::new();
    for &(parent, share) in shares {
        owed.push((parent, share, &state.need_asset(parent)?.stack));
    }
    Ok(RoyaltyStack::merge(&owed)?)
}

/// Parents are few, each once, in ascending order.
pub(crate) fn check_parents(parents: &[ItemId]) -> Result<(), Rejection> {
    let ordered = parents.windows(2).all(|pair| pair[0] < pair[1]);
    if parents.len() > PARENTS_MAX || !ordered {
        return Err(Rejection::Parents { limit: PARENTS_MAX });
    }
    Ok(())
}

/// Registers what exists already.
pub(crate) fn register(
    state: &mut State,
    tx: &Transaction,
    tags: &[Tag],
    body: &RegisterAsset,
) -> Result<(), Rejection> {
    let terms = read_terms(tags)?;
    if (body.kind == AssetKind::Model) != body.weights_digest.is_some() {
        return Err(Rejection::WeightsDigest);
    }
    funds::check_part(body.self_funding_ppm)?;
    check_parents(&body.parents)?;
    let stack = stack_of(state, &shares_of(state, &body.parents, &terms, body.kind)?)?;
    let whole = [Holder {
        account: tx.signer,
        shares: SHARES_PER_ASSET,
    }];
    let holders = if body.holders.is_empty() {
        &whole
    } else {
        &body.holders[..]
    };
    check_holders(holders)?;
    state.lock_deposit(tx)?;
    let claim = body
        .weights_digest
        .and_then(|digest| state.tables.weights.get(&digest));
    if let Some(claim) = claim {
        return Err(Rejection::WeightsTaken(claim.asset));
    }
    let asset = Asset {
        kind: body.kind,
        name: body.name.clone(),
        maker: tx.signer,
        blob: body.archive,
        key: None,
        weights_digest: body.weights_digest,
        bounty: None,
        terms,
        parents: body.parents.clone(),
        stack,
        order: state.order(),
        self_funding_ppm: body.self_funding_ppm,
    };
    insert(state, tx.id, asset, holders);
    Ok(())
}

fn check_holders(holders: &[Holder]) -> Result<(), Rejection> {
    let mut accounts: Vec<Address> = holders.iter().map(|holder| holder.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let sum = holders.iter().map(|holder| u64::from(holder.shares)).sum();
    let whole = accounts.len() == holders.len()
        && holders.len() <= HOLDERS_MAX
        && holders.iter().all(|holder| holder.shares > 0)
        && sum == u64::from(SHARES_PER_ASSET);
    if whole {
        Ok(())
    } else {
        Err(Rejection::Shares {
            sum,
            whole: SHARES_PER_ASSET,
        })
    }
}

/// Puts a new asset into the state. Its weights are its own from now on, unless they are claimed: a submission
/// claimed its own when it was ranked, and what was committed before it may have taken that claim since.
pub(crate) fn insert(state: &mut State, id: ItemId, asset: Asset, holders: &[Holder]) {
    if let Some(digest) = asset.weights_digest {
        let order = asset.order;
        if state.tables.weights.get(&digest).is_none() {
            let claim = WeightsClaim { asset: id, order };
            state.tables.weights.put(digest, claim);
        }
    }
    state.tables.assets.put(id, asset);
    state.tables.pools.put(id, Pool::default());
    for holder in holders {
        let holding = Holding {
            shares: holder.shares,
            ..Holding::default()
        };
        state.tables.holdings.put((id, holder.account), holding);
    }
    state.events.push(Event::AssetRegistered { asset: id });
}
