#!/usr/bin/env python3
"""Checks who includes whom, by the table of docs/architecture.md: a layer may include itself and what stands below it.

Usage: tools/check_layers.py            (from anywhere; looks at src/ and include/ of this repository)
Prints a line for each forbidden include and ends with 1 when there is one.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBC = "libc"

# layer: (layers it may include, foreign headers it may include beside libc's). A name that ends in .h is that one header.
TABLE = {
    "src/base": ({"base"}, set()),
    "src/net": ({"base", "net"}, {"uv.h", "curl/", "openssl/"}),
    "src/model": ({"base", "model"}, set()),
    "src/connector": ({"base", "model", "connector"}, set()),
    "src/sink": ({"base", "model", "sink"}, {"sqlite3.h"}),
    "src/engine": ({"base", "net", "model", "engine", "connector/connector.h", "sink/sink.h"}, set()),
    "src/lib": ({"base", "net", "model", "connector", "engine", "sink", "lib", "fairforge"}, {"uv.h", "curl/"}),
    "src/front/common": ({"base", "net", "front/common", "fairforge"}, {"uv.h", "microhttpd.h"}),
    "src/front/cli": ({"base", "net", "front/common", "front/cli", "front/mock/mock.h", "front/server/serve.h", "fairforge"}, {"uv.h"}),
    "src/front/lambda": ({"base", "net", "front/common", "front/lambda", "fairforge"}, set()),
    "src/front/server": ({"base", "net", "front/common", "front/server", "fairforge"}, {"uv.h", "microhttpd.h"}),
    "src/front/mock": ({"base", "net", "front/common", "front/mock", "fairforge"}, {"uv.h", "microhttpd.h"}),
}
# Reading files, clocks and randomness stay out of what must be pure.
FORBIDDEN_IN = {
    "src/connector": {"base/clock.h", "base/log.h", "base/rand.h"},
    "src/model": {"base/clock.h", "base/log.h", "base/rand.h"},
}
# sqlite3.h belongs to the journal alone.
ONLY_IN = {"sqlite3.h": re.compile(r"src/sink/journal")}
POSIX = re.compile(r"^(sanitizer|sys|netinet|arpa|linux|bits)/|^[a-z0-9_]+\.h$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def layer_of(path):
    """The longest key of TABLE that path lies in, or None."""
    return max((k for k in TABLE if str(path).startswith(k + "/")), key=len, default=None)


def own_layers():
    return {k[len("src/"):] for k in TABLE} | {"fairforge"}


def problem(layer, path, quote, name):
    """What is wrong with `#include name` in path, or None."""
    allowed, foreign = TABLE[layer]
    if name in FORBIDDEN_IN.get(layer, ()):
        return "a pure layer must not see it"
    if name in ONLY_IN and not ONLY_IN[name].match(str(path)):
        return "only the journal may"
    ours = any(name.startswith(own + "/") for own in own_layers())
    if ours:
        ok = any(name == a or (not a.endswith(".h") and name.startswith(a + "/")) for a in allowed)
        return None if ok else "not in the table for " + layer
    if any(name == f or (f.endswith("/") and name.startswith(f)) for f in foreign):
        return None
    if name in ("uv.h", "microhttpd.h", "sqlite3.h") or name.startswith(("curl/", "openssl/")):
        return "this library is not in the table for " + layer
    if quote == '"':
        return "write it as folder/name.h, relative to src"
    return None if POSIX.match(name) else "unknown header"


def main():
    bad = files = 0
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        rel = path.relative_to(ROOT)
        layer = layer_of(rel)
        files += 1
        if layer is None:
            print("%s: lies in no layer of the table" % rel)
            bad += 1
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            match = INCLUDE.match(line)
            why = match and problem(layer, rel, match.group(1), match.group(2))
            if why:
                print("%s:%d: includes %s: %s" % (rel, number, match.group(2), why))
                bad += 1
    print("layers: %d files, %d forbidden includes" % (files, bad))
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main())
