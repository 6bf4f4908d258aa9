//! Quantised tensors: none can be made, so burn's defaults for them are never reached.

use super::{Repro, ReproDevice, refuse};
use burn_backend::ops::QTensorOps;
use burn_backend::quantization::{QuantScheme, QuantizationParametersPrimitive};
use burn_backend::{ExecutionError, FloatDType, Shape, Slice, TensorData};
use burn_flex::{FlexQTensor, FlexTensor};

impl QTensorOps<Repro> for Repro {
    fn q_from_data(_data: TensorData, _device: &ReproDevice) -> FlexQTensor {
        refuse("q_from_data")
    }

    fn quantize(
        _tensor: FlexTensor,
        _scheme: &QuantScheme,
        _qparams: QuantizationParametersPrimitive<Repro>,
    ) -> FlexQTensor {
        refuse("quantize")
    }

    fn quantize_dynamic(_tensor: FlexTensor, _scheme: &QuantScheme) -> FlexQTensor {
        refuse("quantize_dynamic")
    }

    fn dequantize(_tensor: FlexQTensor, _dtype: FloatDType) -> FlexTensor {
        refuse("dequantize")
    }

    fn q_device(_tensor: &FlexQTensor) -> ReproDevice {
        refuse("q_device")
    }

    fn q_to_device(_tensor: FlexQTensor, _device: &ReproDevice) -> FlexQTensor {
        refuse("q_to_device")
    }

    fn q_reshape(_tensor: FlexQTensor, _shape: Shape) -> FlexQTensor {
        refuse("q_reshape")
    }

    async fn q_into_data(_tensor: FlexQTensor) -> Result<TensorData, ExecutionError> {
        refuse("q_into_data")
    }

    fn q_expand(_tensor: FlexQTensor, _shape: Shape) -> FlexQTensor {
        refuse("q_expand")
    }

    fn q_swap_dims(_tensor: FlexQTensor, _dim1: usize, _dim2: usize) -> FlexQTensor {
        refuse("q_swap_dims")
    }

    fn q_permute(_tensor: FlexQTensor, _axes: &[usize]) -> FlexQTensor {
        refuse("q_permute")
    }

    fn q_flip(_tensor: FlexQTensor, _axes: &[usize]) -> FlexQTensor {
        refuse("q_flip")
    }

    fn q_select(_tensor: FlexQTensor, _dim: usize, _indices: FlexTensor) -> FlexQTensor {
        refuse("q_select")
    }

    fn q_slice(_tensor: FlexQTensor, _slices: &[Slice]) -> FlexQTensor {
        refuse("q_slice")
    }
}
