//! The MLP of the shared vectors: logits, loss and gradients of a reference
//! implementation, on burn's own CPU backend. An accuracy check with the
//! vectors' stated tolerance; bits are promised by the arithmetic below, and
//! tested where it is used.

use std::path::PathBuf;

use burn::backend::Autodiff;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::Flex;
use models::{Architecture, Mlp, MlpConfig, Weights};
use safetensors::SafeTensors;

/// "1e-4 absolute always suffices" (README of the vectors).
const TOLERANCE: f32 = 1e-4;

/// The folder of the vectors, or `None` with a word about what is skipped.
fn vectors() -> Option<PathBuf> {
    let root = std::env::var_os("LODE_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let folder = root.join("vectors/mlp");
    if folder.is_dir() {
        return Some(folder);
    }
    assert_ne!(
        std::env::var("LODE_REQUIRE_SHARED").as_deref(),
        Ok("1"),
        "vectors/mlp is required and not there"
    );
    println!("skipped: vectors/mlp is not there");
    None
}

fn floats(file: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f32>) {
    let view = file.tensor(name).expect("the file has this tensor");
    let values = view
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().expect("chunks have the size")));
    (view.shape().to_vec(), values.collect())
}

fn integers(file: &SafeTensors<'_>, name: &str) -> Vec<i64> {
    let view = file.tensor(name).expect("the file has this tensor");
    view.data()
        .chunks_exact(8)
        .map(|b| i64::from_le_bytes(b.try_into().expect("chunks have the size")))
        .collect()
}

fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found - expected).abs();
        assert!(
            difference <= TOLERANCE,
            "{what}[{index}]: {found}, expected {expected}"
        );
    }
}

#[test]
fn logits_loss_and_gradients_agree_with_the_reference() {
    type B = Autodiff<Flex>;
    let Some(folder) = vectors() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let config = MlpConfig::from_json(&read("config.json")).unwrap();
    let weights = Weights::from_safetensors(&config, &read("model.safetensors")).unwrap();
    assert_eq!(config.parameters(), 931);

    let device = Default::default();
    let model: Mlp<B> = config.init(&weights, &device).unwrap();
    let bytes = read("reference.safetensors");
    let reference = SafeTensors::deserialize(&bytes).unwrap();
    let (shape, x) = floats(&reference, "in.x");
    let logits = model.forward(Tensor::from_data(TensorData::new(x, shape), &device));
    let found: Vec<f32> = logits.clone().into_data().into_vec().unwrap();
    assert_close("logits", &found, &floats(&reference, "logits").1);

    let labels = integers(&reference, "labels");
    let count = labels.len();
    let labels = Tensor::<B, 2, Int>::from_data(TensorData::new(labels, [count, 1]), &device);
    let loss = log_softmax(logits, 1).gather(1, labels).mean().neg();
    let found: Vec<f32> = loss.clone().into_data().into_vec().unwrap();
    assert_close("loss", &found, &floats(&reference, "loss").1);

    let grads = loss.backward();
    let bytes = read("gradients.safetensors");
    let gradients = SafeTensors::deserialize(&bytes).unwrap();
    for (index, layer) in model.layers.iter().enumerate() {
        let weight = layer
            .weight
            .grad(&grads)
            .unwrap()
            .transpose()
            .into_data()
            .into_vec()
            .unwrap();
        let name = format!("layers.{index}.weight");
        assert_close(&name, &weight, &floats(&gradients, &name).1);
        let bias = layer.bias.as_ref().unwrap().grad(&grads).unwrap();
        let bias: Vec<f32> = bias.into_data().into_vec().unwrap();
        let name = format!("layers.{index}.bias");
        assert_close(&name, &bias, &floats(&gradients, &name).1);
    }
}

#[test]
fn the_reference_weights_survive_a_canonical_rewrite() {
    let Some(folder) = vectors() else { return };
    let config = MlpConfig::from_json(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    let original = std::fs::read(folder.join("model.safetensors")).unwrap();
    let weights = Weights::from_safetensors(&config, &original).unwrap();
    let rewritten = Weights::from_safetensors(&config, &weights.to_safetensors()).unwrap();
    assert_eq!(rewritten.digest(), weights.digest());
    let model: Mlp<Flex> = config.init(&weights, &Default::default()).unwrap();
    assert_eq!(
        model.to_weights(&config).unwrap().digest(),
        weights.digest()
    );
}
