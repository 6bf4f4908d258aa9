//! `recipe.toml`: all that a training depends on besides its rows and its base.
//!
//! Format: TOML of at most 64 KiB, two tables. Unknown keys are refused, every
//! number has a range. What is left out has the value of [`EXAMPLE`], but for
//! `[model] hidden`, `[train] epochs` and `[train] seed`, which must be said.

use models::config::{HIDDEN_LAYERS_MAX, WIDTH_MAX};
use serde::Deserialize;

/// The most bytes of a `recipe.toml`.
pub const RECIPE_BYTES_MAX: usize = 64 << 10;

/// A recipe with every key, commented.
pub const EXAMPLE: &str = r#"# What to train. The same recipe on the same rows gives the same bits.

[model]
hidden = [128]        # widths of the hidden layers; [] is a linear model
dropout = 0.1         # part of the hidden units left out at each step, 0 to below 1

[train]
epochs = 100          # times that every row is seen
batch_size = 32       # rows a step; the last batch of an epoch may be smaller
learning_rate = 0.005
schedule = "linear"   # "linear" falls to zero over the training, "constant" stays
weight_decay = 0.01   # decoupled (AdamW), multiplied by the learning rate
beta_1 = 0.9          # decay of the mean of the gradients
beta_2 = 0.999        # decay of the mean of their squares
epsilon = 1e-8
label_smoothing = 0.1 # part of the target spread over all classes, 0 to below 1
input_noise = 0.1     # standard deviation of normal noise on the inputs, 0 for none
seed = 1              # of initial weights, order, dropout and noise
"#;

/// A recipe; every value was checked.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The shapes.
    pub model: ModelRecipe,
    /// The optimiser.
    pub train: TrainRecipe,
}

/// `[model]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// Widths of the hidden layers, from the input on.
    pub hidden: Vec<u64>,
    /// The part of hidden units left out at each step.
    #[serde(default = "defaults::dropout")]
    pub dropout: f64,
}

/// `[train]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainRecipe {
    /// Times that every row is seen.
    pub epochs: u64,
    /// Rows a step.
    #[serde(default = "defaults::batch_size")]
    pub batch_size: u64,
    /// Learning rate at the first step.
    #[serde(default = "defaults::learning_rate")]
    pub learning_rate: f64,
    /// How the learning rate goes on.
    #[serde(default)]
    pub schedule: Schedule,
    /// Decoupled weight decay.
    #[serde(default = "defaults::weight_decay")]
    pub weight_decay: f64,
    /// Decay of the mean of the gradients.
    #[serde(default = "defaults::beta_1")]
    pub beta_1: f64,
    /// Decay of the mean of their squares.
    #[serde(default = "defaults::beta_2")]
    pub beta_2: f64,
    /// Added to the root of that mean.
    #[serde(default = "defaults::epsilon")]
    pub epsilon: f64,
    /// The part of the target spread over all classes.
    #[serde(default = "defaults::label_smoothing")]
    pub label_smoothing: f64,
    /// Standard deviation of the noise on the inputs.
    #[serde(default = "defaults::input_noise")]
    pub input_noise: f64,
    /// Seed of all that is random.
    pub seed: u64,
}

/// How the learning rate goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Falls in equal steps, from the learning rate to zero after the last step.
    #[default]
    Linear,
    /// Stays.
    Constant,
}

mod defaults {
    pub const fn dropout() -> f64 {
        0.1
    }
    pub const fn batch_size() -> u64 {
        32
    }
    pub const fn learning_rate() -> f64 {
        0.005
    }
    pub const fn weight_decay() -> f64 {
        0.01
    }
    pub const fn beta_1() -> f64 {
        0.9
    }
    pub const fn beta_2() -> f64 {
        0.999
    }
    pub const fn epsilon() -> f64 {
        1e-8
    }
    pub const fn label_smoothing() -> f64 {
        0.1
    }
    pub const fn input_noise() -> f64 {
        0.1
    }
}

/// Why a text is not a recipe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    /// More bytes than the limit; nothing was parsed.
    #[error("the recipe has {size_bytes} bytes, the limit is {RECIPE_BYTES_MAX}")]
    TooLong {
        /// Bytes given.
        size_bytes: usize,
    },
    /// Not UTF-8, from this byte on.
    #[error("the recipe is not UTF-8 from byte {0} on")]
    Utf8(usize),
    /// Not the TOML that was expected.
    #[error("the recipe is malformed: {0}")]
    Form(String),
    /// A value out of its range.
    #[error("'{key}' is {value}, it must be {allowed}")]
    Range {
        /// The key, with its table.
        key: &'static str,
        /// The value given.
        value: String,
        /// What is accepted.
        allowed: String,
    },
}

impl RecipeError {
    /// The stable code, in snake case.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "recipe_too_long",
            Self::Utf8(_) => "recipe_utf8",
            Self::Form(_) => "recipe_form",
            Self::Range { .. } => "recipe_range",
        }
    }
}

impl Recipe {
    /// Reads a `recipe.toml`.
    ///
    /// # Errors
    /// [`RecipeError`] for more than [`RECIPE_BYTES_MAX`] bytes, for anything but
    /// the TOML that the module's head describes, and for values out of range.
    pub fn from_toml(bytes: &[u8]) -> Result<Self, RecipeError> {
        if bytes.len() > RECIPE_BYTES_MAX {
            return Err(RecipeError::TooLong {
                size_bytes: bytes.len(),
            });
        }
        let text =
            std::str::from_utf8(bytes).map_err(|error| RecipeError::Utf8(error.valid_up_to()))?;
        Self::parse(text)
    }

    /// As [`Recipe::from_toml`], from a text.
    ///
    /// # Errors
    /// As there.
    pub fn parse(text: &str) -> Result<Self, RecipeError> {
        let size_bytes = text.len();
        if size_bytes > RECIPE_BYTES_MAX {
            return Err(RecipeError::TooLong { size_bytes });
        }
        let recipe: Self = toml::from_str(text)
            .map_err(|error| RecipeError::Form(error.message().chars().take(200).collect()))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The canonical `recipe.toml`: every key, in the order of [`EXAMPLE`], no
    /// comments, numbers as short as they can be read back exactly.
    pub fn to_toml(&self) -> String {
        let Self { model, train } = self;
        let schedule = match train.schedule {
            Schedule::Linear => "linear",
            Schedule::Constant => "constant",
        };
        format!(
            "[model]\nhidden = {:?}\ndropout = {:?}\n\n[train]\nepochs = {}\nbatch_size = {}\n\
             learning_rate = {:?}\nschedule = \"{schedule}\"\nweight_decay = {:?}\nbeta_1 = {:?}\n\
             beta_2 = {:?}\nepsilon = {:?}\nlabel_smoothing = {:?}\ninput_noise = {:?}\nseed = {}\n",
            model.hidden,
            model.dropout,
            train.epochs,
            train.batch_size,
            train.learning_rate,
            train.weight_decay,
            train.beta_1,
            train.beta_2,
            train.epsilon,
            train.label_smoothing,
            train.input_noise,
            train.seed,
        )
    }

    /// Checks every range; a recipe that was put together in code needs it too.
    ///
    /// # Errors
    /// [`RecipeError::Range`] with the first value at fault.
    pub fn check(&self) -> Result<(), RecipeError> {
        let Self { model, train } = self;
        if model.hidden.len() > HIDDEN_LAYERS_MAX {
            return Err(RecipeError::Range {
                key: "model.hidden",
                value: format!("a list of {}", model.hidden.len()),
                allowed: format!("at most {HIDDEN_LAYERS_MAX} long"),
            });
        }
        for &width in &model.hidden {
            whole("model.hidden", width, 1, WIDTH_MAX)?;
        }
        whole("train.epochs", train.epochs, 1, 100_000)?;
        whole("train.batch_size", train.batch_size, 1, 65_536)?;
        // TOML's whole numbers end there, and a recipe must survive being written.
        whole("train.seed", train.seed, 0, i64::MAX as u64)?;
        let below_one = 1.0 - f64::EPSILON;
        number("model.dropout", model.dropout, 0.0, 0.95)?;
        number("train.learning_rate", train.learning_rate, 0.0, 10.0)?;
        number("train.weight_decay", train.weight_decay, 0.0, 10.0)?;
        number("train.beta_1", train.beta_1, 0.0, below_one)?;
        number("train.beta_2", train.beta_2, 0.0, below_one)?;
        number("train.epsilon", train.epsilon, 1e-30, 1.0)?;
        number("train.label_smoothing", train.label_smoothing, 0.0, 0.95)?;
        number("train.input_noise", train.input_noise, 0.0, 1e6)
    }
}

fn whole(key: &'static str, value: u64, min: u64, max: u64) -> Result<(), RecipeError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(RecipeError::Range {
        key,
        value: value.to_string(),
        allowed: format!("{min} to {max}"),
    })
}

fn number(key: &'static str, value: f64, min: f64, max: f64) -> Result<(), RecipeError> {
    // A NaN is in no range.
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(RecipeError::Range {
        key,
        value: value.to_string(),
        allowed: format!("{min} to {max}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(from: &str, to: &str, code: &str) {
        assert!(EXAMPLE.contains(from), "the example has no '{from}'");
        let error = Recipe::from_toml(EXAMPLE.replacen(from, to, 1).as_bytes())
            .expect_err("this recipe is wrong");
        assert_eq!(error.code(), code, "{from} to {to}: {error}");
    }

    #[test]
    fn the_example_is_a_recipe_and_says_the_defaults() {
        let example = Recipe::from_toml(EXAMPLE.as_bytes()).unwrap();
        let short = "[model]\nhidden = [128]\n[train]\nepochs = 100\nseed = 1\n";
        assert_eq!(Recipe::from_toml(short.as_bytes()), Ok(example));
    }

    #[test]
    fn unknown_and_repeated_keys_are_refused() {
        check("[train]", "momentum = 0.9\n[train]", "recipe_form");
        check("[train]", "[trainer]\n[train]", "recipe_form");
        check("seed = 1", "seed = 1\nseed = 2", "recipe_form");
        check("seed = 1", "", "recipe_form");
        check("\"linear\"", "\"cosine\"", "recipe_form");
        check("epochs = 100", "epochs = 1.5", "recipe_form");
        check("epochs = 100", "epochs = \"100\"", "recipe_form");
        check("[128]", &"[".repeat(50_000), "recipe_form");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        check("epochs = 100", "epochs = 0", "recipe_range");
        check("epochs = 100", "epochs = 100001", "recipe_range");
        check("batch_size = 32", "batch_size = 0", "recipe_range");
        check("dropout = 0.1", "dropout = 1.0", "recipe_range");
        check("dropout = 0.1", "dropout = -0.1", "recipe_range");
        check("dropout = 0.1", "dropout = nan", "recipe_range");
        check(
            "learning_rate = 0.005",
            "learning_rate = inf",
            "recipe_range",
        );
        check("beta_2 = 0.999", "beta_2 = 1.0", "recipe_range");
        check("epsilon = 1e-8", "epsilon = 0.0", "recipe_range");
        check("[128]", "[0]", "recipe_range");
        check("[128]", "[1048577]", "recipe_range");
        check("[128]", &format!("[{}1]", "1,".repeat(64)), "recipe_range");
    }

    #[test]
    fn bytes_that_are_no_text_or_too_many_are_refused() {
        let code = |bytes: &[u8]| Recipe::from_toml(bytes).unwrap_err().code();
        assert_eq!(code(&[b'#', 0xff]), "recipe_utf8");
        assert_eq!(code(&[b'#'; RECIPE_BYTES_MAX + 1]), "recipe_too_long");
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_recipe_or_a_coded_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Recipe::from_toml(&bytes);
        }

        #[test]
        fn a_mutated_recipe_is_a_recipe_or_a_coded_error(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        ) {
            let mut bytes = EXAMPLE.as_bytes().to_vec();
            for (place, byte) in changes {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            if let Ok(recipe) = Recipe::from_toml(&bytes) {
                prop_assert_eq!(recipe.check(), Ok(()));
                prop_assert_eq!(Recipe::from_toml(recipe.to_toml().as_bytes()), Ok(recipe));
            }
        }
    }
}
