"""From MODULE:CLASS and arguments to an object, or to one sentence that says what is wrong.

Arguments come as JSON values of what was typed: `port=8080` is a number. Where the constructor's own annotation asks for text, the text as typed counts,
so that a key of digits stays what it is.
"""
import importlib
import inspect
import os
import re
import sys

from .failure import contain, log_traceback, message_of, named, one_line, place_of
from .results import a

KEY_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*_(?:KEY|TOKEN)\b")


class Refusal(Exception):
    """Nothing can be run: one full sentence."""


class Typed(str):
    """A number's text as it was typed."""


def _python():
    return sys.executable or "this Python"


# ---- module ----


def load_module(name):
    try:
        return importlib.import_module(name)
    except BaseException as e:  # whatever the user's module does, sys.exit too, is a sentence
        raise Refusal(_import_problem(name, contain(e) if not isinstance(e, Exception) else e)) from e


def _import_problem(name, error):
    if isinstance(error, ModuleNotFoundError) and error.name and (error.name == name or name.startswith(error.name + ".")):
        return "There is no module %s: neither in %s nor among the packages of %s." % (error.name, os.getcwd(), _python())
    if isinstance(error, ModuleNotFoundError) and error.name and not place_of(error):
        return "The module %s needs the module %s, which %s does not have." % (name, error.name, _python())
    log_traceback(error)
    if isinstance(error, ModuleNotFoundError) and error.name and "needs the package" not in str(error):
        return "The module %s needs the module %s, which %s does not have (%s)." % (name, error.name, _python(), place_of(error))
    if isinstance(error, SyntaxError):
        place = "%s line %s" % (os.path.basename(error.filename or name), error.lineno)
        return "The module %s cannot be imported: %s is not valid Python: %s." % (name, place, error.msg)
    return "The module %s cannot be imported: %s (%s)." % (name, named(error), place_of(error) or "no line")


# ---- class ----


def split_spec(spec):
    """'my_module:MyRunner' → module, attribute path."""
    module, colon, path = spec.partition(":")
    if "/" in module or "\\" in module or module.endswith(".py"):
        name = re.sub(r"\.py$", "", re.split(r"[/\\]", module)[-1])
        raise Refusal("A runner is named MODULE:CLASS, as Python imports it: %s:%s from its folder, not %s." % (name, path or "CLASS", spec))
    if not colon or not module or not path:
        raise Refusal("A runner is named MODULE:CLASS, like my_module:MyCustomRunner, not \"%s\"." % one_line(spec, 200))
    return module, path


def split_class_path(path):
    """'langchain_openai.ChatOpenAI' → module, class."""
    module, _, name = path.replace(":", ".").rpartition(".")
    if not module or not name:
        raise Refusal("A class path is MODULE.CLASS, like langchain_anthropic.ChatAnthropic, not \"%s\"." % one_line(path, 200))
    return module, name


def find(module, path):
    found, so_far = module, module.__name__
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise Refusal(_missing(found, so_far, name)) from None
        except Exception as e:  # a module's __getattr__ that imports: LangChain's do
            raise Refusal(_import_problem(module.__name__, e)) from e
        so_far += "." + name
    if not callable(found):
        raise Refusal("%s is %s, not a class." % (so_far, a(found)))
    return found


def _missing(holder, name, wanted):
    import difflib

    there = [n for n in vars(holder) if not n.startswith("_")] if hasattr(holder, "__dict__") else []
    near = difflib.get_close_matches(wanted, there, 1)
    return "%s has no %s%s." % (name, wanted, "; did you mean %s" % near[0] if near else "")


# ---- arguments ----


def as_typed(cls, args, typed):
    """Numbers back to their text for parameters whose annotation takes text and no number."""
    annotations = _annotations(cls)
    return {name: _text_of(value, typed.get(name)) if _wants_text(annotations.get(name)) else value for name, value in args.items()}


def _text_of(value, typed):
    if isinstance(typed, Typed):
        return str.__str__(typed)
    if value is True or value is False:
        return "true" if value else "false"
    return value


def _annotations(cls):
    fields = getattr(cls, "model_fields", None)
    if isinstance(fields, dict):  # pydantic: fields and their other names
        found = {}
        for name, field in fields.items():
            for key in (name, getattr(field, "alias", None)):
                if isinstance(key, str):
                    found[key] = getattr(field, "annotation", None)
        return found
    try:
        return {p.name: p.annotation for p in inspect.signature(cls).parameters.values()}
    except (TypeError, ValueError):
        return {}


def _names(annotation):
    """The types an annotation names, as words."""
    if isinstance(annotation, str):
        return set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", annotation))
    parts = getattr(annotation, "__args__", None)
    if parts:
        return set().union(*map(_names, parts))
    return {getattr(annotation, "__name__", str(annotation))}


def _wants_text(annotation):
    names = _names(annotation) - {"Optional", "Union", "typing", "None", "NoneType", "pydantic"}
    return bool(names) and names <= {"str", "SecretStr"}


# ---- object ----


def construct(cls, args, flag):
    """cls(**args). `flag` is how the user gives arguments, for the sentences."""
    name = getattr(cls, "__qualname__", repr(cls))
    if not hasattr(cls, "model_fields"):
        _check_arguments(cls, name, args, flag)
    try:
        made = cls(**args)
    except BaseException as e:
        error = e if isinstance(e, Exception) else contain(e)
        log_traceback(e)
        raise Refusal(_refused(name, error, flag)) from e
    if inspect.isawaitable(made):
        getattr(made, "close", lambda: None)()
        raise Refusal("%s is asynchronous: a runner is made by a plain call." % name)
    return made


def _check_arguments(cls, name, args, flag):
    try:
        signature = inspect.signature(cls)
    except (TypeError, ValueError):
        return
    parameters = [p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    anything = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    known = [p.name for p in parameters]
    extra = [a for a in args if a not in known]
    missing = [p.name for p in parameters if p.default is p.empty and p.name not in args]
    if extra and not anything:
        takes = "it takes " + ", ".join(known) if known else "it takes none"
        raise Refusal("%s takes no argument %s: %s." % (name, ", ".join(map(one_line, extra)), takes))
    if missing:
        raise Refusal("%s needs the argument%s %s: give %s." % (
            name, "s" if len(missing) > 1 else "", ", ".join(missing), " ".join("%s %s=…" % (flag, m) for m in missing)))


def _refused(name, error, flag):
    text = message_of(error)
    if isinstance(error, TypeError) and "abstract" in text:
        return "%s cannot be used: %s." % (name, text[0].lower() + text[1:].rstrip("."))
    hint = ""
    variable = KEY_VARIABLE.search(text)
    if variable:
        hint = " A worker sees %s only with --worker-env %s; or give it as %s NAME=env:%s." % ((variable.group(0),) * 2 + (flag, variable.group(0)))
    return "%s could not be made from its arguments: %s.%s" % (name, named(error), hint)
