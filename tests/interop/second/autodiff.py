"""Tensors with burn's methods and their gradients."""

import numpy as np

import binary32
import binary64 as w
import functions as f
import pooling
import products
import reductions as r
from binary32 import F32, f32

ROOT_PI, ZERO, ONE, TWO = f32(np.sqrt(np.pi)), F32(0), F32(1), F32(2)


class Tensor:
    """An array, and for each tensor it was made of the function from its gradient to that one's."""

    def __init__(self, v, *edges, tracked=False):
        self.v = np.asarray(v)
        self.shape = self.v.shape
        self.depth = 1 + max((x.depth for x, _ in edges), default=-1)
        self.edges = [(x, gradient) for x, gradient in edges if x.tracked]
        self.tracked = tracked or bool(self.edges)

    def backward(self):
        """The gradients of all tensors, by id, from that of this one, which is 1."""
        met, stack = {}, [self]
        while stack:
            x = stack.pop()
            if id(x) not in met:
                met[id(x)] = x
                stack.extend(y for y, _ in x.edges)
        found = {id(self): np.ones_like(self.v)}
        for x in sorted(met.values(), key=lambda x: -x.depth):
            for y, gradient in x.edges:
                new = reduced(gradient(found[id(x)]), y.shape)
                found[id(y)] = new + found[id(y)] if id(y) in found else new
        return found

    def clone(self):
        return self

    def detach(self):
        return Tensor(self.v)

    def cast(self):
        """A step that changes nothing."""
        return Tensor(self.v, (self, lambda g: g))

    # Powers, bounds and choices.

    def powf_scalar(self, a):
        """The common whole exponents are operations of their own."""
        known = {
            0: lambda: Tensor(np.ones_like(self.v)),
            1: lambda: self,
            2: lambda: self * self,
            -1: self.recip,
            -2: lambda: (self * self).recip(),
        }
        if a in known:
            return known[a]()
        return Tensor(w.power(self.v, a), (self, lambda g: g * (w.power(self.v, a - 1) * F32(a))))

    powi_scalar = powf_scalar

    def square(self):
        return self * self

    def mask_fill(self, mask, a):
        return Tensor(np.where(mask, F32(a), self.v), (self, lambda g: np.where(mask, ZERO, g)))

    def mask_where(self, mask, y):
        return Tensor(
            np.where(mask, y.v, self.v),
            (self, lambda g: np.where(mask, ZERO, g)),
            (y, lambda g: np.where(mask, g, ZERO)),
        )

    def lower_elem(self, a):
        return self.v < F32(a)

    def clamp_min(self, low):
        return self.mask_fill(self.v < F32(low), low)

    def clamp_max(self, high):
        return self.mask_fill(self.v > F32(high), high)

    def clamp(self, low, high):
        return self.clamp_max(high).clamp_min(low)

    # Moves.

    def reshape(self, shape):
        return Tensor(self.v.reshape(shape), (self, lambda g: g.reshape(self.shape)))

    def swap_dims(self, a, b):
        return Tensor(self.v.swapaxes(a, b), (self, lambda g: g.swapaxes(a, b)))

    def transpose(self):
        return self.swap_dims(-1, -2)

    def permute(self, axes):
        return Tensor(self.v.transpose(axes), (self, lambda g: g.transpose(np.argsort(axes))))

    def unfold(self, axis, size, step):
        """The windows along an axis; their elements go to a last axis of their own."""
        windows = range(0, self.shape[axis] - size + 1, step)
        v = np.stack([np.moveaxis(self.v.take(range(i, i + size), axis), axis, -1) for i in windows], axis)

        def gradient(g):
            x = np.zeros_like(self.v)
            for n, i in enumerate(windows):
                r.last(x, axis)[..., i : i + size] += g.take(n, axis)
            return x

        return Tensor(v, (self, gradient))

    def flip(self, axes):
        return Tensor(np.flip(self.v, axes), (self, lambda g: np.flip(g, axes)))

    def expand(self, shape):
        longer = (1,) * (len(shape) - len(self.shape)) + self.shape
        return Tensor(np.broadcast_to(self.v, shape), (self, lambda g: reduced(g, longer).reshape(self.shape)))

    def repeat_dim(self, axis, times):
        assert self.shape[axis] == 1, "else its gradient is not defined"
        return Tensor(np.concatenate([self.v] * times, axis), (self, lambda g: g))

    def slice(self, ranges):
        part = places(self.shape, ranges)
        return Tensor(self.v[part], (self, lambda g: assigned(np.zeros_like(self.v), part, g)))

    def slice_assign(self, ranges, y):
        part = places(self.shape, ranges)
        return Tensor(
            assigned(self.v, part, y.v), (self, lambda g: assigned(g, part, ZERO)), (y, lambda g: g[part])
        )

    @staticmethod
    def cat(parts, axis):
        ends = np.cumsum([x.shape[axis] for x in parts])[:-1]
        v = np.concatenate([x.v for x in parts], axis)
        return Tensor(v, *((x, lambda g, i=i: np.split(g, ends, axis)[i]) for i, x in enumerate(parts)))

    # Sums, means, products and scans.

    def sum(self):
        return Tensor(r.total(self.v), (self, lambda g: np.ones_like(self.v) * g.item()))

    def mean(self):
        factor = f32(1 / self.v.size)
        return Tensor(r.mean(self.v), (self, lambda g: np.full_like(self.v, factor * g.item())))

    def sum_dim(self, axis):
        return Tensor(r.sum_dim(self.v, axis), (self, lambda g: np.ones_like(self.v) * r.sum_dim(g, axis)))

    def mean_dim(self, axis):
        factor = np.full_like(self.v, f32(1 / self.shape[axis]))
        return Tensor(r.mean_dim(self.v, axis), (self, lambda g: factor * r.sum_dim(g, axis)))

    def prod(self):
        return self.log().sum().exp()

    def prod_dim(self, axis):
        return self.log().sum_dim(axis).exp()

    def cumsum(self, axis):
        return Tensor(r.cumsum(self.v, axis), (self, lambda g: reverse_cumsum(g, axis)))

    def cumprod(self, axis):
        y = r.cumprod(self.v, axis)
        return Tensor(y, (self, lambda g: reverse_cumsum(g * y, axis) / self.v))

    def cumbest(self, axis, smallest=False):
        """The gradient goes to the last place, up to here, whose element equals the output there, or to the first."""
        y = r.cumbest(self.v, axis, smallest)
        numbers = np.arange(self.shape[axis]).reshape([-1 if i == axis else 1 for i in range(self.v.ndim)])
        last = np.maximum.accumulate(np.where(y == self.v, numbers, 0), axis)
        return Tensor(y, (self, lambda g: r.scatter_add(axis, np.zeros_like(self.v), last, g)))

    cummax = cumbest

    def cummin(self, axis):
        return self.cumbest(axis, True)

    # Places.

    def gather(self, axis, numbers):
        v = r.gather(axis, self.v, numbers)
        return Tensor(v, (self, lambda g: r.scatter_add(axis, np.zeros_like(self.v), numbers, g)))

    def scatter(self, axis, numbers, y):
        v = r.scatter_add(axis, self.v, numbers, y.v)
        return Tensor(v, (self, lambda g: g), (y, lambda g: r.gather(axis, g, numbers)))

    def select(self, axis, numbers):
        v = np.take(self.v, numbers, axis)
        return Tensor(v, (self, lambda g: r.select_add(np.zeros_like(self.v), axis, numbers, g)))

    def select_assign(self, axis, numbers, y):
        v = r.select_add(self.v, axis, numbers, y.v)
        return Tensor(v, (self, lambda g: g), (y, lambda g: np.take(g, numbers, axis)))

    def max_dim(self, axis):
        return self.gather(axis, r.best(self.v, axis))

    def min_dim(self, axis):
        return self.gather(axis, r.best(self.v, axis, True))

    def max(self):
        return self.reshape(-1).max_dim(0)

    def min(self):
        return self.reshape(-1).min_dim(0)

    def max_abs(self):
        return self.reshape(-1).max_abs_dim(0)

    def max_abs_dim(self, axis):
        return self.abs().max_dim(axis)

    def sort(self, axis, descending=False):
        return self.gather(axis, r.argsort(self.v, axis, descending))

    def sort_descending(self, axis):
        return self.sort(axis, True)

    def matmul(self, y):
        return Tensor(
            products.matmul(self.v, y.v),
            (self, lambda g: products.matmul(g, y.v.swapaxes(-1, -2))),
            (y, lambda g: products.matmul(self.v.swapaxes(-1, -2), g)),
        )


def reduced(g, shape):
    """The gradient of an operand of this shape that may have been broadcast."""
    for axis, n in enumerate(shape):
        if n == 1 and g.shape[axis] != 1:
            g = r.sum_dim(g, axis)
    return g


def reverse_cumsum(g, axis):
    return np.flip(r.cumsum(np.flip(g, axis), axis), axis)


def sliced(n, start, end, step=1):
    """The places of a slice of an axis of n, in their order."""
    start, end = (max(n + a, 0) if a < 0 else min(a, n) for a in (start, n if end is None else end))
    return range(start, end, step) if step > 0 else range(end - 1, start - 1, step)


def places(shape, ranges):
    """Those of a slice of each axis; the axes that are not named are taken whole."""
    ranges = [*ranges, *[(0, None)] * (len(shape) - len(ranges))]
    return np.ix_(*(sliced(n, *a) for n, a in zip(shape, ranges)))


def assigned(x, part, y):
    x = x.copy()
    x[part] = y
    return x


# The function, and the gradient by the result's g, the operand x and the result y.
UNARY = {
    "neg": (np.negative, lambda g, x, y: -g),
    "recip": (lambda x: ONE / x, lambda g, x, y: g * -(ONE / (x * x))),
    "abs": (np.abs, lambda g, x, y: g * binary32.sign(x)),
    "sign": (binary32.sign, lambda g, x, y: g * ZERO),
    **{
        name: (function, lambda g, x, y: np.zeros_like(g))
        for name, function in (("round", np.rint), ("floor", np.floor), ("ceil", np.ceil), ("trunc", np.trunc))
    },
    "exp": (f.exp, lambda g, x, y: g * y),
    "log": (f.log, lambda g, x, y: g * (ONE / x)),
    "log1p": (f.log1p, lambda g, x, y: g * (ONE / (x + ONE))),
    "sqrt": (np.sqrt, lambda g, x, y: g * (w.powf(x, -0.5) / TWO)),
    "sin": (f.sin, lambda g, x, y: g * f.cos(x)),
    "cos": (f.cos, lambda g, x, y: g * -f.sin(x)),
    "tan": (w.tan, lambda g, x, y: g * (y * y + ONE)),
    "tanh": (f.tanh, lambda g, x, y: g * (-(y * y) + ONE)),
    "sinh": (w.sinh, lambda g, x, y: g * w.cosh(x)),
    "cosh": (w.cosh, lambda g, x, y: g * w.sinh(x)),
    "asin": (w.asin, lambda g, x, y: g * (ONE / np.sqrt(-(x * x) + ONE))),
    "acos": (w.acos, lambda g, x, y: g * -(ONE / np.sqrt(-(x * x) + ONE))),
    "atan": (w.atan, lambda g, x, y: g * (ONE / (x * x + ONE))),
    "asinh": (w.asinh, lambda g, x, y: g * (ONE / np.sqrt(x * x + ONE))),
    "acosh": (w.acosh, lambda g, x, y: g * (ONE / np.sqrt(x * x - ONE))),
    "atanh": (w.atanh, lambda g, x, y: g * (ONE / (-(x * x) + ONE))),
    "erf": (f.erf, lambda g, x, y: g * ((f.exp(-(x * x)) * TWO) / ROOT_PI)),
    "relu": (f.relu, lambda g, x, y: f.relu_backward(y, g)),
    "sigmoid": (f.sigmoid, lambda g, x, y: f.sigmoid_backward(y, g)),
    "log_sigmoid": (f.log_sigmoid, lambda g, x, y: f.log_sigmoid_backward(x, g)),
    "gelu": (f.gelu, lambda g, x, y: f.gelu_backward(x, g)),
}

# The function of x and y, and their gradients.
BINARY = {
    "__add__": (np.add, lambda g, x, y: g, lambda g, x, y: g),
    "__sub__": (np.subtract, lambda g, x, y: g, lambda g, x, y: -g),
    "__mul__": (np.multiply, lambda g, x, y: g * y, lambda g, x, y: g * x),
    "__truediv__": (np.divide, lambda g, x, y: g * (ONE / y), lambda g, x, y: g * (-x / (y * y))),
    "remainder": (w.remainder, lambda g, x, y: g, lambda g, x, y: g * -np.floor(x / y)),
    "powf": (
        w.powf,
        lambda g, x, y: g * (w.powf(x, y - ONE) * y),
        lambda g, x, y: g * (w.powf(x, y) * f.log(x)),
    ),
    "atan2": (
        w.atan2,
        lambda g, x, y: g * (y / (y * y + x * x)),
        lambda g, x, y: g * -(x / (y * y + x * x)),
    ),
}


def unary(function, gradient):
    def call(x):
        y = function(x.v)
        return Tensor(y, (x, lambda g: gradient(g, x.v, y)))

    return call


def binary(function, left, right):
    def call(x, y):
        y = y if isinstance(y, Tensor) else Tensor(F32(y))
        return Tensor(
            function(x.v, y.v), (x, lambda g: left(g, x.v, y.v)), (y, lambda g: right(g, x.v, y.v))
        )

    return call


for _name, _parts in UNARY.items():
    setattr(Tensor, _name, unary(*_parts))
for _name, _parts in BINARY.items():
    setattr(Tensor, _name, binary(*_parts))
Tensor.div_scalar, Tensor.remainder_scalar = Tensor.__truediv__, Tensor.remainder


def embedding(weight, words):
    def gradient(g):
        return r.select_add(np.zeros_like(weight.v), 0, words.ravel(), products.rows(g))

    return Tensor(weight.v[words], (weight, gradient))


def linear(x, weight, bias=None):
    edges = [
        (x, lambda g: products.linear_x_backward(weight.v, g)),
        (weight, lambda g: products.linear_weight_backward(x.v, g)),
    ]
    if bias:
        edges.append((bias, products.linear_bias_backward))
    return Tensor(products.linear(x.v, weight.v, bias and bias.v), *edges)


def convolution(name):
    value, of_input, of_weight, of_bias = (
        getattr(products, name + part) for part in ("", "_x_backward", "_weight_backward", "_bias_backward")
    )

    def call(x, weight, bias, options):
        operands = [weight.v] if "transpose" in name else [x.v, weight.v]
        edges = [
            (x, lambda g: of_input(*operands, g, options)),
            (weight, lambda g: of_weight(x.v, weight.v, g, options)),
        ]
        if bias:
            edges.append((bias, lambda g: of_bias(None, None, g)))
        return Tensor(value(x.v, weight.v, bias and bias.v, options), *edges)

    return call


def max_pool(name):
    value = getattr(pooling, f"{name}_with_indices")
    backward = getattr(pooling, f"{name}_with_indices_backward")

    def call(x, *options):
        y, numbers = value(x.v, *options)
        return Tensor(y, (x, lambda g: backward(x.v, *options, g, numbers)))

    return call


def average_pool(name):
    value, backward = getattr(pooling, name), getattr(pooling, f"{name}_backward")
    kept = 0 if name.startswith("adaptive") else None
    return lambda x, *options: Tensor(value(x.v, *options), (x, lambda g: backward(x.v, g, *options[:kept])))


LAYERS = {
    "linear": linear,
    "embedding": embedding,
    **{n: convolution(n) for n in ("conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d")},
    **{n: max_pool(n) for n in ("max_pool1d", "max_pool2d")},
    **{n: average_pool(n) for n in ("avg_pool1d", "avg_pool2d", "adaptive_avg_pool1d", "adaptive_avg_pool2d")},
}
