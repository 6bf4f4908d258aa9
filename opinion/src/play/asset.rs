//! What people do with assets: register, buy, vote, declare.

use super::*;

impl<L: Ledger> Play<L> {
    pub(super) fn register(&mut self, who: u8, shape: u16, terms_shape: u16) -> Result<(), String> {
        let choose = |what: &str| choice(shape, what);
        let kind = match choose("kind") & 1 {
            0 => AssetKind::Model,
            _ => AssetKind::DataSet,
        };
        let nonce = self.model.nonce(person(who));
        let label = match choose("weights") & 3 {
            0 => vec![(choose("known weights") & 3) as u8],
            _ => [&person(who).0[..], &nonce.to_le_bytes()].concat(),
        };
        let weights = Digest(hash("weights", &[&label]));
        let mut parents: Vec<ItemId> = Vec::new();
        for what in ["first parent", "second parent"] {
            let how = choice(terms_shape, what);
            if how & 1 == 1 {
                parents.extend(self.asset((how >> 1) as u8));
            }
        }
        if choose("no parent") % 64 == 0 {
            parents.push(ItemId([7; 32]));
        }
        parents.sort_unstable();
        if choose("parents twice") & 7 != 0 {
            parents.dedup();
        }
        let holder = |who: u8, shares| Holder {
            account: person(who),
            shares,
        };
        let holders = match choose("holders") & 15 {
            0 => vec![holder(1, 999_999), holder(17, 1)],
            1 => vec![holder(9, 333_333), holder(2, 333_333), holder(16, 333_334)],
            2 => vec![holder(9, 500_000), holder(9, 500_000)],
            3 => vec![holder(9, 1_000_000), holder(3, 0)],
            4 => vec![holder(9, 999_999)],
            5 => vec![holder(9, u32::MAX), holder(3, 2_000_000)],
            6 => vec![holder(who, 400_000), holder(who.wrapping_add(1), 600_000)],
            _ => Vec::new(),
        };
        let set_aside = choose("set aside");
        let body = RegisterAsset {
            kind,
            name: name("asset"),
            archive: BlobRef {
                id: BlobId(weights.0),
                size_bytes: 10,
            },
            weights_digest: match (kind, choose("digest") & 15) {
                (AssetKind::Model, 0) | (AssetKind::DataSet, 1..) => None,
                _ => Some(weights),
            },
            parents,
            holders,
            self_funding_ppm: match set_aside & 15 {
                15 => 200_001,
                some => [0, 200_000, 1, 77_777][usize::from(some & 3)],
            },
        };
        let mut tags = terms(terms_shape).to_tags();
        match choose("tags") & 31 {
            0 => tags.reverse(),
            1 => tags.clear(),
            _ => {}
        }
        self.send(who, Action::RegisterAsset { terms: tags, body })?;
        Ok(())
    }

    pub(super) fn buy(&mut self, who: u8, asset: ItemId, shape: u8) -> Result<(), String> {
        let terms = self.model.assets[&asset].terms.clone();
        let grants = Grant::ALL
            .into_iter()
            .filter(|grant| terms.quote(*grant).is_ok());
        let for_sale: Vec<Grant> = grants.collect();
        let grant = match usize::from(shape).checked_rem(for_sale.len()) {
            Some(at) if shape < 230 => for_sale[at],
            _ => Grant::ALL[usize::from(shape % 4)],
        };
        let quote = terms.quote(grant).ok();
        let months = match quote {
            Some(quote) if quote.months_max > 0 => match shape >> 2 & 15 {
                0 => [0, 24, 25, 120, 121][usize::from(who % 5)],
                count => u32::from(count % 5) + 1,
            },
            _ => u32::from(shape >> 2 & 31 == 31),
        };
        let minimum = self.model.parameters.revenue_minimum;
        let unit = quote.map_or(Amount::MAX, |quote| quote.price.unit(minimum));
        let price = unit.checked_mul(u128::from(months.max(1)));
        let price = price.unwrap_or(Amount::MAX);
        let price_max = match shape >> 3 & 15 {
            0 => price.checked_sub(units(1)).unwrap_or(price),
            1..=7 => price,
            _ => Amount::MAX,
        };
        let body = BuyLicense {
            grant,
            terms: match shape & 63 {
                63 => Digest([9; 32]),
                _ => terms.id(),
            },
            price_max,
            months,
        };
        self.send(who, Action::BuyLicense { asset, body })?;
        Ok(())
    }

    /// A word on terms: mostly in the neighbourhood of those in force, and often what
    /// somebody else has voted for.
    pub(super) fn vote(&mut self, who: u8, asset: ItemId, shape: u16) -> Result<(), String> {
        let holder = self.holder(asset, who);
        let known = &self.model.assets[&asset];
        let mut wanted = known.terms.clone();
        let ballots: Vec<Terms> = known
            .votes
            .ballots
            .values()
            .map(|it| it.0.clone())
            .collect();
        let fee = |amount: u128| Fee::new(units(amount)).expect("above zero");
        match shape & 15 {
            0..=3 => {
                let at = usize::from(shape >> 4).checked_rem(ballots.len());
                let other = at.map(|at| ballots[at].clone());
                wanted = other.unwrap_or_else(|| wanted.revoked());
            }
            4 => wanted = wanted.revoked(),
            5 => wanted.derivation = Some(Derivation::Allowed),
            6 | 7 => {
                let price = fee(u128::from(shape >> 4 & 7) * 300_001 + 1);
                wanted.commercial_use = Some(CommercialUse::FeeOneTime(price));
            }
            8 => wanted.access_fee = (shape >> 4 & 1 == 0).then(|| fee(7)),
            9 => wanted.expiry_years = std::num::NonZeroU32::new(u32::from(shape >> 4 & 3)),
            10 => {
                let share = u64::from(shape >> 4 & 7) * 5_000_000_000 + 1;
                let share = Percent::from_billionths(share).expect("at most a whole");
                wanted.derivation = Some(Derivation::RevenueShare(share));
            }
            11 => wanted.data_model_training = None,
            12 => {}
            _ => {
                let payment_mode = match shape >> 8 & 7 {
                    0 => PaymentMode::RandomDistribution,
                    _ => wanted.payment_mode,
                };
                wanted = terms(shape >> 4);
                wanted.payment_mode = payment_mode;
            }
        }
        let mut asset = asset;
        let mut tags = wanted.to_tags();
        match choice(shape, "tags") & 63 {
            0 => tags.reverse(),
            1 => tags.clear(),
            2 => tags = terms(13).to_tags(),
            3 => asset = ItemId(hash("nothing", &[])),
            _ => {}
        }
        let terms = tags;
        self.send_as(holder, Action::VoteTerms { asset, terms }, |_| {})?;
        Ok(())
    }

    /// A word on a month's revenue: mostly the licensee's, on the next month, when it is over.
    pub(super) fn declare(&mut self, number: u8, who: u8, shape: u16) -> Result<(), String> {
        let licenses = self.model.licenses.iter();
        let owing = licenses.filter(|it| it.owes_a_word() || number >= 230);
        let owing: Vec<_> = owing.collect();
        let chosen = usize::from(number).checked_rem(owing.len());
        let Some(license) = chosen.map(|at| owing[at].clone()) else {
            return Ok(());
        };
        let over_ms = self.model.next_period_over_ms(&license);
        if shape & 3 != 0 && over_ms > self.model.time_ms {
            self.wait(over_ms - self.model.time_ms)?;
        }
        let next = license.declared.len() as u32 + 1;
        let period = match shape >> 2 & 15 {
            0 => next + 1,
            1 => next - 1,
            _ => next,
        };
        let amounts = [0, 1, 10_007, 30_021, 30_025, 4_000_003, u128::MAX];
        let revenue = units(amounts[usize::from(shape >> 6) % amounts.len()]);
        let body = DeclareRevenue { period, revenue };
        let signer = match who {
            240.. => person(who),
            _ => license.licensee,
        };
        let license = match number {
            255 => ItemId(hash("nothing", &[])),
            _ => license.id,
        };
        self.send_as(signer, Action::DeclareRevenue { license, body }, |_| {})?;
        Ok(())
    }
}
