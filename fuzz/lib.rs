//! What the targets share, and what they read that is part of no library.

/// As the command has it, to whom a failure is told.
macro_rules! talk {
    ($($words:tt)*) => {
        eprintln!($($words)*)
    };
}

#[path = "../src/amount.rs"]
pub mod amount;
#[path = "../src/bounty"]
pub mod bounty {
    pub mod plan;
    pub mod values;
}
#[path = "../src/boxed"]
pub mod boxed {
    pub mod orders;
    pub mod predictions;
}
#[path = "../src/failure.rs"]
pub mod failure;
#[path = "../node/src/http/range.rs"]
pub mod range;
#[path = "../src/terms.rs"]
pub mod terms;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzzer_mutate;
use protocol::ItemId;
use protocol::ans104::bundle::{BundleReader, BundleWriter, Limits};
use protocol::ans104::{Draft, SignedItem, VerifiedItem, encode_tags};
use protocol::keys::{PublicKey, SecretKey};
use protocol::seal::SealKey;
use serde_json::Value;

/// Whether what is written by name was read by name, at every depth, so that the order in which our fields are declared
/// is no part of a format.
pub fn is_by_name(given: &Value, written: &Value) -> bool {
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => given.iter().all(|(name, given)| {
            let written = written.get(name);
            written.is_none_or(|written| is_by_name(given, written))
        }),
        (_, Value::Object(_)) => false,
        (Value::Array(given), Value::Array(written)) => {
            let mut pairs = given.iter().zip(written);
            given.len() == written.len() && pairs.all(|(given, written)| is_by_name(given, written))
        }
        _ => true,
    }
}

/// The same of two texts that are JSON.
pub fn are_by_name(given: &[u8], written: &[u8]) -> bool {
    let read = |json| serde_json::from_slice::<Value>(json).expect("it was read before");
    is_by_name(&read(given), &read(written))
}

/// Who plays in `lode demo`, from whose log the seeds come; its keys are no secrets.
const CAST: [&str; 14] = [
    "Olga", "Sofia", "Ben", "Dora", "Boris", "Mira", "Milo", "Cory", "Ada", "Emil", "Ines", "Otto",
    "Loki", "Lumen",
];

/// The most bytes that one change adds to an item.
const GROWTH_BYTES: usize = 64;

fn secret(purpose: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("lode demo 1: not a secret");
    hasher.update(&0u64.to_le_bytes());
    hasher.update(purpose.as_bytes());
    *hasher.finalize().as_bytes()
}

fn keys() -> &'static [SecretKey] {
    static KEYS: OnceLock<Vec<SecretKey>> = OnceLock::new();
    KEYS.get_or_init(|| CAST.map(|name| SecretKey::from_seed(&secret(name))).into())
}

/// The key of the demo's operator, who signs the log.
pub fn key() -> &'static SecretKey {
    &keys()[0]
}

/// The key of one of the demo's people; of anybody else, the operator's.
pub fn key_of(owner: &PublicKey) -> &'static SecretKey {
    let owner = keys().iter().find(|key| key.public() == *owner);
    owner.unwrap_or(key())
}

/// What an item says.
pub fn draft_of(item: &SignedItem) -> Draft {
    Draft {
        target: item.target().copied(),
        anchor: item.anchor().copied(),
        tags: item.tags().to_vec(),
        data: item.data().to_vec(),
    }
}

/// The item with a signature that holds: a mutation behind a signature would
/// else never reach what reads the item. It is its owner's where that is one of
/// the demo's people, so that what was not changed stays the same, bytes and
/// all: signatures are deterministic.
pub fn signed_again(item: &SignedItem) -> VerifiedItem {
    draft_of(item)
        .sign(key_of(&item.owner()))
        .expect("tags that were decoded keep the limits")
}

/// Ids of items that were signed again, so that what names them still does.
#[derive(Default)]
pub struct Links {
    ids: BTreeMap<[u8; 32], [u8; 32]>,
    texts: BTreeMap<String, String>,
}

impl Links {
    /// What was `old` is `new` by now.
    pub fn put(&mut self, old: ItemId, new: ItemId) {
        if old != new {
            self.ids.insert(old.0, new.0);
            self.texts.insert(old.to_string(), new.to_string());
        }
    }

    /// Puts new ids in the place of old ones: the target, and texts in tags and JSON.
    pub fn relink(&self, draft: &mut Draft) {
        if self.ids.is_empty() {
            return;
        }
        if let Some(new) = draft.target.and_then(|target| self.ids.get(&target)) {
            draft.target = Some(*new);
        }
        for tag in &mut draft.tags {
            if let Some(new) = self.texts.get(&tag.value) {
                tag.value.clone_from(new);
            }
        }
        // An id has 43 characters, and stands between quotes.
        for end in 44..draft.data.len() {
            if draft.data[end] == b'"' && draft.data[end - 44] == b'"' {
                let text = std::str::from_utf8(&draft.data[end - 43..end]).ok();
                if let Some(new) = text.and_then(|text| self.texts.get(text)) {
                    draft.data[end - 43..end].copy_from_slice(new.as_bytes());
                }
            }
        }
    }
}

/// An item's bytes from its parts, by the layout; none if the tags are beyond the limits.
pub fn spelled(signature: &[u8], owner: &PublicKey, draft: &Draft) -> Option<Vec<u8>> {
    let mut out = vec![2, 0];
    out.extend_from_slice(signature);
    out.extend_from_slice(owner.as_bytes());
    for field in [&draft.target, &draft.anchor] {
        out.push(u8::from(field.is_some()));
        out.extend_from_slice(field.as_ref().map_or(&[][..], |bytes| &bytes[..]));
    }
    let tags = encode_tags(&draft.tags).ok()?;
    out.extend_from_slice(&(draft.tags.len() as u64).to_le_bytes());
    out.extend_from_slice(&(tags.len() as u64).to_le_bytes());
    out.extend_from_slice(&tags);
    out.extend_from_slice(&draft.data);
    Some(out)
}

/// A mutator of items. Lengths stand before tags and data, so that a change of a
/// length alone breaks an item: here the parts are changed, and put together again.
pub fn mutate_item(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let changed = match seed % 4 {
        0 => None,
        _ => SignedItem::decode(&data[..size])
            .ok()
            .and_then(|item| changed(&item, seed / 4)),
    };
    put(data, size, max_size, changed)
}

/// A mutator of bundles: an item of it is changed, left out, or put in twice.
pub fn mutate_bundle(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let changed = match seed % 4 {
        0 => None,
        _ => bundle_changed(&data[..size], seed / 4),
    };
    put(data, size, max_size, changed)
}

fn put(data: &mut [u8], size: usize, max_size: usize, changed: Option<Vec<u8>>) -> usize {
    match changed {
        Some(bytes) if bytes.len() <= max_size => {
            data[..bytes.len()].copy_from_slice(&bytes);
            bytes.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
}

fn changed(item: &SignedItem, seed: u32) -> Option<Vec<u8>> {
    let mut draft = draft_of(item);
    let place = (seed / 4) as usize;
    match (seed % 4, draft.tags.len()) {
        (0, count @ 1..) => {
            let value = &mut draft.tags[place % count].value;
            let bytes = mutated(value.as_bytes().to_vec());
            *value = String::from_utf8_lossy(&bytes).into_owned();
        }
        _ => draft.data = mutated(draft.data),
    }
    spelled(item.signature(), &item.owner(), &draft)
}

fn mutated(mut bytes: Vec<u8>) -> Vec<u8> {
    let size = bytes.len();
    let room = size + GROWTH_BYTES;
    bytes.resize(room, 0);
    let size = fuzzer_mutate(&mut bytes, size, room);
    bytes.truncate(size);
    bytes
}

fn bundle_changed(data: &[u8], seed: u32) -> Option<Vec<u8>> {
    let reader = BundleReader::new(data, Limits::default()).ok()?;
    let mut items: Vec<SignedItem> = reader.collect::<Result<_, _>>().ok()?;
    let place = (seed / 8) as usize % items.len().max(1);
    let item = items.get(place)?.clone();
    match seed % 8 {
        0 => drop(items.remove(place)),
        1 => items.insert(place, item),
        _ => {
            let bytes = changed(&item, seed / 8 / items.len() as u32)?;
            items[place] = SignedItem::from_vec(bytes).ok()?;
        }
    }
    let entries = items
        .iter()
        .map(|item| (item.bytes().len() as u64, item.id()));
    let mut writer = BundleWriter::write_header(Vec::new(), items.len() as u64, entries).ok()?;
    for item in &items {
        writer.write_item(item).ok()?;
    }
    writer.finish().ok()
}

/// A folder for one input, in memory where the system has such a place.
pub fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.expect("room for a folder")
}

/// The key of the demo's smallest seal.
pub fn seal_key() -> SealKey {
    SealKey::from_bytes(secret("Milo seal"))
}

/// Two parts of an input, with a zero between: the first is JSON, which has none.
pub fn two(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = data.iter().position(|byte| *byte == 0)?;
    Some((&data[..end], &data[end + 1..]))
}
