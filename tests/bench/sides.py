"""The sides of the comparison as this script drives them: mlc by its command line, PyTorch and the libraries of products by a process each
that answers a JSON line for a JSON line, and how quiet the machine was while they ran."""
import glob
import json
import os
import resource
import signal
import statistics
import subprocess
import sysconfig
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
OPENMP_BLAS = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/openblas-openmp"


def peer_environment(threads, keep_memory=True):
    """What a peer needs to be at its best: OpenBLAS in its OpenMP build whatever the system's alternatives say (two pools of threads would
    fight for the cores), no variable that forces a slow kernel, an allocator that keeps its memory."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS", "OMP_", "GOMP_", "DNNL_", "MALLOC_"))}
    environment.update(OMP_NUM_THREADS=str(threads), LD_LIBRARY_PATH=OPENMP_BLAS)
    if keep_memory:
        environment.update(MALLOC_TRIM_THRESHOLD_="100000000000", MALLOC_MMAP_THRESHOLD_="100000000000", MALLOC_TOP_PAD_="100000000")
    return environment


class Worker:
    """A peer's process. It is stopped while it is not asked: idle OpenMP threads spin for a while, on cores that are mlc's in its turn."""

    def __init__(self, command, environment):
        # Nobody could end a stopped process that its parent left behind.
        command = ["setpriv", "--pdeathsig", "KILL", *command]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def exchange(self, line):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self.process.args}: died on {line}")
        self.process.send_signal(signal.SIGSTOP)
        return json.loads(answer)

    def ask(self, **request):
        return self.exchange(json.dumps(request))

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()


def torch_worker(environment):
    return Worker(["/usr/bin/python3", os.path.join(HERE, "torch_worker.py")], environment)


def onnx_library():
    """Where install.sh has npm put ONNX Runtime, or None."""
    found = glob.glob(os.path.join(ROOT, "build", "peers", "node_modules", "onnxruntime-node", "bin", "*", "linux", "x64", "libonnxruntime.so.*"))
    return found[0] if found else None


def onnx_worker(environment):
    return Worker(["/usr/bin/python3", os.path.join(HERE, "onnx_worker.py"), onnx_library()], environment)


def torch_version():
    done = subprocess.run(["/usr/bin/python3", "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


class Mlc:
    def __init__(self, path, quick=False):
        self.path = os.path.abspath(path)
        self.quick = quick

    def run(self, *words, text=None):
        done = subprocess.run([self.path, *words], capture_output=True, text=True, input=text)
        if done.returncode:
            raise RuntimeError(f"mlc {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def bench_text(self, text, threads, entry, repeat):
        """Of a model given as text."""
        return json.loads(self.run("bench", "-", "--entry", entry, "--json", "--threads", str(threads), "--repeat", str(repeat), text=text))

    def check(self, model, threads, memory=0):
        """What a step needs."""
        limit = ["--memory", str(memory)] if memory else []
        return json.loads(self.run("check", os.path.join(HERE, model), "--json", "--threads", str(threads), *limit))["entries"]["step"]

    def bench(self, model, threads, entry="step", sets=(), precision=None, repeat=0, memory=0, weights=None):
        words = ["bench", os.path.join(HERE, model), "--entry", entry, "--json", "--threads", str(threads)]
        words += ["--precision", precision] if precision else []
        words += ["--memory", str(memory)] if memory else []
        words += ["--weights", weights] if weights else []
        repeat = repeat or (5 if self.quick else 0)
        words += ["--repeat", str(repeat)] if repeat else []
        return json.loads(self.run(*words, *(w for s in sets for w in ("--set", s))))

    def weights(self, model, path):
        """Those that training begins with, which the model's seed decides."""
        self.run("run", os.path.join(HERE, model), "--entry", "init", "--out", path)

    def quantize(self, model, folder, weights, out):
        """With ranges from the data in the folder; its own measurements are kept short."""
        self.run("quantize", os.path.join(HERE, model), "--data", folder, "--weights", weights, "--out", out, "--repeat", "1", "--quiet")

    def predict(self, model, weights, data, out):
        self.run("run", os.path.join(HERE, model), "--entry", "predict", "--weights", weights, "--in", data, "--out", out)

    def losses(self, model, folder, steps, sets=(), precision=None):
        words = ["train", os.path.join(HERE, model), "--data", folder, "--out", os.path.join(folder, "run"), "--json",
                 "--set", f"train.steps={steps}", "--set", "train.log=1", "--set", "train.validate=none"]
        words += ["--precision", precision] if precision else []
        events = [json.loads(line) for line in self.run(*words, *(w for s in sets for w in ("--set", s))).splitlines()]
        return [e["loss"] for e in events if e["event"] == "step"]


# --- alternation ------------------------------------------------------------------------------------------------------------


def alternate(rounds, *turns):
    """Each turn once a round, in order; answers a list of results for each turn."""
    results = [[] for _ in turns]
    for _ in range(rounds):
        for result, turn in zip(results, turns):
            result.append(LOAD.watch(turn))
    return results


def median_ratio(ours, theirs):
    """Round by round, so that a machine whose speed drifts favours neither."""
    return statistics.median(a / b for a, b in zip(ours, theirs))


DISTURBED = 0.1  # cores
FAR = 200  # nanoseconds


class Load:
    """What other programs (and other guests of the host) took of the processors during the turns, in cores; and how far the cores were
    from each other, which a host that moves its guests about changes."""

    def __init__(self):
        self.foreign = []
        self.distance = []  # nanoseconds of a line's way from one core to another and back
        self.meter = None  # the program that measures it
        self.tick = os.sysconf("SC_CLK_TCK")

    def busy(self):
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / self.tick

    def own(self):
        """Seconds of this process, its ended children and its workers that still live."""
        seconds = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        for pid in children():
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            seconds += (int(fields[11]) + int(fields[12])) / self.tick
        return seconds

    def during(self, turn):
        """What the turn answers, and the cores that others took meanwhile."""
        begin, busy, own = time.perf_counter(), self.busy(), self.own()
        result = turn()
        foreign = ((self.busy() - busy) - (self.own() - own)) / (time.perf_counter() - begin)
        return result, max(0, foreign)

    def measure_distance(self):
        if not self.meter:
            return
        done = subprocess.run([self.meter], capture_output=True, text=True)
        if done.returncode == 0:
            self.distance.append(int(done.stdout))

    def wait_for_quiet(self, seconds=30):
        end = time.perf_counter() + seconds
        while self.during(lambda: time.sleep(0.3))[1] >= DISTURBED and time.perf_counter() < end:
            pass

    def watch(self, turn, tries=4):
        """Runs a turn, again when others disturbed it; the least disturbed one counts."""
        best = None
        for _ in range(tries):
            now = self.during(turn)
            if best is None or now[1] < best[1]:
                best = now
            if best[1] < DISTURBED:
                break
            self.wait_for_quiet()
        self.foreign.append(best[1])
        self.measure_distance()
        return best[0]

    def summary(self):
        if not self.foreign:
            return "nothing was timed"
        disturbed = sum(f >= DISTURBED for f in self.foreign)
        return (f"other programs took {statistics.median(self.foreign):.2f} cores (median), {max(self.foreign):.2f} (worst); "
                f"{disturbed} of {len(self.foreign)} turns were disturbed (over {DISTURBED})")

    def distances(self):
        if not self.distance:
            return "how far the cores are from each other is not known: one core, or bench_distance is not built"
        far = sum(d >= FAR for d in self.distance)
        return (f"a line of memory went from core to core and back in {statistics.median(self.distance):.0f} ns (median), {min(self.distance)} to "
                f"{max(self.distance)}; after {far} of {len(self.distance)} turns the cores shared no cache ({FAR} ns or more)")


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(pid) for pid in file.read().split()]


LOAD = Load()
