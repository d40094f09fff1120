#!/usr/bin/python3
"""The loss of the first steps agrees between cpu and reference: agree.py MLC FILE STEPS TOLERANCE [train options...]

The reference rounds every op to f32 but sums in double and calls libm, the cpu backend sums in f32 and has its own polynomials: a loss
differs by some 1e-6 relative at the first step, and training multiplies that as it goes on.  Each caller states its tolerance
(relative, at the last step)."""
import json
import os
import subprocess
import sys
import tempfile


def losses(mlc, file, steps, device, options):
    with tempfile.TemporaryDirectory() as out:
        command = [mlc, "train", file, "--device", device, "--out", os.path.join(out, "run"), "--json", "--set", f"train.steps={steps}",
                   "--set", "train.log=1", "--set", "train.validate=none", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{device}: exit code {done.returncode}\n{done.stderr}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    return [e["loss"] for e in events if e["event"] == "step"]


mlc, file, steps, tolerance = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
cpu = losses(mlc, file, steps, "cpu", sys.argv[5:])
reference = losses(mlc, file, steps, "reference", sys.argv[5:])
if len(cpu) != steps or len(reference) != steps:
    sys.exit(f"expected {steps} steps, got {len(cpu)} and {len(reference)}")
worst = max(abs(a - b) / abs(b) for a, b in zip(cpu, reference))
print(f"{steps} steps, loss {reference[0]:.6f} to {reference[-1]:.6f}, largest relative difference {worst:.2e} (allowed {tolerance:g})")
sys.exit(worst > tolerance)
