#!/usr/bin/env python3
"""Prints the turns of `fairforge run --json` as a table, and a summary line.

Usage: tools/demo_table.py EVENTS.jsonl
"""
import json
import sys
import unicodedata

ANSWER_COLUMNS = 60


def width(text):
    """Columns on a terminal: wide characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def fit(text, columns):
    """text without control characters, cut or padded to so many columns."""
    text = "".join(c if c.isprintable() else " " for c in text)
    if width(text) > columns:
        while width(text) > columns - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (columns - width(text))


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        events = [json.loads(line) for line in f]
    turns = [e for e in events if e["event"] == "turn"]
    head = ("session", "qa_id", "outcome", "ms", "answer")
    rows = [(t["session_id"], t["qa_id"], t["outcome"], "%.0f" % t["execution_ms"], t["answer"]) for t in turns]
    rows.sort(key=lambda r: r[0])
    columns = [min(28, max(width(r[i]) for r in [head, *rows])) for i in range(4)] + [ANSWER_COLUMNS]
    for row in [head, tuple("-" * c for c in columns), *rows]:
        print("  ".join(fit(cell, c) for cell, c in zip(row, columns)).rstrip())
    end = next(e for e in reversed(events) if e["event"] == "end")
    print("\n%d turns of %d sessions: %d ok, %d failed, %.1f s in all" %
          (len(turns), len({t["session_id"] for t in turns}), end["succeeded"], end["failed"], end["wall_ms"] / 1000))


if __name__ == "__main__":
    main()
