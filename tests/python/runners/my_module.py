"""The document's own example, with the call of "your AI system" filled in."""
from fair_forge.schemas.runner import BaseRunner
from fair_forge.schemas import Batch, Dataset

class MyCustomRunner(BaseRunner):
    def __init__(self, api_key: str, endpoint: str):
        self.api_key = api_key
        self.endpoint = endpoint

    async def _call_my_api(self, query, session_id):
        if query == "fail":
            raise ValueError("no luck")
        return f"{self.endpoint} tells {session_id}: {query}"

    async def run_batch(self, batch: Batch, session_id: str, **kwargs) -> tuple[Batch, bool, float]:
        """Execute single test case."""
        import time
        start = time.time()

        try:
            # Call your AI system here
            response = await self._call_my_api(batch.query, session_id)
            execution_time = (time.time() - start) * 1000

            updated_batch = batch.model_copy(update={"assistant": response})
            return updated_batch, True, execution_time

        except Exception as e:
            execution_time = (time.time() - start) * 1000
            updated_batch = batch.model_copy(update={"assistant": f"[ERROR] {e}"})
            return updated_batch, False, execution_time

    async def run_dataset(self, dataset: Dataset, **kwargs) -> tuple[Dataset, dict]:
        """Execute all batches in dataset."""
        updated_batches = []
        successes = failures = 0
        total_time = 0.0

        for batch in dataset.conversation:
            updated, success, time_ms = await self.run_batch(batch, dataset.session_id)
            updated_batches.append(updated)
            total_time += time_ms
            if success:
                successes += 1
            else:
                failures += 1

        updated_dataset = dataset.model_copy(update={"conversation": updated_batches})

        summary = {
            "session_id": dataset.session_id,
            "total_batches": len(dataset.conversation),
            "successes": successes,
            "failures": failures,
            "total_execution_time_ms": total_time,
            "avg_batch_time_ms": total_time / len(dataset.conversation) if dataset.conversation else 0,
        }

        return updated_dataset, summary
