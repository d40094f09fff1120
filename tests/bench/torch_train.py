"""PyTorch's side of the comparison: trains one of the workloads on random data and prints samples (or tokens) a second.

Called by compare.py, which sets the environment that PyTorch needs to be at its best: channels last, an allocator that keeps its
memory, and none of the variables that force a slow BLAS kernel."""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Digits(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.fc1 = nn.Linear(5408, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.dropout(F.relu(self.fc1(x.flatten(1))), 0.5)
        return self.fc2(x)


def digits(batch, channels_last):
    net = Digits()
    x = torch.rand(batch, 1, 28, 28)
    y = torch.randint(0, 10, (batch,))
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step, batch


def mlp(batch, channels_last):
    net = nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10))
    x = torch.rand(batch, 784)
    y = torch.randint(0, 10, (batch,))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step, batch


def gemm(batch, channels_last):
    """FLOP/s of a product, to see which BLAS PyTorch found."""
    a, b = torch.rand(batch, batch), torch.rand(batch, batch)
    return (lambda: a @ b), 2 * batch**3


def main():
    workload, batch, threads, seconds, channels_last = sys.argv[1:6]
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    step, samples = {"digits": digits, "mlp": mlp, "gemm": gemm}[workload](int(batch), channels_last == "1")
    for _ in range(5):
        step()
    times = []
    end = time.perf_counter() + float(seconds)
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    times.sort()
    print(samples / times[len(times) // 2])


main()
