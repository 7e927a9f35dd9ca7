"""--python-runner and --python-llm through the binary: flags, arguments, secrets, outcomes, and a Python process that misbehaves."""
import json
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess

import pytest

from conftest import BINARY, LIMIT_S, ROOT, batch, dataset, environment, fairforge, start

RUNNERS = ROOT / "tests" / "python" / "runners"
PYTHON = "/usr/bin/python3" if pathlib.Path("/usr/bin/python3").exists() else shutil.which("python3")
KEY = "sk-test-0123456789abcdef"
DOCUMENTS = ("--python-runner", "my_module:MyCustomRunner", "--runner-arg", "endpoint=E", "--runner-arg", "api_key=env:MY_KEY")


def sets(*sessions):
    return [dataset(*[batch(q, "q%d" % i) for i, q in enumerate(s)], session_id="s%d" % n) for n, s in enumerate(sessions)]


def run(sessions, *flags, command="run", env=None, python=PYTHON, **more):
    return fairforge(command, "--dataset", "-", *(("--python", python) if python else ()), *flags, stdin=sets(*sessions), cwd=more.pop("cwd", RUNNERS),
                     env={"PYTHONDONTWRITEBYTECODE": "1", "MY_KEY": KEY, **(env or {})}, **more)


def outcomes(result):
    return [e["outcome"] for e in map(json.loads, result.err.splitlines()) if e.get("event") == "turn"]


@pytest.mark.parametrize("how", [(), ("--batches", "each"), ("--batches", "whole"), ("--batches", "parallel"), ("--workers", "2")])
def test_the_documents_example(how):
    result = run([["hi", "fail", "ho"], ["hi"]], *DOCUMENTS, *how)
    assert result.status == 1, result
    assert result.answers == ["E tells s0: hi", "[ERROR] no luck", "E tells s0: ho", "E tells s1: hi"], result
    summaries = result.json["summaries"]
    assert [(s["session_id"], s["total_batches"], s["successes"], s["failures"]) for s in summaries] == [("s0", 3, 2, 1), ("s1", 1, 1, 0)]
    assert all(s["total_execution_time_ms"] >= 0 for s in summaries)
    assert "Turns are answered by the worker 'my_module:MyCustomRunner' (MyCustomRunner)" in result.err or "--workers" in how, result


def test_python3_of_path_is_the_default(tmp_path):
    (tmp_path / "python3").symlink_to(PYTHON)
    result = run([["hi"]], *DOCUMENTS, python=None, env={"PATH": str(tmp_path)})
    assert result.answers == ["E tells s0: hi"], result


def test_check_starts_it_and_sends_nothing():
    result = run([["hi"]], *DOCUMENTS, command="check")
    assert result.status == 0 and "my_module:MyCustomRunner" in result.out and "0 errors" in result.out, result
    result = run([["hi"]], "--python-runner", "my_module:MyCustomRunner", command="check")
    assert result.status == 64 and "MyCustomRunner needs the arguments api_key, endpoint" in result.out, result


@pytest.mark.parametrize("flags, sentence", [
    (("--python-runner", "nowhere:X"), "The worker 'nowhere:X' cannot start: There is no module nowhere: neither in "),
    (("--python-runner", "my_module:MyCustomRuner"), "my_module has no MyCustomRuner; did you mean MyCustomRunner."),
    (("--python-runner", "my_module"), "A runner is named MODULE:CLASS"),
    (("--python-runner", "my_module:MyCustomRunner", "--runner-arg", "endpoint=E"), "MyCustomRunner needs the argument api_key: give --runner-arg api_key=…."),
    (("--python-runner", "my_module:MyCustomRunner", "--runner-arg", "endpoint=E", "--runner-arg", "api_key=env:NOT_SET"), "argument api_key: The environment variable NOT_SET is not set."),
    (("--python-runner", "broken:X"), "broken.py line 1 is not valid Python"),
    (("--python-llm", "langchain_nowhere.Chat"), "There is no module langchain_nowhere"),
    (("--python-llm", "fake_llm.Chat"), "Chat could not be made from its arguments: ValidationError: model: Field required."),
    ((*DOCUMENTS, "--batches", "some"), "--batches must be each, whole or parallel"),
    ((*DOCUMENTS, "--connector", "openai"), "excludes --connector, --worker and --plugin"),
    ((*DOCUMENTS, "--worker", "cat"), "excludes --connector, --worker and --plugin"),
    ((*DOCUMENTS, "--model", "m"), "excludes --model and --param"),
    ((*DOCUMENTS, "--python-llm", "a.B"), "exclude each other|gets its parameters by --param"),
    (("--python-llm", "a.B", "--runner-arg", "a=1"), "excludes --runner-arg"),
    (("--batches", "each", "--connector", "openai"), "--batches needs a --python-runner"),
    (("--connector", "openai"), "--python needs a --python-runner or --python-llm"),
    (("--runner-arg", "a=1"), "--runner-arg needs a --plugin or a --python-runner")])
def test_found_before_the_first_turn(flags, sentence):
    result = run([["hi"]], *flags)
    assert result.status == 64 and any(s in result.err for s in sentence.split("|")), result
    assert result.err.count("\n") == 1, "one sentence: %r" % result


@pytest.mark.parametrize("python, sentence", [
    ("/no/such/python3", 'The program "/no/such/python3" does not exist.'), ("no-such-python", '"no-such-python" was not found in PATH'), ("/bin/true", "my_module:MyCustomRunner"),
    ("/etc/hostname", "/etc/hostname")])
def test_interpreters_that_are_none(python, sentence):
    result = run([["hi"]], *DOCUMENTS, python=python)
    assert result.status == 64 and sentence in result.err and KEY not in result.err, result


def test_payload_and_environment_cannot_name_code():
    for name in ("python_runner", "python_llm", "runner_arg", "python", "batches"):
        document = {"datasets": sets(["hi"]), name: "my_module:MyCustomRunner"}
        result = fairforge("run", "-", stdin=document, cwd=RUNNERS)
        assert result.status == 64 and "command line only" in result.err, result
        result = fairforge("run", "-", stdin={"datasets": sets(["hi"])}, cwd=RUNNERS, env={"FAIRFORGE_" + name.upper(): "my_module:MyCustomRunner"})
        assert result.status == 64 and "command line only" in result.err, result


# ---- secrets ----


def test_arguments_are_in_no_process_list_and_no_log(tmp_path):
    (tmp_path / "spy.py").write_text(
        "import os, sys\n"
        "from fair_forge.schemas.runner import BaseRunner\n"
        "class Spy(BaseRunner):\n"
        "    def __init__(self, api_key):\n"
        "        print('key is', api_key)\n"
        "        self.api_key = api_key\n"
        "    async def run_batch(self, batch, session_id, **kwargs):\n"
        "        if batch.query == 'tell': raise ValueError('refused: ' + self.api_key)\n"
        "        seen = open('/proc/self/cmdline').read() + repr(dict(os.environ))\n"
        "        return batch.model_copy(update={'assistant': str(self.api_key in seen) + ' ' + str('MY_KEY' in seen)}), True, 1.0\n"
        "    async def run_dataset(self, dataset, **kwargs):\n"
        "        return dataset.model_copy(update={'conversation': [(await self.run_batch(b, dataset.session_id))[0] for b in dataset.conversation]}), {}\n")
    result = run([["look"], ["tell"]], "--python-runner", "spy:Spy", "--runner-arg", "api_key=env:MY_KEY", "--log-level", "debug", cwd=tmp_path)
    assert result.answers[0] == "False False" and result.answers[1].startswith("[ERROR] Spy.run_batch raised ValueError: refused: "), result
    assert "key is" in result.err and KEY not in result.err + result.out, result


def test_number_keys_stay_what_they_are():
    result = run([["q"]], "--python-runner", "trouble:Needs", "--runner-arg", "port=8080", "--runner-arg", "tag=00123", "--runner-arg", 'anything={"a": [1.50]}')
    assert result.answers == ["[8080, '00123', None, {'a': [1.5]}]"], result
    result = run([["q"]], "--python-runner", "trouble:Needs", "--runner-arg", "port=8080", "--runner-arg", "tag=12345678901234567890.10")
    assert result.answers == ["[8080, '12345678901234567890.10', None, None]"], result


# ---- what becomes of turns ----


def test_outcomes_of_exceptions():
    queries = ["value", "timeout", "refused", "429", "503", "401", "exit", "interrupt"]
    result = run([[q] for q in queries], "--python-runner", "trouble:Raises", "--json")
    events = {json.loads(line)["session_id"]: json.loads(line) for line in result.err.splitlines() if '"turn"' in line}
    found = [next(v for k, v in events.items() if k == "s%d" % i)["outcome"] for i in range(len(queries))]
    assert found == ["http_5xx", "timeout", "transport", "rate_limited", "http_5xx", "http_4xx", "http_5xx", "http_5xx"], result
    assert all(a.startswith("[ERROR] Raises.run_batch") for a in result.answers), result


def test_retries_when_asked():
    result = run([["a"]], "--python-runner", "kinds:Retrying", "--runner-arg", "how=never", "--max-retries", "0")
    assert result.status == 0, "this runner tries by itself: %r" % result
    result = run([["a"]], "--python-runner", "kinds:Retrying", "--batches", "parallel")
    assert result.answers == ["[ERROR] not yet"], result
    result = run([["a"]], "--python-runner", "kinds:Retrying", "--batches", "parallel", "--max-retries", "1")
    assert result.answers == ["try 2"], result


def test_changed_fields_and_opaque_values():
    one = dataset(batch("all"), batch("nothing", agentic={"n": 1.50, "big": 12345678901234567890123}))
    result = fairforge("run", "--dataset", "-", "--python", PYTHON, "--python-runner", "kinds:Changes", stdin=json.dumps([one]).replace("1.5,", "1.50,"), cwd=RUNNERS)
    first, second = result.json["datasets"][0]["conversation"]
    assert (first["observation"], first["agentic"], first["weight"], first["qa_id"]) == ("note", {"tools": ["a"]}, 0.5, "new"), result
    assert '"n":1.50' in result.out and '"big":12345678901234567890123' in result.out, "what was not changed passes as it came"
    assert second["assistant"] == "ok"


def test_noise_and_shapes_and_a_death():
    result = run([["a"]], "--python-runner", "trouble:Noise", "--log-level", "info")
    assert result.answers == ["no input"] and "forged" in result.err and "a print" in result.err, result
    result = run([["a", "b"]], "--python-runner", "trouble:Shapes", "--runner-arg", "batch=list answer", "--json")
    assert set(outcomes(result)) == {"bad_reply"}, result
    result = run([["a"], ["die"], ["b"], ["c"]], "--python-runner", "trouble:Dies", "--concurrency", "1", "--no-adaptive", "--json")
    assert outcomes(result).count("ok") == 3 and outcomes(result).count("transport") == 1, result
    assert any("7" in a and "last words" in a for a in result.answers), result


def test_a_runner_that_hangs_costs_its_turn_only():
    result = run([["a"], ["wait"], ["b"]], "--python-runner", "trouble:Stubborn", "--timeout", "1", "--json", "--concurrency", "3", "--no-adaptive")
    assert sorted(outcomes(result)) == ["ok", "ok", "timeout"], result


@pytest.mark.slow
def test_a_runner_that_blocks_for_ever(tmp_path):
    """Its loop stands still, so it cannot even be cancelled: after 5 s another process takes its place. What waited meanwhile runs out of time, all later turns are answered."""
    os.mkfifo(tmp_path / "pipe")
    result = run([["wait"]] + [["a"]] * 20, "--python-runner", "kinds:Blocking", "--runner-arg", "path=%s" % (tmp_path / "pipe"), "--timeout", "1", "--json", "--concurrency",
                 "1", "--no-adaptive", "--option", "order=input")
    late = outcomes(result).count("timeout")
    assert 1 < late < 21 and outcomes(result) == ["timeout"] * late + ["ok"] * (21 - late), result


def test_an_interrupt_leaves_no_process(tmp_path):
    process = start("run", "--dataset", "-", "--python", PYTHON, "--python-runner", "trouble:Stubborn", "--log-level", "info", cwd=RUNNERS)
    process.stdin.write(json.dumps(sets(["a", "wait"])).encode())
    process.stdin.close()
    seen = b""
    while b"at once" not in seen:  # the run has begun
        seen += process.stderr.readline()
    pid = int(seen.split(b"process ")[1].split(b")")[0])
    process.send_signal(signal.SIGINT)
    while b"Interrupted" not in seen:
        seen += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.stderr.read()
    process.wait(LIMIT_S)
    assert not pathlib.Path("/proc/%d" % pid).exists() or "Z" in pathlib.Path("/proc/%d/stat" % pid).read_text().split(")")[1][:3]


def test_many_sessions_in_flight():
    result = run([["q"]] * 500, "--python-runner", "kinds:Meeting", "--runner-arg", "count=500", "--concurrency", "500", "--no-adaptive")
    assert result.status == 0 and set(result.answers) == {"met"}, result


# ---- models ----


def test_a_model():
    one = [dataset(batch("hello"), context="C"), dataset(batch("length", "q2"), session_id="s2")]
    result = fairforge("run", "--dataset", "-", "--python", PYTHON, "--python-llm", "fake_llm.Chat", "--model", "m-7", "--param", "temperature=0", "--json", stdin=one, cwd=RUNNERS)
    assert result.status == 0 and result.answers == ["You said: Context:\nC\n\nQuestion: hello", "cut"], result
    cut = next(e for e in map(json.loads, result.err.splitlines()) if e.get("event") == "turn" and e["outcome"] == "truncated")
    assert cut["usage"]["input_tokens"] == 3 if "usage" in cut else cut["input_tokens"] == 3, cut


@pytest.mark.parametrize("flags, env, given", [
    ((), {}, "[('model', 'm')]"), ((), {"LLM_API_KEY": KEY}, "[('api_key', '%s'), ('model', 'm')]" % KEY),
    (("--param", "api_key="), {"LLM_API_KEY": KEY}, "[('api_key', '%s'), ('model', 'm')]" % KEY),
    (("--param", "api_key=sk-of-the-flag-123"), {"LLM_API_KEY": KEY}, "[('api_key', 'sk-of-the-flag-123'), ('model', 'm')]")])
def test_the_documents_rule_for_the_key(flags, env, given):
    result = run([["given"]], "--python-llm", "fake_llm.Chat", "--model", "m", *flags, env=env)
    assert result.answers == [given], result


@pytest.mark.parametrize("words", [("runner", "kinds:InOrder"), ("runner", "kinds:InOrder", "--batches", "parallel"), ("llm", "fake_llm.Chat")])
def test_the_adapter_conforms_to_the_protocol(words):
    process = subprocess.run([PYTHON, str(ROOT / "tools" / "worker_conformance.py"), "--args", '{"model": "m"}' if words[0] == "llm" else "{}", "--", PYTHON,
                              str(ROOT / "python" / "fairforge_worker"), *words], cwd=RUNNERS, env=environment({"PYTHONDONTWRITEBYTECODE": "1"}), capture_output=True, text=True,
                             timeout=LIMIT_S, check=False)
    assert process.returncode == 0, process.stdout + process.stderr


# ---- the page and its example ----


def test_the_page(simulator):
    text = (ROOT / "docs" / "python-runner.md").read_text(encoding="utf-8")
    body = re.search(r"^```sh\n(.*?)^```$", text, re.S | re.M).group(1)
    simulated, asked = body.splitlines()
    url = simulator("--answers", str(ROOT / "examples" / "demo.json")).url
    assert simulated.startswith("fairforge mock") and asked.startswith("cd examples && MY_KEY=demo-key fairforge ")
    words = asked.partition("fairforge ")[2].replace("http://127.0.0.1:8080", url).split()
    result = fairforge(*words, "--python", PYTHON, cwd=ROOT / "examples", env={"MY_KEY": "demo-key", "PYTHONDONTWRITEBYTECODE": "1"})
    assert result.status == 0 and all(result.answers) and "demo-key" not in result.err, result
    for line in re.search(r"^```sh skip\n(.*?)^```$", text, re.S | re.M).group(1).splitlines():
        words = line.split("   #")[0].split()
        assert fairforge(*words[1:], "--help").status == 0, line
    flags = set(re.findall(r"^\| `(--[a-z-]+)", text, re.M))
    help_text = fairforge("help", "run").out
    assert len(flags) == 8 and all(f in help_text for f in flags), flags


# ---- where the adapter is ----


def test_found_beside_the_executable_and_in_share(tmp_path):
    for place in ("bin/python", "share/fairforge/python"):
        root = tmp_path / ("it's a \"place\", $HOME " + place.replace("/", "-"))  # every character that splitting words knows
        (root / "bin").mkdir(parents=True)
        binary = root / "bin" / "fairforge"
        shutil.copy(BINARY, binary)
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        shutil.copytree(ROOT / "python" / "fairforge_worker", root / place / "fairforge_worker")
        process = subprocess.run([str(binary), "run", "--dataset", "-", "--python", PYTHON, *DOCUMENTS], input=json.dumps(sets(["hi"])).encode(), cwd=RUNNERS,
                                 env=environment({"MY_KEY": KEY}), capture_output=True, timeout=LIMIT_S, check=False)
        assert process.returncode == 0 and b"E tells s0: hi" in process.stdout, process
    shutil.rmtree(root / "share")
    process = subprocess.run([str(binary), "run", "--dataset", "-", "--python", PYTHON, *DOCUMENTS], input=b"[]", cwd=RUNNERS, env=environment({"MY_KEY": KEY}),
                             capture_output=True, timeout=LIMIT_S, check=False)
    assert process.returncode in (65, 70), "installed for good, or said to be missing: %r" % process
