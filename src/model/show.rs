//! Models on the log: all, one, and what one was made from.

use std::collections::{BTreeMap, BTreeSet};

use client::AssetFilter;
use protocol::api::AssetView;
use protocol::id::ItemId;
use protocol::record::AssetKind;
use serde::Serialize;

use crate::failure::Failure;
use crate::out;
use crate::session::Session;

/// The deepest lineage that is shown, and the most assets in it.
const ASSETS_MAX: usize = 1_000;

/// `lode model list`.
///
/// # Errors
/// The node cannot be asked.
pub fn list(session: &Session, maker: Option<&str>, limit: usize) -> Result<(), Failure> {
    let filter = AssetFilter {
        kind: Some(AssetKind::Model),
        maker: maker.map(|maker| session.account(maker)).transpose()?,
        ..AssetFilter::default()
    };
    let models = session.client()?.assets(&filter).take(limit);
    let models = models.collect::<Result<Vec<AssetView>, _>>()?;
    if session.json() {
        return out::json("model.list", &models);
    }
    if models.is_empty() {
        talk!("there are no models yet");
        return Ok(());
    }
    let rows = models.iter().map(|model| {
        vec![
            model.id.to_string(),
            model.name.to_string(),
            if model.bounty.is_some() {
                "bounty"
            } else {
                "registered"
            }
            .to_owned(),
            out::short(model.maker),
            model.income.to_lode_string(),
        ]
    });
    let head = ["model", "name", "from", "maker", "LODE earned"];
    out::line(&out::table(&head, &[4], rows.collect()).to_string())
}

/// `lode model show`.
///
/// # Errors
/// There is none, or the node cannot be asked.
pub fn show(session: &Session, model: &str) -> Result<(), Failure> {
    let asset = session.client()?.asset(session.asset_id(model)?)?;
    if session.json() {
        return out::json("asset", &asset);
    }
    let mut rows = vec![
        // A data set is shown too: what it earns and what waits is the same.
        vec![asset.kind.name().replace('_', " "), asset.id.to_string()],
        vec!["name".to_owned(), asset.name.to_string()],
        vec!["maker".to_owned(), asset.maker.to_string()],
        vec![
            "folder".to_owned(),
            format!("{} bytes", asset.blob.size_bytes),
        ],
        vec!["LODE earned".to_owned(), asset.income.to_lode_string()],
    ];
    if asset.self_funding_ppm > 0 {
        let part = crate::license::shares_text(asset.self_funding_ppm);
        let fund = asset.fund.to_lode_string();
        rows.push(vec![
            "fund".to_owned(),
            format!("{fund} LODE; {part} of each income"),
        ]);
    }
    if let Some(digest) = asset.weights_digest {
        rows.push(vec!["weights digest".to_owned(), digest.to_string()]);
    }
    if let Some(bounty) = asset.bounty {
        rows.push(vec!["made for bounty".to_owned(), bounty.to_string()]);
    }
    out::line(&out::table(&[], &[], rows).to_string())?;
    for sentence in &asset.sentences {
        out::line(sentence)?;
    }
    if let Some(pending) = &asset.pending {
        out::line(&format!(
            "from {} on, if nine tenths of the shares are still for it:",
            licensing::certificate::utc(pending.at_ms)
        ))?;
        for sentence in &pending.sentences {
            out::line(&format!("  {sentence}"))?;
        }
    }
    let rows = asset.offers.iter().map(|offer| {
        let price = match (offer.price, &offer.share, &offer.instead) {
            (Some(price), Some(share), _) => {
                let price = price.to_lode_string();
                format!("{price} a month in advance, and what {share} of revenue is above that")
            }
            (Some(price), None, _) if offer.months_max > 0 => {
                format!("{} a month, in advance", price.to_lode_string())
            }
            (Some(price), None, _) => price.to_lode_string(),
            (None, _, Some(instead)) => instead.clone(),
            (None, _, None) => "not sold".to_owned(),
        };
        vec![offer.grant.name().replace('_', " "), price]
    });
    out::line(&out::table(&["licence for", "LODE"], &[], rows.collect()).to_string())
}

/// One asset of a lineage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Node {
    asset: ItemId,
    name: String,
    kind: AssetKind,
    /// What it gets of every income of the model at the root, in percent.
    share: Option<String>,
    parents: Vec<Node>,
}

/// `lode model lineage`.
///
/// # Errors
/// There is none, or the node cannot be asked.
pub fn lineage(session: &Session, model: &str) -> Result<(), Failure> {
    let client = session.client()?;
    let root = client.asset(session.asset_id(model)?)?;
    let shares: BTreeMap<ItemId, String> = root.stack.iter().cloned().collect();
    let mut assets = BTreeMap::from([(root.id, root.clone())]);
    let mut wanted: BTreeSet<ItemId> = root.parents.iter().copied().collect();
    while let Some(id) = wanted.pop_first() {
        if assets.contains_key(&id) || assets.len() >= ASSETS_MAX {
            continue;
        }
        let asset = client.asset(id)?;
        wanted.extend(asset.parents.iter().copied());
        assets.insert(id, asset);
    }
    let mut count = 0;
    let Some(tree) = node(root.id, &assets, &shares, &mut count) else {
        return Err(Failure::bug("the root was fetched"));
    };
    if session.json() {
        return out::json("model.lineage", &tree);
    }
    let mut lines = Vec::new();
    draw(&tree, "", "", &mut lines);
    for line in lines {
        out::line(&line)?;
    }
    Ok(())
}

/// An ancestor by two paths is shown at both, while there is room.
fn node(
    id: ItemId,
    assets: &BTreeMap<ItemId, AssetView>,
    shares: &BTreeMap<ItemId, String>,
    count: &mut usize,
) -> Option<Node> {
    let asset = assets.get(&id)?;
    *count += 1;
    if *count > ASSETS_MAX {
        return None;
    }
    let parents = asset.parents.iter();
    Some(Node {
        asset: id,
        name: asset.name.to_string(),
        kind: asset.kind,
        share: shares.get(&id).cloned(),
        parents: parents
            .filter_map(|&parent| node(parent, assets, shares, count))
            .collect(),
    })
}

fn draw(node: &Node, first: &str, rest: &str, lines: &mut Vec<String>) {
    let share = match &node.share {
        Some(share) => format!(", gets {} % of every income", share.trim_end_matches('%')),
        None => String::new(),
    };
    let kind = node.kind.name().replace('_', " ");
    lines.push(format!(
        "{first}{} ({kind} {}){share}",
        node.name, node.asset
    ));
    for (place, parent) in node.parents.iter().enumerate() {
        let (branch, below) = match place + 1 == node.parents.len() {
            true => ("└─ ", "   "),
            false => ("├─ ", "│  "),
        };
        draw(
            parent,
            &format!("{rest}{branch}"),
            &format!("{rest}{below}"),
            lines,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lineage_is_drawn_as_a_tree() {
        let leaf = |byte: u8, name: &str, share: Option<&str>, parents: Vec<Node>| Node {
            asset: ItemId([byte; 32]),
            name: name.to_owned(),
            kind: AssetKind::Model,
            share: share.map(str::to_owned),
            parents,
        };
        let data = leaf(3, "data", Some("5%"), Vec::new());
        let base = leaf(2, "base", None, vec![data.clone()]);
        let tree = leaf(1, "model", None, vec![base, data]);
        let mut lines = Vec::new();
        draw(&tree, "", "", &mut lines);
        let id = |byte: u8| ItemId([byte; 32]);
        assert_eq!(
            lines,
            [
                format!("model (model {})", id(1)),
                format!("├─ base (model {})", id(2)),
                format!("│  └─ data (model {}), gets 5 % of every income", id(3)),
                format!("└─ data (model {}), gets 5 % of every income", id(3)),
            ]
        );
    }
}
