"""A Fair-Forge runner for a chat service, as a user writes one. It runs unchanged in Fair-Forge and in fairforge:

    fairforge run --dataset demo.json --python-runner rest_runner:RestRunner --runner-arg endpoint=http://127.0.0.1:8080/v1 --runner-arg api_key=env:MY_KEY
"""
import asyncio
import json
import time
import urllib.request

from fair_forge.schemas import Batch, Dataset
from fair_forge.schemas.runner import BaseRunner


class RestRunner(BaseRunner):
    def __init__(self, endpoint: str, api_key: str, model: str = "demo-model"):
        self.endpoint, self.api_key, self.model = endpoint, api_key, model

    def _ask(self, query: str) -> str:
        body = json.dumps({"model": self.model, "messages": [{"role": "user", "content": query}]}).encode()
        request = urllib.request.Request(self.endpoint + "/chat/completions", body, {"Content-Type": "application/json", "Authorization": "Bearer " + self.api_key})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["choices"][0]["message"]["content"]

    async def run_batch(self, batch: Batch, session_id: str, **kwargs) -> tuple[Batch, bool, float]:
        start = time.time()
        try:
            answer = await asyncio.to_thread(self._ask, batch.query)  # it blocks: in a thread, so that other sessions go on
        except OSError as e:
            return batch.model_copy(update={"assistant": f"[ERROR] {e}"}), False, (time.time() - start) * 1000
        return batch.model_copy(update={"assistant": answer}), True, (time.time() - start) * 1000

    async def run_dataset(self, dataset: Dataset, **kwargs) -> tuple[Dataset, dict]:
        results = [await self.run_batch(batch, dataset.session_id) for batch in dataset.conversation]
        successes, total, count = sum(r[1] for r in results), sum(r[2] for r in results), len(results)
        return dataset.model_copy(update={"conversation": [r[0] for r in results]}), {
            "session_id": dataset.session_id,
            "total_batches": count,
            "successes": successes,
            "failures": count - successes,
            "total_execution_time_ms": total,
            "avg_batch_time_ms": total / count if count else 0,
        }
