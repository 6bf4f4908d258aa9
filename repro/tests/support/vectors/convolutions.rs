//! Convolution and pooling, with their gradients.

use super::Vector;
use super::inputs::*;
use burn_backend::ops::{ConvOptions, ModuleOps};

pub fn push(out: &mut Vec<Vector>) {
    two_axes(out);
    pooling(out);
}

fn two_axes(out: &mut Vec<Vector>) {
    vectors! { out;
        conv2d(normal(30, [2, 3, 9, 11]), normal(31, [7, 3, 3, 3]), Some(normal(32, [7])), ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        conv2d(normal(30, [2, 3, 9, 11]), normal(31, [7, 3, 3, 3]), None, ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv2d(normal(30, [1, 1, 1, 1]), normal(31, [1, 1, 1, 1]), None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
        conv2d(swapped(normal(30, [2, 9, 3, 11]), 1, 2), normal(31, [5, 3, 1, 1]), None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
        conv2d_x_backward(normal(30, [2, 3, 9, 11]), normal(31, [7, 3, 3, 3]), normal(33, [2, 7, 9, 11]), ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        conv2d_x_backward(normal(30, [2, 3, 9, 11]), normal(31, [7, 3, 3, 3]), normal(33, [2, 7, 6, 3]), ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv2d_weight_backward(normal(30, [2, 3, 9, 11]), normal(31, [7, 3, 3, 3]), normal(33, [2, 7, 9, 11]), ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        conv2d_weight_backward(normal(30, [2, 3, 9, 11]), normal(31, [7, 3, 3, 3]), normal(33, [2, 7, 6, 3]), ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv2d_bias_backward(normal(30, [2, 3, 9, 11]), normal(32, [7]), normal(33, [2, 7, 9, 11]));
        conv2d_bias_backward(normal(30, [5, 1, 30, 30]), normal(32, [2]), normal(33, [5, 2, 30, 30]));
    }
}

fn pooling(out: &mut Vec<Vector>) {
    vectors! { out;
        max_pool2d(rounded(33, [2, 3, 8, 9]), [3, 2], [2, 1], [1, 0], [1, 1], false);
        max_pool2d(normal(33, [1, 1, 1, 1]), [1, 1], [1, 1], [0, 0], [1, 1], false);
        max_pool2d_with_indices(rounded(33, [2, 3, 8, 9]), [2, 2], [2, 2], [0, 0], [1, 1], false);
        max_pool2d_with_indices(rounded(33, [2, 3, 8, 9]), [3, 2], [2, 1], [1, 0], [1, 1], false);
        max_pool2d_with_indices_backward(rounded(33, [1, 2, 4, 4]), [2, 2], [1, 1], [0, 0], [1, 1], false, normal(34, [1, 2, 3, 3]), whole(35, [1, 2, 3, 3], 16));
        avg_pool2d(normal(33, [2, 3, 8, 9]), [3, 2], [2, 1], [1, 1], true, false);
        avg_pool2d(normal(33, [2, 3, 8, 9]), [3, 3], [2, 2], [1, 1], false, false);
        avg_pool2d_backward(normal(33, [2, 3, 8, 9]), normal(34, [2, 3, 4, 10]), [3, 2], [2, 1], [1, 1], true, false);
        avg_pool2d_backward(normal(33, [2, 3, 8, 9]), normal(34, [2, 3, 4, 5]), [3, 3], [2, 2], [1, 1], false, false);
    }
}
