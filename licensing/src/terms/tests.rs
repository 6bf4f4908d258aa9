use super::*;
use crate::{Grant, Refusal, presets};
use proptest::prelude::*;

fn fee(lode: &str) -> Fee {
    Fee::new(Amount::parse_lode(lode).expect("a valid amount")).expect("above zero")
}

fn percent(text: &str) -> Percent {
    text.parse().expect("a valid percentage")
}

/// Tags with the license in front, from lines of `name: value`.
fn tags(lines: &[&str]) -> Vec<Tag> {
    let mut tags = vec![Tag::new("License", LICENSE_ID)];
    tags.extend(lines.iter().map(|line| {
        let (name, value) = line.split_once(": ").expect("a line is 'name: value'");
        Tag::new(name, value)
    }));
    tags
}

fn all_tags_terms() -> Terms {
    Terms {
        access_fee: Some(fee("0.000000000000000000000001")),
        derivation: Some(Derivation::RevenueShare(percent("2.5%"))),
        commercial_use: Some(CommercialUse::FeeOneTime(fee("12.5"))),
        data_model_training: Some(DataModelTraining::FeeOneTime(fee("3"))),
        unknown_usage_rights: UnknownUsageRights::Excluded,
        expiry_years: NonZeroU32::new(7),
        payment_mode: PaymentMode::GlobalDistribution,
    }
}

#[test]
fn every_legal_value_is_read_and_written() {
    let table: &[(&str, Terms)] = &[
        (
            "Access-Fee: One-Time-1.5",
            Terms {
                access_fee: Some(fee("1.5")),
                ..Terms::default()
            },
        ),
        (
            "Derivation: Allowed",
            Terms {
                derivation: Some(Derivation::Allowed),
                ..Terms::default()
            },
        ),
        (
            "Derivation: Allowed-With-Credit",
            Terms {
                derivation: Some(Derivation::Credit),
                ..Terms::default()
            },
        ),
        (
            "Derivation: Allowed-With-Indication",
            Terms {
                derivation: Some(Derivation::Indication),
                ..Terms::default()
            },
        ),
        (
            "Derivation: Allowed-With-License-Passthrough",
            Terms {
                derivation: Some(Derivation::LicensePassthrough),
                ..Terms::default()
            },
        ),
        (
            "Derivation: Allowed-With-RevenueShare-0.25%",
            Terms {
                derivation: Some(Derivation::RevenueShare(percent("0.25%"))),
                ..Terms::default()
            },
        ),
        (
            "Derivation: Allowed-With-Fee-One-Time-3",
            Terms {
                derivation: Some(Derivation::FeeOneTime(fee("3"))),
                ..Terms::default()
            },
        ),
        (
            "Commercial-Use: Allowed",
            Terms {
                commercial_use: Some(CommercialUse::Allowed),
                ..Terms::default()
            },
        ),
        (
            "Commercial-Use: Allowed-With-Credit",
            Terms {
                commercial_use: Some(CommercialUse::Credit),
                ..Terms::default()
            },
        ),
        (
            "Commercial-Use: Allowed-With-RevenueShare-100%",
            Terms {
                commercial_use: Some(CommercialUse::RevenueShare(Percent::HUNDRED)),
                ..Terms::default()
            },
        ),
        (
            "Commercial-Use: Allowed-With-Fee-One-Time-0.1",
            Terms {
                commercial_use: Some(CommercialUse::FeeOneTime(fee("0.1"))),
                ..Terms::default()
            },
        ),
        (
            "Data-Model-Training: Allowed",
            Terms {
                data_model_training: Some(DataModelTraining::Allowed),
                ..Terms::default()
            },
        ),
        (
            "Data-Model-Training: Allowed-With-Fee-One-Time-40",
            Terms {
                data_model_training: Some(DataModelTraining::FeeOneTime(fee("40"))),
                ..Terms::default()
            },
        ),
        (
            "Unknown-Usage-Rights: Excluded",
            Terms {
                unknown_usage_rights: UnknownUsageRights::Excluded,
                ..Terms::default()
            },
        ),
        (
            "Expiry: 5",
            Terms {
                expiry_years: NonZeroU32::new(5),
                ..Terms::default()
            },
        ),
        (
            "Payment-Mode: Global-Distribution",
            Terms {
                payment_mode: PaymentMode::GlobalDistribution,
                ..Terms::default()
            },
        ),
    ];
    for (line, terms) in table {
        let mut given = tags(&[line]);
        if terms.money_tag().is_some() {
            given.push(Tag::new("Currency", "LODE"));
        }
        assert_eq!(Terms::parse(&given).as_ref(), Ok(terms), "{line}");
        assert_eq!(terms.to_tags(), given, "{line}");
    }
}

#[test]
fn what_is_not_canonical_is_refused_with_the_nearest_legal_spelling() {
    for (line, code, says) in [
        // Names.
        (
            "Derivations: Allowed",
            "misspelt_tag_name",
            "write 'Derivation'",
        ),
        (
            "derivation: Allowed",
            "misspelt_tag_name",
            "write 'Derivation'",
        ),
        (
            "Commerical-Use: Allowed",
            "misspelt_tag_name",
            "write 'Commercial-Use'",
        ),
        (
            "Commercial Use: Allowed",
            "misspelt_tag_name",
            "write 'Commercial-Use'",
        ),
        (
            "data_model_training: Allowed",
            "misspelt_tag_name",
            "write 'Data-Model-Training'",
        ),
        ("Licence: x", "misspelt_tag_name", "write 'License'"),
        (
            "Dеrivation: Allowed",
            "misspelt_tag_name",
            "write 'Derivation'",
        ),
        (" Expiry: 5", "misspelt_tag_name", "write 'Expiry'"),
        (
            "payment-adress: x",
            "misspelt_tag_name",
            "write 'Payment-Address'",
        ),
        ("License-Fee: One-Time-5", "old_tag_name", "version 0.1"),
        ("expires: 5", "old_tag_name", "'Expiry'"),
        (
            "After-2-Years-Derivation: Allowed",
            "time_band_not_yet",
            "After-2-Years-Derivation",
        ),
        (
            "before-1-year-commercial-use: Allowed",
            "time_band_not_yet",
            "time band",
        ),
        ("Before 5 Years Expiry: 1", "time_band_not_yet", "time band"),
        ("License: x", "duplicate_tag", "'License'"),
        // Values.
        ("Access-Fee: None", "illegal_tag_value", "leave the tag out"),
        ("Access-Fee: 5", "illegal_tag_value", "write 'One-Time-5'"),
        (
            "Access-Fee: one-time-5",
            "illegal_tag_value",
            "write 'One-Time-5'",
        ),
        (
            "Access-Fee: One-Time-5.0",
            "illegal_tag_value",
            "write 'One-Time-5'",
        ),
        (
            "Access-Fee: One-Time-05",
            "illegal_tag_value",
            "write 'One-Time-5'",
        ),
        (
            "Access-Fee: One-Time-.5",
            "illegal_tag_value",
            "write 'One-Time-0.5'",
        ),
        (
            "Access-Fee: One-Time-0",
            "illegal_tag_value",
            "write 'One-Time-<LODE>'",
        ),
        (
            "Access-Fee: One-Time--5",
            "illegal_tag_value",
            "write 'One-Time-5'",
        ),
        ("Access-Fee: One-Time-1e3", "illegal_tag_value", "One-Time-"),
        (
            "Access-Fee: One-Time-",
            "illegal_tag_value",
            "write 'One-Time-<LODE>'",
        ),
        (
            "Access-Fee: Monthly-5",
            "illegal_tag_value",
            "write 'One-Time-5'",
        ),
        (
            "Derivation: Disallowed",
            "illegal_tag_value",
            "leave the tag out",
        ),
        ("Derivation: ", "illegal_tag_value", "write 'Allowed'"),
        (
            "Derivation: allowed",
            "illegal_tag_value",
            "write 'Allowed'",
        ),
        (
            "Derivation: Allowed-With-Credit-0",
            "illegal_tag_value",
            "write 'Allowed-With-Credit'",
        ),
        (
            "Derivation: Allowed-With-One-Time-Fee-07.50",
            "illegal_tag_value",
            "write 'Allowed-With-Fee-One-Time-7.5'",
        ),
        (
            "Derivation: Allowed-With-Revenue-Share-5",
            "illegal_tag_value",
            "write 'Allowed-With-RevenueShare-5%'",
        ),
        (
            "Derivation: Allowed-With-RevenueShare-5",
            "illegal_tag_value",
            "write 'Allowed-With-RevenueShare-5%'",
        ),
        (
            "Derivation: Allowed-With-RevenueShare-101%",
            "illegal_tag_value",
            "write 'Allowed-With-RevenueShare-<percent>%'",
        ),
        (
            "Derivation: Allowed-With-Passthrough",
            "illegal_tag_value",
            "License-Passthrough'",
        ),
        (
            "Derivation: Allowed-With-Fee-Monthly-5.0",
            "illegal_tag_value",
            "write 'Allowed-With-Fee-Monthly-5'",
        ),
        (
            "Commercial-Use: Allowed-With-Monthly-Fee-5",
            "illegal_tag_value",
            "write 'Allowed-With-Fee-Monthly-5'",
        ),
        (
            "Data-Model-Training: Allowed-With-Fee-Monthly-0",
            "illegal_tag_value",
            "write 'Allowed-With-Fee-Monthly-<LODE>'",
        ),
        (
            "Commercial-Use: Allowed-With-Indication",
            "illegal_tag_value",
            "Commercial-Use",
        ),
        (
            "Data-Model-Training: Allowed-With-Credit",
            "illegal_tag_value",
            "Data-Model-Training",
        ),
        (
            "Data-Model-Training: Allowed-With-Fee-One-Time-1_000",
            "illegal_tag_value",
            "Allowed-With-Fee-One-Time-",
        ),
        (
            "Unknown-Usage-Rights: Included",
            "illegal_tag_value",
            "write 'Excluded'",
        ),
        ("Expiry: 0", "illegal_tag_value", "a whole number of years"),
        ("Expiry: 05", "illegal_tag_value", "a whole number of years"),
        ("Expiry: +5", "illegal_tag_value", "a whole number of years"),
        (
            "Expiry: 1.5",
            "illegal_tag_value",
            "a whole number of years",
        ),
        (
            "Expiry: 99999999999",
            "illegal_tag_value",
            "a whole number of years",
        ),
        ("Currency: lode", "other_currency", "write 'LODE'"),
        ("Currency: AR", "other_currency", "'AR'"),
        ("Payment-Address: abc", "payment_address_not_yet", "'abc'"),
        (
            "Payment-Mode: Random",
            "illegal_tag_value",
            "write 'Random-Distribution'",
        ),
        (
            "Payment-Mode: Global",
            "illegal_tag_value",
            "write 'Global-Distribution'",
        ),
        ("Payment-Mode: Single", "illegal_tag_value", "Payment-Mode"),
        // Money without a currency.
        ("Access-Fee: One-Time-5", "no_currency", "'Access-Fee'"),
        (
            "Derivation: Allowed-With-RevenueShare-5%",
            "no_currency",
            "'Derivation'",
        ),
    ] {
        let error = Terms::parse(&tags(&[line])).expect_err(line);
        assert_eq!(error.code(), code, "{line}: {error}");
        assert!(error.to_string().contains(says), "{line}: {error}");
    }
}

#[test]
fn the_license_must_be_the_text_that_is_written() {
    for (given, code) in [
        (vec![], "no_license"),
        (vec![Tag::new("Derivation", "Allowed")], "no_license"),
        (vec![Tag::new("License", "")], "other_license"),
        (vec![Tag::new("License", "MIT")], "other_license"),
        (
            vec![Tag::new("License", LICENSE_ID.to_lowercase())],
            "other_license",
        ),
        (
            vec![Tag::new(
                "License",
                "IVjAM1C3x3GFdc3t9EqMnbtGnpgTuJbaiYZa1lk09_8",
            )],
            "other_license_text",
        ),
        (
            vec![Tag::new(
                "License",
                "yRj4a5KMctX_uOmKWCFJIjmY8DeJcusVk6-HzLiM_t8",
            )],
            "other_license_text",
        ),
    ] {
        assert_eq!(Terms::parse(&given).expect_err(code).code(), code);
    }
}

#[test]
fn other_tags_of_the_item_and_the_order_of_tags_change_nothing() {
    let terms = all_tags_terms();
    let mut given = terms.to_tags();
    given.reverse();
    for (name, value) in [
        ("App-Name", "lode"),
        ("Content-Type", "application/json"),
        ("Network", "x"),
        ("Record-Type", "register-asset"),
        ("Nonce", "1"),
        ("Valid-Until", "1"),
        ("Bounty", "x"),
        ("Asset", "x"),
    ] {
        given.insert(1, Tag::new(name, value));
    }
    assert_eq!(Terms::parse(&given), Ok(terms));
}

#[test]
fn a_currency_without_a_price_says_nothing() {
    let terms = Terms::parse(&tags(&["Currency: LODE"])).expect("legal");
    assert_eq!(terms, Terms::default());
    assert_eq!(terms.to_tags(), tags(&[]));
}

#[test]
fn an_error_stays_short_whatever_the_value() {
    let long = "x".repeat(1 << 20);
    for name in crate::spelling::NAMES {
        let given = [
            Tag::new("License", LICENSE_ID),
            Tag::new(name, long.clone()),
        ];
        let error = Terms::parse(&given[usize::from(name == "License")..]).expect_err(name);
        assert!(error.to_string().len() < 300, "{error}");
    }
}

#[test]
fn an_error_shows_no_control_or_direction_characters() {
    for name in [
        "Derivation",
        "derivation",
        "Currency",
        "Payment-Address",
        "\u{1b}Expiry",
    ] {
        let given = [Tag::new(name, "\u{1b}[2J\u{202e}Monthly\n")];
        let shown = Terms::parse(&given).expect_err(name).to_string();
        let is_hidden = |c: char| c.is_control() || c == '\u{202e}';
        assert!(!shown.contains(is_hidden), "{shown:?}");
    }
}

#[test]
fn the_ids_of_known_terms_never_change() {
    for (terms, id) in [
        (
            Terms::default(),
            "8omLrV0Qb4utvkspLHPE5d_xv5z7QJblx4av-TkpwEA",
        ),
        (
            Terms {
                payment_mode: PaymentMode::default(),
                ..presets::open()
            },
            "PdVa-uahHmLEm5ve09XvEzq5dVlFsNtClDapaJc0_GI",
        ),
        (
            presets::open(),
            "xHBhiDZeWPupbqRH_56G9_bZGCMid5tnloWr3SliuPw",
        ),
        (
            presets::one_time(fee("25")),
            "sBhlZ9YFxjAVCZMeU7ga_OAoTJUD1bkbt0inCH5rllU",
        ),
        (
            presets::share_with_credit(percent("5%")),
            "g0Gs2VVTyAb3reHlJnra1i3n2iminJP7nR2aDzdDWuM",
        ),
        (
            presets::monthly(fee("25")),
            "-xtTfAb7Wp09I-1LCAsgPEtqww1C4Xdgkvs2q81uaRs",
        ),
        (
            presets::share_of_revenue(percent("5%")),
            "yoxx1ua_X62GWymmta-itjxYK72haX4zrSL5CsZlmo8",
        ),
        (
            all_tags_terms(),
            "owcCIJkRLkJEmd8LtPvgtLoFpZCrp-I2t5qyQS1XaU8",
        ),
    ] {
        assert_eq!(terms.id().to_string(), id, "{:?}", terms.to_tags());
    }
}

#[test]
fn the_id_is_the_hash_of_the_documented_bytes() {
    let mut bytes = b"lode/terms/1".to_vec();
    bytes.extend([2, 0, 0, 0]);
    for text in ["License", LICENSE_ID, "Derivation", "Allowed"] {
        bytes.extend([u8::try_from(text.len()).expect("short"), 0, 0, 0]);
        bytes.extend(text.as_bytes());
    }
    let terms = Terms {
        derivation: Some(Derivation::Allowed),
        ..Terms::default()
    };
    assert_eq!(terms.id().0, <[u8; 32]>::from(Sha256::digest(&bytes)));
}

#[test]
fn sentences_say_what_is_granted_and_what_is_not() {
    let none = Terms::default().sentences();
    assert_eq!(
        none,
        [
            "Anyone may download it, free of charge.",
            "Study, research and personal use are free.",
            "Making something new from it (fine-tuning, merging, quantising) is not granted.",
            "Commercial use (serving it or its outputs for money, or inside a business) is not granted.",
            "Training a model on it or on its outputs is not granted.",
            "Kinds of use that are not known yet are granted too.",
            "The licence has no end.",
        ]
    );
    assert_eq!(
        all_tags_terms().sentences(),
        [
            "Access costs one payment of 0.000000000000000000000001 LODE.",
            "Study, research and personal use are free.",
            "Making something new from it (fine-tuning, merging, quantising) is allowed, and 2.5% of everything that what is made earns comes back, generation after generation.",
            "Commercial use (serving it or its outputs for money, or inside a business) costs one payment of 12.5 LODE.",
            "Training a model on it or on its outputs costs one payment of 3 LODE.",
            "Kinds of use that are not known yet are not granted.",
            "The licence ends after 7 years.",
            "Payments go to all holders of its royalty shares, in proportion.",
        ]
    );
}

#[test]
fn a_quote_names_the_price_and_the_terms() {
    let terms = all_tags_terms();
    for (grant, price) in [
        (Grant::Access, "0.000000000000000000000001"),
        (Grant::CommercialUse, "12.5"),
        (Grant::DataModelTraining, "3"),
    ] {
        let quote = terms.quote(grant).expect("for sale");
        let unit = quote.price.unit(Amount::MAX);
        assert_eq!(unit.to_lode_string(), price);
        assert_eq!(quote.total(0, Amount::MAX), Ok(Some(unit)));
        let refusal = quote.total(1, Amount::MAX).expect_err("it is paid once");
        assert_eq!(refusal.code(), "sold_once");
        assert_eq!((quote.grant, quote.terms), (grant, terms.id()));
    }
}

#[test]
fn months_cost_their_number_times_the_fee_and_end_with_the_terms() {
    let years = |years| Terms {
        derivation: Some(Derivation::FeeMonthly(fee("1"))),
        commercial_use: Some(CommercialUse::FeeMonthly(fee("2"))),
        data_model_training: Some(DataModelTraining::FeeMonthly(fee("3"))),
        expiry_years: NonZeroU32::new(years),
        ..Terms::default()
    };
    let total = |terms: &Terms, grant, months| {
        let quote = terms.quote(grant).expect("for sale");
        let minimum = Amount::from_lode(7).expect("small");
        let total = quote
            .total(months, minimum)
            .map_err(|refusal| refusal.code());
        total.map(|total| total.expect("fits").to_lode_string())
    };
    let cases = [
        (Grant::Derivation, 0, 1, Ok("1")),
        (Grant::CommercialUse, 0, 2, Ok("4")),
        (Grant::DataModelTraining, 0, 120, Ok("360")),
        (Grant::CommercialUse, 0, 0, Err("sold_by_month")),
        (Grant::CommercialUse, 0, 121, Err("sold_by_month")),
        (Grant::CommercialUse, 2, 24, Ok("48")),
        (Grant::CommercialUse, 2, 25, Err("sold_by_month")),
        (Grant::CommercialUse, u32::MAX, 120, Ok("240")),
    ];
    for (grant, expiry, months, expected) in cases {
        let total = total(&years(expiry), grant, months);
        let expected = expected.map(str::to_owned);
        assert_eq!(total, expected, "{grant:?} {expiry} {months}");
    }
    let dear = Terms {
        commercial_use: Fee::new(Amount::MAX).map(CommercialUse::FeeMonthly),
        ..Terms::default()
    };
    let quote = dear.quote(Grant::CommercialUse).expect("for sale");
    assert_eq!(quote.total(1, Amount::ZERO), Ok(Some(Amount::MAX)));
    let total = quote.total(2, Amount::ZERO);
    assert_eq!(total, Ok(None), "no amount can hold it");
}

#[test]
fn a_revenue_share_costs_the_networks_minimum_for_each_month() {
    let terms = Terms {
        commercial_use: Some(CommercialUse::RevenueShare(percent("5%"))),
        expiry_years: NonZeroU32::new(1),
        ..Terms::default()
    };
    let quote = terms.quote(Grant::CommercialUse).expect("for sale");
    assert_eq!(quote.price.share(), Some(percent("5%")));
    let minimum = Amount::from_lode(7).expect("small");
    assert_eq!(quote.price.unit(minimum), minimum);
    assert_eq!(quote.total(12, minimum), Ok(Amount::from_lode(84)));
    for months in [0, 13] {
        let refusal = quote.total(months, minimum).expect_err("months");
        assert_eq!(refusal.code(), "sold_by_month");
    }
}

#[test]
fn monthly_fees_are_said_in_words() {
    let terms = Terms {
        commercial_use: Fee::new(Amount::from_base_units(1)).map(CommercialUse::FeeMonthly),
        ..Terms::default()
    };
    let said = terms.sentences().join(" ");
    let words =
        "inside a business) costs 0.000000000000000000000001 LODE a month, paid in advance.";
    assert!(said.contains(words), "{said}");
    assert!(
        terms.to_tags().contains(&Tag::new("Currency", "LODE")),
        "it asks for money"
    );
}

#[test]
fn what_cannot_be_bought_is_refused_with_a_next_step() {
    let share = percent("5%");
    let business_share = Terms {
        derivation: Some(Derivation::LicensePassthrough),
        commercial_use: Some(CommercialUse::RevenueShare(share)),
        ..Terms::default()
    };
    for (terms, grant, code) in [
        (Terms::default(), Grant::Access, "nothing_to_buy"),
        (Terms::default(), Grant::Derivation, "not_granted"),
        (Terms::default(), Grant::CommercialUse, "not_granted"),
        (Terms::default(), Grant::DataModelTraining, "not_granted"),
        (presets::open(), Grant::CommercialUse, "nothing_to_buy"),
        (
            presets::share_with_credit(share),
            Grant::Derivation,
            "paid_by_child",
        ),
        (
            presets::share_with_credit(share),
            Grant::CommercialUse,
            "nothing_to_buy",
        ),
        (business_share, Grant::Derivation, "nothing_to_buy"),
    ] {
        let refusal: Refusal = terms.quote(grant).expect_err(code);
        assert_eq!(refusal.code(), code, "{refusal}");
        assert!(!refusal.next_step().is_empty());
    }
}

#[test]
fn state_that_breaks_a_type_is_not_read() {
    assert!(borsh::from_slice::<Fee>(&borsh::to_vec(&Amount::ZERO).expect("encodes")).is_err());
    let mut bytes = borsh::to_vec(&all_tags_terms()).expect("encodes");
    assert_eq!(
        borsh::from_slice::<Terms>(&bytes).expect("decodes"),
        all_tags_terms()
    );
    bytes.pop();
    assert!(borsh::from_slice::<Terms>(&bytes).is_err());
}

fn any_fee() -> impl Strategy<Value = Fee> {
    (1u128..).prop_map(|units| Fee::new(Amount::from_base_units(units)).expect("above zero"))
}

fn any_percent() -> impl Strategy<Value = Percent> {
    (1..=100_000_000_000u64).prop_map(|count| Percent::from_billionths(count).expect("in range"))
}

fn any_terms() -> impl Strategy<Value = Terms> {
    let derivation = prop_oneof![
        Just(Derivation::Allowed),
        Just(Derivation::Credit),
        Just(Derivation::Indication),
        Just(Derivation::LicensePassthrough),
        any_percent().prop_map(Derivation::RevenueShare),
        any_fee().prop_map(Derivation::FeeOneTime),
        any_fee().prop_map(Derivation::FeeMonthly),
    ];
    let commercial = prop_oneof![
        Just(CommercialUse::Allowed),
        Just(CommercialUse::Credit),
        any_percent().prop_map(CommercialUse::RevenueShare),
        any_fee().prop_map(CommercialUse::FeeOneTime),
        any_fee().prop_map(CommercialUse::FeeMonthly),
    ];
    let training = prop_oneof![
        Just(DataModelTraining::Allowed),
        any_fee().prop_map(DataModelTraining::FeeOneTime),
        any_fee().prop_map(DataModelTraining::FeeMonthly),
    ];
    (
        prop::option::of(any_fee()),
        prop::option::of(derivation),
        prop::option::of(commercial),
        prop::option::of(training),
        any::<bool>(),
        any::<u32>(),
        any::<Option<bool>>(),
    )
        .prop_map(
            |(access_fee, derivation, commercial, training, excluded, years, global)| Terms {
                access_fee,
                derivation,
                commercial_use: commercial,
                data_model_training: training,
                unknown_usage_rights: match excluded {
                    true => UnknownUsageRights::Excluded,
                    false => UnknownUsageRights::Included,
                },
                expiry_years: NonZeroU32::new(years),
                payment_mode: match global {
                    Some(true) => PaymentMode::GlobalDistribution,
                    Some(false) => PaymentMode::RandomDistribution,
                    None => PaymentMode::Signer,
                },
            },
        )
}

/// Tags as a careless or hostile uploader makes them.
fn any_tag() -> impl Strategy<Value = Tag> {
    let name = prop_oneof![
        prop::sample::select(crate::spelling::NAMES.to_vec()).prop_map(String::from),
        "(After|before)-[0-9]{0,3}-Years?-[A-Za-z-]{0,12}",
        "[A-Za-z _-]{0,24}",
        any::<String>(),
    ];
    let value = prop_oneof![
        Just(LICENSE_ID.to_owned()),
        Just("LODE".to_owned()),
        "(Allowed|Allowed-With-)(Credit|RevenueShare-|Fee-One-Time-|Fee-Monthly-)?[0-9.%-]{0,40}",
        "One-Time-[0-9.]{0,45}",
        "[0-9]{0,12}",
        any::<String>(),
    ];
    (name, value).prop_map(|(name, value)| Tag { name, value })
}

proptest! {
    #[test]
    fn terms_survive_their_tags_and_their_state_encoding(terms in any_terms()) {
        prop_assert_eq!(Terms::parse(&terms.to_tags()), Ok(terms.clone()));
        let bytes = borsh::to_vec(&terms).expect("encodes");
        prop_assert_eq!(borsh::from_slice::<Terms>(&bytes).expect("decodes"), terms);
    }

    #[test]
    fn different_terms_have_different_ids(a in any_terms(), b in any_terms(), fields: u8) {
        // Mostly alike, and often the same.
        let of = |takes: u8| if fields & takes == takes { &b } else { &a };
        let b = Terms {
            access_fee: of(1).access_fee,
            derivation: of(2).derivation,
            commercial_use: of(4).commercial_use,
            data_model_training: of(8).data_model_training,
            unknown_usage_rights: of(16).unknown_usage_rights,
            expiry_years: of(32 | 64).expiry_years,
            payment_mode: of(128).payment_mode,
        };
        prop_assert_eq!(a == b, a.id() == b.id());
        prop_assert_eq!(a == b, a.to_tags() == b.to_tags());
    }

    #[test]
    fn no_tags_panic_and_what_is_read_is_canonical(
        terms in any_terms(),
        others in prop::collection::vec(any_tag(), 0..3),
        order in any::<prop::sample::Index>(),
        change in prop::option::of((any::<prop::sample::Index>(), any_tag())),
    ) {
        let mut given = terms.to_tags();
        let is_changed = change.is_some();
        if let Some((place, tag)) = change {
            let place = place.index(given.len());
            given[place] = tag;
        }
        given.extend(others);
        let middle = order.index(given.len());
        given.rotate_left(middle);
        match Terms::parse(&given) {
            Ok(read) => {
                for tag in read.to_tags() {
                    prop_assert!(given.contains(&tag), "{:?}", tag);
                }
                if !is_changed {
                    let tags = read.to_tags();
                    prop_assert!(terms.to_tags().iter().all(|tag| tags.contains(tag)));
                }
                prop_assert_eq!(Terms::parse(&read.to_tags()), Ok(read));
            }
            Err(error) => prop_assert!(error.to_string().len() < 600, "{}", error),
        }
    }
}
