"""hello and welcome, the event loop, and which message goes where."""
import asyncio
import faulthandler
import json
import os
import signal
import sys
import threading
import time

from . import loading, standins
from .channel import Channel
from .datasets import Datasets
from .turns import batch_turns, model_turns

PROTOCOL = 1
CONCURRENCY_MOST = 100000
LAG_S = 1.0  # for how long the loop may stand still before it is worth a word
END_S = 1.0  # for tasks that were cancelled at the end
GONE_S = 5.0  # for the whole end, after fairforge has gone
BATCHES = ("each", "whole", "parallel")


def main(argv):
    channel = Channel()
    line = channel.first_line()
    if line is None:
        return 0
    # Where it hung, or crashed, is in the log: fairforge ends a process that hangs by SIGTERM.
    faulthandler.enable()
    faulthandler.register(signal.SIGTERM, chain=True)
    threading.Thread(target=_outlive_nobody, args=(channel,), name="fairforge", daemon=True).start()
    del sys.argv[1:]
    hello = json.loads(line)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        served, name = _make(loop, channel, argv, hello.get("args") or {}, _typed(line))
    except loading.Refusal as e:
        sys.stderr.flush()
        channel.send({"type": "welcome", "protocol": PROTOCOL, "error": loading.one_line(e, 2000)})
        return 0
    concurrency = max(1, min(int(hello.get("concurrency") or 1), CONCURRENCY_MOST))
    channel.send({"type": "welcome", "protocol": PROTOCOL, "name": name, "concurrency": concurrency, "ordered": served.ordered,
                  "cancel": True, "unit": served.unit})
    return _serve(loop, channel, served)


def _typed(line):
    """The arguments with numbers as they were typed."""
    return json.loads(line, parse_int=loading.Typed, parse_float=loading.Typed).get("args") or {}


# ---- what is served ----


def _make(loop, channel, argv, args, typed):
    if len(argv) == 2 and argv[0] == "llm":
        return _make_model(loop, channel, argv[1], args, typed)
    if len(argv) in (2, 4) and argv[0] == "runner" and argv[2:3] in ([], ["--batches"]):
        return _make_runner(loop, channel, argv[1], argv[3] if len(argv) == 4 else BATCHES[0], args, typed)
    raise loading.Refusal("The adapter is started as: runner MODULE:CLASS [--batches each|whole|parallel], or: llm CLASS_PATH.")


def _made(loop, cls, args, typed, flag):
    """In the running loop, where the user's own program would make it: clients may look for the loop."""

    async def make():
        return loading.construct(cls, loading.as_typed(cls, args, typed), flag)

    return loop.run_until_complete(make())


def _make_runner(loop, channel, spec, batches, args, typed):
    if batches not in BATCHES:
        raise loading.Refusal("--batches must be each, whole or parallel, not %s." % batches)
    standins.offer()
    module, path = loading.split_spec(spec)
    cls = loading.find(loading.load_module(module), path)
    schemas = loading.load_module("fair_forge.schemas")
    name = path.rpartition(".")[2]
    runner = _made(loop, cls, args, typed, "--runner-arg")
    needed = "run_batch" if batches == "parallel" else "run_dataset"
    if not callable(getattr(runner, needed, None)):
        raise loading.Refusal("%s is no runner: it has no method %s." % (spec, needed))
    if batches == "parallel":
        return batch_turns(channel, runner, name, schemas), name
    return Datasets(channel, runner, name, schemas, batches == "whole"), name


def _make_model(loop, channel, path, args, typed):
    module, name = loading.split_class_path(path)
    cls = loading.find(loading.load_module(module), name)
    model = _made(loop, cls, args, typed, "--param")
    if not callable(getattr(model, "ainvoke", None)):
        raise loading.Refusal("%s is no LangChain model: it has no method ainvoke." % path)
    return model_turns(channel, model, name), name


# ---- the loop ----


def _serve(loop, channel, served):
    over = False

    def end():
        nonlocal over
        over = True
        channel.stop_reading()
        loop.stop()

    def take(line):
        message = json.loads(line)
        if message.get("type") == "bye":
            end()
        else:
            served.take(message.get("type"), message)

    channel.open(loop, take, end)
    _watch(loop)
    while not over:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as e:
            # asyncio lets these two out of the loop also when a task that awaits the one that raised has dealt with them.
            print("A task of the runner's ended with %s; the worker goes on." % type(e).__name__, file=sys.stderr)
    return _finish(loop, channel)


def _watch(loop):
    """Says once that code of the user's keeps the loop, and with it all other sessions, from going on."""
    due = loop.time() + LAG_S

    def look():
        nonlocal due
        late = loop.time() - due
        if late > LAG_S:
            print("The runner's code kept the event loop for %.1f s: meanwhile no other session went on. A call that blocks belongs in "
                  "asyncio.to_thread." % (late + LAG_S), file=sys.stderr)
            return
        due = loop.time() + LAG_S
        loop.call_later(LAG_S, look)

    loop.call_later(LAG_S, look)


def _outlive_nobody(channel):
    """fairforge ends a worker that hangs; when fairforge itself was killed, nobody does. Code that blocks never sees the end of the input: this thread does."""
    channel.wait_for_end()
    time.sleep(GONE_S)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _finish(loop, channel):
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=END_S))
        loop.run_until_complete(loop.shutdown_asyncgens())
    except (SystemExit, KeyboardInterrupt):
        pass
    channel.close()
    if any(not t.done() for t in tasks):  # a task that does not end would keep the process, too
        sys.stderr.flush()
        os._exit(0)
    return 0
