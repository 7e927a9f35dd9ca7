"""AlquimiaRunner: config mode and --connector alquimia against the simulator and against peers that misbehave."""
import http.server
import json
import threading

import pytest

from conftest import KEY, batch, dataset, fairforge
from peer import Peer, Raw, Reset, Silence, reply

ONE_BY_ONE = ("--concurrency", "1", "--no-adaptive")


def config(url, **more):
    return {"base_url": url, "api_key": KEY, "agent_id": "agent-1", "channel_id": "chan-1", **more}


def ask(url, *datasets, **more):
    return {"config": config(url), "datasets": list(datasets) or [dataset()], **more}


def event(content):
    return "data: %s\n\n" % json.dumps({"type": "message", "response": {"data": {"content": content}}}, ensure_ascii=False)


def stream(body, **headers):
    return reply(200, body, {"Content-Type": "text/event-stream", **headers})


INFER = reply(200, {"stream_id": "st-1"})


def only(result):
    """The one batch of the answer."""
    (answered,) = result.json["datasets"]
    (one,) = answered["conversation"]
    return one


class Agent:
    """A service that keeps a conversation: it answers `session: how many questions it had`, and remembers the order of everything.

    `together`: a stream opens only when questions of so many sessions have come, so a run that asks one session at a time would hang."""

    def __init__(self, together=1):
        self.log, self.counts, self.lock = [], {}, threading.Lock()
        self.barrier = threading.Barrier(together)
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                session = body["session_id"]
                with agent.lock:
                    agent.counts[session] = agent.counts.get(session, 0) + 1
                    agent.log.append((session, "asks", body["query"]))
                    number = agent.counts[session]
                self.say("application/json", json.dumps({"stream_id": "%s.%d" % (session, number)}))

            def do_GET(self):
                session, _, number = self.path.split("/")[-1].partition("?")[0].partition(".")
                agent.barrier.wait(60)
                with agent.lock:
                    agent.log.append((session, "told", number))
                self.say("text/event-stream", event("%s: %s" % (session, number)))

            def say(self, kind, text):
                data = text.encode()
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


# ---- against the simulator ----


@pytest.mark.parametrize("version", ["", "v1"])
def test_the_simulators_answers(simulator, tmp_path, version):
    sessions = [dataset(*[batch("question %d" % q, "q%d" % q, ground_truth_assistant="answer %d of %d \U0001F600" % (q, s)) for q in range(5)],
                        session_id="s%d" % s) for s in range(8)]
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps(sessions))
    mock = simulator("--answers", str(answers), "--latency", "2", "--require-key", KEY)
    payload = {"config": config(mock.url, api_version=version), "datasets": sessions}
    result = fairforge("run", "-", stdin=payload)
    assert result.status == 0, result
    assert result.answers == [b["ground_truth_assistant"] for d in sessions for b in d["conversation"]]
    assert [s["successes"] for s in result.json["summaries"]] == [5] * 8
    assert all(b["observation"] is None for d in result.json["datasets"] for b in d["conversation"])
    assert KEY not in result.out + result.err


def test_connector_and_params(simulator, tmp_path):
    mock = simulator()
    file = tmp_path / "tests.jsonl"
    file.write_text(json.dumps(dataset()) + "\n" + json.dumps(dataset(session_id="s2")) + "\n")
    result = fairforge("run", "--dataset", file, "--connector", "alquimia", "--param", "base_url=" + mock.url, "--param", "api_key=env:MY_KEY",
                       "--param", "agent_id=007", "--param", "channel_id=chat", "--param", "api_version=v1", env={"MY_KEY": KEY})
    assert result.status == 0, result
    assert len(result.answers) == 2
    assert "The key goes to %s." % mock.url in result.err
    assert KEY not in result.out + result.err


def test_environment(simulator):
    mock = simulator("--require-key", KEY)
    payload = {"config": {"agent_id": 1, "channel_id": 2}, "datasets": [dataset()]}
    result = fairforge("run", "-", stdin=payload, env={"ALQUIMIA_BASE_URL": mock.url, "ALQUIMIA_API_KEY": KEY})
    assert result.status == 0, result
    assert "The key of the environment goes to %s." % mock.url in result.err
    assert KEY not in result.out + result.err


def test_a_wrong_key_is_refused(simulator):
    mock = simulator("--require-key", "another-key-0123456789")
    result = fairforge("run", "-", stdin=ask(mock.url, dataset(batch(observation="seen"))))
    assert result.status == 77, result
    one = only(result)
    assert one["assistant"].startswith("[ERROR] Alquimia: the key was refused (401")
    assert one["observation"] == "seen\nError: " + one["assistant"][len("[ERROR] "):]
    assert KEY not in result.out + result.err


# ---- order and summary ----


def test_sessions_in_parallel_turns_in_order():
    sessions = [dataset(*[batch("%s %d" % (name, i), "q%d" % i) for i in range(1, 6)], session_id=name) for name in "abcd"]
    with Agent(together=4) as agent:
        result = fairforge("run", "--concurrency", "4", "--no-adaptive", "-", stdin=ask(agent.url, *sessions))
    assert result.status == 0, result
    assert result.answers == ["%s: %d" % (name, i) for name in "abcd" for i in range(1, 6)]
    for name in "abcd":
        want = [step for i in range(1, 6) for step in ((name, "asks", "%s %d" % (name, i)), (name, "told", str(i)))]
        assert [step for step in agent.log if step[0] == name] == want
    first = agent.log[:4]
    assert {step[0] for step in first} == set("abcd") and {step[1] for step in first} == {"asks"}, "sessions must not wait for each other"


def test_a_session_goes_on_behind_a_failure():
    with Peer([reply(500, {"detail": "no"}), INFER, stream(event("second"))]) as peer:
        result = fairforge("run", "-", stdin=ask(peer.url, dataset(batch("one", "q1"), batch("two", "q2"))))
    assert result.status == 1, result
    assert result.answers[0].startswith("[ERROR] Alquimia: the provider failed (500, no)")
    assert result.answers[1] == "second"
    assert [json.loads(r["body"])["query"] for r in peer.requests if r["body"]] == ["one", "two"]


def test_summary_has_the_wall_time_and_the_batches_average(simulator):
    mock = simulator("--latency", "20")
    sessions = [dataset(batch("a", "q1"), batch("b", "q2"), batch("c", "q3"), session_id=name) for name in ("s1", "s2")]
    result = fairforge("run", *ONE_BY_ONE, "-", stdin=ask(mock.url, *sessions))
    assert result.status == 0, result
    for summary in result.json["summaries"]:
        # Two exchanges of 20 ms a turn, and turns of the other session in between: these are in the dataset's time only.
        assert summary["avg_batch_time_ms"] >= 20
        assert summary["total_execution_time_ms"] >= 3 * summary["avg_batch_time_ms"]


# ---- streams ----


def cut_everywhere(text):
    """A chunked reply with one byte a chunk."""
    data = text if isinstance(text, bytes) else text.encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"1\r\n%c\r\n" % byte for byte in data) + b"0\r\n\r\n"


@pytest.mark.parametrize("body, answer", [
    (": ping\r\n\r\nevent: message\r\n" + event("Gr\u00fc\u00dfe \U0001F600 \u2028").replace("\n", "\r\n") + "data: [DONE]\r\n\r\n", "Gr\u00fc\u00dfe \U0001F600 \u2028"),
    ("data: {\"type\":\"ping\"}\n\n" + event("a") + event("ab") + "data: {\"type\":\"end\"}\n\n", "ab"),
    (event("a").strip() + "\n" + event("b").strip(), "b"),
    ("\ufeff" + event("x").replace("\n", "\r"), "x"),
])
def test_odd_streams(body, answer):
    with Peer([INFER, cut_everywhere(body)]) as peer:
        result = fairforge("run", "-", stdin=ask(peer.url))
    assert result.status == 0, result
    assert result.answers == [answer]


def test_a_huge_stream():
    """Sixty megabytes of events, each with the whole answer so far: the last one counts."""
    events = "".join(event("x" * 20000 + "%d" % i) for i in range(3000))
    with Peer([INFER, stream(events)]) as peer:
        result = fairforge("run", "-", stdin=ask(peer.url))
    assert result.status == 0, result
    assert result.answers == ["x" * 20000 + "2999"]


def chunk(text):
    return ("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(text), text)).encode()


@pytest.mark.parametrize("says, words", [
    (stream(""), "Empty response from agent"),
    (stream("<html><title>Gone</title></html>"), "Gone"),
    (stream("data: 5\n\n" + event("x")), "no object"),
    (reply(410, {"detail": "no such stream"}), "410, no such stream"),
    (Raw(chunk(event("half"))), "Alquimia: "),
    (Raw(b""), "closed before any reply"),
    (Raw(b"garbage\r\n\r\n"), "HTTP"),
    (Reset(), "Alquimia: "),
    (Silence(chunk(event("half"))), "sent nothing for"),
])
def test_broken_streams_fail_their_turn_only(says, words):
    """Nothing of a stream that broke is an answer, and nothing is asked twice."""
    with Peer([INFER, says]) as peer:
        result = fairforge("run", "--option", "idle_timeout_ms=300", "-", stdin=ask(peer.url))
        sent = len(peer.requests)
    assert result.status == 1, result
    one = only(result)
    assert one["assistant"].startswith("[ERROR] Alquimia: ")
    assert words in one["assistant"]
    assert one["observation"] == "Error: " + one["assistant"][len("[ERROR] "):]
    assert sent == 2


def test_a_deadline_is_noted_as_well():
    """Turns that were cut off, and turns that never ran, are failures of their batches."""
    with Peer([INFER, Silence(chunk(event("half")))]) as peer:
        result = fairforge("run", "--deadline", "500ms", "-", stdin=ask(peer.url, dataset(batch("a", "q1"), batch("b", "q2"))))
    assert result.status == 75, result
    for one in result.json["datasets"][0]["conversation"]:
        assert one["assistant"].startswith("[ERROR] ")
        assert one["observation"] == "Error: " + one["assistant"][len("[ERROR] "):]


def test_retries_are_the_users_wish():
    with Peer([reply(503, {"detail": "busy"}), INFER, stream(event("later"))]) as peer:
        result = fairforge("run", "--max-retries", "1", "-", stdin=ask(peer.url))
    assert result.status == 0, result
    assert result.answers == ["later"]
    assert [r["method"] for r in peer.requests] == ["POST", "POST", "GET"]


# ---- agentic ----


def test_agentic_is_passed_on():
    agentic = {"user": {"plan": "pro"}, "price": 1.50, "chat_history": 3, "agentspace": "team a/\u00fc", "attachments": []}
    with Peer([INFER, stream(event("x"))]) as peer:
        result = fairforge("run", "-", stdin=ask(peer.url, dataset(batch(agentic=agentic))))
    assert result.status == 0, result
    post = peer.requests[0]
    body = json.loads(post["body"])
    assert post["target"] == "/event/infer/chan-1/agent-1?chat_history=3&agentspace=team%20a%2F%C3%BC"
    assert body["attachments"] == [] and body["session_id"] == "s1"
    date = body["extra_data"].pop("date")
    assert len(date) == 10 and body["extra_data"] == {"user": {"plan": "pro"}, "price": 1.5}
    assert only(result)["agentic"] == agentic


@pytest.mark.parametrize("key", ["query", "date", "channel", "session_id", "assistant_id"])
def test_clashes_fail_before_anything_is_sent(key):
    with Peer([INFER, stream(event("fine"))]) as peer:
        result = fairforge("run", "-", stdin=ask(peer.url, dataset(batch(agentic={key: "x"}), batch("two", "q2"))))
    assert result.status == 1, result
    assert "agentic.%s clashes" % key in result.answers[0]
    assert "s1, q1: Alquimia: agentic.%s clashes" % key in result.err
    assert result.answers[1] == "fine"
    assert len(peer.requests) == 2


# ---- before the first turn ----


@pytest.mark.parametrize("missing", ["base_url", "api_key", "agent_id", "channel_id"])
def test_missing_members_are_the_references_answers(missing):
    whole = config("http://127.0.0.1:9")
    del whole[missing]
    result = fairforge("run", "-", stdin={"config": whole, "datasets": [dataset()]})
    assert result.status == 64, result
    assert result.json == {"success": False, "error": "No %s provided" % missing}
    checked = fairforge("check", "-", stdin={"config": whole, "datasets": [dataset()]})
    assert checked.status == 64
    assert "/config/%s: error: No %s provided" % (missing, missing) in checked.out


def test_check_finds_everything_at_once():
    wrong = {"base_url": "h:1", "agent_id": [1], "api_version": "//other", "colour": "red"}
    result = fairforge("check", "-", stdin={"config": wrong, "datasets": [dataset()]})
    assert result.status == 64
    for line in ("/config/base_url: error: ", "/config/api_key: error: No api_key provided", "/config/agent_id: error: ",
                 "/config/channel_id: error: No channel_id provided", "/config/api_version: error: ", "/config/colour: warning: "):
        assert line in result.out, result


def test_the_table_of_parameters():
    result = fairforge("connectors", "alquimia")
    assert result.status == 0
    for name in ("base_url", "api_key", "agent_id", "channel_id", "api_version", "ALQUIMIA_API_KEY"):
        assert name in result.out
    assert "alquimia" in fairforge("connectors").out
