//! What holds for all bytes: what is written reads back; what reads has one
//! spelling; nothing from outside panics.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use protocol::ans104::{Draft, SignedItem, StreamVerifier, Tag, bundle, decode_tags, encode_tags};
use protocol::archive::{self, ArchivePath};
use protocol::keys::SecretKey;
use protocol::merkle;
use protocol::seal::{self, SealKey};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn tag() -> impl Strategy<Value = Tag> {
    ("\\PC{1,40}", "\\PC{1,60}").prop_map(|(name, value)| Tag { name, value })
}

/// A tag that is short, so that a change likely meets a length or a count.
fn short_tag() -> impl Strategy<Value = Tag> {
    ("[a-c]{1,2}", "[a-c]{1,2}").prop_map(|(name, value)| Tag { name, value })
}

fn draft() -> impl Strategy<Value = Draft> {
    (
        option::of(any::<[u8; 32]>()),
        option::of(any::<[u8; 32]>()),
        vec(tag(), 0..6),
        vec(any::<u8>(), 0..300),
    )
        .prop_map(|(target, anchor, tags, data)| Draft {
            target,
            anchor,
            tags,
            data,
        })
}

/// Changes to a byte string: replace, insert, remove, cut, and a varint's byte made over-long.
#[derive(Debug, Clone)]
enum Change {
    Replace(usize, u8),
    Insert(usize, u8),
    Remove(usize),
    Cut(usize),
    Stretch(usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    vec(
        prop_oneof![
            4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
            // Small numbers are what counts, presence bytes and lengths are made of.
            4 => (any::<usize>(), 0..8u8).prop_map(|(at, byte)| Change::Replace(at, byte)),
            1 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Insert(at, byte)),
            1 => any::<usize>().prop_map(Change::Remove),
            1 => any::<usize>().prop_map(Change::Cut),
            2 => any::<usize>().prop_map(Change::Stretch),
        ],
        1..4,
    )
}

fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let len = bytes.len();
        match *change {
            Change::Insert(at, byte) => bytes.insert(at % (len + 1), byte),
            _ if len == 0 => {}
            Change::Replace(at, byte) => bytes[at % len] = byte,
            Change::Remove(at) => {
                bytes.remove(at % len);
            }
            Change::Cut(at) => bytes.truncate(at % len),
            Change::Stretch(at) => {
                bytes[at % len] |= 0x80;
                bytes.insert(at % len + 1, 0);
            }
        }
    }
    bytes
}

/// Encodes an item from its fields, by the layout and not by the crate's encoder.
fn spelled(item: &SignedItem) -> Vec<u8> {
    let mut out = vec![2, 0];
    out.extend_from_slice(item.signature());
    out.extend_from_slice(item.owner().as_bytes());
    for field in [item.target(), item.anchor()] {
        match field {
            None => out.push(0),
            Some(bytes) => {
                out.push(1);
                out.extend_from_slice(bytes);
            }
        }
    }
    let tags = encode_tags(item.tags()).expect("decoded tags keep the limits");
    out.extend_from_slice(&(item.tags().len() as u64).to_le_bytes());
    out.extend_from_slice(&(tags.len() as u64).to_le_bytes());
    out.extend_from_slice(&tags);
    out.extend_from_slice(item.data());
    out
}

fn component() -> impl Strategy<Value = String> {
    "[a-cA-C.é ]{1,3}"
}

fn path() -> impl Strategy<Value = String> {
    vec(component(), 1..4).prop_map(|components| components.join("/"))
}

const WIDE: archive::Limits = archive::Limits {
    files_max: 1_000,
    file_bytes_max: 1 << 20,
    total_bytes_max: 1 << 20,
};

fn folder() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    btree_map(path(), vec(any::<u8>(), 0..50), 0..8)
}

/// The files of these that have a path; `None` where two of them collide.
fn archived(files: &BTreeMap<String, Vec<u8>>) -> Option<Vec<u8>> {
    let files: BTreeMap<_, _> = files
        .iter()
        .filter_map(|(name, content)| Some((ArchivePath::parse(name).ok()?, content.clone())))
        .collect();
    archive::encode(&files).ok()
}

/// Whether two of these paths would be one place, by a list of everything seen.
fn collides(paths: &[&str]) -> bool {
    let mut seen = BTreeMap::new();
    for path in paths {
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let place = (&path[..end], end == path.len());
            let before = seen.insert(place.0.to_ascii_lowercase(), place);
            if before.is_some_and(|before| before != place || place.1) {
                return true;
            }
        }
    }
    false
}

proptest! {
    #[test]
    fn drafts_read_back(draft in draft(), seed in any::<u8>()) {
        let made = draft.clone().sign(&key(seed)).expect("small tags");
        let read = SignedItem::decode(made.bytes()).expect("it was just written");
        prop_assert_eq!(read.target(), draft.target.as_ref());
        prop_assert_eq!(read.anchor(), draft.anchor.as_ref());
        prop_assert_eq!(read.tags(), &draft.tags[..]);
        prop_assert_eq!(read.data(), &draft.data[..]);
        prop_assert_eq!(spelled(&read), made.bytes());
        let mut verifier = StreamVerifier::new(read.header().clone(), read.data().len() as u64);
        verifier.update(read.data());
        prop_assert_eq!(verifier.finish(), Ok(made.id()));
        prop_assert_eq!(read.verify(), Ok(made));
    }

    #[test]
    fn what_decodes_has_one_spelling(draft in draft(), changes in changes()) {
        let made = draft.sign(&key(1)).expect("small tags");
        let bytes = changed(made.bytes().to_vec(), &changes);
        if let Ok(item) = SignedItem::decode(&bytes) {
            prop_assert_eq!(spelled(&item), &bytes[..]);
            let same = item.id() == made.id();
            if let Ok(verified) = item.verify() {
                prop_assert!(same && verified.bytes() == made.bytes());
            }
        }
    }

    #[test]
    fn any_bytes_are_an_item_or_an_error(
        signature in vec(any::<u8>(), 64),
        target in proptest::option::of(any::<[u8; 32]>()),
        anchor in proptest::option::of(any::<[u8; 32]>()),
        tags in vec(short_tag(), 0..3),
        count in proptest::option::weighted(0.2, 0..4u64),
        data in vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = [&[2, 0], &signature[..], key(1).public().as_bytes()].concat();
        for field in [target, anchor] {
            bytes.push(u8::from(field.is_some()));
            bytes.extend(field.into_iter().flatten());
        }
        let text = encode_tags(&tags).expect("small tags");
        bytes.extend(count.unwrap_or(tags.len() as u64).to_le_bytes());
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text);
        bytes.extend(data);
        let is_sound = count.is_none_or(|count| count == tags.len() as u64);
        prop_assert_eq!(SignedItem::decode(&bytes).is_ok(), is_sound);
        if let Ok(item) = SignedItem::decode(&bytes) {
            prop_assert_eq!(spelled(&item), bytes);
            prop_assert!(item.verify().is_err());
        }
    }

    #[test]
    fn any_tag_bytes_have_one_spelling(
        count in 0..4u64,
        bytes in vec(prop_oneof![0..6u8, any::<u8>()], 0..24),
    ) {
        if let Ok(tags) = decode_tags(count, &bytes) {
            prop_assert_eq!(tags.len() as u64, count);
            prop_assert_eq!(encode_tags(&tags).expect("they were just read"), bytes);
        }
    }

    #[test]
    fn changed_tags_have_one_spelling(tags in vec(short_tag(), 1..4), changes in changes()) {
        let bytes = changed(encode_tags(&tags).expect("small tags"), &changes);
        for count in 0..6 {
            if let Ok(tags) = decode_tags(count, &bytes) {
                prop_assert_eq!(&encode_tags(&tags).expect("they were just read"), &bytes);
            }
        }
    }

    #[test]
    fn bundles_have_one_spelling(drafts in vec(draft(), 0..4), changes in changes()) {
        let items: Vec<_> = drafts
            .into_iter()
            .map(|draft| draft.sign(&key(2)).expect("small tags"))
            .collect();
        let good = bundle::encode(&items);
        prop_assert_eq!(&bundle::decode(&good).expect("it was just written"), &items);
        let bad = changed(good.clone(), &changes);
        if let Ok(read) = bundle::decode(&bad) {
            prop_assert_eq!(bundle::encode(&read), &bad[..]);
        }
    }

    #[test]
    fn any_bytes_are_a_bundle_or_an_error(count in 0..3u8, bytes in vec(any::<u8>(), 0..300)) {
        let mut bundle = vec![0; 32];
        bundle[0] = count;
        bundle.extend_from_slice(&bytes);
        let read = bundle::decode(&bundle);
        prop_assert!(read.is_err() || (count == 0 && bytes.is_empty()));
    }

    #[test]
    fn archives_read_back(files in folder()) {
        let Some(bytes) = archived(&files) else { return Ok(()); };
        let read = archive::decode(&bytes, WIDE).expect("it was just written");
        for (path, content) in &read {
            prop_assert_eq!(files.get(path.as_str()), Some(content));
        }
        prop_assert_eq!(archive::encode(&read).expect("it was just read"), bytes);
    }

    #[test]
    fn what_decodes_as_an_archive_has_one_spelling(files in folder(), changes in changes()) {
        let Some(bytes) = archived(&files) else { return Ok(()); };
        let bytes = changed(bytes, &changes);
        if let Ok(read) = archive::decode(&bytes, WIDE) {
            prop_assert_eq!(archive::encode(&read).expect("it was just read"), bytes);
        }
    }

    #[test]
    fn neighbours_show_every_collision(files in vec(path(), 0..10)) {
        let parsed: BTreeMap<_, _> = files
            .iter()
            .filter_map(|text| Some((ArchivePath::parse(text).ok()?, Vec::new())))
            .collect();
        let paths: Vec<_> = parsed.keys().map(ArchivePath::as_str).collect();
        prop_assert_eq!(archive::encode(&parsed).is_err(), collides(&paths));
    }

    #[test]
    fn any_bytes_are_an_archive_or_an_error(bytes in vec(any::<u8>(), 0..100)) {
        let bytes = [archive::MAGIC.as_slice(), &bytes].concat();
        if let Ok(read) = archive::decode(&bytes, WIDE) {
            prop_assert_eq!(archive::encode(&read).expect("it was just read"), bytes);
        }
    }

    #[test]
    fn a_changed_ciphertext_never_opens(
        plaintext in vec(any::<u8>(), 0..200),
        changes in changes(),
    ) {
        let key = SealKey::from_bytes([3; 32]);
        let mut good = Vec::new();
        seal::encrypt(&key, [5; 19], &plaintext[..], &mut good).expect("memory does not fail");
        let mut opened = Vec::new();
        seal::decrypt(&key, &good[..], &mut opened).expect("it was just sealed");
        prop_assert_eq!(opened, plaintext);
        let bad = changed(good.clone(), &changes);
        if bad != good {
            prop_assert!(seal::decrypt(&key, &bad[..], Vec::new()).is_err());
        }
    }

    #[test]
    fn any_proof_of_any_leaf_is_judged(
        path in vec(any::<[u8; 32]>(), 0..70),
        index in any::<u64>(),
        len in any::<u64>(),
    ) {
        let path = path.into_iter().map(protocol::Digest).collect();
        let proof = merkle::Proof { path };
        prop_assert!(proof.verify(&protocol::Digest([0; 32]), b"leaf", index, len).is_err());
    }
}
