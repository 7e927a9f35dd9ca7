"""Worker processes: the protocol, the examples, and everything that a worker can do wrong."""
import json
import os
import pathlib
import select
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest

from conftest import LIMIT_S, ROOT, batch, dataset, fairforge, start

HERE = pathlib.Path(__file__).parent
EXAMPLES = ROOT / "examples" / "workers"


def command(*words):
    return shlex.join(map(str, words))


def bad(mode, **capabilities):
    return command(sys.executable, HERE / "bad_worker.py", mode, *["%s=%s" % (k, json.dumps(v)) for k, v in capabilities.items()])


def ask(worker, *queries, flags=(), sessions=None, env=None):
    """Each query is a session of one turn, or `sessions` are lists of queries."""
    lists = sessions or [[q] for q in queries]
    sets = [dataset(*[batch(q, "q%d" % i) for i, q in enumerate(qs)], session_id="s%d" % s) for s, qs in enumerate(lists)]
    return fairforge("run", "--dataset", "-", "--worker", worker, *flags, stdin=sets, env=env)


def running(words):
    """The processes with this command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == b"".join(w.encode() + b"\0" for w in words):
                found.append(int(path.parent.name))
        except OSError:  # it has ended meanwhile
            pass
    return found


def is_gone(pid, seconds=10):
    """What was killed may take a moment to die: its pidfd says when."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], seconds)[0])
    finally:
        os.close(fd)


@pytest.mark.parametrize("words", [["sh", EXAMPLES / "echo.sh"], [sys.executable, EXAMPLES / "echo.py"], ["node", EXAMPLES / "echo.js"]], ids=lambda w: str(w[0])[-6:])
def test_examples_answer(words):
    if not shutil.which(str(words[0])):
        pytest.skip("%s is not installed" % words[0])
    result = ask(command(*words), 'Say "hi" \\ twice', "¿Dónde?", *["%d" % i for i in range(40)], flags=["--workers", "2"])
    assert result.status == 0, result
    assert result.answers == ['You said: Say "hi" \\ twice', "You said: ¿Dónde?"] + ["You said: %d" % i for i in range(40)]


def test_turn_has_the_fields_of_its_batch(tmp_path):
    one = dataset(batch("Q", "q9", ground_truth_assistant="T", agentic={"a": 1.50}, weight=2), session_id="s", context="C")
    keep = command("sh", "-c", 'read -r h; echo "{\\"type\\":\\"welcome\\",\\"protocol\\":1}"; read -r t; printf "%s\\n" "$t" >"$OUT"; echo "{\\"id\\":1,\\"answer\\":\\"x\\"}"')
    result = fairforge("run", "--dataset", "-", "--worker", keep, "--worker-env", "OUT=%s" % (tmp_path / "turn"), "--timeout", "60", stdin=[one])
    assert result.status == 0, result
    turn = json.loads((tmp_path / "turn").read_text())
    assert 0 < turn.pop("timeout_ms") <= 60000
    assert turn == {"type": "turn", "id": 1, "attempt": 0, "session": 0, "batch": 0, "batches": 1, "session_id": "s", "assistant_id": "target", "language": "english",
                    "context": "C", "qa_id": "q9", "query": "Q", "prompt": "Context:\nC\n\nQuestion: Q", "assistant": "", "ground_truth_assistant": "T", "observation": None,
                    "logprobs": {}, "agentic": {"a": 1.5}, "ground_truth_agentic": {}, "weight": 2.0}
    assert '"agentic":{"a":1.5' in (tmp_path / "turn").read_text()


def test_rich_reply_changes_the_batch_and_fills_the_record():
    result = ask(bad("rich"), "bad", flags=["--json"])
    turn = next(e for e in map(json.loads, result.err.splitlines()) if e["event"] == "turn")
    assert (turn["outcome"], turn["model"], turn["finish_reason"], turn["output_tokens"]) == ("truncated", "m-1", "length", 4), turn
    got = result.json["datasets"][0]["conversation"][0]
    assert (got["observation"], got["logprobs"], got["agentic"], got["assistant"]) == ("seen", {"a": [0.1]}, {"tools": ["t"]}, "a")


def test_failed_reply_keeps_its_batch():
    result = ask(bad("fail_batch"), "bad")
    got = result.json["datasets"][0]["conversation"][0]
    assert (got["observation"], got["assistant"]) == ("seen", "[ERROR] It broke."), result


WRONG = [  # mode, outcome, words of the sentence
    ("error", "http_5xx", "It broke."), ("no_answer", "bad_reply", "neither an answer nor an error"), ("both", "bad_reply", "both an answer and an error"),
    ("number", "bad_reply", "an answer that is no string"), ("null", "bad_reply", "neither an answer"), ("outcome", "bad_reply", "an outcome that an answer cannot have"),
    ("bad_batch", "bad_reply", "observation"), ("bad_usage", "bad_reply", "usage"), ("garbage", "bad_reply", "not a JSON object"), ("array", "bad_reply", "not a JSON object"),
    ("latin", "bad_reply", "not a JSON object"), ("unknown", "bad_reply", "was not given"),
    ("dataset_end", "bad_reply", "ended a dataset, and it was given turns"), ("text_id", "bad_reply", "without the id of a turn"),
    ("long_line", "bad_reply", "more than 64 MiB"), ("flood", "bad_reply", "not a JSON object"), ("die", "transport", "signal 9"), ("leave", "transport", "exit status 4"),
    ("half", "transport", "exit status 0"), ("close_output", "transport", "closed its standard output"),
]


@pytest.mark.parametrize("mode,outcome,words", WRONG, ids=[w[0] for w in WRONG])
def test_wrong_turn_fails_and_the_run_goes_on(mode, outcome, words):
    result = ask(bad(mode), "1", "2", "bad", "3", "bad", "4", flags=["--json"])
    assert result.status == 1, result
    events = [json.loads(line) for line in result.err.splitlines()]
    got = {(e["session_id"], e["outcome"]) for e in events if e["event"] == "turn"}
    assert got == {(s, "ok") for s in ("s0", "s1", "s3", "s5")} | {("s2", outcome), ("s4", outcome)}, result
    assert result.answers[0] == "ok 1" and result.answers[5] == "ok 4"
    assert result.answers[2].startswith("[ERROR] ") and words in result.answers[2], result


def test_last_words_are_told():
    assert "its last line on standard error: Traceback: it went" in ask(bad("leave"), "bad").answers[0]


@pytest.mark.parametrize("mode,capabilities", [("hang", {}), ("deaf", {}), ("hang_until_cancelled", {"cancel": True}), ("hang", {"cancel": True})],
                         ids=["hang", "deaf", "cancelled", "ignores cancel"])
def test_hung_turn_times_out_and_the_run_goes_on(mode, capabilities, tmp_path):
    pids = tmp_path / "pids"
    result = ask(bad(mode, **capabilities), "1", "bad", "2", flags=["--timeout", "1", "--json", "--worker-env", "PIDS=%s" % pids, "--concurrency", "1"])
    outcomes = [e["outcome"] for e in map(json.loads, result.err.splitlines()) if e["event"] == "turn"]
    if mode == "hang" and capabilities:  # the third waits for the answer to the cancel, and for its own time
        assert sorted(outcomes) == ["ok", "timeout", "timeout"], result
    else:
        assert sorted(outcomes) == (["ok", "ok", "transport"] if mode == "deaf" and "transport" in outcomes else ["ok", "ok", "timeout"]), result
    lines = pids.read_text().split("\n")
    if mode == "hang_until_cancelled":
        assert "cancelled" in lines and len([x for x in lines if x.isdigit()]) == 1, "the worker was replaced although it cancelled: %s" % lines
    assert all(is_gone(int(x)) for x in lines if x.isdigit())


def test_first_turn_times_out_long_before_the_run():
    flags = ["--timeout", "1", "--deadline", "%d" % (LIMIT_S // 2), "--json", "--concurrency", "1"]
    result = ask(bad("hang"), sessions=[["bad", "2"]], flags=flags)
    assert [e["outcome"] for e in map(json.loads, result.err.splitlines()) if e["event"] == "turn"] == ["timeout", "ok"], result


def test_other_turns_of_a_hung_worker_finish():
    """Retiring: a process with a hung turn and no cancel answers its other turns before it goes."""
    script = ("import json,sys,threading\ndef say(m): print(json.dumps(m), flush=True)\nheld=[]\nfor line in sys.stdin:\n m=json.loads(line)\n"
              " if m['type']=='hello': say({'type':'welcome','protocol':1,'concurrency':3})\n"
              " elif m['type']=='turn' and m['query']=='hang': pass\n"
              " elif m['type']=='turn' and m['query']=='slow': threading.Timer(2.5, say, [{'id':m['id'],'answer':'late'}]).start()\n"
              " elif m['type']=='turn': say({'id':m['id'],'answer':'ok'})\n")
    sets = [dataset(batch("hang"), session_id="h")] + [dataset(batch("slow"), session_id="w")] + [dataset(batch("x"), session_id="x%d" % i) for i in range(3)]
    result = fairforge("run", "--dataset", "-", "--worker", command(sys.executable, "-c", script), "--timeout", "3", "--concurrency", "2", "--no-adaptive", stdin=sets)
    assert result.answers[1:] == ["late", "ok", "ok", "ok"] and "timeout" in result.answers[0], result


def test_double_reply_is_ignored():
    result = ask(bad("twice"), "bad", "1", "2", flags=["--log-level", "info"])
    assert result.status == 0 and result.answers == ["first", "ok 1", "ok 2"], result
    assert "replied to 1 once more" in result.err


def test_flood_of_replies_does_not_flood_the_log():
    result = ask(bad("flood_replies"), "bad", "1", flags=["--log-level", "info"])
    assert result.status == 0 and result.answers == ["again and again", "ok 1"], result
    assert 50 <= result.err.count("once more") < 2000, "the log takes 100 lines at once and 20 a second"


def test_standard_error_goes_to_the_log_escaped_and_limited():
    result = ask(bad("leave"), "bad", flags=["--log-level", "info"])
    assert "Worker 0: Traceback: it went \\x1b[31mboom" in result.err, result
    assert "\x1b" not in result.err
    result = ask(bad("flood_errors"), "bad", "1", flags=["--log-level", "info"])
    assert result.answers == ["after the flood", "ok 1"]
    assert 100 <= result.err.count("Worker 0: line") < 2000, "the log takes 100 lines at once and 20 a second"
    assert ask(bad("flood_errors"), "bad").err.count("line") == 0, "by default the log shows warnings"


START = [  # worker, words
    ("./no_such_worker", "does not exist"), ("no-such-program-anywhere x", "was not found in PATH"), (bad("exit_at_once"), "exit status 3 before its welcome"),
    (bad("exit_at_once"), "no luck today"), (bad("refuse"), "The argument endpoint is missing."), (bad("protocol_2"), "speaks protocol 2"),
    (bad("chatty"), "Loading the model"), (bad("x", concurrency=0), "a concurrency that is no integer from 1 to 100000"), (bad("x", unit="all"), "unit"),
    (bad("x", ordered="yes"), "ordered"), ("true", "before its welcome"), ("cat", "of a type that the protocol does not have"), ("", "names no program"),
    ("python3 x.py | cat", "has | outside of single quotes"), ("python3 'x", "not closed"), ("python3 $HOME/x.py", "has $"),
    (command(HERE / "conftest.py"), "may not be executed"),
]


@pytest.mark.parametrize("worker,words", START, ids=range(len(START)))
def test_worker_that_cannot_start_is_found_before_the_first_turn(worker, words):
    for verb in ("run", "check"):
        result = fairforge(verb, "--dataset", "-", "--worker", worker, stdin=[dataset()])
        assert result.status == 64, result
        assert words in result.out + result.err, result
    assert fairforge("run", "--dataset", "-", "--worker", worker, stdin=[dataset()]).json["success"] is False


def test_worker_that_never_welcomes(tmp_path):
    pids = tmp_path / "pids"
    result = ask(bad("mute"), "1", flags=["--option", "connect_timeout_ms=700", "--worker-env", "PIDS=%s" % pids])
    assert result.status == 64 and "sent no welcome within 0.7 s" in result.err, result
    assert all(is_gone(int(x)) for x in pids.read_text().split())


def test_check_says_hello_and_stops(tmp_path):
    pids = tmp_path / "pids"
    result = fairforge("check", "--dataset", "-", "--worker", bad("x", concurrency=3), "--workers", "2", "--worker-env", "PIDS=%s" % pids, stdin=[dataset()])
    assert result.status == 0 and "worker" in result.out, result
    lines = pids.read_text().splitlines()
    assert [x for x in lines if x.isdigit()] and all(is_gone(int(x)) for x in lines if x.isdigit())


def test_hello_and_bye(tmp_path):
    pids = tmp_path / "pids"
    assert ask(bad("x"), "1", flags=["--worker-env", "PIDS=%s" % pids, "--concurrency", "7"]).status == 0
    lines = pids.read_text().splitlines()
    hello = json.loads(lines[1])
    assert (hello["type"], hello["protocol"], hello["worker"], hello["workers"], hello["start"], hello["concurrency"], hello["args"]) == ("hello", 1, 0, 1, 1, 7, {})
    assert lines[-1] == "bye"


def test_nothing_is_left_behind(tmp_path):
    pids = tmp_path / "pids"
    result = ask(bad("offspring"), "bad", "1", "bad", flags=["--workers", "2", "--worker-env", "PIDS=%s" % pids])
    assert result.status == 0, result
    numbers = [int(x) for x in pids.read_text().split("\n") if x.isdigit()]
    assert len(numbers) >= 3 and all(map(is_gone, numbers)), "left behind: %s" % [n for n in numbers if not is_gone(n)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_run_and_worker(tmp_path, number):
    pids = tmp_path / "pids"
    process = start("run", "--dataset", "-", "--worker", bad("hang"), "--worker-env", "PIDS=%s" % pids, "--json")
    process.stdin.write(json.dumps([dataset(batch("1"), batch("bad", "q2"))]).encode())
    process.stdin.close()
    while b'"turn"' not in process.stderr.readline():  # the first one was answered: the second hangs soon
        pass
    process.send_signal(number)
    process.stderr.readline()
    process.send_signal(number)
    process.stdin = None
    out, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + number
    answers = [b["assistant"] for b in json.loads(out)["datasets"][0]["conversation"]]
    assert answers[0] == "ok 1" and answers[1].startswith("[ERROR] ")
    assert all(is_gone(int(x)) for x in pids.read_text().split("\n") if x.isdigit())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("verb", ["run", "check"])
def test_interrupt_before_the_welcome_leaves_nothing(tmp_path, verb, number):
    """A model may take a minute to load: whoever gives up meanwhile must not find it loading on."""
    pids, out = tmp_path / "pids", tmp_path / "out.json"
    out.write_text("old")
    os.mkfifo(pids)
    flags = ["-o", str(out)] if verb == "run" else []
    process = start(verb, "--dataset", "-", "--worker", bad("mute"), "--worker-env", "PIDS=%s" % pids, *flags)
    process.stdin.write(json.dumps([dataset(batch("1"))]).encode())
    process.stdin.close()
    pid = int(pids.read_text())  # a FIFO: it has started
    process.send_signal(number)
    process.stdin = None
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + number, err
    assert is_gone(pid) and out.read_text() == "old" and sorted(p.name for p in tmp_path.iterdir()) == ["out.json", "pids"]


@pytest.mark.parametrize("verb", ["run", "check"])
def test_interrupt_while_workers_start_leaves_none(tmp_path, verb):
    """The signal comes when the first of many processes is there, and finds the others as they start."""
    request = tmp_path / "in.json"
    request.write_text(json.dumps([dataset(batch("1"))]))
    for attempt in range(4):
        worker = ["sleep", "7777.%d%02d" % (os.getpid(), attempt)]
        process = start(verb, "--dataset", str(request), "--worker", " ".join(worker), "--workers", "32")
        until = time.monotonic() + LIMIT_S
        while not running(worker) and time.monotonic() < until:
            pass
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 128 + signal.SIGINT, err
        until = time.monotonic() + LIMIT_S
        while running(worker) and time.monotonic() < until:
            time.sleep(0.01)
        left = running(worker)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, "%d workers are left behind" % len(left)


def test_end_of_input_is_enough_when_fairforge_is_killed(tmp_path):
    pids = tmp_path / "pids"
    process = start("run", "--dataset", "-", "--worker", bad("hang_until_cancelled"), "--worker-env", "PIDS=%s" % pids, "--json")
    process.stdin.write(json.dumps([dataset(batch("1"), batch("bad", "q2"))]).encode())
    process.stdin.close()
    while b'"turn"' not in process.stderr.readline():
        pass
    process.kill()
    process.stdin = None
    process.communicate(timeout=LIMIT_S)
    assert is_gone(int(pids.read_text().split()[0]), LIMIT_S), "the worker did not end with its input"


def test_environment_is_the_listed_one(tmp_path):
    script = "import json,os,sys\nfor line in sys.stdin:\n m=json.loads(line)\n print(json.dumps({'type':'welcome','protocol':1} if m['type']=='hello' else {'id':m['id'],'answer':json.dumps(dict(os.environ))}), flush=True)\n"
    env = {"SECRET_OF_OURS": "hidden", "GIVEN": "given", "LC_CTYPE": "C.UTF-8", "OPENAI_API_KEY": "sk-0123456789abcdef"}
    worker = command(sys.executable, "-c", script)
    one = [dataset(batch("1"))]
    result = fairforge("run", "--dataset", "-", "--worker", worker, "--worker-env", "GIVEN", "--worker-env", "SET=a=b", "--worker-env", "HOME=/elsewhere", stdin=one, env=env)
    got = json.loads(result.answers[0])
    assert (got["GIVEN"], got["SET"], got["HOME"], got["LANG"]) == ("given", "a=b", "/elsewhere", "C.UTF-8")
    assert "SECRET_OF_OURS" not in got and "OPENAI_API_KEY" not in got and "PATH" in got
    result = fairforge("run", "--dataset", "-", "--worker", worker, "--worker-env", "NOT_SET_AT_ALL", stdin=one)
    assert result.status == 64 and "NOT_SET_AT_ALL" in result.err, result


def test_secret_of_the_environment_is_masked_in_sentences():
    script = "import os,sys\nsys.stderr.write('key is '+os.environ['MY_KEY']+'\\n')\nsys.exit(1)"
    result = fairforge("run", "--dataset", "-", "--worker", command(sys.executable, "-c", script), "--worker-env", "MY_KEY=sk-0123456789abcdef", stdin=[dataset()])
    assert result.status == 64 and "[REDACTED]" in result.err and "sk-0123456789abcdef" not in result.err + result.out, result


def test_code_is_named_on_the_command_line_only():
    for member in ("worker", "workers", "worker_env"):
        result = fairforge("run", "-", stdin={"datasets": [dataset()], member: "cat"})
        assert result.status == 64 and "command line only" in result.out, result
        result = fairforge("run", "-", stdin={"datasets": [dataset()], "options": {member: "cat"}})
        assert result.status == 64, result
        result = fairforge("run", "--dataset", "-", "--worker", bad("x"), stdin=[dataset()], env={"FAIRFORGE_" + member.upper(): "cat"})
        assert result.status == 64 and "command line only" in result.err, result


@pytest.mark.parametrize("flags", [["--worker", "cat", "--connector", "openai"], ["--worker", "cat", "--model", "m"], ["--worker", "cat", "--param", "a=b"],
                                   ["--workers", "2", "--connector", "openai"], ["--worker", "cat", "--workers", "0"], ["--worker", "cat", "--workers", "257"],
                                   ["--worker", "cat", "--worker-env", "=x"]], ids=lambda f: " ".join(f[-2:]))
def test_contradictions(flags):
    assert fairforge("run", "--dataset", "-", *flags, stdin=[dataset()]).status == 64


def test_worker_beats_the_payloads_connector():
    payload = {"connector": {"class_path": "langchain_groq.chat_models.ChatGroq", "params": {"model": "m", "api_key": "k"}}, "datasets": [dataset(batch("1"))]}
    assert fairforge("run", "-", "--worker", bad("x"), stdin=payload).answers == ["ok 1"]


def test_retries_when_asked_for():
    assert ask(bad("retry"), "bad").status == 1
    result = ask(bad("retry"), "bad", flags=["--max-retries", "3", "--json"])
    turn = next(e for e in map(json.loads, result.err.splitlines()) if e["event"] == "turn")
    assert result.answers == ["at last"] and turn["attempts"] == 3, result
    result = ask(bad("limited"), "bad", "1")
    assert result.answers == ["[ERROR] Slow down.", "ok 1"], result


@pytest.mark.slow
def test_worker_that_cannot_come_back_fails_what_waits():
    """One that answered before it went is started again at once, and the pauses after that are shorter than those of one that never did."""
    result = ask(bad("once"), "0", "bad", "1", "2", flags=["--json", "--concurrency", "1", "--option", "order=input"])
    assert result.status == 1 and result.answers[0] == "ok 0", result
    assert result.answers[2] == result.answers[3] == "[ERROR] No worker could be started again; the log (--log-level info) says why.", result


def test_workers_share_the_turns(tmp_path):
    pids = tmp_path / "pids"
    result = ask(bad("x", concurrency=2), *["%d" % i for i in range(400)], flags=["--workers", "3", "--worker-env", "PIDS=%s" % pids, "--concurrency", "6", "--no-adaptive"])
    assert result.status == 0 and result.answers == ["ok %d" % i for i in range(400)], result
    assert len([x for x in pids.read_text().splitlines() if x.isdigit()]) == 3


def test_large_texts_go_both_ways():
    query = "ä\0\u2028" * 700000
    assert ask(bad("x"), query).answers == ["ok " + query]


def test_sticky_sessions_keep_their_process(tmp_path):
    worker = command(sys.executable, HERE / "memory_worker.py")
    flags = ["--workers", "3", "--worker-env", "ENDED=%s" % (tmp_path / "ended"), "--concurrency", "8", "--no-adaptive"]
    result = ask(worker, sessions=[["a", "b", "c", "d"]] * 9, flags=flags)
    assert result.status == 0, result
    homes = set()
    for d in result.json["datasets"]:
        answers = [b["assistant"].split() for b in d["conversation"]]
        assert [a[0] for a in answers] == ["1", "2", "3", "4"] and len({a[1] for a in answers}) == 1, answers
        homes.add(answers[0][1])
    assert len(homes) == 3
    assert sorted((tmp_path / "ended").read_text().split(), key=int) == [str(i) for i in range(9)]


def test_sticky_session_ends_with_its_process(tmp_path):
    worker = command(sys.executable, HERE / "memory_worker.py")
    result = ask(worker, sessions=[["a", "die", "c", "d"], ["e"]], flags=["--worker-env", "ENDED=%s" % (tmp_path / "ended"), "--concurrency", "1"])
    answers = result.answers
    assert answers[0].startswith("1 ") and "exit status 1" in answers[1] and answers[4].startswith("1 "), result
    assert all("remembered this session is gone" in a for a in answers[2:4]), result


def test_whole_datasets():
    worker = bad("x", unit="dataset", ordered=True, concurrency=2)
    result = ask(worker, sessions=[["a", "b", "c"], ["d"], ["e", "f"]])
    assert result.status == 0 and result.answers == ["ok " + q for q in "abcdef"], result


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("mode,outcome,words,all_after", [("stop", "http_5xx", "ValueError: it stopped.", True), ("forget", "bad_reply", "without a reply for this batch", False),
                                                         ("leave", "transport", "exit status 4", True), ("hang", "timeout", "timeout", True)])
def test_dataset_that_fails(mode, outcome, words, all_after, ordered):
    worker = bad(mode, unit="dataset", ordered=ordered)
    result = ask(worker, sessions=[["a", "bad", "c"], ["d", "e"]], flags=["--timeout", "2", "--json"])
    outcomes = {(e["session_id"], e["qa_id"]): e["outcome"] for e in map(json.loads, result.err.splitlines()) if e["event"] == "turn"}
    assert result.answers[0] == "ok a" and result.answers[3:] == ["ok d", "ok e"], result
    assert outcomes["s0", "q1"] == outcome and words in result.answers[1], result
    assert (outcomes["s0", "q2"] != "ok") == all_after, result


def test_dataset_is_tried_again_without_what_was_answered():
    result = ask(bad("retry", unit="dataset", ordered=True), sessions=[["a", "bad", "c"]], flags=["--max-retries", "3"])
    assert result.answers == ["ok a", "at last", "ok c"], result


def test_start_notice_names_the_worker():
    result = ask(bad("x"), "1")
    assert "Turns are answered by the worker" in result.err and "(bad)" in result.err, result


CONFORMING = [["sh", EXAMPLES / "echo.sh"], [sys.executable, EXAMPLES / "echo.py"], ["node", EXAMPLES / "echo.js"], [sys.executable, HERE / "memory_worker.py"],
              [sys.executable, HERE / "bad_worker.py", "x", 'unit="dataset"']]


@pytest.mark.parametrize("words", CONFORMING, ids=lambda w: pathlib.Path(w[1]).name)
def test_conformance(words, tmp_path):
    if not shutil.which(str(words[0])):
        pytest.skip("%s is not installed" % words[0])
    result = conformance(*words, env={"ENDED": str(tmp_path / "ended")})
    assert result.returncode == 0, result.stdout
    assert "9 of 9 rules" in result.stdout


def conformance(*words, env=None):
    return subprocess.run([sys.executable, str(ROOT / "tools" / "worker_conformance.py"), "--timeout", "30", "--query", "bad", "--", *map(str, words)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT_S, check=False, env={**os.environ, **(env or {})})


@pytest.mark.parametrize("mode,words", [("number", "no string"), ("unknown", "which it was not given"), ("leave", "it ended"), ("chatty", "not JSON"),
                                        ("both", "both an answer and an error"), ("twice", "FAIL")])
def test_conformance_finds_what_is_wrong(mode, words):
    result = conformance(sys.executable, HERE / "bad_worker.py", mode)
    assert result.returncode == 1 and words in result.stdout, result.stdout
