"""schemathesis against a running `fairforge serve`: whatever its document allows, and much that it forbids, is answered as the document says.

Requests with a connector that works are answered by `fairforge mock`: the operator's environment points every provider there, so that nothing leaves this
machine. One check is left out: negative_data_rejection. A payload that is JSON but cannot be run is answered with status 200 and {"success": false}, as the
reference does.
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest
import schemathesis

from conftest import BINARY

TOKEN = "0123456789abcdef-schemathesis"
AUTH = "Authorization: Bearer " + TOKEN
LIMIT_S = 300


class Service:
    def __init__(self, folder, target):
        tokens = folder / "tokens"
        tokens.write_text("schemathesis:%s\n" % TOKEN)
        tokens.chmod(0o600)
        environment = {
            **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
            "OPENAI_API_BASE": target + "/v1", "OPENAI_API_KEY": "operator-key-openai", "GROQ_API_BASE": target, "GROQ_API_KEY": "operator-key-groq",
            "GOOGLE_GEMINI_BASE_URL": target, "GOOGLE_API_KEY": "operator-key-google", "OLLAMA_HOST": target, "ALQUIMIA_BASE_URL": target,
            "ALQUIMIA_API_KEY": "operator-key-alquimia", "FAIRFORGE_ALLOWED_ORIGINS": target, "FAIRFORGE_DEADLINE_MS": "5000",
        }
        self.process = subprocess.Popen([BINARY, "serve", "--listen", "127.0.0.1:0", "--token-file", str(tokens)], env=environment,
                                        stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.url = json.loads(self.process.stderr.readline())["url"]
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr))
        self.reader.start()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(30)
        self.reader.join(30)
        assert status == 0, "serve ended with %d: %s" % (status, "".join(self.lines[-20:]))


@pytest.fixture
def service(mock, tmp_path):
    one = Service(tmp_path, mock.url)
    yield one
    one.stop()


def test_schemathesis(service, tmp_path):
    command = pathlib.Path(sys.executable).with_name("schemathesis")
    done = subprocess.run([command, "run", service.url + "/openapi.json", "-H", AUTH, "--phases", "examples,coverage,fuzzing", "-n", "40", "--seed", "1",
                           "--exclude-checks", "negative_data_rejection", "--request-timeout", "30", "--report", "json",
                           "--report-json-path", str(tmp_path / "report.json")],
                          cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "No issues found" in done.stdout, done.stdout[-6000:]
    answered = [json.loads(line)["status"] for line in service.lines if '"path":"/run"' in line and '"method":"POST"' in line]
    assert answered.count(200) > 100 and answered.count(401) > 0, "it asked too little: %d" % len(answered)


def test_the_example_runs_as_it_stands(service):
    """The document's own example, through a client that holds the answer against the document."""
    schema = schemathesis.openapi.from_url(service.url + "/openapi.json")
    example = schema.raw_schema["paths"]["/run"]["post"]["requestBody"]["content"]["application/json"]["examples"]["one question"]["value"]
    case = schema["/run"]["POST"].Case(body=example, media_type="application/json", headers={"Authorization": "Bearer " + TOKEN})
    answer = case.call(base_url=service.url)
    case.validate_response(answer, excluded_checks=[])
    response = answer.json()
    assert response["success"] is True and response["summaries"][0]["successes"] == 1, response
