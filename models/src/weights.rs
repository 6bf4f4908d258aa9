//! Named tensors of 32-bit floats, their digest, and the canonical writer.
//!
//! Canonical file: what the `safetensors` crate writes for the tensors sorted
//! by name, without metadata: the header's length (u64, little-endian), the
//! header, blanks up to a multiple of 8 bytes, the tensors end to end in the
//! order of their names. One set of weights has one file.
//!
//! Digest: SHA-256 over `"lode/weights/1"` ‖ number of tensors ‖, for each
//! tensor by ascending bytes of its name: length of the name ‖ name ‖ length of
//! the dtype ‖ dtype (`F32`) ‖ rank ‖ every dimension ‖ number of bytes ‖ bytes
//! (IEEE-754 binary32, little-endian, row-major). Lengths, rank, dimensions and
//! counts are u64, little-endian, so no two sets of weights share an encoding;
//! header, padding, metadata and the file's order do not enter.

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use sha2::{Digest, Sha256};

use crate::config::{Architecture, TensorSpec};
use crate::error::ModelError;

const DIGEST_DOMAIN: &[u8] = b"lode/weights/1";
const DTYPE: &str = "F32";

/// A tensor: shape and row-major values.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// As many values as the product of the shape.
    pub values: Vec<f32>,
}

/// All tensors of a model, by name, in the layout of `model.safetensors`:
/// weights are `[out, in]`. Complete for its architecture, and finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
}

impl Weights {
    /// Draws every tensor of an architecture, eagerly, in the order of
    /// declaration ([`Architecture::tensors`]); `draw` gives the row-major values.
    ///
    /// # Errors
    /// As [`Weights::from_tensors`].
    pub fn generate(
        config: &impl Architecture,
        mut draw: impl FnMut(&TensorSpec) -> Vec<f32>,
    ) -> Result<Self, ModelError> {
        let tensors = config.tensors().into_iter().map(|spec| {
            let values = draw(&spec);
            (
                spec.name,
                Tensor {
                    shape: spec.shape,
                    values,
                },
            )
        });
        Self::from_tensors(config, tensors.collect())
    }

    /// Takes tensors that must be exactly those of the architecture.
    ///
    /// # Errors
    /// [`ModelError`] for a tensor that is missing or unknown, has another
    /// shape or number of values, or a value that is not finite.
    pub fn from_tensors(
        config: &impl Architecture,
        tensors: BTreeMap<String, Tensor>,
    ) -> Result<Self, ModelError> {
        let weights = Self { tensors };
        weights.check(config)?;
        Ok(weights)
    }

    /// Checks that these are the weights of an architecture.
    ///
    /// # Errors
    /// As [`Weights::from_tensors`].
    pub fn check(&self, config: &impl Architecture) -> Result<(), ModelError> {
        let mut specs = config.tensors();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        let is_known = |name: &str| {
            specs
                .binary_search_by(|s| s.name.as_str().cmp(name))
                .is_ok()
        };
        if let Some(name) = self.tensors.keys().find(|name| !is_known(name)) {
            return Err(ModelError::TensorUnknown(name.clone()));
        }
        for spec in &specs {
            let tensor = self
                .tensors
                .get(&spec.name)
                .ok_or_else(|| ModelError::TensorMissing(spec.name.clone()))?;
            if tensor.shape != spec.shape || tensor.values.len() != spec.len() {
                return Err(ModelError::TensorShape {
                    name: spec.name.clone(),
                    found: format!("{:?} with {} values", tensor.shape, tensor.values.len()),
                    expected: format!("{:?}", spec.shape),
                });
            }
            check_finite(&spec.name, &tensor.values)?;
        }
        Ok(())
    }

    /// The tensors by ascending name.
    pub const fn tensors(&self) -> &BTreeMap<String, Tensor> {
        &self.tensors
    }

    /// The digest that names these weights; the module's head says of what.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(DIGEST_DOMAIN);
        hash.update(count(self.tensors.len()));
        for (name, tensor) in &self.tensors {
            hash.update(count(name.len()));
            hash.update(name);
            hash.update(count(DTYPE.len()));
            hash.update(DTYPE);
            hash.update(count(tensor.shape.len()));
            for &dimension in &tensor.shape {
                hash.update(count(dimension));
            }
            let bytes = to_bytes(&tensor.values);
            hash.update(count(bytes.len()));
            hash.update(&bytes);
        }
        hash.finalize().into()
    }

    /// The canonical `model.safetensors`: the same bytes every time.
    pub fn to_safetensors(&self) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> = self.tensors.values().map(|t| to_bytes(&t.values)).collect();
        let views = self
            .tensors
            .iter()
            .zip(&bytes)
            .map(|((name, tensor), bytes)| {
                let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)
                    .expect("the number of values is the product of the shape");
                (name, view)
            });
        safetensors::serialize(views, None).expect("names are strings, shapes fit their bytes")
    }
}

/// The first value that is not finite, as an error.
pub(crate) fn check_finite(name: &str, values: &[f32]) -> Result<(), ModelError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(ModelError::NonFinite {
            name: name.to_owned(),
            index: index as u64,
        }),
        None => Ok(()),
    }
}

fn count(value: usize) -> [u8; 8] {
    (value as u64).to_le_bytes()
}

fn to_bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::MlpConfig;

    fn small() -> (MlpConfig, Weights) {
        let config = MlpConfig::new(2, &[3], 2).unwrap();
        let mut next = 0.0;
        let weights = Weights::generate(&config, |spec| {
            (0..spec.len())
                .map(|_| {
                    next += 0.25;
                    next
                })
                .collect()
        });
        (config, weights.unwrap())
    }

    #[test]
    fn the_digest_is_sha_256_of_the_documented_bytes() {
        let (_, weights) = small();
        let mut bytes = b"lode/weights/1".to_vec();
        let number = |bytes: &mut Vec<u8>, value: u64| bytes.extend(value.to_le_bytes());
        number(&mut bytes, 4);
        // Names in ascending order: bias before weight; values in the order they were drawn.
        let expected: [(&str, &[u64], std::ops::Range<u32>); 4] = [
            ("layers.0.bias", &[3], 7..10),
            ("layers.0.weight", &[3, 2], 1..7),
            ("layers.1.bias", &[2], 16..18),
            ("layers.1.weight", &[2, 3], 10..16),
        ];
        for (name, shape, quarters) in expected {
            number(&mut bytes, name.len() as u64);
            bytes.extend(name.bytes());
            number(&mut bytes, 3);
            bytes.extend(b"F32");
            number(&mut bytes, shape.len() as u64);
            shape
                .iter()
                .for_each(|&dimension| number(&mut bytes, dimension));
            number(&mut bytes, 4 * quarters.len() as u64);
            bytes.extend(quarters.flat_map(|q| (q as f32 * 0.25).to_le_bytes()));
        }
        assert_eq!(weights.digest(), <[u8; 32]>::from(Sha256::digest(&bytes)));
    }

    #[test]
    fn the_canonical_file_is_sorted_and_the_same_every_time() {
        let (_, weights) = small();
        let file = weights.to_safetensors();
        assert_eq!(file, weights.clone().to_safetensors());
        let size = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        assert_eq!(
            std::str::from_utf8(&file[8..8 + size]).unwrap().trim_end(),
            concat!(
                r#"{"layers.0.bias":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"#,
                r#""layers.0.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[12,36]},"#,
                r#""layers.1.bias":{"dtype":"F32","shape":[2],"data_offsets":[36,44]},"#,
                r#""layers.1.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[44,68]}}"#
            )
        );
    }

    #[test]
    fn weights_are_drawn_in_the_order_of_declaration() {
        let config = MlpConfig::new(2, &[3], 2).unwrap();
        let mut names = Vec::new();
        Weights::generate(&config, |spec| {
            names.push((spec.name.clone(), spec.fan_in));
            vec![0.0; spec.len()]
        })
        .unwrap();
        let names: Vec<_> = names
            .iter()
            .map(|(name, fan_in)| (name.as_str(), *fan_in))
            .collect();
        let expected = [
            ("layers.0.weight", 2),
            ("layers.0.bias", 2),
            ("layers.1.weight", 3),
            ("layers.1.bias", 3),
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn tensors_of_another_architecture_are_refused() {
        let (_, weights) = small();
        let code = |inputs, hidden: &[u64], labels| {
            let config = MlpConfig::new(inputs, hidden, labels).unwrap();
            Weights::from_tensors(&config, weights.tensors().clone())
                .unwrap_err()
                .code()
        };
        assert_eq!(code(2, &[], 2), "tensor_unknown");
        assert_eq!(code(2, &[3, 2], 2), "tensor_missing");
        assert_eq!(code(2, &[4], 2), "tensor_shape");
    }
}
