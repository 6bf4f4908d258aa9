//! Layers that are not convolutions: embedding, norms, and the compositions of burn-nn around them.

use super::Vector;
use super::inputs::*;
use burn_backend::ops::ModuleOps;

pub fn push(out: &mut Vec<Vector>) {
    vectors! { out;
        embedding(normal(13, [5, 4]), ints(&[4, 0, 4], [1, 3]));
        embedding(normal(13, [11, 3]), whole(14, [2, 7], 11));
        embedding_backward(normal(13, [5, 4]), normal(14, [1, 3, 4]), ints(&[4, 0, 4], [1, 3]));
        embedding_backward(normal(13, [11, 3]), normal(14, [5, 40, 3]), whole(14, [5, 40], 11));
        layer_norm(normal(18, [3, 16]), normal(19, [16]), Some(normal(20, [16])), 1e-5);
        layer_norm(normal(18, [2, 5, 384]), normal(19, [384]), Some(normal(20, [384])), 1e-12);
        layer_norm(normal(18, [3, 17]), normal(19, [17]), None, 1e-5);
    }
}
