#!/usr/bin/env python3
"""A second opinion on a report, in exact rational numbers.

    python3 exact.py MODEL_DIR TEST_DIR REPORT_DIR

Recomputes every output of an MLP from the written definition of the
arithmetic, with nothing but Python's standard library and none of this
project's code: a product is a chain of fused multiply-adds, each rounded once
to binary32 from its exact value. Compares the leaves byte for byte, the digests
and the Merkle root. Each metric is computed twice: as a chain in binary64 in the
written order, which must agree to the bit, and from its textbook definition in
exact rationals (ROC-AUC pair by pair), which must agree to 12 digits. Log loss
uses this machine's exp and log, so 12 digits are all that is compared. Slow:
about 50,000 multiply-adds a second. exact.sh makes some jobs for it.
"""

import base64
import gzip
import hashlib
import json
import math
import struct
import sys
from fractions import Fraction
from pathlib import Path


def to_binary32(x):
    """The exact x, a Fraction, rounded to the nearest binary32, ties to even."""
    if x == 0:
        return 0.0
    sign, x = (-1.0, -x) if x < 0 else (1.0, x)
    exponent = x.numerator.bit_length() - x.denominator.bit_length()
    if Fraction(2) ** exponent > x:
        exponent -= 1
    unit = Fraction(2) ** (max(exponent, -126) - 23)
    whole, rest = divmod(x, unit)
    if 2 * rest > unit or (2 * rest == unit and whole % 2 == 1):
        whole += 1
    return sign * float(whole * unit)


def fma(a, b, c):
    return to_binary32(Fraction(a) * Fraction(b) + Fraction(c))


def read_weights(path):
    data = path.read_bytes()
    (size,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        tensors[name] = (entry["shape"], data[begin:end])
    return tensors


def weights_digest(tensors):
    number = struct.Struct("<Q").pack
    sha = hashlib.sha256(b"lode/weights/1" + number(len(tensors)))
    for name in sorted(tensors, key=str.encode):
        shape, data = tensors[name]
        sha.update(number(len(name.encode())) + name.encode() + number(3) + b"F32")
        sha.update(number(len(shape)) + b"".join(map(number, shape)))
        sha.update(number(len(data)) + data)
    return sha.digest()


def read_idx(path):
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    dimensions = data[3]
    sizes = struct.unpack_from(f">{dimensions}I", data, 4)
    width = math.prod(sizes[1:])
    data = data[4 + 4 * dimensions :]
    return [data[row * width : (row + 1) * width] for row in range(sizes[0])]


def read_rows(folder):
    manifest = json.loads((folder / "dataset.json").read_text())
    ((kind, spec),) = manifest["format"].items()
    divisor = spec["divide_inputs_by"]
    if kind == "idx":
        labels = read_idx(folder / spec["labels"])
        for image, label in zip(read_idx(folder / spec["images"]), labels, strict=True):
            yield [to_binary32(Fraction(v, divisor)) for v in image], label[0]
        return
    read_label = float if spec["labels"] == "numbers" else int
    for file in manifest["files"]:
        lines = (folder / file["path"]).read_text().splitlines()
        for line in lines[1 if spec["header"] else 0 :]:
            cells = line.split(",")
            label = read_label(cells.pop(spec["label_column"]))
            values = [to_binary32(Fraction(cell)) for cell in cells]
            yield [to_binary32(Fraction(v) / divisor) for v in values], label


def forward(tensors, layers, x):
    for layer in range(layers):
        (outs, ins), weight = tensors[f"layers.{layer}.weight"]
        weight = struct.unpack(f"<{outs * ins}f", weight)
        bias = struct.unpack(f"<{outs}f", tensors[f"layers.{layer}.bias"][1])
        y = []
        for out in range(outs):
            chain = 0.0
            for k in range(ins):
                chain = fma(x[k], weight[out * ins + k], chain)
            y.append(to_binary32(Fraction(chain) + Fraction(bias[out])))
        x = [max(v, 0.0) for v in y] if layer + 1 < layers else y
    return x


def merkle_root(leaves):
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    left = 1 << ((len(leaves) - 1).bit_length() - 1)
    inner = merkle_root(leaves[:left]) + merkle_root(leaves[left:])
    return hashlib.sha256(b"\1" + inner).digest()


def text(digest):
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def chain(terms):
    total = 0.0
    for term in terms:
        total = total + term
    return total


def class_metrics(outputs, labels):
    """(name, the chain in binary64 or None, the definition in exact rationals)."""
    n, classes = len(labels), len(outputs[0])
    best = [z.index(max(z)) for z in outputs]
    hits = [sum(b == y == c for b, y in zip(best, labels)) for c in range(classes)]
    both = [labels.count(c) + best.count(c) for c in range(classes)]
    yield "correct", sum(hits), sum(b == y for b, y in zip(best, labels))
    yield "accuracy", float(sum(hits)) / n, Fraction(sum(hits), n)
    losses = [math.log(sum(math.exp(v - max(z)) for v in z)) - (z[y] - max(z)) for z, y in zip(outputs, labels)]
    yield "log_loss", None, chain(losses) / n
    there = [c for c in range(classes) if both[c]]
    f1 = sum(Fraction(2 * hits[c], both[c]) for c in there) / len(there)
    yield "macro_f1", chain(float(2 * hits[c]) / both[c] for c in there) / len(there), f1


def two_class_metrics(outputs, labels):
    margins = [float(one) - float(none) for none, one in outputs]
    positives = [d for d, y in zip(margins, labels) if y == 1]
    negatives = [d for d, y in zip(margins, labels) if y == 0]
    won = sum(2 * (p > q) + (p == q) for p in positives for q in negatives)
    pairs = 2 * len(positives) * len(negatives)
    yield "positives", len(positives), len(positives)
    yield "halves_won", won, won
    yield "roc_auc", float(won) / float(pairs), Fraction(won, pairs)
    terms, exact, before = [], Fraction(0), Fraction(0)
    for threshold in sorted(set(margins), reverse=True):
        here, passed = positives.count(threshold), sum(p >= threshold for p in positives)
        of_all = passed + sum(q >= threshold for q in negatives)
        if here:
            terms.append(float(here * passed) / float(of_all))
        recall = Fraction(passed, len(positives))
        exact, before = exact + (recall - before) * Fraction(passed, of_all), recall
    yield "average_precision", chain(terms) / len(positives), exact


def number_metrics(outputs, labels):
    n = len(labels)
    errors = [o - y for (o,), y in zip(outputs, labels)]
    true_errors = [Fraction(o) - Fraction(y) for (o,), y in zip(outputs, labels)]
    squares, true_squares = chain(e * e for e in errors), sum(e * e for e in true_errors)
    yield "rmse", math.sqrt(squares / n), exact_root(true_squares / n)
    yield "mae", chain(abs(e) for e in errors) / n, sum(map(abs, true_errors)) / n
    if any(y != labels[0] for y in labels):
        mean, true_mean = chain(labels) / n, sum(map(Fraction, labels)) / n
        about = chain((y - mean) * (y - mean) for y in labels)
        true_about = sum((Fraction(y) - true_mean) ** 2 for y in labels)
        yield "r2", 1.0 - squares / about, 1 - true_squares / true_about
    else:
        yield "r2", None, None


def exact_root(x):
    """The square root of a Fraction, to 40 digits."""
    scale = 10**40
    return Fraction(math.isqrt(x.numerator * scale * scale // x.denominator), scale)


def agrees(found, bits, exact):
    if exact is None or found is None:
        return found is None and exact is None
    near = abs(Fraction(found) - Fraction(exact)) <= abs(Fraction(exact)) / 10**12
    return near and (bits is None or found == bits)


def billionths(value):
    """A Fraction in billionths, half to even."""
    return round(value * 10**9)


def main(model, test, report):
    tensors = read_weights(model / "model.safetensors")
    layers = len(json.loads((model / "config.json").read_text())["hidden_sizes"]) + 1
    leaves, outputs, labels = [], [], []
    for index, (x, label) in enumerate(read_rows(test)):
        z = forward(tensors, layers, x)
        leaves.append(struct.pack(f"<II{len(z)}f", index, len(z), *z))
        outputs.append(z)
        labels.append(label)
    found = json.loads((report / "report.json").read_text())
    scored, metrics = found["outcome"]["scored"], found["metrics"]
    checks = {
        "leaves": (report / "leaves.bin").read_bytes() == b"".join(leaves),
        "predictions root": scored["predictions_root"] == text(merkle_root(leaves)),
        "weights digest": scored["weights_digest"] == text(weights_digest(tensors)),
    }
    if "rmse" in metrics:
        expected = list(number_metrics(outputs, labels))
        checks["score"] = scored["score"] == -billionths(Fraction(metrics["rmse"]))
    else:
        expected = list(class_metrics(outputs, labels))
        checks["score"] = scored["score"] == billionths(Fraction(metrics["correct"], len(labels)))
        two = metrics.pop("two_classes")
        is_two = len(outputs[0]) == 2 and len(set(labels)) == 2
        checks["two classes"] = is_two == (two is not None)
        if is_two:
            expected += two_class_metrics(outputs, labels)
            metrics |= two
    checks["every metric"] = sorted(metrics) == sorted(name for name, _, _ in expected)
    checks |= {name: agrees(metrics[name], bits, exact) for name, bits, exact in expected}
    for name, holds in checks.items():
        print(f"{name}: {'agrees' if holds else 'DIFFERS'}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:4])))
