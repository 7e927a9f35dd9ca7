#!/usr/bin/env python3
"""Speed of the whole program against a textbook libcurl loop, as ratios measured in one run.

Usage: bench/bench.py [--quick] [--rounds N] [--only WORD] [--python]      (./dev bench builds first)

nginx on loopback answers a fixed chat completion after it has read the request. Both programs send the same requests, in turn
(A B A B …), each as a whole process: reading the dataset, bookkeeping, parsing and writing the output count for fairforge. For each row the
median of the pairs' ratios is printed beside its bar. Machines differ and are noisy: only the ratios mean something.

The rows: requests/s and CPU over plain HTTP and TLS; Alquimia's exchanges against those; turns through a worker process against a bare pair of processes; memory; how long the loop was held up (fairforge's own figure, of the end event of --json); 10,000
in flight against a server that answers each request 2 s after it came (fairforge mock); one turn from exec to exit, and Lambda's bootstrap from exec to
its first request for an event, each against a bare program that links the same libraries; Python with the reference's imports against bootstrap (--python, in
.venv-reference, which ./dev bench --python makes); CPU of `fairforge serve` for a run of one batch against the
sum of its two halves: a bare service on libmicrohttpd and the textbook loop. FAIRFORGE_BUILD names another build folder.
"""
import argparse
import json
import os
import pathlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from pki import Authority  # noqa: E402  the tests' own certificate authority

REFERENCE_PYTHON = ROOT / ".venv-reference" / "bin" / "python"
BUILD = pathlib.Path(os.environ.get("FAIRFORGE_BUILD", ROOT / "build"))
REPLY = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m",
                    "choices": [{"index": 0, "message": {"role": "assistant", "content": "The capital of France is Paris."}, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 14, "completion_tokens": 8, "total_tokens": 22}})
INFER = json.dumps({"stream_id": "$request_id"})  # nginx's variable: 32 hexadecimal digits, never the same
EVENTS = "data: %s\n\n" % json.dumps({"response": {"data": {"content": "The capital of France is Paris."}}})


def go_first():
    try:
        os.nice(-20)
    except PermissionError:
        pass


class Measured:
    """One process from start to end: wall and CPU seconds, peak memory in bytes."""

    def __init__(self, command, requests, first=False):
        """first: before whatever else runs on the machine, where that is allowed."""
        with tempfile.TemporaryFile() as err:  # a file: a pipe that is read late would hold the program up
            start = time.monotonic()
            process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL, stderr=err, preexec_fn=go_first if first else None)
            _, status, usage = os.wait4(process.pid, 0)
            self.wall = time.monotonic() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            err.seek(0)
            self.err = err.read().decode("utf-8", "replace")
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
        texts = {"REPLY": REPLY, "INFER": INFER, "EVENTS": EVENTS}
        for name, value in {"FOLDER": folder, "CERT": cert, "KEY": key,
                            **{k: v.replace('"', '\\"').replace("\n", "\\n") for k, v in texts.items()},
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
    def __init__(self, server, folder, rounds, python):
        self.server, self.folder, self.rounds = server, folder, rounds
        self.python = python  # an interpreter that has what the reference imports; "": none
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

    def fairforge(self, kind, count, flight, *more, url=None):
        return [BUILD / "fairforge", "run", "--dataset", self.dataset(count), "--connector", "openai", "--model", "m", "--param", "base_url=" + (url or self.server.url(kind)),
                "--param", "api_key=sk-bench-0123456789", "--concurrency", flight, "--no-adaptive", "--no-journal", *(more or ["--quiet"]),
                "-o", self.folder / "out.jsonl", "--cacert", self.server.ca, "--option", "http_version=" + ("1.1" if kind == "tls" else "auto")]

    def alquimia(self, count, flight):
        params = ["base_url=" + self.server.url("plain")[:-len("/v1")], "api_key=sk-bench-0123456789", "agent_id=agent", "channel_id=bench"]
        return [BUILD / "fairforge", "run", "--dataset", self.dataset(count), "--connector", "alquimia", *(w for p in params for w in ("--param", p)),
                "--concurrency", flight, "--no-adaptive", "--no-journal", "--quiet", "-o", self.folder / "out.jsonl"]

    def textbook(self, kind, count, flight, url=None):
        command = [BUILD / "bench" / "textbook", "-n", count, "-c", flight, "-u", (url or self.server.url(kind)) + "/chat/completions"]
        return command + ([] if kind == "plain" else ["-k", self.server.ca]) + (["-2"] if kind == "h2" else [])

    def pairs(self, count, ours, theirs, rounds=None):
        """What both commands took, in turn. The first pair warms up and is dropped."""
        made = [(Measured(ours, count), Measured(theirs, count)) for _ in range((rounds or self.rounds) + 1)]
        return made[1:]


def median_ratio(pairs, value):
    return statistics.median(value(a) / value(b) for a, b in pairs)


def say(name, text):
    print("%-34s %s" % (name, text), flush=True)


def bench_load(bench, name, kind, count, flight, bars):
    pairs = bench.pairs(count, bench.fairforge(kind, count, flight), bench.textbook(kind, count, flight))
    us = [statistics.median(p[i].cpu_each for p in pairs) * 1e6 for i in (0, 1)]
    say(name, "%6.2f x requests/s (bar %s)  %6.2f x CPU each (bar %s)   %5.1f us against %5.1f us, %4.0f MB" %
        (median_ratio(pairs, lambda m: m.rate), bars[0], median_ratio(pairs, lambda m: m.cpu_each), bars[1], *us,
         statistics.median(p[0].memory for p in pairs) / 1e6))


LOADS = [  # name, kind, requests, in flight, bars
    ("plain HTTP, 64 in flight", "plain", 60000, 64, (">= 1.50", "<= 0.75")),
    ("plain HTTP, 1,000 in flight", "plain", 60000, 1000, (">= 1.55", "<= 0.75")),
    ("plain HTTP, 5,000 in flight", "plain", 60000, 5000, (">= 2.40", "<= 0.55")),
    ("TLS, HTTP/1.1, 64 in flight", "tls", 30000, 64, (">= 1.00", "<= 1.00")),
    ("TLS, HTTP/2, 64 in flight", "h2", 30000, 64, (">= 1.00", "<= 1.00")),
]


ALQUIMIA = "Alquimia, 64 in flight"


def bench_alquimia(bench, count):
    """Turns of two exchanges, the question and the stream in which the answer comes, against as many exchanges of the LLM path on the same server."""
    pairs = bench.pairs(count, bench.alquimia(count // 2, 64), bench.fairforge("plain", count, 64))
    us = [statistics.median(p[i].cpu_each for p in pairs) * 1e6 for i in (0, 1)]
    say(ALQUIMIA, "%6.2f x exchanges/s of the LLM path (bar >= 0.85)  %6.2f x CPU each   %5.1f us against %5.1f us, two exchanges a turn" %
        (median_ratio(pairs, lambda m: m.rate), median_ratio(pairs, lambda m: m.cpu_each), *us))


def bench_worker(bench, title, count, flight):
    """Turns through an echo worker in C, against two bare C processes that exchange the same lines, as many at once, over the same kind of pipes."""
    echo = BUILD / "bench" / "echo_worker"
    ours = [BUILD / "fairforge", "run", "--dataset", bench.dataset(count), "--worker", "%s %d" % (echo, flight), "--concurrency", flight,
            "--no-adaptive", "--no-journal", "--quiet", "-o", bench.folder / "out.jsonl"]
    pairs = bench.pairs(count, ours, [BUILD / "bench" / "pipe_pair", "-n", count, "-c", flight, echo])
    ratios = sorted(a.rate / b.rate for a, b in pairs)
    say(title, "%6.2f x the messages/s of two bare processes (bar >= 0.30; %.2f to %.2f)   %.0f/s against %.0f/s, %.2f us of CPU a turn against %.2f" %
        (statistics.median(ratios), ratios[0], ratios[-1], *[statistics.median(p[i].rate for p in pairs) for i in (0, 1)],
         *[statistics.median(p[i].cpu_each for p in pairs) * 1e6 for i in (0, 1)]))


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
# Long enough that start and end, which the bare pair has none of, do not decide.
WORKERS = [("worker process, 1 in flight", 1, 100000), ("worker process, 4 in flight", 4, 200000), ("worker process, 16 in flight", 16, 500000), ("worker process, 64 in flight", 64, 500000)]


MEMORY = ("memory, plain HTTP, 64 in flight", 20000)
STALL = ("loop stall p99 over TLS, 64 in flight", 30000)
SLOW = ("10,000 in flight, reply after 2 s", 10000, 2.0)
START = "one turn, exec to exit"
LAMBDA = "Lambda, exec to first event asked"
REFERENCE = "the same, Python with its imports"
SERVE = ("POST /run of one batch, 100 clients", "sk-bench-0123456789", 20000, 100)
SERVE_KEYS = ("the same, a key for each client", "sk-bench-@@@@-01234", 20000, 100)


def bench_memory(bench):
    name, count = MEMORY
    runs = [Measured(bench.fairforge("plain", count, 64), count) for _ in range(3)]
    say(name, "%6.1f MB (bar <= 20)" % (statistics.median(m.memory for m in runs) / 1e6))


def bench_stall(bench):
    """From the end event. A process that others push off its core is held up by them, so this one goes first (as root)."""
    name, count = STALL
    for kind, words in (("tls", "HTTP/1.1"), ("h2", "HTTP/2")):
        ends = [json.loads(Measured(bench.fairforge(kind, count, 64, "--json"), count, first=True).err.splitlines()[-1]) for _ in range(bench.rounds)]
        say(name if kind == "tls" else "", "%6.1f ms with %s, longest %.1f ms (bar <= 5)" %
            (statistics.median(e["loop_lag_p99_ms"] for e in ends), words, statistics.median(e["loop_lag_max_ms"] for e in ends)))


def bench_slow(bench):
    """A server that answers each request a fixed time after it came: what is over that time is connecting, sending and reading."""
    name, count, ideal = SLOW
    mock = subprocess.Popen([str(BUILD / "fairforge"), "mock", "--port", "0", "--latency", str(int(ideal * 1000))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = mock.stdout.readline().split()[-1] + "/v1"
        pairs = bench.pairs(count, bench.fairforge("plain", count, count, url=url), bench.textbook("plain", count, count, url=url), rounds=min(bench.rounds, 3))
    finally:
        mock.terminate()
        mock.wait()
    say(name, "%6.2f x the time over the ideal (bar <= 0.80)   %.2f s against %.2f s, %4.0f MB (bar <= 250)" %
        (median_ratio(pairs, lambda m: m.wall - ideal), *[statistics.median(p[i].wall - ideal for p in pairs) for i in (0, 1)],
         statistics.median(p[0].memory for p in pairs) / 1e6))


def bench_start(bench):
    """From exec to exit, with one turn, against a bare program that links the same libraries. The fsync of the output is part of it."""
    bare = [BUILD / "bench" / "bare", bench.server.url("plain") + "/chat/completions"]
    pairs = bench.pairs(1, bench.fairforge("plain", 1, 1), bare, rounds=bench.rounds * 8)
    say(START, "%6.2f x the bare program (bar <= 1.20)   %.1f ms against %.1f ms" %
        (median_ratio(pairs, lambda m: m.wall), *[statistics.median(p[i].wall for p in pairs) * 1e3 for i in (0, 1)]))


def first_next(listener, *command):
    """Seconds from exec to the first byte of the request for an event."""
    env = {"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % listener.getsockname()[1]}
    start = time.monotonic()
    pid = os.posix_spawn(command[0], command, env)
    conn, _ = listener.accept()
    with conn:
        conn.recv(1)
        wall = time.monotonic() - start
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return wall


def bench_lambda(bench):
    """Lambda's init phase: bootstrap against a bare program that links the same libraries."""
    ours, bare = str(BUILD / "bootstrap"), str(BUILD / "bench" / "bare_next")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        first_next(listener, ours), first_next(listener, bare)  # into the page cache
        pairs = [(first_next(listener, ours), first_next(listener, bare)) for _ in range(bench.rounds * 8)]
    say(LAMBDA, "%6.2f x the bare program (bar <= 1.20)   %.1f ms against %.1f ms" %
        (statistics.median(a / b for a, b in pairs), *[statistics.median(p[i] for p in pairs) * 1e3 for i in (0, 1)]))


def bench_reference(bench):
    """The same for the interpreter that the reference's Lambda would have to start."""
    if not bench.python:
        return say(REFERENCE, "skipped: ./dev bench --python makes an environment with the reference's imports")
    ours, theirs = str(BUILD / "bootstrap"), (bench.python, str(ROOT / "bench" / "reference_init.py"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(300)
        first_next(listener, ours), first_next(listener, *theirs)  # compiles its modules, and into the page cache
        pairs = [(first_next(listener, *theirs), first_next(listener, ours)) for _ in range(bench.rounds)]
    return say(REFERENCE, "%6.0f x bootstrap   %.0f ms against %.1f ms" %
               (statistics.median(a / b for a, b in pairs), *[statistics.median(p[i] for p in pairs) * 1e3 for i in (0, 1)]))


class Service:
    """A server under load: what each request costs it in CPU."""

    def __init__(self, command, find_port, body, **more):
        self.process, self.body = subprocess.Popen([str(c) for c in command], **more), body
        self.port = find_port(self.process)

    def _cpu(self):
        fields = pathlib.Path("/proc/%d/stat" % self.process.pid).read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_each(self, requests, clients):
        before = self._cpu()
        subprocess.run([BUILD / "bench" / "post_load", "-n", str(requests), "-c", str(clients), "-p", str(self.port), "-f", self.body], check=True)
        return (self._cpu() - before) / requests

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def serve_port(log):
    """The port that `fairforge serve` writes into its log."""
    def find(process):
        while "listening" not in log.read_text():
            if process.poll() is not None:
                raise SystemExit("fairforge serve does not start: " + log.read_text())
            time.sleep(0.01)
        return int(json.loads(log.read_text().splitlines()[0])["url"].rpartition(":")[2])
    return find


def bench_serve(bench, row=SERVE):
    """A service is a server and a client of another one: together they may cost little more than the least that each half can cost."""
    name, key, count, clients = row
    count = count // (10 if bench.rounds == 1 else 1)
    url, log, body = bench.server.url("plain"), bench.folder / "serve.log", bench.folder / "run.json"
    batch = {"qa_id": "q", "query": "What is the capital of France?", "assistant": "", "ground_truth_assistant": "Paris."}
    body.write_text(json.dumps({"connector": {"class_path": "langchain_openai.chat_models.ChatOpenAI", "params": {"model": "m", "base_url": url, "api_key": key}},
                                "datasets": [{"session_id": "s", "assistant_id": "a", "language": "english", "context": "", "conversation": [batch]}]}))
    env = {"PATH": os.environ["PATH"], "FAIRFORGE_ALLOWED_ORIGINS": url.rpartition("/")[0], "FAIRFORGE_CONCURRENCY": str(clients)}
    ours, bare = [BUILD / "fairforge", "serve", "--listen", "127.0.0.1:0", "--max-runs", 2 * clients], [BUILD / "bench" / "bare_web"]
    rounds = []
    with log.open("w") as err, Service(ours, serve_port(log), body, env=env, stderr=err) as a, \
            Service(bare, lambda p: int(p.stdout.readline()), body, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as b:
        for _ in range(bench.rounds + 1):
            rounds.append((a.cpu_each(count, clients), b.cpu_each(count, clients), Measured(bench.textbook("plain", count, clients), count).cpu_each))
    rounds = rounds[1:]
    say(name, "%6.2f x the CPU of both halves (bar <= 1.30)   %.1f us against %.1f us of bare libmicrohttpd and %.1f us of the textbook" %
        (statistics.median(a / (b + c) for a, b, c in rounds), *[statistics.median(r[i] for r in rounds) * 1e6 for i in range(3)]))


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("--rounds", type=int, default=5, help="counted pairs a row")
    ap.add_argument("--quick", action="store_true", help="a tenth of the requests, one pair")
    ap.add_argument("--only", default="", help="rows whose name contains this")
    ap.add_argument("--python", action="store_true", help="also the row against Python with the reference's imports")
    args = ap.parse_args()
    if args.python and not REFERENCE_PYTHON.exists():
        raise SystemExit("There is no %s: ./dev bench --python makes it." % REFERENCE_PYTHON)
    raise_descriptors()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server = Server(folder)
        try:
            bench = Bench(server, folder, 1 if args.quick else args.rounds, str(REFERENCE_PYTHON) if args.python else "")
            for title, kind, count, flight, bars in LOADS:
                if args.only in title:
                    bench_load(bench, title, kind, max(count // 10, 2 * flight) if args.quick else count, flight, bars)
            if args.only in ALQUIMIA:
                bench_alquimia(bench, 6000 if args.quick else 60000)
            for title, flight, count in WORKERS:
                if args.only in title:
                    bench_worker(bench, title, 20000 if args.quick else count, flight)
            for title, batches in PYTHONS:
                if args.only in title:
                    bench_python(bench, title, batches)
            for title, measure in ((MEMORY[0], bench_memory), (STALL[0], bench_stall), (SLOW[0], bench_slow), (START, bench_start), (LAMBDA, bench_lambda),
                                   (REFERENCE, bench_reference), (SERVE[0], bench_serve),
                                   (SERVE_KEYS[0], lambda b: bench_serve(b, SERVE_KEYS))):
                if args.only in title:
                    measure(bench)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
