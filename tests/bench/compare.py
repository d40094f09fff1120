#!/usr/bin/python3
"""Runs the workloads on mlc and on every peer in turn, in one run, and prints a table of ratios; see README.md beside this file.

    tests/bench/compare.py [--mlc build/mlc] [--rounds 5] [--threads 2] [--quick] [--markdown FILE] [--least RATIO] [ITEM...]

Items (default all): w1 w2 w3 w4 w6 (training; losses must agree first), bf16, batch1, w5 (inference), int8 (the same), threads, budget
(--memory), contractions, start.
Exits 1 when losses disagree, and with --least when the ratio of a training row stays below it."""
import argparse
import os
import statistics
import sys
import tempfile

import contractions
import start
from sides import LOAD, Mlc, ROOT, alternate, median_ratio, onnx_library, onnx_worker, peer_environment, torch_version, torch_worker
from table import Row, Table, speed
from workloads import BF16_TOLERANCE, INTEGER_TOLERANCE, LOSS_STEPS, OUTPUT_TOLERANCE, TARGETS, WORKLOADS

UNBOUNDED = 1 << 49  # bytes of memory, of a plan that computes nothing again


class Comparison:
    def __init__(self, options):
        self.options = options
        self.mlc = Mlc(options.mlc, options.quick)
        self.table = Table()
        self.torch = None
        self.ratios = []
        self.version = f"PyTorch {torch_version()}"
        self.seconds = 0.3 if options.quick else 2

    def start_torch(self):
        """Anew for each item: its allocator is told to keep what it got."""
        self.stop_torch()
        self.torch = torch_worker(peer_environment(self.options.threads))

    def stop_torch(self):
        if self.torch:
            self.torch.close()
        self.torch = None

    def require_blas(self):
        """Debian's PyTorch runs on whatever BLAS is installed; the reference one is fifty times too slow to compare with."""
        self.start_torch()
        peak = self.mlc.bench("w2.mlc", self.options.threads, repeat=5)["peak_flops"]
        reached = LOAD.watch(lambda: self.torch.ask(do="gemm", threads=self.options.threads))["flops"]
        if reached < 0.3 * peak:
            sys.exit(f"PyTorch multiplies matrices at {reached / 1e9:.0f} of {peak / 1e9:.0f} GFLOP/s: install libopenblas0-openmp, "
                     "or wait until the machine is quiet")

    def best_request(self, request, variants):
        """One variant after the other, each kept if it is faster."""
        best, seconds = dict(request, seconds=self.seconds / 4), None
        for name, values in variants.items():
            for value in values:
                if value == best.get(name, values[0]) and seconds:
                    continue
                now = LOAD.watch(lambda: self.torch.ask(**{**best, name: value}))["seconds"]
                if seconds is None or now < seconds:
                    best, seconds = {**best, name: value}, now
        chosen = [str(n) if v is True else f"{n} {v}" for n, v in best.items() if n in variants and v]
        return dict(best, seconds=self.seconds), ", ".join(chosen)

    # --- losses ---------------------------------------------------------------------------------------------------------------

    def losses_agree(self, name, precision=None):
        """Both sides start from mlc's weights and see the same batch every step, so that its order does not matter."""
        w, model = WORKLOADS[name], f"{name}.mlc"
        with tempfile.TemporaryDirectory() as folder:
            weights, data = os.path.join(folder, "init.safetensors"), os.path.join(folder, "data.safetensors")
            self.mlc.weights(model, weights)
            request = {"workload": name, "batch": w.batch, "threads": self.options.threads}
            self.torch.ask(do="data", path=data, **request)
            theirs = self.torch.ask(do="losses", weights=weights, data=data, steps=LOSS_STEPS, dropout=0, **request)["losses"]
            ours = self.mlc.losses(model, folder, LOSS_STEPS, w.check, precision)
        if len(ours) != len(theirs):
            sys.exit(f"{name}: {len(ours)} steps of mlc, {len(theirs)} of PyTorch")
        worst = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs))
        tolerance = BF16_TOLERANCE if precision == "bf16" else w.tolerance
        if not worst <= tolerance:
            sys.exit(f"{name}: losses disagree by {worst:.1e} relative (at most {tolerance:g})\n  mlc     {ours}\n  PyTorch {theirs}")
        self.table.note(f"{w.title}{', bf16' if precision else ''}: losses of {LOSS_STEPS} steps from {theirs[0]:.4f} to {theirs[-1]:.4f} agree to "
                        f"{worst:.1e} relative (at most {tolerance:g})")

    # --- items ----------------------------------------------------------------------------------------------------------------

    def against_torch(self, what, request, variants, ours, target, unit, units):
        """units: of work in one run of either side."""
        request, chosen = self.best_request(request, variants)
        theirs, mine = alternate(self.options.rounds, lambda: units / self.torch.ask(**request)["seconds"], lambda: units / ours())
        peer = self.version + (f" ({chosen})" if chosen else "")
        ratio = median_ratio(mine, theirs)
        self.table.add(Row(what, peer, speed(theirs, unit), speed(mine, unit), ratio, target))
        return ratio

    def train(self, name):
        w = WORKLOADS[name]
        self.losses_agree(name)
        cases = [("", {}, ())]
        if name == "w4":
            cases = [(", dropout 0.1", {}, ()), (", no dropout", {"dropout": 0}, ("drop=0",))]
        for suffix, more, sets in cases:
            request = dict(do="train", workload=name, batch=w.batch, threads=self.options.threads, **more)
            self.ratios.append(self.against_torch(
                f"{w.title} train, batch {w.batch}{suffix}", request, w.variants,
                lambda: self.mlc.bench(f"{name}.mlc", self.options.threads, sets=sets)["seconds"]["median"], TARGETS[f"train {name}"], w.unit,
                w.batch * w.per_sample))

    def batch1(self):
        for name in ("w1", "w2", "w6"):
            w = WORKLOADS[name]
            request = dict(do="train", workload=name, batch=1, threads=1)
            variants = {"threads": (1, self.options.threads), **w.variants}

            def ours(threads=self.options.threads):
                return self.mlc.bench(f"{name}.mlc", threads, sets=("train.batch=1",))["seconds"]["median"]

            self.against_torch(f"{w.title} train, batch 1", request, variants, ours, TARGETS["train batch 1"], w.unit, 1)
            self.threads_over_one(f"{w.title} train, batch 1", ours, TARGETS["second thread at batch 1"], w.unit, 1)

    def threads_over_one(self, what, seconds, target, unit, units):
        one, many = alternate(self.options.rounds, lambda: units / seconds(1), lambda: units / seconds(self.options.threads))
        self.table.add(Row(f"{what}, {self.options.threads} threads over 1", "mlc, 1 thread", speed(one, unit), speed(many, unit),
                           median_ratio(many, one), target))

    def threads(self):
        for name in ("w1", "w2", "w3", "w4"):
            w = WORKLOADS[name]
            target = TARGETS["two threads over one"] if self.options.threads == 2 else None
            self.threads_over_one(f"{w.title} train, batch {w.batch}", lambda t: self.mlc.bench(f"{name}.mlc", t)["seconds"]["median"], target,
                                  w.unit, w.batch * w.per_sample)

    def budget(self):
        """mlc with less memory than its free plan takes for activations, against the free plan: 40% of it, or the least tenth that suffices."""
        for name in ("w3", "w4"):
            w, model, threads = WORKLOADS[name], f"{name}.mlc", self.options.threads
            free = self.mlc.check(model, threads, UNBOUNDED)
            for percent in range(40, 100, 10):
                memory = free["peak_memory_bytes"] - free["arena_bytes"] * (100 - percent) // 100
                if self.mlc.check(model, threads, memory)["peak_memory_bytes"] <= memory:
                    break
            units = w.batch * w.per_sample
            all_of_it, less = alternate(self.options.rounds, lambda: units / self.mlc.bench(model, threads, memory=UNBOUNDED)["seconds"]["median"],
                                        lambda: units / self.mlc.bench(model, threads, memory=memory)["seconds"]["median"])
            slower = median_ratio(all_of_it, less)
            self.table.add(Row(f"{w.title} train, batch {w.batch}, in {percent}% of the memory for activations: time", "mlc, all of it",
                               speed(all_of_it, w.unit), speed(less, w.unit), slower, TARGETS["time in 40% of memory"] if percent == 40 else None,
                               at_most=True))

    def bf16(self):
        """mlc's bf16 against mlc's f32."""
        with open("/proc/cpuinfo") as file:
            target = TARGETS["bf16 with AMX" if "amx_bf16" in file.read() else "bf16 without AMX"]
        self.losses_agree("w4", "bf16")
        w, units = WORKLOADS["w4"], 8 * 256

        def measure(precision):
            return units / self.mlc.bench("w4.mlc", self.options.threads, precision=precision)["seconds"]["median"]

        f32, bf16 = alternate(self.options.rounds, lambda: measure("f32"), lambda: measure("bf16"))
        self.table.add(Row(f"{w.title} train, bf16 over f32", "mlc, f32", speed(f32, w.unit), speed(bf16, w.unit), median_ratio(bf16, f32), target))

    def w5(self):
        for name in ("w1", "w3"):
            for batch in (128, 1):
                w = WORKLOADS[name]
                request = dict(do="predict", workload=name, batch=batch, threads=self.options.threads)
                variants = {"channels_last": (False, True), "jit": (False, True, "optimized")}
                if batch == 1:
                    variants["threads"] = (self.options.threads, 1)
                what, target = f"W5 {w.title[3:]} predict, batch {batch}, f32", TARGETS[f"predict {name}"]

                def ours():
                    sets = (f"train.batch={batch}",)
                    return self.mlc.bench(f"{name}.mlc", self.options.threads, "predict", sets)["seconds"]["median"]

                self.against_torch(what, request, variants, ours, target, w.unit, batch)
                self.against_onnx(what, request, ours, target, w.unit)

    def against_onnx(self, what, request, ours, target, unit):
        """Inference by ONNX Runtime of the network that PyTorch exports."""
        if not onnx_library():
            self.table.add(Row(what, "ONNX Runtime", "not installed (tests/install.sh bench)", "", None, target))
            return
        batch, threads = request["batch"], request["threads"]
        with tempfile.TemporaryDirectory() as folder:
            files = {kind: os.path.join(folder, f"{kind}.{suffix}") for kind, suffix in (("model", "onnx"), ("input", "npy"), ("output", "npy"))}
            self.torch.ask(**{**request, **files, "do": "export"})
            worker = onnx_worker(peer_environment(threads))
            tries = [LOAD.watch(lambda: worker.ask(**files, threads=n, seconds=self.seconds / 4)) for n in ((threads, 1) if batch == 1 else (threads,))]
            best = dict(files, threads=threads if tries[0]["seconds"] <= tries[-1]["seconds"] else 1, seconds=self.seconds)
            theirs, mine = alternate(self.options.rounds, lambda: batch / worker.ask(**best)["seconds"], lambda: batch / ours())
            worker.close()
        if not tries[0]["difference"] <= OUTPUT_TOLERANCE:
            sys.exit(f"{what}: ONNX Runtime's output differs from PyTorch's by {tries[0]['difference']:.1e} of the largest")
        peer = f"ONNX Runtime {tries[0]['version']}" + (" (threads 1)" if best["threads"] == 1 else "")
        self.table.add(Row(what, peer, speed(theirs, unit), speed(mine, unit), median_ratio(mine, theirs), target))

    def int8(self):
        """Both sides quantize the same weights with ranges from the same images."""
        if not onnx_library():
            self.table.note("int8 is not measured: ONNX Runtime is not installed (tests/install.sh bench)")
            return
        for name in ("w1", "w3"):
            for batch in (128, 1):
                with tempfile.TemporaryDirectory() as folder:
                    self.int8_against_onnx(name, batch, lambda name: os.path.join(folder, name))

    def int8_against_onnx(self, name, batch, path):
        w, model, threads = WORKLOADS[name], f"{name}.mlc", self.options.threads
        what = f"W5 {w.title[3:]} predict, batch {batch}, int8"
        request = dict(workload=name, batch=batch, threads=threads, weights=path("init.safetensors"))
        self.mlc.weights(model, request["weights"])
        self.torch.ask(**request, do="data", path=path("data.safetensors"))
        self.mlc.quantize(model, path(""), request["weights"], path("int8"))
        self.mlc.predict(model, path("int8"), path("data.safetensors"), path("logits.safetensors"))
        files = {"model": path("f32.onnx"), "input": path("image.npy"), "output": path("logits.npy")}
        self.torch.ask(**request, **files, do="export")
        ours = self.torch.ask(do="difference", ours=path("logits.safetensors"), output=files["output"])["difference"]

        worker, tries = onnx_worker(peer_environment(threads)), []
        for layers, convolutions in (("all", True), ("dense", False)):
            quantized = path(f"{layers}.onnx")
            self.torch.ask(do="quantize", **files, quantized=quantized, convolutions=convolutions)
            for n in (threads, 1) if batch == 1 else (threads,):
                one = dict(files, model=quantized, threads=n)
                answer = LOAD.watch(lambda: worker.ask(**one, seconds=self.seconds / 4))
                tries.append((answer["seconds"], f"{layers} layers" + (f", threads {n}" if n != threads else ""), one, answer))
        _, chosen, best, answer = min(tries, key=lambda t: t[0])
        for side, difference in (("ONNX Runtime", answer["difference"]), ("mlc", ours)):
            if not difference <= INTEGER_TOLERANCE:
                sys.exit(f"{what}: the output of {side} differs from PyTorch's in f32 by {difference:.1e} of the largest")
        self.table.note(f"{what}: outputs differ from PyTorch's in f32 by {ours:.1e} of the largest, those of ONNX Runtime by {answer['difference']:.1e}")

        def bench():
            return self.mlc.bench(model, threads, "predict", (f"train.batch={batch}",), weights=path("int8"))["seconds"]["median"]

        theirs, mine = alternate(self.options.rounds, lambda: batch / worker.ask(**best, seconds=self.seconds)["seconds"], lambda: batch / bench())
        worker.close()
        peer = f"ONNX Runtime {answer['version']} ({chosen})"
        self.table.add(Row(what, peer, speed(theirs, w.unit), speed(mine, w.unit), median_ratio(mine, theirs), TARGETS["predict int8"]))

    def run(self, items):
        if set(items) - WITHOUT_TORCH and not torch_version():
            left = [i for i in items if i not in WITHOUT_TORCH]
            items = [i for i in items if i in WITHOUT_TORCH]
            self.table.note(f"not measured, since PyTorch is not installed (tests/install.sh bench): {' '.join(left)}")
        if set(items) - WITHOUT_TORCH:
            self.require_blas()
        for item in items:
            if item not in WITHOUT_TORCH:
                self.start_torch()
            self.measure(item)
            self.stop_torch()

    def measure(self, item):
        if item in WORKLOADS:
            self.train(item)
        elif item == "contractions":
            contractions.compare(self.options, self.mlc, self.table)
        elif item == "start":
            start.compare(self.options, self.mlc, self.torch, self.table)
        else:
            getattr(self, item)()


ITEMS = [*WORKLOADS, "bf16", "batch1", "w5", "int8", "threads", "budget", "contractions", "start"]
WITHOUT_TORCH = {"threads", "budget", "contractions"}


def machine(mlc, threads):
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown CPU")
    peaks = [mlc.bench("w2.mlc", threads, repeat=5) for _ in range(3)]
    flops, copied = (statistics.median(p[key] for p in peaks) for key in ("peak_flops", "peak_bytes_per_second"))
    tiles = statistics.median(p["peak_bf16_flops"] for p in peaks)
    return (f"{model}, {threads} threads, measured peaks {flops / 1e9:.0f} GFLOP/s in f32{f', {tiles / 1e9:.0f} in bf16 tiles' if tiles else ''}, "
            f"{copied / 1e9:.1f} GB/s copied in memory")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mlc", default=os.path.join(ROOT, "build", "mlc"))
    parser.add_argument("--peers", default=os.path.join(ROOT, "build", "tests", "bench_peers"), help="the libraries of products")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="one round, short turns: whether it works, not how fast")
    parser.add_argument("--markdown", metavar="FILE", help="write the table there too")
    parser.add_argument("--least", type=float, default=0, metavar="RATIO", help="exit 1 when a training row's ratio is below")
    parser.add_argument("items", nargs="*", metavar="ITEM", help=" ".join(ITEMS))
    parser.add_argument("--distance", default=os.path.join(ROOT, "build", "tests", "bench_distance"), help="how far the cores are apart")
    options = parser.parse_args()
    for item in options.items:
        if item not in ITEMS:
            parser.error(f"unknown item `{item}`: one of {' '.join(ITEMS)}")
    if options.quick:
        options.rounds = 1
    if os.path.exists(options.distance):
        LOAD.meter = options.distance
    comparison = Comparison(options)
    comparison.table.begin(machine(comparison.mlc, options.threads))
    comparison.run(options.items or ITEMS)
    comparison.table.note(f"{options.rounds} rounds; {LOAD.summary()}")
    comparison.table.note(LOAD.distances())
    comparison.table.end()
    if options.markdown:
        comparison.table.write(options.markdown)
    return 1 if comparison.ratios and min(comparison.ratios) < options.least else 0


if __name__ == "__main__":
    sys.exit(main())
