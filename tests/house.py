#!/usr/bin/python3
"""The rules of the house: who may include whom, headers that stand alone, short files, READMEs whose maps are complete, nothing but the
agreed names at the top.  house.py [C compiler]"""
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = {"CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md", "frontend", "ir", "passes", "backends", "runtime", "tests",
       "examples"}
# room: what its files may include from the tree (the longest matching room counts)
MAY_KNOW = {
    "ir": ["ir/"],
    "ir/base": ["ir/base/"],
    "frontend": ["frontend/", "ir/"],
    "frontend/cli": ["frontend/cli/", "runtime/mlc.h"],
    "passes": ["passes/", "ir/"],
    "backends": ["backends/", "ir/"],
    "backends/cpu": ["backends/", "ir/", "runtime/core/"],
    "runtime": ["runtime/", "backends/backend.h", "frontend/frontend.h", "frontend/parser.h", "passes/pass.h", "passes/quantize.h", "ir/"],
    "runtime/core": ["runtime/core/", "ir/"],
    "runtime/data": ["runtime/data/", "runtime/core/", "frontend/frontend.h", "ir/"],
}


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", *patterns], cwd=ROOT, capture_output=True, text=True)
    return [f for f in listed.stdout.split("\n") if f and os.path.exists(os.path.join(ROOT, f))]


def read(path):
    return open(os.path.join(ROOT, path), encoding="utf-8", errors="replace").read()


def room_of(path):
    rooms = [r for r in MAY_KNOW if path.startswith(r + "/")]
    return max(rooms, key=len) if rooms else None


def includes(problems):
    for path in tracked("*.c", "*.h", "*.def"):
        room = room_of(path)
        if not room:
            continue
        for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', read(path), re.M):
            if not any(name.startswith(allowed) for allowed in MAY_KNOW[room]):
                problems.append(f"{path}: may not include {name}")


def headers(problems, compiler):
    def alone(path):
        command = [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-I", ROOT, "-fsyntax-only", "-x", "c", "-"]
        flags = subprocess.run(["llvm-config-19", "--cflags"], capture_output=True, text=True).stdout.split()
        done = subprocess.run(command + flags, input=f'#include "{path}"\nint empty;\n', capture_output=True, text=True)
        return None if done.returncode == 0 else f"{path}: does not compile alone: {done.stderr.strip().splitlines()[0]}"

    with ThreadPoolExecutor(2) as pool:
        problems.extend(p for p in pool.map(alone, tracked("*.h")) if p)


def lengths(problems):
    for path in tracked("*.c", "*.h", "*.def", "*.mlc"):
        lines = read(path).count("\n")
        if lines > 600:
            problems.append(f"{path}: {lines} lines, at most 600")


def maps(problems):
    for folder in ["ir", "frontend", "passes", "backends", "runtime", "tests", "examples"]:
        readme = os.path.join(folder, "README.md")
        if not os.path.exists(os.path.join(ROOT, readme)):
            problems.append(f"{readme}: missing")
            continue
        texts = "".join(read(f) for f in tracked(f"{folder}/**/README.md", readme))
        for path in tracked(f"{folder}/*.c", f"{folder}/*.def"):
            name = os.path.basename(path)
            stem = name.rsplit(".", 1)[0]
            if folder in ("tests", "examples") or re.search(rf"\b{re.escape(stem)}\b", texts) or stem.split("_")[0] in texts:
                continue
            problems.append(f"{path}: not on the map of {folder}'s README")


def main():
    problems = []
    for path in {f.split("/")[0] for f in tracked()}:
        if not path.startswith(".") and path not in TOP:
            problems.append(f"{path}: does not belong at the top level")
    includes(problems)
    lengths(problems)
    maps(problems)
    headers(problems, sys.argv[1] if len(sys.argv) > 1 else "cc")
    print("\n".join(sorted(problems)) if problems else "the house is in order")
    return 1 if problems else 0


sys.exit(main())
