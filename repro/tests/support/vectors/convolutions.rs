//! Convolution and pooling, with their gradients.

use super::Vector;
use super::inputs::*;
use burn_backend::ops::{ConvOptions, ConvTransposeOptions, ModuleOps, UnfoldOptions};

pub fn push(out: &mut Vec<Vector>) {
    two_axes(out);
    groups_and_dilation(out);
    one_axis(out);
    transposed(out);
    pooling(out);
    pooling_of_every_kind(out);
    absent_taps(out);
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

fn groups_and_dilation(out: &mut Vec<Vector>) {
    vectors! { out;
        conv2d(normal(30, [2, 6, 9, 11]), normal(31, [4, 3, 3, 2]), Some(normal(32, [4])), ConvOptions::new([1, 2], [2, 1], [2, 3], 2));
        conv2d(normal(30, [3, 17, 5, 4]), normal(31, [17, 1, 3, 3]), None, ConvOptions::new([1, 1], [1, 1], [1, 1], 17));
        conv2d(normal(30, [37, 3, 2, 2]), normal(31, [40, 3, 3, 3]), None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        conv2d_x_backward(normal(30, [2, 6, 9, 11]), normal(31, [4, 3, 3, 2]), normal(33, [2, 4, 9, 5]), ConvOptions::new([1, 2], [2, 1], [2, 3], 2));
        conv2d_weight_backward(normal(30, [2, 6, 9, 11]), normal(31, [4, 3, 3, 2]), normal(33, [2, 4, 9, 5]), ConvOptions::new([1, 2], [2, 1], [2, 3], 2));
        conv2d_weight_backward(normal(30, [3, 17, 5, 4]), normal(31, [17, 1, 3, 3]), normal(33, [3, 17, 5, 4]), ConvOptions::new([1, 1], [1, 1], [1, 1], 17));
        conv2d_weight_backward(normal(30, [3, 2, 5, 4]), normal(31, [37, 2, 3, 3]), normal(33, [3, 37, 5, 4]), ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        conv2d_weight_backward(normal(30, [3, 37, 5, 4]), normal(31, [2, 37, 3, 3]), normal(33, [3, 2, 5, 4]), ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
    }
}

fn one_axis(out: &mut Vec<Vector>) {
    vectors! { out;
        conv1d(normal(30, [2, 6, 23]), normal(31, [4, 3, 3]), Some(normal(32, [4])), ConvOptions::new([2], [3], [2], 2));
        conv1d_x_backward(normal(30, [2, 6, 23]), normal(31, [4, 3, 3]), normal(33, [2, 4, 13]), ConvOptions::new([2], [3], [2], 2));
        conv1d_weight_backward(normal(30, [2, 6, 23]), normal(31, [4, 3, 3]), normal(33, [2, 4, 13]), ConvOptions::new([2], [3], [2], 2));
        conv1d_bias_backward(normal(30, [2, 6, 23]), normal(32, [4]), normal(33, [2, 4, 13]));
        conv_transpose1d(normal(30, [2, 4, 13]), normal(31, [4, 3, 3]), Some(normal(32, [6])), ConvTransposeOptions::new([2], [3], [1], [2], 2));
        conv_transpose1d_x_backward(normal(31, [4, 3, 3]), normal(33, [2, 6, 24]), ConvTransposeOptions::new([2], [3], [1], [2], 2));
        conv_transpose1d_weight_backward(normal(30, [2, 4, 13]), normal(31, [4, 3, 3]), normal(33, [2, 6, 24]), ConvTransposeOptions::new([2], [3], [1], [2], 2));
        conv_transpose1d_bias_backward(normal(30, [2, 4, 13]), normal(32, [6]), normal(33, [2, 6, 24]));
    }
}

fn transposed(out: &mut Vec<Vector>) {
    vectors! { out;
        conv_transpose2d(normal(30, [2, 4, 5, 6]), normal(31, [4, 3, 3, 2]), Some(normal(32, [6])), ConvTransposeOptions::new([2, 3], [1, 0], [1, 2], [1, 2], 2));
        conv_transpose2d(normal(30, [1, 1, 1, 1]), normal(31, [1, 1, 1, 1]), None, ConvTransposeOptions::new([1, 1], [0, 0], [0, 0], [1, 1], 1));
        conv_transpose2d_x_backward(normal(31, [4, 3, 3, 2]), normal(33, [2, 6, 10, 20]), ConvTransposeOptions::new([2, 3], [1, 0], [1, 2], [1, 2], 2));
        conv_transpose2d_weight_backward(normal(30, [2, 4, 5, 6]), normal(31, [4, 3, 3, 2]), normal(33, [2, 6, 10, 20]), ConvTransposeOptions::new([2, 3], [1, 0], [1, 2], [1, 2], 2));
        conv_transpose2d_bias_backward(normal(30, [2, 4, 5, 6]), normal(32, [6]), normal(33, [2, 6, 10, 20]));
    }
}

fn pooling_of_every_kind(out: &mut Vec<Vector>) {
    vectors! { out;
        max_pool2d(rounded(33, [2, 3, 8, 19]), [3, 2], [2, 2], [1, 1], [2, 3], true);
        max_pool2d_with_indices_backward(rounded(33, [1, 2, 4, 9]), [2, 2], [2, 2], [0, 0], [1, 1], false, normal(34, [1, 2, 2, 4]), whole(35, [1, 2, 2, 4], 36));
        max_pool1d(rounded(33, [2, 3, 19]), 3, 2, 1, 2, true);
        max_pool1d_with_indices(rounded(33, [2, 3, 19]), 3, 1, 1, 1, false);
        max_pool1d_with_indices_backward(rounded(33, [2, 1, 9]), 2, 2, 0, 1, false, normal(34, [2, 1, 4]), whole(35, [2, 1, 4], 9));
        avg_pool2d(normal(33, [2, 3, 8, 20]), [2, 2], [2, 2], [0, 0], false, false);
        avg_pool2d(normal(33, [2, 3, 8, 20]), [3, 3], [2, 2], [1, 1], true, true);
        avg_pool1d(normal(33, [2, 3, 23]), 4, 3, 2, true, true);
        avg_pool1d_backward(normal(33, [2, 3, 23]), normal(34, [2, 3, 9]), 4, 3, 2, true, true);
        adaptive_avg_pool1d(normal(33, [2, 3, 23]), 5);
        adaptive_avg_pool1d_backward(normal(33, [2, 3, 23]), normal(34, [2, 3, 5]));
        adaptive_avg_pool2d(normal(33, [2, 3, 7, 11]), [3, 4]);
        adaptive_avg_pool2d(normal(33, [1, 2, 70, 80]), [1, 1]);
        adaptive_avg_pool2d_backward(normal(33, [2, 3, 7, 11]), normal(34, [2, 3, 3, 4]));
    }
}

/// A tap that meets no input stays in the chain: infinities, NaNs and zeros tell.
fn absent_taps(out: &mut Vec<Vector>) {
    vectors! { out;
        conv2d(normal(30, [2, 3, 9, 11]), recip(rounded(31, [7, 3, 3, 3])), None, ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv2d(rounded(30, [2, 1, 9, 11]), rounded(31, [7, 1, 3, 3]), None, ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv2d(reshaped(cut(hard(), [[0, 84]]), [1, 1, 7, 12]), normal(31, [2, 1, 3, 3]), None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1));
        conv2d_x_backward(normal(30, [2, 3, 9, 11]), recip(rounded(31, [7, 3, 3, 3])), normal(33, [2, 7, 6, 3]), ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv2d_x_backward(rounded(30, [2, 3, 9, 11]), rounded(31, [7, 3, 3, 3]), rounded(33, [2, 7, 6, 3]), ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv2d_weight_backward(rounded(30, [2, 3, 9, 11]), rounded(31, [7, 3, 3, 3]), recip(rounded(33, [2, 7, 6, 3])), ConvOptions::new([2, 3], [2, 0], [1, 1], 1));
        conv_transpose2d(rounded(30, [2, 4, 5, 6]), recip(rounded(31, [4, 3, 3, 2])), None, ConvTransposeOptions::new([2, 3], [1, 0], [1, 2], [1, 2], 2));
        unfold4d(recip(rounded(30, [2, 3, 9, 11])), [3, 2], UnfoldOptions::new([2, 3], [0, 0], [1, 1]));
        unfold4d(rounded(30, [2, 3, 9, 11]), [3, 2], UnfoldOptions::new([2, 3], [1, 0], [1, 2]));
        adaptive_avg_pool2d(normal(33, [1, 2, 3, 2]), [5, 7]);
    }
}
