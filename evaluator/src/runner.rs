//! A model at work: rows in, leaves out.
//!
//! Every output row of `repro` is a function of its input row and the weights,
//! so neither the batch nor the thread count changes a bit of a leaf, and one
//! leaf can be made alone.

use burn::tensor::{Tensor, TensorData};
use models::Model;
use ndarray::{ArrayView2, Axis, s};
use protocol::id::Digest;
use protocol::report::Leaf;
use repro::linear::linear_relu;
use repro::weights::Kept;
use repro::{Repro, ReproDevice};

use crate::fault::Fault;
use crate::folder::LoadedModel;

/// The most numbers that one layer gives for a whole batch (256 MiB of them): wide models run in smaller batches.
pub const BATCH_NUMBERS_MAX: usize = 1 << 26;

/// A model, ready to run on the inner backend.
#[derive(Debug)]
pub struct ModelRunner {
    model: Model<Repro>,
    inputs: usize,
    classes: usize,
    batch_size_max: usize,
    /// The weights as products read them: packed by the first batch, used by all others.
    packed: Kept,
    weights_digest: Digest,
}

impl ModelRunner {
    /// Takes the weights of a model that was loaded.
    pub fn new(loaded: &LoadedModel) -> Self {
        let model = loaded
            .config
            .init(&loaded.weights, &ReproDevice)
            .expect("a loaded model's weights are those of its configuration");
        Self {
            model,
            inputs: loaded.config.input_size(),
            classes: loaded.config.num_labels(),
            batch_size_max: (BATCH_NUMBERS_MAX / loaded.config.widest()).max(1),
            packed: Kept::new(),
            weights_digest: loaded.weights_digest,
        }
    }

    /// Numbers in one row of input.
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Logits of one row.
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// The digest that names the weights.
    pub const fn weights_digest(&self) -> Digest {
        self.weights_digest
    }

    /// The logits of some rows, row-major.
    ///
    /// # Shapes
    ///
    /// - rows: `[n, inputs]`
    /// - output: `[n, classes]`, flattened
    ///
    /// # Panics
    /// If a row has another width than [`ModelRunner::inputs`].
    pub fn logits(&self, rows: ArrayView2<'_, f32>) -> Vec<f32> {
        assert_eq!(
            rows.ncols(),
            self.inputs,
            "a row has as many numbers as the model's input"
        );
        if rows.is_empty() {
            return Vec::new();
        }
        let values: Vec<f32> = rows.iter().copied().collect();
        let data = TensorData::new(values, [rows.nrows(), self.inputs]);
        let input = Tensor::<Repro, 2>::from_data(data, &ReproDevice);
        let output = self.model.forward_with(input, |_, layer, x| {
            let bias = layer.bias.as_ref().map(|bias| bias.val());
            linear_relu(x, layer.weight.val(), bias)
        });
        let output = output.into_data();
        output.into_vec().expect("logits are 32-bit floats")
    }

    /// A leaf for every row, `batch_size` rows at a time or fewer; `first` is the index
    /// of the first row in the test set.
    ///
    /// # Errors
    /// `output_not_finite` at the first example whose output has a NaN or an infinity.
    ///
    /// # Panics
    /// As [`ModelRunner::logits`].
    pub fn leaves(
        &self,
        rows: ArrayView2<'_, f32>,
        first: u32,
        batch_size: usize,
    ) -> Result<Vec<Leaf>, Fault> {
        let mut leaves = Vec::with_capacity(rows.nrows());
        let mut index = first;
        let batch_size = batch_size.clamp(1, self.batch_size_max);
        for batch in rows.axis_chunks_iter(Axis(0), batch_size) {
            let logits = self.packed.during(|| self.logits(batch));
            for logits in logits.chunks_exact(self.classes) {
                check_finite(index, logits)?;
                leaves.push(Leaf::new(index, logits));
                index += 1;
            }
        }
        Ok(leaves)
    }

    /// The leaf of one row of a table. The weights are read as they lie: to pack them costs more than one row.
    ///
    /// # Errors
    /// As [`ModelRunner::leaves`].
    ///
    /// # Panics
    /// If there is no such row, and as [`ModelRunner::logits`].
    pub fn leaf(&self, rows: ArrayView2<'_, f32>, index: u32) -> Result<Leaf, Fault> {
        let at = index as usize;
        let logits = self.logits(rows.slice(s![at..at + 1, ..]));
        check_finite(index, &logits)?;
        Ok(Leaf::new(index, &logits))
    }
}

fn check_finite(index: u32, logits: &[f32]) -> Result<(), Fault> {
    match logits.iter().position(|value| !value.is_finite()) {
        Some(class) => {
            let message = format!("output {class} of example {index} is not a finite number");
            Err(Fault::new(
                "output_not_finite",
                &format!("example/{index}"),
                message,
            ))
        }
        None => Ok(()),
    }
}
