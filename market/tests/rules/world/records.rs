//! Terms and actions.

use protocol::ItemId;
use protocol::ans104::Tag;
use protocol::record::*;
use protocol::report::TestOutcome;

use super::{address, blob, digest, name, units};

/// Terms that ask `price` units for each grant.
pub fn priced(price: u128) -> Vec<Tag> {
    let fee = licensing::Fee::new(units(price)).expect("above zero");
    licensing::presets::one_time(fee).to_tags()
}

/// Terms for which descendants owe `percent` of their income; business use costs `price`.
pub fn sharing(percent: &str, price: u128) -> Vec<Tag> {
    let fee = licensing::Fee::new(units(price)).expect("above zero");
    licensing::Terms {
        derivation: Some(licensing::Derivation::RevenueShare(
            percent.parse().expect("a percentage"),
        )),
        commercial_use: Some(licensing::CommercialUse::FeeOneTime(fee)),
        data_model_training: Some(licensing::DataModelTraining::Allowed),
        payment_mode: licensing::PaymentMode::GlobalDistribution,
        ..licensing::Terms::default()
    }
    .to_tags()
}

/// The same terms, but each income goes to one holder.
pub fn drawn(terms: &[Tag]) -> Vec<Tag> {
    licensing::Terms {
        payment_mode: licensing::PaymentMode::RandomDistribution,
        ..licensing::Terms::parse(terms).expect("terms")
    }
    .to_tags()
}

pub fn pairs(tags: &[Tag]) -> Vec<(String, String)> {
    tags.iter()
        .map(|tag| (tag.name.clone(), tag.value.clone()))
        .collect()
}

pub fn named(required: &[ItemId], optional: &[ItemId]) -> Vec<NamedParent> {
    let with = |required| move |&asset: &ItemId| NamedParent { asset, required };
    let mut parents: Vec<NamedParent> = required.iter().map(with(true)).collect();
    parents.extend(optional.iter().map(with(false)));
    parents.sort_unstable_by_key(|parent| parent.asset);
    parents
}

pub fn transfer(to: &str, amount: u128) -> Action {
    Action::Transfer {
        to: address(to),
        body: Transfer {
            amount: units(amount),
        },
    }
}

pub fn join(stake: u128) -> Action {
    Action::JoinEvaluators {
        body: JoinEvaluators {
            stake: units(stake),
        },
    }
}

pub fn back(bounty: ItemId, amount: u128) -> Action {
    Action::BackBounty {
        bounty,
        body: BackBounty {
            amount: units(amount),
        },
    }
}

pub fn found(bounty: ItemId, outcome: TestOutcome) -> Action {
    let body = AttestTestSet { outcome };
    Action::AttestTestSet { bounty, body }
}

pub fn cancel(bounty: ItemId) -> Action {
    Action::CancelBounty { bounty }
}

pub fn claim(asset: ItemId) -> Action {
    Action::ClaimRoyalty { asset }
}

pub fn model(label: &str, terms: Vec<Tag>, parents: &[ItemId]) -> Action {
    let mut parents = parents.to_vec();
    parents.sort_unstable();
    Action::RegisterAsset {
        terms,
        body: RegisterAsset {
            kind: AssetKind::Model,
            name: name(label),
            archive: blob(label),
            weights_digest: Some(digest(label)),
            parents,
            holders: Vec::new(),
            self_funding_ppm: 0,
        },
    }
}

/// The same asset, held by these.
pub fn held_by(mut action: Action, holders: &[(&str, u32)]) -> Action {
    if let Action::RegisterAsset { body, .. } = &mut action {
        let held = holders.iter().map(|(who, shares)| Holder {
            account: address(who),
            shares: *shares,
        });
        body.holders = held.collect();
    }
    action
}

pub fn data_set(label: &str, terms: Vec<Tag>) -> Action {
    Action::RegisterAsset {
        terms,
        body: RegisterAsset {
            kind: AssetKind::DataSet,
            name: name(label),
            archive: blob(label),
            weights_digest: None,
            parents: Vec::new(),
            holders: Vec::new(),
            self_funding_ppm: 0,
        },
    }
}

pub fn transfer_shares(asset: ItemId, to: &str, shares: u32) -> Action {
    Action::TransferShares {
        asset,
        body: TransferShares {
            to: address(to),
            shares,
        },
    }
}

pub fn vote(asset: ItemId, terms: &[Tag]) -> Action {
    Action::VoteTerms {
        asset,
        terms: terms.to_vec(),
    }
}

/// The terms that grant nothing.
pub fn revoked() -> Vec<Tag> {
    let terms = licensing::Terms::parse(&priced(1)).expect("terms");
    terms.revoked().to_tags()
}
