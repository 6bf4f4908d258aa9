"""The peers' side of compare.py: PyTorch, ONNX Runtime and OpenBLAS at the works that the benches do.

    python3 peer.py LIBRARY THREADS FOLDER

LIBRARY is torch, onnx or openblas. Reads the name of a work a line, and answers each with a line of JSON: the rate in the work's
unit, median of some runs. FOLDER keeps the exported ONNX model. Models have the shapes of MiniLM (6 layers, 384 wide, 12 heads)
and random weights, so that nothing is downloaded.
"""
import json
import os
import statistics
import sys
import time

LIBRARY, THREADS, FOLDER = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(THREADS)
import numpy as np  # noqa: E402, after the threads are set

DIGITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../examples/digits/digits.csv")


def measure(call, amount, runs, run_min_s):
    """The rate: amount a call over the median seconds a call, after one run that is not counted."""
    call()
    times = []
    for _ in range(runs):
        start, calls = time.perf_counter(), 0
        while True:
            call()
            calls += 1
            spent = time.perf_counter() - start
            if spent >= run_min_s:
                break
        times.append(spent / calls)
    return {"rate": amount / statistics.median(times), "median_s": statistics.median(times),
            "min_s": min(times), "max_s": max(times)}


def shape_of(work):
    kind, lengths = work.split()
    if kind == "product":
        return (int(lengths),) * 3
    return tuple(int(n) for n in lengths.split("x"))


def openblas(work):
    rows, inner, columns = shape_of(work)
    random = np.random.default_rng(0)
    a = random.standard_normal((rows, inner), dtype=np.float32)
    b = random.standard_normal((inner, columns), dtype=np.float32)
    out = np.empty((rows, columns), dtype=np.float32)
    return measure(lambda: np.matmul(a, b, out=out), 2 * rows * inner * columns / 1e9, 7, 0.2)


def torch_work(work):
    import torch
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    kind = work.split()[0]
    if kind in ("product", "packed"):
        rows, inner, columns = shape_of(work)
        a, b, out = torch.randn(rows, inner), torch.randn(inner, columns), torch.empty(rows, columns)
        return measure(lambda: torch.mm(a, b, out=out), 2 * rows * inner * columns / 1e9, 7, 0.2)
    if kind == "read":
        batch, length = (int(n) for n in work.split()[1].split("x"))
        model, ids = encoder(torch, "sdpa"), tokens(torch, batch, length)
        mask, kinds = torch.ones_like(ids), torch.zeros_like(ids)

        def read():
            with torch.inference_mode():
                model(input_ids=ids, attention_mask=mask, token_type_ids=kinds)
        return measure(read, batch, 5, 0.5)
    if kind == "train":
        return train(torch, *(int(n) for n in work.split()[1].split("x")))
    if kind == "cnn":
        return cnn(torch, work.split()[1])
    if kind == "digits":
        return digits(torch)
    raise ValueError(work)


def config(attention):
    from transformers import BertConfig
    return BertConfig(vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
                      intermediate_size=1536, max_position_embeddings=512, num_labels=2,
                      attn_implementation=attention)


def encoder(torch, attention):
    from transformers import BertModel
    torch.manual_seed(0)
    return BertModel(config(attention)).eval()


def tokens(torch, batch, length):
    return torch.randint(1000, 30000, (batch, length))


def train(torch, batch, length):
    from transformers import BertForSequenceClassification
    model = BertForSequenceClassification(config("sdpa")).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-5)
    ids, labels = tokens(torch, batch, length), torch.randint(0, 2, (batch,))
    mask = torch.ones_like(ids)

    def step():
        optimiser.zero_grad(set_to_none=True)
        model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
        optimiser.step()
    step()
    return measure(step, 1, 5, 1.0)


def cnn(torch, kind):
    nn, batch = torch.nn, 128
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU(), nn.Linear(128, 10))
    x, y = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    if kind == "infer":
        def infer():
            with torch.inference_mode():
                net(x)
        return measure(infer, batch, 5, 0.5)
    optimiser, criterion = torch.optim.Adam(net.parameters(), lr=1e-3), nn.CrossEntropyLoss()

    def step():
        optimiser.zero_grad(set_to_none=True)
        criterion(net(x), y).backward()
        optimiser.step()
    return measure(step, batch, 5, 1.0)


def digits(torch):
    nn = torch.nn
    table = np.loadtxt(DIGITS, delimiter=",", dtype=np.float32)
    rows = table[np.arange(len(table)) % 5 != 0]
    x, y = torch.tensor(rows[:, :64] / 16), torch.tensor(rows[:, 64].astype(np.int64))
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser, criterion = torch.optim.Adam(net.parameters(), lr=1e-3), nn.CrossEntropyLoss()

    def epoch():
        order = torch.randperm(len(x))
        for start in range(0, len(x), 32):
            batch = order[start:start + 32]
            optimiser.zero_grad(set_to_none=True)
            criterion(net(x[batch]), y[batch]).backward()
            optimiser.step()
    return measure(epoch, 1, 5, 1.0)


def onnx(work):
    import onnxruntime
    import torch
    torch.set_num_threads(1)
    path = os.path.join(FOLDER, "encoder.onnx")
    if not os.path.exists(path):
        export(torch, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    batch, length = (int(n) for n in work.split()[1].split("x"))
    ids = tokens(torch, batch, length).numpy()
    feed = {"ids": ids, "mask": np.ones_like(ids), "kinds": np.zeros_like(ids)}
    return measure(lambda: session.run(None, feed), batch, 5, 0.5)


def export(torch, path):
    class Hidden(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, ids, mask, kinds):
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=kinds).last_hidden_state

    ids = torch.ones(8, 64, dtype=torch.long)
    axes = {0: torch.export.Dim("batch", min=1, max=512), 1: torch.export.Dim("length", min=2, max=512)}
    with open(os.devnull, "w") as nowhere:
        stdout, sys.stdout = sys.stdout, nowhere
        try:
            torch.onnx.export(Hidden(encoder(torch, "eager")).eval(), (ids * 7, ids, ids * 0), path,
                              input_names=["ids", "mask", "kinds"], output_names=["hidden"],
                              dynamic_shapes=(axes, axes, axes), dynamo=True)
        finally:
            sys.stdout = stdout


if __name__ == "__main__":
    work_of = {"torch": torch_work, "onnx": onnx, "openblas": openblas}[LIBRARY]
    if LIBRARY != "openblas":
        import torch  # noqa: F401, so that starting is over before the first work
    print(json.dumps({"ready": LIBRARY}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"work": line.strip(), **work_of(line.strip())}), flush=True)
