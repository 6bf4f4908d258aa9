"""Reads the calls of the vectors: as Python, whose names are burn's methods."""

import re
from types import SimpleNamespace

import numpy as np

import binary32
import binary64
import composed
import functions
import pooling
import products
import random_numbers
import reductions as r
from autodiff import LAYERS, Tensor, assigned
from autodiff import places as parts
from binary32 import F32, f32, hexadecimal
from random_numbers import Draw

HARD = """00000000 00000001 000116c2 007fffff 00800000 1e3ce508 397ba882 3dcccccd 3eb16873 3eb17218 3f000000 3f1fffff
3f200000 3f3504f3 3f490fdb 3f6bffff 3f6c0000 3f800000 3f800001 3fc00000 3fc90fdb 40400000 407fffff 40800000
40800001 41200000 4184cccd 42480000 42ae999a 42b17217 42b17218 42b1999a 42cfcccd 447a0000 478b9a00 478b9a80
49742400 4e932c06 60ad78ec 7f7fc99e 7f7fffff 7f800000"""


def draw(seed):
    return Draw(seed, 99, 0, 0)


def normal(seed, shape):
    return draw(seed).normal(int(np.prod(shape))).reshape(shape)


def whole(seed, shape, bound):
    return np.array(draw(seed).below([bound] * int(np.prod(shape))), np.int64).reshape(shape)


def hard():
    numbers = np.array([hexadecimal(h) for h in HARD.split()])
    return np.append(np.stack([numbers, -numbers], -1).ravel(), F32(np.nan))


def hard_rows():
    x = hard()
    return x[np.abs(x) < 1e30][:64].reshape(4, 16)


def same(x):
    return x


def recip(x):
    return F32(1) / x


INPUTS = {
    "normal": normal,
    "positive": lambda seed, shape: np.abs(normal(seed, shape)),
    "rounded": lambda seed, shape: np.rint(normal(seed, shape) * F32(3)),
    "quartered": lambda seed, shape: normal(seed, shape) * F32(0.25),
    "patterns": lambda patterns, shape: np.array(patterns, np.uint32).view(F32).reshape(shape),
    "mask": lambda seed, shape: normal(seed, shape) < 0,
    "whole": whole,
    "hard": hard,
    "hard_rows": hard_rows,
    "ints": lambda numbers, shape: np.array(numbers, np.int64).reshape(shape),
    "given": lambda numbers, shape: f32(numbers).reshape(shape),
    "recip": recip,
    "reshaped": np.reshape,
    "swapped": np.swapaxes,
    "flipped": np.flip,
    "cut": lambda x, ranges: x[tuple(np.s_[a:b] for a, b in ranges)],
    "broadcast": np.broadcast_to,
    "scalar": float,
    "whole_scalar": lambda n: np.int64(n).astype(F32),
    "words": same,
    "truths": same,
    "fixed": Tensor,
    "options": composed.AttentionOptions,
    "causal": lambda: composed.AttentionOptions(is_causal=True),
    "AttentionModuleOptions": composed.AttentionOptions,
    "ConvOptions": products.ConvOptions,
    "ConvTransposeOptions": products.transpose_options,
    "UnfoldOptions": lambda *options: products.ConvOptions(*options, 1),
    "Tensor": Tensor,
    "Slice": lambda *slice: slice,
    "BOOL": None,
    "IntDType": SimpleNamespace(I32=np.int32, U8=np.uint8),
    "f64": SimpleNamespace(NAN=np.nan),
}


def named(module, names, prefix=""):
    return {prefix + name: getattr(module, name) for name in names.split()}


def plain(function):
    """The function of tensors, of arrays."""

    def call(*arguments):
        result = function(*(Tensor(a) if getattr(a, "dtype", None) == F32 else a for a in arguments))
        return result.v if isinstance(result, Tensor) else result

    return call


def wide_values(function):
    def call(seed):
        x = normal(seed, [1000]).astype(np.float64)
        pattern = function(x * x * x * 100.0)
        pattern = np.where(np.isnan(pattern), np.uint64(0x7FF8 << 48), pattern.view(np.uint64))
        parts = [pattern >> np.uint64(s) & np.uint64(0xFFFF) for s in (0, 16, 32, 48)]
        return f32(np.stack(parts, -1).ravel())

    return call


def places(names, function):
    """Calls that return the places of elements, the elements, or both; the type of the places is of no matter."""

    def both(x, axis, *rest):
        found = function(x, axis, *(a for a in rest if a is not None))
        return r.gather(axis, x, found), found

    of_places, of_elements, of_both = names
    return {
        of_places: lambda *a: both(*a)[1],
        of_elements: lambda *a: both(*a)[0],
        of_both: both,
    }


def top(x, axis, k):
    return np.take(r.argsort(x, axis, True), range(k), axis)


COMPARISONS = {
    "equal": np.equal,
    "not_equal": np.not_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "lower": np.less,
    "lower_equal": np.less_equal,
}

CALLS = {
    "float_zeros": lambda shape, *_: np.zeros(shape, F32),
    "float_empty": lambda shape, *_: np.zeros(shape, F32),
    "float_ones": lambda shape, *_: np.ones(shape, F32),
    "float_full": lambda shape, v, *_: np.full(shape, v, F32),
    "float_cast": lambda x, _: x,
    "int_into_float": lambda x, _: f32(x),
    "bool_into_float": lambda x, _: f32(x),
    **named(np, "add abs sqrt floor ceil trunc reshape", "float_"),
    "float_sub": np.subtract,
    "float_mul": np.multiply,
    "float_div": np.divide,
    "float_neg": np.negative,
    "float_recip": recip,
    "float_round": np.rint,
    "float_add_scalar": lambda x, a: x + F32(a),
    "float_sub_scalar": lambda x, a: x - F32(a),
    "float_mul_scalar": lambda x, a: x * F32(a),
    "float_div_scalar": lambda x, a: x / F32(a),
    "float_remainder_scalar": lambda x, a: binary64.remainder(x, F32(a)),
    **named(binary32, "sign clamp clamp_min clamp_max", "float_"),
    **named(functions, "exp log log1p tanh erf sin cos", "float_"),
    **named(binary64, "tan sinh cosh asin acos atan asinh acosh atanh atan2 powf remainder", "float_"),
    "float_powi": lambda x, n: binary64.powf(x, f32(n)),
    "float_powf_scalar_impl": lambda x, a: binary64.powf(x, F32(a)),
    **{name: binary64.power for name in ("float_powf_scalar", "float_powi_scalar", "float_powi_scalar_impl")},
    "float_mask_where": lambda x, mask, y: np.where(mask, y, x),
    "float_mask_fill": lambda x, mask, a: np.where(mask, F32(a), x),
    "float_select": lambda x, axis, words: np.take(x, words, axis),
    "float_repeat_dim": lambda x, axis, times: np.concatenate([x] * times, axis),
    "float_cat": np.concatenate,
    "float_into_int": lambda x, kind: binary32.whole(x, kind or np.int64),
    "float_slice": lambda x, slices: x[parts(x.shape, slices)],
    "float_slice_assign": lambda x, slices, y: assigned(x, parts(x.shape, slices), y),
    "float_permute": np.transpose,
    "float_swap_dims": np.swapaxes,
    "float_transpose": lambda x: x.swapaxes(-1, -2),
    "float_flip": np.flip,
    "float_expand": np.broadcast_to,
    "float_unfold": lambda *arguments: Tensor.unfold(Tensor(arguments[0]), *arguments[1:]).v,
    "float_gather_nd": r.gather_nd,
    **{
        f"float_{name}{suffix}": call
        for name, function in COMPARISONS.items()
        for suffix, call in (
            ("", lambda x, y, _, f=function: f(x, y)),
            ("_elem", lambda x, a, _, f=function: f(x, F32(a))),
        )
    },
    "float_is_nan": lambda x, _: x != x,
    "float_is_inf": lambda x, _: np.abs(x) == np.inf,
    "float_any": lambda x, _: np.any(x != 0).reshape(1),
    "float_all": lambda x, _: np.all(x != 0).reshape(1),
    "float_any_dim": lambda x, axis, _: np.any(x != 0, axis, keepdims=True),
    "float_all_dim": lambda x, axis, _: np.all(x != 0, axis, keepdims=True),
    "float_matmul": products.matmul,
    "float_sum": r.total,
    "float_prod": lambda x: r.prod_dim(x.ravel(), 0),
    **named(r, "sum_dim mean mean_dim prod_dim cumsum cumprod gather scatter_add select_add", "float_"),
    "float_cummax": r.cumbest,
    "float_cummin": lambda x, axis: r.cumbest(x, axis, True),
    "float_max": lambda x: r.max_dim(x.ravel(), 0),
    "float_min": lambda x: r.min_dim(x.ravel(), 0),
    "float_max_abs": lambda x: r.max_dim(np.abs(x).ravel(), 0),
    "float_max_abs_dim": lambda x, axis: r.max_dim(np.abs(x), axis),
    **places(("float_argmax", "float_max_dim", "float_max_dim_with_indices"), r.best),
    **places(("float_argmin", "float_min_dim", "float_min_dim_with_indices"), lambda x, axis: r.best(x, axis, True)),
    **{
        name: call
        for kind in ("float", "int")
        for suffix, function in (("sort", r.argsort), ("topk", top))
        for name, call in places(
            (f"{kind}_arg{suffix}", f"{kind}_{suffix}", f"{kind}_{suffix}_with_indices"), function
        ).items()
    },
    "embedding": lambda weight, words: weight[words],
    "embedding_backward": lambda weight, grad, words: r.select_add(
        np.zeros_like(weight), 0, words.ravel(), products.rows(grad)
    ),
    **named(functions, "relu relu_backward sigmoid sigmoid_backward log_sigmoid log_sigmoid_backward"),
    **named(functions, "gelu gelu_backward"),
    **{
        name: plain(getattr(composed, name))
        for name in """leaky_relu prelu hard_sigmoid silu gelu_approximate softplus mish softmax softmin log_softmax
        unfold4d cross_entropy layer_norm rms_norm batch_norm_inference batch_norm_training batch_norm_momentum attention rotary
        multi_head_attention adamw adamw_decaying sgd""".split()
    },
    "linear_relu": lambda *arguments: functions.relu(products.linear(*arguments)),
    "linear_gelu": lambda *arguments: functions.gelu(products.linear(*arguments)),
    "exp_binary64": wide_values(binary64.exp),
    "ln_binary64": wide_values(binary64.ln),
    "permutation": random_numbers.permutation,
    **{
        name: function
        for module in (products, pooling)
        for name, function in vars(module).items()
        if re.search(r"^(linear|conv_?\w*\dd|\w*pool\dd)", name)
    },
}


ACTIVATIONS = SimpleNamespace(  # burn's `activation` module
    **named(Tensor, "relu sigmoid log_sigmoid gelu"),
    **named(composed, "leaky_relu prelu hard_sigmoid gelu_approximate silu softplus mish softmax softmin log_softmax"),
)
DIFFERENTIATED = {
    "act": ACTIVATIONS,
    "batch_norm": lambda *arguments: composed.batch_norm(*arguments)[0],
    **named(composed, "cross_entropy cross_entropy_with_logits layer_norm rms_norm attention rotary dropout unfold4d"),
    **named(composed, "swiglu swiglu_with multi_head_attention_with multi_head_attention_of topk attention_grouped"),
    **LAYERS,
}

REWRITES = [
    (r"BatchNormConfig.*forward", "batch_norm"),
    (r", IndexingUpdateOp::Add", ""),
    (r"&ReproDevice|FloatDType::F32|IntDType::I64|None", "None"),
    (r"Shape::new|Some|vec!|&(?=\[)|::<\d(?:, _)?>", ""),
    (r"::(new|default)\b", ""),
    (r"::", "."),
    (r"\btrue\b", "True"),
    (r"\bfalse\b", "False"),
    (r"(\d+)\.\.(\d+)", r"(\1, \2)"),
]


def python(text):
    for pattern, replacement in REWRITES:
        text = re.sub(pattern, replacement, text)
    return text


def evaluate(call, shapes):
    """The results of the call of a vector."""
    if call.startswith("float_random"):
        return random_tensors(call, shapes)
    if call.startswith("gradient_of_"):
        return gradients(call.split(": ", 1)[1])
    result = eval(python(call), {**INPUTS, **CALLS})
    return result if isinstance(result, tuple) else (result,)


def random_tensors(call, shapes):
    name, numbers = re.match(r"float_random\((\w+)\(?(.*?)\)?;", call).groups()
    seed, stream, step = map(int, re.search(r"seed (\d+), stream (\d+), step (\d+)", call).groups())
    method = {"Default": "unit"}.get(name, name.lower())
    arguments = [float(a) for a in numbers.split(", ") if a]
    sizes = [int(n) for n in re.findall(r"\d+", shapes)]
    return [getattr(Draw(seed, stream, step, i), method)(n, *arguments) for i, n in enumerate(sizes)]


def gradients(text):
    """Those of the sum of f · w."""
    inputs, expression = text.rsplit("; ", 1)
    leaves = {}
    for part in re.split(r", (?=\w+=)", inputs):
        name, value = part.split("=", 1)
        leaves[name] = Tensor(eval(python(value), dict(INPUTS)), tracked=True)
    y = eval(python(expression), {**INPUTS, **DIFFERENTIATED, **leaves})
    found = (y * Tensor(normal(90, y.shape))).sum().backward()
    return [found[id(x)] for x in leaves.values()]
