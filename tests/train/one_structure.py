#!/usr/bin/python3
"""Repeated blocks compile once: the step of a deeper network has more calls and hardly more structures.
one_structure.py MLC FILE KEY FEW MANY

One more is allowed: the norm of all gradients is one kernel that adds a number a parameter, so it knows how many there are."""
import json
import subprocess
import sys

mlc, file, key, few, many = sys.argv[1:6]


def step(count):
    done = subprocess.run([mlc, "check", file, "--json", "--set", f"{key}={count}"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    entry = json.loads(done.stdout)["entries"]["step"]
    return entry["kernels"], entry["structures"]


(calls, structures), (more_calls, more_structures) = step(few), step(many)
print(f"{key}={few}: {calls} calls of {structures} structures; {key}={many}: {more_calls} calls of {more_structures}")
sys.exit(not (more_calls > calls and more_structures <= structures + 1))
