//! `recipe.toml`: all that a training depends on besides its rows and its base.
//!
//! Format: TOML of at most 64 KiB, two tables. Unknown keys are refused, every
//! number has a range. What is left out has the value of [`EXAMPLE`], but for
//! `[model] hidden`, `[train] epochs` and `[train] seed`, which must be said.
//! A convolutional network says `image` and `conv` too: [`CNN_EXAMPLE`].

mod check;
mod write;

use models::cnn::CnnConfig;
use models::{ConvLayer, MlpConfig, ModelConfig, ModelError};
use protocol::text::Text;
use serde::Deserialize;
use toml::Value;

/// The most bytes of a `recipe.toml`.
pub const RECIPE_BYTES_MAX: usize = 64 << 10;

/// The most bytes of what is shown of a parser's message.
const FORM_BYTES_MAX: usize = 200;

/// A recipe with every key, commented.
pub const EXAMPLE: &str = r#"# What to train. The same recipe on the same rows gives the same bits.

[model]
kind = "mlp"          # "mlp", or "cnn" with `image` and `conv`
hidden = [128]        # widths of the hidden layers; [] is a linear model
dropout = 0.1         # part of the hidden units left out at each step, 0 to 0.95

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
label_smoothing = 0.1 # part of the target spread over all classes, 0 to 0.95
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
    /// Not the TOML that was expected: why, and where the parser says so line and column, from 1.
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
        let file: toml::Table = toml::from_str(text).map_err(|error| malformed(text, &error))?;
        if let Some(message) = misread(&file) {
            return Err(RecipeError::Form(message));
        }
        let recipe: Self = toml::from_str(text).map_err(|error| malformed(text, &error))?;
        recipe.check()?;
        Ok(recipe)
    }
}

/// What `toml` and serde take in a place where it does not belong: a list for a table, whose values they would take in
/// the order in which our fields are declared; a table for a word; more numbers than are read.
fn misread(file: &toml::Table) -> Option<String> {
    let value = |table: &str, key: &str| file.get(table)?.get(key);
    let layers = value("model", "conv").and_then(Value::as_array);
    let layers = layers.is_some_and(|layers| layers.iter().any(Value::is_array));
    let is_list = |table: &str| file.get(table).is_some_and(Value::is_array);
    let lists = [
        ("model", is_list("model")),
        ("train", is_list("train")),
        ("conv", layers),
    ];
    if let Some((name, _)) = lists.into_iter().find(|(_, is_list)| *is_list) {
        return Some(format!(
            "'{name}' is a list; its keys stand by name, as 'key = value'"
        ));
    }
    let words = [
        ("model", "kind"),
        ("train", "schedule"),
        ("train", "optimizer"),
    ];
    let mut words = words.into_iter();
    if let Some((_, name)) =
        words.find(|(table, key)| value(table, key).is_some_and(|v| !v.is_str()))
    {
        return Some(format!("'{name}' is a word in quotes"));
    }
    let image = value("model", "image").and_then(Value::as_array);
    let is_image = image.is_none_or(|image| image.len() == 3);
    (!is_image).then(|| "'image' is three numbers: channels, height, width".to_owned())
}

/// Where a text is no recipe and why, as it can be shown: a recipe may come from anybody.
fn malformed(text: &str, error: &toml::de::Error) -> RecipeError {
    let before = error.span().and_then(|span| text.get(..span.start));
    let place = before.map_or_else(String::new, |before| {
        let (line, start) = before
            .rfind('\n')
            .map_or((1, 0), |end| (before.matches('\n').count() + 1, end + 1));
        let column = before[start..].chars().count() + 1;
        format!("line {line}, column {column}: ")
    });
    let shown = Text::<FORM_BYTES_MAX>::lossy(error.message());
    RecipeError::Form(format!("{place}{shown}"))
}

#[cfg(test)]
mod tests;
