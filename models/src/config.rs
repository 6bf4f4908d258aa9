//! `config.json` of an MLP: its shapes, and what is counted from them; and what every architecture is counted by.
//!
//! Format: one JSON object of at most 64 KiB with the fields `model_type`
//! (`"mlp"`), `input_size`, `hidden_sizes` (a list, empty for a linear model),
//! `num_labels`, `hidden_act` (`"relu"`), and, if present, `tensor_names`, which
//! says in words how the tensors are called and can have one value only. Other
//! fields and fields given twice are refused.
//!
//! Dropout is no part of a model: it belongs to the recipe that trained it.

use serde::{Deserialize, Serialize};

use crate::error::{ModelError, excerpt};
use crate::strict;

/// The most bytes of a `config.json`.
pub const CONFIG_BYTES_MAX: u64 = 64 << 10;

/// The most hidden layers.
pub const HIDDEN_LAYERS_MAX: usize = 64;

/// The most inputs, hidden units of a layer, or labels.
pub const WIDTH_MAX: u64 = 1 << 20;

/// The value of `model_type`.
pub const MODEL_TYPE: &str = "mlp";
const HIDDEN_ACT: &str = "relu";
const TENSOR_NAMES: &str = "layers.{i}.weight [out,in], layers.{i}.bias";

/// The shapes of an MLP; every value was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MlpConfig {
    input_size: usize,
    hidden_sizes: Vec<usize>,
    num_labels: usize,
}

/// What a model may weigh, counted from its shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most parameters.
    pub parameters_max: u64,
    /// The most multiply-adds for one example.
    pub multiply_adds_max: u64,
}

/// A tensor that an architecture has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Its name in `model.safetensors`.
    pub name: String,
    /// Its shape there: `[out, in]` for a weight, `[out]` for a bias.
    pub shape: Vec<usize>,
    /// Inputs of the layer that it belongs to; initial weights scale with it.
    pub fan_in: usize,
}

impl TensorSpec {
    /// The number of values, the product of the shape.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values; no tensor of a checked configuration is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is counted and read by the shapes of a model, whatever they are.
pub trait Architecture {
    /// Every tensor in the order of declaration.
    fn tensors(&self) -> Vec<TensorSpec>;

    /// The number of weights and biases.
    fn parameters(&self) -> u64;

    /// Multiply-adds for one example: those of the products, biases not counted.
    fn multiply_adds(&self) -> u64;

    /// Checks the counts before anything of that size is allocated.
    ///
    /// # Errors
    /// [`ModelError::TooManyParameters`], [`ModelError::TooManyMultiplyAdds`].
    fn check_limits(&self, limits: &Limits) -> Result<(), ModelError> {
        let (parameters, multiply_adds) = (self.parameters(), self.multiply_adds());
        if parameters > limits.parameters_max {
            return Err(ModelError::TooManyParameters {
                parameters,
                limit: limits.parameters_max,
            });
        }
        if multiply_adds > limits.multiply_adds_max {
            let limit = limits.multiply_adds_max;
            return Err(ModelError::TooManyMultiplyAdds {
                multiply_adds,
                limit,
            });
        }
        Ok(())
    }
}

/// The fields as they stand in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    model_type: String,
    input_size: u64,
    hidden_sizes: Vec<u64>,
    num_labels: u64,
    hidden_act: String,
    #[serde(default, deserialize_with = "strict::given")]
    tensor_names: Option<String>,
}

impl MlpConfig {
    /// An MLP with these widths.
    ///
    /// # Errors
    /// [`ModelError::ConfigValue`] for a width outside 1 to [`WIDTH_MAX`] or more
    /// than [`HIDDEN_LAYERS_MAX`] hidden layers.
    pub fn new(input_size: u64, hidden_sizes: &[u64], num_labels: u64) -> Result<Self, ModelError> {
        if hidden_sizes.len() > HIDDEN_LAYERS_MAX {
            return Err(ModelError::ConfigValue {
                field: "hidden_sizes".to_owned(),
                value: format!("a list of {}", hidden_sizes.len()),
                allowed: format!("at most {HIDDEN_LAYERS_MAX} long"),
            });
        }
        let hidden_sizes = hidden_sizes
            .iter()
            .enumerate()
            .map(|(index, &size)| width(&format!("hidden_sizes/{index}"), size, 1))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            input_size: width("input_size", input_size, 1)?,
            hidden_sizes,
            num_labels: width("num_labels", num_labels, 1)?,
        })
    }

    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`ModelError`] for more than [`CONFIG_BYTES_MAX`] bytes, for anything but
    /// the object that the module's head describes, and as [`MlpConfig::new`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, ModelError> {
        check_object(bytes)?;
        let fields: Fields = fields(bytes)?;
        word("model_type", &fields.model_type, MODEL_TYPE)?;
        word("hidden_act", &fields.hidden_act, HIDDEN_ACT)?;
        if let Some(names) = &fields.tensor_names {
            word("tensor_names", names, TENSOR_NAMES)?;
        }
        Self::new(fields.input_size, &fields.hidden_sizes, fields.num_labels)
    }

    /// The canonical `config.json` of these shapes.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(&Fields {
            model_type: MODEL_TYPE.to_owned(),
            input_size: self.input_size as u64,
            hidden_sizes: self.hidden_sizes.iter().map(|&size| size as u64).collect(),
            num_labels: self.num_labels as u64,
            hidden_act: HIDDEN_ACT.to_owned(),
            tensor_names: Some(TENSOR_NAMES.to_owned()),
        })
    }

    /// Numbers in one example's input.
    pub const fn input_size(&self) -> usize {
        self.input_size
    }

    /// Widths of the hidden layers, from the input on.
    pub fn hidden_sizes(&self) -> &[usize] {
        &self.hidden_sizes
    }

    /// Outputs: one logit a label; a single one where a number is predicted.
    pub const fn num_labels(&self) -> usize {
        self.num_labels
    }

    /// `(in, out)` of every linear layer, from the input on.
    pub fn layers(&self) -> Vec<(usize, usize)> {
        let ins = std::iter::once(self.input_size).chain(self.hidden_sizes.iter().copied());
        let outs = self.hidden_sizes.iter().copied().chain([self.num_labels]);
        ins.zip(outs).collect()
    }
}

impl Architecture for MlpConfig {
    /// Weight, bias, layer by layer.
    fn tensors(&self) -> Vec<TensorSpec> {
        self.layers()
            .into_iter()
            .enumerate()
            .flat_map(|(layer, (fan_in, out))| {
                let spec = |name: &str, shape| TensorSpec {
                    name: format!("layers.{layer}.{name}"),
                    shape,
                    fan_in,
                };
                [spec("weight", vec![out, fan_in]), spec("bias", vec![out])]
            })
            .collect()
    }

    fn parameters(&self) -> u64 {
        self.layers()
            .iter()
            .map(|&(fan_in, out)| (fan_in as u64 + 1) * out as u64)
            .sum()
    }

    fn multiply_adds(&self) -> u64 {
        self.layers()
            .iter()
            .map(|&(fan_in, out)| fan_in as u64 * out as u64)
            .sum()
    }
}

/// A `config.json` is not longer than allowed, and an object: serde also reads a struct from a list.
pub(crate) fn check_object(bytes: &[u8]) -> Result<(), ModelError> {
    let size_bytes = bytes.len() as u64;
    if size_bytes > CONFIG_BYTES_MAX {
        return Err(ModelError::ConfigTooLong {
            size_bytes,
            limit_bytes: CONFIG_BYTES_MAX,
        });
    }
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(ModelError::ConfigForm("it is not a JSON object".to_owned()));
    }
    Ok(())
}

/// The fields of a `config.json`.
pub(crate) fn fields<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ModelError::ConfigForm(excerpt(&error.to_string())))
}

/// The canonical JSON of these fields.
pub(crate) fn to_json(fields: &impl Serialize) -> Vec<u8> {
    let mut json =
        serde_json::to_vec_pretty(fields).expect("a struct of strings and whole numbers is JSON");
    json.push(b'\n');
    json
}

/// A width that is in range.
pub(crate) fn width(field: &str, value: u64, min: u64) -> Result<usize, ModelError> {
    if (min..=WIDTH_MAX).contains(&value) {
        return Ok(value as usize);
    }
    Err(ModelError::ConfigValue {
        field: field.to_owned(),
        value: value.to_string(),
        allowed: format!("{min} to {WIDTH_MAX}"),
    })
}

/// A field that can have one value only.
pub(crate) fn word(field: &str, value: &str, allowed: &str) -> Result<(), ModelError> {
    if value == allowed {
        return Ok(());
    }
    Err(ModelError::ConfigValue {
        field: field.to_owned(),
        value: format!("'{}'", excerpt(value)),
        allowed: format!("'{allowed}'"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"model_type":"mlp","input_size":4,"hidden_sizes":[8,5],"num_labels":3,"hidden_act":"relu"}"#;

    fn check(json: &str, expected: Result<(u64, u64), (&str, &str)>) {
        match MlpConfig::from_json(json.as_bytes()) {
            Ok(config) => {
                assert_eq!(
                    Ok((config.parameters(), config.multiply_adds())),
                    expected,
                    "{json}"
                );
                assert_eq!(MlpConfig::from_json(&config.to_json()), Ok(config));
            }
            Err(error) => {
                let place = error.place();
                assert_eq!(
                    Err((error.code(), place.as_str())),
                    expected,
                    "{json}: {error}"
                );
            }
        }
    }

    #[test]
    fn parameters_and_multiply_adds_follow_from_the_shapes() {
        check(
            GOOD,
            Ok((4 * 8 + 8 + 8 * 5 + 5 + 5 * 3 + 3, 4 * 8 + 8 * 5 + 5 * 3)),
        );
        check(&GOOD.replace("[8,5]", "[]"), Ok((4 * 3 + 3, 12)));
    }

    #[test]
    fn every_deviation_has_its_code_and_place() {
        let form = Err(("config_form", "config.json"));
        check("", form);
        check("[]", form);
        check(r#"["mlp",4,[8],3,"relu",null]"#, form);
        check(&GOOD.replace("\"num_labels\":3,", ""), form);
        check(
            &GOOD.replace("\"num_labels\":3", "\"num_labels\":3,\"num_labels\":3"),
            form,
        );
        check(
            &GOOD.replace("\"num_labels\":3", "\"num_labels\":3,\"bias\":false"),
            form,
        );
        check(&GOOD.replace(":3", ":3.0"), form);
        check(&GOOD.replace(":3", ":-3"), form);
        check(&GOOD.replace(":3", ":1e400"), form);
        check(&format!("{GOOD}{GOOD}"), form);
        check(&GOOD.replace("[8,5]", &"[".repeat(60_000)), form);
        check(
            &GOOD.replace("relu", "gelu"),
            Err(("config_value", "config.json/hidden_act")),
        );
        check(
            &GOOD.replace("mlp", "bert"),
            Err(("config_value", "config.json/model_type")),
        );
        check(
            &GOOD.replace(":4", ":0"),
            Err(("config_value", "config.json/input_size")),
        );
        check(
            &GOOD.replace(":3", ":0"),
            Err(("config_value", "config.json/num_labels")),
        );
        check(
            &GOOD.replace("[8,5]", "[8,1048577]"),
            Err(("config_value", "config.json/hidden_sizes/1")),
        );
        let many = format!("[{}8]", "8,".repeat(HIDDEN_LAYERS_MAX));
        check(
            &GOOD.replace("[8,5]", &many),
            Err(("config_value", "config.json/hidden_sizes")),
        );
        let long = GOOD.replace("relu", &"r".repeat(70_000));
        check(&long, Err(("config_too_long", "config.json")));
    }

    #[test]
    fn the_counts_are_held_against_the_limits() {
        let config = MlpConfig::new(4, &[8], 3).unwrap();
        let limits = Limits {
            parameters_max: 67,
            multiply_adds_max: 56,
        };
        assert_eq!(config.check_limits(&limits), Ok(()));
        let code = |limits| config.check_limits(&limits).unwrap_err().code();
        assert_eq!(
            code(Limits {
                parameters_max: 66,
                ..limits
            }),
            "too_many_parameters"
        );
        assert_eq!(
            code(Limits {
                multiply_adds_max: 55,
                ..limits
            }),
            "too_many_multiply_adds"
        );
    }

    #[test]
    fn the_widest_configuration_is_counted_without_overflow() {
        let widths = [WIDTH_MAX; HIDDEN_LAYERS_MAX];
        let config = MlpConfig::new(WIDTH_MAX, &widths, WIDTH_MAX).unwrap();
        assert_eq!(config.multiply_adds(), 65 << 40);
        assert_eq!(config.parameters(), (65 << 40) + (65 << 20));
    }
}
