"""What the queries of trouble.py and fake_llm.py raise."""
import asyncio
import sys


class Reply:
    def __init__(self, headers):
        self.headers = headers


class StatusError(Exception):
    """As the SDKs of OpenAI, Anthropic and Groq raise it."""

    def __init__(self, status, headers=None, body=None):
        super().__init__("Error code: %d - %r" % (status, body))
        self.status_code, self.response, self.body = status, Reply(headers or {}), body


class ReadTimeout(Exception):
    pass


class Odd(Exception):
    """Whatever is asked of it raises."""

    def _broken(self):
        raise RuntimeError("no such thing")

    body = response = errors = status_code = property(_broken)


class OddHeaders(Exception):
    def __init__(self):
        super().__init__("busy")
        self.status_code, self.response = 503, Reply(5)


class ValidationError(Exception):
    """Bears the name of pydantic's, and nothing else of it."""

    def errors(self):
        raise RuntimeError("no list")


class Departure(BaseException):
    pass


def wrapped():
    try:
        raise ConnectionRefusedError("nobody there")
    except OSError as e:
        raise RuntimeError("the call failed") from e


def raise_one(error):
    raise error


RAISED = {
    "value": lambda: raise_one(ValueError("bad thing\nin two lines")),
    "key": lambda: {}["answer"],
    "attribute": lambda: None.text,
    "timeout": lambda: raise_one(asyncio.TimeoutError()),
    "read timeout": lambda: raise_one(ReadTimeout("slow")),
    "refused": wrapped,
    "429": lambda: raise_one(StatusError(429, {"retry-after": "1.5"}, {"error": {"message": "Slow down."}})),
    "429 ms": lambda: raise_one(StatusError(429, {"retry-after-ms": "250", "retry-after": "9"})),
    "503": lambda: raise_one(StatusError(503)),
    "401": lambda: raise_one(StatusError(401, None, {"message": "Invalid key."})),
    "exit": lambda: sys.exit(3),
    "interrupt": lambda: raise_one(KeyboardInterrupt()),
    "departure": lambda: raise_one(Departure("left")),
    "odd": lambda: raise_one(Odd("odd one")),
    "odd headers": lambda: raise_one(OddHeaders()),
    "odd errors": lambda: raise_one(ValidationError("no good")),
    "long": lambda: raise_one(ValueError("x" * 5000)),
    "str fails": lambda: raise_one(type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})()),
}
