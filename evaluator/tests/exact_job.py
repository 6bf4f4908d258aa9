#!/usr/bin/env python3
"""A pseudo-random model folder and rows for exact.sh.

    python3 exact_job.py DIR KIND INPUTS OUTPUTS ROWS

KIND: classes, numbers (both write rows.csv), idx (images.gz and labels.gz), or
tied, whose outputs are the same for every row.
"""

import gzip
import json
import random
import struct
import sys
from pathlib import Path


def main(folder, kind, inputs, outputs, rows):
    draw = random.Random(f"{kind} {inputs} {outputs} {rows}")
    sizes = [inputs, 7, outputs]
    tensors = {}
    for layer, (a, b) in enumerate(zip(sizes, sizes[1:])):
        scale = 0.0 if kind == "tied" else 1.0
        tensors[f"layers.{layer}.weight"] = ([b, a], [scale * draw.uniform(-1, 1) for _ in range(a * b)])
        tensors[f"layers.{layer}.bias"] = ([b], [scale * draw.uniform(-1, 1) for _ in range(b)])
    header, data = {}, b""
    for name, (shape, values) in sorted(tensors.items()):
        begin = len(data)
        data += struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "model").mkdir(parents=True)
    (folder / "model/model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    config = {"model_type": "mlp", "input_size": inputs, "hidden_sizes": [7], "num_labels": outputs, "hidden_act": "relu"}
    (folder / "model/config.json").write_text(json.dumps(config))
    if kind == "idx":
        pixels = bytes(draw.randrange(256) for _ in range(rows * inputs))
        header = struct.pack(">4BIII", 0, 0, 8, 3, rows, 3, inputs // 3)
        (folder / "images.gz").write_bytes(gzip.compress(header + pixels))
        labels = bytes(draw.randrange(outputs) for _ in range(rows))
        (folder / "labels.gz").write_bytes(gzip.compress(struct.pack(">4BI", 0, 0, 8, 1, rows) + labels))
        return
    lines = []
    for _ in range(rows):
        # Few values, so that rows and margins repeat; one class is never a label.
        cells = [str(draw.randrange(3)) for _ in range(inputs)]
        label = f"{draw.uniform(-4, 4):.3f}" if kind == "numbers" else str(draw.randrange(max(outputs - 1, 2)))
        lines.append(",".join([*cells, label]) + "\n")
    (folder / "rows.csv").write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:6]))
