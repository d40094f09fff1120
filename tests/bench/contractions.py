"""Every product and convolution of W1 to W6, forward and backward, alone: mlc against oneDNN, OpenBLAS and libxsmm.

The shapes are those of the `dot` and `conv` nodes of `mlc dump w1.mlc --stage autodiff` and so on, without repeats."""
import os
import statistics

from sides import LOAD, Worker, median_ratio, peer_environment
from table import Row
from workloads import TARGETS


class Product:
    def __init__(self, what, m, n, k, indices="mk,kn->mn", batch=1):
        """indices: of the operands as they lie in memory."""
        self.what, self.m, self.n, self.k, self.batch = what, m, n, k, batch
        self.a, self.b = indices.split("->")[0].split(",")
        self.indices = indices if batch == 1 else "b" + indices.replace(",", ",b").replace("->", "->b")

    def flops(self):
        return 2 * self.batch * self.m * self.n * self.k

    def shape(self, letters):
        return ", ".join(str(getattr(self, c)) for c in letters)

    def model(self):
        batch = f"{self.batch}, " if self.batch > 1 else ""
        return (f"model product {{\n  input a: f32[{batch}{self.shape(self.a)}]\n  input b: f32[{batch}{self.shape(self.b)}]\n"
                f"  output y = dot(a, b, \"{self.indices}\")\n}}\n")

    def request(self, peer, seconds):
        return f"{peer} product {seconds} {self.batch} {self.m} {self.n} {self.k} {int(self.a == 'km')} {int(self.b == 'nk')}"

    def title(self):
        batch = f"{self.batch} x " if self.batch > 1 else ""
        return f"{self.what}: {batch}{self.m}x{self.n}x{self.k} {self.a},{self.b}"


class Convolution:
    def __init__(self, what, direction, inputs, channels, side, taps, stride, padding, batch=128):
        self.what, self.direction, self.inputs, self.channels, self.side = what, direction, inputs, channels, side
        self.taps, self.stride, self.padding, self.batch = taps, stride, padding, batch
        self.out_side = (side + 2 * padding - taps) // stride + 1

    def flops(self):
        return 2 * self.batch * self.channels * self.out_side**2 * self.inputs * self.taps**2

    def model(self):
        """Images lie as the layout pass puts them inside of a network, channels last; those of one channel are what they are."""
        image = f"{self.batch}, {self.side}, {self.side}, {self.inputs}"
        result = f"{self.batch}, {self.out_side}, {self.out_side}, {self.channels}"
        text = (f"model conv {{\n  input image: f32[{image}]\n  input w: f32[{self.channels}, {self.inputs}, {self.taps}, {self.taps}]\n"
                f"  x = transpose(image, [0, 3, 1, 2])\n")
        forward = f"convolution(x, w, stride: {self.stride}, padding: {self.padding})"
        if self.direction == "forward":
            return f"{text}  output y = transpose({forward}, [0, 2, 3, 1])\n}}\n"
        text += f"  input result: f32[{result}]\n  dy = transpose(result, [0, 3, 1, 2])\n"
        if self.direction == "input":
            return f"{text}  output y = grad(sum({forward} * dy), image)\n}}\n"
        return f"{text}  output y = grad(sum({forward} * dy), w)\n}}\n"

    def request(self, peer, seconds):
        return (f"{peer} convolution {seconds} {self.direction} {self.batch} {self.inputs} {self.channels} {self.side} {self.taps} "
                f"{self.stride} {self.padding}")

    def title(self):
        return (f"{self.what}: {self.direction}, {self.batch}x{self.inputs}x{self.side}x{self.side}, {self.channels} of "
                f"{self.taps}x{self.taps}, stride {self.stride}")


def dense(what, rows, inputs, units, first=False):
    """Forward, input gradient (not of a first layer) and weight gradient; weights are [units, inputs]."""
    yield Product(f"{what} forward", rows, units, inputs, "mk,nk->mn")
    if not first:
        yield Product(f"{what} input gradient", rows, inputs, units)
    yield Product(f"{what} weight gradient", units, inputs, rows, "km,kn->mn")


def convolution(what, *shape, first=False):
    for direction in ("forward", "weight") if first else ("forward", "input", "weight"):
        yield Convolution(what, direction, *shape)


SHAPES = [
    *(Product("square", n, n, n) for n in (512, 1024, 2048)),
    *convolution("W1 conv1", 1, 32, 28, 3, 1, 0, first=True),
    *dense("W1 fc1", 128, 5408, 128),
    *dense("W1, W6 last", 128, 128, 10),
    *dense("W2 fc1", 500, 784, 500, first=True),
    *dense("W2 fc2", 500, 500, 10),
    *convolution("W3 stem", 3, 16, 32, 3, 1, 1, first=True),
    *convolution("W3 stage 1", 16, 16, 32, 3, 1, 1),
    *convolution("W3 stage 2, first", 16, 32, 32, 3, 2, 1),
    *convolution("W3 stage 2, shortcut", 16, 32, 32, 1, 2, 0),
    *convolution("W3 stage 2", 32, 32, 16, 3, 1, 1),
    *convolution("W3 stage 3, first", 32, 64, 16, 3, 2, 1),
    *convolution("W3 stage 3, shortcut", 32, 64, 16, 1, 2, 0),
    *convolution("W3 stage 3", 64, 64, 8, 3, 1, 1),
    *dense("W3 fc", 128, 64, 10),
    *dense("W4 c_attn", 2048, 384, 1152),
    *dense("W4 attn.c_proj", 2048, 384, 384),
    *dense("W4 c_fc", 2048, 384, 1536),
    *dense("W4 mlp.c_proj", 2048, 1536, 384),
    *dense("W4 logits", 2048, 384, 256),
    Product("W4 q k', dy v'", 256, 256, 64, "mk,nk->mn", batch=48),
    Product("W4 weights v, ds k", 256, 64, 256, batch=48),
    Product("W4 weights' dy, ds' q", 256, 64, 256, "km,kn->mn", batch=48),
    *dense("W6 all inputs", 3584, 28, 512, first=True),
    *dense("W6 one step", 128, 128, 512),
]


def mlc_flops(mlc, shape, threads, seconds):
    """As many runs as fit the time at some 200 GFLOP/s."""
    repeat = int(min(1000, max(10, seconds * 2e11 / shape.flops())))
    result = mlc.bench_text(shape.model(), threads, "predict", repeat)
    return shape.flops() / result["seconds"]["median"], result["peak_flops"]


def measure(options, mlc, worker, shape, peers):
    """FLOP/s of each round: of mlc, of its peak, of each peer that serves."""
    seconds = 0.05 if options.quick else 0.2
    ours, peaks, theirs = [], [], {peer: [] for peer in peers}
    for _ in range(options.rounds):
        for peer in peers:
            taken = LOAD.watch(lambda: worker.exchange(shape.request(peer, seconds)))["seconds"]
            if taken:
                theirs[peer].append(shape.flops() / taken)
        speed, peak = LOAD.watch(lambda: mlc_flops(mlc, shape, options.threads, seconds))
        ours.append(speed)
        peaks.append(peak)
    return ours, peaks, {peer: speeds for peer, speeds in theirs.items() if speeds}


def gflops(speeds):
    return f"{statistics.median(speeds) / 1e9:,.0f} GFLOP/s"


def row(shape, ours, theirs):
    """oneDNN sets the target; what the others reach stands beside its name."""
    first = "onednn" if "onednn" in theirs else next(iter(theirs), None)
    others = ", ".join(f"{peer} {gflops(speeds)}" for peer, speeds in theirs.items() if peer != first)
    if not first:
        return Row(shape.title(), "none serves", "", gflops(ours), None, None)
    return Row(shape.title(), first + (f" ({others})" if others else ""), gflops(theirs[first]), gflops(ours), median_ratio(ours, theirs[first]),
               TARGETS["contraction"] if first == "onednn" else None)


def compare(options, mlc, table):
    if not os.path.exists(options.peers):
        table.note(f"contractions: {os.path.relpath(options.peers)} is not built (ninja bench_peers), or its libraries are missing (tests/install.sh bench)")
        return
    worker = Worker([options.peers], peer_environment(options.threads))
    peers = worker.exchange("peers")["peers"]
    for missing in {"onednn", "openblas", "libxsmm"} - set(peers):
        table.note(f"contractions: built without {missing}")
    for shape in SHAPES:
        ours, peaks, theirs = measure(options, mlc, worker, shape, peers)
        table.add(row(shape, ours, theirs))
        if shape.flops() >= 2 * 512**3:
            table.add(Row(shape.title(), "measured FMA peak", gflops(peaks), gflops(ours), median_ratio(ours, peaks), TARGETS["contraction of peak"]))
    worker.close()
