use proptest::prelude::*;
use sha2::Digest as _;

use super::*;
use crate::amount::Amount;
use crate::id::{BlobId, Digest};
use crate::keys::SecretKey;
use crate::report::{Outcome, TestOutcome};
use crate::score::Score;
use crate::seal::SealKey;
use crate::text::{Code, Name};

fn envelope() -> Envelope {
    Envelope {
        network: NetworkId([1; 32]),
        nonce: 7,
        valid_until_ms: 1_767_225_600_000,
    }
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[9; 32])
}

fn terms() -> Vec<Tag> {
    vec![Tag::new(
        "License",
        "dE0rmDfl9_OWjkDznNEXHaSO_JohJkRolvMzaCroUdw",
    )]
}

/// One action of every record type.
fn every_action() -> Vec<Action> {
    let bounty = ItemId([2; 32]);
    let asset = ItemId([3; 32]);
    let blob = BlobRef {
        id: BlobId([4; 32]),
        size_bytes: 5,
    };
    let sealed = SealedFolder {
        seal: Digest([5; 32]),
        ciphertext: blob,
    };
    let seal_key = SealKey::from_bytes([6; 32]);
    let name = Name::new("a name").unwrap();
    let amount = Amount::from_base_units(u128::MAX);
    let posting = PostBounty {
        title: name.clone(),
        benchmark: crate::benchmark::Benchmark {
            arithmetic: 1,
            task: crate::benchmark::Task::Classification { classes: 10 },
            inputs: 64,
            metric: crate::benchmark::Metric::LogLoss,
            examples_max: 1_000,
            limits: crate::benchmark::ModelLimits {
                parameters_max: 1,
                file_bytes_max: 2,
                multiply_adds_max: 3,
            },
        },
        test_set: sealed,
        reward: amount,
        pay: Pay::WinnerTakesAll,
        reserve: Score(-1),
        margin: 2,
        evaluation_fee: amount,
        prepaid: 0,
        schedule: Schedule {
            open_ms: 1,
            test_key_ms: 2,
            test_check_ms: 3,
            reveal_ms: 4,
            score_ms: 5,
            score_reveal_ms: 6,
            challenge_ms: 7,
        },
        model_terms: vec![("License".into(), "x".into())],
        parents: vec![NamedParent {
            asset,
            required: true,
        }],
        split: RoyaltySplit {
            miner: 1,
            sponsor: 2,
            backers: 3,
        },
        self_funding_ppm: 0,
        fund: None,
    };
    let registration = RegisterAsset {
        kind: AssetKind::Model,
        name: name.clone(),
        archive: blob,
        weights_digest: Some(Digest([7; 32])),
        parents: vec![asset],
        holders: vec![Holder {
            account: Address([8; 32]),
            shares: 9,
        }],
        self_funding_ppm: 0,
    };
    let scored = Outcome::Scored {
        score: Score(986_111_111),
        weights_digest: Digest([1; 32]),
        predictions_root: Digest([2; 32]),
    };
    let invalid = Outcome::Invalid {
        code: Code::lossy("nan"),
        place: Code::lossy("fc.weight"),
    };
    let outcomes = [
        scored,
        invalid,
        Outcome::BadSeal { chunk: 3 },
        Outcome::Unavailable,
    ];
    let attestations = outcomes.map(|outcome| Attestation {
        submission: asset,
        outcome,
    });
    vec![
        Action::Transfer {
            to: Address([2; 32]),
            body: Transfer { amount },
        },
        Action::RegisterAsset {
            terms: terms(),
            body: registration,
        },
        Action::PostBounty {
            body: Box::new(posting),
        },
        Action::BackBounty {
            bounty,
            body: BackBounty { amount },
        },
        Action::CancelBounty { bounty },
        Action::CommitSubmission {
            bounty,
            terms: terms(),
            body: CommitSubmission {
                name,
                sealed,
                parents: vec![asset],
            },
        },
        Action::RevealTestSet {
            bounty,
            body: RevealTestSet {
                key: seal_key.clone(),
            },
        },
        Action::AttestTestSet {
            bounty,
            body: AttestTestSet {
                outcome: TestOutcome::Ok,
            },
        },
        Action::RevealSubmission {
            bounty,
            body: RevealSubmission {
                submission: asset,
                key: seal_key,
            },
        },
        Action::JoinEvaluators {
            body: JoinEvaluators { stake: amount },
        },
        Action::LeaveEvaluators,
        Action::CommitAttestations {
            bounty,
            body: CommitAttestations {
                commitment: Digest([1; 32]),
            },
        },
        Action::RevealAttestations {
            bounty,
            body: RevealAttestations::batch(Digest([1; 32]), &attestations, Some(blob)).remove(0),
        },
        Action::BuyLicense {
            asset,
            body: BuyLicense {
                grant: Grant::CommercialUse,
                terms: Digest([1; 32]),
                price_max: amount,
                months: 0,
            },
        },
        Action::ClaimRoyalty { asset },
        Action::TransferShares {
            asset,
            body: TransferShares {
                to: Address([2; 32]),
                shares: 1,
            },
        },
        Action::VoteTerms {
            asset,
            terms: terms(),
        },
        Action::DeclareRevenue {
            license: asset,
            body: DeclareRevenue {
                period: 1,
                revenue: amount,
            },
        },
    ]
}

#[test]
fn every_record_reads_back_from_its_item() {
    for action in every_action() {
        let item = Transaction::draft(&envelope(), &action)
            .sign(&key())
            .unwrap();
        let tx = Transaction::read(&item).unwrap();
        assert_eq!(tx.action, action);
        assert_eq!(tx.envelope, envelope());
        assert_eq!(tx.signer, key().public().address());
        assert_eq!(tx.size_bytes as usize, item.bytes().len());
        assert_eq!(tx.id, item.id());
    }
}

/// The bytes of every record are fixed: a change here is a change of the wire.
#[test]
fn the_bytes_of_every_record_are_golden() {
    use sha2::Digest as _;
    let lines: String = every_action()
        .iter()
        .map(|action| {
            let draft = Transaction::draft(&envelope(), action);
            let item = draft.sign(&key()).unwrap();
            let digest = Digest(sha2::Sha256::digest(item.bytes()).into());
            format!("{} {} {digest}\n", action.record_type(), item.bytes().len())
        })
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/records.txt");
    if std::env::var_os("LODE_WRITE_VECTORS").is_some() {
        std::fs::write(path, &lines).unwrap();
    }
    assert_eq!(
        lines,
        std::fs::read_to_string(path).unwrap(),
        "LODE_WRITE_VECTORS=1 rewrites"
    );
}

/// Signs a draft after a change and reads it.
fn read_changed(action: &Action, change: impl FnOnce(&mut Draft)) -> Result<Action, &'static str> {
    let mut draft = Transaction::draft(&envelope(), action);
    change(&mut draft);
    let item = draft.sign(&key()).unwrap();
    Transaction::read(&item)
        .map(|tx| tx.action)
        .map_err(|error| error.code())
}

#[test]
fn loose_envelopes_are_refused_with_their_code() {
    let transfer = &every_action()[0];
    let tag = |name: &'static str, value: &'static str| {
        move |draft: &mut Draft| {
            let tag = draft.tags.iter_mut().find(|tag| tag.name == name).unwrap();
            tag.value = value.to_owned();
        }
    };
    type Change = Box<dyn FnOnce(&mut Draft)>;
    let table: Vec<(&str, Change)> = vec![
        ("record_tag_value", Box::new(tag("App-Name", "lode"))),
        (
            "record_tag_value",
            Box::new(tag("Content-Type", "text/plain")),
        ),
        ("record_tag_value", Box::new(tag("Network", "short"))),
        ("record_tag_value", Box::new(tag("Nonce", "07"))),
        ("record_tag_value", Box::new(tag("Nonce", "+7"))),
        (
            "record_tag_value",
            Box::new(tag("Nonce", "18446744073709551616")),
        ),
        ("record_tag_value", Box::new(tag("Valid-Until", "-1"))),
        (
            "record_type_unknown",
            Box::new(tag("Record-Type", "Transfer")),
        ),
        (
            "record_tag_missing",
            Box::new(|draft| drop(draft.tags.remove(4))),
        ),
        (
            "record_tag_duplicate",
            Box::new(|draft| draft.tags.push(Tag::new("Nonce", "7"))),
        ),
        (
            "record_tag_unknown",
            Box::new(|draft| draft.tags.push(Tag::new("Memo", "hello"))),
        ),
        ("record_target", Box::new(|draft| draft.target = None)),
        (
            "record_anchor",
            Box::new(|draft| draft.anchor = Some([1; 32])),
        ),
        ("record_body", Box::new(|draft| draft.data = b"{}".to_vec())),
        (
            "record_body",
            Box::new(|draft| draft.data = b"{\"amount\":1}".to_vec()),
        ),
        ("record_body", Box::new(|draft| draft.data.push(b'}'))),
        (
            "record_body",
            Box::new(|draft| draft.data = b"{\"amount\":\"1\",\"amount\":\"2\"}".to_vec()),
        ),
        (
            "record_too_long",
            Box::new(|draft| draft.data = vec![b' '; RECORD_BYTES_MAX]),
        ),
    ];
    for (code, change) in table {
        assert_eq!(read_changed(transfer, change), Err(code));
    }
    let join = every_action()
        .into_iter()
        .find(|a| a.record_type() == "join-evaluators")
        .unwrap();
    assert_eq!(
        read_changed(&join, |draft| draft.target = Some([0; 32])),
        Err("record_target")
    );
    let leave = Action::LeaveEvaluators;
    assert_eq!(
        read_changed(&leave, |draft| draft.data = b"{\"a\":1}".to_vec()),
        Err("record_body")
    );
}

#[test]
fn a_genesis_and_a_purchase_from_before_months_are_read_as_they_were() {
    let bytes = json::to_vec(&Parameters::default());
    let text = String::from_utf8_lossy(&bytes);
    assert!(
        ["month", "grace", "revenue"]
            .iter()
            .all(|name| !text.contains(name))
    );
    let read: Parameters = json::from_slice(&bytes, 4_096).unwrap();
    assert_eq!(read, Parameters::default());
    let short = Parameters {
        month_ms: 5,
        grace_ms: 6,
        revenue_minimum: Amount::from_base_units(7),
        ..Parameters::default()
    };
    let bytes = json::to_vec(&short);
    assert_eq!(json::from_slice(&bytes, 4_096), Ok(short));
    let once = BuyLicense {
        grant: Grant::Access,
        terms: Digest([1; 32]),
        price_max: Amount::from_base_units(1),
        months: 0,
    };
    let bytes = json::to_vec(&once);
    assert!(!String::from_utf8_lossy(&bytes).contains("months"));
    assert_eq!(json::from_slice::<BuyLicense>(&bytes, 4_096), Ok(once));
}

#[test]
fn a_genesis_names_its_network_by_its_body_and_its_signer() {
    let genesis = Genesis {
        version: LOG_VERSION,
        name: Name::new("test").unwrap(),
        salt: Name::new("salt").unwrap(),
        time_ms: 1,
        parameters: Parameters::default(),
        allocations: vec![Allocation {
            account: Address([1; 32]),
            amount: Amount::MAX,
        }],
    };
    let record = GenesisRecord::read(&genesis.draft().sign(&key()).unwrap()).unwrap();
    assert_eq!(record.genesis, genesis);
    assert_eq!(record.proposer, key().public().address());
    let other = Genesis {
        salt: Name::new("another").unwrap(),
        ..genesis.clone()
    };
    let other = GenesisRecord::read(&other.draft().sign(&key()).unwrap()).unwrap();
    assert_ne!(record.network, other.network);
    let somebody = SecretKey::from_seed(&[77; 32]);
    let forged = GenesisRecord::read(&genesis.draft().sign(&somebody).unwrap()).unwrap();
    assert_ne!(record.network, forged.network);
    let mut expected = sha2::Sha256::new_with_prefix(b"lode/network/1");
    expected.update(record.proposer.0);
    expected.update(&genesis.draft().data);
    assert_eq!(record.network.0, <[u8; 32]>::from(expected.finalize()));
    let transfer = Transaction::draft(&envelope(), &every_action()[0])
        .sign(&key())
        .unwrap();
    assert_eq!(
        GenesisRecord::read(&transfer).map_err(|error| error.code()),
        Err("record_type_unknown")
    );
}

#[test]
fn a_commitment_binds_bounty_author_salt_and_every_part() {
    let Some(Action::RevealAttestations { body, .. }) = every_action()
        .into_iter()
        .find(|a| a.record_type() == "reveal-attestations")
    else {
        unreachable!()
    };
    let (bounty, author) = (ItemId([1; 32]), Address([2; 32]));
    let first = attestation_commitment(bounty, author, &body);
    assert_eq!(first, attestation_commitment(bounty, author, &body.clone()));
    assert_ne!(
        first,
        attestation_commitment(ItemId([3; 32]), author, &body)
    );
    assert_ne!(
        first,
        attestation_commitment(bounty, Address([3; 32]), &body)
    );
    let mut changed = vec![body.clone(); 4];
    changed[0].salt = Digest([9; 32]);
    changed[1].leaves = None;
    changed[2].parts.pop();
    changed[3].parts[0] = Digest([9; 32]);
    for body in changed {
        assert_ne!(first, attestation_commitment(bounty, author, &body));
    }
}

#[test]
fn a_batch_is_cut_into_parts_whose_digests_bind_every_word() {
    let word = |number: usize| Attestation {
        submission: ItemId([number as u8; 32]),
        outcome: Outcome::BadSeal {
            chunk: number as u64,
        },
    };
    let words: Vec<Attestation> = (0..ATTESTATIONS_PER_PART * 2 + 1).map(word).collect();
    let batch = RevealAttestations::batch(Digest([1; 32]), &words, None);
    let sizes: Vec<usize> = batch.iter().map(|part| part.attestations.len()).collect();
    assert_eq!(sizes, [ATTESTATIONS_PER_PART, ATTESTATIONS_PER_PART, 1]);
    for (place, part) in batch.iter().enumerate() {
        assert_eq!(part.part as usize, place);
        assert_eq!(part.parts[place], part_digest(&part.attestations));
        let mut changed = part.attestations.clone();
        changed[0].outcome = Outcome::Unavailable;
        assert_ne!(part.parts[place], part_digest(&changed));
    }
    assert!(RevealAttestations::batch(Digest([1; 32]), &[], None).is_empty());
}

proptest! {
    #[test]
    fn any_body_and_tags_are_a_record_or_refused(
        place in any::<prop::sample::Index>(),
        data in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
        extra in proptest::option::of("[A-Za-z-]{1,20}"),
        target in proptest::option::of(any::<Option<[u8; 32]>>()),
    ) {
        let actions = every_action();
        let action = place.get(&actions);
        let (keeps_body, keeps_target) = (data.is_none(), target.is_none());
        let is_extra = extra.is_some();
        let read = read_changed(action, |draft| {
            draft.data = data.unwrap_or(std::mem::take(&mut draft.data));
            draft.target = target.unwrap_or(draft.target);
            draft.tags.extend(extra.map(|name| Tag::new(name, "x")));
        });
        if let Ok(read) = &read {
            prop_assert_eq!(&read_changed(read, |_| ()), &Ok(read.clone()));
        }
        if keeps_body && keeps_target {
            match (is_extra, action.terms().is_empty()) {
                (false, _) => prop_assert_eq!(read, Ok(action.clone())),
                (true, true) => prop_assert_eq!(read, Err("record_tag_unknown")),
                // What stands beside the tags of terms is for whoever reads those.
                (true, false) => prop_assert!(read.is_ok(), "{:?}", read),
            }
        }
    }

    #[test]
    fn a_mutated_body_is_a_record_or_refused(
        place in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let actions = every_action();
        let read = read_changed(place.get(&actions), |draft| {
            let at = at.index(draft.data.len());
            draft.data[at] = byte;
        });
        if let Ok(read) = read {
            prop_assert_eq!(read_changed(&read, |_| ()), Ok(read));
        }
    }
}

#[test]
fn a_part_that_is_set_aside_is_written_only_where_there_is_one() {
    for action in every_action() {
        let text = String::from_utf8(action.body()).unwrap();
        assert!(!text.contains("self_funding_ppm") && !text.contains("fund"));
    }
    let fund = FundPart {
        asset: ItemId([3; 32]),
        amount: Amount::from_base_units(7),
    };
    for mut action in every_action() {
        match &mut action {
            Action::RegisterAsset { body, .. } => body.self_funding_ppm = 200_000,
            Action::PostBounty { body } => {
                body.self_funding_ppm = 1;
                body.fund = Some(fund);
            }
            _ => continue,
        }
        let item = Transaction::draft(&envelope(), &action).sign(&key());
        let tx = Transaction::read(&item.unwrap()).unwrap();
        assert_eq!(tx.action, action);
    }
}
