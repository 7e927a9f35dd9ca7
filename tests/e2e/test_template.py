"""--connector http: a service of the user's own, asked by a template, over real sockets."""
import json
import re
import shlex
import shutil
import threading
import urllib.parse

import pytest

from conftest import ROOT, batch, dataset, fairforge
from peer import Peer, Raw, reply

HOSTILE = "\"}],\"x\":{{query}} \\ \n\r\t\x01 {{'{{'}} é 👍 </q> & ' %41?a=b#c/.."


def template(url, *datasets, **params):
    return {"connector": {"class_path": "fairforge.http", "params": {"url": url, "max_retries": 0, **params}},
            "datasets": list(datasets) or [dataset()]}


def body(request):
    return json.loads(request["body"])


def test_values_land_as_values():
    """Quotes, line breaks and braces of a query are never syntax: not in the URL, not in a header, not in the body."""
    seen = []

    def answer(request):
        seen.append(request)
        return reply(200, {"answer": {"text": "back: " + body(request)["q"]}})

    with Peer([answer]) as peer:
        request = template(peer.url + "/ask/{{session_id}}?q={{query}}&lang={{language}}", dataset(batch(HOSTILE, agentic={"n": 1.5, "o": {"k": ["v"]}})),
                           headers={"X-Session": "s {{session_id}}", "X-Qa": "{{qa_id}}"}, answer="/answer/text",
                           body={"q": "{{query}}", "p": "<{{prompt}}>", "raw": "{{json:agentic.o}}", "n": "{{json:agentic.n}}", "list": ["{{context}}", 1.50, None]})
        result = fairforge("run", "-", stdin=request)
    assert result.status == 0 and result.answers == ["back: " + HOSTILE], result
    sent = seen[0]
    target = urllib.parse.urlsplit(sent["target"])
    assert target.path == "/ask/s1" and urllib.parse.parse_qs(target.query) == {"q": [HOSTILE], "lang": ["english"]}
    assert sent["headers"]["x-session"] == "s s1" and sent["headers"]["x-qa"] == "q1" and sent["headers"]["content-type"] == "application/json"
    assert body(sent) == {"q": HOSTILE, "p": "<" + HOSTILE + ">", "raw": {"k": ["v"]}, "n": 1.5, "list": ["", 1.5, None]}


def test_a_value_that_cannot_be_sent_fails_its_turn_alone():
    with Peer([reply(200, {"a": "ok"})]) as peer:
        request = template(peer.url, dataset(batch("a\r\nEvil: 1", "q1"), batch("fine", "q2"), batch("none", "q3", agentic={"x": 1})),
                           headers={"X-Q": "{{query}}", "X-A": "{{agentic.x?}}"}, answer="/a")
        result = fairforge("run", "-", stdin=request)
        assert len(peer.requests) == 2, "the turn with the line break must not be sent"
    assert result.status == 1 and result.answers[1:] == ["ok", "ok"], result
    assert result.answers[0] == "[ERROR] HTTP template: the header X-Q cannot carry the value of {{query}}: it has a line break."


def test_a_turn_that_is_not_sent_counts_as_failed():
    request = template("http://127.0.0.1:9", dataset(batch("a", "q1"), batch("b", "q2")), body={"x": "{{agentic.x}}"}, answer="/a")
    result = fairforge("run", "-", "--quiet", stdin=request)
    assert result.status == 1 and all("the batch has no such member" in a for a in result.answers), result
    assert result.err == "fairforge: error: 2 of 2 turns failed.\n"


class Service:
    """Logs in with user and password; keeps a conversation a session and counts its turns. Tokens of `expire` are refused once, at the second turn."""

    def __init__(self, expire=()):
        self.lock, self.logins, self.turns, self.expire, self.active = threading.Lock(), {}, {}, set(expire), {}

    def __call__(self, request):
        with self.lock:
            if request["target"].startswith("/login/"):
                return self.login(request)
            return self.ask(request)

    def login(self, request):
        session = request["target"].rsplit("/", 1)[1]
        sent = body(request)
        if sent["password"] != "p-ss-0123456789":
            return reply(403, {"error": {"message": "wrong password " + sent["password"]}})
        self.logins[session] = self.logins.get(session, 0) + 1
        return reply(200, {"token": "tok-%s-%d-0123456789" % (session, self.logins[session])}, {"Set-Cookie": "sid=%s; Path=/" % session})

    def ask(self, request):
        sent = body(request)
        session = sent["session"]
        token = "Bearer tok-%s-%d-0123456789" % (session, self.logins.get(session, 0))
        if request["headers"].get("authorization") != token or request["headers"].get("cookie") != "sid=" + session:
            return reply(401, {"error": {"message": "not your token: %s" % request["headers"].get("authorization")}})
        turn = self.turns.get(session, 0)
        if session in self.expire and turn == 1:
            self.expire.remove(session)
            return reply(401, {"error": {"message": "expired"}})
        want = None if turn == 0 else "conv-" + session
        if sent["conversation"] != want:
            return reply(400, {"error": {"message": "conversation is %r instead of %r" % (sent["conversation"], want)}})
        self.turns[session] = turn + 1
        return reply(200, {"answer": "%s turn %d: %s" % (session, turn, sent["q"]), "conversation": "conv-" + session})


def with_sessions(url, *datasets, password="{{env.PASSWORD}}", **login):
    return template(url + "/ask", *datasets, answer="/answer", error="/error/message", capture={"conv": "/conversation"},
                    headers={"Authorization": "Bearer {{captured.token}}", "Cookie": "sid={{captured.sid}}"},
                    body={"session": "{{session_id}}", "q": "{{query}}", "conversation": "{{json:captured.conv}}"},
                    login={"url": url + "/login/{{session_id}}", "body": {"user": "{{assistant_id}}", "password": password},
                           "capture": {"token": "/token", "sid": {"cookie": "sid"}}, "error": "/error/message", **login})


def test_every_session_logs_in_once_and_keeps_its_conversation():
    service = Service()
    sets = [dataset(*[batch("q%d" % i, "q%d" % i) for i in range(5)], session_id="s%d" % n) for n in range(20)]
    with Peer([service]) as peer:
        result = fairforge("run", "-", "--concurrency", "16", "--no-adaptive", stdin=with_sessions(peer.url, *sets), env={"PASSWORD": "p-ss-0123456789"})
    assert result.status == 0, result
    assert result.answers == ["s%d turn %d: q%d" % (n, i, i) for n in range(20) for i in range(5)]
    assert service.logins == {"s%d" % n: 1 for n in range(20)}, "one login a session"
    assert "Variables of the environment go to http://127.0.0.1:" in result.err, result


def test_an_expired_token_is_renewed():
    service = Service(expire=["s1"])
    sets = [dataset(batch("a", "q1"), batch("b", "q2"), session_id=s) for s in ("s1", "s2")]
    with Peer([service]) as peer:
        result = fairforge("run", "-", stdin=with_sessions(peer.url, *sets, renew=[401]), env={"PASSWORD": "p-ss-0123456789"})
    assert result.status == 0 and result.answers == ["s1 turn 0: a", "s1 turn 1: b", "s2 turn 0: a", "s2 turn 1: b"], result
    assert service.logins == {"s1": 2, "s2": 1}


def test_a_refused_login_fails_its_session_once():
    service = Service()
    sets = [dataset(batch("a", "q1"), batch("b", "q2"), batch("c", "q3"))]
    with Peer([service]) as peer:
        result = fairforge("run", "-", "--log-level", "debug", stdin=with_sessions(peer.url, *sets), env={"PASSWORD": "wrong-0123456789"})
        assert len(peer.requests) == 1, "a login that was refused is not tried for every turn"
    assert result.status == 1, result
    for answer in result.answers:
        assert answer == "[ERROR] HTTP template: login: access was denied (403, wrong password [REDACTED]).", answer
    assert "wrong-0123456789" not in result.out + result.err


def test_tokens_of_a_session_stay_out_of_our_text():
    def broken(request):
        if request["target"].startswith("/login/"):
            return reply(200, {"token": "tok-secret-0123456789"}, {"Set-Cookie": "sid=cookie-0123456789"})
        return reply(500, {"error": {"message": "no %s %s" % (request["headers"]["authorization"], request["headers"]["cookie"])}})

    with Peer([broken]) as peer:
        result = fairforge("run", "-", "--log-level", "debug", stdin=with_sessions(peer.url), env={"PASSWORD": "p-ss-0123456789"})
    assert result.answers == ["[ERROR] HTTP template: the provider failed (500, no Bearer [REDACTED] sid=[REDACTED])."], result
    assert "0123456789" not in result.err + result.out, result


@pytest.mark.parametrize("answer, type_, data, want", [
    ({"sse": "/choices/0/delta/content"}, "text/event-stream",
     'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n: ping\r\n\r\ndata: {"choices":[{"delta":{"content":"Hé"}}]}\n\n'
     'data: {"choices":[{"delta":{"content":"llo"}}]}\n\ndata: [DONE]\n\n', "Héllo"),
    ({"sse": "/response/data/content", "take": "last", "event": "message"}, "text/event-stream",
     'event: ping\ndata: x\n\ndata: {"response":{"data":{"content":"a"}}}\n\ndata: {"response":{"data":{"content":"ab"}}}\n\n', "ab"),
    ({"sse": "text"}, "text/event-stream", "data: one\ndata: two\n\ndata:  three\n\n", "one\ntwo three"),
    ({"ndjson": "/t"}, "application/x-ndjson", '{"t":"a"}\r\n{"u":1}\n\n{"t":"b"}', "ab"),
    ("text", "text/plain", "  as it is\n", "  as it is\n"),
    ("text", "text/plain; charset=iso-8859-1", "caf\xe9".encode("latin-1"), "café"),
    ("/data/0", "application/json", '{"data":[{"k":1.50}]}', '{"k":1.50}'),
    ("", "application/json", '"whole"', "whole"),
])
def test_answers(answer, type_, data, want):
    with Peer([reply(200, data, {"Content-Type": type_})]) as peer:
        result = fairforge("run", "-", stdin=template(peer.url + "/x", answer=answer))
        sent = peer.requests[0]
    assert result.status == 0 and result.answers == [want], result
    assert sent["method"] == "GET" and sent["body"] == b""


@pytest.mark.parametrize("status, data, params, sentence", [
    (500, {"error": {"text": "boom"}}, {"error": "/error/text"}, "the provider failed (500, boom)"),
    (418, {"message": "short and stout"}, {}, "the request was refused (418, short and stout)"),
    (200, {"ok": False, "why": "no index"}, {"error": "/why"}, "the reply reports an error (200, no index)"),
    (202, {"a": "later"}, {"success": 200}, "the status is none that success lists (202)"),
    (200, {"b": 1}, {}, "the reply has nothing at '/a', where the answer should be (200)"),
    (200, "<html><title>Sign in</title></html>", {}, "the reply is not JSON (200, an HTML page: Sign in)"),
    (302, "", {}, "the reply is a redirect without a Location (302)"),
])
def test_failures_say_what_happened(status, data, params, sentence):
    with Peer([reply(status, data)]) as peer:
        result = fairforge("run", "-", stdin=template(peer.url, answer="/a", **params))
    assert result.status in (1, 77) and result.answers == ["[ERROR] HTTP template: " + sentence + "."], result


def test_success_lists_other_statuses():
    with Peer([reply(404, {"a": "nothing found"})]) as peer:
        result = fairforge("run", "-", stdin=template(peer.url, answer="/a", success=["2xx", 404]))
    assert result.status == 0 and result.answers == ["nothing found"], result


def test_retries_follow_the_template():
    replies = [reply(503, "", {"retry-after-ms": "1"}), reply(418, "", {"retry-after-ms": "1"}), reply(200, {"a": "third"})]
    with Peer(replies) as peer:
        result = fairforge("run", "-", stdin=template(peer.url, answer="/a", max_retries=2, retry_statuses=[418, "5xx"]))
        assert len(peer.requests) == 3 and result.answers == ["third"], result
    with Peer([reply(503, "", {"retry-after-ms": "1"})]) as peer:
        result = fairforge("run", "-", stdin=template(peer.url, answer="/a", max_retries=2, retry_statuses=[418]))
        assert len(peer.requests) == 1, "503 is not among the statuses to retry"
    with Peer([Raw(b""), reply(200, {"a": "again"})]) as peer:
        result = fairforge("run", "-", stdin=template(peer.url, answer="/a", max_retries=1))
        assert result.answers == ["again"], result


def test_a_failed_turn_leaves_the_conversation_as_it_was():
    replies = [reply(200, {"a": "1", "c": "c1"}), reply(500, {"c": "c2"}), reply(200, {"a": "3", "c": "c3"})]
    with Peer(replies) as peer:
        request = template(peer.url, dataset(batch("a", "q1"), batch("b", "q2"), batch("c", "q3")), answer="/a", capture={"c": "/c"},
                           body={"c": "{{captured.c}}", "q": "{{query}}"})
        result = fairforge("run", "-", stdin=request)
        assert [body(r) for r in peer.requests] == [{"c": "", "q": "a"}, {"c": "c1", "q": "b"}, {"c": "c1", "q": "c"}]
    assert [a.startswith("[ERROR]") for a in result.answers] == [False, True, False], result


def test_from_flags(tmp_path):
    (tmp_path / "d.json").write_text(json.dumps(dataset()))
    with Peer([reply(200, {"a": "ok"})]) as peer:
        result = fairforge("run", "--dataset", tmp_path / "d.json", "--connector", "http", "--model", "m1", "--param", "url=%s/{{qa_id}}" % peer.url,
                           "--param", 'body={"q": "{{query}}", "m": "{{model}}", "k": "{{env.MY_KEY}}"}', "--param", "answer=/a", env={"MY_KEY": "key-0123456789"})
        assert peer.requests[0]["target"] == "/q1" and body(peer.requests[0]) == {"q": "What is 2+2?", "m": "m1", "k": "key-0123456789"}
    assert result.status == 0 and result.answers == ["ok"], result


@pytest.mark.parametrize("params, pointer, sentence", [
    ({"url": "https://{{query}}/x", "answer": "/a"}, "/connector/params/url", "must be fixed"),
    ({"url": "https://h.test", "answer": "/a", "body": {"q": ["{{queri}}"]}}, "/connector/params/body/q/0", "There is no {{queri}}"),
    ({"url": "https://h.test", "answer": "/a", "body": "{{query"}, "/connector/params/body", "never closed"),
    ({"url": "https://h.test", "answer": "/a", "body": "{{captured.x}}"}, "/connector/params/body", "Nothing captures 'x'"),
    ({"url": "https://h.test", "answer": "/a", "body": "{{env.NOT_SET_HERE}}"}, "/connector/params/body", "NOT_SET_HERE is not set"),
    ({"url": "https://h.test", "answer": "a"}, "/connector/params/answer", "no JSON pointer"),
    ({"url": "http://h.test", "answer": "/a"}, "/connector/params/url", "--allow-http"),
    ({"url": "https://h.test", "answer": "/a", "login": {"url": "http://h.test/l"}}, "/connector/params/login/url", "--allow-http"),
])
def test_mistakes_are_found_before_anything_is_sent(params, pointer, sentence):
    request = {"connector": {"class_path": "fairforge.http", "params": params}, "datasets": [dataset()]}
    for command in ("check", "run"):
        result = fairforge(command, "-", stdin=request)
        assert result.status == 64 and sentence in result.out + result.err, result
        assert command == "run" or pointer in result.out + result.err, result


def test_the_table_is_printed():
    result = fairforge("connectors", "http")
    assert result.status == 0 and "HttpTemplate (http)" in result.out and "fairforge.http" in result.out, result
    for name in ("url*", "answer*", "capture", "login", "retry_statuses"):
        assert name in result.out


DOCS = (ROOT / "docs" / "custom-systems.md").read_text(encoding="utf-8")


def test_the_payload_of_the_documentation():
    """It runs as it stands but for the host, which becomes a service that does what the text says."""
    (text,) = re.findall(r"^```json\n(.*?)^```$", DOCS, re.S | re.M)
    assert fairforge("check", "-", stdin=text, env={"BOT_SECRET": "s-0123456789"}).status == 0

    def bot(request):
        if request["target"] == "/v1/token":
            assert body(request) == {"client": "evaluation", "secret": "s-0123456789"}
            return reply(200, {"access_token": "tok-0123456789"})
        assert request["target"] == "/v1/assistants/support/messages" and request["headers"]["authorization"] == "Bearer tok-0123456789"
        return reply(200, {"reply": {"text": json.dumps(body(request))}, "conversation_id": 7})

    with Peer([bot]) as peer:
        request = json.loads(text.replace("https://bot.example.com", peer.url))
        request["datasets"][0]["conversation"] *= 2
        request["datasets"][0]["conversation"][1] = {**request["datasets"][0]["conversation"][1], "qa_id": "q2", "agentic": {"filters": {"year": [2026]}}}
        result = fairforge("run", "-", stdin=request, env={"BOT_SECRET": "s-0123456789"})
    assert result.status == 0, result
    assert [json.loads(a) for a in result.answers] == [
        {"text": "Where is my order?", "lang": "english", "conversation_id": None, "filters": None},
        {"text": "Where is my order?", "lang": "english", "conversation_id": 7, "filters": {"year": [2026]}}]


def test_the_command_of_the_documentation(simulator, tmp_path):
    (text,) = re.findall(r"^```sh\n(.*?)^```$", DOCS, re.S | re.M)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    url = simulator("--answers", str(ROOT / "examples" / "demo.json"), "--require-key", "k-0123456789").url
    words = shlex.split(text.replace("\\\n", " ").replace("http://127.0.0.1:8080", url))
    assert words[0] == "fairforge"
    result = fairforge(*words[1:], cwd=tmp_path, env={"MY_KEY": "k-0123456789"})
    assert result.status == 0, result
    demo = json.loads((ROOT / "examples" / "demo.json").read_text())
    assert result.answers == [b["ground_truth_assistant"] for d in (demo if isinstance(demo, list) else [demo]) for b in d["conversation"]]


def test_a_connector_of_the_environment(tmp_path):
    (tmp_path / "d.jsonl").write_text(json.dumps(dataset()) + "\n")
    with Peer([reply(200, "ok")]) as peer:
        connector = {"class_path": "fairforge.http", "params": {"url": peer.url + "/{{session_id}}", "answer": "text", "headers": {"X-K": "{{env.K}}"}}}
        result = fairforge("run", "--dataset", tmp_path / "d.jsonl", env={"FAIRFORGE_CONNECTOR": json.dumps(connector), "K": "key-0123456789"})
        assert peer.requests[0]["headers"]["x-k"] == "key-0123456789" and peer.requests[0]["target"] == "/s1"
    assert result.answers == ["ok"], result
