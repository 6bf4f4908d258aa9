use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

fn entropy(hex: &str) -> [u8; ENTROPY_LEN] {
    bytes(hex).try_into().unwrap()
}

/// Test vectors 1 and 2 for ed25519 in SLIP-0010: each path adds one step.
fn slip_0010(seed: &str, steps: &[u32], keys: &[&str]) {
    for (len, key) in keys.iter().enumerate() {
        let derived = derive(&bytes(seed), &steps[..len]);
        assert_eq!(derived.to_vec(), bytes(key), "after {len} steps");
    }
}

#[test]
fn slip_0010_vector_1_is_met() {
    slip_0010(
        "000102030405060708090a0b0c0d0e0f",
        &[0, 1, 2, 2, 1_000_000_000],
        &[
            "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7",
            "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3",
            "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2",
            "92a5b23c0b8a99e37d07df3fb9966917f5d06e02ddbd909c7e184371463e9fc9",
            "30d1dc7e5fc04c31219ab25a27ae00b50f6fd66622f6e9c913253d6511d1e662",
            "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793",
        ],
    );
}

#[test]
fn slip_0010_vector_2_is_met() {
    slip_0010(
        "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a2\
         9f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542",
        &[0, 2_147_483_647, 1, 2_147_483_646, 2],
        &[
            "171cb88b1b3c1db25add599712e36245d75bc65a1a5c9e18d76f9f2b1eab4012",
            "1559eb2bbec5790b0c65d8693e4d0875b1747f4970ae8b650486ed7470845635",
            "ea4f5bfe8694d8bb74b7b59404632fd5968b774ed545e810de9c32a4fb4192f4",
            "3757c7577170179c7868353ada796c839135b3d30554bbb74a4b1e4a5a58505c",
            "5837736c89570de861ebc173b1086da4f505d4adb387c6a1b1342d5e4ac9ec72",
            "551d333177df541ad876a60ea71f00447931c0a9da16f227c11ea080d7391b8d",
        ],
    );
}

/// The 24-word vectors of BIP-39 (its vectors are kept at trezor/python-mnemonic).
#[test]
fn bip_39_vectors_are_met() {
    let abandon = format!("{}art", "abandon ".repeat(23));
    let zoo = format!("{}vote", "zoo ".repeat(23));
    let vectors = [
        (&*"00".repeat(32), &*abandon),
        (
            &"7f".repeat(32),
            "legal winner thank year wave sausage worth useful legal winner thank year \
             wave sausage worth useful legal winner thank year wave sausage worth title",
        ),
        (
            &"80".repeat(32),
            "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd \
             amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless",
        ),
        (&"ff".repeat(32), &zoo),
        (
            "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
            "hamster diagram private dutch cause delay private meat slide toddler razor book \
             happy fancy gospel tennis maple dilemma loan word shrug inflict delay length",
        ),
    ];
    for (hex, phrase) in vectors {
        let words = RecoveryWords::from_entropy(&entropy(hex));
        assert_eq!(*words.phrase(), phrase);
        assert!(RecoveryWords::parse(phrase).unwrap() == words);
    }
}

#[test]
fn bip_39_seeds_are_met() {
    let words = RecoveryWords::from_entropy(&[0; 32]);
    assert_eq!(
        words.0.to_seed_normalized("TREZOR").to_vec(),
        bytes(
            "bda85446c68413707090a52022edd26a1c9462295029f2e60cd7c4f2bbd30971\
             70af7a4d73245cafa9c3cca8d561a7c3de6f5d4a10be8ed2a5e608d68f92fcc8"
        )
    );
    assert_eq!(
        words.0.to_seed_normalized("").to_vec(),
        bytes(
            "408b285c123836004f4b8842c89324c1f01382450c0d439af345ba7fc49acf70\
             5489c6fc77dbd4e3dc1dd8cc6bc9f043db8ada1e243c4a0eafb290d399480840"
        )
    );
}

/// Computed once with Python's hashlib and hmac: what no change may move.
#[test]
fn the_same_words_give_the_same_key_for_ever() {
    let key = RecoveryWords::from_entropy(&[0; 32]).secret_key();
    assert_eq!(
        key.seed().to_vec(),
        bytes("70365da86ed82e672170e2f9ae08cb32a0eabdf860bf2ae03921a31b9e647857")
    );
}

#[test]
fn words_are_read_in_any_case_and_spacing() {
    let words = RecoveryWords::from_entropy(&[7; 32]);
    let typed = format!(
        " {} \n",
        words.phrase().to_uppercase().replace(' ', "\t\n ")
    );
    assert!(RecoveryWords::parse(&typed).unwrap() == words);
}

#[test]
fn wrong_words_are_named_by_position_only() {
    let phrase = RecoveryWords::from_entropy(&[7; 32]).phrase();
    let mut list: Vec<&str> = phrase.split(' ').collect();
    let refused = |list: &[&str]| RecoveryWords::parse(&list.join(" ")).unwrap_err();

    assert_eq!(refused(&list[..12]), WordsFlaw::Count(12));
    assert_eq!(refused(&[]), WordsFlaw::Count(0));
    let right = std::mem::replace(&mut list[4], "hunter2");
    assert_eq!(refused(&list), WordsFlaw::Unknown { position: 5 });
    let error = WalletError::from(refused(&list));
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    list[4] = if right == "zoo" { "zero" } else { "zoo" };
    assert_eq!(refused(&list), WordsFlaw::Checksum);
}

#[test]
fn new_words_differ() {
    let (first, second) = (RecoveryWords::generate(), RecoveryWords::generate());
    assert!(first.unwrap() != second.unwrap());
}

#[test]
fn debug_shows_no_word() {
    let words = RecoveryWords::from_entropy(&[7; 32]);
    let shown = format!("{words:?} {:#?}", Some(&words));
    for word in words.phrase().split(' ') {
        assert!(!shown.contains(word));
    }
}

proptest! {
    #[test]
    fn any_entropy_comes_back_from_its_words(entropy: [u8; ENTROPY_LEN]) {
        let words = RecoveryWords::from_entropy(&entropy);
        let read = RecoveryWords::parse(&words.phrase()).unwrap();
        prop_assert_eq!(read.0.to_entropy_array().0[..ENTROPY_LEN].to_vec(), entropy.to_vec());
    }

    #[test]
    fn any_text_is_words_or_an_error(text: String) {
        prop_assert!(RecoveryWords::parse(&text).is_err());
    }
}
