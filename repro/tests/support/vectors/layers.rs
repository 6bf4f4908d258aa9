//! Layers that are not convolutions: embedding, norms, and the compositions of burn-nn around them.

use super::Vector;
use super::inputs::*;
use burn_backend::ops::ModuleOps;

pub fn push(out: &mut Vec<Vector>) {
    attentions(out);
    vectors! { out;
        embedding(normal(13, [5, 4]), ints(&[4, 0, 4], [1, 3]));
        embedding(normal(13, [11, 3]), whole(14, [2, 7], 11));
        embedding_backward(normal(13, [5, 4]), normal(14, [1, 3, 4]), ints(&[4, 0, 4], [1, 3]));
        embedding_backward(normal(13, [11, 3]), normal(14, [5, 40, 3]), whole(14, [5, 40], 11));
        layer_norm(normal(18, [3, 16]), normal(19, [16]), Some(normal(20, [16])), 1e-5);
        layer_norm(normal(18, [2, 5, 384]), normal(19, [384]), Some(normal(20, [384])), 1e-12);
        layer_norm(swapped(normal(18, [33, 5]), 0, 1), normal(19, [33]), Some(normal(20, [33])), 1e-5);
        layer_norm(normal(18, [2, 4099]), normal(19, [4099]), Some(normal(20, [4099])), 1e-5);
        layer_norm(normal(18, [3, 1]), normal(19, [1]), Some(normal(20, [1])), 1e-5);
        layer_norm(normal(18, [3, 17]), normal(19, [17]), None, 1e-5);
    }
}

fn attentions(out: &mut Vec<Vector>) {
    vectors! { out;
        attention(normal(60, [1, 1, 1, 1]), normal(61, [1, 1, 1, 1]), normal(62, [1, 1, 1, 1]), None, None, options(None, None, false));
        attention(normal(60, [2, 3, 5, 8]), normal(61, [2, 3, 7, 8]), normal(62, [2, 3, 7, 6]), None, None, options(None, None, false));
        attention(normal(60, [2, 3, 67, 33]), normal(61, [2, 3, 67, 33]), normal(62, [2, 3, 67, 33]), None, None, options(None, None, true));
        attention(normal(60, [2, 3, 5, 8]), normal(61, [2, 3, 7, 8]), normal(62, [2, 3, 7, 6]), Some(mask(63, [2, 3, 5, 7])), None, options(Some(0.3), None, false));
        attention(normal(60, [2, 3, 5, 8]), normal(61, [2, 3, 7, 8]), normal(62, [2, 3, 7, 6]), Some(mask(63, [2, 1, 1, 7])), Some(normal(64, [1, 3, 5, 7])), options(None, Some(2.0), true));
        attention(normal(60, [1, 1, 4, 2]), normal(61, [1, 1, 3, 2]), normal(62, [1, 1, 3, 2]), None, None, options(None, None, true));
        attention(normal(60, [2, 6, 5, 8]), normal(61, [2, 2, 7, 8]), normal(62, [2, 2, 7, 6]), None, None, options(None, None, true));
        attention(normal(60, [2, 3, 5, 8]), normal(61, [2, 1, 7, 8]), normal(62, [2, 1, 7, 6]), Some(mask(63, [2, 3, 5, 7])), None, options(None, None, false));
        attention(swapped(normal(60, [2, 5, 3, 8]), 1, 2), swapped(normal(61, [2, 7, 3, 8]), 1, 2), swapped(normal(62, [2, 7, 3, 8]), 1, 2), None, None, options(None, None, false));
    }
}
