"""The command line: help, tables, unknown words, progress, events."""
import json
import os
import pty

import pytest

from conftest import KEY, batch, dataset, environment, fairforge, payload, start, BINARY
from peer import Peer, chat, reply

OK = reply(200, chat("ok"))
COMMANDS = ["run", "check", "connectors", "mock", "serve", "help"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_one_screen_and_shows_an_example(command):
    for words in ([command, "--help"], ["help", command]):
        result = fairforge(*words)
        assert result.status == 0 and result.err == "", result
        lines = result.out.splitlines()
        assert len(lines) <= 50 and max(map(len, lines)) <= 110, "%s: %d lines" % (words, len(lines))
        assert "fairforge " + command in result.out and "xample" in result.out, result


def test_bare_call_and_version():
    assert fairforge().status == 64
    result = fairforge("--help")
    assert result.status == 0 and all(c in result.out for c in COMMANDS)
    result = fairforge("--version")
    assert result.status == 0 and "fairforge 0." in result.out and "libcurl" in result.out and "libuv" in result.out


@pytest.mark.parametrize("args, word", [
    (["rnu"], "run"), (["resume", "x"], "resume"), (["run", "--concurency", "3"], "--concurrency"), (["run", "--rpm", "3"], "--rpm"),
    (["run", "--history", "replies"], "--history"), (["run", "--journal", "x"], "--journal"), (["check", "--probe"], "--probe"),
    (["run", "-", "--concurrency", "many"], "concurrency"), (["run", "--concurrency"], "concurrency"), (["run", "a", "b"], "b"),
    (["run", "-", "--connector", "nobody"], "nobody"), (["connectors", "nobody"], "nobody"), (["help", "nobody"], "nobody"), (["mock", "--nope"], "--nope"),
])
def test_wrong_words_are_named(args, word):
    result = fairforge(*args, stdin=payload("http://127.0.0.1:1"))
    assert result.status == 64 and word in result.err, result


def test_exit_code_table():
    result = fairforge("help", "exit-codes")
    assert result.status == 0
    for code in (0, 1, 64, 65, 69, 70, 73, 75, 77, 129, 130, 143):
        assert any(line.split()[:1] == [str(code)] for line in result.out.splitlines()), "%d is not in the table: %r" % (code, result)


@pytest.mark.parametrize("name", ["openai", "ChatGroq", "langchain_google_genai.chat_models.ChatGoogleGenerativeAI", "langchain_ollama.ChatOllama"])
def test_connector_tables(name):
    result = fairforge("connectors", name)
    assert result.status == 0 and "model" in result.out and "temperature" in result.out, result
    assert json.loads(fairforge("connectors", name, "--json").out)


def test_connectors_lists_all():
    result = fairforge("connectors")
    assert all(n in result.out for n in ("ChatOpenAI", "ChatGroq", "ChatGoogleGenerativeAI", "ChatOllama"))


def test_check_finds_everything_and_sends_nothing():
    bad = dataset(batch())
    del bad["context"]
    with Peer([OK]) as peer:
        result = fairforge("check", "-", stdin=payload(peer.url, bad, params={"bogus": 1}))
        assert result.status != 0 and "/datasets/0/context" in result.out + result.err and "bogus" in result.out + result.err, result
        result = fairforge("check", "-", stdin=payload(peer.url))
        assert result.status == 0, result
        result = fairforge("check", "--json", "-", stdin=payload(peer.url, bad))
        problems = json.loads(result.out)["problems"]
        assert problems and {"pointer", "text", "severity"} <= set(problems[0])
        assert not peer.requests


def test_warning_for_names_that_are_dropped():
    request = {"connector": {"class_path": "langchain_ollama.ChatOllama", "params": {"model": "m", "max_tokens": 5}}, "datasets": [dataset()]}
    result = fairforge("check", "-", stdin=request)
    assert result.status == 0 and "max_tokens" in result.out + result.err, result


def test_origin_of_the_key_is_said():
    with Peer([OK]) as peer:
        result = fairforge("run", "-", stdin=payload(peer.url))
        assert peer.url in result.err, result
        assert fairforge("run", "-", "--quiet", stdin=payload(peer.url)).err == ""


def test_events():
    with Peer([OK]) as peer:
        result = fairforge("run", "-", "--json", stdin=payload(peer.url, dataset(batch("a", "1"), batch("b", "2"))))
    events = [json.loads(line) for line in result.err.splitlines()]
    assert events[0]["event"] == "start" and events[-1]["event"] == "end", events
    turns = [e for e in events if e["event"] == "turn"]
    assert [t["qa_id"] for t in turns] == ["1", "2"] or [t["qa_id"] for t in turns] == ["2", "1"]
    assert all(t["outcome"] == "ok" and t["session_id"] == "s1" and t["execution_ms"] > 0 and t["answer"] == "ok" for t in turns)
    assert events[-1]["succeeded"] == 2 and events[-1]["failed"] == 0


def test_document_is_compact_in_a_pipe_and_indented_on_a_terminal():
    """The same document; on a terminal nothing of an answer moves its cursor or turns its text around."""
    nasty = "\x1b]0;x\x07\x9b2J\u202egnp.\x7f \u00fc\U0001f64f" * 9000
    with Peer([reply(200, chat(nasty))]) as peer:
        request = json.dumps(payload(peer.url)).encode()
        assert fairforge("run", "-", stdin=request).out.count("\n") <= 1
        main, side = pty.openpty()
        process = start("run", "-", "--quiet", stdout=side)
        os.close(side)
        process.stdin.write(request)
        process.stdin.close()
        text = _read_all(main)
        process.wait(60)
        process.stderr.close()
    assert text.count(b"\n") > 10 and json.loads(text)["success"] is True
    assert json.loads(text)["datasets"][0]["conversation"][0]["assistant"] == nasty
    for bad in ("\x1b", "\x07", "\x9b", "\u202e", "\x7f"):
        assert bad not in text.decode(), "%r reached the terminal" % bad


def _read_all(fd):
    text = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:  # EIO: the other side is closed
            piece = b""
        if not piece:
            os.close(fd)
            return text
        text += piece


@pytest.mark.parametrize("no_color", [False, True])
def test_progress_on_a_terminal(no_color):
    main, side = pty.openpty()
    with Peer([OK]) as peer:
        sets = [dataset(batch("q%d" % i), session_id="s%d" % i) for i in range(30)]
        env = {"TERM": "xterm-256color", **({"NO_COLOR": "1"} if no_color else {})}
        process = start("run", "-", env=env, stderr=side)
        os.close(side)
        process.stdin.write(json.dumps(payload(peer.url, *sets)).encode())
        process.stdin.close()
        process.stdout.read()
        text = _read_all(main).decode()
        assert process.wait(60) == 0
    assert "30" in text and "\r" in text, text
    if no_color:
        assert "\x1b[3" not in text and "\x1b[9" not in text, "colours in spite of NO_COLOR: %r" % text


def test_plain_lines_elsewhere():
    with Peer([OK]) as peer:
        result = fairforge("run", "-", stdin=payload(peer.url))
    assert "\r" not in result.err and "\x1b" not in result.err and "1" in result.err.splitlines()[-1], result


def test_no_journal_is_accepted_and_journal_is_not():
    with Peer([OK]) as peer:
        assert fairforge("run", "-", "--no-journal", "--no-adaptive", stdin=payload(peer.url)).status == 0
        assert fairforge("run", "-", "--journal", "x", stdin=payload(peer.url)).status == 64


def test_environment_default_connector():
    with Peer([OK]) as peer:
        connector = payload(peer.url)["connector"]
        result = fairforge("run", "-", stdin={"datasets": [dataset()]}, env={"FAIRFORGE_CONNECTOR": json.dumps(connector)})
        assert result.status == 0 and result.answers == ["ok"], result


def test_binary_is_the_one_under_test():
    assert os.access(BINARY, os.X_OK), "%s is not there: ./dev build" % BINARY
    assert environment()["LANG"] == "C.UTF-8" and KEY
