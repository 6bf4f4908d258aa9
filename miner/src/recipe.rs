//! `recipe.toml`: all that a training depends on besides its rows and its base.
//!
//! Format: TOML of at most 64 KiB, two tables. Unknown keys are refused, every
//! number has a range. What is left out has the value of [`EXAMPLE`], but for
//! `[model] hidden`, `[train] epochs` and `[train] seed`, which must be said.
//! A convolutional network says `image` and `conv` too: [`CNN_EXAMPLE`].

use models::cnn::{CONV_LAYERS_MAX, CnnConfig};
use models::config::{HIDDEN_LAYERS_MAX, WIDTH_MAX};
use models::{ConvLayer, MlpConfig, ModelConfig, ModelError};
use serde::Deserialize;

/// The most bytes of a `recipe.toml`.
pub const RECIPE_BYTES_MAX: usize = 64 << 10;

/// A recipe with every key, commented.
pub const EXAMPLE: &str = r#"# What to train. The same recipe on the same rows gives the same bits.

[model]
kind = "mlp"          # "mlp", or "cnn" with `image` and `conv`
hidden = [128]        # widths of the hidden layers; [] is a linear model
dropout = 0.1         # part of the hidden units left out at each step, 0 to below 1

[train]
epochs = 100          # times that every row is seen
batch_size = 32       # rows a step; the last batch of an epoch may be smaller
learning_rate = 0.005
schedule = "linear"   # "linear" and "cosine" fall to zero over the training, "constant" stays, "step" falls at times
step_epochs = 10      # "step": epochs after which the rate is multiplied by step_factor, again and again
step_factor = 0.1
warm_up = 0           # steps over which the rate rises to what the schedule says
optimizer = "adamw"   # "adamw" or "sgd"
weight_decay = 0.01   # adamw: decoupled, multiplied by the learning rate; sgd: added to the gradient
beta_1 = 0.9          # adamw: decay of the mean of the gradients
beta_2 = 0.999        # adamw: decay of the mean of their squares
epsilon = 1e-8        # adamw
momentum = 0.9        # sgd: part of the last step in the next, 0 for none
nesterov = false      # sgd: look ahead along the momentum
clip_norm = 0.0       # gradients are scaled down to this norm over all weights, 0 for not at all
label_smoothing = 0.1 # part of the target spread over all classes, 0 to below 1
input_noise = 0.1     # standard deviation of normal noise on the inputs, 0 for none
standardize = false   # inputs to mean 0 and deviation 1; folded into the first layer when the model is written
held_out = 0.0        # part of the rows that are not trained on but choose the best epoch, 0 for none
patience = 0          # epochs without a better one until training ends early, 0 for never; needs held_out
seed = 1              # of initial weights, order, dropout and noise
"#;

/// A recipe for a convolutional network on images of 28 × 28 grey values.
pub const CNN_EXAMPLE: &str = r#"[model]
kind = "cnn"
image = [1, 28, 28]   # channels, height, width: a row of inputs in this order
conv = [              # convolution with stride 1, ReLU, then the greatest of squares of `pool`
    { channels = 32, kernel = 3, padding = 1, pool = 2 },
    { channels = 64, kernel = 3, padding = 1, pool = 2 },
]
hidden = [128]        # linear layers behind them
dropout = 0.0         # of the hidden linear layers

[train]
epochs = 1
batch_size = 128
learning_rate = 0.002
weight_decay = 0.0
label_smoothing = 0.0
input_noise = 0.0
seed = 1
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
    /// The architecture.
    #[serde(default)]
    pub kind: Kind,
    /// Channels, height and width of a row of inputs; of a CNN alone.
    #[serde(default)]
    pub image: Option<[u64; 3]>,
    /// The convolutions of a CNN.
    #[serde(default)]
    pub conv: Vec<ConvLayer>,
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
    /// Epochs between the drops of [`Schedule::Step`].
    #[serde(default = "defaults::step_epochs")]
    pub step_epochs: u64,
    /// What the rate is multiplied by there.
    #[serde(default = "defaults::step_factor")]
    pub step_factor: f64,
    /// Steps over which the rate rises linearly to the schedule's.
    #[serde(default)]
    pub warm_up: u64,
    /// Who takes the steps.
    #[serde(default)]
    pub optimizer: OptimizerKind,
    /// Weight decay: decoupled for AdamW, added to the gradient for SGD.
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
    /// SGD's momentum.
    #[serde(default = "defaults::momentum")]
    pub momentum: f64,
    /// Whether SGD looks ahead along its momentum.
    #[serde(default)]
    pub nesterov: bool,
    /// The greatest norm of all gradients together; 0 for any.
    #[serde(default)]
    pub clip_norm: f64,
    /// The part of the target spread over all classes.
    #[serde(default = "defaults::label_smoothing")]
    pub label_smoothing: f64,
    /// Standard deviation of the noise on the inputs.
    #[serde(default = "defaults::input_noise")]
    pub input_noise: f64,
    /// Whether inputs are standardised by the training rows.
    #[serde(default)]
    pub standardize: bool,
    /// The part of the rows that are held out to choose the best epoch.
    #[serde(default)]
    pub held_out: f64,
    /// Epochs without a better one until training ends; 0 for never.
    #[serde(default)]
    pub patience: u64,
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
    /// Falls along half a cosine, from the learning rate to zero.
    Cosine,
    /// Falls by a factor after every so many epochs.
    Step,
}

/// The architecture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A multi-layer perceptron.
    #[default]
    Mlp,
    /// A convolutional network.
    Cnn,
}

/// Who takes the steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// [`repro::optim::AdamW`].
    #[default]
    AdamW,
    /// [`repro::optim::Sgd`].
    Sgd,
}

impl ModelRecipe {
    /// The shapes for rows of `inputs` numbers and so many outputs.
    ///
    /// # Errors
    /// [`ModelError`] if there is no such model: an image of another size than a row, pooling to nothing.
    pub fn config(&self, inputs: u64, outputs: u64) -> Result<ModelConfig, ModelError> {
        let Some(image) = self.image else {
            return MlpConfig::new(inputs, &self.hidden, outputs).map(ModelConfig::Mlp);
        };
        let config = CnnConfig::new(image, &self.conv, &self.hidden, outputs)?;
        if config.input_size() as u64 != inputs {
            return Err(ModelError::ConfigValue {
                field: "input_channels".to_owned(),
                value: format!("part of {image:?}"),
                allowed: format!("part of an image of {inputs} numbers, as a row has"),
            });
        }
        Ok(ModelConfig::Cnn(config))
    }
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
    pub const fn step_epochs() -> u64 {
        10
    }
    pub const fn step_factor() -> f64 {
        0.1
    }
    pub const fn momentum() -> f64 {
        0.9
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

    /// The canonical `recipe.toml`: every key of its architecture, in the order of the examples, no
    /// comments, numbers as short as they can be read back exactly.
    pub fn to_toml(&self) -> String {
        let Self { model, train } = self;
        let schedule = match train.schedule {
            Schedule::Linear => "linear",
            Schedule::Constant => "constant",
            Schedule::Cosine => "cosine",
            Schedule::Step => "step",
        };
        let optimizer = match train.optimizer {
            OptimizerKind::AdamW => "adamw",
            OptimizerKind::Sgd => "sgd",
        };
        let mut text = match model.kind {
            Kind::Mlp => "[model]\nkind = \"mlp\"\n".to_owned(),
            Kind::Cnn => "[model]\nkind = \"cnn\"\n".to_owned(),
        };
        if let Some(image) = model.image {
            let layer = |layer: &ConvLayer| {
                let ConvLayer {
                    channels,
                    kernel,
                    padding,
                    pool,
                } = layer;
                format!(
                    "    {{ channels = {channels}, kernel = {kernel}, padding = {padding}, pool = {pool} }},\n"
                )
            };
            let layers: String = model.conv.iter().map(layer).collect();
            text += &format!("image = {image:?}\nconv = [\n{layers}]\n");
        }
        text + &format!(
            "hidden = {:?}\ndropout = {:?}\n\n[train]\nepochs = {}\nbatch_size = {}\n\
             learning_rate = {:?}\nschedule = \"{schedule}\"\nstep_epochs = {}\nstep_factor = {:?}\n\
             warm_up = {}\noptimizer = \"{optimizer}\"\nweight_decay = {:?}\nbeta_1 = {:?}\n\
             beta_2 = {:?}\nepsilon = {:?}\nmomentum = {:?}\nnesterov = {}\nclip_norm = {:?}\n\
             label_smoothing = {:?}\ninput_noise = {:?}\nstandardize = {}\nheld_out = {:?}\n\
             patience = {}\nseed = {}\n",
            model.hidden,
            model.dropout,
            train.epochs,
            train.batch_size,
            train.learning_rate,
            train.step_epochs,
            train.step_factor,
            train.warm_up,
            train.weight_decay,
            train.beta_1,
            train.beta_2,
            train.epsilon,
            train.momentum,
            train.nesterov,
            train.clip_norm,
            train.label_smoothing,
            train.input_noise,
            train.standardize,
            train.held_out,
            train.patience,
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
        number("train.input_noise", train.input_noise, 0.0, 1e6)?;
        whole("train.step_epochs", train.step_epochs, 1, 100_000)?;
        number("train.step_factor", train.step_factor, 0.0, 1.0)?;
        whole("train.warm_up", train.warm_up, 0, 1 << 40)?;
        number("train.momentum", train.momentum, 0.0, below_one)?;
        number("train.clip_norm", train.clip_norm, 0.0, 1e6)?;
        number("train.held_out", train.held_out, 0.0, 0.9)?;
        whole("train.patience", train.patience, 0, 100_000)?;
        self.check_combinations()
    }

    /// Keys that have a meaning only beside others.
    fn check_combinations(&self) -> Result<(), RecipeError> {
        let Self { model, train } = self;
        let refuse = |key, value: String, allowed: &str| {
            Err(RecipeError::Range {
                key,
                value,
                allowed: allowed.to_owned(),
            })
        };
        let count = model.conv.len();
        match (model.kind, model.image) {
            (Kind::Mlp, Some(image)) => {
                return refuse(
                    "model.image",
                    format!("{image:?}"),
                    "left out unless kind is \"cnn\"",
                );
            }
            (Kind::Mlp, None) if count > 0 => {
                return refuse(
                    "model.conv",
                    format!("a list of {count}"),
                    "left out unless kind is \"cnn\"",
                );
            }
            (Kind::Cnn, None) => {
                return refuse("model.image", "left out".to_owned(), "said for a \"cnn\"");
            }
            (Kind::Cnn, Some(_)) => whole("model.conv", count as u64, 1, CONV_LAYERS_MAX as u64)?,
            (Kind::Mlp, None) => {}
        }
        if train.patience > 0 && train.held_out == 0.0 {
            let value = train.patience.to_string();
            return refuse("train.patience", value, "0 unless held_out is above 0");
        }
        // Zeros around an image would not be its mean, so folding would change what the model says.
        if train.standardize && model.kind == Kind::Cnn {
            return refuse(
                "train.standardize",
                "true".to_owned(),
                "false for a \"cnn\"",
            );
        }
        if train.nesterov && train.momentum == 0.0 {
            return refuse(
                "train.nesterov",
                "true".to_owned(),
                "false without momentum",
            );
        }
        Ok(())
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
        check("\"linear\"", "\"wavy\"", "recipe_form");
        check("\"adamw\"", "\"adam\"", "recipe_form");
        check("\"mlp\"", "\"bert\"", "recipe_form");
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
    fn keys_without_the_ones_they_need_are_refused() {
        check("\"mlp\"", "\"cnn\"", "recipe_range");
        check(
            "hidden = [128]",
            "hidden = [128]\nimage = [1, 8, 8]",
            "recipe_range",
        );
        check("patience = 0", "patience = 3", "recipe_range");
        check(
            "momentum = 0.9        # sgd: part of the last step in the next, 0 for none\nnesterov = false",
            "momentum = 0.0\nnesterov = true",
            "recipe_range",
        );
        let cnn = |from, to| {
            assert!(CNN_EXAMPLE.contains(from), "{from}");
            let recipe = Recipe::parse(&CNN_EXAMPLE.replacen(from, to, 1));
            recipe.map_err(|error| error.code())
        };
        assert!(cnn("seed = 1", "seed = 2").is_ok());
        assert_eq!(
            cnn("seed = 1", "seed = 1\nstandardize = true"),
            Err("recipe_range")
        );
        assert_eq!(cnn("image = [1, 28, 28]", ""), Err("recipe_range"));
        assert_eq!(
            cnn("image = [1, 28, 28]", "image = [28, 28]"),
            Err("recipe_form")
        );
        assert_eq!(cnn("pool = 2", "pool = 2, stride = 1"), Err("recipe_form"));
    }

    #[test]
    fn a_canonical_recipe_reads_back() {
        for text in [EXAMPLE, CNN_EXAMPLE] {
            let recipe = Recipe::parse(text).unwrap();
            assert_eq!(Recipe::parse(&recipe.to_toml()), Ok(recipe));
        }
    }

    #[test]
    fn an_image_has_as_many_numbers_as_a_row() {
        let recipe = Recipe::parse(CNN_EXAMPLE).unwrap();
        assert_eq!(recipe.model.config(784, 10).unwrap().parameters(), 421_642);
        assert_eq!(
            recipe.model.config(783, 10).unwrap_err().place(),
            "config.json/input_channels"
        );
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
