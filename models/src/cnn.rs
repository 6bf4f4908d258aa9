//! The convolutional network: convolutions with ReLU and max pooling, then linear layers.
//!
//! `config.json`: one JSON object of at most 64 KiB with the fields `model_type` (`"cnn"`), `input_channels`,
//! `input_height`, `input_width`, `conv_layers` (a list of 1 to [`CONV_LAYERS_MAX`] objects with `channels`,
//! `kernel`, `padding` and `pool`), `hidden_sizes`, `num_labels`, `hidden_act` (`"relu"`) and, if present,
//! `tensor_names`, which can have one value only. Other fields and fields given twice are refused.
//!
//! A row of input is an image, `[channels, height, width]` in row-major order. Each convolution has a square
//! kernel, stride 1 and zeros as padding on all sides, at most half of the kernel; ReLU follows, then max pooling over
//! squares of `pool` that do not overlap (1 for none; what is left at the edges is dropped). What the last one
//! gives is flattened in row-major order for the linear layers, which are those of an MLP.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::{conv2d, max_pool2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use crate::config::{Architecture, MlpConfig, TensorSpec, WIDTH_MAX, width, word};
use crate::error::ModelError;
use crate::mlp::{Mlp, values};
use crate::strict;
use crate::weights::{self, Weights};

/// The value of `model_type`.
pub const MODEL_TYPE: &str = "cnn";

/// The most convolutions.
pub const CONV_LAYERS_MAX: usize = 32;

/// The largest kernel, and the largest square that is pooled.
pub const KERNEL_MAX: u64 = 31;

const HIDDEN_ACT: &str = "relu";
const TENSOR_NAMES: &str = "conv.{i}.weight [out,in,height,width], conv.{i}.bias, layers.{i}.weight [out,in], layers.{i}.bias";

/// One convolution and what follows it, as `conv_layers` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvLayer {
    /// Channels that it gives.
    pub channels: u64,
    /// Rows and columns of the kernel.
    pub kernel: u64,
    /// Rows or columns of zeros on each side, at most half of the kernel.
    pub padding: u64,
    /// Side of the squares of which the greatest is taken; 1 for none.
    pub pool: u64,
}

/// The shapes of a convolutional network; every value was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CnnConfig {
    input: [usize; 3],
    layers: Vec<ConvLayer>,
    /// What each convolution takes and gives.
    steps: Vec<Step>,
    head: MlpConfig,
}

/// One convolution with all its lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    channels_in: usize,
    channels_out: usize,
    kernel: usize,
    padding: usize,
    pool: usize,
    /// Rows and columns between convolution and pooling.
    unpooled: [usize; 2],
}

impl Step {
    const fn fan_in(&self) -> usize {
        self.channels_in * self.kernel * self.kernel
    }

    const fn places(&self) -> usize {
        self.unpooled[0] * self.unpooled[1]
    }
}

/// The fields as they stand in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    model_type: String,
    input_channels: u64,
    input_height: u64,
    input_width: u64,
    #[serde(deserialize_with = "strict::list")]
    conv_layers: Vec<ConvLayer>,
    hidden_sizes: Vec<u64>,
    num_labels: u64,
    hidden_act: String,
    #[serde(default, deserialize_with = "strict::given")]
    tensor_names: Option<String>,
}

impl CnnConfig {
    /// A network on images of `[channels, height, width]`.
    ///
    /// # Errors
    /// [`ModelError::ConfigValue`] for no convolution or more than [`CONV_LAYERS_MAX`], a length that is zero, a
    /// kernel or pooling above [`KERNEL_MAX`], padding of more than half of the kernel, an input or an output of a
    /// convolution of more than [`WIDTH_MAX`] numbers, a kernel larger than its padded input, pooling to nothing,
    /// and as [`MlpConfig::new`].
    pub fn new(
        input: [u64; 3],
        layers: &[ConvLayer],
        hidden_sizes: &[u64],
        num_labels: u64,
    ) -> Result<Self, ModelError> {
        const NAMES: [&str; 3] = ["input_channels", "input_height", "input_width"];
        let mut size = [0; 3];
        for (axis, name) in NAMES.iter().enumerate() {
            size[axis] = width(name, input[axis], 1)?;
        }
        numbers("input_width", size)?;
        if layers.is_empty() || layers.len() > CONV_LAYERS_MAX {
            return Err(refused(
                "conv_layers",
                format!("a list of {}", layers.len()),
                format!("1 to {CONV_LAYERS_MAX} long"),
            ));
        }
        let mut steps = Vec::with_capacity(layers.len());
        let mut shape = size;
        for (index, layer) in layers.iter().enumerate() {
            let (step, next) = follow(index, shape, layer)?;
            steps.push(step);
            shape = next;
        }
        let flat = numbers("conv_layers", shape)?;
        Ok(Self {
            input: size,
            layers: layers.to_vec(),
            steps,
            head: MlpConfig::new(flat as u64, hidden_sizes, num_labels)?,
        })
    }

    /// Reads the fields of a `config.json` whose length and outer form were checked.
    pub(crate) fn from_object(bytes: &[u8]) -> Result<Self, ModelError> {
        let fields: Fields = crate::config::fields(bytes)?;
        word("model_type", &fields.model_type, MODEL_TYPE)?;
        word("hidden_act", &fields.hidden_act, HIDDEN_ACT)?;
        if let Some(names) = &fields.tensor_names {
            word("tensor_names", names, TENSOR_NAMES)?;
        }
        let input = [
            fields.input_channels,
            fields.input_height,
            fields.input_width,
        ];
        Self::new(
            input,
            &fields.conv_layers,
            &fields.hidden_sizes,
            fields.num_labels,
        )
    }

    /// The canonical `config.json` of these shapes.
    pub fn to_json(&self) -> Vec<u8> {
        let [channels, height, width] = self.input.map(|len| len as u64);
        crate::config::to_json(&Fields {
            model_type: MODEL_TYPE.to_owned(),
            input_channels: channels,
            input_height: height,
            input_width: width,
            conv_layers: self.layers.clone(),
            hidden_sizes: self.head.hidden_sizes().iter().map(|&n| n as u64).collect(),
            num_labels: self.head.num_labels() as u64,
            hidden_act: HIDDEN_ACT.to_owned(),
            tensor_names: Some(TENSOR_NAMES.to_owned()),
        })
    }

    /// Channels, height and width of an image.
    pub const fn input(&self) -> [usize; 3] {
        self.input
    }

    /// The convolutions, from the input on.
    pub fn conv_layers(&self) -> &[ConvLayer] {
        &self.layers
    }

    /// The linear layers behind them.
    pub const fn head(&self) -> &MlpConfig {
        &self.head
    }

    /// Numbers in one example's input.
    pub const fn input_size(&self) -> usize {
        self.input[0] * self.input[1] * self.input[2]
    }

    /// The most numbers of an image, between the layers or before them.
    pub(crate) fn widest_map(&self) -> usize {
        let of_step = |step: &Step| step.channels_out * step.places();
        let maps = self.steps.iter().map(of_step);
        maps.max().unwrap_or(1).max(self.input_size())
    }

    /// The model with these weights. Every parameter exists when this returns; none is drawn later.
    ///
    /// # Errors
    /// [`ModelError`] if the weights are those of another architecture.
    pub fn init<B: Backend>(
        &self,
        weights: &Weights,
        device: &B::Device,
    ) -> Result<Cnn<B>, ModelError> {
        weights.check(self)?;
        let values = |name: String| weights.tensors()[&name].values.clone();
        let layer = |(index, step): (usize, &Step)| {
            let shape = [
                step.channels_out,
                step.channels_in,
                step.kernel,
                step.kernel,
            ];
            let weight = TensorData::new(values(format!("conv.{index}.weight")), shape);
            let bias = TensorData::new(values(format!("conv.{index}.bias")), [step.channels_out]);
            Conv {
                weight: Param::from_tensor(Tensor::from_data(weight, device)),
                bias: Param::from_tensor(Tensor::from_data(bias, device)),
                padding: step.padding,
                pool: step.pool,
            }
        };
        Ok(Cnn {
            conv: self.steps.iter().enumerate().map(layer).collect(),
            head: self.head.init_from(weights, device),
            input: self.input.to_vec(),
        })
    }
}

impl Architecture for CnnConfig {
    /// Weight, bias, convolution by convolution, then those of the linear layers.
    fn tensors(&self) -> Vec<TensorSpec> {
        let of_step = |(index, step): (usize, &Step)| {
            let side = step.kernel;
            let spec = |name: &str, shape| TensorSpec {
                name: format!("conv.{index}.{name}"),
                shape,
                fan_in: step.fan_in(),
            };
            [
                spec(
                    "weight",
                    vec![step.channels_out, step.channels_in, side, side],
                ),
                spec("bias", vec![step.channels_out]),
            ]
        };
        let convolutions = self.steps.iter().enumerate().flat_map(of_step);
        convolutions.chain(self.head.tensors()).collect()
    }

    // No sum overflows: a convolution has fewer than 2^30 · 2^20 weights and 2^30 · 2^20 multiply-adds,
    // because its chain has at most 2^20 · 31² taps and its output at most 2^20 numbers.

    fn parameters(&self) -> u64 {
        let of_step = |step: &Step| (step.fan_in() as u64 + 1) * step.channels_out as u64;
        self.steps.iter().map(of_step).sum::<u64>() + self.head.parameters()
    }

    fn multiply_adds(&self) -> u64 {
        let of_step =
            |step: &Step| step.fan_in() as u64 * step.channels_out as u64 * step.places() as u64;
        self.steps.iter().map(of_step).sum::<u64>() + self.head.multiply_adds()
    }
}

/// One convolution on an image of this shape, and the shape that it gives.
fn follow(
    index: usize,
    [channels, rows, columns]: [usize; 3],
    layer: &ConvLayer,
) -> Result<(Step, [usize; 3]), ModelError> {
    let field = |name: &str| format!("conv_layers/{index}/{name}");
    let within = |name: &str, value: u64, min: u64, max: u64| {
        if (min..=max).contains(&value) {
            Ok(value as usize)
        } else {
            Err(refused(
                &field(name),
                value.to_string(),
                format!("{min} to {max}"),
            ))
        }
    };
    let channels_out = width(&field("channels"), layer.channels, 1)?;
    let kernel = within("kernel", layer.kernel, 1, KERNEL_MAX)?;
    let padding = within("padding", layer.padding, 0, layer.kernel / 2)?;
    let pool = within("pool", layer.pool, 1, KERNEL_MAX)?;
    let padded = rows.min(columns) + 2 * padding;
    within("kernel", layer.kernel, 1, padded as u64)?;
    let unpooled = [rows, columns].map(|len| len + 2 * padding - kernel + 1);
    numbers(&field("channels"), [channels_out, unpooled[0], unpooled[1]])?;
    within("pool", layer.pool, 1, unpooled[0].min(unpooled[1]) as u64)?;
    let step = Step {
        channels_in: channels,
        channels_out,
        kernel,
        padding,
        pool,
        unpooled,
    };
    Ok((step, [channels_out, unpooled[0] / pool, unpooled[1] / pool]))
}

/// The product of the lengths, which has the limit of a layer's width.
fn numbers(field: &str, shape: [usize; 3]) -> Result<usize, ModelError> {
    let product = shape
        .iter()
        .try_fold(1u64, |product, &len| product.checked_mul(len as u64));
    match product {
        Some(product) if product <= WIDTH_MAX => Ok(product as usize),
        _ => Err(refused(
            field,
            format!("part of {shape:?}"),
            format!("so small that these are at most {WIDTH_MAX} numbers"),
        )),
    }
}

fn refused(field: &str, value: String, allowed: String) -> ModelError {
    ModelError::ConfigValue {
        field: field.to_owned(),
        value,
        allowed,
    }
}

/// A convolutional network; [`CnnConfig::init`] makes one from weights.
#[derive(Module, Debug)]
pub struct Cnn<B: Backend> {
    /// The convolutions, from the input on.
    pub conv: Vec<Conv<B>>,
    /// The linear layers behind them.
    pub head: Mlp<B>,
    input: Vec<usize>,
}

/// One convolution.
#[derive(Module, Debug)]
pub struct Conv<B: Backend> {
    /// `[out, in, height, width]`.
    pub weight: Param<Tensor<B, 4>>,
    /// `[out]`.
    pub bias: Param<Tensor<B, 1>>,
    padding: usize,
    pool: usize,
}

impl<B: Backend> Conv<B> {
    /// Convolution, ReLU, max pooling.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, in, rows, columns]`
    /// - output: `[batch, out, rows', columns']`
    pub fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        let options = ConvOptions::new([1, 1], [self.padding; 2], [1, 1], 1);
        let bias = Some(self.bias.val());
        let x = relu(conv2d(input, self.weight.val(), bias, options));
        if self.pool == 1 {
            return x;
        }
        max_pool2d(x, [self.pool; 2], [self.pool; 2], [0, 0], [1, 1], false)
    }
}

impl<B: Backend> Cnn<B> {
    /// The logits, with hidden linear layers computed by `hidden`, as [`Mlp::forward_with`].
    ///
    /// # Shapes
    ///
    /// - input: `[batch, channels · height · width]`
    /// - output: `[batch, num_labels]`
    pub fn forward_with(
        &self,
        input: Tensor<B, 2>,
        hidden: impl FnMut(usize, &Linear<B>, Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let batch = input.dims()[0];
        let mut x = input.reshape([batch, self.input[0], self.input[1], self.input[2]]);
        for layer in &self.conv {
            x = layer.forward(x);
        }
        self.head.forward_with(x.flatten(1, 3), hidden)
    }

    /// The tensors in the layout of `model.safetensors`.
    pub(crate) fn tensors(&self) -> BTreeMap<String, weights::Tensor> {
        let mut tensors = self.head.tensors();
        for (index, layer) in self.conv.iter().enumerate() {
            let tensor = weights::Tensor {
                shape: layer.weight.val().dims().to_vec(),
                values: values(layer.weight.val()),
            };
            tensors.insert(format!("conv.{index}.weight"), tensor);
            let tensor = weights::Tensor {
                shape: layer.bias.val().dims().to_vec(),
                values: values(layer.bias.val()),
            };
            tensors.insert(format!("conv.{index}.bias"), tensor);
        }
        tensors
    }
}

#[cfg(test)]
mod tests {
    use burn::backend::Autodiff;
    use burn_flex::Flex;

    use super::*;
    use crate::architecture::ModelConfig;
    use crate::hidden;

    const GOOD: &str = r#"{"model_type":"cnn","input_channels":1,"input_height":28,"input_width":28,"conv_layers":[{"channels":32,"kernel":3,"padding":1,"pool":2},{"channels":64,"kernel":3,"padding":1,"pool":2}],"hidden_sizes":[128],"num_labels":10,"hidden_act":"relu"}"#;

    fn check(json: &str, expected: Result<(u64, u64), (&str, &str)>) {
        match ModelConfig::from_json(json.as_bytes()) {
            Ok(config) => {
                let counts = (config.parameters(), config.multiply_adds());
                assert_eq!(Ok(counts), expected, "{json}");
                assert_eq!(ModelConfig::from_json(&config.to_json()), Ok(config));
            }
            Err(error) => {
                let place = error.place();
                let found = Err((error.code(), place.as_str()));
                assert_eq!(found, expected, "{json}: {error}");
            }
        }
    }

    #[test]
    fn parameters_and_multiply_adds_follow_from_the_shapes() {
        let parameters = 32 * 10 + 64 * (32 * 9 + 1) + 128 * 3137 + 10 * 129;
        let multiply_adds = 784 * 32 * 9 + 196 * 64 * 288 + 3136 * 128 + 1280;
        assert_eq!(parameters, 421_642);
        check(GOOD, Ok((parameters, multiply_adds)));
    }

    #[test]
    fn every_deviation_has_its_code_and_place() {
        let value = |place| Err(("config_value", place));
        let form = Err(("config_form", "config.json"));
        check(&GOOD.replace("\"pool\":2", "\"pool\":2,\"stride\":2"), form);
        check(&GOOD.replace("\"input_width\":28,", ""), form);
        check(&GOOD.replace("\"kernel\":3,", "\"kernel\":-3,"), form);
        let layer = r#"{"channels":32,"kernel":3,"padding":1,"pool":2}"#;
        assert!(GOOD.contains(layer));
        check(&GOOD.replace(layer, "[32,3,1,2]"), form);
        let null = GOOD.replace("relu\"", "relu\",\"tensor_names\":null");
        assert_ne!(null, GOOD);
        check(&null, form);
        check(
            &GOOD.replace("cnn", "resnet"),
            value("config.json/model_type"),
        );
        check(
            &GOOD.replace("relu", "gelu"),
            value("config.json/hidden_act"),
        );
        for (from, to, place) in [
            ("channels\":1,", "channels\":0,", "input_channels"),
            ("height\":28", "height\":0", "input_height"),
            ("width\":28", "width\":1048577", "input_width"),
            ("width\":28", "width\":1048576", "input_width"),
            ("channels\":32", "channels\":0", "conv_layers/0/channels"),
            ("channels\":32", "channels\":1338", "conv_layers/0/channels"),
            (
                "channels\":32",
                "channels\":18446744073709551615",
                "conv_layers/0/channels",
            ),
            ("kernel\":3", "kernel\":0", "conv_layers/0/kernel"),
            ("kernel\":3", "kernel\":31", "conv_layers/0/kernel"),
            ("kernel\":3", "kernel\":32", "conv_layers/0/kernel"),
            ("padding\":1", "padding\":2", "conv_layers/0/padding"),
            ("pool\":2", "pool\":0", "conv_layers/0/pool"),
            ("pool\":2", "pool\":29", "conv_layers/0/pool"),
            ("num_labels\":10", "num_labels\":0", "num_labels"),
            ("[128]", "[0]", "hidden_sizes/0"),
        ] {
            let json = GOOD.replacen(from, to, 1);
            assert_ne!(json, GOOD, "{from}");
            let place = format!("config.json/{place}");
            check(&json, Err(("config_value", place.as_str())));
        }
        let layer = r#"{"channels":1,"kernel":1,"padding":0,"pool":1}"#;
        for count in [0, CONV_LAYERS_MAX + 1] {
            let list = vec![layer; count].join(",");
            let start = GOOD.find('[').unwrap();
            let end = GOOD.find("],\"hidden").unwrap();
            let json = format!("{}[{list}{}", &GOOD[..start], &GOOD[end..]);
            check(&json, value("config.json/conv_layers"));
        }
    }

    #[test]
    fn a_third_pooling_to_nothing_is_refused_at_its_place() {
        let layer = ConvLayer {
            channels: 2,
            kernel: 3,
            padding: 1,
            pool: 4,
        };
        let error = CnnConfig::new([1, 28, 28], &[layer; 3], &[], 2).unwrap_err();
        assert_eq!(error.place(), "config.json/conv_layers/2/pool");
    }

    #[test]
    fn the_widest_configuration_is_counted_without_overflow() {
        let layer = ConvLayer {
            channels: WIDTH_MAX,
            kernel: 1,
            padding: 0,
            pool: 1,
        };
        let config = CnnConfig::new([WIDTH_MAX, 1, 1], &[layer; CONV_LAYERS_MAX], &[], 2).unwrap();
        assert_eq!(config.multiply_adds(), (32 << 40) + (2 << 20));
        let layer = ConvLayer {
            channels: WIDTH_MAX / 1024,
            kernel: 31,
            padding: 15,
            pool: 1,
        };
        let config =
            CnnConfig::new([1024, 32, 32], &[layer; CONV_LAYERS_MAX], &[WIDTH_MAX], 2).unwrap();
        assert_eq!(
            config.multiply_adds(),
            32 * 1024 * 961 * (1 << 20) + (1 << 40) + (2 << 20)
        );
    }

    fn small() -> (CnnConfig, Weights) {
        let layer = ConvLayer {
            channels: 2,
            kernel: 2,
            padding: 0,
            pool: 2,
        };
        let config = CnnConfig::new([1, 3, 5], &[layer], &[], 2).unwrap();
        let mut values = [
            vec![1.0, 0.0, 0.0, -1.0, 0.0, 0.5, 0.5, 0.0],
            vec![0.0, 1.0],
            vec![1.0, 2.0, 3.0, 4.0, 0.0, 1.0, 0.0, -1.0],
            vec![0.5, -0.5],
        ]
        .into_iter();
        let weights = Weights::generate(&config, |_| values.next().unwrap()).unwrap();
        (config, weights)
    }

    #[test]
    fn a_small_network_gives_the_logits_worked_out_by_hand() {
        let (config, weights) = small();
        let names: Vec<_> = config.tensors().into_iter().map(|spec| spec.name).collect();
        let expected = [
            "conv.0.weight",
            "conv.0.bias",
            "layers.0.weight",
            "layers.0.bias",
        ];
        assert_eq!(names, expected);
        let model: Cnn<Flex> = config.init(&weights, &Default::default()).unwrap();
        // Rows (9 2 3 4 5), (6 1 8 9 10), (11 12 7 14 15).
        let image = [
            9.0f32, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 8.0, 9.0, 10.0, 11.0, 12.0, 7.0, 14.0, 15.0,
        ];
        let x = Tensor::from_data([image], &Default::default());
        // Channel 0, x − (below right): (8 −6 −6 −6), (−6 −6 −6 −6), after ReLU and pooling (8, 0).
        // Channel 1, half of (right + below) + 1: (5 3 7 8), (7 11 9 13), pooled (11, 13).
        let logits: Vec<f32> = model
            .forward_with(x, |_, layer, x| hidden(layer, x))
            .into_data()
            .into_vec()
            .unwrap();
        let first = 8.0 + 3.0 * 11.0 + 4.0 * 13.0 + 0.5;
        assert_eq!(logits, [first, -13.0 - 0.5]);
        assert_eq!(Weights::from_tensors(&config, model.tensors()), Ok(weights));
    }

    #[test]
    fn a_gradient_reaches_every_parameter() {
        type B = Autodiff<Flex>;
        let (config, weights) = small();
        let model: Cnn<B> = config.init(&weights, &Default::default()).unwrap();
        let x = Tensor::from_data([[1.0f32; 15]], &Default::default());
        let grads = model
            .forward_with(x, |_, layer, x| hidden(layer, x))
            .sum()
            .backward();
        assert!(model.conv[0].weight.grad(&grads).is_some());
        assert!(model.conv[0].bias.grad(&grads).is_some());
        assert!(model.head.layers[0].weight.grad(&grads).is_some());
    }
}
