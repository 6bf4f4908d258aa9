//! Assets: stacks, holdings, income. What a holder may claim is summed over
//! every payment since the asset began.

use std::collections::{BTreeMap, BTreeSet};

use licensing::{PaymentMode, Terms};
use num_bigint::{BigInt, Sign};
use num_rational::BigRational;
use protocol::ans104::Tag;
use protocol::receipt::{Cause, Event, Purse, Rule};
use protocol::record::{AssetKind, RegisterAsset, Transaction, TransferShares};
use protocol::{Address, Digest, ItemId};
use sha2::{Digest as _, Sha256};

use crate::limits::{
    HOLDERS_MAX, PARENTS_MAX, SELF_FUNDING_PPM_MAX, SHARES_PER_ASSET, STACK_ENTRIES_MAX,
};
use crate::model::{Model, Place, Refused};
use crate::money::{Units, ratio};
use crate::tags::{WHOLE, owed_to_parent};
use crate::votes::Votes;

/// Ancestors and their shares of gross, in billionths of a percent.
pub type Stack = BTreeMap<ItemId, u64>;

/// Something that happened to an asset's shares or income.
#[derive(Clone, Debug)]
pub enum Happening {
    /// Somebody's shares changed by so many.
    Shares(Address, i64),
    /// An income joined the index.
    Income(Units),
    /// A holder was paid.
    Claimed(Address, Units),
}

/// An asset, and all that ever happened to it.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Model or data set.
    pub kind: AssetKind,
    /// Its terms.
    pub terms: Terms,
    /// A model's weights.
    pub weights: Option<Digest>,
    /// Where the record that made it stands on the log.
    pub place: Place,
    /// What its ancestors get.
    pub stack: Stack,
    /// What it was made from.
    pub parents: Vec<ItemId>,
    /// In order.
    pub happenings: Vec<Happening>,
    /// What its holders want it to be under.
    pub votes: Votes,
    /// What it sets aside of each income, in millionths.
    pub self_funding_ppm: u32,
    /// The transfers that made holdings, by holder, and who signed them.
    pub deposits: BTreeMap<Address, (ItemId, Address)>,
}

impl Asset {
    /// Who holds how many shares, those with none left out.
    pub fn holdings(&self) -> BTreeMap<Address, i64> {
        let mut held: BTreeMap<Address, i64> = BTreeMap::new();
        for happening in &self.happenings {
            if let Happening::Shares(who, change) = happening {
                *held.entry(*who).or_default() += change;
            }
        }
        held.retain(|_, shares| *shares != 0);
        held
    }

    /// What a holder could claim: for every income, the shares then held times
    /// the whole units a share that it brought, less what was claimed.
    pub fn owed(&self, holder: Address) -> Units {
        let all = Units::from(SHARES_PER_ASSET);
        let (mut held, mut income, mut owed) = (0i64, Units::from(0), Units::from(0));
        for happening in &self.happenings {
            match happening {
                Happening::Shares(who, change) if *who == holder => held += change,
                Happening::Income(amount) => {
                    let before = &income / &all;
                    income += amount;
                    owed += (&income / &all - before) * held;
                }
                Happening::Claimed(who, amount) if *who == holder => owed -= amount,
                _ => {}
            }
        }
        owed
    }

    /// Everyone who ever held a share.
    pub fn holders_ever(&self) -> BTreeSet<Address> {
        let ever = self
            .happenings
            .iter()
            .filter_map(|happening| match happening {
                Happening::Shares(who, _) => Some(*who),
                _ => None,
            });
        ever.collect()
    }

    /// Shows that what the index pays is what the exact claims allow: all
    /// claims and the remainder are the income, and what a holder got is the
    /// exact rational claim on every payment, less the part of it that the
    /// payment added to the remainder.
    pub fn check_exactly(&self) {
        let all = Units::from(SHARES_PER_ASSET);
        let mut income = Units::from(0);
        let mut claimed = Units::from(0);
        for happening in &self.happenings {
            match happening {
                Happening::Income(amount) => income += amount,
                Happening::Claimed(_, amount) => claimed += amount,
                Happening::Shares(..) => {}
            }
        }
        let owed: Units = self.holders_ever().iter().map(|who| self.owed(*who)).sum();
        let remainder = &income - &claimed - owed;
        assert_eq!(remainder, &income % &all, "every unit has its owner");
        for holder in self.holders_ever() {
            let mut held = 0i64;
            let mut income = Units::from(0);
            let mut exact = BigRational::from(BigInt::from(0));
            let mut paid = BigRational::from(self.owed(holder));
            for happening in &self.happenings {
                match happening {
                    Happening::Shares(who, change) if *who == holder => held += change,
                    Happening::Income(amount) => {
                        exact += BigRational::new(amount * held, all.clone());
                        let before = &income % &all;
                        income += amount;
                        let carried = (&income % &all - before) * held;
                        paid += BigRational::new(carried, all.clone());
                    }
                    Happening::Claimed(who, amount) if *who == holder => {
                        paid += BigRational::from(amount.clone());
                    }
                    _ => {}
                }
            }
            assert_eq!(paid, exact, "a floor, and the remainder carried on");
        }
    }
}

/// An income that waits for a holder to be drawn: in the order of these.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Distribution {
    /// Height of the block that it came in with.
    pub height: u64,
    /// Whose.
    pub asset: ItemId,
    /// The payment.
    pub payment: ItemId,
    /// How much.
    pub amount: Units,
}

/// A hash as a big-endian number, modulo `modulus`.
pub fn draw_below(bytes: &[u8], modulus: &Units) -> Units {
    let hash = Sha256::digest(bytes);
    BigInt::from_bytes_be(Sign::Plus, &hash) % modulus
}

/// The terms that tags state, if they are canonical and pay the holders.
pub fn good_terms(tags: &[Tag]) -> Result<Terms, Refused> {
    let terms = Terms::parse(tags).map_err(|error| error.code())?;
    if terms.payment_mode == PaymentMode::Signer {
        return Err("payment_mode");
    }
    if terms.to_tags() != tags {
        return Err("terms_not_canonical");
    }
    Ok(terms)
}

/// What is left of an income when the stack is paid, exactly.
pub fn left_by(stack: &Stack) -> BigRational {
    let whole = BigInt::from(WHOLE);
    let owed: BigInt = stack.values().map(|share| BigInt::from(*share)).sum();
    BigRational::new(&whole - owed, whole)
}

impl Model {
    /// The stack of a child of this kind under `terms` with these parents, of which some take at most so much for
    /// themselves.
    pub(crate) fn stack(
        &self,
        parents: &[ItemId],
        terms: &Terms,
        kind: AssetKind,
        at_most: &BTreeMap<ItemId, Option<u64>>,
    ) -> Result<Stack, Refused> {
        let mut stack = Stack::new();
        let mut owe = |ancestor: ItemId, share: u64| {
            let most = stack.entry(ancestor).or_default();
            *most = share.max(*most);
        };
        for id in parents {
            let parent = self.assets.get(id).ok_or("unknown_asset")?;
            let now = owed_to_parent((&parent.terms, parent.kind), (terms, kind));
            let own = match at_most.get(id) {
                None => now?,
                // What was agreed to stays, whatever it allows by now.
                Some(then) => now.unwrap_or(*then).min(*then),
            };
            if let Some(share) = own {
                owe(*id, share);
            }
            for (&ancestor, &share) in &parent.stack {
                owe(ancestor, share);
            }
        }
        if stack.len() > STACK_ENTRIES_MAX {
            return Err("too_many_ancestors");
        }
        if stack.values().sum::<u64>() > WHOLE {
            return Err("royalties_above_all");
        }
        Ok(stack)
    }

    /// Whether parents are listed well: at most so many, ascending, each once.
    pub(crate) fn good_parents(parents: &[ItemId]) -> Result<(), Refused> {
        if parents.len() > PARENTS_MAX || parents.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err("parents");
        }
        Ok(())
    }

    /// The asset that claims these weights: of all that have them, the earliest on the log.
    pub(crate) fn claimant(&self, weights: Digest) -> Option<(Place, ItemId)> {
        let claims = self
            .assets
            .iter()
            .filter(|(_, asset)| asset.weights == Some(weights));
        claims.map(|(&id, asset)| (asset.place, id)).min()
    }

    pub(crate) fn register_asset(
        &mut self,
        tx: &Transaction,
        tags: &[Tag],
        body: &RegisterAsset,
    ) -> Result<(), Refused> {
        let terms = good_terms(tags)?;
        if (body.kind == AssetKind::Model) != body.weights_digest.is_some() {
            return Err("weights_digest");
        }
        if body.self_funding_ppm > SELF_FUNDING_PPM_MAX {
            return Err("self_funding");
        }
        Self::good_parents(&body.parents)?;
        let stack = self.stack(&body.parents, &terms, body.kind, &BTreeMap::new())?;
        let mut shares: BTreeMap<Address, i64> = BTreeMap::new();
        for holder in &body.holders {
            if holder.shares == 0 || shares.contains_key(&holder.account) {
                return Err("shares");
            }
            shares.insert(holder.account, i64::from(holder.shares));
        }
        if shares.is_empty() {
            shares.insert(tx.signer, i64::from(SHARES_PER_ASSET));
        }
        if shares.len() > HOLDERS_MAX || shares.values().sum::<i64>() != i64::from(SHARES_PER_ASSET)
        {
            return Err("shares");
        }
        self.deposit(tx)?;
        let claimant = |weights| self.claimant(weights);
        if body.weights_digest.and_then(claimant).is_some() {
            return Err("weights_taken");
        }
        let asset = Asset {
            kind: body.kind,
            terms,
            weights: body.weights_digest,
            place: self.place(),
            stack,
            parents: body.parents.clone(),
            votes: Votes::default(),
            self_funding_ppm: body.self_funding_ppm,
            deposits: BTreeMap::new(),
            happenings: shares
                .into_iter()
                .map(|(who, shares)| Happening::Shares(who, shares))
                .collect(),
        };
        self.assets.insert(tx.id, asset);
        self.event(Event::AssetRegistered { asset: tx.id });
        Ok(())
    }

    /// Pays an income out of a purse: to every ancestor its share, the rest to the asset.
    /// `payment` names it for the draw of a holder. Looks and pays before all else.
    pub(crate) fn earn(
        &mut self,
        from: Purse,
        payment: ItemId,
        id: ItemId,
        gross: &Units,
    ) -> Result<(), Refused> {
        let whole = Units::from(WHOLE);
        let mut parts: Vec<(ItemId, Units, Rule)> = Vec::new();
        for (&ancestor, &share) in &self.assets[&id].stack {
            let part = ratio(gross, &Units::from(share), &whole);
            parts.push((ancestor, part, Rule::StackIncome));
        }
        let given: Units = parts.iter().map(|(_, part, _)| part).sum();
        parts.push((id, gross - given, Rule::LicenseIncome));
        for (earner, income, rule) in &mut parts {
            let ppm = self.assets[earner].self_funding_ppm;
            let aside = ratio(income, &Units::from(ppm), &Units::from(1_000_000));
            *income -= &aside;
            let fund = Purse::Fund(*earner);
            self.money.pay(from, fund, &aside, Rule::SelfFunding)?;
            self.money
                .pay(from, Purse::Income(*earner), income, *rule)?;
        }
        for (earner, part, _) in parts {
            self.income(payment, earner, part);
        }
        Ok(())
    }

    /// An income joins what an asset has.
    fn income(&mut self, payment: ItemId, earner: ItemId, part: Units) {
        let asset = self
            .assets
            .get_mut(&earner)
            .expect("an ancestor is an asset");
        if part == Units::from(0) {
            return;
        }
        match asset.terms.payment_mode {
            PaymentMode::RandomDistribution => {
                self.distributions.push(Distribution {
                    height: self.height,
                    asset: earner,
                    payment,
                    amount: part,
                });
            }
            _ => asset.happenings.push(Happening::Income(part)),
        }
    }

    /// Gives every income of the block before that waits for its holder.
    pub(crate) fn distribute(&mut self) {
        let mut waiting = std::mem::take(&mut self.distributions);
        waiting.sort_unstable();
        for it in waiting {
            let (id, amount) = (it.asset, it.amount);
            let seed = [b"lode/holder/1", &self.parent.0[..], &it.payment.0, &id.0].concat();
            let mut share = draw_below(&seed, &Units::from(SHARES_PER_ASSET));
            let mut holder = None;
            for (who, shares) in self.assets[&id].holdings() {
                if holder.is_none() && share < Units::from(shares) {
                    holder = Some(who);
                }
                share -= shares;
            }
            let to = Purse::Account(holder.expect("all shares are held"));
            let income = Purse::Income(id);
            self.money
                .must_pay(income, to, &amount, Rule::RandomDistribution);
            self.receipt(Cause::Distribution(id), None);
        }
    }

    pub(crate) fn claim_royalty(&mut self, tx: &Transaction, id: ItemId) -> Result<(), Refused> {
        let asset = self.assets.get(&id).ok_or("unknown_asset")?;
        if !asset.holdings().contains_key(&tx.signer) {
            return Err("not_holder");
        }
        let owed = asset.owed(tx.signer);
        if owed == Units::from(0) {
            return Err("nothing_owed");
        }
        let (income, account) = (Purse::Income(id), Purse::Account(tx.signer));
        self.money.pay(income, account, &owed, Rule::Claim)?;
        self.happened(id, Happening::Claimed(tx.signer, owed));
        Ok(())
    }

    pub(crate) fn transfer_shares(
        &mut self,
        tx: &Transaction,
        id: ItemId,
        body: &TransferShares,
    ) -> Result<(), Refused> {
        let asset = self.assets.get(&id).ok_or("unknown_asset")?;
        let mut waiting = self.distributions.iter();
        if waiting.any(|it| it.asset == id) {
            return Err("draw_pending");
        }
        let held = asset.holdings().get(&tx.signer).copied().unwrap_or(0);
        let shares = i64::from(body.shares);
        if shares == 0 {
            return Err("zero_amount");
        }
        if shares > held {
            return Err("too_few_shares");
        }
        let asset = &self.assets[&id];
        let is_new = !asset.holdings().contains_key(&body.to);
        if is_new {
            self.deposit(tx)?;
            let asset = self.assets.get_mut(&id).expect("looked up");
            asset.deposits.insert(body.to, (tx.id, tx.signer));
        }
        self.happened(id, Happening::Shares(tx.signer, -shares));
        self.happened(id, Happening::Shares(body.to, shares));
        let asset = &self.assets[&id];
        let owed = asset.owed(tx.signer);
        if !asset.holdings().contains_key(&tx.signer) && owed > Units::from(0) {
            // Who holds nothing any more has nothing to wait for.
            let (income, account) = (Purse::Income(id), Purse::Account(tx.signer));
            self.money.pay(income, account, &owed, Rule::Claim)?;
            self.happened(id, Happening::Claimed(tx.signer, owed));
        }
        self.drop_holding(id, tx.signer);
        self.votes_follow(id, tx.signer, body.to);
        Ok(())
    }

    /// A holding of nothing is none: its deposit returns to who paid it.
    fn drop_holding(&mut self, id: ItemId, holder: Address) {
        let asset = self.assets.get_mut(&id).expect("looked up before");
        if asset.holdings().contains_key(&holder) {
            return;
        }
        if let Some((record, signer)) = asset.deposits.remove(&holder) {
            let (from, to) = (Purse::Deposit(record), Purse::Account(signer));
            self.money.empty(from, to, Rule::DepositReturn);
        }
    }

    fn happened(&mut self, id: ItemId, happening: Happening) {
        let asset = self.assets.get_mut(&id).expect("looked up before");
        asset.happenings.push(happening);
    }
}
