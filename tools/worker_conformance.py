#!/usr/bin/env python3
"""Holds a worker against the worker protocol (docs/worker-protocol.md).

Usage: tools/worker_conformance.py [--timeout S] [--query TEXT] [--args JSON] [--strict] -- COMMAND [ARGUMENT]...

Starts the command several times, talks to it as fairforge does, and prints a line a rule. The worker's turns are real: it is asked about 30 questions
(--query replaces their text). An answer that is an error conforms; --strict wants answers. Exit status: 0 it conforms, 1 it does not, 64 wrong use.
"""
import argparse
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time

OUTCOMES = {True: {"ok", "empty", "truncated", "refused", "filtered", "tool_only"}, False: {"rate_limited", "timeout", "transport", "http_4xx", "http_5xx", "bad_reply"}}
TEXTS = ["Plain.", "", 'Quotes " and \\ and / and \t tab\nnew line', "nul \0, \u2028\u2029, \x7f", "¿Dónde está? 二加二 👩🏽‍🚀", "{\"id\":99,\"answer\":\"no\"}", "x" * 1000000]


class Broken(Exception):
    """The worker breaks a rule; the text says how."""


class Worker:
    """A started worker. Lines it writes come out of a queue; None is the end of its output."""

    def __init__(self, options):
        self.options = options
        self.process = subprocess.Popen(options.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, start_new_session=True)
        self.lines, self.next_id, self.open, self.done, self.capabilities = queue.Queue(), 1, {}, {}, {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def send(self, *messages):
        try:
            for m in messages:
                self.process.stdin.write(json.dumps(m, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError as e:
            raise Broken("it closed its standard input") from e

    def take(self, seconds=None):
        """The next message, checked for its form."""
        try:
            line = self.lines.get(timeout=seconds or self.options.timeout)
        except queue.Empty as e:
            raise Broken("nothing came from it within %g s" % (seconds or self.options.timeout)) from e
        if line is None:
            raise Broken("it ended (status %s) when something was due" % self.process.wait())
        if not line.endswith(b"\n"):
            raise Broken("its last line has no line feed: %r" % line[:100])
        try:
            m = json.loads(line.decode("utf-8"))
        except ValueError as e:
            raise Broken("it wrote a line that is not JSON in UTF-8: %r" % line[:100]) from e
        if not isinstance(m, dict):
            raise Broken("it wrote a line that is not an object: %r" % line[:100])
        return m

    def hello(self, **more):
        self.send({"type": "hello", "protocol": 1, "fairforge": "conformance", "worker": 0, "workers": 1, "start": 1, "concurrency": 16,
                   "args": self.options.args, **more})
        m = self.take()
        check(m.get("type") == "welcome", "its first line is no welcome: %s", m)
        check(m.get("protocol") == 1, "its welcome has protocol %r, not 1", m.get("protocol"))
        check("error" not in m or m["error"] is None, "it cannot start: %s", m.get("error"))
        self.capabilities = c = {"concurrency": 1, "ordered": False, "cancel": False, "session": "any", "unit": "turn", "name": "",
                                 **{k: v for k, v in m.items() if v is not None}}
        check(type(c["concurrency"]) is int and 1 <= c["concurrency"] <= 100000, "its concurrency is %r, not an integer from 1 to 100000", c["concurrency"])
        for k in ("ordered", "cancel"):
            check(isinstance(c[k], bool), "its %s is %r, neither true nor false", k, c[k])
        check(c["session"] in ("any", "sticky"), "its session is %r, neither \"any\" nor \"sticky\"", c["session"])
        check(c["unit"] in ("turn", "dataset"), "its unit is %r, neither \"turn\" nor \"dataset\"", c["unit"])
        check(isinstance(c["name"], str), "its name is no string")
        return self

    def batch(self, text, index):
        self.next_id += 1
        self.open[self.next_id] = text
        query = self.options.query or text
        return {"id": self.next_id, "attempt": 0, "batch": index, "qa_id": "q%d" % index, "query": query, "prompt": query, "assistant": "",
                "ground_truth_assistant": "T", "observation": None, "logprobs": {}, "agentic": {}, "ground_truth_agentic": {}, "weight": None}

    def ask(self, *texts, session=0, **more):
        """Sends the texts as one session: turns, or a dataset. Returns the ids."""
        head = {"timeout_ms": int(self.options.timeout * 1000), "session": session, "batches": len(texts), "session_id": "s%d" % session, "assistant_id": "a",
                "language": "english", "context": "", **more}
        batches = [self.batch(t, i) for i, t in enumerate(texts)]
        if self.capabilities["unit"] == "dataset":
            self.next_id += len(texts) + 2
            self.open[-self.next_id] = [b["id"] for b in batches]
            self.send({"type": "dataset", "dataset": self.next_id, "conversation": batches, **head})
        elif self.capabilities["ordered"]:
            for b in batches:
                self.send({"type": "turn", **b, **head})
                self.collect(b["id"])
        else:
            for b in batches:
                self.send({"type": "turn", **b, **head})
        return [b["id"] for b in batches]

    def collect(self, *ids):
        """Until all of these (or everything that is open) has its reply."""
        while any(i in self.open for i in (ids or list(self.open))):
            m = self.take()
            key = -m["dataset"] if m.get("type") == "dataset_end" and type(m.get("dataset")) is int else m.get("id")
            check(type(key) is int, "it wrote a line without an id: %s", m)
            check(key not in self.done, "it replied twice to %s", key)
            check(key in self.open, "it replied to %r, which it was not given", key)
            if key < 0:
                check(not any(i in self.open for i in self.open[key]), "its dataset ended without a reply to one of %s", self.open[key])
            else:
                check_reply(m, self.options)
            self.done[key] = m
            del self.open[key]

    def end(self, polite=True, seconds=2.0):
        """Says goodbye; it must go by itself."""
        if polite:
            self.send({"type": "bye"})
        self.process.stdin.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired as e:
            raise Broken("it is still there %g s after the end of its input" % seconds) from e
        line = self.lines.get(timeout=self.options.timeout)
        check(line is None, "it wrote a line after everything had its reply: %r", line)

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def check(condition, text, *values):
    if not condition:
        raise Broken(text % tuple(str(v)[:200] for v in values) if values else text)


def check_reply(m, options):
    has = [k for k in ("answer", "error") if m.get(k) is not None]
    check(len(has) == 1, "its reply has %s: %s", "both an answer and an error" if has else "neither an answer nor an error", m)
    success = has[0] == "answer"
    check(isinstance(m[has[0]], str), "the %s of its reply is no string: %s", has[0], m)
    check(success or m["error"], "the error of its reply is empty")
    check(success or not options.strict, "it answers with an error: %s", m.get("error"))
    check(m.get("outcome") is None or m["outcome"] in OUTCOMES[success], "its reply has the outcome %r", m.get("outcome"))
    for k in ("model", "finish_reason", "request_id"):
        check(m.get(k) is None or isinstance(m[k], str), "the %s of its reply is no string", k)
    for k in ("retry_after_ms", "elapsed_ms"):
        check(m.get(k) is None or (type(m[k]) in (int, float) and m[k] >= 0), "the %s of its reply is no number", k)
    check(m.get("retryable") is None or isinstance(m["retryable"], bool), "the retryable of its reply is neither true nor false")
    check(m.get("batch") is None or isinstance(m["batch"], dict), "the batch of its reply is no object")
    usage = m.get("usage") or {}
    check(isinstance(usage, dict) and all(v is None or (type(v) is int and v >= 0) for v in usage.values()), "the usage of its reply has no counts: %s", usage)


# ---- the rules ----

def rule_welcome(worker):
    """it welcomes, with capabilities of the right kind, and has nothing to say before or after"""
    worker.hello()
    worker.end()


def rule_one(worker):
    """it replies to a turn with the turn's id"""
    worker.hello().ask("What is the capital of France?")
    worker.collect()
    worker.end()


def rule_many(worker):
    """it replies to every turn exactly once, with as many at once as it takes"""
    worker.hello()
    for i in range(min(3 * worker.capabilities["concurrency"], 24)):
        while sum(1 for k in worker.open if (k < 0) == (worker.capabilities["unit"] == "dataset")) >= worker.capabilities["concurrency"]:
            worker.collect(next(iter(worker.open)) if worker.capabilities["unit"] == "turn" else min(worker.open))
        worker.ask("Question %d?" % i, session=i)
    worker.collect()
    worker.end()


def rule_texts(worker):
    """it takes texts of every kind: empty, quoted, NUL, other scripts, a megabyte"""
    worker.hello()
    for i, text in enumerate(TEXTS):
        worker.ask(text, session=i)
        worker.collect()
    worker.end()


def rule_session(worker):
    """it answers the turns of a session, and lets a session end"""
    worker.hello()
    for text in ("First?", "Second?", "Third?"):
        if worker.capabilities["unit"] == "turn":
            worker.ask(text, session=7)
            worker.collect()
    if worker.capabilities["unit"] == "dataset":
        worker.ask("First?", "Second?", "Third?", session=7)
        worker.collect()
    worker.send({"type": "session_end", "session": 7})
    worker.ask("And after it?", session=8)
    worker.collect()
    worker.end()


def rule_later(worker):
    """it ignores members and messages that it does not know"""
    worker.hello(later={"a": [1]})
    worker.send({"type": "something_of_a_later_version", "x": 1})
    worker.ask("Still there?", later=[None])
    worker.collect()
    worker.end()


def rule_cancel(worker):
    """it ends a cancelled turn with one reply within 5 s"""
    worker.hello()
    if not worker.capabilities["cancel"]:
        worker.end()
        return "not tried: it has no cancel"
    dataset = worker.capabilities["unit"] == "dataset"
    ids = worker.ask("This will be cancelled.") if not worker.capabilities["ordered"] or dataset else []
    if ids:
        worker.send({"type": "cancel", "dataset": worker.next_id} if dataset else {"type": "cancel", "id": ids[0]})
    while worker.open:
        m = worker.take(5)
        key = -m["dataset"] if m.get("type") == "dataset_end" else m.get("id")
        check(key in worker.open, "it replied to %r, which was not open", key)
        if key < 0:
            worker.open = {}
        else:
            del worker.open[key]
    worker.send({"type": "cancel", "dataset" if dataset else "id": 1})
    worker.ask("And after it?", session=1)
    worker.collect()
    worker.end()
    return None


def rule_eof(worker):
    """it ends when its input ends, without a bye"""
    worker.hello().ask("Before the end?")
    worker.collect()
    worker.end(polite=False)


def rule_idle_eof(worker):
    """it ends when its input ends before the hello"""
    worker.end(polite=False, seconds=worker.options.timeout)


RULES = [rule_welcome, rule_one, rule_many, rule_texts, rule_session, rule_later, rule_cancel, rule_eof, rule_idle_eof]


def run_rule(rule, options):
    started = time.monotonic()
    worker = Worker(options)
    try:
        note = rule(worker)
        word = "ok"
    except Broken as e:
        note, word = str(e), "FAIL"
    finally:
        worker.kill()
    print("%-4s  %s%s  (%.1f s)" % (word, rule.__doc__, ": " + note if note else "", time.monotonic() - started), flush=True)
    return word == "ok"


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0], usage=__doc__.splitlines()[2][len("Usage: "):])
    ap.add_argument("--timeout", type=float, default=60.0, help="seconds for the welcome and for a reply")
    ap.add_argument("--query", default="", help="the text of every question")
    ap.add_argument("--args", type=json.loads, default={}, help="args of the hello: a JSON object")
    ap.add_argument("--strict", action="store_true", help="an error is no conforming answer")
    ap.add_argument("command", nargs="+")
    try:
        options = ap.parse_args()
    except SystemExit as e:
        return 64 if e.code else 0
    try:
        passed = [run_rule(rule, options) for rule in RULES]
    except OSError as e:
        print("%s cannot be started: %s" % (options.command[0], e.strerror), file=sys.stderr)
        return 64
    print("%d of %d rules" % (sum(passed), len(RULES)))
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
