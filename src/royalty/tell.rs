//! An explanation as tables for people.

use std::collections::BTreeMap;

use client::Client;
use protocol::Amount;
use protocol::id::{Address, ItemId};

use super::explain::{Explained, What};
use crate::failure::Failure;
use crate::license::shares_text;
use crate::out;

/// The names of assets, asked for once each.
struct Names<'a> {
    client: &'a Client,
    known: BTreeMap<ItemId, String>,
}

impl Names<'_> {
    fn of(&mut self, id: ItemId) -> Result<String, Failure> {
        if let Some(name) = self.known.get(&id) {
            return Ok(name.clone());
        }
        let name = format!("'{}'", self.client.asset(id)?.name);
        self.known.insert(id, name.clone());
        Ok(name)
    }
}

fn in_words(names: &mut Names<'_>, what: &What, of: ItemId) -> Result<String, Failure> {
    Ok(match what {
        What::Income {
            license,
            sold,
            price,
            others,
            set_aside,
            ..
        } => {
            let sold = match *sold == of {
                true => String::new(),
                false => format!(" of {}", names.of(*sold)?),
            };
            let mut text = format!(
                "licence {}{sold} for {}",
                out::short(license),
                price.to_lode_string()
            );
            for (place, (asset, amount)) in others.iter().enumerate() {
                text.push_str(if place == 0 { "; less " } else { " and " });
                text.push_str(&format!(
                    "{} to {}",
                    amount.to_lode_string(),
                    names.of(*asset)?
                ));
            }
            if let Some(aside) = set_aside {
                text.push_str(&format!("; {} set aside", aside.to_lode_string()));
            }
            text
        }
        What::Drawn { account, .. } => format!("the draw gave it to {}", out::short(account)),
        What::Claim { account, .. } => format!("claimed by {}", out::short(account)),
        What::Transfer { from, to, shares } => format!(
            "{} of the shares from {} to {}",
            shares_text(*shares),
            out::short(from),
            out::short(to)
        ),
    })
}

/// Prints it: what happened, who has what, whether it adds up.
///
/// # Errors
/// stdout cannot be written, or the node cannot be asked for a name.
pub fn print(client: &Client, told: &Explained, account: Option<Address>) -> Result<(), Failure> {
    out::line(&format!("'{}', {}\n", told.name, told.asset))?;
    let mut names = Names {
        client,
        known: BTreeMap::new(),
    };
    let mut rows = Vec::new();
    for step in &told.steps {
        let (earned, paid) = match &step.what {
            What::Income {
                amount,
                account_earned,
                ..
            } => (
                account_earned.or(account.is_none().then_some(*amount)),
                None,
            ),
            What::Drawn { amount, .. } => (account.map(|_| *amount), Some(*amount)),
            What::Claim { amount, .. } => (None, Some(*amount)),
            What::Transfer { .. } => (None, None),
        };
        let lode = |amount: Option<Amount>| amount.map_or(String::new(), Amount::to_lode_string);
        rows.push(vec![
            step.height.to_string(),
            out::time(step.time_ms),
            in_words(&mut names, &step.what, told.asset)?,
            lode(earned),
            lode(paid),
        ]);
    }
    let head = ["block", "time", "what", "LODE earned", "LODE claimed"];
    out::line(&out::table(&head, &[0, 3, 4], rows).to_string())?;
    let rows = told.holders.iter().map(|holder| {
        vec![
            holder.account.to_string(),
            shares_text(holder.shares),
            holder.earned.to_lode_string(),
            holder.claimed.to_lode_string(),
            holder.owed.to_lode_string(),
        ]
    });
    let head = [
        "holder",
        "share",
        "LODE earned",
        "LODE claimed",
        "LODE owed",
    ];
    out::line(&format!(
        "\n{}",
        out::table(&head, &[1, 2, 3, 4], rows.collect())
    ))?;
    out::line(&format!(
        "\nearned {} − claimed {} = unclaimed {}, of which {} did not divide and waits for the next income",
        told.income.to_lode_string(),
        told.claimed.to_lode_string(),
        told.unclaimed.to_lode_string(),
        told.remainder.to_lode_string()
    ))?;
    told.statement.print()?;
    match told.adds_up {
        true => out::line("every holder is owed what the node says, to the last unit"),
        false => Ok(()),
    }
}
