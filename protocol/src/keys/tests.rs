use super::*;

/// Made by tests/interop/ed25519/hostile.py, which spells the curve out itself.
const HOSTILE: &str = include_str!("../../tests/vectors/ed25519_hostile.json");

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    // RFC 8032, 7.1, tests 1 to 3: seed, public key, message, signature.
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (seed, public, message, signature) in cases {
        let key = SecretKey::from_seed(&array(seed));
        assert_eq!(key.public().as_bytes(), &array(public));
        assert_eq!(*key.seed(), array(seed));
        let signed = key.sign(&hex(message));
        assert_eq!(signed.as_slice(), hex(signature));
        assert_eq!(key.public().verify(&hex(message), &signed), Ok(()));
    }
}

#[test]
fn keys_that_prove_nothing_are_refused() {
    let hostile: serde_json::Value = serde_json::from_str(HOSTILE).unwrap();
    let keys = hostile["keys"].as_array().unwrap();
    assert!(keys.len() > 40);
    for case in keys {
        let bytes = array(case["key"].as_str().unwrap());
        let result = PublicKey::from_bytes(&bytes);
        match case["flaw"].as_str().unwrap() {
            "small order" => assert_eq!(result, Err(KeyError::SmallOrder), "{case}"),
            "not canonical" => assert_eq!(result, Err(KeyError::NotCanonical), "{case}"),
            "no point" => assert_eq!(result, Err(KeyError::NotAPoint), "{case}"),
            "sign on x = 0" => assert!(
                matches!(result, Err(KeyError::NotAPoint | KeyError::SmallOrder)),
                "{case}: {result:?}"
            ),
            flaw => panic!("unknown flaw {flaw}"),
        }
    }
}

#[test]
fn signatures_that_a_loose_verifier_takes_are_refused() {
    use ed25519_dalek::Verifier;

    let hostile: serde_json::Value = serde_json::from_str(HOSTILE).unwrap();
    let mut taken_by_the_loose = 0;
    for case in hostile["signatures"].as_array().unwrap() {
        let field = |name: &str| hex(case[name].as_str().unwrap());
        let key: [u8; 32] = field("key").try_into().unwrap();
        let signature: [u8; 64] = field("signature").try_into().unwrap();
        let message = field("message");
        let loose = VerifyingKey::from_bytes(&key)
            .unwrap()
            .verify(&message, &Signature::from_bytes(&signature))
            .is_ok();
        let strict = PublicKey::from_bytes(&key)
            .unwrap()
            .verify(&message, &signature);
        let (expected, loose_expected) = match case["flaw"].as_str().unwrap() {
            "valid" => (Ok(()), true),
            "small order R" => (Err(SignatureError::SmallOrder), true),
            "scalar range" => (Err(SignatureError::ScalarRange), false),
            "mismatch" => (Err(SignatureError::Mismatch), false),
            flaw => panic!("unknown flaw {flaw}"),
        };
        assert_eq!(strict, expected, "{case}");
        assert_eq!(loose, loose_expected, "{case}");
        taken_by_the_loose += usize::from(loose && strict.is_err());
    }
    assert_eq!(taken_by_the_loose, 3);
}

#[test]
fn a_small_order_key_signs_everything_for_a_loose_verifier() {
    use ed25519_dalek::Verifier;

    // Key and R are the neutral element, S is zero: the equation holds for every message.
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let loose = VerifyingKey::from_bytes(&identity).unwrap();
    let any = Signature::from_bytes(&signature);
    assert!(loose.verify(b"all to me", &any).is_ok());
    assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::SmallOrder));
}

#[test]
fn another_message_or_key_is_a_mismatch() {
    let signature = key().sign(b"one");
    assert_eq!(
        key().public().verify(b"two", &signature),
        Err(SignatureError::Mismatch)
    );
    let other = SecretKey::from_seed(&[8; 32]).public();
    assert_eq!(
        other.verify(b"one", &signature),
        Err(SignatureError::Mismatch)
    );
}

#[test]
fn a_public_key_reads_back_from_every_form() {
    let public = key().public();
    assert_eq!(public.to_string().len(), 43);
    assert_eq!(public.to_string().parse(), Ok(public));
    let json = serde_json::to_string(&public).unwrap();
    assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), public);
    let bytes = borsh::to_vec(&public).unwrap();
    assert_eq!(bytes, public.as_bytes());
    assert_eq!(borsh::from_slice::<PublicKey>(&bytes).unwrap(), public);
}

#[test]
fn no_form_lets_a_weak_key_in() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let text = Digest(identity).to_string();
    assert_eq!(text.parse::<PublicKey>(), Err(KeyError::SmallOrder));
    assert!(serde_json::from_str::<PublicKey>(&format!("\"{text}\"")).is_err());
    assert!(borsh::from_slice::<PublicKey>(&identity).is_err());
    assert_eq!("short".parse::<PublicKey>(), Err(KeyError::Text));
}

#[test]
fn an_address_is_the_hash_of_the_key() {
    let public = key().public();
    let expected: [u8; 32] = Sha256::digest(public.as_bytes()).into();
    assert_eq!(public.address(), Address(expected));
}

#[test]
fn debug_prints_no_secret() {
    let text = format!("{:?}", key());
    assert_eq!(text, format!("SecretKey(of {})", key().public()));
    assert!(!text.contains("7, 7") && !text.contains("0707"));
}
