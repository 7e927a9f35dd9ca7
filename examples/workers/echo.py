#!/usr/bin/env python3
"""A worker in Python (docs/worker-protocol.md): fairforge run --dataset tests.jsonl --worker 'python3 examples/workers/echo.py'

Eight turns at once, each in a thread of its own; replies overtake each other. `answer` is where your system goes: whatever it raises becomes the
error of its turn. Prints of libraries go to standard error, because standard output belongs to the protocol.
"""
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

CONCURRENCY = 8
out, sys.stdout = sys.stdout, sys.stderr
lock = threading.Lock()


def say(message):
    with lock:
        print(json.dumps(message), file=out, flush=True)


def answer(turn):
    """The answer, or a whole reply (see "reply" in the protocol) for those who know more than the text."""
    text = "You said: " + turn["query"]
    if turn["ground_truth_assistant"]:
        return {"answer": text, "batch": {"observation": "expected: " + turn["ground_truth_assistant"]}}
    return text


def take(turn):
    try:
        reply = answer(turn)
        say({"id": turn["id"], **(reply if isinstance(reply, dict) else {"answer": reply})})
    except Exception as e:
        say({"id": turn["id"], "error": "%s: %s" % (type(e).__name__, e)})


def main():
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for line in sys.stdin:
            message = json.loads(line)
            if message["type"] == "hello":
                say({"type": "welcome", "protocol": 1, "name": "echo.py", "concurrency": CONCURRENCY})
            elif message["type"] == "turn":
                pool.submit(take, message)
            elif message["type"] == "bye":
                break


if __name__ == "__main__":
    main()
