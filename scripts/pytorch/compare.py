"""Measures speakerid-dist beside PyTorch: the same recipes, shapes, data and cores, in turn.

Every contender is measured in every round, one after the other, so that a machine that drifts drifts for all; a
figure is the median of its rounds. PyTorch runs eagerly with two threads, and as two processes of
DistributedDataParallel with one thread each; this program with one process of two threads, and as two ranks of one
thread. PyTorch's processes live through all rounds and sleep while they are not asked. Called by
scripts/compare-pytorch.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import socket
import statistics
import subprocess
import sys

import configuration

RECIPES = [
    "003-sample",
    "003-3layers",
    "002-medium",
    "003-conformer3",
    "003-sap-full64",
    "002-boss",
    "004-task1",
    "004-task2",
    "001-modified-1layer",
    "001-modified-6layers",
]
SUBJECTS = {"train": "step", "validate": "validate", "infer": "infer"}
CORES = 2


class PyTorch:
    """One or two PyTorch processes that measure on demand."""

    def __init__(self, config, data, ranks, mkl=None):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment = clean_environment() | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        environment["GLOO_SOCKET_IFNAME"] = "lo"
        if mkl:
            environment["MKL_ENABLE_INSTRUCTIONS"] = mkl.upper()
        script = pathlib.Path(__file__).with_name("measure.py")
        command = [sys.executable, str(script), "--config", str(config), "--data", str(data)]
        command += ["--threads", str(CORES // ranks), "--ranks", str(ranks)]
        self.processes = [
            subprocess.Popen(
                command + ["--rank", str(rank)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for rank in range(ranks)
        ]
        self.paces = {}
        for process in self.processes:
            if process.stdout.readline().strip() != "ready":
                raise SystemExit("a PyTorch process did not start; see its message above")

    def measure(self, what, seconds):
        """Steps or utterances a second over about that time, and the larger process's peak memory in MiB."""
        if what not in self.paces:
            self.ask(what, 1)  # the first is slower than the others
            self.paces[what] = self.ask(what, 1)[0]
        taken, count, peak = self.ask(what, max(1, round(seconds / self.paces[what])))
        return count / taken, peak

    def ask(self, what, count):
        for process in self.processes:
            process.stdin.write(f"{what} {count}\n")
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for process in self.processes]
        # Ranks make the same steps together, but utterances each their own.
        done = answers[0]["count"] if what == "train" else sum(answer["count"] for answer in answers)
        return max(a["seconds"] for a in answers), done, max(a["peak_rss_mib"] for a in answers)

    def close(self):
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()


class Program:
    """speakerid-dist bench, started anew for each round."""

    def __init__(self, program, config, data, ranks):
        self.command = ["mpirun", "-n", str(ranks)] if ranks > 1 else []
        self.command += [program, "bench"]
        self.options = ["--config", str(config), "--data", str(data), "--threads", str(CORES // ranks), "--json"]

    def measure(self, what, seconds):
        command = [*self.command, SUBJECTS[what], *self.options, "--seconds", str(seconds)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())
        if ran.returncode:
            raise SystemExit(f"{' '.join(command)} failed: {ran.stderr.strip()}")
        result = json.loads(ran.stdout)
        self.last = result
        return result["steps_per_s" if what == "train" else "utterances_per_s"], result["peak_rss_mib"]

    def close(self):
        pass


def clean_environment():
    """Nothing that forces OpenBLAS or OpenMP to be slower than they are by themselves."""
    drop = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {name: value for name, value in os.environ.items() if name not in drop}


def compare(name, options):
    """All figures of one recipe: {(what, contender): [rates]}, {contender: peak MiB}, this program's steps."""
    rates, memory, steps = {}, {}, []
    with contextlib.ExitStack() as stack:
        contenders = {
            "eager": PyTorch(name, options.data, 1, options.mkl),
            "threads": Program(options.program, name, options.packed, 1),
            "ddp": PyTorch(name, options.data, CORES, options.mkl),
            "ranks": Program(options.program, name, options.packed, CORES),
        }
        for contender in contenders.values():
            stack.callback(contender.close)
        for _ in range(options.rounds):
            for what in options.what:
                for key, contender in contenders.items():
                    rate, peak = contender.measure(what, options.seconds)
                    rates.setdefault((what, key), []).append(rate)
                    if what == "train":
                        memory[key] = max(peak, memory.get(key, 0))
                        if key == "threads":
                            steps.append(contender.last)
            print(f"{name}: a round done", file=sys.stderr, flush=True)
    return rates, memory, steps


def row(name, what, figures):
    rates, memory, steps = figures
    median = {key: statistics.median(rates[what, key]) for key in ("eager", "ddp", "threads", "ranks")}
    pytorch, ours = max(median["eager"], median["ddp"]), max(median["threads"], median["ranks"])
    cells = [name] + [number(median[key]) for key in ("eager", "ddp", "threads", "ranks")]
    cells += [f"**{ours / pytorch:.2f}**"]
    if what == "train":
        peaks = [step["gflop_per_s"] / step["gemm_peak_gflop_per_s"] for step in steps]
        cells += [f"{100 * statistics.median(peaks):.0f} %"]
        cells += [f"{memory['eager']:.0f}", f"{memory['threads']:.0f}", f"{memory['ranks']:.0f}"]
    return "| " + " | ".join(cells) + " |"


def number(rate):
    return f"{rate:.0f}" if rate >= 100 else f"{rate:.1f}" if rate >= 10 else f"{rate:.2f}"


TITLES = {
    "train": "Training steps a second (batch 32, 128 frames, dropout on, AdamW)",
    "validate": "Validation: segments of 128 frames a second",
    "infer": "Prediction: whole utterances of 300 to 500 frames a second, one at a time",
}
HEADER = ["recipe", "PyTorch eager, 2 threads", "PyTorch 2 x 1", "this, 2 threads", "this, 2 ranks", "ratio of the best"]
MEMORY = ["of the products' peak", "MiB: PyTorch eager", "MiB: this, 2 threads", "MiB: this, a rank of 2"]


def table(what, results):
    header = HEADER + (MEMORY if what == "train" else [])
    lines = [f"### {TITLES[what]}", "", "| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join(lines + [row(name, what, figures) for name, figures in results.items()])


# Columns of the breakdown, and the phases of `bench step` that each holds.
PHASES = {
    "products": ["products"],
    "dropout": ["dropout"],
    "softmax": ["softmax"],
    "normalization": ["normalization"],
    "activation": ["activation"],
    "convolution": ["convolution"],
    "exchange, optimizer, data": ["exchange", "optimizer", "data"],
    "other": ["other"],
    "idle": ["idle"],
}


def breakdown(results):
    """Where this program's step goes with two threads, in its fastest round."""
    header = ["recipe", *PHASES, "ms a step"]
    lines = ["### Where the time of a step goes, two threads", "", "| " + " | ".join(header) + " |"]
    lines.append("|---" * len(header) + "|")
    for name, (_, _, steps) in results.items():
        fastest = max(steps, key=lambda step: step["steps_per_s"])
        whole = 1 / fastest["steps_per_s"]
        shares = [sum(fastest["phases"].get(phase, 0) for phase in group) / whole for group in PHASES.values()]
        cells = [f"{100 * share:.1f} %" if share > 0 else "–" for share in shares]
        lines.append("| " + " | ".join([name, *cells, number(1000 * whole)]) + " |")
    return "\n".join(lines)


def machine():
    import torch

    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":")[1].strip()
                break
    load = os.getloadavg()[0]
    return (
        f"{datetime.date.today()}, {os.cpu_count()} cores of {model}, torch {torch.__version__}, "
        f"load average {load:.1f} at the end"
    )


def main():
    parser = argparse.ArgumentParser(prog="compare-pytorch", description=__doc__.split("\n\n")[0])
    parser.add_argument("--program", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--data", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--packed", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="one recipe, 003-sample")
    parser.add_argument("--recipes", help="names of configs/, separated by commas", default=",".join(RECIPES))
    parser.add_argument("--what", help="of train, validate and infer, separated by commas", default="train,validate,infer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2, help="of each measurement")
    parser.add_argument("--mkl", choices=["avx2"], help="hold PyTorch's products to what MKL uses on AMD's processors")
    options = parser.parse_args()
    recipes = ["003-sample"] if options.quick else options.recipes.split(",")
    options.what = options.what.split(",")
    for unknown in set(recipes) - set(configuration.recipes()):
        parser.error(f"there is no recipe {unknown}")
    for unknown in set(options.what) - set(TITLES):
        parser.error(f"--what: expected train, validate or infer, found {unknown}")
    results = {name: compare(name, options) for name in recipes}
    print(machine())
    print(f"Medians of {options.rounds} interleaved rounds of about {options.seconds:g} s each.")
    if options.mkl:
        print("PyTorch's MKL is held to AVX2, as it is on AMD's processors.")
    for what in options.what:
        print()
        print(table(what, results))
    if "train" in options.what:
        print()
        print(breakdown(results))


if __name__ == "__main__":
    main()
