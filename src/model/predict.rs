//! Predictions of a model for the rows of a data-set folder.

use std::path::Path;

use evaluator::metric::argmax;
use evaluator::{ModelRunner, Options};
use serde::Serialize;

use super::{get, load_any};
use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::Session;

#[derive(Serialize)]
struct Prediction {
    row: u32,
    predicted: usize,
    label: u32,
    logits: Vec<f32>,
}

/// `lode model run`.
///
/// # Errors
/// Model or data cannot be read, or do not fit.
pub fn run(session: &Session, model: &str, data: &Path) -> Result<(), Failure> {
    let temp = tempfile::tempdir().map_err(|error| Failure::io(&std::env::temp_dir(), &error))?;
    let folder = Path::new(model);
    let loaded = if folder.is_dir() {
        load_any(folder)?
    } else {
        let asset = session.client()?.asset(session.asset_id(model)?)?;
        let dir = temp.path().join("model");
        get(session, &asset, &dir)?;
        load_any(&dir)?
    };
    let table = datasets::load_table(data).map_err(|error| {
        let next = "give a data-set folder: dataset.json and what it names";
        Failure::new(error.code(), error, next)
    })?;
    if table.inputs.ncols() != loaded.config.input_size() {
        let message = format!(
            "a row has {} inputs, the model wants {}",
            table.inputs.ncols(),
            loaded.config.input_size()
        );
        let next = "choose data that the model was made for";
        return Err(Failure::new("inputs_mismatch", message, next).exit(Exit::Usage));
    }
    let runner = ModelRunner::new(&loaded);
    let batch = Options::default().batch_size;
    let leaves = runner
        .leaves(table.inputs.view(), 0, batch)
        .map_err(|fault| {
            Failure::new(
                fault.code.as_str(),
                &fault,
                "the model cannot be used on these data",
            )
        })?;
    let predictions = leaves.iter().zip(&table.labels).map(|(leaf, &label)| {
        let bits = leaf.output_bits.iter();
        let logits: Vec<f32> = bits.map(|&bits| f32::from_bits(bits)).collect();
        Prediction {
            row: leaf.index,
            predicted: argmax(&logits),
            label,
            logits,
        }
    });
    if session.json() {
        return out::json("model.run", &predictions.collect::<Vec<_>>());
    }
    out::bytes(csv(predictions, loaded.config.num_labels()).as_bytes())
}

/// One line a row; logits as short as they can be read back exactly.
fn csv(predictions: impl Iterator<Item = Prediction>, classes: usize) -> String {
    let mut text = "row,predicted,label".to_owned();
    for class in 0..classes {
        text += &format!(",logit_{class}");
    }
    text.push('\n');
    for one in predictions {
        text += &format!("{},{},{}", one.row, one.predicted, one.label);
        for logit in &one.logits {
            text += &format!(",{logit:?}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_lines() {
        let one = Prediction {
            row: 3,
            predicted: 1,
            label: 0,
            logits: vec![-0.5, 1e-7],
        };
        assert_eq!(
            csv([one].into_iter(), 2),
            "row,predicted,label,logit_0,logit_1\n3,1,0,-0.5,1e-7\n"
        );
    }
}
