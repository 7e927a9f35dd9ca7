"""What a runner returned as a reply of the protocol."""
import functools
import math

from .failure import named
from .plain import plain, same

OPAQUE = ("logprobs", "agentic", "ground_truth_agentic")
TEXTS = ("observation", "query", "qa_id", "ground_truth_assistant")
ERROR_PREFIX = "[ERROR]"


class Shape(Exception):
    """A runner returned something else than its interface promises: a clause that says what."""


def a(value):
    """'a dict', 'an int', 'None'."""
    if value is None:
        return "None"
    name = type(value).__name__
    return ("an " if name[:1].lower() in "aeiou" else "a ") + name


def text_of(content):
    """Text, also from the parts in which LangChain's messages can carry it (thinking and images are no part of an answer). None: it is neither."""
    if isinstance(content, str):
        return str.__str__(content)
    if not isinstance(content, list):
        return None
    found = []
    for part in content:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text"), str) and part.get("type", "text") in ("text", "output_text"):
            found.append(part["text"])
        elif not isinstance(part, dict):
            return None
    return "".join(found)


def _shapely(look):
    """What the code of a returned object raises while it is looked at is a matter of its shape: an array that is neither true nor false, a text that fails."""

    @functools.wraps(look)
    def looked_at(*args):
        try:
            return look(*args)
        except Shape:
            raise
        except Exception as e:
            raise Shape("what cannot be read: %s" % named(e)) from e

    return looked_at


@_shapely
def split_triple(result):
    """(updated batch, success, milliseconds or None) from what run_batch returned."""
    if not isinstance(result, tuple):
        raise Shape("%s, not (batch, success, milliseconds)" % a(result))
    if len(result) != 3:
        raise Shape("a tuple of %d, not (batch, success, milliseconds)" % len(result))
    batch, success, ms = result
    if not hasattr(batch, "assistant"):
        raise Shape("%s in place of the updated batch" % a(batch))
    known = isinstance(ms, (int, float)) and not isinstance(ms, bool) and math.isfinite(ms) and ms >= 0
    return batch, bool(success), float(ms) if known else None


def changes(original, batch):
    """The fields that differ from the JSON object `original`; raises Shape for a value that the schema does not have."""
    changed = {}
    for name in TEXTS:
        value = getattr(batch, name, None)
        if value != original[name]:
            if not isinstance(value, str) and not (value is None and name == "observation"):
                raise Shape("a batch whose %s is %s, not text" % (name, a(value)))
            changed[name] = value if value is None else str.__str__(value)
    for name in OPAQUE:
        value = getattr(batch, name, None)
        if value is None and original[name] is None or type(value) is dict and not value and original[name] == {}:
            continue
        try:
            value = plain(value)
        except ValueError as e:
            raise Shape("a batch whose %s %s" % (name, e)) from None
        if not same(value, original[name]):
            if value is not None and not isinstance(value, dict):
                raise Shape("a batch whose %s is %s, not a dict" % (name, a(getattr(batch, name))))
            changed[name] = value
    weight = getattr(batch, "weight", None)
    if weight != original["weight"]:
        changed["weight"] = plain(weight)
    return changed


@_shapely
def reply_of(original, batch, success, ms):
    """The members of a reply; raises Shape."""
    text = text_of(batch.assistant)
    if text is None:
        raise Shape("a batch whose assistant is %s, not text" % a(batch.assistant))
    if success:
        reply = {"answer": text}
    else:
        said = text.removeprefix(ERROR_PREFIX).strip() if text.startswith(ERROR_PREFIX) else text.strip()
        reply = {"error": said or "The runner reported a failure and gave no reason."}
    if ms is not None:
        reply["elapsed_ms"] = ms
    changed = changes(original, batch)
    if changed:
        reply["batch"] = changed
    return reply


def wrong_shape(what, shape):
    return {"error": "%s returned %s." % (what, shape), "outcome": "bad_reply"}
