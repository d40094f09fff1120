#!/usr/bin/env python3
"""Runs the loaders over damaged, hostile and good files, one process a file.

    damaged.py PROBE FOLDER      (MLC_SHARED_DATA overrides the folder)

Of each file malformed.tar.gz says `error` (must be refused with a report), `ok` (must be read) or `no crash` (either).  All of them:
no signal, no sanitizer report, under 5 seconds (1 is the aim; sanitizers and a busy machine take their share), and no more memory
than 16 times the file and 16 MiB."""
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor

SECONDS = 5
SANITIZED = b"AddressSanitizer", b"runtime error:"

# How a file of a format is opened; {} is the file.  csv: the good files have missing cells, which some number has to fill.
CALLS = {
    "safetensors": ["tensors", "{}"],
    "npy": ["array", "{}"],
    "idx": ["idx", "{}"],
    "cifar": ["cifar", "{}"],
    "csv": ["csv", "{}", "missing=0"],
    "png": ["picture", "{}"],
    "jpeg": ["picture", "{}"],
}


class Run:
    """One run of the probe: what it said, and what it did that no file may make it do."""

    def __init__(self, probe, words, sizes_of):
        size = sum(os.path.getsize(p) for p in sizes_of)
        self.problems = []
        try:
            done = subprocess.run([probe, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.code, self.out = None, ""
            self.problems.append(f"over {SECONDS} seconds")
            return
        self.code, self.out = done.returncode, done.stdout.decode("utf-8", "replace")
        if self.code not in (0, 3):
            self.problems.append(f"exit {self.code}: {self.out.strip()[-200:]} {done.stderr.decode('utf-8', 'replace')[-300:]}")
        if any(mark in done.stderr for mark in SANITIZED):
            self.problems.append(done.stderr.decode("utf-8", "replace")[:600])
        peak = re.search(r"^peak (\d+)$", self.out, re.M)
        if peak and int(peak[1]) > 16 * size + (16 << 20):
            self.problems.append(f"held {peak[1]} bytes for a file of {size}")
        if self.code == 3 and "error:" not in self.out:
            self.problems.append("refused without a reason")

    def expect(self, expected):
        if expected == "error" and self.code == 0:
            self.problems.append("read, but has to be refused")
        if expected == "ok" and self.code == 3:
            self.problems.append("refused, but has to be read: " + self.out)
        return self.problems


def malformed(probe, folder):
    root = os.path.join(folder, "malformed")
    for line in open(os.path.join(root, "INDEX.tsv"), encoding="utf-8").read().splitlines()[1:]:
        name, expected, why = line.split("\t")[:3]
        call = CALLS.get(name.split("/")[0])
        if call:
            path = os.path.join(root, name)
            yield f"{name} ({expected}: {why})", lambda path=path, call=call, expected=expected: Run(
                probe, [w.format(path) for w in call], [path]).expect(expected)
    idx = os.path.join(root, "idx")
    for labels, expected in ("ok-20-labels.idx", "ok"), ("labels-19.idx", "error"):
        paths = [os.path.join(idx, "ok-20-images.idx"), os.path.join(idx, labels)]
        yield f"idx pair with {labels}", lambda paths=paths, expected=expected: Run(probe, ["idx", *paths], paths).expect(expected)


def read_npy(path):
    """A u8 array of three axes: (shape, bytes)."""
    data = open(path, "rb").read()
    begin = 10 + int.from_bytes(data[8:10], "little")
    shape = tuple(int(n) for n in re.search(rb"'shape': \(([^)]*)\)", data[:begin])[1].split(b",") if n.strip())
    assert b"'|u1'" in data[:begin] and b"False" in data[:begin]
    return shape, data[begin:]


def read_pixels(path):
    data = open(path, "rb").read()
    end = data.index(b"\n")
    width, height, channels = (int(n) for n in data[:end].split())
    return width, height, channels, data[end + 1:]


def as_rgba(pixels, channels):
    out = bytearray()
    for i in range(0, len(pixels), channels):
        p = pixels[i:i + channels]
        color = p[:3] if channels > 2 else p[:1] * 3
        out += color + (p[-1:] if channels in (2, 4) else b"\xff")
    return bytes(out)


# Its reference shows the gray that tRNS makes transparent (15 of 4 bits) as opaque; the PNG specification (11.3.2.1) says otherwise.
ALPHA_UNSURE = {"tbbn0g04.png"}


def picture(probe, path, raw, expected, reference, allowed):
    """The picture at `path` against a .rgba.npy, or another picture."""
    run = Run(probe, ["picture", path, raw], [path])
    problems = run.expect(expected)
    if problems or run.code != 0 or not os.path.exists(reference):
        return problems
    width, height, channels, pixels = read_pixels(raw)
    mine = as_rgba(pixels, channels)
    if reference.endswith(".npy"):
        (rows, columns, _), theirs = read_npy(reference)
    else:
        other = Run(probe, ["picture", reference, raw], [reference])
        if other.code != 0:
            return other.problems + ["the reference cannot be read"]
        columns, rows, channels, pixels = read_pixels(raw)
        theirs = as_rgba(pixels, channels)
    if (width, height) != (columns, rows):
        return [f"{width} x {height} pixels instead of {columns} x {rows}"]
    # The colour of pixels that cannot be seen is nobody's business.
    last = 3 if os.path.basename(path) in ALPHA_UNSURE else 4
    worst = max((abs(a - b) for i, (a, b) in enumerate(zip(mine, theirs)) if i % 4 < last and (i % 4 == 3 or theirs[i | 3])), default=0)
    return [f"differs by {worst} levels, {allowed} are allowed"] if worst > allowed else []


def suites(probe, folder):
    import json
    index = json.load(open(os.path.join(folder, "index.json"), encoding="utf-8"))
    for name, about in sorted(index.items()):
        kind = next((k for k in ("png", "jpeg", "jpeg-crash") if os.path.exists(os.path.join(folder, k, name))), None)
        if not kind:
            yield name, lambda: ["in the index, but not in the archive"]
            continue
        path, stem = os.path.join(folder, kind, name), os.path.splitext(name)[0]
        reference = os.path.join(folder, kind, stem + (".rgba.npy" if kind == "png" else ".png"))
        allowed = 0 if kind == "png" else 3
        raw = os.path.join(folder, name + ".raw")
        yield f"{kind}/{name}", lambda a=(probe, path, raw, about["expect"], reference, allowed): picture(*a)
    for name in sorted(os.listdir(os.path.join(folder, "npy"))):
        expected = "error" if "c64" in name or "bad" in name else "ok"
        path = os.path.join(folder, "npy", name)
        yield f"npy/{name}", lambda path=path, expected=expected: Run(probe, ["array", path], [path]).expect(expected)


# Real sets: call, and lines that the probe has to print.
REAL = [
    (["idx", "mnist/train-images-idx3-ubyte.gz", "mnist/train-labels-idx1-ubyte.gz"], ["60000 samples", "image u8[28, 28]"]),
    (["idx", "mnist/t10k-images-idx3-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"], ["10000 samples", "label u8[]"]),
    (["cifar", "cifar10/train-*.bin.gz"], ["4000 samples", "image u8[3, 32, 32]", "class truck"]),
    (["images", "cifar10/test"], ["1000 samples", "10 classes"]),
    (["csv", "sklearn/digits.csv.gz"], ["1797 samples", "features f32[64]", "label i32[]"]),
    (["csv", "sklearn/iris.csv"], ["error:", "`skip: 1` leaves the first line out"]),
    (["csv", "sklearn/iris.csv", "skip=1"], ["150 samples", "features f32[4]", "label i32[]"]),
    (["csv", "sklearn/wine_data.csv", "skip=1"], ["178 samples", "features f32[13]"]),
    (["csv", "sklearn/diabetes_data_raw.csv.gz", "label=none"], ["442 samples", "features f32[10]"]),
    (["csv", "tabular/adult-train.csv.gz", "missing=drop"], ["32561 samples, 2 classes", "features f32[6]", "class <=50K", "class >50K"]),
    (["csv", "tabular/adult-test.csv.gz"], ["16281 samples, 2 classes"]),
    (["csv", "tabular/titanic.csv", "label='survived", "missing=drop"], ["features f32[5]", "survived i32[]"]),
    (["csv", "tabular/california-housing.csv.gz", "label='median_house_value", "missing=drop"], ["20433 samples", "features f32[8]"]),
    (["csv", "tabular/penguins.csv", "label='species", "missing=drop"], ["342 samples, 3 classes", "class Chinstrap"]),
    (["csv", "tabular/horse-colic.csv", "missing=0"], ["300 samples", "features f32[27]"]),
    (["csv", "tabular/abalone.csv"], ["4177 samples", "features f32[7]", "label i32[]"]),
    (["csv", "tabular/winequality-white.csv"], ["4898 samples", "features f32[11]"]),
    (["csv", "series/monthly-sunspots.csv", "columns='x"], ["error: `columns` has to be a list"]),
    (["text", "text/tinyshakespeare.txt.gz", "window=256"], ["4357 samples", "tokens i32[256]", "next i32[256]"]),
    (["tensors", "safetensors/burn-mnist-cnn/model.safetensors"], ["fc1.weight f32[32, 11616]", "norm1.num_batches_tracked i64[]"]),
    (["tensors", "safetensors/tinygrad-mnist-mlp/model.safetensors"], ["l1.weight f32[128, 784]"]),
    (["array", "safetensors/tinygrad-mnist-mlp/input_0.npy"], ["array f32[16"]),
]


def real(probe, folder):
    for words, lines in REAL:
        def check(words=words, lines=lines):
            call = [os.path.join(folder, w) if "/" in w else w for w in words]
            run = Run(probe, call, [c for c in call if os.path.isfile(c)])
            problems = [p for p in run.problems if not p.startswith("held")]  # real sets may be many files
            return problems + [f"does not say `{line}`: {run.out}" for line in lines if line not in run.out]
        yield " ".join(words), check


def pictures(probe, shared, folder):
    for name, shape, count in ("cifar-png", "3, 32, 32", 400), ("cifar-jpeg", "3, 32, 32", None), ("mnist-png", "1, 28, 28", 500):
        with tarfile.open(os.path.join(shared, "images", name + ".tar.gz")) as archive:
            archive.extractall(os.path.join(folder, name))
        train = next(d for d, names, _ in os.walk(os.path.join(folder, name)) if os.path.basename(d) == "train")

        def check(train=train, shape=shape, count=count):
            run = Run(probe, ["images", train], [])
            problems = [p for p in run.problems if not p.startswith("held")]
            wanted = [f"image u8[{shape}]", "10 classes"] + ([f"{count} samples"] if count else [])
            return problems + [f"does not say `{w}`: {run.out}" for w in wanted if w not in run.out]
        yield f"images of {name}", check


def main():
    probe, shared = sys.argv[1], os.environ.get("MLC_SHARED_DATA") or sys.argv[2]
    archives = [os.path.join(shared, "malformed.tar.gz"), os.path.join(shared, "suites", "image-suites.tar.gz")]
    missing = [a for a in archives if not os.path.exists(a)]
    if missing:
        print(f"skipped: there is no {missing[0]}; set MLC_SHARED_DATA to the folder of test data")
        return 77

    with tempfile.TemporaryDirectory() as folder:
        for archive in archives:
            with tarfile.open(archive) as files:
                files.extractall(folder)
        cases = [*malformed(probe, folder), *suites(probe, folder), *real(probe, shared), *pictures(probe, shared, folder)]
        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(lambda case: (case[0], case[1]()), cases))
    bad = [(name, problems) for name, problems in results if problems]
    for name, problems in bad:
        print(name, *problems, sep="\n    ")
    print(f"{len(results) - len(bad)} of {len(results)} files as expected")
    return 1 if bad else 0


sys.exit(main())
