#!/usr/bin/env python3
"""Checks that the libraries export what include/fairforge/fairforge.h declares, and nothing else.

Usage: tools/check_symbols.py BUILD_FOLDER
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def declared():
    text = re.sub(r"/\*.*?\*/", "", (ROOT / "include/fairforge/fairforge.h").read_text(encoding="utf-8"), flags=re.S)
    return set(re.findall(r"FF_API[^;]*?\b(ff_\w+)\s*\(", text))


def symbols(path, *flags):
    out = subprocess.run(["nm", "-g", "--defined-only", *flags, str(path)], capture_output=True, text=True, check=True).stdout
    names = (line.split()[-1].split("@")[0] for line in out.splitlines() if len(line.split()) >= 3)
    return {n for n in names if not n.startswith(("FAIRFORGE_", "_init", "_fini", "__bss", "_edata", "_end"))}


def main():
    build = pathlib.Path(sys.argv[1])
    want, bad = declared(), 0
    for name, flags in (("libfairforge.so", ["-D"]), ("libfairforge.a", [])):
        have = symbols(build / name, *flags)
        for missing in sorted(want - have):
            print("%s: %s is declared and not exported" % (name, missing))
        for extra in sorted(have - want):
            print("%s: %s is exported and not declared" % (name, extra))
        bad += len(want ^ have)
    print("symbols: %d declared, %d differences" % (len(want), bad))
    return 1 if bad or not want else 0


if __name__ == "__main__":
    sys.exit(main())
