#!/usr/bin/env python3
"""Compares fairforge's JSON reader and writer with Python's json module.

usage: differential_json.py JSON_ECHO [COUNT] [SEED]

COUNT documents (default 20000) are generated and mutated from SEED. Both must accept the same texts; what is accepted must be written alike, byte for
byte (json.dumps(ensure_ascii=False), number text kept), and where both refuse, the reported line and column must fit the offset. Differences that
are meant: Python accepts NaN, Infinity and -Infinity; a lone surrogate becomes U+FFFD here; nesting deeper than 128 is refused here.
Doubles: random bit patterns must be formatted as Python's repr does.
"""
import json
import random
import re
import struct
import subprocess
import sys

DEPTH = 128
LONE = re.compile("[\ud800-\udfff]")
SEEDS = [
    '{"a": 1, "b": [true, false, null], "c": "text"}', "[]", "{}", '""', "0", "-0", "-0.0", "0.10", "1E5", "1e+22", "1.5e-300", "18446744073709551616",
    '["\\u0000", "\\ud83d\\ude00", "\\ud800", "\\udc00\\ud800", "\\u2028", "\u2028\u0085\x7f", "\U0001f600\u00fc"]', '{"a": 1, "a": 2, "b": 3, "a": {"a": 0, "a": []}}',
    '{"session_id": "s", "conversation": [{"query": "q", "weight": 0.5, "agentic": {"x": [1, [2, [3]]]}}]}', ' \t\r\n[ 1 ,\n2 ]\n', '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
    "[1,]", "{,}", "01", "1.", ".5", "+1", "- 1", "1e", "1e+", "tru", "nulll", "NaN", "[Infinity]", "-Infinity", "'a'", '{"a" 1}', '{"a":}', '{a: 1}', "[1 2]", '"\\x"', '"\\u12g4"',
    '"a\nb"', "//x\n1", "[1]x", "\ufeff[1]", "[\ufeff1]", "\u00a01", '"' + "abcdefg" * 5 + '\x1f"',
]
BYTES = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\t", b"\r", b"0", b"1", b"9", b".", b"-", b"+", b"e", b"E", b"u", b"t", b"true", b"null", b"false", b"\\u",
         b"\\ud83d", b"\\ude00", b"\\u0000", b"\x00", b"\x1f", b"\x7f", b"\x80", b"\xc0\x80", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80",
         b"\xef\xbb\xbf", b"\xe2\x82", b"NaN", b"/", b"''", b"[[[[", b"]]]]", b'{"a":']


class Number(str):
    """The text of a number, so that it is compared as it came."""


def refuse(name):
    raise ValueError(name + " is refused")


def depth_of(text):
    """Deepest nesting of brackets outside strings (only called for well-formed text)."""
    deepest = depth = 0
    in_string = escaped = False
    for c in text:
        if in_string:
            if escaped:
                escaped = False
            elif c == "\\":
                escaped = True
            elif c == '"':
                in_string = False
        elif c == '"':
            in_string = True
        elif c in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif c in "]}":
            depth -= 1
    return deepest


def write(value):
    """json.dumps(ensure_ascii=False, separators=(',', ':')), with Number as it came."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(write(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(write(k) + ":" + write(v) for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def pairs(members):
    """A dict of the members, with lone surrogates in keys replaced before equal keys are merged: our keys are what stands there then."""
    result = {}
    for key, value in members:
        result[LONE.sub("\ufffd", key)] = value
    return result


def python_reads(data):
    """The document as Python writes it, or None when it refuses it."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        text = data.decode("utf-8")
        value = json.loads(text, parse_float=Number, parse_int=Number, parse_constant=refuse, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return None
    if depth_of(text) > DEPTH:
        return None
    return LONE.sub("\ufffd", write(value)).encode("utf-8")


def random_string(rng):
    alphabet = rng.choice(["abc ", "abcdefghijklmnopqrstuvwxyz", "\"\\/\b\f\n\r\t\x00\x01\x1f\x7f", "\u00e9\u00fc\u00df", "\u4f60\u597d\u2028\ufffd\ufeff\uffff", "\U0001f600\U0010ffff a"])
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 2, 5, 7, 8, 9, 15, 16, 17, 40])))


def random_number(rng):
    return rng.choice([str(rng.randint(-10, 10)), str(rng.getrandbits(rng.choice([8, 53, 64, 200]))), repr(rng.uniform(-1e3, 1e3)), "%.3e" % rng.uniform(-1, 1),
                       "-0", "0.10", "1E5", "1e400", "-1.50e-07", "0e0", "1.0"])


def random_value(rng, depth):
    kind = rng.randrange(9 if depth > 0 else 6)
    if kind == 0:
        return random_number(rng)
    if kind <= 3:
        return json.dumps(random_string(rng), ensure_ascii=rng.random() < 0.5)
    if kind <= 5:
        return rng.choice(["true", "false", "null"])
    space = rng.choice(["", " ", "\n", "\n        ", "\t\r\n"])
    count = rng.choice([0, 1, 2, 3, 5, 16, 17, 40]) if depth < 3 else rng.choice([1, 2, 3])
    values = [random_value(rng, depth - 1) for _ in range(count)]
    if kind == 6:
        return "[" + space + ("," + space).join(values) + space + "]"
    keys = [rng.choice(["a", "b", "key", "", "\\u0061", "\\ud800"]) if rng.random() < 0.5 else random_string(rng) for _ in values]
    names = ['"' + k + '"' if k.startswith("\\u") else json.dumps(k, ensure_ascii=False) for k in keys]
    return "{" + space + ("," + space).join(n + space + ":" + space + v for n, v in zip(names, values)) + space + "}"


def mutate(rng, data):
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randint(0, len(data))
        to = min(len(data), at + rng.choice([0, 1, 1, 2, 5]))
        how = rng.randrange(4)
        if how == 0:
            data = data[:at] + rng.choice(BYTES) + data[at:]
        elif how == 1:
            data = data[:at] + rng.choice(BYTES) + data[to:]
        elif how == 2:
            data = data[:at] + data[to:]
        else:
            data = data[:at]
    return data


def documents(rng, count):
    for text in SEEDS:
        yield text.encode("utf-8")
    for depth in (1, 127, 128, 129, 500):
        yield b"[" * depth + b"]" * depth
        yield b'{"a":' * depth + b"1" + b"}" * depth
    for _ in range(count):
        text = rng.choice(SEEDS) if rng.random() < 0.2 else random_value(rng, rng.choice([0, 1, 2, 3]))
        data = text.encode("utf-8")
        yield data if rng.random() < 0.3 else mutate(rng, data)


def position(data, offset):
    before = data[:offset]
    if before.startswith(b"\xef\xbb\xbf"):
        before = before[3:]
    line = before.rsplit(b"\n", 1)[-1]
    return before.count(b"\n") + 1, 1 + sum(1 for c in line if c & 0xC0 != 0x80)


def problem_of(data, answer):
    """Why the answer of json_echo is wrong for the document, or None."""
    kind, _, body = answer.partition(b"\n")
    expected = python_reads(data)
    if kind.startswith(b"ok"):
        if expected is None:
            return "accepted, Python refuses it"
        return None if body == expected else "written as %r, Python writes %r" % (body, expected)
    if expected is not None:
        return "refused (%s), Python accepts it" % body.decode("utf-8", "replace")
    offset, line, column = (int(n) for n in body.split(b" ", 3)[:3])
    if offset > len(data) or (line, column) != position(data, offset):
        return "refused at offset %d, but said line %d, column %d" % (offset, line, column)
    return None


def ask(process, data):
    process.stdin.write(struct.pack("<I", len(data)) + data)
    process.stdin.flush()
    head = process.stdout.read(4)
    if len(head) < 4:
        sys.exit("json_echo ended at the document %r" % data)
    return process.stdout.read(struct.unpack("<I", head)[0])


def compare_documents(program, count, seed):
    process = subprocess.Popen([program, "--frames"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    wrong = accepted = total = 0
    for data in documents(random.Random(seed), count):
        answer = ask(process, data)
        total += 1
        accepted += answer.startswith(b"ok")
        problem = problem_of(data, answer)
        if problem:
            wrong += 1
            print("document %r: %s" % (data, problem))
    process.stdin.close()
    if process.wait() != 0:
        wrong += 1
        print("json_echo ended with status %d" % process.returncode)
    print("%d documents, %d accepted, %d differences" % (total, accepted, wrong))
    return wrong


def doubles(rng, count):
    for exponent in range(-1074, 1024):
        yield 2.0 ** exponent
    for exponent in range(-320, 309):
        yield float("1e%d" % exponent)
        yield float("9.5e%d" % exponent) if exponent < 308 else 1.7976931348623157e308
    for _ in range(count):
        value = struct.unpack("<d", struct.pack("<Q", rng.getrandbits(64)))[0]
        if value - value == 0:
            yield value
        yield rng.randrange(10 ** 6) / 1000.0
        yield rng.uniform(0, 1e4)


def compare_doubles(program, count, seed):
    texts = [repr(v) for v in doubles(random.Random(seed), count)]
    answer = subprocess.run([program, "--double"], input="\n".join(texts) + "\n", capture_output=True, text=True, check=True).stdout.split()
    wrong = [(t, a) for t, a in zip(texts, answer) if t != a]
    for text, got in wrong[:20]:
        print("double %s was written as %s" % (text, got))
    print("%d doubles, %d differences" % (len(texts), len(wrong)))
    return len(wrong) + (len(texts) != len(answer))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    wrong = compare_documents(sys.argv[1], count, seed) + compare_doubles(sys.argv[1], count, seed)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
