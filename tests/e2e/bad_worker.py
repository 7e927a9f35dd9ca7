#!/usr/bin/env python3
"""A worker that misbehaves to order: bad_worker.py MODE [CAPABILITY=JSON]...

Queries that begin with "bad" get what MODE says; all others are answered "ok QUERY". Every start appends the process id to the file PIDS of the environment.
"""
import json
import os
import signal
import subprocess
import sys

MODE = sys.argv[1]
CAPABILITIES = {k: json.loads(v) for k, v in (a.split("=", 1) for a in sys.argv[2:])}
GREEDY = "x" * (1 << 20)


def say(message):
    print(message if isinstance(message, str) else json.dumps(message), flush=True)


def note(word):
    if "PIDS" in os.environ:
        with open(os.environ["PIDS"], "a") as f:
            f.write("%s\n" % word)


def hang():
    while True:
        signal.pause()


def die(turn):
    os.kill(os.getpid(), signal.SIGKILL)


def leave(turn):
    print("Traceback: it went \x1b[31mboom", file=sys.stderr, flush=True)
    os._exit(4)


def flood_replies(turn):
    for _ in range(20000):
        say({"id": turn["id"], "answer": "again and again"})


def half(turn):
    sys.stdout.write('{"id":%d,"answ' % turn["id"])
    sys.stdout.flush()
    os._exit(0)


def long_line(turn):
    for _ in range(100):
        sys.stdout.write(GREEDY)
    say("")


def flood(turn):
    while True:
        say("flood")


def deaf(turn):
    os.close(0)
    hang()


def flood_errors(turn):
    for i in range(20000):
        sys.stderr.write("line %d\n" % i)
    say({"id": turn["id"], "answer": "after the flood"})


def close_output(turn):
    os.close(1)
    hang()


def offspring(turn):
    note(subprocess.Popen(["sleep", "1000"]).pid)
    say({"id": turn["id"], "answer": "it has a child"})


REPLIES = {
    "no_answer": {}, "both": {"answer": "a", "error": "b"}, "number": {"answer": 5}, "null": {"answer": None}, "outcome": {"answer": "a", "outcome": "timeout"},
    "bad_batch": {"answer": "a", "batch": {"observation": 5}}, "bad_usage": {"answer": "a", "usage": {"input_tokens": -1}}, "error": {"error": "It broke."},
    "limited": {"error": "Slow down.", "outcome": "rate_limited", "retry_after_ms": 1}, "rich": {
        "answer": "a", "model": "m-1", "finish_reason": "length", "outcome": "truncated", "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
        "batch": {"observation": "seen", "logprobs": {"a": [0.10]}, "agentic": {"tools": ["t"]}}, "elapsed_ms": 0.5},
    "fail_batch": {"error": "It broke.", "batch": {"observation": "seen"}},
}
ACTIONS = {"die": die, "leave": leave, "half": half, "long_line": long_line, "flood": flood, "deaf": deaf, "flood_errors": flood_errors, "flood_replies": flood_replies, "close_output": close_output,
           "offspring": offspring, "hang": lambda turn: hang(), "garbage": lambda turn: say("not \x1b[31m JSON"), "array": lambda turn: say([1]), "dataset_end": lambda turn: say({"type": "dataset_end", "dataset": 1}),
           "unknown": lambda turn: say({"id": turn["id"] + 5, "answer": "x"}), "text_id": lambda turn: say({"id": "1", "answer": "x"}),
           "latin": lambda turn: (sys.stdout.buffer.write(b'{"id":1,"answer":"\xe9"}\n'), sys.stdout.flush())}


def start():
    note(os.getpid())
    if MODE == "exit_at_once":
        print("no luck today", file=sys.stderr)
        sys.exit(3)
    if MODE == "mute":
        hang()
    if MODE == "chatty":
        say("Loading the model ...")


def welcome(hello):
    note(json.dumps(hello))
    if MODE == "refuse":
        say({"type": "welcome", "protocol": 1, "error": "The argument endpoint is missing."})
        sys.exit(1)
    if MODE == "once" and hello["start"] > 1:
        sys.exit(5)
    say({"type": "welcome", "protocol": 2 if MODE == "protocol_2" else 1, "name": "bad", **CAPABILITIES})


def take(turn):
    if not turn["query"].startswith("bad"):
        say({"id": turn["id"], "answer": "ok " + turn["query"]})
    elif MODE in REPLIES:
        say({"id": turn["id"], **REPLIES[MODE]})
    elif MODE in ACTIONS:
        ACTIONS[MODE](turn)
    elif MODE == "twice":
        for answer in ("first", "second"):
            say({"id": turn["id"], "answer": answer})
    elif MODE == "once":
        die(turn)
    elif MODE == "retry":
        say({"id": turn["id"], "answer": "at last"} if turn["attempt"] == 2 else {"id": turn["id"], "error": "Not yet."})
    elif MODE != "hang_until_cancelled":
        say({"id": turn["id"], "answer": MODE})


def take_dataset(m):
    for batch in m["conversation"]:
        if batch["query"].startswith("bad") and MODE == "stop":
            say({"type": "dataset_end", "dataset": m["dataset"], "error": "ValueError: it stopped."})
            return
        if batch["query"].startswith("bad") and MODE == "forget":
            continue
        take(batch)
    say({"type": "dataset_end", "dataset": m["dataset"]})


def main():
    start()
    for line in sys.stdin:
        m = json.loads(line)
        if m["type"] == "hello":
            welcome(m)
        elif m["type"] == "turn":
            take(m)
        elif m["type"] == "dataset":
            take_dataset(m)
        elif m["type"] == "cancel" and MODE == "hang_until_cancelled":
            note("cancelled")
            say({"id": m["id"], "error": "cancelled"})
        elif m["type"] in ("bye", "session_end"):
            note(m["type"])


main()
