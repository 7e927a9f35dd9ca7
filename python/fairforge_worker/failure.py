"""An exception as the failure of a turn: one sentence, an outcome, and what a retry should know.

HTTP clients and vendors' SDKs agree on little: a status is in `status_code`, `status` or `response.status_code`; time-outs and broken connections are known by
the names of their classes. Nothing of theirs is imported for that, and whatever an exception's own code raises while it is asked costs that detail alone.
"""
import math
import os
import sys
import time
import traceback

SENTENCE_MOST = 600
TRANSPORT_NAMES = {"ConnectionError", "TransportError", "APIConnectionError", "ClientConnectionError", "ServerDisconnectedError", "gaierror", "SSLError"}
MISTAKES = (TypeError, AttributeError, NameError, ImportError, NotImplementedError, AssertionError)  # of the code: another attempt fails, too


class RunnerExit(RuntimeError):
    """The runner called sys.exit, or interrupted itself: inside a turn that ends the turn, not the process."""


_OURS = os.getpid()


def contain(error):
    """SystemExit, KeyboardInterrupt and their like as an ordinary exception. In a process that the runner forked sys.exit means what it says."""
    if not isinstance(error, SystemExit):
        said = "it raised %s" % type(error).__name__
    elif os.getpid() != _OURS:
        sys.stderr.flush()
        os._exit(error.code if isinstance(error.code, int) else error.code is not None)
    else:
        said = "it called sys.exit(%s)" % ("" if error.code is None else error.code)
    return RunnerExit(said).with_traceback(error.__traceback__)


def _ask(holder, name):
    """An attribute, or None: properties of the user's may raise anything."""
    try:
        return getattr(holder, name, None)
    except Exception:
        return None


def one_line(text, most=SENTENCE_MOST):
    text = " ".join(str(text).split())
    return text if len(text) <= most else text[:most].rstrip() + "…"


def message_of(error):
    """What the exception says, without Python's notation where a better text is at hand."""
    body = _ask(error, "body")  # the SDKs of OpenAI, Anthropic, Groq
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict) and isinstance(inner.get("message"), str):
            return one_line(inner["message"])
    problems = _ask(error, "errors")  # pydantic: without the input's value, which may be a key
    if callable(problems) and type(error).__name__ == "ValidationError":
        try:
            return one_line("; ".join("%s: %s" % (".".join(map(str, p["loc"])) or "the whole", p["msg"]) for p in problems()))
        except Exception:
            pass
    if isinstance(error, KeyError) and len(error.args) == 1:
        return one_line("the key %s is not there" % (error.args[0],))
    try:
        return one_line(error)
    except Exception:  # a __str__ of the user's
        return ""


def named(error):
    """'ValueError: no such thing', for the end of a sentence."""
    text = message_of(error).rstrip(".")
    if isinstance(error, RunnerExit):
        return text
    return type(error).__name__ + (": " + text if text else "")


def place_of(error):
    """Where it was raised: the innermost frame outside of Python's own library and installed packages, else the innermost."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = os.path.dirname(os.path.abspath(__file__)) + os.sep
    frames = [f for f in frames if not f.filename.startswith(ours)]
    own = [f for f in frames if "site-packages" not in f.filename and os.path.join("lib", "python") not in f.filename and not f.filename.startswith("<")]
    frame = (own or frames or [None])[-1]
    return "%s line %d" % (os.path.basename(frame.filename), frame.lineno) if frame else ""


def sentence_of(error, what):
    """'MyRunner.run_batch raised ValueError: no such thing (my_module.py line 12).'"""
    if isinstance(error, RunnerExit):
        said = "%s: %s" % (what, error)
    elif type(error).__name__ == "CancelledError":
        said = what + " was cancelled"
    else:
        said = "%s raised %s" % (what, named(error))
    place = place_of(error)
    return said.rstrip(".") + (" (%s)." % place if place else ".")


def _chain(error):
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def status_of(error):
    for e in _chain(error):
        for holder in (e, _ask(e, "response")):
            for name in ("status_code", "status"):
                status = _ask(holder, name)
                if type(status) is int and 300 <= status <= 599:
                    return status
    return None


def retry_after_ms(error):
    """What the reply's headers say; None when they say nothing."""
    for e in _chain(error):
        headers = _ask(_ask(e, "response"), "headers")
        if headers is None:
            continue
        try:
            for name, unit in (("retry-after-ms", 1), ("retry-after", 1000)):
                value = headers.get(name)
                if value is not None:
                    return max(0.0, _wait(str(value)) * unit)
        except Exception:
            pass
    return None


def _wait(text):
    """Seconds, or a date of HTTP."""
    try:
        wait = float(text)
    except ValueError:
        from email.utils import parsedate_to_datetime  # slow to import, and rarely needed

        wait = parsedate_to_datetime(text).timestamp() - time.time()
    if not math.isfinite(wait):
        raise ValueError
    return wait


def _outcome(error, status):
    if status == 429:
        return "rate_limited"
    if status:
        return "http_5xx" if status >= 500 else "http_4xx"
    for e in _chain(error):
        names = {c.__name__ for c in type(e).__mro__}
        if any("Timeout" in n for n in names):
            return "timeout"
        if names & TRANSPORT_NAMES:
            return "transport"
    return "http_5xx"


def failure(error, what):
    """Members of a reply (or of a dataset_end)."""
    status = status_of(error)
    reply = {"error": sentence_of(error, what), "outcome": _outcome(error, status)}
    if status:
        reply["http_status"] = status
        wait = retry_after_ms(error)
        if wait is not None and (status == 429 or status >= 500):
            reply["retry_after_ms"] = wait
    elif isinstance(error, MISTAKES):
        reply["retryable"] = False
    return reply


def log_traceback(error):
    try:
        traceback.print_exception(type(error), error, error.__traceback__)
    except OSError:  # the runner closed standard error
        pass
