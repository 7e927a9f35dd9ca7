"""Stand-ins for the models of fair_forge.schemas: Dataset, Batch and those beside them, without pydantic.

What a runner does with them works as with the real ones (pydantic 2.14, lax mode, observed field by field): making and validating, attributes, model_copy,
model_dump and their JSON forms, equality, repr, copying. Fields stand in the order of the real model_dump. A subclass with fields of its own needs
the real package.
"""
import copy
import json
import re
from abc import ABC, abstractmethod
from enum import Enum

REQUIRED = object()
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z")
INFINITE = re.compile(r"[+-]?(?:inf|infinity|nan)\Z", re.IGNORECASE)


class ValidationError(ValueError):
    """Every problem of one value; errors() lists them as pydantic's does."""

    def __init__(self, title, problems):
        self.title, self._problems = title, problems
        lines = ["%d validation error%s for %s" % (len(problems), "s"[:len(problems) != 1], title)]
        for loc, kind, message, value in problems:
            if loc:
                lines.append(".".join(map(str, loc)))
            shown = repr(value)
            if len(shown) > 50:
                shown = shown[:25] + "..." + shown[-24:]
            lines.append("  %s [type=%s, input_value=%s, input_type=%s]" % (message, kind, shown, type(value).__name__))
        super().__init__("\n".join(lines))

    def errors(self, **_):
        return [{"type": kind, "loc": loc, "msg": message, "input": value} for loc, kind, message, value in self._problems]

    def error_count(self):
        return len(self._problems)


class _Wrong(Exception):
    """One value is wrong: kind, message."""


# ---- what a field takes: each returns the value to keep ----


def text(value):
    if type(value) is str:
        return value
    if isinstance(value, str):
        return str(value.value) if isinstance(value, Enum) else str.__str__(value)
    if isinstance(value, (bytes, bytearray)):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError:
            raise _Wrong("string_unicode", "Input should be a valid string, unable to parse raw data as a unicode string") from None
    raise _Wrong("string_type", "Input should be a valid string")


def _number_from_text(value):
    plain = value.strip("\t\n\v\f\r\x20\x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000") \
        if "_" not in value else value
    if "_" in plain and not (plain.startswith("_") or plain.endswith("_") or "__" in plain):
        plain = plain.replace("_", "")
    if not (NUMBER.match(plain) or INFINITE.match(plain)):
        raise _Wrong("float_parsing", "Input should be a valid number, unable to parse string as a number")
    return float(plain)


def number(value):
    if isinstance(value, (str, bytes, bytearray)):
        return _number_from_text(text(value))
    if not hasattr(type(value), "__float__") and not hasattr(type(value), "__index__"):
        raise _Wrong("float_type", "Input should be a valid number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise _Wrong("float_type", "Input should be a valid number") from None


def weight(value):
    found = number(value)
    if not found >= 0:
        raise _Wrong("greater_than_equal", "Input should be greater than or equal to 0")
    return found


def mapping(value):
    if isinstance(value, dict):
        return dict(value)
    if hasattr(type(value), "keys") and hasattr(type(value), "__getitem__"):
        return {k: value[k] for k in value.keys()}
    raise _Wrong("dict_type", "Input should be a valid dictionary")


def optional(take):
    return lambda value: None if value is None else take(value)


def list_of(take):
    def take_list(value):
        if isinstance(value, (str, bytes, bytearray, dict)) or not hasattr(type(value), "__iter__") or isinstance(value, BaseModel):
            raise _Wrong("list_type", "Input should be a valid list")
        kept, problems = [], []
        for index, item in enumerate(value):
            try:
                kept.append(take(item))
            except _Wrong as e:
                problems.append(((index,), *e.args, item))
            except ValidationError as e:
                problems += [((index, *loc), *rest) for loc, *rest in e._problems]
        if problems:
            raise ValidationError("", problems)
        return kept

    return take_list


def model(name):
    return lambda value: _models[name].model_validate(value)


_models = {}


class BaseModel:
    """A class names its fields in _fields: name → (what it takes, default or REQUIRED)."""

    __slots__ = ("_given", "__dict__")
    _fields = {}

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        if _sealed and cls.__dict__.get("__annotations__"):
            raise TypeError("fields added to %s need the package alquimia-fair-forge (pip install alquimia-fair-forge)" % cls.__mro__[1].__name__)
        _models.setdefault(cls.__name__, cls)

    def __init__(self, /, **data):
        self._fill(data)

    def _fill(self, data):
        values, problems = {}, []
        given = set()
        for name, (take, default) in self._fields.items():
            if name not in data:
                if default is REQUIRED:
                    problems.append(((name,), "missing", "Field required", data))
                values[name] = {} if default == {} else default
                continue
            given.add(name)
            try:
                values[name] = take(data[name])
            except _Wrong as e:
                problems.append(((name,), *e.args, data[name]))
            except ValidationError as e:
                problems += [((name, *loc), *rest) for loc, *rest in e._problems]
        if problems:
            raise ValidationError(type(self).__name__, problems)
        self.__dict__.update(values)
        self._given = given

    def __setattr__(self, name, value):
        if name == "_given":
            return object.__setattr__(self, name, value)
        if name not in self._fields:
            raise ValueError('"%s" object has no field "%s"' % (type(self).__name__, name))
        self.__dict__[name] = value
        return self._given.add(name)

    # ---- making ----

    @classmethod
    def model_validate(cls, value, **_):
        if isinstance(value, cls):
            return value
        if not isinstance(value, dict):
            message = "Input should be a valid dictionary or instance of %s" % cls.__name__
            raise ValidationError(cls.__name__, [((), "model_type", message, value)])
        made = cls.__new__(cls)
        made._fill(value)
        return made

    @classmethod
    def model_validate_json(cls, document, **_):
        try:
            return cls.model_validate(json.loads(document))
        except json.JSONDecodeError as e:
            raise ValidationError(cls.__name__, [((), "json_invalid", "Invalid JSON: %s" % e, document)]) from None

    @classmethod
    def model_construct(cls, _fields_set=None, **values):
        made = cls.__new__(cls)
        for name, (_, default) in cls._fields.items():
            if name in values:
                made.__dict__[name] = values[name]
            elif default is not REQUIRED:
                made.__dict__[name] = {} if default == {} else default
        made._given = set(values) & set(cls._fields) if _fields_set is None else set(_fields_set)
        return made

    def model_copy(self, *, update=None, deep=False):
        made = copy.deepcopy(self) if deep else copy.copy(self)
        if update:
            made.__dict__.update(update)
            made._given.update(update)
        return made

    def copy(self, *, update=None, deep=False):
        return self.model_copy(update=update, deep=deep)

    def __copy__(self):
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__)
        made._given = set(self._given)
        return made

    # ---- looking ----

    @property
    def model_fields_set(self):
        return set(self._given)

    def model_dump(self, *, mode="python", include=None, exclude=None, exclude_unset=False, exclude_defaults=False, exclude_none=False, **_):
        found = {}
        for name, (_, default) in self._fields.items():
            value = self.__dict__.get(name, REQUIRED)
            if value is REQUIRED or (include is not None and name not in include) or (exclude is not None and name in exclude):
                continue
            if (exclude_none and value is None) or (exclude_unset and name not in self._given) or (exclude_defaults and value == default):
                continue
            found[name] = _dump(value, mode, exclude_unset, exclude_defaults, exclude_none)
        return found

    def model_dump_json(self, *, indent=None, **how):
        separators = (",", ":") if indent is None else (",", ": ")
        return json.dumps(self.model_dump(mode="json", **how), ensure_ascii=False, indent=indent, separators=separators)

    def dict(self, **how):
        return self.model_dump(**how)

    def json(self, **how):
        return self.model_dump_json(**how)

    def _shown(self):
        return ["%s=%r" % (name, self.__dict__[name]) for name in self._fields if name in self.__dict__]

    def __repr__(self):
        return "%s(%s)" % (type(self).__name__, ", ".join(self._shown()))

    def __str__(self):
        return " ".join(self._shown())

    def __iter__(self):
        return ((name, self.__dict__[name]) for name in self._fields if name in self.__dict__)

    def __eq__(self, other):
        if not isinstance(other, BaseModel):
            return NotImplemented
        mine, theirs = self.__dict__, other.__dict__
        return type(self) is type(other) and all(mine.get(n, REQUIRED) == theirs.get(n, REQUIRED) for n in self._fields)

    __hash__ = None


def _dump(value, mode, *how):
    if isinstance(value, BaseModel):
        return value.model_dump(mode=mode, exclude_unset=how[0], exclude_defaults=how[1], exclude_none=how[2])
    if isinstance(value, (list, tuple)):
        found = [_dump(v, mode, *how) for v in value]
        return found if mode == "json" or isinstance(value, list) else tuple(found)
    if isinstance(value, dict):
        return {k: _dump(v, mode, *how) for k, v in value.items()}
    return value.value if mode == "json" and isinstance(value, Enum) else value


_sealed = False


class Logprobs(BaseModel):
    """The log probabilities of the tokens in the response."""

    _fields = {"tokens": (list_of(text), REQUIRED), "token_logprobs": (list_of(number), REQUIRED)}


class Batch(BaseModel):
    """One test case of a conversation: the query, the answer, the expected answer, and what belongs to them."""

    _fields = {
        "ground_truth_assistant": (text, REQUIRED),
        "logprobs": (optional(mapping), {}),
        "observation": (optional(text), None),
        "assistant": (text, REQUIRED),
        "query": (text, REQUIRED),
        "agentic": (optional(mapping), {}),
        "ground_truth_agentic": (optional(mapping), {}),
        "qa_id": (text, REQUIRED),
        "weight": (optional(weight), None),
    }


class IterationLevel(str, Enum):
    FULL_DATASET = "full_dataset"
    STREAM_SESSIONS = "stream_sessions"
    STREAM_BATCHES = "stream_batches"


class SessionMetadata(BaseModel):
    """A session without its conversation."""

    _fields = {
        "session_id": (text, REQUIRED),
        "assistant_id": (text, REQUIRED),
        "language": (optional(text), "english"),
        "context": (text, REQUIRED),
    }


class StreamedBatch(BaseModel):
    """A batch with the session that it belongs to."""

    _fields = {"metadata": (model("SessionMetadata"), REQUIRED), "batch": (model("Batch"), REQUIRED)}


class Dataset(BaseModel):
    """A session: who talks to whom, in which language and context, and the conversation."""

    _fields = {**SessionMetadata._fields, "conversation": (list_of(model("Batch")), REQUIRED)}


_sealed = True

for _model in (Logprobs, Batch, SessionMetadata, StreamedBatch, Dataset):
    _model.model_fields = _model._fields


class BaseRunner(ABC):
    """Runs batches and datasets against a system."""

    @abstractmethod
    async def run_batch(self, batch, session_id, **kwargs):
        """One batch: (updated batch, success, milliseconds)."""

    @abstractmethod
    async def run_dataset(self, dataset, **kwargs):
        """All batches of a dataset: (updated dataset, summary)."""
