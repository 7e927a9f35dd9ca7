"""The packaged function in aws-lambda-rie, AWS's emulator of the Lambda service. FAIRFORGE_BUILD: the build folder; FAIRFORGE_EMULATOR: where the emulator is.

The emulator crashes when a second event comes before the first is done, so calls go one after the other. It takes no port 0: two free ones are picked, and
picked again when somebody was faster.
"""
import base64
import http.client
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
BUILD = pathlib.Path(os.environ.get("FAIRFORGE_BUILD", ROOT / "build"))
MACHINE = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
EMULATOR = pathlib.Path(os.environ["FAIRFORGE_EMULATOR"]) / ("aws-lambda-rie-" + MACHINE)
LIMIT_S = 120


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class Emulator:
    """One emulated function. Its environment is the function's."""

    def __init__(self, task, folder, env):
        self.log = folder / "emulator.log"
        binary = folder / "aws-lambda-rie"
        shutil.copyfile(EMULATOR, binary)
        binary.chmod(0o755)
        environment = {"PATH": "/usr/bin:/bin", "LAMBDA_TASK_ROOT": str(task), "LD_LIBRARY_PATH": "/lib64:/usr/lib64:%s:%s/lib" % (task, task),
                       "AWS_LAMBDA_FUNCTION_TIMEOUT": "60", "AWS_REGION": "eu-west-1", **env}
        for _ in range(5):
            self.port, api = free_ports(2)
            with open(self.log, "w", encoding="utf-8") as log:
                self.process = subprocess.Popen(
                    [str(binary), "--runtime-api-address", "127.0.0.1:%d" % api, "--runtime-interface-emulator-address", "127.0.0.1:%d" % self.port,
                     str(task / "bootstrap"), "handler"], env=environment, cwd=task, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
            if self._listens():
                return
        raise AssertionError("the emulator does not start: " + self.said())

    def _listens(self):
        end = time.monotonic() + LIMIT_S
        while self.process.poll() is None and time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return True
            except OSError:
                time.sleep(0.01)  # polls what no event tells
        return False

    def invoke(self, event, context=None):
        """The status and the body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        headers = {"X-Amz-Client-Context": base64.b64encode(json.dumps(context).encode()).decode()} if context else {}
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        connection.request("POST", "/2015-03-31/functions/function/invocations", body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    def json(self, event, **more):
        status, data = self.invoke(event, **more)
        assert status == 200, "%d %r\n%s" % (status, data, self.said())
        return json.loads(data)

    def said(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture(scope="session")
def task(tmp_path_factory):
    """What AWS would unpack into /var/task."""
    folder = tmp_path_factory.mktemp("task")
    archive = tmp_path_factory.mktemp("zip") / "function.zip"
    subprocess.run([sys.executable, str(ROOT / "tools" / "package_lambda.py"), str(BUILD / "bootstrap"), str(archive)], check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(archive) as z:
        for info in z.infolist():
            os.chmod(z.extract(info, folder), info.external_attr >> 16 & 0o777)
    return folder


@pytest.fixture
def function(task, tmp_path):
    """A factory: function(NAME="value") starts an emulated function with that environment."""
    started = []

    def make(**env):
        folder = tmp_path / ("emulator%d" % len(started))
        folder.mkdir()
        started.append(Emulator(task, folder, env))
        return started[-1]

    yield make
    for one in started:
        one.stop()
