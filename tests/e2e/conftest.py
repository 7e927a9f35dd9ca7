"""Fixtures of the end-to-end tests: the real binary, the simulator, a scripted peer, nginx with a CA made on the spot.

FAIRFORGE_BUILD is the build folder under test (default: build). Everything listens on 127.0.0.1. Tests run side by side (pytest-xdist): each has ports and
folders of its own, and a port is never free between being chosen and being used.
"""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import pytest

from pki import Authority

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("FAIRFORGE_BUILD", ROOT / "build"))
BINARY = BUILD / "fairforge"
KEY = "sk-test-0123456789abcdef"
LIMIT_S = 120  # a run that takes longer hangs: no test waits for it to be fast

# A program that is started in the background is told to ignore interrupts, and hands that on: what is tested here must not.
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: waits for seconds that the program may wait; ./dev test --quick leaves it out")


class Result:
    """What a finished process left: status, stdout and stderr as text."""

    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout.decode("utf-8")
        self.err = process.stderr.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def answers(self):
        return [b["assistant"] for d in self.json["datasets"] for b in d["conversation"]]

    def __repr__(self):
        return "status %d\nstdout: %s\nstderr: %s" % (self.status, self.out[-2000:], self.err[-2000:])


def environment(extra=None):
    """A bare environment: nothing of the tester's keys and proxies gets in."""
    keep = {k: os.environ[k] for k in ("PATH", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS") if k in os.environ}
    return {**keep, "LANG": "C.UTF-8", **(extra or {})}


def fairforge(*args, stdin=b"", env=None, cwd=None, **more):
    """Runs the binary to its end; stdin is bytes, text or an object (sent as JSON)."""
    if not isinstance(stdin, bytes):
        stdin = (stdin if isinstance(stdin, str) else json.dumps(stdin)).encode()
    process = subprocess.run([str(BINARY), *map(str, args)], input=stdin, env=environment(env), cwd=cwd, timeout=LIMIT_S,
                             capture_output=True, check=False, **more)
    result = Result(process)
    assert process.returncode >= 0, "killed by signal: %r" % result
    assert "Sanitizer" not in result.err, "%r" % result
    return result


def start(*args, env=None, **more):
    """Starts the binary; the test ends it."""
    more = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen([str(BINARY), *map(str, args)], env=environment(env), **more)


def batch(query="What is 2+2?", qa_id="q1", **more):
    return {"qa_id": qa_id, "query": query, "assistant": "", "ground_truth_assistant": "4", **more}


def dataset(*batches, session_id="s1", **more):
    return {"session_id": session_id, "assistant_id": "target", "language": "english", "context": "",
            "conversation": list(batches) or [batch()], **more}


def payload(base, *datasets, params=None, **more):
    """An OpenAI payload for a server at `base`."""
    return {"connector": {"class_path": "langchain_openai.chat_models.ChatOpenAI",
                          "params": {"model": "m", "api_key": KEY, "base_url": base + "/v1", "max_retries": 0, **(params or {})}},
            "datasets": list(datasets) or [dataset()], **more}


class Simulator:
    def __init__(self, *flags):
        self.process = start("mock", "--port", "0", *flags, stdin=subprocess.DEVNULL)
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on http://127.0.0.1:"), line + self.process.stderr.read().decode()
        self.url = line.split()[-1]

    def stop(self):
        self.process.terminate()
        _, err = self.process.communicate(timeout=LIMIT_S)
        assert b"Sanitizer" not in err, err.decode("utf-8", "replace")
        assert self.process.returncode == 0, "the simulator ended with %d: %s" % (self.process.returncode, err.decode())


@pytest.fixture
def simulator():
    """A factory: simulator("--latency", "5") starts one; all are stopped, and must end well, after the test."""
    started = []

    def make(*flags):
        started.append(Simulator(*flags))
        return started[-1]

    yield make
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@contextlib.contextmanager
def closed_port():
    """A port on which nobody listens and that nobody else is given meanwhile."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


class Nginx:
    """nginx in the foreground with one server block. It inherits a socket that listens already: no other process can be given its port, and nobody waits."""

    def __init__(self, folder, server, events="worker_connections 4096;"):
        self.folder = folder
        self.access = folder / "access.log"
        binary = shutil.which("nginx") or "/usr/sbin/nginx"
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
            self.port = listener.getsockname()[1]
            (folder / "nginx.conf").write_text(
                # Root's workers would become somebody who may not enter this folder.
                ("user root; " if os.geteuid() == 0 else "") + "daemon off; pid %(f)s/pid; error_log %(f)s/error.log; worker_processes 1; events { %(e)s }\n"
                "http { access_log off; client_body_temp_path %(f)s/b; proxy_temp_path %(f)s/p; fastcgi_temp_path %(f)s/f;\n"
                "uwsgi_temp_path %(f)s/u; scgi_temp_path %(f)s/s; keepalive_requests 1000000; large_client_header_buffers 8 64k;\n"
                "log_format c '$connection $server_protocol $status';\n%(s)s }\n"
                % {"f": folder, "e": events, "s": server.replace("@PORT@", str(self.port))})
            self.process = subprocess.Popen([binary, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE,
                                            pass_fds=[listener.fileno()], env={**os.environ, "NGINX": "%d;" % listener.fileno()})

    def connections(self):
        """Distinct connections of the access log (log format c)."""
        return {line.split()[0] for line in self.access.read_text().splitlines()}

    def stop(self):
        self.process.terminate()
        self.process.wait(LIMIT_S)


@pytest.fixture
def nginx(tmp_path):
    started = []

    def make(server, **more):
        folder = tmp_path / ("nginx%d" % len(started))
        folder.mkdir()
        started.append(Nginx(folder, server.replace("@FOLDER@", str(folder)), **more))
        return started[-1]

    yield make
    for one in started:
        one.stop()
