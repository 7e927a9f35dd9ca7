"""Whole sessions: run_dataset of a runner, many at once, with every finished batch reported as soon as run_batch returns it.

run_batch of the object is wrapped. Which batch a call is about is known by the object's identity, or by its qa_id when the runner made a copy. What
run_batch returned counts:

  a success is reported at once;
  a failure (also an exception) is held until the task that saw it goes on to another batch, or ends: a runner may try the same batch again;
  a batch that run_batch did not get, or returned in another shape, is taken from what run_dataset returns.

With `whole` nothing is reported before run_dataset has returned, and what it returned counts.
"""
import asyncio
import contextvars
import inspect
import sys
import time

from .failure import contain, failure, log_traceback
from .results import ERROR_PREFIX, Shape, a, reply_of, split_triple, wrong_shape
from .turns import copied_fields, send_reply

CURRENT = contextvars.ContextVar("fairforge_session", default=None)
WAITING, HELD, SENT = range(3)


class Datasets:
    """Messages `dataset` and `cancel`."""

    unit = "dataset"
    ordered = True  # a time limit of a turn starts when the turn before it ended

    def __init__(self, channel, runner, name, schemas, whole):
        self.channel, self.runner, self.name, self.schemas, self.whole = channel, runner, name, schemas, whole
        self.places = {}  # id(batch object) → session, index
        self._sessions = {}
        self._told_changed = False
        self._wrap()

    def _wrap(self):
        original = getattr(self.runner, "run_batch", None)
        if not callable(original):
            return

        async def run_batch(*args, **kwargs):
            return await self._observe(original, args, kwargs)

        def run_batch_plainly(*args, **kwargs):
            return self._observe_plainly(original, args, kwargs)

        wrapper = run_batch if inspect.iscoroutinefunction(original) else run_batch_plainly
        try:
            object.__setattr__(self.runner, "run_batch", wrapper)
        except AttributeError:  # __slots__
            type(self.runner).run_batch = lambda runner, *args, **kwargs: wrapper(*args, **kwargs)

    # ---- run_batch ----

    def _place(self, args, kwargs):
        batch = args[0] if args else kwargs.get("batch")
        found = self.places.get(id(batch))
        session = CURRENT.get()
        return found if found or session is None else session.place_of_copy(batch)

    async def _observe(self, original, args, kwargs):
        session, index = self._place(args, kwargs) or (None, 0)
        self.channel.flush()
        if session:
            session.begins(index)
        start = time.perf_counter()
        try:
            result = await original(*args, **kwargs)
        except asyncio.CancelledError:
            raise
        except BaseException as e:
            error = e if isinstance(e, Exception) else contain(e)
            if session:
                session.raised(index, error, (time.perf_counter() - start) * 1000)
            if error is not e:
                raise error from e
            raise
        if session:
            session.returned(index, result, (time.perf_counter() - start) * 1000)
        return result

    def _observe_plainly(self, original, args, kwargs):
        """A run_batch that is no coroutine function: it may return an awaitable, or, called so by its own run_dataset, the result itself."""

        async def wait(awaitable):
            return await awaitable

        session, index = self._place(args, kwargs) or (None, 0)
        start = time.perf_counter()
        result = original(*args, **kwargs)
        if inspect.isawaitable(result):
            return self._observe(lambda *_, **__: wait(result), args, kwargs)
        if session:
            session.begins(index)
            session.returned(index, result, (time.perf_counter() - start) * 1000)
            self.channel.flush()
        return result

    # ---- messages ----

    def take(self, kind, message):
        if kind == "dataset":
            session = Session(self, message)
            self._sessions[message["dataset"]] = session
            session.task = asyncio.get_running_loop().create_task(session.run())
            session.task.add_done_callback(lambda _: self._over(session))
        elif kind == "cancel" and message.get("dataset") in self._sessions:
            self._sessions[message["dataset"]].task.cancel()

    def _over(self, session):
        """In every case, also of a task that was cancelled before it began: the end is said."""
        del self._sessions[session.number]
        session.forget()
        if not session.ended:
            session.end({"error": "The session was cancelled.", "outcome": "timeout"})

    def tell_changed(self, qa_id):
        if not self._told_changed:
            self._told_changed = True
            print("%s.run_dataset changed batch %s after run_batch had returned it: what run_batch returned counts "
                  "(--batches whole takes what run_dataset returns)." % (self.name, qa_id), file=sys.stderr)


class Turn:
    """One batch of a session. state WAITING: nothing known; HELD: result, or error, may yet change; SENT: the reply is out."""

    __slots__ = ("id", "message", "batch", "state", "result", "error", "shape", "ms", "task", "reported")

    def __init__(self, message, batch):
        self.id, self.message, self.batch = message["id"], message, batch
        self.state = WAITING
        self.result = self.error = self.shape = self.ms = self.task = self.reported = None


class Session:
    def __init__(self, owner, message):
        self.owner, self.message, self.number = owner, message, message["dataset"]
        self.turns, self.dataset, self.task = [], None, None
        self.held = 0
        self.ended = False
        self.originals = {}

    # ---- life ----

    async def run(self):
        CURRENT.set(self)
        try:
            dataset = self._prepare()
            result = self.owner.runner.run_dataset(dataset)
            if inspect.isawaitable(result):
                result = await result
            failed = self._conclude(result)
        except asyncio.CancelledError as e:
            failed = failure(e, self.owner.name + ".run_dataset")
        except BaseException as e:
            error = e if isinstance(e, Exception) else contain(e)
            if not any(t.error is error for t in self.turns):  # else it is in the log already
                log_traceback(error)
            failed = failure(error, self.owner.name + ".run_dataset")
        for turn in self.turns:
            self._give_up(turn)
        self.end(failed)

    def _prepare(self):
        message = self.message
        for batch in message["conversation"]:
            self.originals[batch["id"]] = copied_fields(batch)
        self.dataset = self.owner.schemas.Dataset.model_validate(message)
        for batch, made in zip(message["conversation"], self.dataset.conversation):
            turn = Turn(batch, made)
            self.owner.places[id(made)] = (self, len(self.turns))
            self.turns.append(turn)
        return self.dataset

    def forget(self):
        for turn in self.turns:
            self.owner.places.pop(id(turn.batch), None)

    def end(self, failed):
        self.ended = True
        message = {"type": "dataset_end", "dataset": self.number}
        if failed and not (self.turns and all(t.state == SENT for t in self.turns)):
            message.update(failed)
        self.owner.channel.send(message)

    # ---- run_batch, by its wrapper ----

    def place_of_copy(self, batch):
        """A copy that the runner made: the waiting batch of the same qa_id, when there is one only."""
        qa_id = getattr(batch, "qa_id", None)
        found = [i for i, t in enumerate(self.turns) if t.message["qa_id"] == qa_id and t.state != SENT]
        return (self, found[0]) if len(found) == 1 else None

    def begins(self, index):
        """The task goes on to this batch: what it saw of others is final."""
        if self.held and not self.owner.whole:
            task = _task()
            for turn in self.turns:
                if turn.state == HELD and turn.task is task and turn is not self.turns[index]:
                    self._settle(turn)

    def returned(self, index, result, ms):
        turn = self.turns[index]
        if turn.state == SENT:
            return
        turn.error = turn.shape = turn.result = None
        try:
            batch, success, own_ms = split_triple(result)
        except Shape as e:
            turn.shape = e
            self._hold(turn, ms)
            return
        turn.result = (batch, success)
        turn.ms = ms if own_ms is None else own_ms
        if success and not self.owner.whole:
            self._report(turn, batch, success)
        else:
            self._hold(turn, turn.ms)

    def raised(self, index, error, ms):
        turn = self.turns[index]
        log_traceback(error)
        if turn.state != SENT:
            turn.result = turn.shape = None
            turn.error = error
            self._hold(turn, ms)

    def _hold(self, turn, ms):
        if turn.state != HELD:
            self.held += 1
        turn.state, turn.ms, turn.task = HELD, ms, _task()
        # A task of the session's own ends with it; one that the runner made for this batch ends earlier.
        if turn.task is not None and turn.task is not self.task and not self.owner.whole:
            turn.task.add_done_callback(lambda task: turn.task is task and self._settle(turn))

    def _settle(self, turn):
        """A held failure is final. A shape that is none of ours is not: run_dataset may understand it."""
        if turn.state != HELD or turn.shape:
            return
        if turn.error is not None:
            self._send(turn, {**failure(turn.error, self.owner.name + ".run_batch"), "elapsed_ms": turn.ms})
        else:
            self._report(turn, *turn.result)

    # ---- run_dataset ----

    def _conclude(self, result):
        """Everything that is not reported yet, from what run_dataset returned. Members of the dataset_end."""
        what = self.owner.name + ".run_dataset"
        if not isinstance(result, tuple) or len(result) != 2:
            returned = a(result) if not isinstance(result, tuple) else "a tuple of %d" % len(result)
            return wrong_shape(what, "%s, not (dataset, summary)" % returned)
        updated, summary = result
        conversation = getattr(updated, "conversation", None)
        if not isinstance(conversation, (list, tuple)):
            return wrong_shape(what, "%s in place of the updated dataset" % a(updated))
        called = any(t.state != WAITING for t in self.turns)
        for index, turn in enumerate(self.turns):
            final = self._final(conversation, index)
            if turn.state == SENT:
                if final is not None and final is not turn.reported and _text(final) != _text(turn.reported):
                    self.owner.tell_changed(turn.message["qa_id"])
            elif final is None and turn.state == HELD and not (self.owner.whole and turn.result):
                self._give_up(turn)
            elif final is None:
                self._send(turn, {"error": "%s returned a conversation of %d for one of %d: this batch is not in it." % (
                    what, len(conversation), len(self.turns)), "outcome": "bad_reply"})
            else:
                self._from_dataset(turn, final, summary, called)
        return None

    def _final(self, conversation, index):
        """The batch of the returned conversation that is this one: in its place, else by its qa_id."""
        qa_id = self.turns[index].message["qa_id"]
        if index < len(conversation) and (getattr(conversation[index], "qa_id", None) == qa_id):
            return conversation[index]
        found = [b for b in conversation if getattr(b, "qa_id", None) == qa_id]
        if len(found) == 1:
            return found[0]
        return conversation[index] if len(conversation) == len(self.turns) else None

    def _from_dataset(self, turn, final, summary, called):
        if not hasattr(final, "assistant") and turn.state == HELD:
            self._give_up(turn)
        elif not hasattr(final, "assistant"):
            self._send(turn, wrong_shape(self.owner.name + ".run_dataset", "%s in place of a batch" % a(final)))
        elif turn.result is not None:  # run_batch said whether and how long
            batch, success = turn.result
            self._report(turn, final, success and (_text(final) == _text(batch) or not _is_error(final)))
        elif final == self.untouched(turn) and (called or not _all_succeeded(summary)):
            if turn.state == HELD:
                self._give_up(turn)
            else:
                self._send(turn, {"error": "%s.run_dataset returned without having run this batch." % self.owner.name, "outcome": "bad_reply"})
        else:
            turn.ms = turn.ms if turn.ms is not None else _average(summary)
            self._report(turn, final, not _is_error(final))

    def _give_up(self, turn):
        """What is held is all that will be known."""
        if turn.state == HELD and turn.shape:
            self._send(turn, {**wrong_shape(self.owner.name + ".run_batch", turn.shape), "elapsed_ms": turn.ms})
        else:
            self._settle(turn)

    def untouched(self, turn):
        """The batch as it came, whatever the runner did to the object."""
        return self.owner.schemas.Batch.model_validate({**turn.message, **self.originals[turn.id]})

    # ---- replies ----

    def _report(self, turn, batch, success):
        turn.reported = batch
        try:
            reply = reply_of({**turn.message, **self.originals[turn.id]}, batch, success, turn.ms)
        except Shape as e:
            reply = wrong_shape("%s.%s" % (self.owner.name, "run_dataset" if turn.result is None else "run_batch"), e)
        if turn.error is not None and "error" in reply:  # run_dataset found words for an exception of run_batch: the kind is the exception's
            reply = {**failure(turn.error, ""), **reply}
        self._send(turn, reply)

    def _send(self, turn, reply):
        if turn.state == SENT:
            return
        if turn.state == HELD:
            self.held -= 1
        turn.state = SENT
        reply["id"] = turn.id
        if reply.get("elapsed_ms", 0) is None:
            del reply["elapsed_ms"]
        send_reply(self.owner.channel, reply, self.owner.name)


def _task():
    try:
        return asyncio.current_task()
    except RuntimeError:  # a thread of the runner's, without a loop
        return None


def _text(batch):
    return getattr(batch, "assistant", None)


def _is_error(batch):
    return isinstance(batch.assistant, str) and batch.assistant.startswith(ERROR_PREFIX)


def _all_succeeded(summary):
    return isinstance(summary, dict) and "successes" in summary and summary["successes"] == summary.get("total_batches")


def _average(summary):
    average = summary.get("avg_batch_time_ms") if isinstance(summary, dict) else None
    known = isinstance(average, (int, float)) and not isinstance(average, bool) and 0 <= average < float("inf")
    return float(average) if known else None
