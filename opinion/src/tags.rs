//! What terms ask for, read off the words of their tags (`docs/rules.md`, and the Universal Data License): prices, and
//! what a parent is owed. Whether tags are well written is for whoever parses them.

use licensing::Terms;
use protocol::record::{AssetKind, Grant};

use crate::model::Refused;
use crate::money::Units;

/// Billionths of a percent in a whole.
pub const WHOLE: u64 = 100_000_000_000;

/// What a use costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// No money.
    Nothing,
    /// That what is made has these terms too.
    ItsTerms,
    /// A price, once.
    Once(Units),
    /// A price for each month.
    EachMonth(Units),
    /// A part of what is earned, in billionths of a percent.
    Part(u64),
}

/// A decimal number, in units of which `digits` decimals make one.
fn decimal(text: &str, digits: usize) -> Units {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let padded = format!("{whole}{fraction:0<digits$}");
    padded.parse().expect("terms are well written")
}

/// What the tag of this name asks for; none: it is not there.
pub fn asked(terms: &Terms, name: &str) -> Option<Asked> {
    let tags = terms.to_tags();
    let value = &tags.iter().find(|tag| tag.name == name)?.value;
    let rest = match value.strip_prefix("Allowed") {
        Some("" | "-With-Credit" | "-With-Indication") => return Some(Asked::Nothing),
        Some("-With-License-Passthrough") => return Some(Asked::ItsTerms),
        Some(rest) => rest.trim_start_matches("-With-").trim_start_matches("Fee-"),
        None => value,
    };
    let (kind, number) = rest.rsplit_once('-').expect("terms are well written");
    Some(match kind {
        "One-Time" => Asked::Once(decimal(number, 24)),
        "Monthly" => Asked::EachMonth(decimal(number, 24)),
        "RevenueShare" => {
            let percent = number.strip_suffix('%').expect("terms are well written");
            Asked::Part(decimal(percent, 9).try_into().expect("at most a whole"))
        }
        other => panic!("terms ask for '{other}'"),
    })
}

/// What a licence for this use costs.
///
/// # Errors
/// It is not granted, or nothing is to be bought.
pub fn price(terms: &Terms, grant: Grant) -> Result<Asked, Refused> {
    let name = match grant {
        Grant::Access => "Access-Fee",
        Grant::Derivation => "Derivation",
        Grant::CommercialUse => "Commercial-Use",
        Grant::DataModelTraining => "Data-Model-Training",
    };
    match asked(terms, name) {
        None if grant != Grant::Access => Err("not_granted"),
        None | Some(Asked::Nothing | Asked::ItsTerms) => Err("nothing_to_buy"),
        Some(Asked::Part(_)) if grant == Grant::Derivation => Err("paid_by_child"),
        Some(price) => Ok(price),
    }
}

/// What a parent of these terms is owed of what its child earns, if anything.
///
/// # Errors
/// Its terms do not let this child be made.
pub fn owed_to_parent(
    (parent, kind): (&Terms, AssetKind),
    (child, child_kind): (&Terms, AssetKind),
) -> Result<Option<u64>, Refused> {
    let derivation = asked(parent, "Derivation");
    let part = match derivation {
        Some(Asked::Part(part)) => Some(part),
        _ => None,
    };
    let is_trained = (kind, child_kind) == (AssetKind::DataSet, AssetKind::Model);
    let wanted = match is_trained {
        true => asked(parent, "Data-Model-Training"),
        false => derivation,
    };
    let either = |training, derivation| Err(if is_trained { training } else { derivation });
    match wanted {
        None => either("training_not_granted", "derivation_not_granted"),
        Some(Asked::Once(_)) => either("training_fee_not_yet", "derivation_fee_not_yet"),
        Some(Asked::EachMonth(_)) => either(
            "training_monthly_fee_not_yet",
            "derivation_monthly_fee_not_yet",
        ),
        Some(Asked::ItsTerms) if parent.to_tags() != child.to_tags() => Err("terms_not_passed_on"),
        Some(Asked::Nothing | Asked::ItsTerms | Asked::Part(_)) => Ok(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_whole_units() {
        assert_eq!(decimal("12.5", 9), Units::from(12_500_000_000u64));
        assert_eq!(decimal("0.000000001", 9), Units::from(1));
        assert_eq!(decimal("100", 9), Units::from(WHOLE));
    }

    #[test]
    fn words_are_prices() {
        let fee = licensing::Fee::new(protocol::Amount::from_base_units(7)).expect("above zero");
        let terms = Terms {
            access_fee: Some(fee),
            derivation: Some(licensing::Derivation::RevenueShare(
                "12.5%".parse().expect("a percentage"),
            )),
            commercial_use: Some(licensing::CommercialUse::FeeMonthly(fee)),
            data_model_training: Some(licensing::DataModelTraining::FeeOneTime(fee)),
            ..Terms::default()
        };
        let seven = Units::from(7);
        let prices = [
            (Grant::Access, Ok(Asked::Once(seven.clone()))),
            (Grant::Derivation, Err("paid_by_child")),
            (Grant::CommercialUse, Ok(Asked::EachMonth(seven.clone()))),
            (Grant::DataModelTraining, Ok(Asked::Once(seven))),
        ];
        for (grant, expected) in prices {
            assert_eq!(price(&terms, grant), expected, "{grant:?}");
        }
        let model = (&terms, AssetKind::Model);
        assert_eq!(owed_to_parent(model, model), Ok(Some(12_500_000_000)));
        let data = (&terms, AssetKind::DataSet);
        assert_eq!(owed_to_parent(data, model), Err("training_fee_not_yet"));
    }
}
