"""Bad input, each kind: one clear sentence, the right exit status, no crash, nothing lost."""
import json
import os
import resource
import subprocess

import pytest

from conftest import KEY, batch, closed_port, dataset, fairforge, payload, start
from peer import Peer, Raw, Reset, Silence, chat, reply

NOWHERE = "http://127.0.0.1:1"
OK = reply(200, chat("ok"))


def refused(stdin, status, *words, flags=(), env=None):
    """The run ends with `status`, an answer {"success": false, "error": ...} on stdout, and the words in the error."""
    result = fairforge("run", *flags, "-", stdin=stdin, env=env)
    assert result.status == status, result
    assert result.json["success"] is False, result
    for word in words:
        assert word.lower() in result.json["error"].lower(), "%r is not named: %r" % (word, result)
    assert "Traceback" not in result.err and KEY not in result.err + result.out
    return result


@pytest.mark.parametrize("text, words", [
    ('{"a": ', ["line 1", "column"]),
    ('{"datasets": [}', ["line 1, column 15"]),
    ("{'a': 1}", ["line 1, column 2"]),
    ('{"a": NaN}', ["line 1, column 7"]),
    ('{"a": 01}', ["line 1"]),
    ('{"a": "\x01"}', ["control character"]),
    ("", ["empty"]),
    ("[" * 200 + "]" * 200, ["128"]),
    ('{"a":\n\n  tru}', ["line 3, column"]),
])
def test_broken_json(text, words):
    refused(text, 65, *words)


def test_invalid_utf8():
    refused(b'{"a": "\xff"}', 65, "UTF-8")


def test_depth_bomb():
    refused("[" * 1000000, 65, "depth")


def test_size_cap_is_named():
    refused(json.dumps(payload(NOWHERE)), 65, "max-input-bytes", flags=["--max-input-bytes", "100"])


@pytest.mark.parametrize("change, pointer", [
    (lambda d: d.pop("session_id"), "/datasets/0/session_id"),
    (lambda d: d.update(context=None), "/datasets/0/context"),
    (lambda d: d.update(conversation="x"), "/datasets/0/conversation"),
    (lambda d: d["conversation"][0].pop("qa_id"), "/datasets/0/conversation/0/qa_id"),
    (lambda d: d["conversation"][0].update(query=5), "/datasets/0/conversation/0/query"),
    (lambda d: d["conversation"][0].update(weight=-1), "/datasets/0/conversation/0/weight"),
    (lambda d: d["conversation"][0].update(agentic=[]), "/datasets/0/conversation/0/agentic"),
])
def test_wrong_dataset(change, pointer):
    bad = dataset()
    change(bad)
    with Peer([OK]) as peer:
        refused(payload(peer.url, bad), 65, pointer)
        assert not peer.requests, "a request went out although a dataset is invalid"


def test_all_problems_at_once():
    bad = dataset(batch())
    del bad["context"], bad["conversation"][0]["query"]
    result = refused(payload(NOWHERE, dataset(), bad), 65, "/datasets/1/context", "/datasets/1/conversation/0/query")
    assert "/datasets/0" not in result.json["error"]


def test_no_datasets():
    assert refused({"connector": {}}, 65).json["error"] == "No datasets provided"


@pytest.mark.parametrize("connector, words", [
    ({"class_path": "no.such.Class", "params": {"model": "m"}}, ["no.such"]),
    ({"params": {"model": "m"}}, ["connector.class_path is required"]),
    ({"class_path": "langchain_openai.ChatOpenAI", "params": {"model": "m", "bogus": 1, "api_key": KEY}}, ["bogus"]),
    ({"class_path": "langchain_openai.ChatOpenAI", "params": {"model": "m"}}, ["OPENAI_API_KEY"]),
    ({"class_path": "langchain_groq.ChatGroq", "params": {"api_key": KEY}}, ["model"]),
    ({"class_path": "langchain_openai.ChatOpenAI", "params": {"model": "m", "api_key": "sk-with\nnewline-0123"}}, ["key"]),
    ({"class_path": "langchain_openai.ChatOpenAI", "params": {"model": "m", "api_key": KEY, "default_headers": {"X-A": "a\r\nX-B: b"}}}, ["X-A"]),
    ({"class_path": "langchain_openai.ChatOpenAI", "params": {"model": "m", "api_key": KEY, "default_headers": {"Content-Length": "1"}}},
     ["Content-Length"]),
    ({"class_path": "langchain_openai.ChatOpenAI", "params": {"model": "m", "api_key": KEY, "base_url": "not a url"}}, ["base_url"]),
    ({"class_path": "langchain_openai.ChatOpenAI", "params": {"model": "m", "api_key": KEY, "base_url": "http://example.com/v1"}}, ["--allow-http"]),
])
def test_wrong_connector(connector, words):
    result = refused({"connector": connector, "datasets": [dataset()]}, 64, *words)
    assert "sk-with" not in result.out + result.err


def test_unknown_option_and_wrong_value():
    refused(payload(NOWHERE, options={"concurency": 4}), 64, "concurency", "concurrency")
    refused(payload(NOWHERE, options={"concurrency": 0}), 64, "/options/concurrency")
    refused(payload(NOWHERE), 64, "FAIRFORGE_CONCURRENCY", env={"FAIRFORGE_CONCURRENCY": "many"})


def failed(peer_replies, outcome_words, status=1, **params):
    """One turn that fails: its answer starts with [ERROR] and names the words."""
    with Peer(peer_replies) as peer:
        result = fairforge("run", "-", "--json", stdin=payload(peer.url, params=params))
    assert result.status == status, result
    (answer,) = result.answers
    assert answer.startswith("[ERROR] "), result
    for word in outcome_words:
        assert word.lower() in answer.lower(), "%r is not named: %r" % (word, result)
    assert KEY not in result.out + result.err
    return next(json.loads(line) for line in result.err.splitlines() if '"turn"' in line)


@pytest.mark.parametrize("replies, words, outcome, status", [
    ([reply(200, "<html>hello</html>", {"Content-Type": "text/html"})], ["HTML"], "bad_reply", 1),
    ([reply(200, "")], ["empty"], "bad_reply", 1),
    ([reply(200, '{"choices": [')], [], "bad_reply", 1),
    ([reply(200, {"id": 1})], ["choices"], "bad_reply", 1),
    ([reply(404, {"error": {"message": "no such model"}})], ["404", "no such model"], "http_4xx", 77),
    ([reply(302, "", {"Location": "http://elsewhere.test/"})], ["302", "elsewhere.test"], "http_4xx", 1),
    ([reply(429, {"error": {"message": "slow down"}})], ["429", "slow down"], "rate_limited", 1),
    ([reply(500, "oops", {"Content-Type": "text/plain"})], ["500", "oops"], "http_5xx", 1),
    ([Raw(b"garbage that is not HTTP\r\n\r\n")], [], "transport", 69),
    ([Raw(b"")], [], "transport", 69),
    ([Reset()], [], "transport", 69),
    ([Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"choices\"")], [], "transport", 1),
    ([Raw(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")], [], "bad_reply", 1),
])
def test_what_a_server_can_do_wrong(replies, words, outcome, status):
    assert failed(replies, words, status)["outcome"] == outcome


def test_no_answer_and_silence_in_the_middle():
    assert failed([Silence()], ["200 ms"], status=69, timeout=0.2)["outcome"] == "timeout"
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"
    assert failed([Silence(half)], [], timeout=0.2)["outcome"] == "timeout"


def test_body_without_end():
    """An endless stream meets the cap on the reply's size, not the end of memory."""
    chunk = b"data: " + b"x" * 65530 + b"\n\n"
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + chunk * 1200
    event = failed([Raw(endless)], [], streaming=True)
    assert event["outcome"] in ("bad_reply", "transport"), event


def test_unreachable_and_unknown_hosts():
    with closed_port() as port:
        result = fairforge("run", "-", stdin=payload("http://127.0.0.1:%d" % port))
    assert result.status == 69 and "refused" in result.answers[0], result
    result = fairforge("run", "-", stdin=payload("http://no-such-host.localhost.invalid", params={}), env={"FAIRFORGE_ALLOW_HTTP": "1"})
    assert result.status == 69 and "no-such-host" in result.answers[0], result


def test_international_host_names():
    """They convert by the locale; where the locale cannot, the sentence says what to write instead (it said "Out of memory.")."""
    with Peer([OK]) as peer:
        request = payload(peer.url.replace("127.0.0.1", "b\u00fccher.localhost"))
        result = fairforge("run", "-", stdin=request)
        assert result.status == 0 and "xn--bcher-kva.localhost" in result.err, result
    refused(request, 64, "xn--", env={"LANG": "C"})
    refused(payload("https://" + "\u00fc" * 100 + ".test"), 64, "xn--")


def test_unspecified_address_is_this_machine():
    with Peer([OK]) as peer:
        assert fairforge("run", "-", stdin=payload(peer.url.replace("127.0.0.1", "0.0.0.0"))).status == 0


def test_broken_documents_are_named_once(tmp_path):
    """Of several datasets it is said which are broken, each name once; the sentence never begins with nothing."""
    files = [tmp_path / n for n in ("good.json", "bad1.json", "bad2.jsonl")]
    for file, text in zip(files, (json.dumps(dataset()), '{"a":', "not json\n")):
        file.write_text(text)
    flags = ["--connector", "openai", "--model", "m", "--param", "api_key=" + KEY]
    for count, words in ((2, []), (3, ["2 problems:"])):
        chosen = [part for file in files[:count] for part in ("--dataset", file)]
        result = fairforge("run", *chosen, *flags)
        assert result.status == 65 and not result.json["error"].startswith(" "), result
        for word in words + ["%s: The input is not valid JSON" % file for file in files[1:count]]:
            assert result.json["error"].count(word) == 1, (word, result)
            assert result.err.count(word) == 1, (word, result)
        for file in files[1:count]:
            assert fairforge("check", *chosen, *flags).out.count(str(file)) == 1


def test_some_turns_fail_and_the_rest_is_kept():
    with Peer([OK, reply(400, {"error": {"message": "bad"}}), OK]) as peer:
        three = dataset(batch("a", "1"), batch("b", "2"), batch("c", "3"))
        result = fairforge("run", "-", "--concurrency", "1", "--no-adaptive", stdin=payload(peer.url, three))
    assert result.status == 1, result
    assert [a.startswith("[ERROR] ") for a in result.answers] == [False, True, False]
    assert (result.json["summaries"][0]["successes"], result.json["summaries"][0]["failures"]) == (2, 1)


def test_dispatch_stops_when_everything_is_refused():
    with Peer([reply(401, {"error": {"message": "wrong key"}})]) as peer:
        sets = [dataset(batch("q%d" % i), session_id="s%d" % i) for i in range(200)]
        result = fairforge("run", "-", "--concurrency", "4", "--no-adaptive", stdin=payload(peer.url, *sets))
        assert len(peer.requests) <= 24, "%d requests went out although all were refused" % len(peer.requests)
    assert result.status == 77, result
    assert len(result.answers) == 200 and all(a.startswith("[ERROR] ") for a in result.answers)


def test_deadline_marks_the_rest():
    with Peer([OK, Silence()]) as peer:
        three = dataset(batch("a", "1"), batch("b", "2"), batch("c", "3"))
        result = fairforge("run", "-", "--concurrency", "1", "--no-adaptive", "--option", "order=input", "--deadline", "1", stdin=payload(peer.url, three))
    assert result.status == 75, result
    assert result.answers[0] == "ok" and result.answers[2] == "[ERROR] not run: deadline", result


def test_output_that_cannot_be_written(tmp_path):
    with Peer([OK]) as peer:
        result = fairforge("run", "-", "-o", tmp_path / "no" / "such" / "out.json", stdin=payload(peer.url))
        assert result.status == 73 and "out.json" in result.err, result
        assert not peer.requests, "a request was paid for although the answer has nowhere to go"
        if os.path.exists("/dev/full"):
            process = start("run", "-", stdout=os.open("/dev/full", os.O_WRONLY))
            _, err = process.communicate(json.dumps(payload(peer.url)).encode(), timeout=60)
            assert process.returncode == 73 and b"standard output" in err, err


def test_closed_stdout(tmp_path):
    with Peer([OK]) as peer:
        request = tmp_path / "p.json"
        request.write_text(json.dumps(payload(peer.url)))
        process = subprocess.run(["sh", "-c", '"$0" run "$1" >&-', *map(str, (_binary(), request))], capture_output=True, check=False, timeout=60)
        assert process.returncode == 73 and b"standard output" in process.stderr, process


def _binary():
    from conftest import BINARY
    return BINARY


def test_wrong_extension_and_missing_file(tmp_path):
    assert fairforge("run", "-", "-o", tmp_path / "out.xml", stdin=payload(NOWHERE)).status == 64
    result = fairforge("run", tmp_path / "nothing.json")
    assert result.status == 65 and "nothing.json" in result.err, result
    assert fairforge("run", tmp_path).status == 65


def test_no_descriptors_left():
    with Peer([OK]) as peer:
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
        sets = [dataset(batch("q%d" % i), session_id="s%d" % i) for i in range(50)]
        result = fairforge("run", "-", "--concurrency", "200", "--no-adaptive", stdin=payload(peer.url, *sets), preexec_fn=limit)
        assert result.status == 64 and "descriptor" in (result.err + result.out), result
        result = fairforge("run", "-", "--concurrency", "4", stdin=payload(peer.url, *sets), preexec_fn=limit)
        assert result.status == 0, result


@pytest.mark.parametrize("command, limit", [(c, n) for n in range(5, 13) for c in ("run", "check", "mock") if c != "mock" or n < 11])
def test_hardly_any_descriptors(command, limit):
    """At some number of descriptors a library would rather abort: none of them may end us by a signal."""
    def tight():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    flags = ["--port", "0"] if command == "mock" else ["-", "--concurrency", "1"]
    result = fairforge(command, *flags, stdin=payload(NOWHERE), preexec_fn=tight)
    assert result.status not in (0, 1) and result.err + result.out, result


def test_file_size_limit(tmp_path):
    """SIGXFSZ would end the run and leave the file beside; the other output still gets every answer."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
    with Peer([OK]) as peer:
        sets = [dataset(batch("x" * 10000), session_id="s%d" % i) for i in range(20)]
        result = fairforge("run", "-", "-o", tmp_path / "a.json", stdin=payload(peer.url, *sets), preexec_fn=limit)
    assert result.status == 73 and "a.json cannot be written" in result.err, result
    assert os.listdir(tmp_path) == [], "nothing is left behind"


def test_duplicate_keys_and_long_strings_are_no_errors():
    text = json.dumps(payload("@")).replace('"session_id": "s1"', '"session_id": "old", "session_id": "s1"')
    with Peer([OK]) as peer:
        text = text.replace("@/v1", peer.url + "/v1")
        result = fairforge("run", "-", stdin=text)
        assert result.status == 0 and result.json["datasets"][0]["session_id"] == "s1", result
        result = fairforge("check", "-", stdin=text)
        assert result.status == 0 and "session_id" in result.out + result.err and "duplicate" in (result.out + result.err).lower(), result
        result = fairforge("run", "-", stdin=payload(peer.url, dataset(batch("x" * 10_000_000))))
        assert result.answers == ["ok"]


def test_lone_surrogate_is_replaced_with_a_warning():
    with Peer([OK]) as peer:
        text = json.dumps(payload(peer.url, dataset(batch("@")))).replace('"@"', '"\\ud800"')
        result = fairforge("run", "-", stdin=text)
        assert result.status == 0 and result.json["datasets"][0]["conversation"][0]["query"] == "\ufffd", result
        assert "surrogate" in result.err, result
