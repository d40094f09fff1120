"""From the start of the process to the first finished step, `mlc check`, and the memory of a training process."""
import json
import os
import statistics
import subprocess
import tempfile
import time

from sides import HERE, LOAD, peer_environment, torch_worker
from table import Row
from workloads import TARGETS, WORKLOADS


def seconds(values):
    return f"{statistics.median(values):.3f} s"


def mib(value):
    return f"{value / (1 << 20):,.0f} MiB"


def first_step(mlc, name, folder, threads, cache):
    """Until the line that tells of the first step has been read."""
    environment = dict(os.environ, XDG_CACHE_HOME=cache)
    command = [mlc.path, "train", os.path.join(HERE, f"{name}.mlc"), "--data", folder, "--out", os.path.join(folder, "run"), "--json", "--threads",
               str(threads), "--set", "train.steps=1", "--set", "train.log=1", "--set", "train.validate=none"]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        taken = next(time.perf_counter() - begin for line in process.stdout if json.loads(line)["event"] == "step")
        process.stdout.read()
    return taken


def torch_first_step(name, threads):
    begin = time.perf_counter()
    worker = torch_worker(peer_environment(threads))
    worker.ask(do="train", workload=name, batch=WORKLOADS[name].batch, threads=threads, once=True)
    taken = time.perf_counter() - begin
    worker.close()
    return taken


def check_seconds(mlc):
    begin = time.perf_counter()
    mlc.run("check", os.path.join(HERE, "w1.mlc"))
    return time.perf_counter() - begin


def first_steps(options, mlc, torch, name, table):
    """mlc with an empty cache, then with what that left behind."""
    w = WORKLOADS[name]
    theirs, cold, cached, checks = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        torch.ask(do="data", path=os.path.join(folder, "data.safetensors"), workload=name, batch=w.batch)
        for _ in range(options.rounds):
            with tempfile.TemporaryDirectory() as cache:
                theirs.append(LOAD.watch(lambda: torch_first_step(name, options.threads)))
                cold.append(first_step(mlc, name, folder, options.threads, cache))
                cached.append(LOAD.watch(lambda: first_step(mlc, name, folder, options.threads, cache)))
                checks.append(check_seconds(mlc))
    for how, ours in (("cold", cold), ("cached", cached)):
        target = TARGETS[f"first step {how}"] if name == "w1" else None
        table.add(Row(f"{w.title}: start to first finished step, {how}", "PyTorch", seconds(theirs), seconds(ours),
                      statistics.median(b / a for a, b in zip(ours, theirs)), target, at_most=True, value=statistics.median(ours),
                      target_text=f"{target} s" if target else ""))
    if name == "w1":
        table.add(Row(f"`mlc check` of {w.title}", "", "", seconds(checks), None, TARGETS["check"], at_most=True, value=statistics.median(checks),
                      target_text=f"{TARGETS['check']} s"))


def memory(options, mlc, name, table):
    """Of a process that trains on one batch in memory, mlc's kernels from the cache. PyTorch's without the settings that make its allocator keep
    memory, and the same work in less of it."""
    w = WORKLOADS[name]
    worker = torch_worker(peer_environment(options.threads, keep_memory=False))
    theirs = worker.ask(do="train", workload=name, batch=w.batch, threads=options.threads, seconds=0.5)["peak_rss_bytes"]
    worker.close()
    mlc.bench(f"{name}.mlc", options.threads, repeat=1)
    ours = mlc.bench(f"{name}.mlc", options.threads, repeat=5)
    target = TARGETS[f"memory {name}"]
    table.add(Row(f"{w.title} train, batch {w.batch}: peak memory of the process", "PyTorch", mib(theirs), mib(ours["peak_rss_bytes"]),
                  theirs / ours["peak_rss_bytes"], target, at_most=True, value=ours["peak_rss_bytes"], target_text=mib(target)))
    table.add(Row(f"{w.title} train, batch {w.batch}: bytes planned", "", "", mib(ours["planned_bytes"]), None, None))


def compare(options, mlc, torch, table):
    for name in ("w1", "w3", "w4"):
        first_steps(options, mlc, torch, name, table)
    for name in ("w1", "w4"):
        memory(options, mlc, name, table)
