#!/usr/bin/python3
"""Trains on mlc and on PyTorch in turn, in one run, and prints the ratio of their speeds.

    tests/bench/compare.py [--mlc build/mlc] [--rounds 5] [--threads 2] [--least 0.5]

PyTorch (Debian's python3-torch) is measured at its best: see targets. Both layouts of its memory are tried and the faster one counts. Each
figure is a median over the rounds; the ratio is taken round by round, so a machine whose speed drifts does not favour either. With --least, exits 1
when the ratio stays below it."""
import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORKLOADS = {"digits": ("examples/digits/mnist.mlc", 128), "mlp": ("tests/bench/mlp.mlc", 500)}


def torch_environment(threads):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS")}
    environment.update(OMP_NUM_THREADS=str(threads), MALLOC_TRIM_THRESHOLD_="100000000000",
                       MALLOC_MMAP_THRESHOLD_="100000000000", MALLOC_TOP_PAD_="100000000")
    return environment


def torch_speed(workload, batch, threads, seconds, channels_last):
    command = ["/usr/bin/python3", os.path.join(HERE, "torch_train.py"), workload, str(batch), str(threads), str(seconds),
               "1" if channels_last else "0"]
    return float(subprocess.run(command, env=torch_environment(threads), check=True, capture_output=True, text=True).stdout)


def mlc_bench(mlc, model, threads):
    command = [mlc, "bench", os.path.join(ROOT, model), "--entry", "step", "--json", "--threads", str(threads)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def require_blas(options):
    """Debian's PyTorch runs on whatever BLAS is installed; the reference one is fifty times too slow to compare with."""
    peak = mlc_bench(options.mlc, WORKLOADS["mlp"][0], options.threads)["peak_flops"]
    reached = torch_speed("gemm", 1024, options.threads, 1, False)
    if reached < 0.3 * peak:
        sys.exit(f"PyTorch multiplies matrices at {reached / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s: install libopenblas0-openmp")


def compare(name, options):
    model, batch = WORKLOADS[name]
    best = {c: torch_speed(name, batch, options.threads, 1, c) for c in (False, True)}
    channels_last = best[True] > best[False]
    ours, theirs = [], []
    for _ in range(options.rounds):
        theirs.append(torch_speed(name, batch, options.threads, 2, channels_last))
        ours.append(mlc_bench(options.mlc, model, options.threads)["samples_per_second"])
    ratio = statistics.median(a / b for a, b in zip(ours, theirs))
    print(f"| {name}, batch {batch} | {statistics.median(theirs):,.0f} | {statistics.median(ours):,.0f} | {ratio:.2f} |")
    return ratio


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlc", default=os.path.join(ROOT, "build", "mlc"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--least", type=float, default=0)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS))
    options = parser.parse_args()
    require_blas(options)
    print(f"| training, {options.threads} threads | PyTorch, samples/s | mlc, samples/s | ratio |")
    print("|---|---|---|---|")
    ratios = [compare(name, options) for name in options.workloads]
    return 1 if min(ratios) < options.least else 0


if __name__ == "__main__":
    sys.exit(main())
