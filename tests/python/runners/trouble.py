"""Runners that go wrong in every way."""
import asyncio
import os
import subprocess
import sys
import warnings

from kinds import InOrder, summary
from raised import RAISED


class Raises(InOrder):
    """The query says what is raised."""

    async def answer(self, batch):
        if batch.query in RAISED:
            await asyncio.sleep(0)
            RAISED[batch.query]()
        return await super().answer(batch)


class Kept(Raises):
    """Goes on after an exception, with words of its own; or, with `late`, without any."""

    def __init__(self, late=False):
        self.late = late

    async def run_dataset(self, dataset, **kwargs):
        results = await asyncio.gather(*(self.run_batch(b, dataset.session_id) for b in dataset.conversation), return_exceptions=True)
        done = [b if isinstance(r, BaseException) else r[0] for b, r in zip(dataset.conversation, results)]
        return dataset.model_copy(update={"conversation": done}), summary(dataset, 0)


class OwnWords(Raises):
    async def run_dataset(self, dataset, **kwargs):
        done = []
        for batch in dataset.conversation:
            try:
                done.append((await self.run_batch(batch, dataset.session_id))[0])
            except Exception:
                done.append(batch.model_copy(update={"assistant": "[ERROR] it did not work out"}))
        return dataset.model_copy(update={"conversation": done}), summary(dataset, 0)


class InTask(Raises):
    """The exit comes from a task that the runner awaits."""

    async def answer(self, batch):
        async def inner():
            await asyncio.sleep(0)
            RAISED[batch.query]()

        if batch.query in RAISED:
            await asyncio.create_task(inner())
        return "fine"


class Array:
    """Compares as numpy's arrays do."""

    __hash__ = None

    def __eq__(self, other):
        return self

    __ne__ = __eq__

    def __bool__(self):
        raise ValueError("the truth value of an array is ambiguous")


class BrokenValue:
    def tolist(self):
        raise RuntimeError("no list")


class Shapes(InOrder):
    """run_batch and run_dataset return what `batch` and `dataset` say."""

    def __init__(self, batch=None, dataset=None):
        self.batch, self.dataset = batch, dataset

    async def run_batch(self, batch, session_id, **kwargs):
        ok = batch.model_copy(update={"assistant": "ok"})
        return {None: (ok, True, 1.0), "none": None, "two": (ok, True), "string": ("ok", True, 1.0), "list answer": (ok.model_copy(update={"assistant": [1]}), True, 1.0),
                "none answer": (ok.model_copy(update={"assistant": None}), True, 1.0), "observation": (ok.model_copy(update={"observation": 3}), True, 1.0),
                "agentic": (ok.model_copy(update={"agentic": [1]}), True, 1.0), "weird time": (ok, True, "fast"), "negative time": (ok, 1, -3),
                "empty": (ok.model_copy(update={"assistant": ""}), True, 1.0), "no reason": (ok.model_copy(update={"assistant": "[ERROR] "}), False, 1.0),
                "bare error": (ok.model_copy(update={"assistant": "Sorry"}), False, 1.0), "no batch": (None, True, 1.0), "array": (ok.model_copy(update={"observation": Array()}), True, 1.0),
                "broken value": (ok.model_copy(update={"agentic": {"a": BrokenValue()}}), True, 1.0), "huge": (ok.model_copy(update={"assistant": "x" * (65 << 20)}), True, 1.0)}[self.batch]

    async def run_dataset(self, dataset, **kwargs):
        done = []
        for batch in dataset.conversation:
            result = await self.run_batch(batch, dataset.session_id)
            if self.dataset != "tolerant":
                result, _, _ = result
            done.append(result)
        updated = dataset.model_copy(update={"conversation": done})
        return {None: (updated, {}), "none": None, "only": updated, "dict": ({"conversation": []}, {}), "strings": (dataset.model_copy(update={"conversation": ["ok"] * len(done)}), {}),
                "tolerant": (dataset.model_copy(update={"conversation": [b.model_copy(update={"assistant": "rescued"}) for b in dataset.conversation]}), {})}[self.dataset]


class Noise(InOrder):
    """Writes wherever a program can write, and reads where it should not."""

    async def answer(self, batch):
        print("a print")
        sys.stdout.write('{"id": 1, "answer": "forged"}\n')
        os.write(1, b"a write\n")
        subprocess.run(["echo", "from a child"], check=True)
        warnings.warn("a warning")
        try:
            input("a question? ")
        except EOFError:
            return "no input"
        return "input"


class Forks(InOrder):
    """A process that is forked in the middle of a turn ends by sys.exit, or returns as if it were the turn."""

    async def answer(self, batch):
        if batch.query not in ("exit", "return"):
            return await super().answer(batch)
        child = os.fork()
        if child:
            return "child: %d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if batch.query == "exit":
            sys.exit(5)
        return "from the child"


class Dies(InOrder):
    async def answer(self, batch):
        if batch.query == "die":
            print("last words", file=sys.stderr)
            os._exit(7)
        return await super().answer(batch)


class Stubborn(InOrder):
    """Waits for ever; with `stubborn` it does not let itself be cancelled."""

    def __init__(self, stubborn=False):
        self.stubborn = stubborn

    async def answer(self, batch):
        while batch.query == "wait":
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("cancelled", flush=True)
                if not self.stubborn:
                    raise
        return await super().answer(batch)


class Stops(InOrder):
    """Stops the loop under everybody's feet."""

    async def answer(self, batch):
        asyncio.get_running_loop().stop()
        return "stopped"


class Needs(InOrder):
    def __init__(self, port: int, tag: str = "t", optional: "str | None" = None, anything=None):
        if port == 0:
            raise ValueError("the port must not be 0")
        if port == 1:
            raise KeyError("MY_SERVICE_API_KEY")
        if port == 2:
            sys.exit("bye")
        self.told = [port, tag, optional, anything]

    async def answer(self, batch):
        return repr(self.told)


class Half(InOrder):
    run_dataset = property(lambda self: None)


class NoRunner:
    pass


async def made_later():
    return InOrder()


not_a_class = 5
