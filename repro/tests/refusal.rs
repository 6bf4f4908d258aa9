//! What version 1 does not define does not run, and says so.

mod support;

use burn::module::Param;
use burn::nn::LinearConfig;
use burn::tensor::backend::Backend;
use burn::tensor::{DType, Distribution, Int, Tensor, TensorData, module};
use repro::{Repro, ReproDevice, random};
use std::panic::{AssertUnwindSafe, catch_unwind};

type T<const D: usize> = Tensor<Repro, D>;

fn check(job: impl FnOnce(), message: &str) {
    let caught = catch_unwind(AssertUnwindSafe(job)).expect_err("it must refuse");
    let text = caught
        .downcast_ref::<String>()
        .expect("a formatted message");
    assert!(text.contains(message), "`{text}` does not say `{message}`");
}

fn x() -> T<2> {
    Tensor::from_data(
        TensorData::new(support::numbers(1, 12), [3, 4]),
        &ReproDevice,
    )
}

#[test]
fn an_undefined_operation_names_itself_and_the_version() {
    let outside = |operation: &str| {
        format!("repro: {operation} is outside the reproducible arithmetic, version 1")
    };
    let cube = || x().reshape([2, 2, 3]);
    check(|| drop(cube().cross(cube(), 2)), &outside("float_cross"));
    let whole = || Tensor::<Repro, 1, Int>::from_ints([3, 1, 3], &ReproDevice);
    check(
        || drop(whole().powi_scalar(3)),
        &outside("int_powi_scalar_impl"),
    );
    check(
        || drop(whole().float().cast(DType::F64)),
        "F64 instead of F32",
    );
    check(|| drop(whole().mean()), &outside("int_mean"));
}

#[test]
fn windows_of_padding_alone_are_refused() {
    let image = || x().reshape([1, 2, 2, 3]);
    let max = |size, padding, dilation| {
        drop(module::max_pool2d(
            image(),
            [size; 2],
            [1, 1],
            [padding; 2],
            [dilation; 2],
            false,
        ));
    };
    max(2, 1, 1);
    check(
        || max(2, 2, 1),
        "pooling with padding [2, 2] and a kernel of [2, 2], its taps [1, 1] apart: a window of padding alone",
    );
    check(
        || max(2, 0, 3),
        "a kernel of 2, its taps 3 apart, on an axis of 2 with padding 0",
    );
    // Rounded up, the third window would begin behind the last element.
    check(
        || {
            drop(module::avg_pool2d(
                image(),
                [1, 2],
                [1, 2],
                [0, 1],
                false,
                true,
            ));
        },
        "a window of padding alone",
    );
}

#[test]
fn float_types_other_than_binary32_are_refused() {
    for (dtype, name) in [
        (DType::F64, "F64"),
        (DType::F16, "F16"),
        (DType::BF16, "BF16"),
    ] {
        let message = format!("with {name} instead of F32 is outside");
        check(|| drop(x().cast(dtype)), &message);
        check(|| drop(T::<1>::zeros([2], (&ReproDevice, dtype))), &message);
        let data = TensorData::new(vec![1.0f32, 2.0], [2]).convert_dtype(dtype);
        check(
            || drop(T::<1>::from_data(data, (&ReproDevice, dtype))),
            &message,
        );
        assert!(!Repro::supports_dtype(&ReproDevice, dtype));
    }
}

#[test]
fn a_random_tensor_without_a_stream_is_refused() {
    let draw = || drop(T::<1>::random([3], Distribution::Default, &ReproDevice));
    check(draw, "needs a random stream");
    random::scope(1, random::INIT, draw);
    check(draw, "needs a random stream");
}

#[test]
fn burns_ambient_seed_is_refused() {
    check(
        || Repro::seed(&ReproDevice, 1),
        "seed (one seed for the process; use repro::random::scope)",
    );
}

#[test]
fn a_parameter_drawn_late_is_refused_outside_its_scope() {
    let lazy = random::scope(1, random::INIT, || {
        let initialiser = burn::nn::Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        initialiser.init::<Repro, 1, _>([3], &ReproDevice)
    });
    check(|| drop(Param::val(&lazy)), "needs a random stream");
    let lazy = LinearConfig::new(3, 2).init::<Repro>(&ReproDevice);
    check(|| drop(lazy.weight.val()), "repro::random::init(seed, ..)");
}

#[test]
fn sizes_that_no_memory_holds_are_refused_in_every_build() {
    const THIRD: usize = usize::MAX / 3 + 1;
    let message = "has more numbers than any memory";
    let ones = |shape: [usize; 2]| T::<2>::ones(shape, &ReproDevice);
    check(|| drop(ones([THIRD, 0]).matmul(ones([0, 3]))), message);
    check(|| drop(ones([1 << 40, 1 << 40])), message);
    check(|| drop(T::<2>::zeros([THIRD, 3], &ReproDevice)), message);
    check(
        || drop(ones([1, 1]).expand([1_usize << 32, 1_usize << 32]) + 1.0),
        message,
    );
    check(|| drop(ones([1, 1]).expand([3, THIRD]).sum()), message);
    check(|| drop(ones([1, 1]).expand([3, THIRD]).sum_dim(0)), message);
    let (tall, wide) = (
        ones([1, 1]).expand([1_usize << 32, 1]),
        ones([1, 1]).expand([1_usize, 1 << 32]),
    );
    check(|| drop(tall + wide), message);
    let random = || T::<2>::random([THIRD, 3], Distribution::Default, &ReproDevice);
    check(
        || random::scope(1, random::INIT, || drop(random())),
        message,
    );
    assert_eq!(ones([THIRD, 0]).dims(), [THIRD, 0], "nothing is no number");
    let convolved = |padding, stride| {
        let (image, kernel) = (
            ones([5, 5]).reshape([1, 1, 5, 5]),
            ones([3, 3]).reshape([1, 1, 3, 3]),
        );
        let options = burn::tensor::ops::ConvOptions::new([stride; 2], [padding; 2], [1, 1], 1);
        drop(module::conv2d(image, kernel, None, options));
    };
    check(|| convolved(1 << 63, 1), "further than any memory");
    check(|| convolved(usize::MAX / 2, 1), "further than any memory");
    let transposed = || {
        let (image, kernel) = (
            ones([2, 2]).reshape([1, 1, 2, 2]),
            ones([3, 3]).reshape([1, 1, 3, 3]),
        );
        let options =
            burn::tensor::ops::ConvTransposeOptions::new([1 << 62; 2], [0, 0], [0, 0], [1, 1], 1);
        drop(module::conv_transpose2d(image, kernel, None, options));
    };
    check(transposed, message);
}

#[test]
fn weights_are_drawn_in_their_own_stream_however_late_they_are_used() {
    let make = || LinearConfig::new(3, 2).init::<Repro>(&ReproDevice);
    let early = random::init(7, make).weight.val().into_data();
    let layer = random::init(7, make);
    let late = random::scope(9, random::DROPOUT, || layer.weight.val().into_data());
    assert_eq!(early, late);
}
