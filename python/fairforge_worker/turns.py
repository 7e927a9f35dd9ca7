"""Single turns: run_batch of a runner for all of them at once (--batches parallel), or a LangChain model."""
import asyncio
import inspect
import time

from . import llm
from .failure import contain, failure, log_traceback
from .results import Shape, reply_of, split_triple, wrong_shape


class Turns:
    """Messages `turn` and `cancel`. `answer` is a coroutine function: message → members of the reply."""

    unit = "turn"
    ordered = False

    def __init__(self, channel, answer, what):
        self._channel, self._answer, self._what = channel, answer, what
        self._tasks = {}

    def take(self, kind, message):
        if kind == "turn":
            task = asyncio.get_running_loop().create_task(self._turn(message))
            self._tasks[message["id"]] = task
        elif kind == "cancel" and message.get("id") in self._tasks:
            self._cancel(message["id"])

    def _cancel(self, turn):
        task = self._tasks[turn]
        task.cancel()
        # One that had not even begun says nothing itself.
        task.add_done_callback(lambda _: self._tasks.pop(turn, None) and self._channel.send({"id": turn, "error": "The turn was cancelled.", "outcome": "timeout"}))

    async def _turn(self, message):
        self._channel.flush()
        start = time.perf_counter()
        try:
            reply = await self._answer(message)
        except asyncio.CancelledError as e:
            reply = failure(e, self._what)
        except BaseException as e:
            log_traceback(e)
            reply = failure(e if isinstance(e, Exception) else contain(e), self._what)
        reply.setdefault("elapsed_ms", (time.perf_counter() - start) * 1000)
        self._tasks.pop(message["id"], None)
        reply["id"] = message["id"]
        send_reply(self._channel, reply, self._what)


def send_reply(channel, reply, what):
    """One that is no JSON, or longer than a line may be, becomes a failure that says so."""
    try:
        channel.send(reply)
    except OverflowError:
        channel.send({"id": reply["id"], **wrong_shape(what, "more than the 64 MiB that a reply may have")})
    except (ValueError, TypeError) as e:
        channel.send({"id": reply["id"], **wrong_shape(what, "what cannot be written as JSON: %s" % e)})


def model_turns(channel, model, name):
    """Turns of a LangChain model."""

    async def answer(message):
        start = time.perf_counter()
        response = await model.ainvoke(message["prompt"])
        return llm.reply_of(response, (time.perf_counter() - start) * 1000)

    return Turns(channel, answer, name + ".ainvoke")


def batch_turns(channel, runner, name, schemas):
    """Turns of a runner's run_batch, which gets the context when it has a parameter of that name."""
    what = name + ".run_batch"
    try:
        context = "context" in inspect.signature(runner.run_batch).parameters
    except (TypeError, ValueError):
        context = False

    async def answer(message):
        batch = schemas.Batch.model_validate(message)
        original = {k: message[k] for k in ("observation", "query", "qa_id", "ground_truth_assistant")}
        original.update(copied_fields(message))
        result = runner.run_batch(batch, message["session_id"], **({"context": message["context"]} if context else {}))
        if inspect.isawaitable(result):
            result = await result
        try:
            return reply_of(original, *split_triple(result))
        except Shape as e:
            return wrong_shape(what, e)

    return Turns(channel, answer, what)


def copied_fields(batch):
    """The opaque fields of a batch in a message, safe from a runner that changes them in place, and its weight as the schema has it."""
    copied = {name: copied_json(batch[name]) for name in ("logprobs", "agentic", "ground_truth_agentic")}
    copied["weight"] = None if batch["weight"] is None else float(batch["weight"])
    return copied


def copied_json(value):
    if type(value) is dict:
        return {k: copied_json(v) for k, v in value.items()}
    if type(value) is list:
        return [copied_json(v) for v in value]
    return value
