//! Matrix products: chains.

use super::Vector;
use super::inputs::*;
use burn_backend::ops::{FloatTensorOps, ModuleOps};
use repro::linear::LinearActivation;

pub fn push(out: &mut Vec<Vector>) {
    vectors! { out;
        float_matmul(normal(5, [1, 1]), normal(6, [1, 1]));
        float_matmul(normal(5, [2, 0]), normal(6, [0, 3]));
        float_matmul(normal(5, [0, 2]), normal(6, [2, 3]));
        float_matmul(normal(5, [1, 300]), normal(6, [300, 1]));
        float_matmul(normal(5, [1, 7]), normal(6, [7, 67]));
        float_matmul(normal(5, [61, 2]), normal(6, [2, 3]));
        float_matmul(normal(5, [13, 300]), normal(6, [300, 21]));
        float_matmul(normal(5, [13, 4099]), normal(6, [4099, 2]));
        float_matmul(normal(5, [67, 131]), normal(6, [131, 97]));
        float_matmul(normal(5, [3, 17]), normal(6, [17, 129]));
        float_matmul(hard_rows(), swapped(hard_rows(), 0, 1));
        float_matmul(swapped(normal(5, [300, 13]), 0, 1), normal(6, [300, 21]));
        float_matmul(normal(5, [13, 300]), swapped(normal(6, [21, 300]), 0, 1));
        float_matmul(swapped(normal(5, [31, 29]), 0, 1), swapped(normal(6, [37, 31]), 0, 1));
        float_matmul(flipped(normal(5, [9, 31]), [0, 1]), flipped(normal(6, [31, 19]), [1]));
        float_matmul(broadcast(normal(5, [1, 31]), [5, 31]), normal(6, [31, 19]));
        float_matmul(normal(5, [5, 31]), broadcast(normal(6, [31, 1]), [31, 40]));
        float_matmul(cut(normal(5, [20, 40]), [[3, 16], [5, 36]]), cut(normal(6, [40, 50]), [[1, 32], [7, 46]]));
        float_matmul(normal(5, [2, 3, 4, 5]), normal(6, [2, 3, 5, 6]));
        float_matmul(normal(5, [2, 3, 4, 5]), normal(6, [1, 3, 5, 6]));
        float_matmul(normal(5, [2, 1, 4, 5]), normal(6, [1, 3, 5, 6]));
        float_matmul(swapped(normal(5, [2, 4, 3, 8]), 1, 2), swapped(swapped(normal(6, [2, 7, 3, 8]), 1, 2), 2, 3));
        float_matmul(normal(5, [4, 0, 3]), normal(6, [4, 3, 2]));
        linear(normal(5, [13, 300]), normal(7, [300, 21]), Some(normal(8, [21])));
        linear(normal(5, [1, 64]), normal(7, [64, 10]), Some(normal(8, [10])));
        linear(normal(5, [2, 3, 4, 33]), normal(7, [33, 49]), Some(normal(8, [49])));
        linear(normal(5, [3, 33]), normal(7, [33, 5]), None);
        linear(normal(5, [3, 33]), swapped(normal(7, [5, 33]), 0, 1), Some(normal(8, [5])));
        linear(normal(5, [0, 33]), normal(7, [33, 5]), Some(normal(8, [5])));
        linear_relu(normal(5, [13, 300]), normal(7, [300, 21]), Some(normal(8, [21])));
        linear_relu(cut(normal(5, [4, 3, 40]), [[1, 3], [0, 3], [5, 38]]), normal(7, [33, 49]), Some(normal(8, [49])));
        linear_relu(normal(5, [3, 33]), normal(7, [33, 5]), None);
        linear_gelu(normal(5, [13, 300]), normal(7, [300, 21]), Some(normal(8, [21])));
        linear_gelu(normal(5, [2, 3, 33]), normal(7, [33, 49]), Some(normal(8, [49])));
        linear_gelu(normal(5, [3, 33]), normal(7, [33, 5]), None);
        linear_x_backward(normal(7, [33, 5]), normal(9, [3, 4, 5]));
        linear_weight_backward(normal(5, [3, 4, 33]), normal(9, [3, 4, 5]));
        linear_weight_backward(normal(5, [4133, 3]), normal(9, [4133, 5]));
        linear_bias_backward(normal(9, [3, 4, 5]));
        linear_bias_backward(normal(9, [4133, 5]));
    }
}
