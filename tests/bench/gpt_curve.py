#!/usr/bin/python3
"""The loss curve of examples/gpt/gpt.mlc beside the same network in PyTorch: gpt_curve.py [--steps 300] [--mlc build/mlc] [--text FILE]

Both start from the same weights (mlc's init, written as a state dict) and train on windows of the same text with the same optimizer,
schedule and clipping; order of the windows and dropout masks differ, so losses are compared as means over 20 steps.  Exits 1 unless
the last mean of mlc is below 2.6 nats per byte and every mean from step 40 on is within 0.05 of PyTorch's."""
import argparse
import gzip
import json
import math
import os
import subprocess
import sys
import tempfile

import torch
import torch.nn.functional as F

from torch_models import VOCABULARY, W4, WINDOW, read_safetensors

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BATCH = 8


def rate(step, steps, peak=6e-4, warmup=100, floor=6e-5):
    if step < warmup:
        return peak * (step + 1) / warmup
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def torch_losses(weights, text, steps, total, threads):
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    net = W4()
    net.load_state_dict(weights)
    data = torch.tensor(list(text), dtype=torch.long)
    data = data[:int(len(data) * 0.95)]
    windows = (len(data) - 1) // WINDOW
    order = torch.randperm(windows)
    optimizer = torch.optim.AdamW(net.parameters(), lr=6e-4, betas=(0.9, 0.95), weight_decay=0.1)
    losses = []
    for step in range(steps):
        at = [int(order[(step * BATCH + i) % windows]) * WINDOW for i in range(BATCH)]
        x = torch.stack([data[a:a + WINDOW] for a in at])
        y = torch.stack([data[a + 1:a + WINDOW + 1] for a in at])
        for group in optimizer.param_groups:
            group["lr"] = rate(step, total)
        loss = F.cross_entropy(net(x).view(-1, VOCABULARY), y.view(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def mlc_losses(options, folder, text, steps):
    with open(os.path.join(folder, "input.txt"), "wb") as out:
        out.write(text)
    model = os.path.join(ROOT, "examples", "gpt", "gpt.mlc")
    weights = os.path.join(folder, "init.safetensors")
    subprocess.run([options.mlc, "run", model, "--data", folder, "--entry", "init", "--out", weights], check=True)
    command = [options.mlc, "train", model, "--data", folder, "--out", os.path.join(folder, "run"), "--json", "--set", f"train.steps={steps}",
               "--set", "train.log=1", "--set", "train.validate=none"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [e["loss"] for e in events if e["event"] == "step"], read_safetensors(weights)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlc", default=os.path.join(ROOT, "build", "mlc"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2, help="of PyTorch")
    parser.add_argument("--text", default=os.path.join(ROOT, "..", "shared", "data", "text", "tinyshakespeare.txt.gz"))
    options = parser.parse_args()
    text = gzip.open(options.text).read()
    with tempfile.TemporaryDirectory() as folder:
        ours, weights = mlc_losses(options, folder, text, options.steps)
    names = set(W4().state_dict())
    theirs = torch_losses({n: t for n, t in weights.items() if n in names}, text, options.steps, options.steps, options.threads)
    worst, last = 0, math.inf
    print("steps      mlc   PyTorch")
    for begin in range(0, options.steps - 19, 20):
        last, b = sum(ours[begin:begin + 20]) / 20, sum(theirs[begin:begin + 20]) / 20
        print(f"{begin:3}-{begin + 19:3} {last:8.4f} {b:8.4f}")
        if begin >= 40:
            worst = max(worst, abs(last - b))
    print(f"last mean {last:.4f} nats per byte (below 2.6), largest difference {worst:.4f} (within 0.05)")
    return 0 if last < 2.6 and worst <= 0.05 else 1


sys.exit(main())
