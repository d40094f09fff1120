#!/usr/bin/python3
"""Writes cases/: what PyTorch answers.  Run on demand (Debian's python3-torch); the cases are kept in the repository, so that the test
needs no torch.

A case is a model file and a safetensors file beside it, whose tensors are: weight/NAME before anything ran, in/NAME, out/NAME
(entry predict), loss/loss and grad/NAME (entry grad), step/K/NAME (weights behind the K-th step), rate/K (the learning rate in it).
PyTorch computes in double from inputs and weights that are f32, so what is written is right to the last bit of f32."""
import json
import math
import os
import struct

import torch
import torch.nn as nn
import torch.nn.functional as F

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cases")
torch.set_default_dtype(torch.float64)


def write(name, text, tensors):
    header, blobs, at = {}, [], 0
    for key, value in tensors.items():
        value = value.detach()
        whole = not value.is_floating_point()
        blob = struct.pack("<%d%s" % (value.numel(), "i" if whole else "f"), *value.flatten().tolist())
        header[key] = {"dtype": "I32" if whole else "F32", "shape": list(value.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(os.path.join(FOLDER, name + ".safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(head)) + head + b"".join(blobs))
    with open(os.path.join(FOLDER, name + ".mlc"), "w") as file:
        file.write(text)


def rounded(t):
    return t.float().double() if t.is_floating_point() else t


def randn(*shape):
    return rounded(torch.randn(*shape))


def shape_text(t):
    return ("f32" if t.is_floating_point() else "i32") + "[" + ", ".join(["N"] + [str(n) for n in t.shape[1:]]) + "]"


def model_text(inputs, body, outputs, minimize, train):
    lines = ["// Written by generate.py.", "", "model m {"]
    lines += [f"  input {n}: {shape_text(t)}" for n, t in inputs.items()]
    lines += ["  " + l for l in body.split("\n")]
    lines += [f"  output {o}_out = {o}" for o in outputs]
    lines += ["}", "", "train {", f"  minimize {minimize}", f"  batch {next(iter(inputs.values())).shape[0]}"]
    lines += ["  " + l for l in train.split("\n")]
    return "\n".join(lines) + "\n}\n"


class Named(nn.Module):
    """The names of the file, bound to PyTorch's modules."""

    def __init__(self, **modules):
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)
        for p in self.parameters():
            p.data = rounded(p.data + 0.1 * torch.randn_like(p))

    def weights(self, rename=None):
        state = {k: v for k, v in self.state_dict().items() if not k.endswith("num_batches_tracked")}
        return rename(state) if rename else state

    def gradients(self, rename=None):
        state = {k: p.grad for k, p in self.named_parameters()}
        return rename(state) if rename else state


def weigh(y):
    return (y * torch.sin(y)).mean()


def layer(name, body, module, inputs, forward, outputs=("y",), rename=None, loss=None, minimize=None):
    """One layer: predict in evaluation, loss and gradients in training, the weights (running statistics too) behind one step."""
    torch.manual_seed(len(name) * 1009 + sum(map(ord, name)))
    inputs = {k: v() for k, v in inputs.items()}
    module = module()
    minimize = minimize or " + ".join(f"mean({o} * sin({o}))" for o in outputs)
    text = model_text(inputs, body, outputs, minimize, "optimizer sgd(rate: 0.1)")
    tensors = {"weight/" + k: v.clone() for k, v in module.weights(rename).items()}
    tensors.update({"in/" + k: v for k, v in inputs.items()})
    module.eval()
    result = forward(module, **inputs)
    result = result if isinstance(result, tuple) else (result,)
    tensors.update({f"out/{o}_out": r for o, r in zip(outputs, result)})
    module.train()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1) if list(module.parameters()) else None
    result = forward(module, **inputs)
    result = result if isinstance(result, tuple) else (result,)
    value = loss(*result, **inputs) if loss else sum(weigh(r) for r in result)
    tensors["loss/loss"] = value
    if optimizer:
        value.backward()
        tensors.update({"grad/" + k: v.clone() for k, v in module.gradients(rename).items()})
        optimizer.step()
        tensors.update({"step/1/" + k: v.clone() for k, v in module.weights(rename).items()})
    write(name, text, tensors)


def x(*shape):
    return {"x": lambda: randn(*shape)}


def labels(*shape, below):
    return lambda: torch.randint(below, shape)


def layers():
    def simple(name, call, make, *shape):
        layer(name, f"y = {call}", lambda: Named(y=make()), x(*shape), lambda m, x: m.y(x))

    simple("dense", "dense(x, 3)", lambda: nn.Linear(5, 3), 4, 5)
    simple("dense_deep", "dense(x, 3, bias: false)", lambda: nn.Linear(5, 3, bias=False), 2, 3, 4, 5)
    simple("conv1d", "conv1d(x, 6, kernel: 4, stride: 2, padding: 3, dilation: 2, groups: 2)",
           lambda: nn.Conv1d(4, 6, 4, 2, 3, 2, 2), 2, 4, 11)
    simple("conv1d_same", 'conv1d(x, 3, kernel: 4, padding: "same")', lambda: nn.Conv1d(2, 3, 4, padding="same"), 2, 2, 7)
    simple("conv2d", "conv2d(x, 5)", lambda: nn.Conv2d(3, 5, 3), 2, 3, 6, 5)
    simple("conv2d_strided", "conv2d(x, 4, kernel: [3, 2], stride: [2, 1], padding: [1, 2])",
           lambda: nn.Conv2d(3, 4, (3, 2), (2, 1), (1, 2)), 2, 3, 7, 5)
    simple("conv2d_dilated", "conv2d(x, 4, kernel: 3, padding: 2, dilation: [2, 1], groups: 2, bias: false)",
           lambda: nn.Conv2d(4, 4, 3, padding=2, dilation=(2, 1), groups=2, bias=False), 2, 4, 6, 5)
    simple("conv2d_same", 'conv2d(x, 2, kernel: [2, 5], padding: "same")', lambda: nn.Conv2d(2, 2, (2, 5), padding="same"), 1, 2, 5, 6)
    simple("conv3d", "conv3d(x, 3, kernel: [1, 2, 3], stride: [1, 2, 1], padding: 1)",
           lambda: nn.Conv3d(2, 3, (1, 2, 3), (1, 2, 1), 1), 1, 2, 3, 4, 3)
    simple("depthwise", "depthwise_conv2d(x, kernel: 3, padding: 1, multiplier: 2)",
           lambda: nn.Conv2d(3, 6, 3, padding=1, groups=3), 2, 3, 5, 4)
    simple("conv_transpose2d", "conv_transpose2d(x, 4, kernel: 3)", lambda: nn.ConvTranspose2d(3, 4, 3), 2, 3, 3, 4)
    simple("conv_transpose2d_strided", "conv_transpose2d(x, 4, kernel: [3, 2], stride: [2, 3], padding: 1, output_padding: [1, 2])",
           lambda: nn.ConvTranspose2d(2, 4, (3, 2), (2, 3), 1, (1, 2)), 2, 2, 3, 4)
    simple("conv_transpose2d_grouped", "conv_transpose2d(x, 6, kernel: 2, stride: 2, dilation: 2, groups: 2)",
           lambda: nn.ConvTranspose2d(4, 6, 2, 2, groups=2, dilation=2), 1, 4, 3, 3)
    simple("batch_norm", "batch_norm(x)", lambda: nn.BatchNorm2d(3), 4, 3, 2, 3)
    simple("batch_norm_flat", "batch_norm(x, momentum: 0.3, epsilon: 1e-3)", lambda: nn.BatchNorm1d(5, 1e-3, 0.3), 6, 5)
    simple("layer_norm", "layer_norm(x)", lambda: nn.LayerNorm(7), 3, 2, 7)
    simple("group_norm", "group_norm(x, 2)", lambda: nn.GroupNorm(2, 6), 2, 6, 3, 2)

    class RMSNorm(nn.Module):  # Zhang and Sennrich 2019; PyTorch has one from 2.4 on only
        def __init__(self, width):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(width))

        def forward(self, x):
            return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight

    simple("rms_norm", "rms_norm(x)", lambda: RMSNorm(6), 3, 2, 6)
    layer("embedding", "y = embedding(tokens, 7, 4)", lambda: Named(y=nn.Embedding(7, 4)), {"tokens": labels(3, 5, below=7)},
          lambda m, tokens: m.y(tokens))
    for name, make in {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}.items():
        layer(name, f"y = {name}(x, 5)", lambda: Named(y=make(3, 5, batch_first=True)), x(2, 6, 3), lambda m, x: m.y(x)[0])
    layer("rnn_relu", "y = rnn(x, 4, activation: relu)", lambda: Named(y=nn.RNN(3, 4, nonlinearity="relu", batch_first=True)),
          x(2, 5, 3), lambda m, x: m.y(x)[0])


def attention():
    def packed(state):  # in_proj is c_attn, out_proj is c_proj
        old = {"in_proj_weight": "c_attn.weight", "in_proj_bias": "c_attn.bias", "out_proj.weight": "c_proj.weight",
               "out_proj.bias": "c_proj.bias"}
        return {"y." + old[k[2:]]: v for k, v in state.items()}

    def split(state):
        out = {}
        for k, v in state.items():
            if "in_proj" in k:
                for name, part in zip("qkv", v.chunk(3)):
                    out[f"y.{name}_proj.{k.split('_')[-1]}"] = part
            else:
                out[k] = v
        return out

    def causal(m, x):
        mask = torch.full((x.shape[1], x.shape[1]), -math.inf).triu(1)
        return m.y(x, x, x, attn_mask=mask)[0]

    make = lambda: Named(y=nn.MultiheadAttention(8, 2, batch_first=True))
    layer("causal_self_attention", "y = causal_self_attention(x, 2)", make, x(2, 5, 8), causal, rename=packed)
    layer("multi_head_attention", "y = multi_head_attention(x, other, other, 2)", make,
          {"x": lambda: randn(2, 5, 8), "other": lambda: randn(2, 3, 8)}, lambda m, x, other: m.y(x, other, other)[0], rename=split)
    layer("feed_forward", "y = feed_forward(x, 12)",
          lambda: Named(y=nn.ModuleDict({"c_fc": nn.Linear(6, 12), "c_proj": nn.Linear(12, 6)})), x(2, 3, 6),
          lambda m, x: m.y["c_proj"](F.gelu(m.y["c_fc"](x))))


class Shift(nn.Module):
    """A parameter on the input: gives what has no parameters a gradient by its input."""

    def __init__(self, *shape):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(*shape))

    def forward(self, x):
        return x + self.shift


def shifted(name, body, shape, functions, scale=1.0):
    sizes = ", ".join(map(str, shape[1:]))
    head = f"param shift: f32[{sizes}] = zeros()\ns = {scale:g} * (x + shift)\n"

    class Whole(Named):
        def __init__(self):
            nn.Module.__init__(self)
            self.shift = nn.Parameter(randn(*shape[1:]) * 0.25)
            self.shift.data = rounded(self.shift.data)

    layer(name, head + "\n".join(f"{o} = {c}" for o, c in body.items()), Whole, x(*shape),
          lambda m, x: tuple(f(scale * (x + m.shift)) for f in functions), outputs=tuple(body))


def parameterless():
    shifted("activations", {
        "a": "relu(s)", "b": "leaky_relu(s)", "c": "relu6(s)", "d": "elu(s, alpha: 0.7)", "e": "selu(s)", "f": "gelu(s)", "g": "gelu_tanh(s)",
        "h": "sigmoid(s)", "i": "silu(s)", "j": "softplus(s)", "k": "mish(s)", "l": "hard_sigmoid(s)", "m": "hard_swish(s)", "n": "tanh(s)",
        "o": "softmax(s)", "p": "log_softmax(s, axis: 1)", "q": "clamp(s, -1, 2)"}, (3, 4, 9), [
            F.relu, F.leaky_relu, F.relu6, lambda t: F.elu(t, 0.7), F.selu, F.gelu, lambda t: F.gelu(t, approximate="tanh"),
            torch.sigmoid, F.silu, F.softplus, F.mish, F.hardsigmoid, F.hardswish, torch.tanh, lambda t: F.softmax(t, -1),
            lambda t: F.log_softmax(t, 1), lambda t: torch.clamp(t, -1, 2)], scale=3.0)
    shifted("pools", {
        "a": "max_pool2d(s, 2)", "b": "max_pool2d(s, 3, stride: 2, padding: 1)", "c": "avg_pool2d(s, [2, 3])",
        "d": "avg_pool2d(s, 3, stride: 1, padding: 1)", "e": "global_avg_pool(s)", "f": "global_max_pool(s)"}, (2, 3, 6, 7), [
            lambda t: F.max_pool2d(t, 2), lambda t: F.max_pool2d(t, 3, 2, 1), lambda t: F.avg_pool2d(t, (2, 3)),
            lambda t: F.avg_pool2d(t, 3, 1, 1), lambda t: t.mean((2, 3)), lambda t: t.amax((2, 3))])
    shifted("pools1d", {"a": "max_pool1d(s, 3, stride: 2, padding: 1)", "b": "avg_pool1d(s, 3, stride: 2, padding: 1)"}, (2, 3, 9),
            [lambda t: F.max_pool1d(t, 3, 2, 1), lambda t: F.avg_pool1d(t, 3, 2, 1)])


def losses():
    def loss(name, call, function, target, classes=5, rows=6):
        layer(name, "y = dense(x, %d)" % classes, lambda: Named(y=nn.Linear(4, classes)), {"x": lambda: 2 * randn(rows, 4), "t": target},
              lambda m, x, t: m.y(x), minimize=call, loss=lambda y, x, t: function(y, t))

    label, real = labels(6, below=5), lambda: randn(6, 5)
    w = torch.tensor([0.5, 1.0, 2.0, 0.25, 3.0])
    weights = "[0.5, 1, 2, 0.25, 3]"
    loss("cross_entropy", "cross_entropy(y, t)", F.cross_entropy, label)
    loss("cross_entropy_smoothing", "cross_entropy(y, t, smoothing: 0.1)", lambda y, t: F.cross_entropy(y, t, label_smoothing=0.1), label)
    loss("cross_entropy_weights", f"cross_entropy(y, t, weights: {weights})", lambda y, t: F.cross_entropy(y, t, w), label)
    loss("cross_entropy_both", f"cross_entropy(y, t, smoothing: 0.2, weights: {weights})",
         lambda y, t: F.cross_entropy(y, t, w, label_smoothing=0.2), label)
    loss("binary_cross_entropy", "binary_cross_entropy(y, t)", F.binary_cross_entropy_with_logits, lambda: rounded(torch.rand(6, 5)))
    loss("mse", "mse(y, t)", F.mse_loss, real)
    loss("mae", "mae(y, t)", F.l1_loss, real)
    loss("huber", "huber(y, t)", F.huber_loss, real)
    loss("huber_delta", "huber(y, t, delta: 0.4)", lambda y, t: F.huber_loss(y, t, delta=0.4), real)
    loss("hinge", "hinge(y, t)", lambda y, t: torch.clamp(1 - y * t, min=0).mean(), lambda: torch.sign(randn(6, 5)))
    loss("kl_divergence", "kl_divergence(y, t)", lambda y, t: F.kl_div(F.log_softmax(y, -1), t, reduction="batchmean"),
         lambda: rounded(F.softmax(randn(6, 5), -1)))


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, algorithm 2."""

    def __init__(self, parameters, lr, betas=(0.9, 0.99), weight_decay=0.0):
        super().__init__(parameters, dict(lr=lr, betas=betas, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            a, b = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = torch.sign(a * m + (1 - a) * p.grad) + group["weight_decay"] * p
                m.mul_(b).add_(p.grad, alpha=1 - b)
                p.sub_(group["lr"] * update)


def run(name, train, make_optimizer, schedule=None, clip=None, steps=5, data=""):
    """Five steps of a small network on one batch."""
    torch.manual_seed(4711)
    inputs = {"x": randn(6, 4), "t": randn(6, 3)}
    module = Named(a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    text = model_text(inputs, "a = dense(x, 5)\nb = dense(tanh(a), 3)", ("b",), "mse(b, t)", train + f"\n{data or f'steps {steps}'}")
    if data:
        text += "\ndata d {\n  train: synthetic(samples: 12, shape: [4])\n}\n"
    tensors = {"weight/" + k: v.clone() for k, v in module.weights().items()}
    tensors.update({"in/" + k: v for k, v in inputs.items()})
    optimizer = make_optimizer(module)
    schedule = schedule(optimizer) if schedule else None
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        F.mse_loss(module.b(torch.tanh(module.a(inputs["x"]))), inputs["t"]).backward()
        if clip:
            clip(module.parameters())
        tensors[f"rate/{step}"] = torch.tensor(optimizer.param_groups[0]["lr"])
        optimizer.step()
        tensors.update({f"step/{step}/" + k: v.clone() for k, v in module.weights().items()})
        if schedule:
            schedule.step()
    write(name, text, tensors)


def optimizers():
    o = torch.optim
    for name, train, make in [
        ("sgd", "sgd(rate: 0.2)", lambda p: o.SGD(p, 0.2)),
        ("sgd_all", "sgd(rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 0.1)",
         lambda p: o.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1)),
        ("momentum", "momentum(rate: 0.1, weight_decay: 0.05)", lambda p: o.SGD(p, 0.1, 0.9, weight_decay=0.05)),
        ("nesterov", "nesterov(rate: 0.1)", lambda p: o.SGD(p, 0.1, 0.9, nesterov=True)),
        ("adam", "adam(rate: 0.05)", lambda p: o.Adam(p, 0.05)),
        ("adam_decay", "adam(rate: 0.05, beta1: 0.8, beta2: 0.95, epsilon: 1e-4, weight_decay: 0.1)",
         lambda p: o.Adam(p, 0.05, (0.8, 0.95), 1e-4, 0.1)),
        ("adamw", "adamw(rate: 0.05)", lambda p: o.AdamW(p, 0.05)),
        ("adamw_decay", "adamw(rate: 0.05, beta2: 0.95, weight_decay: 0.5)", lambda p: o.AdamW(p, 0.05, (0.9, 0.95), weight_decay=0.5)),
        ("adagrad", "adagrad(rate: 0.1, weight_decay: 0.1)", lambda p: o.Adagrad(p, 0.1, weight_decay=0.1)),
        ("rmsprop", "rmsprop(rate: 0.02)", lambda p: o.RMSprop(p, 0.02)),
        ("rmsprop_all", "rmsprop(rate: 0.02, alpha: 0.9, epsilon: 1e-3, momentum: 0.5, weight_decay: 0.1)",
         lambda p: o.RMSprop(p, 0.02, 0.9, 1e-3, 0.1, 0.5)),
        ("lion", "lion(rate: 0.02, weight_decay: 0.3)", lambda p: Lion(p, 0.02, weight_decay=0.3)),
    ]:
        run("optimizer_" + name, "optimizer " + train, lambda m: make(m.parameters()))
    run("optimizer_groups", 'optimizer adamw(rate: 0.05, weight_decay: 0.5) { "*.bias": weight_decay 0, rate 0.01 }',
        lambda m: o.AdamW([{"params": [p for n, p in m.named_parameters() if "bias" not in n], "weight_decay": 0.5},
                           {"params": [p for n, p in m.named_parameters() if "bias" in n], "weight_decay": 0, "lr": 0.01}], 0.05))
    run("clip_norm", "optimizer sgd(rate: 0.5)\nclip norm(0.1)", lambda m: o.SGD(m.parameters(), 0.5),
        clip=lambda p: nn.utils.clip_grad_norm_(p, 0.1))
    run("clip_value", "optimizer sgd(rate: 0.5)\nclip value(0.02)", lambda m: o.SGD(m.parameters(), 0.5),
        clip=lambda p: nn.utils.clip_grad_value_(p, 0.02))


def schedules():
    s = torch.optim.lr_scheduler
    sgd = lambda m: torch.optim.SGD(m.parameters(), 0.2)
    head = "optimizer sgd(rate: 0.2)\nschedule "
    run("schedule_constant", head + "constant()", sgd)
    run("schedule_warmup", head + "warmup(over: 3)", sgd, lambda o: s.LinearLR(o, 1 / 3, 1, 2))
    run("schedule_cosine", head + "cosine()", sgd, lambda o: s.CosineAnnealingLR(o, 5))
    run("schedule_cosine_floor", head + "cosine(floor: 0.05)", sgd, lambda o: s.CosineAnnealingLR(o, 8, 0.05), steps=8)
    # Epochs of two steps: 12 samples in batches of 6.
    run("schedule_steps", head + "steps(at: [1, 3], factor: 0.3)", sgd, lambda o: s.MultiStepLR(o, [2, 6], 0.3), steps=8, data="epochs 4")
    run("schedule_exponential", head + "exponential(gamma: 0.5)", sgd, lambda o: s.StepLR(o, 2, 0.5), steps=6, data="epochs 3")
    run("schedule_one_cycle", head + "one_cycle(rise: 0.4)", sgd, lambda o: s.OneCycleLR(o, 0.2, 10, pct_start=0.4, cycle_momentum=False), steps=10)


os.makedirs(FOLDER, exist_ok=True)
for part in (layers, attention, parameterless, losses, optimizers, schedules):
    part()
print(sum(os.path.getsize(os.path.join(FOLDER, f)) for f in os.listdir(FOLDER)), "bytes in", len(os.listdir(FOLDER)), "files")
