"""Every way to import what a runner needs."""
import fair_forge.schemas
from fair_forge.runners import BaseRunner as A
from fair_forge.schemas import BaseRunner, Batch, Dataset, IterationLevel, Logprobs, SessionMetadata, StreamedBatch
from fair_forge.schemas.common import Batch as C, Dataset as D
from fair_forge.schemas.runner import BaseRunner as B

from kinds import InOrder

assert A is B is BaseRunner and C is Batch is fair_forge.schemas.Batch and D is Dataset
assert Logprobs(tokens=["a"], token_logprobs=[-1]).token_logprobs == [-1.0] and IterationLevel("full_dataset") is IterationLevel.FULL_DATASET
assert StreamedBatch(metadata={"session_id": "s", "assistant_id": "a", "context": ""}, batch={"query": "", "assistant": "", "qa_id": "", "ground_truth_assistant": ""}).metadata == \
    SessionMetadata(session_id="s", assistant_id="a", context="")


class Runner(InOrder):
    pass
