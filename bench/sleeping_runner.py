"""A runner whose turns take 100 ms; as a program, what asyncio.gather alone needs for all sessions of a JSONL file, from start to end.

Usage: python3 bench/sleeping_runner.py DATASETS OUT       (with python/ in PYTHONPATH, for the schemas)
"""
import asyncio
import json
import sys
import time

try:
    from fair_forge.schemas.runner import BaseRunner
except ModuleNotFoundError:
    from fairforge_worker import standins

    standins.offer()
    from fair_forge.schemas.runner import BaseRunner


class SleepingRunner(BaseRunner):
    async def run_batch(self, batch, session_id, **kwargs):
        start = time.time()
        await asyncio.sleep(0.1)
        return batch.model_copy(update={"assistant": "You said: " + batch.query}), True, (time.time() - start) * 1000

    async def run_dataset(self, dataset, **kwargs):
        updated, successes, total = [], 0, 0.0
        for batch in dataset.conversation:
            done, success, ms = await self.run_batch(batch, dataset.session_id)
            updated.append(done)
            successes += success
            total += ms
        count = len(updated)
        return dataset.model_copy(update={"conversation": updated}), {
            "session_id": dataset.session_id, "total_batches": count, "successes": successes, "failures": count - successes,
            "total_execution_time_ms": total, "avg_batch_time_ms": total / count if count else 0}


async def gather(path):
    from fair_forge.schemas import Dataset

    runner = SleepingRunner()
    with open(path, encoding="utf-8") as f:
        datasets = [Dataset.model_validate(json.loads(line)) for line in f]
    return await asyncio.gather(*(runner.run_dataset(d) for d in datasets))


def main():
    results = asyncio.run(gather(sys.argv[1]))
    with open(sys.argv[2], "w", encoding="utf-8") as f:
        json.dump({"success": True, "datasets": [d.model_dump() for d, _ in results], "summaries": [s for _, s in results], "total_datasets": len(results)}, f)


if __name__ == "__main__":
    main()
