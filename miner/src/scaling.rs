//! Standardising inputs and targets by the training rows, and folding that into the written weights.
//!
//! Mean and deviation of a column are computed in binary64, in the order of the rows: the mean is the sum divided
//! by the count, the deviation the root of the mean of the squared distances to it; a constant column has the deviation 1.
//! While training, an input is `(x − mean) / deviation` in binary64, rounded to binary32 once; so is a target.
//!
//! **Folding.** The written model takes inputs and gives outputs in their own units. In binary64, each number
//! rounded to binary32 once, and where the first layer is the last too, once for each of the two:
//!
//! - inputs, in the first layer: `w' = w / deviation` and `b' = b − Σ w · mean / deviation`, columns ascending;
//! - then the target, in the last layer: `w' = w · deviation` and `b' = b · deviation + mean`.
//!
//! A base is unfolded the other way round: the target first, then the inputs, by the inverse formulas.
//! Rounding makes the written model differ from the trained one. For columns whose mean is of the size of their
//! deviation that is in the last bits; a column whose mean is far above its deviation shifts what the first layer
//! sums up to by about |w| · mean / deviation · 2⁻²⁴. What is scored is the written model.

use models::{Architecture, ModelConfig, ModelError, Weights};
use ndarray::ArrayView2;

use crate::fit::Targets;

/// Mean and deviation of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Column {
    mean: f64,
    deviation: f64,
}

impl Column {
    fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let count = values.clone().count() as f64;
        let mean = values.clone().map(f64::from).sum::<f64>() / count;
        let square = |x: f32| (f64::from(x) - mean) * (f64::from(x) - mean);
        let deviation = (values.map(square).sum::<f64>() / count).sqrt();
        let is_usable = deviation > 0.0 && deviation.is_finite();
        Self {
            mean,
            deviation: if is_usable { deviation } else { 1.0 },
        }
    }

    fn standardize(&self, x: f32) -> f32 {
        ((f64::from(x) - self.mean) / self.deviation) as f32
    }
}

/// How inputs and targets are scaled in a training; nothing, where there is nothing to scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scaling {
    inputs: Option<Vec<Column>>,
    target: Option<Column>,
}

impl Scaling {
    /// The scaling by some rows: inputs if asked for, the target if it is a number.
    pub(crate) fn of(
        standardize: bool,
        inputs: ArrayView2<'_, f32>,
        targets: Targets<'_>,
        rows: &[usize],
    ) -> Self {
        let column = |column: usize| Column::of(rows.iter().map(|&row| inputs[[row, column]]));
        Self {
            inputs: standardize.then(|| (0..inputs.ncols()).map(column).collect()),
            target: match targets {
                Targets::Classes { .. } => None,
                Targets::Values(values) => Some(Column::of(rows.iter().map(|&row| values[row]))),
            },
        }
    }

    /// Scales a row of inputs.
    pub(crate) fn scale_row(&self, row: &mut [f32]) {
        let Some(columns) = &self.inputs else { return };
        for (x, column) in row.iter_mut().zip(columns) {
            *x = column.standardize(*x);
        }
    }

    /// A target in the units of the training.
    pub(crate) fn scale_target(&self, value: f32) -> f32 {
        self.target
            .map_or(value, |column| column.standardize(value))
    }

    /// Weights that take and give numbers in their own units.
    ///
    /// # Errors
    /// [`ModelError::NonFinite`] if that overflows.
    pub(crate) fn fold(
        &self,
        config: &ModelConfig,
        weights: Weights,
    ) -> Result<Weights, ModelError> {
        let weights = self.change_inputs(config, weights, |sum, w, column| {
            (
                w / column.deviation,
                sum - w * column.mean / column.deviation,
            )
        })?;
        self.change_target(config, weights, |w, b, column| {
            (w * column.deviation, b * column.deviation + column.mean)
        })
    }

    /// The inverse of [`Scaling::fold`].
    ///
    /// # Errors
    /// As there.
    pub(crate) fn unfold(
        &self,
        config: &ModelConfig,
        weights: Weights,
    ) -> Result<Weights, ModelError> {
        let weights = self.change_target(config, weights, |w, b, column| {
            (w / column.deviation, (b - column.mean) / column.deviation)
        })?;
        self.change_inputs(config, weights, |sum, w, column| {
            (w * column.deviation, sum + w * column.mean)
        })
    }

    /// Changes every weight of the first layer, and the bias along with the row.
    fn change_inputs(
        &self,
        config: &ModelConfig,
        weights: Weights,
        change: impl Fn(f64, f64, &Column) -> (f64, f64),
    ) -> Result<Weights, ModelError> {
        let Some(columns) = &self.inputs else {
            return Ok(weights);
        };
        let mut tensors = weights.tensors().clone();
        let [mut weight, mut bias] = ["weight", "bias"].map(|name| {
            tensors
                .remove(&format!("layers.0.{name}"))
                .expect("inputs are scaled for an MLP only, which has a first layer")
        });
        let rows = weight.values.chunks_exact_mut(columns.len());
        for (row, bias) in rows.zip(&mut bias.values) {
            let mut sum = f64::from(*bias);
            for (w, column) in row.iter_mut().zip(columns) {
                let (changed, moved) = change(sum, f64::from(*w), column);
                (*w, sum) = (changed as f32, moved);
            }
            *bias = sum as f32;
        }
        tensors.insert("layers.0.weight".to_owned(), weight);
        tensors.insert("layers.0.bias".to_owned(), bias);
        Weights::from_tensors(config, tensors)
    }

    /// Changes every weight and bias of the last layer.
    fn change_target(
        &self,
        config: &ModelConfig,
        weights: Weights,
        change: impl Fn(f64, f64, &Column) -> (f64, f64),
    ) -> Result<Weights, ModelError> {
        let Some(column) = &self.target else {
            return Ok(weights);
        };
        let last = config.hidden_sizes().len();
        let mut tensors = weights.tensors().clone();
        for (name, is_weight) in [("weight", true), ("bias", false)] {
            let tensor = tensors
                .get_mut(&format!("layers.{last}.{name}"))
                .expect("every model has a last linear layer");
            for value in &mut tensor.values {
                let (w, b) = change(f64::from(*value), f64::from(*value), column);
                *value = if is_weight { w } else { b } as f32;
            }
        }
        debug_assert_eq!(config.tensors().len(), tensors.len());
        Weights::from_tensors(config, tensors)
    }
}

#[cfg(test)]
mod tests {
    use models::MlpConfig;
    use ndarray::array;

    use super::*;

    #[test]
    fn folding_gives_in_own_units_what_the_training_saw_and_unfolding_takes_it_back() {
        let inputs = array![[1.0f32, 12.0, 7.0], [3.0, 28.0, 7.0]];
        let values = [100.0f32, 300.0];
        let scaling = Scaling::of(true, inputs.view(), Targets::Values(&values), &[0, 1]);
        let mut row = [3.0, 12.0, 9.0];
        scaling.scale_row(&mut row);
        assert_eq!(row, [1.0, -1.0, 2.0]);
        assert_eq!(scaling.scale_target(100.0), -1.0);
        let config = ModelConfig::Mlp(MlpConfig::new(3, &[], 1).unwrap());
        let mut parts = [vec![2.0, 4.0, 0.5], vec![1.0]].into_iter();
        let weights = Weights::generate(&config, |_| parts.next().unwrap()).unwrap();
        let folded = scaling.fold(&config, weights.clone()).unwrap();
        let of = |name: &str| folded.tensors()[name].values.clone();
        // z = 2(x−2) + 4(y−20)/8 + 0.5(c−7) + 1 and the output 100 z + 200.
        assert_eq!(of("layers.0.weight"), [200.0, 50.0, 50.0]);
        assert_eq!(
            of("layers.0.bias"),
            [100.0 * (1.0 - 4.0 - 10.0 - 3.5) + 200.0]
        );
        assert_eq!(scaling.unfold(&config, folded), Ok(weights));
    }

    #[test]
    fn without_scaling_weights_stay() {
        let config = ModelConfig::Mlp(MlpConfig::new(2, &[2], 2).unwrap());
        let weights = Weights::generate(&config, |spec| vec![0.3; spec.len()]).unwrap();
        let none = Scaling::default();
        assert_eq!(none.fold(&config, weights.clone()), Ok(weights.clone()));
        assert_eq!(none.unfold(&config, weights.clone()), Ok(weights));
    }
}
