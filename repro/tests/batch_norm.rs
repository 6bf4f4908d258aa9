//! burn's batch normalisation over our convolutions: training, its running statistics and inference are the same bits on
//! every path, at every thread count, and written out by hand.

mod support;

use burn::backend::Autodiff;
use burn::module::AutodiffModule;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Tensor, TensorData};
use repro::kernels::sum::mean;
use repro::paths;
use repro::{Repro, ReproDevice, random};
use support::{bits, every_setting, numbers};

type Tracked = Autodiff<Repro>;

const SHAPE: [usize; 4] = [3, 2, 9, 11];

fn image(seed: u64) -> Tensor<Tracked, 4> {
    let data = TensorData::new(numbers(seed, SHAPE.iter().product()), SHAPE);
    Tensor::from_data(data, &ReproDevice)
}

fn layers() -> (Conv2d<Tracked>, BatchNorm<Tracked>) {
    random::scope(5, random::INIT, || {
        let conv = Conv2dConfig::new([2, 6], [3, 3])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init(&ReproDevice);
        // Drawn now, in this scope.
        let _ = (conv.weight.val(), conv.bias.as_ref().map(|bias| bias.val()));
        (conv, BatchNormConfig::new(6).init(&ReproDevice))
    })
}

fn read<const D: usize>(tensor: Tensor<Repro, D>) -> Vec<u32> {
    bits(&tensor.into_data().to_vec::<f32>().expect("a float tensor"))
}

/// Two steps forward, the gradients of the second, the running statistics, and inference after them.
fn results() -> Vec<Vec<u32>> {
    let (conv, norm) = layers();
    let first = norm.forward(conv.forward(image(1)));
    let x = image(2).require_grad();
    let second = norm.forward(conv.forward(x.clone()));
    let slope = Tensor::from_data(
        TensorData::new(numbers(3, second.shape().num_elements()), second.dims()),
        &ReproDevice,
    );
    let grads = (second.clone() * slope).sum().backward();
    let grad = |tensor: Option<Tensor<Repro, 1>>| read(tensor.expect("a gradient"));
    let mut results = vec![
        read(first.inner()),
        read(second.inner()),
        read(x.grad(&grads).expect("a gradient")),
        read(conv.weight.val().grad(&grads).expect("a gradient")),
        grad(norm.gamma.val().grad(&grads)),
        grad(norm.beta.val().grad(&grads)),
    ];
    let (conv, norm) = (conv.valid(), norm.valid());
    results.push(read(norm.running_mean.value_sync()));
    results.push(read(norm.running_var.value_sync()));
    results.push(read(norm.forward(conv.forward(image(4).inner()))));
    results
}

#[test]
fn training_and_inference_are_the_same_bits_everywhere() {
    let expected = results();
    assert!(expected.iter().flatten().any(|x| *x != 0));
    for settings in every_setting() {
        let found = paths::with(settings, results);
        assert!(found == expected, "{settings:?}");
    }
}

#[test]
fn inference_subtracts_divides_and_scales_in_that_order() {
    let norm = BatchNormConfig::new(2).init::<Tracked>(&ReproDevice);
    let _ = norm.forward(image(1));
    let norm = norm.valid();
    let read = |x: Tensor<Repro, 1>| x.into_data().to_vec::<f32>().expect("floats");
    let (means, vars) = (
        read(norm.running_mean.value_sync()),
        read(norm.running_var.value_sync()),
    );
    let x = numbers(2, SHAPE.iter().product());
    let found = norm.forward(image(2).inner());
    let found = found.into_data().to_vec::<f32>().expect("floats");
    let plane = SHAPE[2] * SHAPE[3];
    let expected: Vec<f32> = x
        .iter()
        .enumerate()
        .map(|(at, x)| {
            let channel = at / plane % 2;
            let scaled = (x - means[channel]) / (vars[channel] + 1e-5).sqrt();
            scaled * 1.0 + 0.0
        })
        .collect();
    assert_eq!(bits(&found), bits(&expected));
    // The mean of the only batch so far is a tenth of the running one: a sum over batch, row, column, divided by the count.
    let data = numbers(1, SHAPE.iter().product());
    for (channel, found) in means.iter().enumerate() {
        let planes = data.chunks(plane).skip(channel).step_by(2);
        let all: Vec<f32> = planes.flatten().copied().collect();
        let expected = 0.0 * 0.9 + mean(&all) * 0.1;
        assert_eq!(found.to_bits(), expected.to_bits());
    }
}
