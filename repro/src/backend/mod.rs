//! The burn backend: each trait of `burn-backend`, one file a trait, thin over the kernels.
//!
//! A method is one of four kinds, and `ops.txt` beside the manifest says which: *own* (ours, because it
//! rounds or because a tie needs a rule), *delegate* (burn-flex moves or compares numbers and cannot round), *default*
//! (burn's default is composed of our operations, and that composition is the definition), *refuse*. A test
//! holds the table against this code and against burn's source.
//!
//! The tensors are burn-flex's: shared storage with copy-on-write and signed strides. Floats are binary32
//! only; a float tensor of another type cannot be made here.

mod activation;
mod bool_tensor;
mod float;
mod int;
mod module;
mod quantized;
mod storage;

use crate::kernels::copy::{Pack, packed};
use crate::kernels::elementary::{Function, apply};
use crate::kernels::elementwise;
use crate::kernels::mask::Mask;
use crate::kernels::paths::Settings;
use crate::kernels::product::Matrix;
use crate::kernels::stretches::{copied, in_place};
use crate::kernels::view::{View, elements, is_row_major};
use burn_backend::ops::TransactionOps;
use burn_backend::{
    Backend, BackendTypes, Bytes, DType, DTypeUsage, DTypeUsageSet, DeviceId, DeviceOps, IntDType,
    Shape,
};
use burn_flex::{Flex, FlexDevice, FlexQTensor, FlexTensor, Layout};
use burn_std::BoolStore;
pub(crate) use module::linear_finished;
use storage::Storage;

/// The reproducible backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repro;

/// The processor. A type of its own, so that burn's per-device settings cannot come from another backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReproDevice;

impl burn_backend::Device for ReproDevice {
    fn to_id(&self) -> DeviceId {
        DeviceId::new(0, 0)
    }

    fn from_id(_id: DeviceId) -> Self {
        Self
    }
}

impl DeviceOps for ReproDevice {}

impl std::fmt::Display for ReproDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("repro")
    }
}

impl BackendTypes for Repro {
    type Device = ReproDevice;
    type FloatTensorPrimitive = FlexTensor;
    type FloatElem = f32;
    type IntTensorPrimitive = FlexTensor;
    type IntElem = i32;
    type BoolTensorPrimitive = FlexTensor;
    type BoolElem = bool;
    type QuantizedTensorPrimitive = FlexQTensor;
}

impl Backend for Repro {
    fn name(_device: &ReproDevice) -> String {
        "repro".into()
    }

    fn device_count(_type_id: u16) -> usize {
        1
    }

    fn dtype_usage(_device: &ReproDevice, dtype: DType) -> DTypeUsageSet {
        match dtype {
            DType::F32 => DTypeUsage::Storage | DTypeUsage::Arithmetic,
            DType::F64 | DType::F16 | DType::BF16 | DType::QFloat(_) => DTypeUsageSet::empty(),
            other => Flex::dtype_usage(&FlexDevice, other),
        }
    }

    fn seed(_device: &ReproDevice, _seed: u64) {
        refuse("seed (one seed for the process; use repro::random::scope)")
    }
}

impl TransactionOps<Repro> for Repro {}

/// Refuses an operation that version 1 does not define.
#[cold]
fn refuse(operation: &str) -> ! {
    panic!(
        "repro: {operation} is outside the reproducible arithmetic, version {}",
        crate::VERSION
    )
}

/// Refuses any float type but binary32.
fn assert_f32(operation: &str, dtype: impl Into<DType>) {
    let dtype = dtype.into();
    if dtype != DType::F32 {
        refuse(&format!("{operation} with {dtype:?} instead of F32"));
    }
}

/// How the kernels see a float tensor.
pub(crate) fn view(tensor: &FlexTensor) -> View<'_> {
    let layout = tensor.layout();
    View {
        data: tensor.storage(),
        shape: &layout.shape()[..],
        strides: layout.strides(),
        offset: layout.start_offset(),
    }
}

/// How the kernels see a mask.
fn mask(tensor: &FlexTensor) -> Mask<'_> {
    let layout = tensor.layout();
    if !matches!(
        tensor.dtype(),
        DType::Bool(BoolStore::Native | BoolStore::U8)
    ) {
        refuse(&format!("a mask of {:?}", tensor.dtype()));
    }
    Mask {
        data: tensor.bytes(),
        shape: &layout.shape()[..],
        strides: layout.strides(),
        offset: layout.start_offset(),
    }
}

/// A float tensor of rank two as a matrix.
pub(crate) fn matrix(tensor: &FlexTensor) -> Matrix<'_> {
    let layout = tensor.layout();
    let (shape, strides) = (layout.shape(), layout.strides());
    debug_assert_eq!(shape.num_dims(), 2);
    Matrix {
        data: tensor.storage(),
        offset: layout.start_offset(),
        rows: shape[0],
        columns: shape[1],
        row_stride: strides[0],
        column_stride: strides[1],
    }
}

/// The tensor with all axes but the last flattened into one; where its rows are equally far from each other, as in some
/// columns of a larger tensor or in one that is turned around, without a copy.
fn flattened(tensor: FlexTensor) -> FlexTensor {
    let layout = tensor.layout();
    let (shape, strides) = (layout.shape(), layout.strides());
    if shape.num_dims() == 2 {
        return tensor;
    }
    let last = shape.num_dims() - 1;
    let rows = elements(&shape[..last]);
    let flat = Shape::new([rows, shape[last]]);
    // Axes of one element go anywhere; each other must be as far as the next one is long.
    let mut axes = (0..last).filter(|&axis| shape[axis] != 1);
    let Some(mut outer) = axes.next() else {
        return tensor.reshape(flat);
    };
    for inner in axes {
        if strides[outer] != strides[inner] * shape[inner] as isize {
            return tensor.reshape(flat);
        }
        outer = inner;
    }
    let layout = Layout::new(
        flat,
        vec![strides[outer], strides[last]],
        layout.start_offset(),
    );
    tensor.with_layout(layout)
}

/// A new float tensor.
pub(crate) fn float_tensor(data: impl Storage, shape: Shape) -> FlexTensor {
    let bytes = data.into_bytes();
    assert_eq!(
        bytes.len(),
        elements(&shape[..]) * size_of::<f32>(),
        "repro: the shape {shape:?} does not describe the numbers"
    );
    FlexTensor::new(bytes, Layout::contiguous(shape), DType::F32)
}

/// A new int tensor of this type.
fn int_tensor(data: Vec<i64>, shape: Shape, dtype: IntDType) -> FlexTensor {
    use burn_backend::ops::IntTensorOps;
    let wide = FlexTensor::new(
        Bytes::from_elems(data),
        Layout::contiguous(shape),
        DType::I64,
    );
    Flex::int_cast(wide, dtype)
}

/// The numbers of an int tensor of any type, in row-major order.
pub(crate) fn indices(tensor: FlexTensor) -> Vec<i64> {
    use burn_backend::ops::IntTensorOps;
    let wide = Flex::int_cast(tensor, IntDType::I64).to_contiguous();
    wide.storage::<i64>().to_vec()
}

/// The shape with one axis of another length.
fn resized(shape: &Shape, axis: usize, len: usize) -> Shape {
    let mut lengths = shape[..].to_vec();
    lengths[axis] = len;
    Shape::from(lengths)
}

/// The numbers, if the tensor is their only owner and covers its storage exactly and in row-major order: then
/// an operation may write over them.
fn sole_numbers(tensor: &mut FlexTensor) -> Option<&mut [f32]> {
    let layout = tensor.layout();
    let covers = layout.start_offset() == 0
        && is_row_major(&layout.shape()[..], layout.strides())
        && tensor.storage::<f32>().len() == layout.num_elements();
    if covers {
        tensor.try_storage_mut()
    } else {
        None
    }
}

/// The numbers of a float tensor in row-major order, in memory that nobody else reads: the tensor's own where it is its
/// only owner, else a copy.
pub(crate) fn own_numbers(tensor: &mut FlexTensor) -> &mut [f32] {
    if sole_numbers(tensor).is_none() {
        let numbers = view(tensor).packed().into_numbers();
        *tensor = float_tensor(numbers, tensor.layout().shape().clone());
    }
    sole_numbers(tensor).expect("a new tensor has one owner")
}

/// Applies `f` to all the numbers in row-major order: in place where possible, else on a copy.
fn change(mut tensor: FlexTensor, f: impl FnOnce(&mut [f32])) -> FlexTensor {
    f(own_numbers(&mut tensor));
    tensor
}

/// Applies `f` to stretches of the numbers in row-major order, each whole units long, on several threads if there are
/// many; `f` costs so many simple operations a number. In place where possible, else on a copy.
fn transform(
    tensor: FlexTensor,
    unit: usize,
    cost: usize,
    f: impl Fn(Settings, &mut [f32]) + Sync,
) -> FlexTensor {
    transform_at(tensor, unit, cost, |settings, _, part| f(settings, part))
}

/// [`transform`] by something that must know where a stretch begins.
fn transform_at(
    mut tensor: FlexTensor,
    unit: usize,
    cost: usize,
    f: impl Fn(Settings, usize, &mut [f32]) + Sync,
) -> FlexTensor {
    let settings = Settings::current();
    let f = |start: usize, part: &mut [f32]| f(settings, start, part);
    if let Some(numbers) = sole_numbers(&mut tensor) {
        in_place(settings, numbers, unit, cost, f);
        return tensor;
    }
    let numbers = match packed(settings, &view(&tensor)) {
        Pack::Borrowed(numbers) => copied(settings, numbers, unit, cost, f),
        Pack::Copied(mut numbers) => {
            in_place(settings, &mut numbers, unit, cost, f);
            numbers
        }
    };
    let shape = tensor.layout().shape().clone();
    float_tensor(numbers, shape)
}

/// Applies `f` to each number.
fn map(tensor: FlexTensor, f: impl Fn(f32) -> f32 + Copy + Sync) -> FlexTensor {
    transform(tensor, 1, 1, |settings, part| {
        elementwise::map_into(settings, part, f);
    })
}

/// Whether the second tensor broadcasts to the shape of the first.
fn takes(to: &FlexTensor, from: &FlexTensor) -> bool {
    let (to, from) = (to.layout().shape(), from.layout().shape());
    to.num_dims() == from.num_dims()
        && (0..to.num_dims()).all(|axis| from[axis] == to[axis] || from[axis] == 1)
}

/// Applies `f` to each pair of numbers, broadcasting; over an operand's memory where possible.
fn zip(
    mut lhs: FlexTensor,
    mut rhs: FlexTensor,
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> FlexTensor {
    let settings = Settings::current();
    if takes(&lhs, &rhs) {
        let shape = lhs.layout().shape().clone();
        if let Some(left) = sole_numbers(&mut lhs) {
            elementwise::zip_into(settings, left, &shape[..], view(&rhs), f);
            return lhs;
        }
    }
    if takes(&rhs, &lhs) {
        let shape = rhs.layout().shape().clone();
        if let Some(right) = sole_numbers(&mut rhs) {
            elementwise::zip_into(settings, right, &shape[..], view(&lhs), |y, x| f(x, y));
            return rhs;
        }
    }
    let (left, right) = (view(&lhs), view(&rhs));
    if left.shape == right.shape
        && let (Some(x), Some(y)) = (left.row(), right.row())
    {
        let numbers = elementwise::zip_rows(settings, x, y, f);
        return float_tensor(numbers, lhs.layout().shape().clone());
    }
    let (data, shape) = elementwise::zip(settings, left, right, f);
    float_tensor(data, Shape::from(shape))
}

/// The function of each number.
fn elementary(tensor: FlexTensor, function: Function) -> FlexTensor {
    transform(tensor, 1, 4, |settings, part| {
        apply(settings.path, function, part);
    })
}
