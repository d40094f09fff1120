#!/usr/bin/python3
"""A file with other names and layouts, named by the model's `weights` block: weights_map.py MLC

Training starts from it, with rate 0 keeps it, and what training saved has our names and layouts: neither the test at the end nor
a later `eval` may map it again.  The weight is square, so a second transposition would not be seen by its shape."""
import json
import os
import struct
import subprocess
import sys
import tempfile

MODEL = """data d {
  train: synthetic(samples: 8, classes: 2, shape: [2])
  test: synthetic(samples: 8, classes: 2, shape: [2])
}
model m {
  input x: f32[N, 2]
  input label: i32[N]
  fc = dense(x, 2)
  output y = fc
}
weights "theirs.safetensors" { "net.*" -> "*"; "*.kernel" -> "*.weight"; "*.weight" -> transpose }
train {
  minimize  mean((fc[:, 0] - 2 * x[:, 1]) ** 2)
  optimizer sgd(rate: 0)
  batch     8
  steps     2
}
"""


def write(path, tensors):
    header, body = {}, b""
    for name, (shape, values) in tensors.items():
        part = struct.pack(f"<{len(values)}f", *values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(body), len(body) + len(part)]}
        body += part
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + body)


def run(*command):
    done = subprocess.run([sys.argv[1], *command, "--json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()]


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("m.mlc", "w") as file:
        file.write(MODEL)
    # Theirs is [in, out]: y[0] = 2 x[1] exactly, so the loss is 0; read as [out, in], y[0] would be 0.
    write("theirs.safetensors", {"net.fc.kernel": ([2, 2], [0, 0, 2, 0]), "net.fc.bias": ([2], [0, 0])})
    losses = {"at the end": run("train", "m.mlc", "--out", "run")[-1]["test"]["loss"],
              "of the run": run("eval", "m.mlc", "--weights", "run")[-1]["loss"],
              "of the file": run("eval", "m.mlc", "--weights", "theirs.safetensors")[-1]["loss"]}
    print("losses, which have to be 0:", losses)
    sys.exit(any(losses.values()))
