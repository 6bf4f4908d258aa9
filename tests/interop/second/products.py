"""Chains: products of matrices, linear maps and convolutions."""

from dataclasses import dataclass

import numpy as np

from binary32 import F32, fma
from reductions import sum_last


def matmul(a, b):
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    acc = np.zeros(batch + (a.shape[-2], b.shape[-1]), F32)
    a, b = a.astype(np.float64), b.astype(np.float64)
    for i in range(a.shape[-1]):
        acc = fma(a[..., :, i, None], b[..., None, i, :], acc)
    return acc


def rows(x):
    return x.reshape(int(np.prod(x.shape[:-1])), x.shape[-1])


def linear(x, weight, bias=None):
    y = matmul(rows(x), weight).reshape(*x.shape[:-1], weight.shape[1])
    return y if bias is None else y + bias


def linear_x_backward(weight, grad):
    return linear(grad, weight.T)


def linear_weight_backward(x, grad):
    return matmul(rows(x).T, rows(grad))


def linear_bias_backward(grad):
    return sum_last(rows(grad).T)


@dataclass
class ConvOptions:
    """Numbers for each axis, and the groups."""

    stride: list
    padding: list
    dilation: list
    groups: int
    padding_out: list = None

    def wide(self):
        """The same over two axes, the first of which is of length 1."""
        padding_out = self.padding_out and [0, *self.padding_out]
        return ConvOptions([1, *self.stride], [0, *self.padding], [1, *self.dilation], self.groups, padding_out)


def transpose_options(stride, padding, padding_out, dilation, groups):
    return ConvOptions(stride, padding, dilation, groups, padding_out)


def out_size(size, kernel, axis, o):
    return (size + 2 * o.padding[axis] - o.dilation[axis] * (kernel - 1) - 1) // o.stride[axis] + 1


def transpose_size(size, kernel, axis, o):
    span = o.dilation[axis] * (kernel - 1) + 1 + o.padding_out[axis]
    return (size - 1) * o.stride[axis] - 2 * o.padding[axis] + span


def taps(size, kernel, out, axis, o):
    """The input place of each kernel and output place; `size` where there is none."""
    s, p, d = o.stride[axis], o.padding[axis], o.dilation[axis]
    place = np.arange(out) * s - p + np.arange(kernel)[:, None] * d
    return np.where((place >= 0) & (place < size), place, size)


def sources(size, kernel, out, axis, o):
    """The output place that each kernel and input place come from; `out` where there is none."""
    s, p, d = o.stride[axis], o.padding[axis], o.dilation[axis]
    place = np.arange(size) + p - np.arange(kernel)[:, None] * d
    return np.where((place % s == 0) & (place >= 0) & (place // s < out), place // s, out)


def edged(x):
    """With a row and a column of zeros beyond the last, for places outside."""
    return np.pad(x.astype(np.float64), [(0, 0)] * (x.ndim - 2) + [(0, 1), (0, 1)])


def grouped(x, groups, axis):
    return x.reshape(*x.shape[:axis], groups, x.shape[axis] // groups, *x.shape[axis + 1 :])


def conv2d(x, weight, bias, o):
    n, kernel = x.shape[0], weight.shape[2:]
    out = [out_size(x.shape[2 + a], kernel[a], a, o) for a in (0, 1)]
    across = [taps(x.shape[2 + a], kernel[a], out[a], a, o) for a in (0, 1)]
    x, w = grouped(edged(x), o.groups, 1), grouped(weight.astype(np.float64), o.groups, 0)
    acc = np.zeros((n, o.groups, w.shape[1], *out), F32)
    for c, i, j in np.ndindex(w.shape[2:]):
        tap = x[:, :, c][..., across[0][i][:, None], across[1][j]]
        acc = fma(w[..., c, i, j, None, None], tap[:, :, None], acc)
    y = acc.reshape(n, weight.shape[0], *out)
    return y if bias is None else y + bias[:, None, None]


def conv2d_input(weight, grad, shape, o):
    """The gradient of an input of this shape."""
    kernel, out = weight.shape[2:], grad.shape[2:]
    across = [sources(shape[2 + a], kernel[a], out[a], a, o) for a in (0, 1)]
    g, w = grouped(edged(grad), o.groups, 1), grouped(weight.astype(np.float64), o.groups, 0)
    acc = np.zeros((shape[0], o.groups, w.shape[2], *shape[2:]), F32)
    for c, i, j in np.ndindex(w.shape[1], *kernel):
        tap = g[:, :, c][..., across[0][i][:, None], across[1][j]]
        acc = fma(w[:, c, :, i, j, None, None], tap[:, :, None], acc)
    return acc.reshape(shape)


def conv2d_x_backward(x, weight, grad, o):
    return conv2d_input(weight, grad, x.shape, o)


def conv2d_weight_backward(x, weight, grad, o):
    kernel, out = weight.shape[2:], grad.shape[2:]
    across = [taps(x.shape[2 + a], kernel[a], out[a], a, o) for a in (0, 1)]
    x, g = grouped(edged(x), o.groups, 1), grouped(grad.astype(np.float64), o.groups, 1)
    acc = np.zeros((o.groups, g.shape[2], x.shape[2], *kernel), F32)
    for n, row, column in np.ndindex(x.shape[0], *out):
        tap = x[n][..., across[0][:, row, None], across[1][:, column]]
        acc = fma(g[n, :, :, row, column, None, None, None], tap[:, None], acc)
    return acc.reshape(weight.shape)


def conv2d_bias_backward(x, bias, grad):
    return sum_last(np.moveaxis(grad, 1, 0).reshape(grad.shape[1], -1))


def conv_transpose2d(x, weight, bias, o):
    size = [transpose_size(x.shape[2 + a], weight.shape[2 + a], a, o) for a in (0, 1)]
    y = conv2d_input(weight, x, (x.shape[0], weight.shape[1] * o.groups, *size), o)
    return y if bias is None else y + bias[:, None, None]


def conv_transpose2d_x_backward(weight, grad, o):
    return conv2d(grad, weight, None, o)


def conv_transpose2d_weight_backward(x, weight, grad, o):
    return conv2d_weight_backward(grad, weight, x, o)


conv_transpose2d_bias_backward = conv2d_bias_backward


def one_axis(function):
    """The function over one axis of one over two."""

    def call(*arguments):
        wide = [
            a.wide() if isinstance(a, ConvOptions) else a[:, :, None] if np.ndim(a) == 3 else a for a in arguments
        ]
        result = function(*wide)
        return result[:, :, 0] if result.ndim == 4 else result

    return call


for _name in ("conv", "conv_transpose"):
    for _part in ("", "_x_backward", "_weight_backward", "_bias_backward"):
        globals()[f"{_name}1d{_part}"] = one_axis(globals()[f"{_name}2d{_part}"])
