"""Any Python value as JSON values, and whether two of them are the same.

A runner may leave numpy numbers, dates or models in a batch's opaque fields (agentic, logprobs). An answer that was paid for is not thrown away
for that: everything becomes the JSON nearest to it, and what has none (an object of a class, NaN) is told on standard error, once a type.
"""
import math
import sys

_told = set()


def _tell(kind, became):
    if kind not in _told:
        _told.add(kind)
        print("A value of a batch is %s, which JSON does not have: it became %s." % (kind, became), file=sys.stderr)


def plain(value, depth=0):
    if value is None or value is True or value is False or type(value) in (str, int):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        _tell(repr(float(value)), "null")
        return None
    if depth > 100:
        raise ValueError("is nested more than 100 levels deep")
    if isinstance(value, dict):
        return {_key(k): plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v, depth + 1) for v in value]
    return _other(value, depth)


def _key(key):
    if isinstance(key, str):
        return str.__str__(key)
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    return str(getattr(key, "value", key))


def _other(value, depth):
    """Models, enumerations, numpy's scalars and arrays, dates, subclasses of str and int, bytes; then whatever str() makes of it."""
    for name in ("model_dump", "tolist", "isoformat"):
        method = getattr(value, name, None)
        if callable(method) and not isinstance(value, type):
            return plain(method(), depth + 1)
    if hasattr(type(value), "__dataclass_fields__"):
        return {name: plain(getattr(value, name), depth + 1) for name in type(value).__dataclass_fields__}
    if type(value).__module__ != "builtins" and hasattr(value, "value") and hasattr(type(value), "__members__"):
        return plain(value.value, depth + 1)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    _tell("a " + type(value).__qualname__, "its text")
    return str(value)


def same(a, b):
    """Equal as JSON documents: 1, 1.0 and true differ, the order of keys does not matter."""
    if type(a) is not type(b):
        return False
    if type(a) is dict:
        return a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if type(a) is list:
        return len(a) == len(b) and all(map(same, a, b))
    return a == b
