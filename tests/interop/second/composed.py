"""What burn composes: activations, losses, norms, attention, rotary positions; and the optimisers."""

import math
from dataclasses import dataclass

import numpy as np

import functions as f
from autodiff import LAYERS, Tensor, linear
from binary32 import F32, f32, hexadecimal
from random_numbers import Draw


def unfold4d(x, kernel, o):
    """A column a window: moved where nothing is padded or dilated, else by a convolution with ones and zeros."""
    count = x.shape[1] * kernel[0] * kernel[1]
    if o.padding == [0, 0] and o.dilation == [1, 1]:
        y = x.unfold(2, kernel[0], o.stride[0]).unfold(3, kernel[1], o.stride[1]).permute((0, 1, 4, 5, 2, 3))
    else:
        weight = np.eye(count, dtype=F32).reshape(count, x.shape[1], *kernel)
        y = LAYERS["conv2d"](x, Tensor(weight), None, o)
    return y.reshape((x.shape[0], count, -1))


def leaky_relu(x, slope):
    return x.mask_where(x.v < 0, x * slope)


def prelu(x, slopes):
    if len(slopes.shape) < len(x.shape):
        slopes = slopes.reshape([1, -1] + [1] * (len(x.shape) - 2))
    return leaky_relu(x, slopes)


def hard_sigmoid(x, a, b):
    return (x.cast() * a + b).clamp(0, 1).cast()


def gelu_approximate(x):
    u = (x + x.powi_scalar(3) * 0.044715) * math.sqrt(2 / math.pi)
    return (x * (u.tanh() + 1)) * 0.5


def silu(x):
    return x * x.sigmoid()


def softplus(x, beta):
    return ((x * beta).exp() + 1).log() / beta


def mish(x):
    return x * softplus(x, 1.0).tanh()


def softmax(x, axis):
    e = (x - x.detach().max_dim(axis)).exp()
    return e / e.sum_dim(axis)


def softmin(x, axis):
    return softmax(x.neg(), axis)


def log_softmax(x, axis):
    d = x - x.detach().max_dim(axis)
    return d - d.exp().sum_dim(axis).log()


def cross_entropy(logits, classes):
    return log_softmax(logits, 1).gather(1, classes[:, None]).reshape(-1).mean().neg()


def cross_entropy_with_logits(logits, targets):
    return (log_softmax(logits, 1) * targets).sum_dim(1).mean().neg()


def layer_norm(x, gamma, beta, epsilon=1e-5):
    axis = len(x.shape) - 1
    c = x - x.mean_dim(axis)
    v = (c * c).mean_dim(axis)
    y = c / (v + epsilon).sqrt() * gamma.reshape((1,) * axis + gamma.shape)
    return y + beta.reshape((1,) * axis + beta.shape) if beta else y


def rms_norm(x, gamma, epsilon=1e-5):
    axis = len(x.shape) - 1
    rms = ((x * x).mean_dim(axis) + epsilon).sqrt()
    return x / rms * gamma.reshape((1,) * axis + gamma.shape)


def channels(x, rank):
    """A number a channel, for every element of its plane in a tensor of that rank."""
    return x.reshape((1, x.shape[0]) + (1,) * (rank - 2))


def channel_mean(x):
    mean = x.swap_dims(0, 1).reshape((x.shape[1], -1)).mean_dim(1)
    return mean.reshape((1, -1) + (1,) * (len(x.shape) - 2))


def normalised(x, mean, variance, gamma, beta):
    rank = len(x.shape)
    return (x - mean) / (variance + 1e-5).sqrt() * channels(gamma, rank) + channels(beta, rank)


def batch_norm_inference(x, mean_and_gamma, variance):
    zeros = Tensor(np.zeros_like(variance.v))
    return normalised(x, channels(mean_and_gamma, 4), channels(variance, 4), mean_and_gamma, zeros)


def batch_norm(x, gamma=None, beta=None):
    """As the module is made: gamma 1, beta 0. `x - mean` is made twice."""
    mean = channel_mean(x)
    variance = channel_mean((x - mean).square())
    gamma = gamma or Tensor(np.ones(x.shape[1], F32))
    beta = beta or Tensor(np.zeros(x.shape[1], F32))
    return normalised(x, mean, variance, gamma, beta), mean, variance


def batch_norm_momentum(x, momentum):
    y, mean, variance = batch_norm(x)
    running = [
        F32(before) * F32(1 - momentum) + now.v.ravel() * F32(momentum)
        for before, now in ((0, mean), (1, variance))
    ]
    return y.v, *running


def batch_norm_training(x):
    return batch_norm_momentum(x, 0.1)


@dataclass
class AttentionOptions:
    scale: float = None
    softcap: float = None
    is_causal: bool = False


def attention(query, key, value, mask, bias, o):
    scale = 1 / math.sqrt(query.shape[-1]) if o.scale is None else o.scale
    if key.shape[1] < query.shape[1]:  # Grouped heads, of which no gradient is asked.
        key, value = (Tensor(np.repeat(x.v, query.shape[1] // x.shape[1], 1)) for x in (key, value))
    scores = query.matmul(key.transpose()) * scale
    if o.softcap is not None:
        scores = (scores / o.softcap).tanh() * o.softcap
    rows, columns = scores.shape[-2:]
    if mask is not None:
        scores = scores.mask_fill(mask, -np.inf)
    if o.is_causal:
        beyond = np.arange(columns) > np.arange(rows)[:, None] + (columns - rows)
        scores = scores.mask_fill(beyond, -np.inf)
    if bias is not None:
        scores = scores + bias
    greatest = scores.max_dim(3).clamp_min(np.finfo(F32).min)
    e = (scores - greatest).exp()
    return (e / e.sum_dim(3).clamp_min(2.0**-126)).matmul(value)


def topk(x, k, axis):
    return x.sort_descending(axis).select(axis, np.arange(k))


def attention_grouped(query, key, value, mask, bias, o):
    """For what differentiates: each head of the keys and values as often as it is looked at."""

    def all_heads(x):
        batch, groups, words, width = x.shape
        each = query.shape[1] // groups
        x = x.reshape((batch, groups, 1, words, width)).expand((batch, groups, each, words, width))
        return x.reshape((batch, groups * each, words, width))

    return attention(query, all_heads(key), all_heads(value), mask, bias, o)


def rotary(x):
    """Pairs of neighbours turned by their position."""
    words, d = x.shape[-2:]
    exponent = f32(np.arange(0, d, 2)) / F32(d)
    frequency = F32(1) / f.exp(exponent * hexadecimal("41135d8e"))
    angle = np.repeat(f32(np.arange(words))[:, None] * frequency, 2, axis=1)
    waves = Tensor(np.stack([f.cos(angle), f.sin(angle)], -1)[None])
    signs = Tensor(f32([[[[1, 0, 0, 1], [0, -1, 1, 0]]]]))
    pairs = x.reshape((-1, words, d // 2, 2)).matmul(signs).reshape((-1, words, d, 2)) * waves
    return pairs.sum_dim(3).reshape(x.shape)


def dropout(x, p=0.25):
    kept = Draw(21, 1, 3, 0).bernoulli(x.v.size, 1 - p).reshape(x.shape)
    return x * Tensor(kept) * (1 / (1 - p))


class Weights:
    """Linear maps drawn in turn from (seed 21, stream 0, step 0)."""

    def __init__(self):
        self.draws = 0

    def uniform(self, shape, bound):
        draw = Draw(21, 0, 0, self.draws)
        self.draws += 1
        return Tensor(draw.uniform(math.prod(shape), -bound, bound).reshape(shape))

    def linear(self, d_in, d_out, bias=True):
        bound = math.sqrt(3) * (1 / math.sqrt(3)) * (1 / math.sqrt(d_in))
        weight = self.uniform((d_in, d_out), bound)
        return weight, self.uniform((d_out,), bound) if bias else None


def swiglu(x, d_out=6):
    weights = Weights()
    return swiglu_with(x, *(weights.linear(x.shape[-1], d_out, False) for _ in range(2)))


def swiglu_with(x, inner, outer):
    return silu(linear(x, *inner)) * linear(x, *outer)


def multi_head_attention(x, padding):
    weights = Weights()
    return multi_head_attention_with(x, padding, [weights.linear(x.shape[2], x.shape[2]) for _ in range(4)])


def multi_head_attention_with(x, padding, maps):
    return heads([x, x, x], padding, None, maps)


def multi_head_attention_of(three, padding, mask, maps):
    return heads(three, padding, mask, maps, dropout)


def heads(three, padding, mask, maps, dropped=lambda scores: scores, count=3):
    """Attention of query, key and value with the maps of these and of the output."""
    query, key, value = (
        linear(x, *layer).reshape((*x.shape[:2], count, x.shape[2] // count)).swap_dims(1, 2)
        for x, layer in zip(three, maps)
    )
    scores = dropped(query.matmul(key.transpose()) / np.sqrt(F32(query.shape[3])))
    scores = scores.mask_fill(padding[:, None, None], -1e4)
    if mask is not None:
        scores = scores.mask_fill(mask[:, None], -1e4)
    context = softmax(scores, 3).matmul(value).swap_dims(1, 2).reshape(three[0].shape)
    return linear(context, *maps[3])


def power64(base, n):
    result, base = 1.0, float(base)
    while n:
        if n & 1:
            result = result * base
        base, n = base * base, n >> 1
    return result


def adamw_steps(w, gradients, rate=0.01, decay=0.01):
    """The weight after a step for each function from it to its gradient."""
    beta1, beta2, decay, m, v = F32(0.9), F32(0.999), float(F32(decay)), None, None
    for t, gradient in enumerate(gradients, 1):
        g = gradient(w)
        m1, v1 = g * (F32(1) - beta1), (g * g) * (F32(1) - beta2)
        m, v = (m1, v1) if t == 1 else (m * beta1 + m1, v * beta2 + v1)
        c1, c2 = (f32(1 - power64(b, t)) for b in (beta1, beta2))
        u = (m / c1) / (np.sqrt(v / c2) + F32(1e-8))
        w = w * f32(1 - rate * decay) - u * F32(rate)
    return w


def adamw(w, steps):
    return adamw_steps(w.v, [f.sin] * steps)


def adamw_decaying(w, steps, rate, decay):
    return adamw_steps(w.v, [f.sin] * steps, rate, decay)


def sgd(w, momentum, nesterov, decay, rate=0.1, steps=3):
    w, v = w.v, None
    momentum = F32(momentum)
    for _ in range(steps):
        g = f.sin(w)
        if decay:
            g = g + w * F32(decay)
        u = g
        if momentum:
            v = g if v is None else v * momentum + g
            u = g + v * momentum if nesterov else v
        w = w - u * F32(rate)
    return w
