//! Strict reading of `model.safetensors`.
//!
//! File: the header's length (u64, little-endian), the header (a JSON object of
//! that many bytes, blanks behind it), the tensors' bytes. The `safetensors`
//! crate reads the same format; it keeps the last of two equal keys and its
//! error for tensors that overlap depends on a hash order, so what is attested
//! is decided here and the crate only confirms it.
//!
//! Order of the checks, the first fault being the one reported: length of the
//! file, length of the header ([`HEADER_BYTES_MAX`], before it is parsed), form
//! of the header, keys given twice (in the file's order), unknown tensors, then
//! by ascending name missing tensor, dtype, shape; then offsets (by ascending
//! begin, end, name), number of bytes, values (by ascending name and index).
//! Entries of `__metadata__` are strings, and are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use safetensors::SafeTensors;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::config::{Architecture, TensorSpec};
use crate::error::{ModelError, excerpt};
use crate::strict::Object;
use crate::weights::{Tensor, Weights, check_finite};

/// The most bytes of a header: more than [`crate::config::HIDDEN_LAYERS_MAX`] layers need.
pub const HEADER_BYTES_MAX: u64 = 1 << 20;

const LENGTH_BYTES: u64 = 8;
const METADATA_KEY: &str = "__metadata__";

/// Checks the size of a `model.safetensors` before it is read into memory.
///
/// # Errors
/// [`ModelError::FileTooLong`] for more than the longest header and the
/// architecture's parameters take.
pub fn check_file_size(config: &impl Architecture, size_bytes: u64) -> Result<(), ModelError> {
    let limit_bytes = LENGTH_BYTES + HEADER_BYTES_MAX + 4 * config.parameters();
    if size_bytes > limit_bytes {
        return Err(ModelError::FileTooLong {
            size_bytes,
            limit_bytes,
        });
    }
    Ok(())
}

impl Weights {
    /// Reads the bytes of a `model.safetensors` that must hold exactly the
    /// tensors of the architecture, as finite 32-bit floats.
    ///
    /// What is allocated is at most twice the tensors' bytes, and for the header some times its own
    /// bytes: many small entries take more parsed than written. [`HEADER_BYTES_MAX`] bounds that.
    ///
    /// # Errors
    /// [`ModelError`], in the order that the module's head gives.
    pub fn from_safetensors(config: &impl Architecture, bytes: &[u8]) -> Result<Self, ModelError> {
        let (header, data) = split(bytes)?;
        let entries = parse_header(header)?;
        let mut specs = config.tensors();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        check_entries(&entries, &specs)?;
        check_offsets(&entries, data.len() as u64)?;
        // A second opinion, which cannot differ unless one of the two has a bug.
        SafeTensors::deserialize(bytes)
            .map_err(|error| ModelError::HeaderForm(excerpt(&error.to_string())))?;
        let mut tensors = BTreeMap::new();
        for spec in specs {
            let entry = &entries[&spec.name];
            let range = entry.data_offsets[0] as usize..entry.data_offsets[1] as usize;
            let values: Vec<f32> = data[range]
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect();
            check_finite(&spec.name, &values)?;
            tensors.insert(
                spec.name,
                Tensor {
                    shape: spec.shape,
                    values,
                },
            );
        }
        Self::from_tensors(config, tensors)
    }
}

/// What the header says of a tensor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Header and data of a file.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), ModelError> {
    let size_bytes = bytes.len() as u64;
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
        return Err(ModelError::Truncated {
            size_bytes,
            needed_bytes: LENGTH_BYTES,
        });
    };
    let length = u64::from_le_bytes(*length);
    if length > HEADER_BYTES_MAX {
        let limit_bytes = HEADER_BYTES_MAX;
        return Err(ModelError::HeaderTooLong {
            size_bytes: length,
            limit_bytes,
        });
    }
    rest.split_at_checked(length as usize)
        .ok_or(ModelError::Truncated {
            size_bytes,
            needed_bytes: LENGTH_BYTES + length,
        })
}

fn parse_header(header: &[u8]) -> Result<BTreeMap<String, Entry>, ModelError> {
    let form = |message: &str| ModelError::HeaderForm(excerpt(message));
    if header.first() != Some(&b'{') {
        return Err(form("it does not begin with '{'"));
    }
    let entries: Entries =
        serde_json::from_slice(header).map_err(|error| form(&error.to_string()))?;
    match entries.duplicate {
        Some(name) => Err(ModelError::DuplicateKey(excerpt(&name))),
        None => Ok(entries.tensors),
    }
}

/// The header's entries, and the first key that came twice.
struct Entries {
    tensors: BTreeMap<String, Entry>,
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;

        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Entries {
                    tensors: BTreeMap::new(),
                    duplicate: None,
                };
                let mut metadata_seen = false;
                while let Some(name) = map.next_key::<String>()? {
                    let is_duplicate = if name == METADATA_KEY {
                        let metadata: Metadata = map.next_value()?;
                        entries.duplicate = entries.duplicate.or(metadata.duplicate);
                        std::mem::replace(&mut metadata_seen, true)
                    } else {
                        let Object(entry) = map.next_value::<Object<Entry>>()?;
                        entries.tensors.insert(name.clone(), entry).is_some()
                    };
                    if is_duplicate && entries.duplicate.is_none() {
                        entries.duplicate = Some(name);
                    }
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// The `__metadata__`, of which only a key that came twice is kept.
struct Metadata {
    duplicate: Option<String>,
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MetadataVisitor;

        impl<'de> Visitor<'de> for MetadataVisitor {
            type Value = Metadata;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut seen = BTreeSet::new();
                let mut duplicate = None;
                while let Some((key, _)) = map.next_entry::<String, String>()? {
                    if duplicate.is_none() && !seen.insert(key.clone()) {
                        duplicate = Some(format!("{METADATA_KEY}/{key}"));
                    }
                }
                Ok(Metadata { duplicate })
            }
        }

        deserializer.deserialize_map(MetadataVisitor)
    }
}

/// Names, dtypes and shapes against the architecture; `specs` by ascending name.
fn check_entries(
    entries: &BTreeMap<String, Entry>,
    specs: &[TensorSpec],
) -> Result<(), ModelError> {
    let is_known = |name: &str| {
        specs
            .binary_search_by(|s| s.name.as_str().cmp(name))
            .is_ok()
    };
    if let Some(name) = entries.keys().find(|name| !is_known(name)) {
        return Err(ModelError::TensorUnknown(excerpt(name)));
    }
    for spec in specs {
        let name = spec.name.clone();
        let Some(entry) = entries.get(&name) else {
            return Err(ModelError::TensorMissing(name));
        };
        if entry.dtype != "F32" {
            return Err(ModelError::TensorDtype {
                name,
                dtype: excerpt(&entry.dtype),
            });
        }
        if !entry
            .shape
            .iter()
            .copied()
            .eq(spec.shape.iter().map(|&size| size as u64))
        {
            return Err(ModelError::TensorShape {
                name,
                found: excerpt(&format!("{:?}", entry.shape)),
                expected: format!("{:?}", spec.shape),
            });
        }
    }
    Ok(())
}

/// Tensors lie end to end from the data's first byte to its last. Shapes were checked.
fn check_offsets(entries: &BTreeMap<String, Entry>, found_bytes: u64) -> Result<(), ModelError> {
    let mut in_order: Vec<(&[u64; 2], &String, u64)> = entries
        .iter()
        .map(|(name, entry)| {
            (
                &entry.data_offsets,
                name,
                4 * entry.shape.iter().product::<u64>(),
            )
        })
        .collect();
    in_order.sort();
    let mut expected_begin = 0;
    for (&[begin, end], name, size_bytes) in in_order {
        let expected_end = expected_begin + size_bytes;
        if (begin, end) != (expected_begin, expected_end) {
            let name = name.clone();
            return Err(ModelError::TensorOffsets {
                name,
                begin,
                end,
                expected_begin,
                expected_end,
            });
        }
        expected_begin = end;
    }
    if found_bytes != expected_begin {
        return Err(ModelError::DataSize {
            found_bytes,
            expected_bytes: expected_begin,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
