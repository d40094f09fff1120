#!/usr/bin/python3
"""The program from a shell: exit codes, what goes to which stream, JSON lines, colour, signals, full disks.

    behave.py MLC [-k name]

What a command prints word for word is the golden tests' business."""
import json
import math
import os
import pty
import re
import select
import shutil
import signal
import stat
import struct
import subprocess
import sys
import tempfile
import time
import unittest

MLC = os.path.abspath(sys.argv[1])
MODEL = """data points {
  train: synthetic(samples: 40, classes: 2, shape: [8])
  test: synthetic(samples: 10, classes: 2, shape: [8], seed: 5)
}

const width = 64

model points {
  input x: f32[N, 8]
  input label: i32[N]
  fc1 = dense(x, width)
  fc2 = dense(relu(fc1), 64)
  output logits = fc2
}

train {
  minimize  cross_entropy(logits, label)
  report    accuracy = accuracy(logits, label)
  optimizer adam(rate: 1e-2)
  batch     10
  epochs    2
  log       1
}
"""


class Program(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.environment = dict(os.environ, XDG_CACHE_HOME=os.path.join(self.folder, "cache"))
        self.environment.pop("NO_COLOR", None)
        self.write("m.mlc", MODEL)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "wb" if isinstance(text, bytes) else "w") as file:
            file.write(text)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def mlc(self, *words, code=0, says=(), **options):
        """Runs it; `says` must occur on stderr."""
        done = subprocess.run([MLC, *words], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=120, **options)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout}{done.stderr}")
        for text in says:
            self.assertIn(text, done.stderr)
        return done

    def needs_cpu(self):
        if "cpu:" not in self.mlc("devices").stdout:
            self.skipTest("this build has no compiling backend")

    def refused(self, *words, code, says=()):
        """A refusal says why on stderr and nothing on stdout."""
        done = self.mlc(*words, code=code, says=says)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("\x1b", done.stderr)
        self.assertTrue(done.stderr.endswith("\n") and not done.stderr.endswith("\n\n"), repr(done.stderr))
        return done

    def tensors(self, name):
        """Bytes by name."""
        data = self.read(name)
        size = struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:8 + size])
        header.pop("__metadata__", None)
        return {n: data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]] for n, t in header.items()}

    def trained(self, *words):
        return self.mlc("train", "m.mlc", "--device", "reference", "--out", "run", *words)


class Usage(Program):
    def test_wrong_usage_is_2(self):
        self.refused("trian", "m.mlc", code=2, says=["`trian`", "`train`"])
        self.refused("check", "m.mlc", "--devise", "cpu", code=2, says=["`--devise`", "`--device`"])
        self.refused("check", "m.mlc", "--device", "gpu", code=2, says=["gpu", "reference"])
        self.refused("check", "m.mlc", "--threads", "two", code=2, says=["--threads two"])
        self.refused("check", "m.mlc", "--seed", "-3", code=2, says=["--seed"])
        self.refused("check", "m.mlc", "--memory", "lots", code=2, says=["--memory lots", "200MB"])
        self.refused("check", "m.mlc", "--precision", "f64", code=2, says=["f64", "bf16"])
        self.refused("check", "m.mlc", "--set", "width", code=2, says=["--set width"])
        self.refused("check", "m.mlc", "again.mlc", code=2, says=["`again.mlc`"])
        self.refused("check", code=2, says=["FILE"])
        self.refused("check", "m.mlc", "--device", code=2, says=["`--device` needs a value"])
        self.refused("eval", "m.mlc", code=2, says=["--weights"])
        self.refused("predict", "m.mlc", "--weights", "w", "--in", "x", code=2, says=["--out"])
        self.refused("run", "m.mlc", "--out", "y", code=2, says=["--entry"])
        self.refused("run", "m.mlc", "--device", "reference", "--entry", "predikt", "--out", "y", code=2, says=["predikt", "predict"])
        self.refused("help", "dens", code=2, says=["dens", "dense"])
        self.refused("dump", "m.mlc", "--stage", "grap", code=2, says=["grap", "graph"])

    def test_help_and_version_are_0(self):
        for words in (["--help"], ["train", "--help"], ["help"], ["help", "dense"], ["help", "language"], ["version"], ["--version"]):
            done = self.mlc(*words)
            self.assertEqual(done.stderr, "")
            self.assertTrue(done.stdout)
        self.assertIn("0.1.0", done.stdout)

    def test_wrong_input_is_3(self):
        self.refused("check", "none.mlc", code=3, says=["none.mlc"])
        self.refused("check", ".", code=3, says=["a folder"])
        self.write("bad.mlc", "model m {\n  input x: f32[N, 4]\n  output y = dens(x, 3)\n}\n")
        self.refused("check", "bad.mlc", code=3, says=["bad.mlc:3:14: error:", "output y = dens(x, 3)", "^", "dense"])
        self.write("binary.mlc", bytes(range(256)))
        self.refused("check", "binary.mlc", code=3, says=["binary.mlc:1:1"])
        self.refused("check", "m.mlc", "--set", "widht=3", code=3, says=["widht", "`width`"])
        self.refused("check", "m.mlc", "--set", "train.bach=3", code=3, says=["train.bach", "`train.batch`"])
        self.refused("check", "m.mlc", "--set", "train.batch=many", code=3, says=["many"])
        self.refused("check", "m.mlc", "--variant", "large", code=3, says=["large"])
        self.write("away.mlc", MODEL.replace("synthetic(samples: 40, classes: 2, shape: [8])", 'csv("away.csv")'))
        self.refused("train", "away.mlc", "--device", "reference", code=3, says=["away.csv"])

    def test_standard_input_is_a_file(self):
        done = self.mlc("check", "-", "--device", "reference", input=MODEL)
        self.assertIn("points", done.stdout)


class Weights(Program):
    def damaged(self, name, data, *says):
        self.write(name, data)
        self.refused("eval", "m.mlc", "--device", "reference", "--weights", name, code=3, says=[name, *says])

    def test_weights_that_do_not_fit_are_3(self):
        self.trained()
        whole = self.read("run/best.safetensors")
        self.damaged("short.safetensors", whole[:-7])
        self.damaged("head.safetensors", whole[:40])
        self.damaged("empty.safetensors", b"")
        self.damaged("liar.safetensors", struct.pack("<Q", 1 << 60) + whole[8:])
        self.refused("eval", "m.mlc", "--device", "reference", "--weights", "none", code=3, says=["none"])
        self.refused("eval", "m.mlc", "--device", "reference", "--weights", "run", "--set", "width=32", code=3,
                     says=["fc1.weight", "f32[64, 8]", "f32[32, 8]", "fc1.bias", "fc2.weight"])

    def test_a_run_folder_is_weights(self):
        self.trained()
        for where in ("run", "run/best.safetensors"):
            done = self.mlc("eval", "m.mlc", "--device", "reference", "--weights", where)
            self.assertIn("accuracy", done.stdout)
        self.refused("eval", "m.mlc", "--device", "reference", "--weights", "run", "--split", "tset", code=3, says=["tset", "test"])


class Files(Program):
    ROWS = 7

    def setUp(self):
        super().setUp()
        self.trained()
        numbers = [math.sin(i) for i in range(self.ROWS * 8)]
        self.x = struct.pack("<%df" % len(numbers), *numbers)
        shape = "(%d, 8)" % self.ROWS
        head = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % shape
        head += " " * (-(len(head) + 11) % 64) + "\n"
        self.write("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + self.x)
        self.write("x.csv", "\n".join([",".join(f"x{i}" for i in range(8))] + [",".join(map(repr, numbers[r * 8:r * 8 + 8]))
                                                                            for r in range(self.ROWS)]) + "\n")
        labels = struct.pack("<%di" % self.ROWS, *[i % 2 for i in range(self.ROWS)])
        self.safetensors("x.safetensors", {"x": ("F32", [self.ROWS, 8], self.x), "label": ("I32", [self.ROWS], labels)})

    def safetensors(self, name, tensors):
        header, blob = {}, b""
        for key, (kind, shape, data) in tensors.items():
            header[key] = {"dtype": kind, "shape": shape, "data_offsets": [len(blob), len(blob) + len(data)]}
            blob += data
        head = json.dumps(header).encode()
        self.write(name, struct.pack("<Q", len(head)) + head + blob)

    def predicted(self, source, target):
        self.mlc("predict", "m.mlc", "--device", "reference", "--weights", "run", "--in", source, "--out", target)
        return self.read(target)

    def test_every_format_says_the_same(self):
        self.predicted("x.safetensors", "y.safetensors")
        logits = self.tensors("y.safetensors")["logits"]
        self.assertEqual(len(logits), self.ROWS * 64 * 4)
        self.assertTrue(self.predicted("x.npy", "y.npy").endswith(logits))
        self.predicted("x.csv", "z.safetensors")
        self.assertEqual(self.tensors("z.safetensors")["logits"], logits)
        rows = self.predicted("x.npy", "y.csv").decode().split("\n")
        self.assertEqual((len(rows), rows[0].split(",")[:2]), (self.ROWS + 2, ["logits.0", "logits.1"]))
        numbers = [float(cell) for row in rows[1:-1] for cell in row.split(",")]
        self.assertEqual(struct.pack("<%df" % len(numbers), *numbers), logits)

    def test_outputs_without_a_batch_axis(self):
        """One extent is the batch, another the number of samples, by chance; the last batch is shorter."""
        ask = ["predict", "m.mlc", "--device", "reference", "--weights", "run", "--in", "x.npy", "--set", "train.batch=5", "--out"]
        extra = "  output fives = reshape(iota(15), [5, 3])\n  output sevens = reshape(iota(21), [7, 3])\n  output pairs = reshape(x, [4 * N, 2])\n"
        self.write("m.mlc", MODEL.replace("  output logits = fc2\n", "  output logits = fc2\n" + extra))
        self.mlc(*ask, "y.safetensors")
        got = self.tensors("y.safetensors")
        self.assertEqual(struct.unpack("<15i", got["fives"]), tuple(range(15)))
        self.assertEqual(struct.unpack("<21i", got["sevens"]), tuple(range(21)))
        self.assertEqual(got["pairs"], self.x)
        self.refused(*ask, "y.csv", code=2, says=["`fives`", "y.csv", ".safetensors"])
        self.assertFalse(os.path.exists(self.path("y.csv")))
        for output in "transpose(fc2)", "reshape(matmul(x, transpose(x)), [N * N])", "mean(fc2)":
            self.write("m.mlc", MODEL.replace("(logits, ", "(fc2, ").replace("output logits = fc2", "output logits = " + output))
            self.refused(*ask, "y.npy", code=3, says=["`logits`"])
            self.assertFalse(os.path.exists(self.path("y.npy")))

    def test_classes_have_the_same_number_in_every_split(self):
        model = """data d { train: csv("train.csv")
  test: csv("test.csv") }
model m { input x: f32[N, 1]
  input label: i32[N]
  fc = dense(x, 3)
  output y = fc
  output which = label }
train { minimize cross_entropy(fc, label); optimizer adam(); batch 3; epochs 1 }
"""
        self.write("c.mlc", model)
        self.write("train.csv", "x,l\n1,cat\n2,dog\n3,emu\n")
        self.write("test.csv", "x,l\n5,emu\n4,dog\n")
        ask = ["predict", "c.mlc", "--device", "reference", "--weights", "c", "--in", "test", "--out", "y.safetensors"]
        self.mlc("train", "c.mlc", "--device", "reference", "--out", "c")
        self.mlc(*ask)
        self.assertEqual(struct.unpack("<2i", self.tensors("y.safetensors")["which"]), (2, 1))
        self.write("test.csv", "x,l\n5,emu\n4,fox\n")
        self.refused(*ask, code=3, says=["c.mlc:2:3", "`fox` of test.csv", "train.csv", "cat, dog, emu"])
        self.write("test.csv", "x,l\n5,emu.\n4,dog.\n3,cat.\n")
        self.mlc(*ask, says=["warning", "test.csv names its classes otherwise"])
        self.assertEqual(struct.unpack("<3i", self.tensors("y.safetensors")["which"]), (2, 1, 0))

    def test_a_split_feeds_the_inputs_that_predict_uses(self):
        ask = ["predict", "m.mlc", "--device", "reference", "--weights", "run", "--in", "test", "--out"]
        self.write("m.mlc", MODEL.replace("output logits = fc2", "output logits = fc2\n  output label = label"))
        self.mlc(*ask, "both.safetensors")
        self.write("m.mlc", MODEL.replace("output logits = fc2", "output label = label").replace("(logits, ", "(fc2, "))
        self.mlc(*ask, "one.safetensors")
        self.assertEqual(self.tensors("one.safetensors")["label"], self.tensors("both.safetensors")["label"])
        self.write("m.mlc", MODEL.replace("test: synthetic(samples: 10, classes: 2, shape: [8]", "test: synthetic(samples: 10, classes: 2, shape: [5]"))
        self.refused(*ask, "y.npy", code=3, says=["`x`", "[8]", "[5]"])

    def test_a_misspelled_split_is_told_the_splits(self):
        self.refused("predict", "m.mlc", "--device", "reference", "--weights", "run", "--in", "tset", "--out", "y.npy", code=3,
                     says=["`tset`", "train, test"])

    def test_a_seed_that_does_not_fit_is_refused(self):
        self.refused("check", "m.mlc", "--seed", "4294967296", code=2, says=["4294967296", "4294967295"])
        self.refused("check", "m.mlc", "--set", "train.seed=4294967296", code=3, says=["`seed`", "up to 2147483647"])
        self.mlc("check", "m.mlc", "--seed", "4294967295")

    def test_targets_are_dumped_anywhere_and_run_where_they_can(self):
        self.needs_cpu()
        listed = "the targets are sse4.2, avx2, avx512, avx512bf16, amx and neon"
        self.refused("train", "m.mlc", "--target", "avx1024", code=2, says=["unknown target `avx1024`", listed])
        neon = self.mlc("dump", "m.mlc", "--stage", "asm", "--target", "neon").stdout
        self.assertIn("fmla", neon)
        self.assertIn("aarch64", self.mlc("dump", "m.mlc", "--stage", "llvm", "--target", "neon").stdout)
        self.assertIn("vfmadd", self.mlc("dump", "m.mlc", "--stage", "asm", "--target", "avx2").stdout)
        self.mlc("check", "m.mlc", "--target", "neon")
        elsewhere = "neon" if os.uname().machine == "x86_64" else "avx2"
        self.refused("train", "m.mlc", "--target", elsewhere, "--out", "other", code=2, says=["this CPU cannot run code for " + elsewhere])
        self.assertFalse(os.path.exists(self.path("other")))

    def test_run_takes_one_entry(self):
        common = ["run", "m.mlc", "--device", "reference", "--weights", "run", "--in", "x.safetensors", "--out", "y.safetensors", "--entry"]
        self.predicted("x.safetensors", "p.safetensors")
        self.mlc(*common, "predict")
        self.assertEqual(self.tensors("y.safetensors"), self.tensors("p.safetensors"))
        self.mlc(*common, "loss")
        loss = self.tensors("y.safetensors")["loss"]
        self.mlc(*common, "grad")
        gradients = self.tensors("y.safetensors")
        self.assertEqual(set(gradients), {"loss", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"})
        self.assertEqual(gradients["loss"], loss)
        self.mlc(*common, "step")
        stepped, before = self.tensors("y.safetensors"), self.tensors("run/best.safetensors")
        self.assertTrue(all(stepped[n] != before[n] and len(stepped[n]) == len(before[n]) for n in before))
        self.mlc("run", "m.mlc", "--device", "reference", "--entry", "init", "--out", "y.safetensors")
        self.assertLessEqual(set(before), set(self.tensors("y.safetensors")))

    def test_inputs_that_do_not_fit_are_3(self):
        common = ["m.mlc", "--device", "reference", "--weights", "run", "--out", "y.safetensors", "--in"]
        self.safetensors("wide.safetensors", {"x": ("F32", [self.ROWS, 9], self.x + bytes(self.ROWS * 4))})
        self.refused("predict", *common, "wide.safetensors", code=3, says=["wide.safetensors", "x"])
        self.refused("run", *common, "wide.safetensors", "--entry", "predict", code=3, says=["wide.safetensors", "`x`", "f32[7, 9]", "8]"])
        self.refused("run", *common, "run/best.safetensors", "--entry", "predict", code=3, says=["`x`"])
        bad = struct.pack("<%di" % self.ROWS, *[64] * self.ROWS)
        self.safetensors("label.safetensors", {"x": ("F32", [self.ROWS, 8], self.x), "label": ("I32", [self.ROWS], bad)})
        self.refused("run", *common, "label.safetensors", "--entry", "loss", code=3, says=["64", "`label`"])


class Output(Program):
    def lines(self, *words):
        done = self.mlc(*words)
        self.assertNotIn("\x1b", done.stdout)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_json_is_json_lines_and_nothing_else(self):
        common = ["m.mlc", "--device", "reference", "--json"]
        events = self.lines("train", *common, "--out", "run")
        self.assertEqual([e["event"] for e in events], ["start"] + (["step"] * 4 + ["epoch"]) * 2 + ["end"])
        self.assertEqual([e["step"] for e in events if e["event"] == "step"], list(range(1, 9)))
        for key in ("model", "device", "threads", "parameters", "memory_bytes", "compile_seconds"):
            self.assertIn(key, events[0])
        self.assertEqual(events[0]["parameters"], 8 * 64 + 64 + 64 * 64 + 64)
        self.assertEqual(set(events[-1]["test"]), {"loss", "accuracy"})
        kept = [json.loads(line) for line in self.read("run/metrics.jsonl").splitlines()]
        self.assertEqual([e["event"] for e in kept if e["event"] != "start"], [e["event"] for e in events[1:]])
        self.assertEqual(set(self.lines("eval", *common, "--weights", "run")[0]), {"loss", "accuracy"})
        check = self.lines("check", *common)[0]
        self.assertEqual(check["parameters"], events[0]["parameters"])
        self.assertLessEqual({"step", "loss", "grad", "eval", "predict"}, set(check["entries"]))
        bench = self.lines("bench", *common, "--repeat", "2")[0]
        self.assertLessEqual(bench["seconds"]["min"], bench["seconds"]["max"])
        self.assertTrue(self.lines("devices", "--json"))
        self.assertEqual(self.lines("version", "--json")[0]["version"], "0.1.0")
        self.assertEqual(self.lines("cache", "--json")[0], {"removed": False, "files": 0, "bytes": 0})
        self.assertEqual(self.lines("bench", *common, "--repeat", "2", "--peak")[0]["entry"], "step")

    def test_verbose_tells_what_is_compiled(self):
        common = ["m.mlc", "--device", "reference", "-v", "--json"]
        done = self.mlc("train", *common, "--out", "run")
        self.assertRegex(done.stderr, r"(?m)^compiled step, batch [0-9]+: [0-9.]+ s$")
        self.assertTrue(all(json.loads(line) for line in done.stdout.splitlines()))
        self.assertIn("compiled eval", self.mlc("eval", *common, "--weights", "run").stderr)
        self.assertNotIn("compiled", self.mlc("eval", *common[:3], "--weights", "run").stderr)

    def test_memory_is_known_before_it_is_taken(self):
        self.needs_cpu()
        for threads in ("1", "3"):
            common = ["m.mlc", "--threads", threads, "--json"]
            said = self.lines("check", *common)[0]["entries"]["step"]["peak_memory_bytes"]
            self.assertEqual(said, self.lines("train", *common, "--out", "run" + threads)[0]["memory_bytes"])
            self.assertEqual(said, self.lines("bench", *common, "--repeat", "2")[0]["planned_bytes"])
            self.assertEqual(self.mlc("bench", *common, "--repeat", "2", "--memory", str(said)).returncode, 0)
            self.refused("bench", *common, "--memory", str(said - 1), code=1, says=[str(said), str(said - 1)])

    def test_memory_to_spare_is_used(self):
        """A large plan computes again what is cheap; allowed more, it stores that."""
        self.needs_cpu()
        block = "dense(gelu(dense(layer_norm({0}), 64)), 64)"
        self.write("deep.mlc", f"""model deep {{
  input x: f32[N, 64]
  input y: f32[N, 64]
  a = x + {block.format("x")}
  b = a + {block.format("a")}
  output out = dense(layer_norm(b), 64)
}}
train {{
  minimize  mse(out, y)
  optimizer sgd(rate: 0.1)
  batch     32768
  steps     1
}}
""")
        free = self.lines("check", "deep.mlc", "--json")[0]["entries"]["step"]
        spare = self.lines("check", "deep.mlc", "--json", "--memory", "100GB")[0]["entries"]["step"]
        self.assertGreater(spare["arena_bytes"], free["arena_bytes"])
        self.assertLess(spare["bytes"], free["bytes"])

    def test_bench_tells_where_the_time_goes(self):
        self.needs_cpu()
        common = ["m.mlc", "--threads", "2", "--repeat", "3"]
        bench = self.lines("bench", *common, "--kernels", "--json")[0]
        for key in ("peak_flops", "peak_bytes_per_second", "peak_shared_cache_bytes_per_second", "peak_own_cache_bytes_per_second"):
            self.assertGreater(bench[key], 0)
        self.assertGreaterEqual(bench["peak_bf16_flops"], 0)
        self.assertEqual(sum(k["flops"] for k in bench["kernels"]), bench["flops"])
        self.assertTrue(all(k["seconds"] >= 0 and k["fraction_of_peak"] >= 0 for k in bench["kernels"]))
        self.assertTrue(any(k["line"] == "m.mlc:12" and "fc1" in k["label"] for k in bench["kernels"]), bench["kernels"])
        table = self.mlc("bench", *common, "--kernels").stdout
        self.assertRegex(table, r"time/us +share +GFLOP/s +GB/s +roofline +kernel\n")
        self.assertEqual(len(re.findall(r"^ +[0-9.]+ +[0-9.]+% +[0-9.]+ +[0-9.]+ +[0-9]+%  k\d+ ", table, re.M)), len(bench["kernels"]))
        self.assertNotIn("roofline  ", self.mlc("bench", *common).stdout)
        self.refused("bench", "m.mlc", "--device", "reference", "--repeat", "1", "--kernels", code=2, says=["reference", "kernels"])

    def test_bench_trace(self):
        self.needs_cpu()
        bench = self.lines("bench", "m.mlc", "--threads", "2", "--repeat", "3", "--kernels", "--json", "--trace", "trace.json")[0]
        events = json.loads(self.read("trace.json"))["traceEvents"]
        self.assertEqual([e["args"]["name"] for e in events if e["name"] == "thread_name"], ["thread 0", "thread 1"])
        shares = [e for e in events if e["ph"] == "X"]
        self.assertTrue(all(e["dur"] >= 0 and e["tid"] in (0, 1) for e in shares))
        # Every call is there, in order, under its label and line; no thread does two things at a time.
        names = [f"{k['label']} {k['line']}".strip() for k in bench["kernels"]]
        seen = [e["name"] for e in shares]
        self.assertEqual(list(dict.fromkeys(seen)), list(dict.fromkeys(names)))
        self.assertGreaterEqual(len(shares), len(names))
        for thread in (0, 1):
            own = [e for e in shares if e["tid"] == thread]
            for before, after in zip(own, own[1:]):
                self.assertLessEqual(before["ts"] + before["dur"], after["ts"] + 0.01)
        self.refused("bench", "m.mlc", "--repeat", "1", "--trace", "none/trace.json", code=1, says=["none/trace.json"])

    def test_results_and_progress_keep_apart(self):
        done = self.trained()
        self.assertRegex(done.stdout, r"^trained 8 steps in [0-9.]+ s +test loss [0-9.]+ accuracy [0-9.]+\n$")
        self.assertIn("epoch 2/2", done.stderr)
        self.assertNotRegex(done.stderr, "[\x1b\r]")
        quiet = self.mlc("train", "m.mlc", "--device", "reference", "--out", "run2", "--quiet")
        self.assertEqual(quiet.stderr, "")

    def test_a_closed_pipe_is_quiet(self):
        done = subprocess.run(f"{MLC} help language | head -1", shell=True, cwd=self.folder, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.stdout.count("\n"), done.stderr), (1, ""))

    def test_a_full_standard_output_is_1(self):
        train = ["train", "m.mlc", "--device", "reference", "--out", "run", "--quiet"]
        for words in (["help", "dense"], ["help"], ["--help"], ["check", "--help"], ["version"], train, [*train, "--json"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([MLC, *words], cwd=self.folder, env=self.environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (1, "mlc: the results could not be written to standard output\n"), words)

    def test_closed_streams_do_not_end_up_in_files(self):
        command = f"exec {MLC} train m.mlc --device reference --out run --json <&- >&- 2>&-"
        done = subprocess.run(["sh", "-c", command], cwd=self.folder, env=self.environment, timeout=60)
        self.assertEqual(done.returncode, 1)
        events = [json.loads(line)["event"] for line in self.read("run/metrics.jsonl").splitlines()]
        self.assertEqual((events.count("start"), events.count("end")), (1, 1))

    def on_terminal(self, **environment):
        """What comes on stderr when that is a terminal."""
        master, slave = pty.openpty()
        child = subprocess.Popen([MLC, "check", "bad.mlc"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=slave,
                                 env={**self.environment, "TERM": "xterm", **environment})
        os.close(slave)
        child.wait(60)
        text = b""
        while select.select([master], [], [], 0.2)[0]:
            try:
                text += os.read(master, 4096)
            except OSError:
                break
        os.close(master)
        self.assertIn(b"bad.mlc", text)
        return text

    def test_colour_is_for_terminals_that_want_it(self):
        self.write("bad.mlc", "model m {\n  output y = dens(3)\n}\n")
        self.assertIn(b"\x1b[", self.on_terminal())
        self.assertNotIn(b"\x1b", self.on_terminal(NO_COLOR="1"))
        self.assertNotIn(b"\x1b", self.on_terminal(TERM="dumb"))

    def test_fmt_writes_in_place_only_when_asked(self):
        self.write("ugly.mlc", "model   m {\ninput x: f32[N,4]\noutput y=x\n}\n")
        before = self.read("ugly.mlc")
        styled = self.mlc("fmt", "ugly.mlc").stdout
        self.assertEqual(self.read("ugly.mlc"), before)
        self.mlc("fmt", "ugly.mlc", "--write")
        self.assertEqual(self.read("ugly.mlc").decode(), styled)
        self.assertEqual(self.mlc("fmt", "ugly.mlc").stdout, styled)


class Cache(Program):
    def test_what_was_compiled_is_counted_and_removed(self):
        self.needs_cpu()
        self.assertIn("nothing cached", self.mlc("cache").stdout)
        self.mlc("train", "m.mlc", "--device", "cpu", "--out", "run", "--no-cache")
        self.assertFalse(os.path.exists(self.path("cache")))
        self.mlc("train", "m.mlc", "--device", "cpu", "--out", "run")
        held = [os.path.join("cache/mlc", name) for name in os.listdir(self.path("cache/mlc"))]
        self.assertGreater(len(held), 0)
        for name in ["cache", "cache/mlc", *held]:
            self.assertEqual(os.stat(self.path(name)).st_mode & 0o077, 0, name)
        self.assertIn(f"{len(held)} files", self.mlc("cache", "info").stdout)
        self.write(f"{held[0]}.torn", "what a killed process left")
        self.write("cache/mlc/notes", "somebody else's")
        self.assertIn(f"{len(held) + 1} files", self.mlc("cache", "clear").stdout)
        self.assertEqual(os.listdir(self.path("cache/mlc")), ["notes"])


class Tuning(Program):
    def test_what_cannot_be_tuned_is_2(self):
        self.refused("tune", code=2, says=["FILE"])
        self.refused("tune", "kernels", code=2, says=["FILE"])
        self.refused("tune", "m.mlc", code=2, says=["`kernels`"])
        self.refused("tune", "m.mlc", "rate", code=2, says=["`rate`", "kernels"])
        self.refused("tune", "m.mlc", "kernels", "again", code=2, says=["`again`"])
        self.refused("tune", "m.mlc", "kernels", "--device", "reference", code=2, says=["reference", "kernels"])
        self.refused("tune", "m.mlc", "kernels", "--entry", "stap", code=2, says=["stap", "step"])
        self.refused("tune", "none.mlc", "kernels", code=3, says=["none.mlc"])

    def test_what_was_found_is_used_and_changes_no_bit(self):
        self.needs_cpu()
        common = ["m.mlc", "--threads", "2", "--set", "width=200", "--set", "train.batch=40"]
        self.mlc("train", *common, "--out", "before", "--no-cache")
        done = self.mlc("tune", *common, "kernels", "--repeat", "5", "--json")
        self.assertEqual(done.stderr, "")
        kernels = json.loads(done.stdout)["kernels"]
        self.assertTrue(any("fc1" in k["label"] and k["line"].startswith("m.mlc:") for k in kernels), kernels)
        self.assertTrue(all(k["schedules"] > 1 and k["before"] > 0 for k in kernels), kernels)
        better = [k for k in kernels if k["choice"]]
        self.assertTrue(all(k["after"] <= 0.97 * k["before"] for k in better), better)
        self.assertTrue(all(k["after"] == k["before"] for k in kernels if k not in better), kernels)
        said = self.mlc("train", *common, "--out", "after", "-v").stderr
        self.assertEqual(bool(better), bool(re.search(r"^compiled step, batch 40: \d+ kernels, \d+ tuned, ", said, re.M)), said)
        self.assertNotIn("tuned", self.mlc("train", *common, "--out", "anew", "-v", "--no-cache").stderr)
        self.assertEqual(self.tensors("before/checkpoint.safetensors"), self.tensors("after/checkpoint.safetensors"))

    def test_a_table_and_no_progress_when_quiet(self):
        self.needs_cpu()
        done = self.mlc("tune", "m.mlc", "kernels", "--entry", "predict", "--repeat", "1", "--quiet", "--no-cache")
        self.assertEqual(done.stderr, "")
        self.assertRegex(done.stdout, r"(?m)^predict of points, batch 10, cpu, \d+ threads: \d+ of 2 kernels better, in ")
        self.assertRegex(done.stdout, r"(?m)^ +before/us +after/us +ratio +calls +kernel$")
        self.assertRegex(done.stdout, r"(?m)^ +[0-9.]+ +[0-9.]+ +[0-9.]+ +1  k\d+ dot .*m.mlc:\d+")
        self.assertFalse(os.path.exists(self.path("cache")))

    def test_an_interrupt_is_130(self):
        self.needs_cpu()
        child = subprocess.Popen([MLC, "tune", "m.mlc", "kernels"], cwd=self.folder, env=self.environment,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("kernel 1/", child.stderr.readline())
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.communicate(timeout=60)[0], "")
        self.assertEqual(child.returncode, 130)


class Quantizing(Program):
    def quantized(self, *words):
        self.trained()
        return json.loads(self.mlc("quantize", "m.mlc", "--device", "reference", "--weights", "run", "--out", "q", "--repeat", "2", "--json", *words).stdout)

    def test_what_it_costs_and_gains(self):
        table = self.quantized()
        before, after = table["before"], table["int8"]
        self.assertLess(after["bytes"], 0.4 * before["bytes"])  # fc2, seven eighths, in a byte for four, and the scales
        self.assertLess(abs(after["loss"] - before["loss"]), 0.02 * before["loss"])  # roundings by 1/254 of a range, with either sign
        self.assertAlmostEqual(after["accuracy"], before["accuracy"], delta=0.101)  # one of ten
        for side in before, after:
            self.assertTrue(all(side[key] > 0 for key in ("seconds_batch_1", "seconds_batch_128")))
        again = json.loads(self.mlc("eval", "m.mlc", "--device", "reference", "--weights", "q", "--json").stdout)
        self.assertEqual(again["loss"], after["loss"])
        self.assertLess(os.path.getsize(self.path("q/best.safetensors")), 0.5 * os.path.getsize(self.path("run/best.safetensors")))
        self.assertEqual(len(self.tensors("q/best.safetensors")["fc2.weight"]), 64 * 64)
        self.assertIn("accuracy", self.mlc("quantize", "m.mlc", "--device", "reference", "--weights", "run", "--out", "q", "--repeat", "2").stdout)

    def test_every_device_gives_the_same(self):
        self.needs_cpu()
        self.quantized()
        for device in ("reference", "cpu"):
            self.mlc("predict", "m.mlc", "--device", device, "--weights", "q", "--in", "test", "--out", f"{device}.safetensors")
        self.assertEqual(self.tensors("cpu.safetensors"), self.tensors("reference.safetensors"))

    def test_what_does_not_go_together_is_refused(self):
        self.quantized()
        common = ["m.mlc", "--device", "reference"]
        self.refused("quantize", *common, "--weights", "run", "--out", "run", code=2, says=["training run", "--out"])
        self.refused("quantize", *common, "--weights", "q", "--out", "q2", code=2, says=["int8"])
        self.refused("quantize", *common, "--weights", "run", code=2, says=["--out"])
        self.refused("quantize", *common, "--weights", "run", "--out", "q2", "--precision", "bf16", code=2, says=["--precision"])
        self.refused("train", *common, "--init", "q", code=2, says=["int8"])
        self.refused("eval", *common, "--weights", "q", "--precision", "f32", code=2, says=["int8", "f32"])
        self.refused("eval", *common, "--weights", "run", "--precision", "int8", code=3, says=["fc2.weight", "mlc quantize"])
        self.write("m.mlc", MODEL + "compress { quantize int8(calibrate: 0) }\n")
        self.refused("quantize", *common, "--weights", "run", "--out", "q2", code=3, says=["`calibrate`", "m.mlc:24"])

    def test_weights_that_are_not_int8_stay(self):
        self.trained()
        os.mkdir(self.path("only"))
        shutil.copy(self.path("run/best.safetensors"), self.path("only"))
        before = self.read("only/best.safetensors")
        self.refused("quantize", "m.mlc", "--device", "reference", "--weights", "only", "--out", "only", code=2, says=["only", "--out"])
        self.assertEqual(self.read("only/best.safetensors"), before)

    def test_a_model_that_is_not_trained_here(self):
        self.trained()
        self.write("m.mlc", MODEL[:MODEL.index("train {")])
        done = self.mlc("quantize", "m.mlc", "--device", "reference", "--weights", "run", "--out", "q", "--repeat", "2", "--json",
                        says=["without metrics", "eval"])
        self.assertGreater(json.loads(done.stdout)["int8"]["seconds_batch_128"], 0)

    def test_what_one_batch_alone_shows_is_told(self):
        rows = [",".join(["-1" if i == 3 else str(1 + i % 7)] * 32) + f",{i % 2}" for i in range(40)]
        self.write("x.csv", "\n".join([",".join(f"f{k}" for k in range(32)) + ",label", *rows]) + "\n")
        text = 'data points { train: csv("x.csv") }\n' + MODEL[MODEL.index("const"):].replace("[N, 8]", "[N, 32]")
        self.write("m.mlc", text.replace("dense(x, width)", "dense(sqrt(x), width)"))
        common = ["m.mlc", "--device", "reference"]
        self.mlc("run", *common, "--entry", "init", "--out", "w.safetensors")
        for seed in "123":  # the sample is in another batch of each
            self.refused("quantize", *common, "--weights", "w.safetensors", "--out", "q", "--seed", seed, code=1, says=["fc1.weight", "not finite"])

    def test_what_is_not_finite_is_told(self):
        self.trained()
        self.write("m.mlc", MODEL.replace("relu(fc1)", "log(fc1)"))
        self.refused("quantize", "m.mlc", "--device", "reference", "--weights", "run", "--out", "q", code=1, says=["fc2.weight", "not finite", "m.mlc"])
        self.assertFalse(os.path.exists(self.path("q/best.safetensors")))


class World(Program):
    def test_places_that_cannot_be_written_are_1(self):
        self.write("file", "x")
        done = self.mlc("train", "m.mlc", "--device", "reference", "--out", "file/run", code=1)
        self.assertIn("file/run", done.stderr)
        self.trained()
        done = self.mlc("predict", "m.mlc", "--device", "reference", "--weights", "run", "--in", "test", "--out", "none/y.npy", code=1)
        self.assertIn("none/y.npy", done.stderr)

    def test_what_is_no_file_is_not_replaced(self):
        self.trained()
        os.mkfifo(self.path("pipe"))
        self.refused("run", "m.mlc", "--device", "reference", "--entry", "init", "--out", "pipe", code=3, says=["pipe", "replace"])
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("pipe")).st_mode))

    def test_a_full_disk_leaves_the_old_checkpoint_whole(self):
        self.trained("--set", "train.epochs=1")
        names = ("run/checkpoint.safetensors", "run/best.safetensors")
        before = [self.read(name) for name in names]
        # A limit on the size of files stands for the disk: 8 KiB hold the log and no checkpoint of 50.
        limited = f"trap '' XFSZ; ulimit -f 8; exec {MLC} train m.mlc --device reference --out run --resume --set train.epochs=3"
        done = subprocess.run(["bash", "-c", limited], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, r"run/\w+\.safetensors")
        self.assertEqual([self.read(name) for name in names], before)
        self.assertEqual([n for n in os.listdir(self.path("run")) if "tmp" in n], [])
        self.trained("--resume", "--set", "train.epochs=3")
        self.mlc("train", "m.mlc", "--device", "reference", "--out", "straight", "--set", "train.epochs=3")
        whole, parts = self.tensors("straight/checkpoint.safetensors"), self.tensors("run/checkpoint.safetensors")
        self.assertEqual(whole, parts)

    def test_a_checkpoint_that_lost_its_place_is_refused(self):
        self.trained("--set", "train.epochs=1")
        name = "run/checkpoint.safetensors"
        whole = self.read(name)
        size = struct.unpack("<Q", whole[:8])[0]
        for step in ("1e300", "-1", "nan", "many", "", None):
            header = json.loads(whole[8:8 + size])
            header["__metadata__"]["mlc.step"] = step
            if step is None:
                del header["__metadata__"]["mlc.step"]
            text = json.dumps(header).encode()
            text += b" " * (-len(text) % 8)
            self.write(name, struct.pack("<Q", len(text)) + text + whole[8 + size:])
            self.mlc("train", "m.mlc", "--device", "reference", "--out", "run", "--resume", code=3, says=["how far"])

    def test_a_run_is_resumed_as_it_was_or_not_at_all(self):
        text = MODEL.replace("adam(rate: 1e-2)", "adam(rate: 1e-2)\n  validate none").replace("epochs    2", "epochs    1")
        self.write("m.mlc", text)
        self.trained()
        changes = [("train.seed=3", "seed 1", "3"), ("train.batch=8", "batch 10", "8")]
        for change, was, now in changes:
            self.refused("train", "m.mlc", "--device", "reference", "--out", "run", "--resume", "--set", change, code=3, says=[was, now, "--init"])
        for old, new, says in (("samples: 40", "samples: 80", "samples 40"), ("adam(rate: 1e-2)", "sgd(rate: 1e-2)", "optimizer."),
                               ("fc2 = dense(relu(fc1), 64)", "fc2 = fc1", "fc2.weight")):
            self.assertIn(old, text)
            self.write("m.mlc", text.replace(old, new))
            self.refused("train", "m.mlc", "--device", "reference", "--out", "run", "--resume", code=3, says=["run/checkpoint.safetensors", says])

    def test_a_run_folder_is_one_runs(self):
        ask = ["train", "m.mlc", "--device", "reference", "--out", "run"]
        first = subprocess.Popen([MLC, *ask, "--json", "--set", "train.epochs=100000"], cwd=self.folder, env=self.environment,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.assertEqual(json.loads(first.stdout.readline())["event"], "start")
        self.refused(*ask, code=1, says=["run: another run", "--out"])
        first.kill()
        first.communicate()
        self.write("run/checkpoint.safetensors.1-0.tmp", "half a file")
        self.write("run/notes.tmp", "the user's own")
        self.mlc(*ask, "--resume", "--set", "train.epochs=1")
        self.assertEqual([n for n in os.listdir(self.path("run")) if "tmp" in n], ["notes.tmp"])

    def test_a_new_run_forgets_the_old_one(self):
        """Killed before its first checkpoint, it must not be resumed from the old run's, nor be judged by its weights."""
        self.trained("--set", "train.epochs=3")
        ask = ["train", "m.mlc", "--device", "reference", "--out", "run", "--set", "train.batch=1", "--json"]
        self.write("m.mlc", MODEL.replace("samples: 40", "samples: 200000"))
        child = subprocess.Popen([MLC, *ask], cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(2):  # the start, and the first step
            child.stdout.readline()
        child.kill()
        child.communicate()
        self.refused("eval", "m.mlc", "--device", "reference", "--weights", "run", code=3, says=["run/checkpoint.safetensors"])
        self.write("m.mlc", MODEL)
        self.assertEqual(json.loads(self.trained("--resume", "--json").stdout.splitlines()[0])["step"], 0)

    def test_a_new_run_may_start_from_the_old_one(self):
        self.trained()
        self.trained("--init", "run", "--set", "train.epochs=1")
        self.trained("--resume")

    def interrupted(self, number):
        child = subprocess.Popen([MLC, "train", "m.mlc", "--device", "reference", "--out", "run", "--json", "--set", "train.epochs=100000"],
                                 cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in child.stdout:
            if json.loads(line)["event"] == "step":
                break
        child.send_signal(number)
        rest, errors = child.communicate(timeout=60)
        for line in rest.splitlines():
            json.loads(line)
        return child.returncode, errors

    def test_an_interrupt_saves_and_is_130(self):
        code, errors = self.interrupted(signal.SIGINT)
        self.assertEqual(code, 130, errors)
        self.assertTrue(os.path.exists(self.path("run/checkpoint.safetensors")))

    def test_an_interrupted_evaluation_is_130(self):
        self.trained()
        self.write("long.mlc", MODEL.replace("synthetic(samples: 10,", "synthetic(samples: 1000000,"))
        for words in (["eval"], ["predict", "--in", "test", "--out", "y.npy"]):
            child = subprocess.Popen([MLC, *words, "long.mlc", "--device", "reference", "--weights", "run"], cwd=self.folder,
                                     env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(0.6)  # it takes seconds, and starts at once
            child.send_signal(signal.SIGINT)
            out, errors = child.communicate(timeout=60)
            self.assertEqual((child.returncode, out), (130, ""), errors)
            self.assertFalse(os.path.exists(self.path("y.npy")))

    def test_a_diverged_run_is_1(self):
        text = MODEL.replace("adam(rate: 1e-2)", "sgd(rate: 1e30)").replace("cross_entropy(logits, label)\n", "mean(logits * logits)\n", 1)
        self.write("wild.mlc", text)
        done = self.mlc("train", "wild.mlc", "--device", "reference", "--out", "run", code=1)
        self.assertRegex(done.stderr, "(?i)nan|infin|diverge|finite")


unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
