#!/usr/bin/env python3
"""A worker with a memory: answers how many turns of the session this process has seen, and which process it is. Query "die" ends it."""
import json
import os
import sys

seen = {}
for line in sys.stdin:
    m = json.loads(line)
    if m["type"] == "hello":
        print(json.dumps({"type": "welcome", "protocol": 1, "concurrency": 4, "ordered": True, "session": "sticky"}), flush=True)
    elif m["type"] == "turn":
        if m["query"] == "die":
            os._exit(1)
        seen[m["session"]] = seen.get(m["session"], 0) + 1
        print(json.dumps({"id": m["id"], "answer": "%d %d" % (seen[m["session"]], os.getpid())}), flush=True)
    elif m["type"] == "session_end":
        del seen[m["session"]]
        with open(os.environ["ENDED"], "a") as f:
            f.write("%d\n" % m["session"])
