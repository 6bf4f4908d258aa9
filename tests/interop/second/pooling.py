"""Pooling: every axis is cut into windows, each a list of places."""

import numpy as np

from binary32 import F32
from reductions import best, gather, sum_last


def windows(size, kernel, stride, padding, dilation, ceil_mode):
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    count = span // stride + 1 + (ceil_mode and span % stride != 0)
    starts = [i * stride - padding for i in range(count)]
    return [[p for p in range(s, s + kernel * dilation, dilation) if 0 <= p < size] for s in starts]


def adaptive(size, count):
    return [list(range(i * size // count, -(-(i + 1) * size // count))) for i in range(count)]


def planes(x, axes):
    """Each output's place, its rows and columns, and its elements in row-major order."""
    for (i, rows), (j, columns) in ((a, b) for a in enumerate(axes[0]) for b in enumerate(axes[1])):
        part = x[..., np.array(rows)[:, None], columns]
        yield i, j, rows, columns, part.reshape(*x.shape[:2], -1)


def max_pool2d_with_indices(x, kernel, stride, padding, dilation, ceil_mode):
    axes = [windows(*v, ceil_mode) for v in zip(x.shape[2:], kernel, stride, padding, dilation)]
    y = np.zeros((*x.shape[:2], len(axes[0]), len(axes[1])), F32)
    places = np.zeros(y.shape, np.int64)
    for i, j, rows, columns, part in planes(x, axes):
        place = best(part, 2)
        y[:, :, i, j] = gather(2, part, place)[..., 0]
        numbers = np.add.outer(np.array(rows) * x.shape[3], columns).ravel()
        places[:, :, i, j] = numbers[place[..., 0]]
    return y, places


def max_pool2d(*arguments):
    return max_pool2d_with_indices(*arguments)[0]


def max_pool2d_with_indices_backward(x, kernel, stride, padding, dilation, ceil_mode, grad, places):
    y = np.zeros((*x.shape[:2], x.shape[2] * x.shape[3]), F32)
    for n, c, i, j in np.ndindex(grad.shape):
        y[n, c, places[n, c, i, j]] += grad[n, c, i, j]
    return y.reshape(x.shape)


def average(x, axes, counts):
    y = np.zeros((*x.shape[:2], len(axes[0]), len(axes[1])), F32)
    for i, j, _, _, part in planes(x, axes):
        y[:, :, i, j] = sum_last(part) / F32(counts[0][i] * counts[1][j])
    return y


def average_backward(x, grad, axes, counts):
    y = np.zeros_like(x)
    for (i, rows), (j, columns) in ((a, b) for a in enumerate(axes[0]) for b in enumerate(axes[1])):
        quotient = grad[:, :, i, j] / F32(counts[0][i] * counts[1][j])
        y[..., np.array(rows)[:, None], columns] += quotient[..., None, None]
    return y


def averaged(x, kernel, stride, padding, count_padding, ceil_mode):
    """The windows of both axes, and their counts."""
    axes = [windows(*v, 1, ceil_mode) for v in zip(x.shape[2:], kernel, stride, padding)]
    counts = [[len(w) for w in axis] for axis in axes]
    if count_padding:
        counts = [
            [min(k, h + 2 * p - i * s) for i in range(len(axis))]
            for axis, h, k, s, p in zip(axes, x.shape[2:], kernel, stride, padding)
        ]
    return axes, counts


def avg_pool2d(x, *options):
    return average(x, *averaged(x, *options))


def avg_pool2d_backward(x, grad, *options):
    return average_backward(x, grad, *averaged(x, *options))


def adapted(x, out):
    axes = [adaptive(*v) for v in zip(x.shape[2:], out)]
    return axes, [[len(w) for w in axis] for axis in axes]


def adaptive_avg_pool2d(x, out):
    return average(x, *adapted(x, out))


def adaptive_avg_pool2d_backward(x, grad):
    return average_backward(x, grad, *adapted(x, grad.shape[2:]))


def one_axis(function, neutral):
    """The function over one axis, whose whole numbers come with these over the other."""

    def call(*arguments):
        others = iter(neutral)
        wide = [
            a[:, :, None] if np.ndim(a) else [next(others), a] if type(a) is int else a for a in arguments
        ]
        result = function(*wide)
        return tuple(r[:, :, 0] for r in result) if type(result) is tuple else result[:, :, 0]

    return call


max_pool1d = one_axis(max_pool2d, (1, 1, 0, 1))
max_pool1d_with_indices = one_axis(max_pool2d_with_indices, (1, 1, 0, 1))
max_pool1d_with_indices_backward = one_axis(max_pool2d_with_indices_backward, (1, 1, 0, 1))
avg_pool1d = one_axis(avg_pool2d, (1, 1, 0))
avg_pool1d_backward = one_axis(avg_pool2d_backward, (1, 1, 0))
adaptive_avg_pool1d = one_axis(adaptive_avg_pool2d, (1,))
adaptive_avg_pool1d_backward = one_axis(adaptive_avg_pool2d_backward, ())
