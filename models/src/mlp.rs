//! The multi-layer perceptron: linear layers with ReLU between them.
//!
//! Weights lie as `[out, in]` in files and as `[in, out]` in burn's `Linear`;
//! they are transposed on the host, value by value, which rounds nothing.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::config::MlpConfig;
use crate::error::ModelError;
use crate::weights::{self, Weights};

/// A multi-layer perceptron; [`MlpConfig::init`] makes one from weights.
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    /// The linear layers, from the input on.
    pub layers: Vec<Linear<B>>,
}

impl MlpConfig {
    /// The model with these weights. Every parameter exists when this returns;
    /// none is drawn later.
    ///
    /// # Errors
    /// [`ModelError`] if the weights are those of another architecture.
    pub fn init<B: Backend>(
        &self,
        weights: &Weights,
        device: &B::Device,
    ) -> Result<Mlp<B>, ModelError> {
        // Weights that were made for another configuration are found here, not in a kernel.
        weights.check(self)?;
        Ok(self.init_from(weights, device))
    }

    /// The layers, from weights that were checked and may hold other tensors too.
    pub(crate) fn init_from<B: Backend>(&self, weights: &Weights, device: &B::Device) -> Mlp<B> {
        let layers = self
            .layers()
            .into_iter()
            .enumerate()
            .map(|(layer, (fan_in, out))| {
                let weight = &weights.tensors()[&format!("layers.{layer}.weight")].values;
                let bias = &weights.tensors()[&format!("layers.{layer}.bias")].values;
                let weight = TensorData::new(transposed(weight, out, fan_in), [fan_in, out]);
                let bias = TensorData::new(bias.clone(), [out]);
                Linear {
                    weight: Param::from_tensor(Tensor::from_data(weight, device)),
                    bias: Some(Param::from_tensor(Tensor::from_data(bias, device))),
                }
            })
            .collect();
        Mlp { layers }
    }
}

impl<B: Backend> Mlp<B> {
    /// The logits.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, input_size]`
    /// - output: `[batch, num_labels]`
    pub fn forward(&self, input: Tensor<B, 2>) -> Tensor<B, 2> {
        self.forward_with(input, |_, layer, x| hidden(layer, x))
    }

    /// The logits, with hidden layers computed by `hidden`: [`hidden`] as it is, as one operation where a backend has
    /// one, or followed by dropout in training. It is given the index of the hidden layer, the layer and its input.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, input_size]`
    /// - hidden: `[batch, in]` to `[batch, hidden_sizes[i]]`
    /// - output: `[batch, num_labels]`
    pub fn forward_with(
        &self,
        input: Tensor<B, 2>,
        mut hidden: impl FnMut(usize, &Linear<B>, Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let Some((last, before)) = self.layers.split_last() else {
            return input;
        };
        let mut x = input;
        for (index, layer) in before.iter().enumerate() {
            x = hidden(index, layer, x);
        }
        last.forward(x)
    }

    /// The weights in the layout of `model.safetensors`.
    ///
    /// # Errors
    /// [`ModelError`] if `config` is another architecture, or a weight is not finite.
    pub fn to_weights(&self, config: &MlpConfig) -> Result<Weights, ModelError> {
        Weights::from_tensors(config, self.tensors())
    }

    /// The tensors in that layout.
    pub(crate) fn tensors(&self) -> BTreeMap<String, weights::Tensor> {
        let mut tensors = BTreeMap::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let [fan_in, out] = layer.weight.val().dims();
            let weight = transposed(&values(layer.weight.val()), fan_in, out);
            let weight = weights::Tensor {
                shape: vec![out, fan_in],
                values: weight,
            };
            tensors.insert(format!("layers.{index}.weight"), weight);
            if let Some(bias) = &layer.bias {
                let bias = weights::Tensor {
                    shape: vec![out],
                    values: values(bias.val()),
                };
                tensors.insert(format!("layers.{index}.bias"), bias);
            }
        }
        tensors
    }
}

/// A hidden layer: its linear map, then ReLU.
///
/// # Shapes
///
/// - input: `[batch, in]`
/// - output: `[batch, out]`
pub fn hidden<B: Backend>(layer: &Linear<B>, input: Tensor<B, 2>) -> Tensor<B, 2> {
    relu(layer.forward(input))
}

/// The row-major values of a tensor.
pub(crate) fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor
        .into_data()
        .into_vec()
        .expect("parameters are 32-bit floats")
}

/// The transpose of a row-major matrix.
///
/// # Shapes
///
/// - matrix: `[rows, columns]`
/// - output: `[columns, rows]`
pub fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    assert_eq!(
        matrix.len(),
        rows * columns,
        "a matrix has rows × columns values"
    );
    (0..columns)
        .flat_map(|c| (0..rows).map(move |r| matrix[r * columns + c]))
        .collect()
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn_flex::Flex;

    use super::*;

    #[test]
    fn a_small_network_gives_the_logits_worked_out_by_hand() {
        let config = MlpConfig::new(2, &[2], 2).unwrap();
        let mut values = [
            vec![1.0, 2.0, -3.0, 4.0], // [out, in]: h0 = x0 + 2 x1 + 0.5, h1 = -3 x0 + 4 x1 - 1
            vec![0.5, -1.0],
            vec![1.0, 10.0, -1.0, 2.0],
            vec![0.0, 0.25],
        ]
        .into_iter();
        let weights = Weights::generate(&config, |_| values.next().unwrap()).unwrap();
        let model: Mlp<Flex> = config.init(&weights, &Default::default()).unwrap();
        let x = Tensor::from_data([[1.0f32, 1.0], [2.0, 0.0]], &Default::default());
        // Row 0: h = (3.5, 0); row 1: h = (2.5, relu(-7) = 0).
        let logits: Vec<f32> = model.forward(x).into_data().into_vec().unwrap();
        assert_eq!(logits, [3.5, -3.25, 2.5, -2.25]);
        assert_eq!(model.to_weights(&config).unwrap(), weights);
    }

    #[test]
    fn a_gradient_reaches_every_parameter() {
        type B = Autodiff<Flex>;
        let config = MlpConfig::new(2, &[3, 4], 2).unwrap();
        let weights = Weights::generate(&config, |spec| vec![0.5; spec.len()]).unwrap();
        let model: Mlp<B> = config.init(&weights, &Default::default()).unwrap();
        let x = Tensor::from_data([[1.0f32, 1.0]], &Default::default());
        let grads = model.forward(x).sum().backward();
        for layer in &model.layers {
            assert!(layer.weight.grad(&grads).is_some());
            assert!(layer.bias.as_ref().unwrap().grad(&grads).is_some());
        }
    }

    #[test]
    fn weights_of_another_architecture_do_not_start_a_model() {
        let config = MlpConfig::new(2, &[3], 2).unwrap();
        let weights = Weights::generate(&config, |spec| vec![0.5; spec.len()]).unwrap();
        let other = MlpConfig::new(2, &[4], 2).unwrap();
        let model = other.init::<Flex>(&weights, &Default::default());
        assert_eq!(model.unwrap_err().code(), "tensor_shape");
    }
}
