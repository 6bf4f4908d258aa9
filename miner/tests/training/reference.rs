//! The shared vectors on the reproducible backend: an accuracy check against
//! another implementation, with the vectors' stated tolerance.

use std::fs;
use std::path::Path;

use burn::backend::Autodiff;
use burn::module::AutodiffModule;
use burn::optim::{GradientsParams, Optimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use models::{Mlp, MlpConfig, Weights};
use repro::optim::AdamW;
use repro::{Repro, ReproDevice};
use safetensors::SafeTensors;

use crate::support::shared;

type Training = Autodiff<Repro>;

/// "1e-4 absolute always suffices" (README of the vectors).
const TOLERANCE: f32 = 1e-4;

fn floats(file: &SafeTensors<'_>, name: &str) -> TensorData {
    let view = file.tensor(name).expect("the file has this tensor");
    let bytes = view.data().chunks_exact(4);
    let values = bytes.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    TensorData::new(values.collect::<Vec<f32>>(), view.shape().to_vec())
}

/// The labels as a column; they fit into 32 bits.
fn labels(file: &SafeTensors<'_>, name: &str) -> Tensor<Training, 2, Int> {
    let view = file.tensor(name).expect("the file has this tensor");
    let bytes = view.data().chunks_exact(8);
    let values: Vec<i32> = bytes
        .map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count, 1]), &ReproDevice)
}

fn assert_close(what: &str, found: TensorData, expected: TensorData) {
    let (found, expected) = (found.into_vec::<f32>(), expected.into_vec::<f32>());
    let (found, expected) = (found.expect("floats"), expected.expect("floats"));
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= TOLERANCE,
            "{what}[{index}]: {found}, expected {expected}"
        );
    }
}

fn model(folder: &Path) -> (MlpConfig, Mlp<Training>) {
    let read = |name: &str| fs::read(folder.join(name)).expect("the vectors have this file");
    let config = MlpConfig::from_json(&read("config.json")).expect("a sound configuration");
    let weights = Weights::from_safetensors(&config, &read("model.safetensors")).expect("sound");
    let model = config.init(&weights, &ReproDevice).expect("they fit");
    (config, model)
}

fn loss(logits: Tensor<Training, 2>, labels: Tensor<Training, 2, Int>) -> Tensor<Training, 1> {
    log_softmax(logits, 1).gather(1, labels).mean().neg()
}

#[test]
fn logits_loss_and_gradients_agree_with_the_reference() {
    let Some(folder) = shared("vectors/mlp") else {
        return;
    };
    let (_, model) = model(&folder);
    let bytes = fs::read(folder.join("reference.safetensors")).unwrap();
    let reference = SafeTensors::deserialize(&bytes).unwrap();
    let x: Tensor<Training, 2> = Tensor::from_data(floats(&reference, "in.x"), &ReproDevice);
    let logits = model.valid().forward(x.clone().inner());
    assert_close("logits", logits.into_data(), floats(&reference, "logits"));
    let loss = loss(model.forward(x), labels(&reference, "labels"));
    assert_close("loss", loss.clone().into_data(), floats(&reference, "loss"));

    let grads = loss.backward();
    let bytes = fs::read(folder.join("gradients.safetensors")).unwrap();
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    for (index, layer) in model.layers.iter().enumerate() {
        let name = format!("layers.{index}.weight");
        let weight = layer.weight.grad(&grads).unwrap().transpose();
        assert_close(&name, weight.into_data(), floats(&expected, &name));
        let name = format!("layers.{index}.bias");
        let bias = layer.bias.as_ref().unwrap().grad(&grads).unwrap();
        assert_close(&name, bias.into_data(), floats(&expected, &name));
    }
}

#[test]
fn ten_steps_of_adamw_agree_with_the_reference() {
    let Some(folder) = shared("vectors/mlp") else {
        return;
    };
    let (config, mut model) = model(&folder);
    let bytes = fs::read(folder.join("adamw10.safetensors")).unwrap();
    let reference = SafeTensors::deserialize(&bytes).unwrap();
    let optimizer = AdamW {
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.05,
    };
    let mut optimizer = optimizer.init();
    let mut losses = Vec::new();
    for _ in 0..10 {
        let x = Tensor::from_data(floats(&reference, "x"), &ReproDevice);
        let loss = loss(model.forward(x), labels(&reference, "y"));
        losses.push(loss.clone().into_scalar());
        let grads = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(0.01, model, grads);
    }
    let losses = TensorData::new(losses, [10]);
    assert_close(
        "losses",
        losses,
        floats(&reference, "losses_before_each_step"),
    );
    let weights = model.valid().to_weights(&config).unwrap();
    for (name, tensor) in weights.tensors() {
        let found = TensorData::new(tensor.values.clone(), tensor.shape.clone());
        assert_close(name, found, floats(&reference, &format!("after10.{name}")));
    }
}
