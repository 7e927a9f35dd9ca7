"""Runners of every kind that users write: in order, in parallel, with retries of their own, mocks, with and without run_batch."""
import asyncio
import concurrent.futures
import dataclasses

from fair_forge.schemas import Batch, Dataset
from fair_forge.schemas.runner import BaseRunner


def summary(dataset, successes):
    n = len(dataset.conversation)
    return {"session_id": dataset.session_id, "total_batches": n, "successes": successes, "failures": n - successes, "total_execution_time_ms": 7.0 * n,
            "avg_batch_time_ms": 7.0}


class InOrder(BaseRunner):
    """run_dataset for those below; run_batch answers "<query>!"."""

    async def answer(self, batch):
        return batch.query + "!"

    async def run_batch(self, batch, session_id, **kwargs):
        return batch.model_copy(update={"assistant": await self.answer(batch)}), True, 5.0

    async def run_dataset(self, dataset, **kwargs):
        done = []
        for batch in dataset.conversation:
            updated, _, _ = await self.run_batch(batch, dataset.session_id)
            done.append(updated)
        return dataset.model_copy(update={"conversation": done}), summary(dataset, len(done))


class Blocking(InOrder):
    """Answers "wait" when somebody has written to the pipe `path`; meanwhile nothing else of the process goes on."""

    def __init__(self, path):
        self.path = path

    async def answer(self, batch):
        if batch.query == "wait":
            with open(self.path) as f:
                return f.read()
        return await super().answer(batch)


class InParallel(InOrder):
    """All batches at once; the first one finishes last."""

    async def run_dataset(self, dataset, **kwargs):
        self.first = asyncio.Event()

        async def one(index, batch):
            if index == 0:
                await self.first.wait()
            result = await self.run_batch(batch, session_id=dataset.session_id)
            if index == len(dataset.conversation) - 1:
                self.first.set()
            return result

        results = await asyncio.gather(*(one(i, b) for i, b in enumerate(dataset.conversation)))
        return dataset.model_copy(update={"conversation": [r[0] for r in results]}), summary(dataset, len(results))


class Meeting(InOrder):
    """Answers when `count` sessions are there: they must be in flight at once."""

    def __init__(self, count: int):
        self.count, self.there, self.all = count, 0, None

    async def answer(self, batch):
        self.all = self.all or asyncio.Event()
        self.there += 1
        if self.there == self.count:
            self.all.set()
        await self.all.wait()
        return "met"


class Retrying(InOrder):
    """The first try of every batch fails; `how` says who tries again."""

    def __init__(self, how="in order", raises=False):
        self.how, self.raises, self.tries = how, raises, {}

    async def run_batch(self, batch, session_id, **kwargs):
        tries = self.tries[batch.qa_id] = self.tries.get(batch.qa_id, 0) + 1
        if tries == 1 and self.raises:
            raise ConnectionError("line dropped")
        if tries == 1:
            return batch.model_copy(update={"assistant": "[ERROR] not yet"}), False, 1.0
        return batch.model_copy(update={"assistant": "try %d" % tries}), True, 1.0

    async def patiently(self, batch, session_id):
        for _ in range(3):
            try:
                result = await self.run_batch(batch, session_id)
            except ConnectionError:
                continue
            if result[1]:
                return result
            await asyncio.sleep(0)
        return result

    async def run_dataset(self, dataset, **kwargs):
        if self.how == "in order":
            results = [await self.patiently(b, dataset.session_id) for b in dataset.conversation]
        else:
            results = await asyncio.gather(*(self.patiently(b, dataset.session_id) for b in dataset.conversation))
        return dataset.model_copy(update={"conversation": [r[0] for r in results]}), summary(dataset, len(results))


class Alone(BaseRunner):
    """run_dataset does everything itself."""

    async def run_batch(self, batch, session_id, **kwargs):
        raise NotImplementedError

    async def run_dataset(self, dataset, **kwargs):
        done = [b.model_copy(update={"assistant": "[ERROR] bad day" if b.query == "fail" else "alone: " + b.query}) for b in dataset.conversation]
        return dataset.model_copy(update={"conversation": done}), summary(dataset, len(done))


class Copies(InOrder):
    """Gives run_batch copies, and returns the conversation backwards."""

    async def run_dataset(self, dataset, **kwargs):
        done = [(await self.run_batch(b.model_copy(update={"query": b.query.upper()}), dataset.session_id))[0] for b in dataset.conversation]
        return dataset.model_copy(update={"conversation": done[::-1]}), summary(dataset, len(done))


class Afterwards(InOrder):
    """run_dataset changes what run_batch returned."""

    async def run_dataset(self, dataset, **kwargs):
        updated, told = await super().run_dataset(dataset)
        return updated.model_copy(update={"conversation": [b.model_copy(update={"assistant": b.assistant.title()}) for b in updated.conversation]}), told


class Part(InOrder):
    """Runs the first batch only; returns as many as told."""

    def __init__(self, returned: int):
        self.returned = returned

    async def run_dataset(self, dataset, **kwargs):
        first, _, _ = await self.run_batch(dataset.conversation[0], dataset.session_id)
        return dataset.model_copy(update={"conversation": [first, *dataset.conversation[1:]][: self.returned]}), summary(dataset, 1)


class Plain:
    """Neither a BaseRunner nor asynchronous."""

    def run_batch(self, batch, session_id):
        return batch.model_copy(update={"assistant": "plain " + batch.query}), True, 3.0

    def run_dataset(self, dataset):
        done = [self.run_batch(b, dataset.session_id)[0] for b in dataset.conversation]
        return dataset.model_copy(update={"conversation": done}), summary(dataset, len(done))


class Slots(InOrder):
    __slots__ = ("prefix",)

    def __init__(self, prefix="x"):
        self.prefix = prefix


class OnlySlots:
    __slots__ = ("prefix",)

    def __init__(self, prefix):
        self.prefix = prefix

    async def run_batch(self, batch, session_id):
        return batch.model_copy(update={"assistant": self.prefix + batch.query}), True, 1.0

    run_dataset = InOrder.run_dataset


@dataclasses.dataclass(frozen=True)
class Frozen(InOrder):
    prefix: str

    async def answer(self, batch):
        return self.prefix + batch.query


class Threads(InOrder):
    """A loop of its own in every thread, as code that was synchronous once does it."""

    async def run_dataset(self, dataset, **kwargs):
        def one(batch):
            return asyncio.run(self.run_batch(batch, dataset.session_id))

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            results = await asyncio.get_running_loop().run_in_executor(None, lambda: list(pool.map(one, dataset.conversation)))
        return dataset.model_copy(update={"conversation": [r[0] for r in results]}), summary(dataset, len(results))


class Changes(InOrder):
    """Changes whatever a batch has."""

    async def run_batch(self, batch, session_id, **kwargs):
        if batch.query == "in place":
            batch.agentic["seen"]["deep"].append(2)
            batch.assistant, batch.observation = "ok", "noted"
            return batch, True, 1.0
        if batch.query == "odd values":
            return batch.model_copy(update={"assistant": "ok", "logprobs": odd_values()}), True, 1.0
        if batch.query == "nothing":
            return batch.model_copy(update={"assistant": "ok", "agentic": dict(batch.agentic)}), True, 1.0
        if batch.query == "parts":
            return batch.model_copy(update={"assistant": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "two "}, "parts"]}), True, 1.0
        return batch.model_copy(update={"assistant": "ok", "logprobs": {"tokens": ["o", "k"], "token_logprobs": [-0.5, -1]}, "observation": "note",
                                        "agentic": {"tools": ["a"]}, "ground_truth_agentic": None, "weight": 0.5, "qa_id": "new", "query": "changed",
                                        "ground_truth_assistant": "other"}), True, 1.0


def odd_values():
    import datetime
    import decimal
    import enum

    class Colour(enum.Enum):
        RED = "red"

    class Number(float):
        def tolist(self):
            return float(self)

    @dataclasses.dataclass
    class Point:
        x: int
        y: tuple

    return {"date": datetime.date(2024, 2, 29), "enum": Colour.RED, "point": Point(1, (2, 3)), "set": {1}, "bytes": b"ab", "nan": float("nan"), 1: True, None: "n",
            "float": Number(1.5), "decimal": decimal.Decimal("1.10"), "surrogate": "a\ud800b", "batch": Batch.model_construct(query="z"), "big": 10**30}
