#!/usr/bin/env python3
"""Speed of the whole program against a textbook libcurl loop, as ratios measured in one run.

Usage: bench/bench.py [--quick] [--rounds N] [--only WORD]      (./dev bench builds first)

nginx on loopback answers a fixed chat completion after it has read the request. Both programs send the same requests, in turn
(A B A B …), each as a whole process: reading the dataset, bookkeeping, parsing and writing the output count for fairforge. For each row the
median of the pairs' ratios is printed beside the bar of the design. Machines differ and are noisy: only the ratios mean something.
"""
import argparse
import json
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from pki import Authority  # noqa: E402  the tests' own certificate authority

BUILD = pathlib.Path(os.environ.get("FAIRFORGE_BUILD", ROOT / "build"))
REPLY = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m",
                    "choices": [{"index": 0, "message": {"role": "assistant", "content": "The capital of France is Paris."}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 14, "completion_tokens": 8, "total_tokens": 22}})


class Measured:
    """One process from start to end: wall and CPU seconds, peak memory in bytes."""

    def __init__(self, command, requests):
        read, write = os.pipe()
        start = os.times().elapsed
        process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=write)
        os.close(write)
        with os.fdopen(read, "rb") as f:
            self.err = f.read().decode("utf-8", "replace")
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.wall = os.times().elapsed - start
        self.cpu = usage.ru_utime + usage.ru_stime
        self.memory = usage.ru_maxrss * 1024
        self.rate, self.cpu_each = requests / self.wall, self.cpu / requests
        if process.returncode != 0:
            raise SystemExit("%s ended with %d: %s" % (command, process.returncode, self.err[-2000:]))


def raise_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """nginx with the fixed reply over http, https and https with HTTP/2."""

    def __init__(self, folder):
        self.ports = {name: self._free() for name in ("plain", "tls", "h2")}
        authority = Authority(folder)
        self.ca = authority.ca
        cert, key = authority.make("server")
        text = (ROOT / "bench" / "nginx.conf").read_text()
        for name, value in {"FOLDER": folder, "CERT": cert, "KEY": key, "REPLY": REPLY.replace('"', '\\"'),
                            **{k.upper(): v for k, v in self.ports.items()}}.items():
            text = text.replace("@%s@" % name, str(value))
        # Root's workers would become somebody who may not enter this folder.
        (folder / "nginx.conf").write_text(("user root;\n" if os.geteuid() == 0 else "") + text)
        self.process = subprocess.Popen(["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
        while socket.socket().connect_ex(("127.0.0.1", self.ports["plain"])) != 0:
            if self.process.poll() is not None:
                raise SystemExit("nginx does not start: " + (folder / "error.log").read_text())

    @staticmethod
    def _free():
        with socket.create_server(("127.0.0.1", 0)) as s:
            return s.getsockname()[1]

    def url(self, kind):
        return "%s://localhost:%d/v1" % ("http" if kind == "plain" else "https", self.ports[kind])

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Bench:
    def __init__(self, server, folder, rounds):
        self.server, self.folder, self.rounds = server, folder, rounds
        self.datasets = {}

    def dataset(self, count):
        """count sessions of one batch, as JSON lines."""
        if count not in self.datasets:
            path = self.folder / ("sessions-%d.jsonl" % count)
            with path.open("w") as f:
                for i in range(count):
                    batch = {"qa_id": "q", "query": "What is the capital of France? %d" % i, "assistant": "", "ground_truth_assistant": "Paris."}
                    f.write(json.dumps({"session_id": "s%d" % i, "assistant_id": "a", "language": "english", "context": "", "conversation": [batch]}) + "\n")
            self.datasets[count] = path
        return self.datasets[count]

    def fairforge(self, kind, count, flight, *more):
        return [BUILD / "fairforge", "run", "--dataset", self.dataset(count), "--connector", "openai", "--model", "m", "--param", "base_url=" + self.server.url(kind),
                "--param", "api_key=sk-bench-0123456789", "--concurrency", flight, "--no-adaptive", "--no-journal", "--quiet",
                "-o", self.folder / "out.jsonl", "--cacert", self.server.ca, "--option", "http_version=" + ("1.1" if kind == "tls" else "auto"), *more]

    def textbook(self, kind, count, flight):
        command = [BUILD / "bench" / "textbook", "-n", count, "-c", flight, "-u", self.server.url(kind) + "/chat/completions"]
        return command + ([] if kind == "plain" else ["-k", self.server.ca]) + (["-2"] if kind == "h2" else [])

    def pair(self, kind, count, flight):
        """Median ratios of requests/s and CPU per request, and the medians themselves."""
        ours, theirs = [], []
        for number in range(self.rounds + 1):
            a = Measured(self.fairforge(kind, count, flight), count)
            b = Measured(self.textbook(kind, count, flight), count)
            if number:  # the first pair warms up
                ours.append(a)
                theirs.append(b)
        rate = statistics.median(a.rate / b.rate for a, b in zip(ours, theirs))
        cpu = statistics.median(a.cpu_each / b.cpu_each for a, b in zip(ours, theirs))
        return rate, cpu, ours, theirs


def row(name, rate, cpu, ours, theirs, bars):
    us = lambda ms: statistics.median(m.cpu_each for m in ms) * 1e6
    print("%-34s %6.2f x requests/s (bar %s)  %6.2f x CPU each (bar %s)   %5.1f us against %5.1f us, %4.0f MB" %
          (name, rate, bars[0], cpu, bars[1], us(ours), us(theirs), statistics.median(m.memory for m in ours) / 1e6), flush=True)


LOADS = [  # name, kind, requests, in flight, bars
    ("plain HTTP, 64 in flight", "plain", 60000, 64, (">= 1.50", "<= 0.75")),
    ("plain HTTP, 1,000 in flight", "plain", 60000, 1000, (">= 1.55", "<= 0.75")),
    ("plain HTTP, 5,000 in flight", "plain", 60000, 5000, (">= 2.40", "<= 0.55")),
    ("TLS, HTTP/1.1, 64 in flight", "tls", 30000, 64, (">= 1.00", "<= 1.00")),
    ("TLS, HTTP/2, 64 in flight", "h2", 30000, 64, (">= 1.00", "<= 1.00")),
]


def bench_worker(bench, title, count, flight):
    """Turns through an echo worker in C, against two bare C processes that exchange the same lines over the same kind of pipes."""
    ratios, ours, theirs = [], [], []
    echo = BUILD / "bench" / "echo_worker"
    for number in range(bench.rounds + 1):
        a = Measured([BUILD / "fairforge", "run", "--dataset", bench.dataset(count), "--worker", "%s %d" % (echo, flight), "--concurrency", flight,
                      "--no-adaptive", "--no-journal", "--quiet", "-o", bench.folder / "out.jsonl"], count)
        b = Measured([BUILD / "bench" / "pipe_pair", "-n", count, "-c", flight, echo], count)
        if number:
            ratios.append(a.rate / b.rate)
            ours.append(a.rate)
            theirs.append(b.rate)
    print("%-34s %6.2f x the messages/s of two bare processes (bar >= 0.30)   %.0f/s against %.0f/s" %
          (title, statistics.median(ratios), statistics.median(ours), statistics.median(theirs)), flush=True)


def bench_python(bench, title, batches):
    """1,000 sessions of one turn of 100 ms, all in flight, through the Python adapter: against asyncio.gather alone in the same interpreter."""
    ratios, ours, theirs = [], [], []
    os.environ["PYTHONPATH"] = str(ROOT / "python")
    here = os.getcwd()
    os.chdir(ROOT / "bench")
    for number in range(2 * bench.rounds + 1):
        a = Measured([BUILD / "fairforge", "run", "--dataset", bench.dataset(1000), "--python", sys.executable, "--python-runner", "sleeping_runner:SleepingRunner", "--batches", batches,
                      "--concurrency", 1000, "--no-adaptive", "--no-journal", "--quiet", "-o", bench.folder / "out.json"], 1000)
        b = Measured([sys.executable, "sleeping_runner.py", bench.dataset(1000), bench.folder / "gather.json"], 1000)
        if number:
            ratios.append(a.wall / b.wall)
            ours.append(a.wall)
            theirs.append(b.wall)
    os.chdir(here)
    del os.environ["PYTHONPATH"]
    print("%-34s %6.2f x the time of asyncio.gather alone (bar <= 1.15)   %.3f s against %.3f s, start and end included" %
          (title, statistics.median(ratios), statistics.median(ours), statistics.median(theirs)), flush=True)


PYTHONS = [("Python runner, 1,000 in flight", "each"), ("Python run_batch, 1,000 in flight", "parallel")]
WORKERS = [("worker process, 1 in flight", 1), ("worker process, 64 in flight", 64)]


def bench_start(bench):
    """From exec to the first request, as a whole process with one turn, against a bare program that links the same libraries."""
    ratios = []
    for _ in range(bench.rounds * 4 + 1):
        a = Measured(bench.fairforge("plain", 1, 1), 1)
        b = Measured([BUILD / "bench" / "bare", bench.server.url("plain") + "/chat/completions"], 1)
        ratios.append(a.wall / b.wall)
    print("%-34s %6.2f x the bare program (bar <= 1.20)" % ("one turn, exec to exit", statistics.median(ratios[1:])), flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--rounds", type=int, default=5, help="counted pairs a row")
    ap.add_argument("--quick", action="store_true", help="a tenth of the requests, one pair")
    ap.add_argument("--only", default="", help="rows whose name contains this")
    args = ap.parse_args()
    raise_descriptors()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(folder)
        try:
            bench = Bench(server, folder, 1 if args.quick else args.rounds)
            for title, kind, count, flight, bars in LOADS:
                if args.only in title:
                    row(title, *bench.pair(kind, max(count // 10, 2 * flight) if args.quick else count, flight), bars)
            for title, flight in WORKERS:
                if args.only in title:
                    bench_worker(bench, title, 20000 if args.quick else 200000, flight)
            for title, batches in PYTHONS:
                if args.only in title:
                    bench_python(bench, title, batches)
            if args.only in "one turn, exec to exit":
                bench_start(bench)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
