//! Predictions of a model for the rows of a data-set folder.

use std::path::Path;

use client::Client;
use datasets::Labels;
use evaluator::metric::argmax;
use protocol::report::Leaf;
use serde::Serialize;

use super::{model_asset, sealed};
use crate::boxed::{Enclosure, ModelAt, RunOptions};
use crate::failure::{Exit, Failure};
use crate::out;
use crate::session::Session;

/// What a model says of a row, and what the data say.
#[derive(Serialize)]
#[serde(untagged)]
enum Prediction {
    Class {
        row: u32,
        predicted: usize,
        label: u32,
        logits: Vec<f32>,
    },
    Number {
        row: u32,
        predicted: f32,
        label: f64,
    },
}

/// `lode model run`.
///
/// # Errors
/// Model or data cannot be read, or do not fit.
pub fn run(
    session: &Session,
    model: &str,
    data: &Path,
    options: RunOptions,
) -> Result<(), Failure> {
    let temp = std::env::temp_dir();
    let made = Enclosure::new(&temp, options)?;
    let folder = Path::new(model);
    let found = if folder.is_dir() {
        made.predict(&ModelAt::Folder(folder), None::<&Client>, data)?
    } else {
        let client = session.client()?;
        let asset = model_asset(session, model)?;
        let at = match &asset.key {
            Some(key) => ModelAt::Sealed(sealed(&asset), key),
            None => ModelAt::Archive(asset.blob),
        };
        made.predict(&at, Some(client), data)?
    };
    let predictions = predictions(&found.leaves, &found.labels, found.outputs)?;
    if session.json() {
        return out::json("model.run", &predictions);
    }
    out::bytes(csv(&predictions, found.outputs).as_bytes())
}

/// One output is a number, more are logits of classes; the labels must be of the same kind.
fn predictions(
    leaves: &[Leaf],
    labels: &Labels,
    outputs: usize,
) -> Result<Vec<Prediction>, Failure> {
    let values = |leaf: &Leaf| -> Vec<f32> {
        let bits = leaf.output_bits.iter();
        bits.map(|&bits| f32::from_bits(bits)).collect()
    };
    match labels {
        Labels::Classes(labels) if outputs > 1 => {
            let one = |(leaf, &label): (&Leaf, &u32)| {
                let logits = values(leaf);
                Prediction::Class {
                    row: leaf.index,
                    predicted: argmax(&logits),
                    label,
                    logits,
                }
            };
            Ok(leaves.iter().zip(labels).map(one).collect())
        }
        Labels::Numbers(labels) if outputs == 1 => {
            let one = |(leaf, &label): (&Leaf, &f64)| Prediction::Number {
                row: leaf.index,
                predicted: values(leaf)[0],
                label,
            };
            Ok(leaves.iter().zip(labels).map(one).collect())
        }
        _ => {
            let message = match outputs {
                1 => "the model says numbers, the labels of the data are classes",
                _ => "the model tells classes, the labels of the data are numbers",
            };
            let next = "choose data that the model was made for";
            Err(Failure::new("labels_mismatch", message, next).exit(Exit::Usage))
        }
    }
}

/// One line a row; outputs as short as they can be read back exactly.
fn csv(predictions: &[Prediction], outputs: usize) -> String {
    let mut text = "row,predicted,label".to_owned();
    if outputs > 1 {
        for class in 0..outputs {
            text += &format!(",logit_{class}");
        }
    }
    text.push('\n');
    for one in predictions {
        match one {
            Prediction::Class {
                row,
                predicted,
                label,
                logits,
            } => {
                text += &format!("{row},{predicted},{label}");
                for logit in logits {
                    text += &format!(",{logit:?}");
                }
            }
            Prediction::Number {
                row,
                predicted,
                label,
            } => text += &format!("{row},{predicted:?},{label:?}"),
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
        let one = Prediction::Class {
            row: 3,
            predicted: 1,
            label: 0,
            logits: vec![-0.5, 1e-7],
        };
        assert_eq!(
            csv(&[one], 2),
            "row,predicted,label,logit_0,logit_1\n3,1,0,-0.5,1e-7\n"
        );
    }

    #[test]
    fn numbers_are_predicted_for_numbers_and_classes_for_classes() {
        let leaves = [Leaf::new(0, &[2.5])];
        let numbers = Labels::Numbers(vec![2.0]);
        let of_numbers = predictions(&leaves, &numbers, 1).unwrap();
        assert_eq!(csv(&of_numbers, 1), "row,predicted,label\n0,2.5,2.0\n");
        for (labels, outputs) in [(Labels::Classes(vec![0]), 1), (numbers, 2)] {
            let failure = predictions(&leaves, &labels, outputs).err().unwrap();
            assert_eq!(failure.code, "labels_mismatch");
        }
    }
}
