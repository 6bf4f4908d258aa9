//! Activations, and the softmax along an axis.

use super::Vector;
use super::inputs::*;
use burn_backend::ops::ActivationOps;

pub fn push(out: &mut Vec<Vector>) {
    vectors! { out;
        relu(hard());
        relu(normal(15, [2, 53]));
        relu_backward(hard(), normal(16, [85]));
        gelu(hard());
        gelu(normal(15, [1009]));
        gelu_backward(hard(), normal(16, [85]));
        gelu_backward(normal(15, [1009]), normal(16, [1009]));
        sigmoid(hard());
        sigmoid(normal(15, [1009]));
        sigmoid_backward(positive(15, [53]), normal(16, [53]));
        log_sigmoid(hard());
        log_sigmoid(normal(15, [1009]));
        log_sigmoid_backward(hard(), normal(16, [85]));
        leaky_relu(hard(), scalar(0.01));
        prelu(normal(15, [2, 53]), normal(16, [1, 53]));
        hard_sigmoid(hard(), scalar(0.2), scalar(0.5));
        softmax(hard_rows(), 1);
        softmax(normal(15, [3, 1]), 1);
        softmax(normal(15, [3, 5, 7]), 1);
        softmax(normal(15, [2, 4099]), 1);
        softmax(swapped(normal(15, [33, 5]), 0, 1), 1);
        log_softmax(hard_rows(), 1);
        log_softmax(normal(15, [3, 5, 7]), 0);
        log_softmax(normal(15, [2, 4099]), 1);
        softmin(normal(15, [3, 5, 7]), 2);
    }
}
