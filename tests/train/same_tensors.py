#!/usr/bin/python3
"""Exits 0 when two safetensors files hold the same tensors, bit for bit (their notes may differ); says what differs otherwise."""
import json
import struct
import sys


def tensors(path):
    data = open(path, "rb").read()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    start = 8 + size
    return {n: (t["dtype"], t["shape"], data[start + t["data_offsets"][0]:start + t["data_offsets"][1]])
            for n, t in header.items()}


a, b = tensors(sys.argv[1]), tensors(sys.argv[2])
different = sorted(n for n in a.keys() | b.keys() if a.get(n) != b.get(n))
if not a or different:
    print("differ:" if a else "no tensors", *different[:10])
    sys.exit(1)
