//! Acts 8 and 9: a licence, and everyone's part of it.

use super::*;

impl Play<'_> {
    pub(super) fn license(&mut self) -> Result<(), Failure> {
        self.story.act("A company buys a licence");
        let asset = self.winner()?;
        let row = self
            .world
            .state()
            .asset(asset)
            .ok_or_else(|| Failure::bug("no winning model"))?;
        let ancestors: Vec<String> = row
            .stack
            .entries()
            .iter()
            .map(|(ancestor, share)| format!("'{}' ({share})", self.asset_name(*ancestor)))
            .collect();
        let (terms, grant) = (row.terms.clone(), Grant::CommercialUse);
        let price = terms.quote(grant).map_err(Failure::bug)?.price;
        let price = price.unit(self.world.state().parameters().revenue_minimum);
        let body = BuyLicense {
            grant,
            terms: terms.id(),
            price_max: price,
            months: 0,
        };
        let id = self
            .world
            .send(Who::Licensee, &Action::BuyLicense { asset, body })?;
        let receipts = self.world.applied_block()?;
        self.story.say(&format!(
            "Studying the model is free; Lumen wants to use it in business, which by the model's terms \
             costs one payment of {} LODE. Lumen names these terms and that price; one record takes the \
             payment, divides it and is the licence:",
            lode_text(price)
        ));
        self.write_license(id, &terms, price)?;
        let rows = self.moves(&receipts);
        self.story.table(&["from", "to", "LODE", "why"], &[2], rows);
        self.story.say(&format!(
            "The model descends from {}; these shares come first, of the whole price. The rest is \
             income of its holders. Lumen's copy of the licence is in people/Lumen/license.txt.",
            ancestors.join(" and from ")
        ));
        Ok(())
    }

    /// Leaves the licensee a copy to read; the record on the log is the licence.
    pub(super) fn write_license(
        &self,
        id: ItemId,
        terms: &Terms,
        price: Amount,
    ) -> Result<(), Failure> {
        let state = self.world.state();
        let license = state
            .license(id)
            .ok_or_else(|| Failure::bug("no licence was sold"))?;
        let tags: Vec<String> = terms
            .to_tags()
            .iter()
            .map(|tag| format!("  {}: {}", tag.name, tag.value))
            .collect();
        let text = format!(
            "Licence    {id}\nModel      {} ({})\nLicensee   {} ({})\nGrant      {}\n\
             Paid       {} LODE\nTerms      {}\nOn the log network {}, block {}\n\n\
             What the terms say\n  {}\n\nThe terms as tags of the Universal Data License\n{}\n",
            self.asset_name(license.asset),
            license.asset,
            self.world.name_of(license.licensee),
            license.licensee,
            license.grant.name(),
            lode_text(price),
            license.terms,
            state.network(),
            license.height,
            terms.sentences().join("\n  "),
            tags.join("\n"),
        );
        let dir = self.person(Who::Licensee);
        let path = dir.join("license.txt");
        std::fs::create_dir_all(&dir)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|error| Failure::io(&path, &error))
    }

    pub(super) fn claim(&mut self) -> Result<(), Failure> {
        self.story.act("Everyone claims");
        let assets = [self.winner()?, self.base, self.data];
        let mut rows = Vec::new();
        for asset in assets {
            for (who, name, _) in CAST {
                let owed = self.world.state().owed(asset, self.world.address(who));
                if owed.is_zero() {
                    continue;
                }
                self.world.send(who, &Action::ClaimRoyalty { asset })?;
                self.claimed.insert((asset, who), owed);
                rows.push(vec![
                    name.to_owned(),
                    self.asset_name(asset),
                    lode_text(owed),
                ]);
            }
        }
        self.world.applied_block()?;
        self.story
            .table(&["holder", "asset", "LODE claimed"], &[2], rows);
        Ok(())
    }
}
