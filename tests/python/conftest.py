"""Drives the Python adapter (python/fairforge_worker) as fairforge does: a process, JSON lines on its pipes.

The runners under test lie in runners/, each file what a user would have in the folder of a run. ADAPTER_PYTHON is the interpreter of the adapter
(default: the one that runs the tests).
"""
import itertools
import json
import os
import pathlib
import subprocess
import sys
import threading

import pytest

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[1] / "python"
ADAPTER = SOURCE / "fairforge_worker"
RUNNERS = HERE / "runners"
PYTHON = os.environ.get("ADAPTER_PYTHON", sys.executable)
LIMIT_S = 60  # a worker that says nothing for so long hangs

sys.path.insert(0, str(SOURCE))


def batch(query="hi", **more):
    return {"qa_id": "q-" + query, "query": query, "prompt": query, "assistant": "", "ground_truth_assistant": "truth", "observation": None, "logprobs": {},
            "agentic": {}, "ground_truth_agentic": {}, "weight": None, "attempt": 0, **more}


class Adapter:
    """One adapter process."""

    def __init__(self, *words, args=None, folder=RUNNERS, env=None, concurrency=1000, hello=True):
        keep = {k: os.environ[k] for k in ("PATH", "HOME", "VIRTUAL_ENV") if k in os.environ}
        self.process = subprocess.Popen([PYTHON, str(ADAPTER), *words], cwd=folder, env={**keep, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._err = []
        self._drain = threading.Thread(target=lambda: self._err.append(self.process.stderr.read().decode("utf-8", "replace")))
        self._drain.start()
        self._limit = threading.Timer(LIMIT_S, self.process.kill)
        self._limit.start()
        self._ids = itertools.count(1)
        if hello:
            self.send({"type": "hello", "protocol": 1, "fairforge": "0.1.0", "worker": 0, "workers": 1, "start": 1, "concurrency": concurrency, "args": args or {}})
            self.welcome = self.read()

    def send(self, *messages):
        for m in messages:
            self.process.stdin.write(json.dumps(m).encode() + b"\n")
        self.process.stdin.flush()

    def read(self):
        line = self.process.stdout.readline()
        assert line.endswith(b"\n"), "expected a line, got the end: %r" % self.end()
        return json.loads(line)

    def dataset(self, *batches, number=1, session_id="s1", **more):
        """Sends a session and gives the ids of its batches."""
        conversation = [{**(b if isinstance(b, dict) else batch(b)), "id": next(self._ids), "batch": i} for i, b in enumerate(batches)]
        self.send({"type": "dataset", "dataset": number, "timeout_ms": 900000, "session": number, "batches": len(batches), "session_id": session_id,
                   "assistant_id": "a", "language": "english", "context": "", "conversation": conversation, **more})
        return [b["id"] for b in conversation]

    def turn(self, query="hi", **more):
        number = next(self._ids)
        self.send({"type": "turn", "timeout_ms": 900000, "session": 0, "batch": 0, "batches": 1, "session_id": "s1", "assistant_id": "a", "language": "english",
                   "context": "", **batch(query), "id": number, **more})
        return number

    def session(self, *batches, **more):
        """Runs a session to its end: its replies in the order of the batches, and the dataset_end."""
        ids = self.dataset(*batches, **more)
        replies, end = {}, None
        while end is None:
            m = self.read()
            if m.get("type") == "dataset_end":
                end = m
            else:
                assert m["id"] in ids and m["id"] not in replies, "a reply to nothing, or a second one: %r" % m
                replies[m["id"]] = m
        return [replies.get(i) for i in ids], end

    def ask(self, query="hi", **more):
        number = self.turn(query, **more)
        reply = self.read()
        assert reply["id"] == number, reply
        return reply

    def end(self, bye=True):
        """Ends it: (status, standard error)."""
        if self.process.stdin and not self.process.stdin.closed:
            try:
                if bye:
                    self.send({"type": "bye"})
                self.process.stdin.close()
            except BrokenPipeError:
                pass
        rest = self.process.stdout.read()
        self.process.wait()
        self._drain.join()
        self._limit.cancel()
        self.rest = rest
        return self.process.returncode, "".join(self._err)


@pytest.fixture
def adapter():
    """adapter("runner", "m:C", args={}) starts one; it must end well, with nothing more to say, unless the test ended it."""
    started = []

    def make(*words, **more):
        started.append(Adapter(*words, **more))
        return started[-1]

    yield make
    for one in started:
        if not hasattr(one, "rest"):
            status, err = one.end()
            assert status == 0 and one.rest == b"", "the adapter must end with 0 and say nothing more: %d, %r, %s" % (status, one.rest, err)


@pytest.fixture
def runner(adapter):
    """runner("module:Class", "--batches", …, args) → a welcomed adapter."""

    def make(spec, *words, **more):
        one = adapter("runner", spec, *words, **more)
        assert "error" not in one.welcome, one.welcome
        return one

    return make
