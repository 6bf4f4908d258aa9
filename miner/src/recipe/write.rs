//! A recipe as text, in its one form.

use models::ConvLayer;

use super::{Kind, OptimizerKind, Recipe, Schedule};

impl Recipe {
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
}
