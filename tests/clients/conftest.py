"""Starts `fairforge mock` for the tests of this folder. FAIRFORGE_BIN names the executable (build/fairforge if unset)."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("FAIRFORGE_BIN", str(ROOT / "build" / "fairforge"))

ANSWERS = {
    "session_id": "s1",
    "assistant_id": "a",
    "language": "english",
    "context": "Geography.",
    "conversation": [
        {"qa_id": "1", "query": "What is the capital of Japan?", "assistant": "", "ground_truth_assistant": "東京 (Tokyo) 🗼"},
        {"qa_id": "2", "query": "¿Y la de Francia?", "assistant": "", "ground_truth_assistant": "París.\nEs la capital.\n"},
        {"qa_id": "3", "query": "Lines?", "assistant": "", "ground_truth_assistant": "a\u2028b\u0085c\u2029d \"quoted\" \\ back\ttab"},
    ],
}
QUERIES = [(b["query"], b["ground_truth_assistant"]) for b in ANSWERS["conversation"]]


class Mock:
    """One running simulator."""

    def __init__(self, *flags):
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self.process = subprocess.Popen(
            [BINARY, "mock", "--port", "0", *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), f"expected the address, got {line!r}: {self.process.stderr.read()}"
        self.url = line.split()[-1]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=20)
        assert self.process.returncode == 0, f"the simulator must end with 0 on SIGTERM, not {self.process.returncode}: {err}"
        assert out == "" and err == "", f"the simulator must say nothing after its address: {out!r} {err!r}"


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch):
    """Keys, base URLs and proxies of the machine must not reach the clients."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("OPENAI_", "GROQ_", "GOOGLE_", "GEMINI_", "OLLAMA_", "LANGCHAIN_", "LANGSMITH_")):
            monkeypatch.delenv(name)


@pytest.fixture
def start(tmp_path):
    """start(*flags, script=..., answers=...) gives a Mock, stopped after the test."""
    running = []

    def start_one(*flags, script=None, answers=None):
        for flag, document in (("--script", script), ("--answers", answers)):
            if document is not None:
                path = tmp_path / f"{flag[2:]}{len(running)}.json"
                path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
                flags += (flag, str(path))
        running.append(Mock(*flags))
        return running[-1]

    yield start_one
    for mock in running:
        mock.stop()


@pytest.fixture(scope="module")
def mock(tmp_path_factory):
    """A simulator that knows the answers to QUERIES."""
    path = tmp_path_factory.mktemp("answers") / "answers.json"
    path.write_text(json.dumps([ANSWERS], ensure_ascii=False), encoding="utf-8")
    one = Mock("--answers", str(path))
    yield one
    one.stop()
