"""The Python adapter with the real fair_forge, httpx and LangChain: the same runners, the same results as with the stand-ins."""
import json
import os
import subprocess
import sys

import pytest

from conftest import BINARY, ROOT

sys.path.insert(0, str(ROOT / "tests" / "python"))
from schema_cases import CASES, show  # noqa: E402

RUNNERS = ROOT / "tests" / "python" / "runners"


@pytest.mark.parametrize("expression, expected", CASES)
def test_the_table_of_the_stand_ins_is_what_the_real_schemas_do(expression, expected):
    import fair_forge.schemas

    assert show(expression, fair_forge.schemas) == expected


def test_the_adapters_own_tests_with_the_real_schemas():
    """Those about sessions. Left out: what other packages would be needed for, and values that pydantic itself cannot dump."""
    process = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "tests/python/test_datasets.py"), "-k",
                              "not every_import and not json_does_not_have"],
                             env={**os.environ, "ADAPTER_PYTHON": sys.executable}, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout[-6000:]


def dataset(*queries, session_id="s1", **more):
    return {"session_id": session_id, "assistant_id": "a", "language": "english", "context": "",
            "conversation": [{"qa_id": q, "query": q, "assistant": "", "ground_truth_assistant": "g"} for q in queries], **more}


class Result:
    def __init__(self, process):
        self.status, self.err = process.returncode, process.stderr
        self.json = json.loads(process.stdout)
        self.answers = [b["assistant"] for d in self.json.get("datasets", []) for b in d["conversation"]]

    def __repr__(self):
        return "status %d, %s, %s" % (self.status, self.json, self.err)


def fairforge(folder, datasets, *flags, env=None):
    keep = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
    (folder / "datasets.json").write_text(json.dumps(datasets))
    return Result(subprocess.run([BINARY, "run", "--dataset", "datasets.json", "--python", sys.executable, *flags], cwd=folder, env={**keep, **(env or {})}, capture_output=True,
                                 text=True, timeout=120, check=False))


def test_the_documents_example(tmp_path):
    (tmp_path / "my_module.py").write_text((RUNNERS / "my_module.py").read_text() +
                                           "\nimport pydantic\nassert issubclass(Batch, pydantic.BaseModel)\n")
    r = fairforge(tmp_path, [dataset("hi", "fail"), dataset("ho", session_id="s2")], "--python-runner", "my_module:MyCustomRunner", "--runner-arg", "endpoint=E",
                  "--runner-arg", "api_key=env:MY_KEY", env={"MY_KEY": "sk-1234567890abcdef"})
    assert r.answers == ["E tells s1: hi", "[ERROR] no luck", "E tells s2: ho"] and r.status == 1, r
    assert [(s["session_id"], s["successes"], s["failures"]) for s in r.json["summaries"]] == [("s1", 1, 1), ("s2", 1, 0)]


REST = '''
import httpx, time
from fair_forge.schemas import Batch, Dataset
from fair_forge.schemas.runner import BaseRunner


class RestRunner(BaseRunner):
    def __init__(self, base_url: str, api_key: str, timeout: float = 30.0):
        self.base_url, self.api_key, self.timeout = base_url, api_key, timeout

    async def run_batch(self, batch: Batch, session_id: str, **kwargs):
        start = time.time()
        try:
            async with httpx.AsyncClient(timeout=self.timeout) as client:
                response = await client.post(f"{self.base_url}/chat/completions", headers={"Authorization": f"Bearer {self.api_key}"},
                                             json={"model": "m", "messages": [{"role": "user", "content": batch.query}]})
                response.raise_for_status()
                text = response.json()["choices"][0]["message"]["content"]
            return batch.model_copy(update={"assistant": text}), True, (time.time() - start) * 1000
        except Exception as e:
            if self.swallow:
                return batch.model_copy(update={"assistant": f"[ERROR] {e}", "observation": "failed"}), False, (time.time() - start) * 1000
            raise

    swallow = True

    async def run_dataset(self, dataset: Dataset, **kwargs):
        updated, ok, total = [], 0, 0.0
        for batch in dataset.conversation:
            done, success, ms = await self.run_batch(batch, dataset.session_id)
            updated.append(done)
            ok, total = ok + success, total + ms
        n = len(updated)
        return dataset.model_copy(update={"conversation": updated}), {"session_id": dataset.session_id, "total_batches": n, "successes": ok, "failures": n - ok,
                                                                      "total_execution_time_ms": total, "avg_batch_time_ms": total / n if n else 0}


class Open(RestRunner):
    swallow = False


class Together(RestRunner):
    async def run_dataset(self, dataset, **kwargs):
        import asyncio

        results = await asyncio.gather(*(self.run_batch(b, dataset.session_id) for b in dataset.conversation))
        return dataset.model_copy(update={"conversation": [r[0] for r in results]}), {}
'''


@pytest.mark.parametrize("name", ["RestRunner", "Together", "Open"])
@pytest.mark.parametrize("how", ["each", "whole", "parallel"])
def test_a_rest_runner(tmp_path, mock, name, how):
    (tmp_path / "rest.py").write_text(REST)
    r = fairforge(tmp_path, [dataset("What is the capital of Japan?", "¿Y la de Francia?", session_id="s%d" % i) for i in range(20)], "--python-runner", "rest:" + name,
                  "--batches", how, "--runner-arg", "base_url=" + mock.url + "/v1", "--runner-arg", "api_key=sk-1234567890abcdef")
    assert r.status == 0 and r.answers == ["東京 (Tokyo) 🗼", "París.\nEs la capital.\n"] * 20, r


def test_a_rest_runner_and_errors(tmp_path, start):
    (tmp_path / "rest.py").write_text(REST)
    for status, outcome in ((429, "rate_limited"), (503, "http_5xx"), (404, "http_4xx")):
        url = start(script={"rules": [{"status": status}]}).url + "/v1"
        flags = ("--runner-arg", "base_url=" + url, "--runner-arg", "api_key=sk-1234567890abcdef", "--json")
        r = fairforge(tmp_path, [dataset("a")], "--python-runner", "rest:Open", *flags)
        assert r.answers[0].startswith("[ERROR] Open.run_batch raised HTTPStatusError") and '"outcome": "%s"' % outcome in r.err.replace('":"', '": "'), r
        r = fairforge(tmp_path, [dataset("a")], "--python-runner", "rest:RestRunner", *flags)
        assert str(status) in r.answers[0] and r.json["datasets"][0]["conversation"][0]["observation"] == "failed", r
    r = fairforge(tmp_path, [dataset("a")], "--python-runner", "rest:Open", "--runner-arg", "base_url=http://127.0.0.1:9/v1", "--runner-arg", "api_key=sk-1234567890abcdef", "--json")
    assert "ConnectError" in r.answers[0] and '"outcome": "transport"' in r.err.replace('":"', '": "'), r


# ---- LangChain ----


@pytest.mark.parametrize("path, url", [("langchain_openai.ChatOpenAI", "/v1"), ("langchain_groq.chat_models.ChatGroq", "")])
def test_a_langchain_class(tmp_path, mock, path, url):
    flags = ("--python-llm", path, "--model", "m", "--param", "base_url=" + mock.url + url)
    r = fairforge(tmp_path, [dataset("What is the capital of Japan?"), dataset("¿Y la de Francia?", context="C", session_id="s2")], *flags, "--json",
                  env={"LLM_API_KEY": "sk-1234567890abcdef"})
    assert r.status == 0 and r.answers == ["東京 (Tokyo) 🗼", "París.\nEs la capital.\n"], r
    assert '"total_tokens"' in r.err or '"input_tokens"' in r.err, "usage is known"
    r = fairforge(tmp_path, [dataset("a")], *flags)
    assert r.status == 64 and "api_key" in r.json["error"].lower(), r


def test_langchains_own_fake(tmp_path):
    r = fairforge(tmp_path, [dataset("a")], "--python-llm", "langchain_core.language_models.fake_chat_models.FakeListChatModel", "--param", 'responses=["one"]')
    assert r.status == 0 and r.answers == ["one"], r
    r = fairforge(tmp_path, [dataset("a")], "--python-llm", "langchain_core.language_models.fake.FakeListLLM", "--param", 'responses=["text"]')
    assert r.status == 0 and r.answers == ["text"], r
    r = fairforge(tmp_path, [dataset("a")], "--python-llm", "langchain_core.language_models.fake_chat_models.FakeListChatModel")
    assert r.status == 64 and "responses: Field required" in r.json["error"], r
