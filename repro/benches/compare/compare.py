"""Ours against PyTorch, ONNX Runtime, OpenBLAS, std and libm, in turn on one machine, as a table in markdown.

    python3 repro/benches/compare/compare.py                       everything: builds, measures, prints the table
    python3 repro/benches/compare/compare.py --only digits,read    some works; results of others are kept
    python3 repro/benches/compare/compare.py --table               prints the table of what was measured

Each round measures a work with each contender in turn, and the median over the rounds counts, so that what else the machine does
meets all alike. --threads 1,2 and --rounds 3 are what it does without being asked. PyTorch and its kin come from a virtual
environment that it makes in target/compare (from the package index, some GB), or from the interpreter that --python names. The
machine should have nothing else to do.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "../../.."))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
FOLDER = os.path.join(TARGET, "compare")
RESULTS = os.path.join(FOLDER, "results.json")
PACKAGES = ["torch", "transformers", "onnxruntime", "onnx", "onnxscript", "numpy"]

BLAS = ["openblas", "torch"]
SHAPES = [f"packed {rows}x{inner}x{columns}" for rows in (64, 128, 512)
          for inner, columns in ((384, 1536), (1536, 384), (384, 384))]
FUNCTIONS = {"exp": "std", "tanh": "std", "erf": "libm", "log": "std", "gelu": "libm", "softmax": "std"}
# Work: the bench that does it, its peers, the least ratio to the better of them (None: told, not promised).
WORKS = {
    **{f"product {n}": ("shapes", BLAS, {peer: 1.0 for peer in BLAS}) for n in (512, 1024, 2048)},
    **{shape: ("shapes", BLAS, {peer: 1.0 for peer in BLAS}) for shape in SHAPES},
    "read 32x64": ("encoder", ["torch", "onnx"], {"torch": 1.3, "onnx": 1.1}),
    "train 16x64": ("encoder", ["torch"], {"torch": 1.3}),
    "train 32x64": ("encoder", ["torch"], {"torch": 1.3}),
    "cnn train": ("cnn", ["torch"], {"torch": 1.2}),
    "cnn infer": ("cnn", ["torch"], {"torch": 1.2}),
    "digits": ("digits", ["torch"], {"torch": 6.0}),
    # The platform's functions, which the bench calls itself, in turn with ours.
    **{f"function {name}": ("functions", [peer], {peer: 3.0}) for name, peer in FUNCTIONS.items()},
}
UNITS = {"product": "GFLOP/s", "packed": "GFLOP/s", "read": "sentences/s", "train": "steps/s", "cnn": "images/s",
         "digits": "epochs/s", "function": "numbers/ns"}
NAMES = {"std": "std", "libm": "libm", "torch": "PyTorch", "onnx": "ONNX Runtime", "openblas": "OpenBLAS", "flex": "burn-flex",
         "ndarray": "burn-ndarray", "gemm": "gemm", "matrixmultiply": "matrixmultiply"}
# What a Rust user would pick, in benches/peers: beside what they can do too, with no ratio promised.
RUST = ["flex", "ndarray", "gemm", "matrixmultiply"]
RUST_WORKS = {
    **{f"product {n}": RUST for n in (512, 1024, 2048)},
    **{f"packed {shape}": ["gemm", "matrixmultiply"] for shape in ("64x384x1536", "128x1536x384", "512x384x384")},
    "read 32x64": ["flex", "ndarray"],
}


def environment():
    """An interpreter that has the peers."""
    folder = os.path.join(FOLDER, "venv")
    python = os.path.join(folder, "bin/python")
    if not os.path.exists(python):
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def built(benches):
    """The newest program of each bench that was built before."""
    folder = os.path.join(TARGET, "release/deps")
    programs = {}
    for bench in benches:
        names = [name for name in os.listdir(folder) if re.fullmatch(bench + "-[0-9a-f]{16}", name)]
        paths = [os.path.join(folder, name) for name in names]
        if paths:
            programs[bench] = max(paths, key=os.path.getmtime)
    return programs


def build(benches, works):
    """Builds benches, and the peers if a work wants them; the path of each program."""
    if any(work in RUST_WORKS for work in works):
        command = ["cargo", "build", "--release", "--locked", "--manifest-path", os.path.join(HERE, "../peers/Cargo.toml"),
                   "--target-dir", TARGET]
        subprocess.run(command, cwd=ROOT, check=True)
    targets = [word for bench in benches for word in ("--bench", bench)]
    command = ["cargo", "bench", "--locked", "-p", "repro", *targets, "--no-run", "--message-format=json"]
    out = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    built = [json.loads(line) for line in out.splitlines()]
    return {message["target"]["name"]: message["executable"] for message in built if message.get("executable")}


class Peer:
    """A library at work in a process of its own, which sleeps between works."""

    def __init__(self, options, library, threads):
        if library in RUST:
            command = [os.path.join(TARGET, "release/peers"), library, str(threads)]
        else:
            command = [options.python, os.path.join(HERE, "peer.py"), library, str(threads), FOLDER]
        # Variables that make OpenBLAS take older kernels are set on some machines; peers choose for themselves.
        free = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=free)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended: {self.process.args}")
        return json.loads(line)

    def rate(self, work):
        self.process.stdin.write(work + "\n")
        self.process.stdin.flush()
        return self.answer()["rate"]

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def lines_of(program, work, threads):
    command = [program, "--json", "--threads", str(threads), "--only", work]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def both(program, work, threads):
    """The rate of a function of ours, and that of its peer in the same run."""
    line = next(line for line in lines_of(program, work, threads) if line["work"] == work)
    return line["rate"], line["peer_rate"]


def ours(program, work, threads):
    """The rate of a work of ours."""
    lines = lines_of(program, work, threads)
    if work.startswith("cnn"):
        return lines[0][work.split()[1] + "_images_per_s"]
    return next(line["rate"] for line in lines if line["work"] == work)


def peak(options, program, threads):
    """The measured FMA peak; ends where threads do not add up, for then something else is at work and no figure means anything."""
    alone, all_threads = ours(program, "peak", 1), ours(program, "peak", threads)
    if all_threads < 0.85 * threads * alone and not options.busy:
        sys.exit(f"{threads} threads reach {all_threads:.0f} GFLOP/s and one {alone:.0f}: the machine is not idle, or has not so "
                 "many cores; --busy measures all the same")
    return all_threads


def stored():
    if not os.path.exists(RESULTS):
        return {"rates": {}, "peak": {}}
    with open(RESULTS) as file:
        return json.load(file)


def store(results):
    with open(RESULTS + ".new", "w") as file:
        json.dump(results, file, indent=1, sort_keys=True)
    os.replace(RESULTS + ".new", RESULTS)


def measure(options, works):
    results = stored()
    results["machine"] = machine(options.python)
    benches = sorted(({WORKS[work][0] for work in works} | {"shapes"}) & available())
    programs = built(benches) if options.built else build(benches, works)
    for threads in options.threads:
        measured = peak(options, programs["shapes"], threads)
        results["peak"].setdefault(str(threads), measured)
        libraries = sorted({peer for work in works for peer in peers_of(work)} - set(FUNCTIONS.values()))
        peers = {library: Peer(options, library, threads) for library in libraries}
        for work in works:
            bench, names = WORKS[work][0], peers_of(work)
            if bench not in programs:
                print(f"skipped: {work}, for there is no bench {bench}", file=sys.stderr)
                continue
            rates, peaks = {name: [] for name in ["ours", *names]}, []
            for _ in range(options.rounds):
                if work == "product 1024":  # Its share of the peak is told: of the peak of the same minute.
                    peaks.append(ours(programs["shapes"], "peak", threads))
                if bench == "functions":
                    ours_and_theirs = both(programs[bench], work, threads)
                    for name, rate in zip(rates, ours_and_theirs, strict=True):
                        rates[name].append(rate)
                    continue
                for name in rates:
                    time.sleep(0.3)  # Threads that spun for the one before are asleep.
                    rate = ours(programs[bench], work, threads) if name == "ours" else peers[name].rate(work)
                    rates[name].append(rate)
            medians = {name: statistics.median(each) for name, each in rates.items()}
            results["rates"].setdefault(work, {})[str(threads)] = medians
            if peaks:
                results["peak"][str(threads)] = statistics.median(peaks)
            store(results)
            told = ", ".join(f"{name} {rate:.2f}" for name, rate in medians.items())
            print(f"{work}, {threads} threads: {told}", file=sys.stderr)
        for peer in peers.values():
            peer.end()


def available():
    return {name[:-3] for name in os.listdir(os.path.join(HERE, "..")) if name.endswith(".rs")}


def peers_of(work):
    has_rust = work in RUST_WORKS and os.path.exists(os.path.join(TARGET, "release/peers"))
    return WORKS[work][1] + (RUST_WORKS[work] if has_rust else [])


def wants(options, name):
    return not options.only or any(name.startswith(only) for only in options.only)


def machine(python):
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    code = "import importlib.metadata as m, sys; print(', '.join(f'{p} {m.version(p)}' for p in sys.argv[1:]))"
    command = [python, "-c", code, "torch", "transformers", "onnxruntime", "numpy"]
    versions = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return {"processor": model, "cores": os.cpu_count(), "versions": versions, "day": time.strftime("%Y-%m-%d")}


def number(x):
    return f"{x:.0f}" if x >= 100 else f"{x:.1f}" if x >= 10 else f"{x:.2f}"


def told_ratio(ratio, goal):
    """Two digits; three where two would not tell whether the goal is reached."""
    return f"{ratio:.3f}" if f"{ratio:.2f}" == f"{goal:.2f}" else f"{ratio:.2f}"


def table(results):
    """The table, a line a work and thread count."""
    about = results["machine"]
    yield f"{about['processor']}, {about['cores']} cores; {about['versions']}; {about['day']}."
    yield ""
    for threads, peak in sorted(results["peak"].items()):
        product = results["rates"].get("product 1024", {}).get(threads)
        share = f"; 1024³ runs at {100 * product['ours'] / peak:.0f} % of it (goal 80)" if product else ""
        yield f"Measured FMA peak, {threads} thread(s): {peak:.0f} GFLOP/s{share}."
    yield ""
    yield "| work | threads | ours | peers | ratio | at least | reached |"
    yield "|---|---|---|---|---|---|---|"
    for work, (_, peers, goals) in WORKS.items():
        for threads, rates in sorted(results["rates"].get(work, {}).items()):
            unit = UNITS[work.split()[0]]
            told = ", ".join(f"{NAMES[peer]} {number(rates[peer])}" for peer in peers)
            ratios = {peer: rates["ours"] / rates[peer] for peer in peers}
            each = ", ".join(told_ratio(ratios[peer], goals[peer]) for peer in peers)
            goal = ", ".join(f"{goals[peer]}" for peer in peers)
            reached = "yes" if all(ratios[peer] >= goals[peer] for peer in peers) else "**no**"
            yield f"| {work}, {unit} | {threads} | {number(rates['ours'])} | {told} | {each} | {goal} | {reached} |"
        if work not in results["rates"]:
            yield f"| {work} | | not measured | | | | |"
    for n in (512, 1024, 2048):
        rates = results["rates"].get(f"product {n}", {})
        if "1" in rates and "2" in rates:
            ratio = rates["2"]["ours"] / rates["1"]["ours"]
            reached = "yes" if ratio >= 1.85 else "**no**"
            yield f"| product {n}, from 1 to 2 threads | | | | {ratio:.2f} | 1.85 | {reached} |"
    yield ""
    yield "Against what a Rust user would pick, in the same rounds (\"packed\" is so on our side):"
    yield ""
    yield "| work | threads | ours | " + " | ".join(NAMES[peer] for peer in RUST) + " |"
    yield "|---|---|---|" + "---|" * len(RUST)
    for work, peers in RUST_WORKS.items():
        for threads, rates in sorted(results["rates"].get(work, {}).items()):
            if any(peer in rates for peer in peers):
                told = {peer: f"{number(rates[peer])} ({rates['ours'] / rates[peer]:.2f} ×)" for peer in peers if peer in rates}
                each = " | ".join(told.get(peer, "") for peer in RUST)
                yield f"| {work}, {UNITS[work.split()[0]]} | {threads} | {number(rates['ours'])} | {each} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", help="an interpreter with " + ", ".join(PACKAGES))
    parser.add_argument("--threads", type=lambda text: [int(n) for n in text.split(",")], default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[], help="beginnings of works' names")
    parser.add_argument("--built", action="store_true", help="take the programs that were built before")
    parser.add_argument("--busy", action="store_true", help="measure beside other work")
    parser.add_argument("--table", action="store_true", help="measure nothing")
    options = parser.parse_args()
    os.makedirs(FOLDER, exist_ok=True)
    if not options.table:
        options.python = options.python or environment()
        measure(options, [work for work in WORKS if wants(options, work)])
    print("\n".join(table(stored())))


if __name__ == "__main__":
    main()
