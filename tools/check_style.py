#!/usr/bin/env python3
"""Checks what a formatter does not: sizes, complexity, banned calls, words that do not belong in the tree.

Usage: tools/check_style.py    (needs git and pmccabe)
  function length  at most 100 lines      file length  at most 1,000 lines
  complexity       at most 20 (McCabe, by pmccabe; a switch counts once)
Prints a line for each finding and ends with 1 when there is one.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAX_FUNCTION, MAX_FILE, MAX_COMPLEXITY = 100, 1000, 20

# Calls that lose track of a size, keep hidden state, or run a shell.
BANNED = ("strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof alloca system popen rand srand setjmp longjmp "
          "strncpy strncat tmpnam mktemp localtime gmtime asctime ctime").split()
BANNED_RE = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
ALLOC_RE = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|strdup|strndup|asprintf|vasprintf)\s*\(")
CLOCK_RE = re.compile(r"\b(clock_monotonic_us|clock_wall_ms|clock_gettime|gettimeofday|time)\s*\(")  # `now` is an argument below net and lib
LIBRARY_RE = re.compile(r"(?<![\w.>])(printf|puts|perror|exit|_exit|abort|signal|sigaction)\s*\(|\b(stdout|stderr)\b")
# Promises instead of work, paths of one machine, hosts of package registries.
UNFINISHED = re.compile(r"\b(%s)\b" % "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]))
MACHINE = re.compile(r"(?<![\w.$}{*-])/(work|root|farm|home/[a-z]+|Users/[a-z]+)/")
REGISTRY = re.compile(r"\b(%s)\b" % "|".join(
    h.replace(".", r"\.") for h in ("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "crates" + ".io",
                                    "proxy.go" + "lang.org", "repo1." + "maven.org", "deb." + "debian.org", "docker" + ".io", "ghcr" + ".io")))
TEXT = (".c", ".h", ".py", ".sh", ".md", ".build", ".txt", ".json", ".jsonl", ".map", ".in", ".conf", ".1", ".yml", ".toml")


def tracked():
    """Files git tracks, and new ones it does not ignore."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [f for f in sorted(set(out.splitlines())) if (ROOT / f).is_file()]


def strip(text):
    """C text with comments and literals blanked, line structure kept."""
    def blank(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def check_c(name, text):
    """Findings of one C file as (line, sentence)."""
    code = strip(text)
    library = name.startswith("src/") and not name.startswith("src/front/")
    for number, line in enumerate(code.splitlines(), 1):
        for match in BANNED_RE.finditer(line):
            yield number, "%s() is banned" % match.group(1)
        if name.startswith("src/") and name != "src/base/alloc.c":
            for match in ALLOC_RE.finditer(line):
                yield number, "%s() outside base/alloc.c" % match.group(1)
        if name.startswith(("src/engine/", "src/connector/", "src/model/", "src/sink/")):
            for match in CLOCK_RE.finditer(line):
                yield number, "%s() in code that is given its time" % match.group(1)
        if library:
            for match in LIBRARY_RE.finditer(line):
                yield number, "the library does not print, exit or touch signals: %s" % match.group(0).strip("( ")
    lines = text.count("\n")
    if lines > MAX_FILE:
        yield lines, "file of %d lines (at most %d)" % (lines, MAX_FILE)


def check_words(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, sentence in ((UNFINISHED, "promises work instead of doing it"), (MACHINE, "path of one machine"),
                                  (REGISTRY, "host of a package registry")):
            match = pattern.search(line)
            if match:
                yield number, "%s: %s" % (sentence, match.group(0))


def check_functions(files):
    """pmccabe: modified complexity, complexity, statements, first line, lines, file(line): name."""
    out = subprocess.run(["pmccabe", *files], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for row in out.splitlines():
        modified, _, _, first, length, where = row.split("\t")
        name = where.rsplit(": ", 1)[-1]
        file = where.split("(", 1)[0]
        if int(modified) > MAX_COMPLEXITY:
            yield file, int(first), "%s has complexity %s (at most %d)" % (name, modified, MAX_COMPLEXITY)
        if int(length) > MAX_FUNCTION:
            yield file, int(first), "%s has %s lines (at most %d)" % (name, length, MAX_FUNCTION)


def main():
    names = tracked()
    c_files = [n for n in names if n.endswith((".c", ".h"))]
    findings = []
    for name in names:
        if not (name.endswith(TEXT) or name in ("dev", ".ci/run")) or "/corpus/" in name:
            continue
        text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
        findings += [(name, *f) for f in check_words(name, text)]
        if name in c_files:
            findings += [(name, *f) for f in check_c(name, text)]
    findings += list(check_functions([n for n in c_files if n.endswith(".c")]))
    for finding in findings:
        print("%s:%d: %s" % finding)
    print("style: %d files, %d C files, %d findings" % (len(names), len(c_files), len(findings)))
    return 1 if findings or not c_files else 0


if __name__ == "__main__":
    sys.exit(main())
