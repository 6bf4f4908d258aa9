#!/usr/bin/env python3
"""A second opinion on a report, in exact rational numbers.

    python3 exact.py MODEL_DIR TEST_DIR REPORT_DIR

Recomputes every output of an MLP from the written definition of the
arithmetic, with nothing but Python's standard library and none of this
project's code: a product is a chain of fused multiply-adds, each rounded once
to binary32 from its exact value. Compares the leaves byte for byte, and the
digests, the Merkle root, the accuracy and (to 12 digits, since it uses this
machine's exp and log) the log loss. Slow: about 50,000 multiply-adds a second.
"""

import base64
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


def read_rows(folder):
    manifest = json.loads((folder / "dataset.json").read_text())
    spec = manifest["format"]["csv"]
    for file in manifest["files"]:
        lines = (folder / file["path"]).read_text().splitlines()
        for line in lines[1 if spec["header"] else 0 :]:
            cells = line.split(",")
            label = int(cells.pop(spec["label_column"]))
            divisor = spec["divide_inputs_by"]
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


def main(model, test, report):
    tensors = read_weights(model / "model.safetensors")
    layers = len(json.loads((model / "config.json").read_text())["hidden_sizes"]) + 1
    leaves, correct, loss = [], 0, 0.0
    for index, (x, label) in enumerate(read_rows(test)):
        z = forward(tensors, layers, x)
        leaves.append(struct.pack(f"<II{len(z)}f", index, len(z), *z))
        top = max(z)
        correct += z.index(top) == label
        loss += math.log(sum(math.exp(v - top) for v in z)) - (z[label] - top)
    found = json.loads((report / "report.json").read_text())
    scored = found["outcome"]["scored"]
    checks = {
        "leaves": (report / "leaves.bin").read_bytes() == b"".join(leaves),
        "predictions root": scored["predictions_root"] == text(merkle_root(leaves)),
        "weights digest": scored["weights_digest"] == text(weights_digest(tensors)),
        "correct": found["metrics"]["correct"] == correct,
        "log loss": math.isclose(found["metrics"]["log_loss"], loss / len(leaves), rel_tol=1e-12),
    }
    for name, agrees in checks.items():
        print(f"{name}: {'agrees' if agrees else 'DIFFERS'}")
    return 0 if all(checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:4])))
