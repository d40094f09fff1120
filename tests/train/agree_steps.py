#!/usr/bin/python3
"""The loss of each of the first steps agrees between cpu and reference when both take it from the same state:
agree_steps.py MLC FILE STEPS TOLERANCE [train options...]

For deep networks on small batches, whose training is chaotic: a relu that falls on the other side of 0 changes a gradient, and the steps that
follow multiply it (the reference itself, started from weights a rounding of f32 away, is 10% off after 20 steps).  Here cpu trains,
its run folder is copied before every step, and the reference takes the same step from the copy."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile


def without_test(file, folder):
    """The model file less the test at the end of training, which would take the reference longer than all steps."""
    with open(file, encoding="utf-8") as source:
        text = re.sub(r"^\s*test:.*$", "", source.read(), flags=re.MULTILINE)
    copy = os.path.join(folder, os.path.basename(file))
    with open(copy, "w", encoding="utf-8") as target:
        target.write(text)
    return copy


def take_step(file, run, device, step, options):
    command = [sys.argv[1], "train", file, "--device", device, "--out", run, "--json", "--set", f"train.steps={step + 1}",
               "--set", "train.log=1", "--set", "train.validate=none", *options] + (["--resume"] if step else [])
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{device}: exit code {done.returncode}\n{done.stderr}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    found = [e["loss"] for e in events if e["event"] == "step"]
    if len(found) != 1:
        sys.exit(f"{device}: expected one step, got {len(found)}")
    return found[0]


def main():
    steps, tolerance, options = int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        file = without_test(sys.argv[2], folder)
        run, copy = os.path.join(folder, "run"), os.path.join(folder, "copy")
        for step in range(steps):
            if step:
                shutil.copytree(run, copy, dirs_exist_ok=True)
            cpu, reference = take_step(file, run, "cpu", step, options), take_step(file, copy, "reference", step, options)
            difference = abs(cpu - reference) / abs(reference)
            print(f"step {step}: loss {reference:.6f}, relative difference {difference:.2e} (allowed {tolerance:g})")
            failed |= difference > tolerance
    return failed


sys.exit(main())
