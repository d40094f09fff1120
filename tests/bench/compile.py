#!/usr/bin/python3
"""How long compilation takes, cold and from the cache, and what the cache of structures saves: compile.py [--mlc build/mlc] [--rounds 5]

Medians over rounds, each in a process of its own. Exits 1 when the step of examples/digits/mnist.mlc needs 1.5 s cold or 0.1 s cached."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def seconds(mlc, model, cache):
    environment = dict(os.environ, XDG_CACHE_HOME=cache)
    command = [mlc, "bench", os.path.join(ROOT, model), "--entry", "step", "--repeat", "1", "--json"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["compile_seconds"]


def structures(mlc, model):
    done = subprocess.run([mlc, "check", os.path.join(ROOT, model), "--json"], check=True, capture_output=True, text=True)
    step = json.loads(done.stdout)["entries"]["step"]
    return step["kernels"], step["structures"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlc", default=os.path.join(ROOT, "build", "mlc"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("| step of | calls | structures compiled | cold, s | cached, s |")
    print("|---|---|---|---|---|")
    limits = {"examples/digits/mnist.mlc": (1.5, 0.1)}
    failed = False
    for model in ("examples/digits/mnist.mlc", "examples/resnet/resnet20.mlc", "examples/gpt/gpt.mlc"):
        cold, cached = [], []
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as cache:
                cold.append(seconds(options.mlc, model, cache))
                cached.append(seconds(options.mlc, model, cache))
        calls, unique = structures(options.mlc, model)
        a, b = statistics.median(cold), statistics.median(cached)
        print(f"| {os.path.basename(model)} | {calls} | {unique} | {a:.3f} | {b:.3f} |")
        if model in limits:
            failed |= a >= limits[model][0] or b >= limits[model][1]
    return 1 if failed else 0


sys.exit(main())
