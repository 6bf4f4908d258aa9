"""Sums, means, products, scans, comparison, sorting and scatters."""

import numpy as np

from binary32 import F32


def last(x, axis):
    return np.moveaxis(x, axis, -1)


def lanes(x):
    """The sum of at most 4096 numbers along the last axis."""
    lane = np.zeros(x.shape[:-1] + (16,), F32)
    for i in range(0, x.shape[-1], 16):
        part = x[..., i : i + 16]
        lane[..., : part.shape[-1]] += part
    for half in (8, 4, 2, 1):
        lane = lane[..., :half] + lane[..., half : 2 * half]
    return lane[..., 0]


def sum_last(x):
    n = x.shape[-1]
    if n <= 4096:
        return lanes(x)
    whole = n // 4096 * 4096
    sums = lanes(x[..., :whole].reshape(*x.shape[:-1], -1, 4096))
    if n > whole:
        sums = np.concatenate([sums, lanes(x[..., whole:])[..., None]], -1)
    return sum_last(sums)


def total(x):
    return sum_last(np.ravel(x)).reshape(1)


def sum_dim(x, axis):
    return np.expand_dims(sum_last(last(x, axis)), axis)


def mean(x):
    return total(x) / F32(np.size(x))


def mean_dim(x, axis):
    return sum_dim(x, axis) / F32(x.shape[axis])


def scan(x, axis, step):
    """Every step of a chain along an axis that begins with the first element."""
    x = last(x, axis)
    y = x.copy()
    for i in range(1, x.shape[-1]):
        y[..., i] = step(y[..., i - 1], x[..., i])
    return np.moveaxis(y, -1, axis)


def cumsum(x, axis):
    return scan(x, axis, lambda before, v: before + v)


def cumprod(x, axis):
    return scan(x, axis, lambda before, v: before * v)


def takes(v, best, smallest):
    """Whether an element takes the place of the best before it."""
    return (v < best if smallest else v > best) | (np.isnan(v) & ~np.isnan(best))


def cumbest(x, axis, smallest=False):
    return scan(x, axis, lambda best, v: np.where(takes(v, best, smallest), v, best))


def prod_dim(x, axis):
    x = last(x, axis)
    v = np.ones(x.shape[:-1], F32)
    for i in range(x.shape[-1]):
        v = v * x[..., i]
    return np.expand_dims(v, axis)


def best(x, axis, smallest=False):
    """The places of the greatest or least elements along an axis, which keeps length 1."""
    x = last(x, axis)
    v, place = x[..., 0], np.zeros(x.shape[:-1], np.int64)
    for i in range(1, x.shape[-1]):
        better = takes(x[..., i], v, smallest)
        v, place = np.where(better, x[..., i], v), np.where(better, i, place)
    return np.expand_dims(place, axis)


def gather_nd(x, places):
    """The parts of x at the leading places that the last axis of `places` names."""
    return x[tuple(np.moveaxis(places, -1, 0))]


def gather(axis, x, places):
    return np.take_along_axis(x, places, axis)


def max_dim(x, axis):
    return gather(axis, x, best(x, axis))


def min_dim(x, axis):
    return gather(axis, x, best(x, axis, True))


def argsort(x, axis, descending):
    """Stable; a NaN is greater than every number."""
    nan = np.isnan(x)
    key = np.where(nan, 0, x)
    return np.lexsort((-key, ~nan) if descending else (key, nan), axis=axis)


def scatter_add(axis, x, places, values):
    x = x.copy()
    for index in np.ndindex(values.shape):
        target = list(index)
        target[axis] = places[index]
        x[tuple(target)] += values[index]
    return x


def select_add(x, axis, places, values):
    x = x.copy()
    target, source = last(x, axis), last(values, axis)
    for i, place in enumerate(places):
        target[..., place] += source[..., i]
    return x
