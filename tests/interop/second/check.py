"""A second implementation of docs/repro.md, written from that page: every golden vector and worked example.

    tests/interop/second/run.sh             makes an environment with numpy if there is none, and runs this
    tests/interop/second/run.sh conv2d      only the vectors whose call has this in it

It reads the calls of repro/tests/vectors/operations.txt as Python (calls.py), computes each, and compares shapes and
digests; then the examples of the page. A line a group and the total; what differs is shown, and any difference fails.

binary32.py has numbers and fma; functions.py the elementary functions and activations; binary64.py those in binary64;
reductions.py sums, scans and sorting; products.py chains; pooling.py windows; random_numbers.py Philox; autodiff.py
tensors with gradients; composed.py what is made of them.
"""

import re
import sys
from pathlib import Path

import numpy as np

import binary32
import binary64
import calls
import composed
import functions
import products
import random_numbers
import reductions
from autodiff import Tensor
from binary32 import F32, digest, hexadecimal

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "repro/tests/vectors/operations.txt"
PAGE = ROOT / "docs/repro.md"
GROUPS = [
    ("gradients", r"gradient_of_"),
    ("convolutions and pooling", r"conv|unfold|\w*pool"),
    ("operations of tensors", r"float_(?!random)|int_|bool_"),
    ("layers, functions, optimisers, random numbers", r""),
]


def patterns(x):
    return [f"{pattern:08x}" for pattern in np.ravel(x).astype(F32).view(np.uint32)]


def vector(line):
    """The group of a vector, and what differs, if anything."""
    call, shapes, wanted, first = re.fullmatch(r"(.*) = (.*\]) ([0-9a-f]{16}):(.*)", line).groups()
    group = next(name for name, pattern in GROUPS if re.match(pattern, call))
    try:
        results = calls.evaluate(call, shapes)
    except Exception as error:
        return group, f"{call}: {error!r}"
    got_shapes = " ".join(str(list(np.shape(x))) for x in results)
    if (got_shapes, digest(results)) == (shapes, wanted):
        return group, None
    got = [pattern for x in results for pattern in patterns(x)]
    return group, f"{call}: {got_shapes} {' '.join(got[:8])} for {shapes}{first}"


def example(name, words):
    """The result of a worked example, as it is written."""
    numbers = [int(word) for word in words if re.fullmatch(r"\d+", word)]
    if name in ("word", "unit", "normal", "below"):
        seed, stream, step, draw, index = numbers[:5]
        draw = random_numbers.Draw(seed, stream, step, draw)
        if name == "below":
            return [str(draw.below(numbers[5:] * (index + 1))[index])]
        result = getattr(draw, {"word": "words"}.get(name, name))(index + 1)[index]
        return [f"{int(result):08x}"] if name == "word" else patterns(result)
    if name == "permutation":
        return [str(n) for n in random_numbers.permutation(numbers[0], numbers[2], numbers[4])]
    if name in ("exp64", "ln64"):
        result = getattr(binary64, name[:-2])(binary64.wide(words[0]))
        return [f"{int(result.view(np.uint64)):016x}"]
    if name == "powi":
        return patterns(binary32.powi(hexadecimal(words[0]), int(words[1])))
    x = np.array([hexadecimal(word) for word in words])
    known = {
        "chain": lambda: products.matmul(x[None, ::2], x[1::2, None]),
        "sum": lambda: reductions.total(x),
        "mean": lambda: reductions.mean(x),
        "max": lambda: reductions.max_dim(x, 0),
        "silu": lambda: composed.silu(Tensor(x)).v,
        "softmax": lambda: composed.softmax(Tensor(x), 0).v,
        "log_softmax": lambda: composed.log_softmax(Tensor(x), 0).v,
        "layer_norm": lambda: composed.layer_norm(Tensor(x), Tensor(np.ones_like(x)), None).v,
        "adamw": lambda: composed.adamw_steps(x[0], [lambda w, g=g: g for g in x[1:]]),
    }
    if name in known:
        return patterns(known[name]())
    module = next(m for m in (binary32, functions, binary64) if hasattr(m, name))
    return patterns(getattr(module, name)(*x))


def examples():
    text = PAGE.read_text().split("## Worked examples")[1].split("```text\n")[1].split("```")[0]
    for line in text.splitlines():
        call, wanted = line.split(" -> ")
        name, *words = call.split()
        got = example(name, words)
        yield "worked examples", None if got == wanted.split() else f"{line}, but {' '.join(got)}"


def main():
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    lines = [line for line in VECTORS.read_text().splitlines() if part in line.split(" = ")[0]]
    counts, right = {}, {}
    with np.errstate(all="ignore"):
        for group, difference in [*map(vector, lines), *([] if part else examples())]:
            counts[group] = counts.get(group, 0) + 1
            right[group] = right.get(group, 0) + (difference is None)
            if difference:
                print(f"DIFFERENT: {difference}")
    for group, count in counts.items():
        print(f"{group}: {right[group]} of {count}")
    print(f"total: {sum(right.values())} of {sum(counts.values())}")
    sys.exit(right != counts or not counts)


if __name__ == "__main__":
    main()
