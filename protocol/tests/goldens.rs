//! The bytes of seals and archives, frozen. `LODE_UPDATE_VECTORS=1` writes them
//! anew: a change of them is a change of the format.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::archive::{self, ArchivePath};
use protocol::seal::{self, SealKey, SealScope};
use protocol::{Address, BlobId, ItemId, NetworkId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Compares with the stored file, or writes it where the environment says so.
fn check(name: &str, found: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(name);
    if std::env::var_os("LODE_UPDATE_VECTORS").is_some_and(|value| value == "1") {
        let text = serde_json::to_string_pretty(found).expect("a value has a text") + "\n";
        std::fs::write(&path, text).expect("the vectors can be written");
    }
    let stored = std::fs::read_to_string(&path).expect("the vectors can be read");
    let stored: Value = serde_json::from_str(&stored).expect("the vectors are JSON");
    assert_eq!(found, &stored);
}

fn plaintext(len: usize) -> Vec<u8> {
    (0..len)
        .map(|i| (i * 31 + (i >> 8) * 17 + 7) as u8)
        .collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn seals_keep_their_bytes() {
    let key = SealKey::from_bytes(std::array::from_fn(|i| i as u8));
    let nonce = std::array::from_fn(|i| 100 + i as u8);
    let (network, owner) = (NetworkId([1; 32]), Address([3; 32]));
    let scopes = [
        ("test set", SealScope::test_set(network, owner, 258)),
        (
            "submission",
            SealScope::submission(network, ItemId([2; 32]), owner),
        ),
    ];
    let digests: BTreeMap<_, _> = scopes
        .iter()
        .map(|(name, scope)| (name, seal::seal_digest(scope, &key, &BlobId([5; 32]), 772)))
        .collect();
    let ciphertexts: Vec<_> = [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000]
        .map(|len| {
            let mut out = Vec::new();
            let sealed = seal::encrypt(&key, nonce, &plaintext(len)[..], &mut out)
                .expect("memory does not fail");
            json!({
                "plaintext_len": len,
                "len": sealed.len,
                "root": sealed.root,
                "first": hex(&out[..out.len().min(64)]),
                "sha256": hex(&Sha256::digest(&out)),
            })
        })
        .into();
    check(
        "seal.json",
        &json!({"digests": digests, "ciphertexts": ciphertexts}),
    );
}

#[test]
fn archives_keep_their_bytes() {
    let files: BTreeMap<_, _> = [
        ("model.safetensors", plaintext(40)),
        ("Readme.md", b"# A model\n".to_vec()),
        ("data/train.csv", b"x,y\n1,2\n".to_vec()),
        ("data/more/a b.txt", Vec::new()),
        ("data.txt", b"!".to_vec()),
    ]
    .into_iter()
    .map(|(path, content)| {
        let path = ArchivePath::parse(path).expect("these paths are good");
        (path, content)
    })
    .collect();
    let bytes = archive::encode(&files).expect("these files have an archive");
    let paths: Vec<_> = files.keys().map(ArchivePath::as_str).collect();
    check(
        "archive.json",
        &json!({"paths": paths, "bytes": hex(&bytes)}),
    );
}
