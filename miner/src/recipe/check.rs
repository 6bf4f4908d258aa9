//! What the values of a recipe may be, alone and beside each other.

use models::cnn::CONV_LAYERS_MAX;
use models::config::{HIDDEN_LAYERS_MAX, WIDTH_MAX};

use super::{Kind, Recipe, RecipeError};

impl Recipe {
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
        number("model.dropout", model.dropout, 0.0, 0.95)?;
        number("train.learning_rate", train.learning_rate, 0.0, 10.0)?;
        number("train.weight_decay", train.weight_decay, 0.0, 10.0)?;
        below_one("train.beta_1", train.beta_1)?;
        below_one("train.beta_2", train.beta_2)?;
        number("train.epsilon", train.epsilon, 1e-30, 1.0)?;
        number("train.label_smoothing", train.label_smoothing, 0.0, 0.95)?;
        number("train.input_noise", train.input_noise, 0.0, 1e6)?;
        whole("train.step_epochs", train.step_epochs, 1, 100_000)?;
        number("train.step_factor", train.step_factor, 0.0, 1.0)?;
        whole("train.warm_up", train.warm_up, 0, 1 << 40)?;
        below_one("train.momentum", train.momentum)?;
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

/// From 0 to below 1, also in the 32 bits that it is used in.
fn below_one(key: &'static str, value: f64) -> Result<(), RecipeError> {
    if value >= 0.0 && (value as f32) < 1.0 {
        return Ok(());
    }
    Err(RecipeError::Range {
        key,
        value: value.to_string(),
        allowed: "0 to below 1, also when it is rounded to 32 bits".to_owned(),
    })
}
