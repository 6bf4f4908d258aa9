//! Sums and means along axes, and what adds in the order of its source.

use super::Vector;
use super::inputs::*;
use burn_backend::ops::FloatTensorOps;

pub fn push(out: &mut Vec<Vector>) {
    vectors! { out;
        float_sum(hard_rows());
        float_sum(normal(9, [0]));
        float_sum(normal(9, [1]));
        float_sum(normal(9, [17]));
        float_sum(normal(9, [4096]));
        float_sum(normal(9, [4097]));
        float_sum(normal(9, [3, 5000]));
        float_sum(normal(9, [70001]));
        float_sum(swapped(normal(9, [31, 37]), 0, 1));
        float_sum(flipped(normal(9, [31, 37]), [0, 1]));
        float_sum(broadcast(normal(9, [31, 1]), [31, 37]));
        float_sum_dim(normal(9, [3, 5000]), 0);
        float_sum_dim(normal(9, [3, 5000]), 1);
        float_sum_dim(normal(9, [5000, 3]), 0);
        float_sum_dim(normal(9, [7, 67, 5]), 1);
        float_sum_dim(normal(9, [2, 4099, 3]), 1);
        float_sum_dim(swapped(normal(9, [3, 5000]), 0, 1), 0);
        float_sum_dim(normal(9, [3, 0]), 1);
        float_sum_dim(normal(9, [0, 3]), 0);
        float_mean(normal(9, [3, 5000]));
        float_mean(normal(9, [1]));
        float_mean_dim(normal(9, [3, 5000]), 1);
        float_mean_dim(normal(9, [7, 67, 5]), 1);
        float_mean_dim(normal(9, [384, 3]), 0);
        float_prod(normal(9, [37]));
        float_prod(hard_rows());
        float_prod_dim(normal(9, [3, 5, 7]), 1);
        float_prod_dim(normal(9, [3, 0]), 1);
        float_cumsum(normal(9, [5003]), 0);
        float_cumsum(normal(9, [3, 50, 7]), 1);
        float_cumsum(swapped(normal(9, [50, 3]), 0, 1), 1);
        float_cumsum(normal(9, [3, 0]), 1);
        float_cumprod(normal(9, [3, 50]), 1);
        float_cumprod(normal(9, [50, 3]), 0);
        float_cummin(rounded(9, [3, 50]), 1);
        float_cummin(hard(), 0);
        float_cummax(rounded(9, [50, 3]), 0);
        float_cummax(hard(), 0);
        float_scatter_add(1, normal(11, [2, 4]), ints(&[0, 2, 2, 1, 1, 1], [2, 3]), normal(10, [2, 3]));
        float_scatter_add(0, normal(11, [5, 3]), whole(10, [40, 3], 5), normal(12, [40, 3]));
        float_scatter_add(1, normal(11, [2, 3, 4]), whole(10, [2, 7, 4], 3), normal(12, [2, 7, 4]));
        float_select_add(normal(11, [4, 2]), 0, ints(&[3, 0, 3], [3]), normal(12, [3, 2]));
        float_select_add(normal(11, [3, 5, 2]), 1, whole(10, [40], 5), normal(12, [3, 40, 2]));
    }
}
