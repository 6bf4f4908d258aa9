//! The network that a play begins with, and the small things that it is made of.

use super::*;

/// The numbers of a network, and who is there at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Chooses the parameters.
    pub numbers: u8,
    /// How many evaluators there are from the beginning.
    pub evaluators: u8,
    /// How many more there are who do nothing else: so many that not all can be asked.
    pub crowd: u8,
    /// How many submissions there are from the beginning: so many that a batch on them has
    /// several parts, and that no block's budget is enough for them.
    pub flood: u16,
    /// Makes ids, and what follows from them (verdicts, draws, ties), those of this play alone.
    pub salt: u64,
}

impl Setup {
    /// A setup from a number.
    pub fn from_number(number: u16) -> Self {
        let [numbers, evaluators] = number.to_le_bytes();
        Self {
            numbers,
            evaluators: [7, 7, 8, 9, 7, 5, 3, 7][usize::from(evaluators % 8)],
            crowd: if evaluators >= 250 { 66 } else { 0 },
            flood: match (evaluators, numbers & 15) {
                (240..244, 5) => 501 + choice(number, "flood") % 1_000,
                _ => 0,
            },
            salt: number.into(),
        }
    }

    /// The setup that goes with a list of steps from this seed.
    pub fn from_seed(seed: u64) -> Self {
        let number = Numbers(seed ^ 0x5eed).next_number() as u16;
        Self {
            salt: seed,
            ..Self::from_number(number)
        }
    }

    fn parameters(self) -> Parameters {
        let choose = |what: &str| choice(self.numbers.into(), what);
        let pick = |what: &str| choose(what) & 1 == 1;
        Parameters {
            fee_per_byte: units(1),
            block_bytes_max: 1 << 21,
            deposit_factor: if pick("deposit") { 10 } else { 3 },
            validity_max_ms: 60_000,
            phase_min_ms: 100,
            phase_max_ms: 100_000,
            late_ms: 300,
            retention_ms: if pick("retention") { 20_000 } else { 60_000 },
            sponsor_bond_ppm: if pick("bond") { 200_000 } else { 3_000 },
            miner_bond_ppm: 10_000,
            evaluation_fee_min: units(31),
            evaluation_price: units(if pick("price") { 1_000 } else { 70_001 }),
            committee_min: [3, 1, 3, 1, 3, 3, 5, 1][usize::from(choose("committee") % 8)],
            seat_stake_ppm: 500_000,
            evaluator_stake_min: units(10_000),
            silent_forfeit_ppm: match choose("silent") % 8 {
                5 => 1_000_000,
                _ => 10_000,
            },
            unrevealed_forfeit_ppm: if pick("unrevealed") {
                100_000
            } else {
                1_000_000
            },
            tighten_ms: if pick("tighten") { 700 } else { 5_000 },
            month_ms: if pick("month") { 2_500 } else { 6_000 },
            grace_ms: if pick("grace") { 6_000 } else { 2_000 },
            revenue_minimum: units(10_007),
            unstake_ms: if pick("notice") { 1 } else { 3_000 },
        }
    }

    /// The genesis.
    pub fn genesis(self) -> GenesisRecord {
        let funds = |who: u8| match who {
            15 => 4_000,
            16 => 60_000,
            _ => 100_000_000,
        };
        let genesis = Genesis {
            version: LOG_VERSION,
            name: name("play"),
            salt: name("salt"),
            time_ms: GENESIS_MS,
            parameters: self.parameters(),
            allocations: (0..PEOPLE)
                .map(|who| (person(who), funds(who)))
                .chain((0..self.crowd).map(|number| (one_of_the_crowd(number), 1_000_000)))
                .map(|(account, amount)| Allocation {
                    account,
                    amount: units(amount),
                })
                .collect(),
        };
        GenesisRecord {
            id: ItemId(hash("genesis", &[])),
            proposer: person(0),
            network: NetworkId(hash("network", &[])),
            genesis,
        }
    }
}

/// A number that a shape stands for where this is chosen. What is chosen for another thing does not go with it.
pub(super) fn choice(shape: u16, what: &str) -> u16 {
    let [first, second, ..] = hash(what, &[&shape.to_le_bytes()]);
    u16::from_le_bytes([first, second])
}

pub(super) fn hash(what: &str, more: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(what.as_bytes());
    for part in more {
        hasher.update(part);
    }
    hasher.finalize().into()
}

pub(super) fn units(units: u128) -> Amount {
    Amount::from_base_units(units)
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text).expect("a short name")
}

pub(super) fn code(text: &str) -> Code {
    Code::new(text).expect("a short code")
}

/// A person's address.
pub fn person(who: u8) -> Address {
    Address(hash("person", &[&[who % PEOPLE]]))
}

/// The address of an evaluator who is nothing else.
pub(super) fn one_of_the_crowd(number: u8) -> Address {
    Address(hash("one of the crowd", &[&[number]]))
}

pub(super) fn sealed(scope: &SealScope, key: &SealKey, blob: &[u8; 32]) -> SealedFolder {
    let ciphertext = BlobRef {
        id: BlobId(*blob),
        size_bytes: 4_096,
    };
    SealedFolder {
        seal: seal_digest(scope, key, &ciphertext.id, ciphertext.size_bytes),
        ciphertext,
    }
}

/// Some terms, among them ones that no record may carry.
pub(super) fn terms(shape: u16) -> Terms {
    let fee = |amount: u128| Fee::new(units(amount)).expect("above zero");
    let percent = |billionths: u64| Percent::from_billionths(billionths).expect("within range");
    let sharing = |share: Percent, price: u128, payment_mode: PaymentMode| Terms {
        derivation: Some(Derivation::RevenueShare(share)),
        commercial_use: Some(CommercialUse::FeeOneTime(fee(price))),
        data_model_training: Some(DataModelTraining::Allowed),
        payment_mode,
        ..Terms::default()
    };
    let (global, random) = (
        PaymentMode::GlobalDistribution,
        PaymentMode::RandomDistribution,
    );
    match shape % 16 {
        0 | 1 => sharing(percent(10_000_000_000), 1_000_003, global),
        2 => sharing(percent(33_333_333_333), 77_777, global),
        3 => Terms {
            commercial_use: Some(CommercialUse::FeeMonthly(fee(77_777))),
            expiry_years: std::num::NonZeroU32::new(2),
            ..sharing(percent(33_333_333_333), 1, global)
        },
        4 => sharing(percent(25_000_000_000), 2_500_009, random),
        5 => sharing(percent(1), 3, global),
        6 => sharing(percent(100_000_000_000), 999_999, global),
        7 | 8 => licensing::presets::open(),
        9 => licensing::presets::one_time(fee(4_000_001)),
        10 => Terms {
            derivation: Some(Derivation::LicensePassthrough),
            commercial_use: Some(CommercialUse::FeeMonthly(fee(1_234_567))),
            data_model_training: Some(DataModelTraining::Allowed),
            payment_mode: global,
            ..Terms::default()
        },
        11 => Terms {
            access_fee: Some(fee(55_555)),
            payment_mode: random,
            ..Terms::default()
        },
        12 => Terms {
            data_model_training: Some(DataModelTraining::FeeMonthly(fee(41))),
            commercial_use: Some(CommercialUse::FeeMonthly(fee(3_333_333))),
            derivation: Some(match shape >> 4 & 1 {
                0 => Derivation::FeeMonthly(fee(17)),
                _ => Derivation::RevenueShare(percent(50_000_000_000)),
            }),
            ..sharing(percent(50_000_000_000), 1, random)
        },
        13 => Terms {
            payment_mode: PaymentMode::Signer,
            ..licensing::presets::open()
        },
        14 => Terms {
            commercial_use: Some(CommercialUse::RevenueShare(percent(33_333_333_333))),
            ..sharing(percent(5_000_000_000), 1, random)
        },
        _ => Terms {
            commercial_use: Some(CommercialUse::RevenueShare(percent(5_000_000_000))),
            derivation: Some(Derivation::Credit),
            data_model_training: Some(DataModelTraining::Allowed),
            payment_mode: global,
            ..Terms::default()
        },
    }
}

pub(super) fn pairs(tags: Vec<Tag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.name, tag.value)).collect()
}

pub(super) fn benchmark(multiply_adds_max: u64) -> Benchmark {
    Benchmark {
        arithmetic: ARITHMETIC_VERSION,
        task: Task::Classification { classes: 10 },
        inputs: 64,
        examples_max: 4,
        metric: Metric::Accuracy,
        limits: ModelLimits {
            parameters_max: 100_000,
            file_bytes_max: 1 << 20,
            multiply_adds_max,
        },
    }
}
