"""bootstrap against a Runtime API with the rules that were measured (runtime_api.py), payloads against a scripted peer."""
import base64
import collections
import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import BUILD, KEY, LIMIT_S, ROOT, batch, dataset, environment, payload
from peer import Hold, Peer, Silence, chat, reply
from runtime_api import LIMIT, RuntimeApi, http, refusal

BOOTSTRAP = BUILD / "bootstrap"
AWS = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "planted-secret-access-key"}
STORED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nETag: \"1\"\r\n\r\n"


@pytest.fixture
def lambdas():
    """A factory: lambdas(peer, NAME="value") gives a Runtime API whose bootstrap may reach that peer."""
    started = []

    def make(peer=None, **env):
        if peer is not None:
            env.setdefault("FAIRFORGE_ALLOWED_ORIGINS", peer.url)
        started.append(RuntimeApi([str(BOOTSTRAP)], environment(env)))
        return started[-1]

    yield make
    for one in started:
        one.close()


@pytest.fixture
def peer():
    with Peer([reply(200, chat("4"))]) as p:
        yield p


@pytest.fixture
def bucket():
    """What takes every PUT and keeps it: the requests of a peer."""
    with Peer([STORED]) as p:
        yield p


def stored_in(bucket):
    return {"AWS_ENDPOINT_URL_S3": bucket.url, "FAIRFORGE_RESULT_URI": "s3://results/runs", **AWS}


def objects(bucket):
    """Name to JSON of what was put."""
    assert all(r["method"] == "PUT" for r in bucket.requests)
    return {r["target"]: json.loads(r["body"]) for r in bucket.requests}


def url_event(body=None, method="POST", path="/run", **more):
    event = {"version": "2.0", "rawPath": path, "headers": {}, "isBase64Encoded": False,
             "requestContext": {"apiId": "u1", "domainName": "u1.lambda-url.eu-west-1.on.aws", "http": {"method": method, "path": path}}, **more}
    if body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event


def sqs_event(*bodies, queue="arn:aws:sqs:eu-west-1:1:q"):
    return {"Records": [{"messageId": "m%d" % i, "eventSource": "aws:sqs", "eventSourceARN": queue, "attributes": {},
                         "body": b if isinstance(b, str) else json.dumps(b)} for i, b in enumerate(bodies)]}


def bridge_event(detail):
    return {"version": "0", "id": "1", "detail-type": "run", "source": "test", "detail": detail}


def paths(api, method="POST"):
    return [c[2].rsplit("/", 1)[-1] for c in api.calls if c[1] == method]


def answers(document):
    return [b["assistant"] for d in document["datasets"] for b in d["conversation"]]


def failures(outcome):
    return [f["itemIdentifier"] for f in outcome.json["batchItemFailures"]]


def by_query(request):
    """Answers what was asked."""
    return reply(200, chat("re: " + json.loads(request["body"])["messages"][-1]["content"]))


def wait_until(condition, what):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.002)  # polls what no event tells; no assertion depends on how long


# ---- the server of these tests ----

def test_the_runtime_api_of_these_tests_keeps_the_measured_rules():
    import http.client
    with RuntimeApi(["sleep", "600"], environment()) as api:
        def call(method, path, body=None, **headers):
            c = http.client.HTTPConnection(api.address, timeout=60)
            c.request(method, "/2018-06-01/runtime/" + path, body, headers)
            r = c.getresponse()
            return r.status, r.read(), r.headers

        assert call("POST", "invocation/none/response", "{}")[0] == 403
        one = api.send({"n": 1}, timeout=500)
        status, body, headers = call("GET", "invocation/next")
        assert (status, json.loads(body)) == (200, {"n": 1})
        assert headers["Lambda-Runtime-Aws-Request-Id"] == one.id and int(headers["Lambda-Runtime-Deadline-Ms"]) > 1 << 32
        assert call("GET", "invocation/next")[1] == body, "an unanswered event must come again at once"
        assert call("POST", "invocation/other/response", "{}")[0] == 400
        assert call("POST", "invocation/%s/response" % one.id, "1")[0] == 202
        assert call("POST", "invocation/%s/response" % one.id, "2")[0] == 403
        assert call("POST", "invocation/%s/error" % one.id, "{}")[0] == 403
        assert one.json == 1 and not one.over
        assert call("POST", "init/error", "{}")[0] == 403
        for size, expected in ((LIMIT, 202), (LIMIT + 1, 413)):
            big = api.send({}, timeout=500)
            call("GET", "invocation/next")
            assert call("POST", "invocation/%s/response" % big.id, b"x" * size)[0] == expected
        assert big.error == {"errorType": "Function.ResponseSizeTooLarge"}
        late = api.send({}, timeout=0.01)
        call("GET", "invocation/next")
        assert api.wait_exit() == -signal.SIGKILL and late.killed


# ---- by hand ----

def by_hand(*args, **env):
    p = subprocess.run([str(BOOTSTRAP), *args], env=environment(env), capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return p.returncode, p.stdout, p.stderr


def test_by_hand_it_says_what_it_is():
    assert by_hand("--version")[:2] == (0, subprocess.run([str(BUILD / "fairforge"), "--version"], capture_output=True, text=True, check=True).stdout)
    status, out, _ = by_hand("--help")
    assert status == 0 and "FAIRFORGE_RESULT_URI" in out and max(map(len, out.splitlines())) <= 160
    status, out, err = by_hand()
    assert (status, out) == (64, "") and "AWS_LAMBDA_RUNTIME_API" in err and "fairforge run" in err
    status, _, err = by_hand("--serve")
    assert status == 64 and "--serve" in err


def test_help_has_the_variables_of_the_documentation():
    documented = re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "lambda.md").read_text(encoding="utf-8"), re.M)
    text = by_hand("--help")[1]
    mine = [v for v in documented if v.startswith(("FAIRFORGE_", "SSL_")) and v != "FAIRFORGE_CONCURRENCY"]
    assert len(mine) > 7 and [v for v in mine if "  %s " % v not in text] == []
    assert max(map(len, text.splitlines())) <= 132


def test_it_links_neither_sqlite_nor_libmicrohttpd():
    needed = subprocess.run(["readelf", "-d", str(BOOTSTRAP)], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"NEEDED.*\[(.*)\]", needed)
    assert "libcurl.so.4" in names and not [n for n in names if "sqlite" in n or "microhttpd" in n], names


# ---- the Runtime API ----

def test_events_and_answers_go_over_one_connection(lambdas, peer):
    api = lambdas(peer)
    for _ in range(20):
        assert answers(api.invoke(payload(peer.url)).json) == ["4"]
    api.invoke(b"[1")
    api.idle()
    assert api.connections == 1, "the connection was not kept"
    assert len(api.calls) >= 42 and {c[0] for c in api.calls} == {1}
    assert peer.connections == 1, "nor the provider's"
    post = [h for c, h in zip(api.calls, api.requests) if c[1] == "POST"][0]
    assert post["content-type"] == "application/json" and "transfer-encoding" not in post and "expect" not in post


def test_next_is_asked_again_three_times(lambdas, peer):
    api = lambdas(peer)
    api.next_faults.extend([None, None, None])
    assert answers(api.invoke(payload(peer.url)).json) == ["4"]
    api.idle()
    api.start()
    assert api.exits == []


def test_without_a_runtime_api_it_ends(lambdas):
    api = lambdas()
    api.next_faults.extend([None] * 20)
    api.start()
    assert api.wait_exit() == 1
    # libcurl sends a GET again by itself only where a kept connection died: there was none.
    assert api.asked == 4 and "3 times" in api.logs[-1]["message"]


@pytest.mark.parametrize("status", [403, 500, 404, 204, 302])
def test_a_next_that_is_not_200_ends_it_at_once(lambdas, status):
    api = lambdas()
    api.next_faults.append(refusal(status, "InvalidStateTransition") if status != 204 else http(204))
    api.start()
    assert api.wait_exit() == 1 and api.asked == 1
    assert str(status) in api.logs[-1]["message"] and api.logs[-1]["level"] == "ERROR"


@pytest.mark.parametrize("status", [413, 403])
def test_a_refused_answer_is_logged_and_the_next_event_taken(lambdas, peer, status):
    api = lambdas(peer)

    def refuse(outcome):  # the platform has told the caller already: the event does not come again
        outcome.answered = True
        return refusal(status, "Refused")

    api.post_faults.append(refuse)
    api.invoke(payload(peer.url))
    assert answers(api.invoke(payload(peer.url)).json) == ["4"]
    assert [l for l in api.logs if l["event"] == "answer" and str(status) in l["message"]]
    assert paths(api) == ["response", "response"], "after a refused answer no error may be posted"


def test_an_event_whose_answer_was_refused_and_that_comes_again_ends_it(lambdas, peer):
    api = lambdas(peer)
    api.post_faults.append(refusal(400, "InvalidRequestID"))
    one = api.invoke(payload(peer.url))
    assert one.exit_status == 1 and one.deliveries == 2 and not one.killed
    assert "again" in api.logs[-1]["message"]


def test_a_retried_asynchronous_invocation_has_the_same_id_and_is_run(lambdas, peer):
    api = lambdas(peer)
    for _ in range(3):
        assert answers(api.invoke(payload(peer.url), request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd").json) == ["4"]
    assert api.exits == []


@pytest.mark.parametrize("faults", [[refusal(500, "InternalServerError")], [refusal(404, "NotFound")], [None] * 5], ids=["500", "404", "no reply"])
def test_an_answer_that_cannot_be_posted_ends_it(lambdas, peer, faults):
    api = lambdas(peer)
    api.post_faults.extend(faults)
    assert api.invoke(payload(peer.url)).exit_status == 1
    assert api.invoke(payload(peer.url)) and len(api.exits) >= 1, "the platform starts another"


def test_an_answer_on_a_connection_that_died_meanwhile_is_sent_again(lambdas, peer):
    api = lambdas(peer)
    api.post_faults.append(None)
    assert answers(api.invoke(payload(peer.url)).json) == ["4"]
    api.idle()
    assert api.exits == [] and api.connections == 2


def header_names(change):
    return lambda o: [(change("Lambda-Runtime-Aws-Request-Id"), o.id), (change("Lambda-Runtime-Deadline-Ms"), o.deadline_ms)]


@pytest.mark.parametrize("headers", [
    header_names(str.lower), header_names(str.upper),
    lambda o: [("Lambda-Runtime-Aws-Request-Id", o.id)],
    lambda o: [("Lambda-Runtime-Aws-Request-Id", o.id), ("Lambda-Runtime-Deadline-Ms", ""), ("Lambda-Runtime-Trace-Id", ""),
               ("Lambda-Runtime-Client-Context", ""), ("Lambda-Runtime-Cognito-Identity", "")],
    lambda o: [("Lambda-Runtime-Aws-Request-Id", ""), ("Lambda-Runtime-Aws-Request-Id", o.id), ("Lambda-Runtime-Deadline-Ms", "soon")],
    lambda o: [("Lambda-Runtime-Aws-Request-Id", o.id), ("Lambda-Runtime-Deadline-Ms", str(1 << 62))],
    lambda o: [("Lambda-Runtime-Aws-Request-Id", o.id), ("Lambda-Runtime-Deadline-Ms", "9" * 40), ("Lambda-Runtime-Trace-Id", "x" * 5000)],
], ids=["lower", "upper", "few", "empty", "odd", "far", "absurd"])
def test_headers_count_in_any_case_and_may_be_missing(lambdas, peer, headers):
    api = lambdas(peer)
    assert answers(api.invoke(payload(peer.url), headers=headers).json) == ["4"]


@pytest.mark.parametrize("request_id", [None, "", "..", "a/b", "a?b", "a b", "x" * 129, "é"], ids=lambda v: "none" if v is None else ascii(v)[:12])
def test_an_event_that_cannot_be_answered_ends_it(lambdas, peer, request_id):
    api = lambdas(peer)
    ids = [] if request_id is None else [("Lambda-Runtime-Aws-Request-Id", request_id)]
    one = api.invoke(payload(peer.url), headers=lambda o: ids + [("Lambda-Runtime-Deadline-Ms", o.deadline_ms)])
    assert one.exit_status == 1 and paths(api) == []
    assert "request id" in api.logs[-1]["message"]


# ---- configuration ----

WRONG = {
    "FAIRFORGE_CONNECTOR": ["{", "[]", "7", '{"class_path": "os.system"}', '{"class_path": "langchain_openai.chat_models.ChatOpenAI", "params": {"model": ""}}'],
    "FAIRFORGE_ALLOWED_ORIGINS": ["ftp://a", "https://", "https://a.b/v1"],
    "FAIRFORGE_CORS_ORIGIN": ["example.com", "https://a.b/", "https://a.b, https://c.d", "https://a b", "all", "HTTPS://A.B", "https://a.b:443"],
    "FAIRFORGE_DEADLINE_MARGIN_MS": ["0", "-1", "1s", "1e3", "99999999999999999999"],
    "FAIRFORGE_DISCARD_RESULTS": ["2", "maybe"],
    "FAIRFORGE_LOG_LEVEL": ["loud"],
    "FAIRFORGE_CONCURRENCY": ["0", "many"],
    "FAIRFORGE_TURN_TIMEOUT_MS": ["-5"],
    "FAIRFORGE_RESULT_URI": ["results", "s3://", "s3://A_B/x", "https://bucket/x"],
    "SSL_CERT_FILE": ["/nonexistent/ca.pem", "/dev/null"],
}


@pytest.mark.parametrize("name,value", [(n, v) for n, values in WRONG.items() for v in values])
def test_a_wrong_configuration_is_an_init_error_of_one_sentence(lambdas, name, value):
    api = lambdas(**{**AWS, name: value})
    api.start()
    assert api.wait_exit() == 1 and api.asked == 0
    error, kind = api.init_error
    assert kind == error["errorType"] == "Runtime.ConfigInvalid" and error["stackTrace"] == []
    assert (name if name != "SSL_CERT_FILE" else value) in error["errorMessage"] and error["errorMessage"].endswith(".")
    assert [l["message"] for l in api.logs if l["event"] == "init"] == [error["errorMessage"]]


def test_an_init_error_shows_no_key(lambdas):
    api = lambdas(FAIRFORGE_CONNECTOR=json.dumps({"class_path": "langchain_openai.chat_models.ChatOpenAI",
                                                  "params": {"model": "m", "api_key": "sk-planted-planted\n-key", "base_url": "https://sk-planted-planted\n-key@x"}}))
    api.start()
    assert api.wait_exit() == 1
    assert "planted" not in json.dumps(api.init_error) + api.stderr.replace("planted-secret", "")


def test_a_variable_that_means_nothing_is_told(lambdas, peer):
    api = lambdas(peer, FAIRFORGE_CONCURENCY="4", FAIRFORGE_SOMETHING_ELSE="x")
    api.invoke({})
    told = [l["message"] for l in api.logs if l["event"] == "configuration"]
    assert len(told) == 2 and any("did you mean FAIRFORGE_CONCURRENCY?" in t for t in told), told
    assert any(t == "FAIRFORGE_SOMETHING_ELSE means nothing here and was ignored." for t in told), told


def test_with_a_default_connector_a_payload_needs_datasets_only(lambdas, peer):
    connector = payload(peer.url)["connector"]
    del connector["params"]["api_key"]
    api = lambdas(peer, FAIRFORGE_CONNECTOR=json.dumps(connector), LLM_API_KEY=KEY)
    assert answers(api.invoke({"datasets": [dataset()]}).json) == ["4"]
    assert answers(api.invoke(dataset()).json) == ["4"]
    assert answers(api.invoke(url_event({"datasets": [dataset()]})).http[2]) == ["4"]
    assert {r["headers"]["authorization"] for r in peer.requests} == {"Bearer " + KEY}
    assert KEY not in api.stderr


# ---- HTTP events ----

def test_http_bodies_in_all_their_forms(lambdas, peer):
    api = lambdas(peer)
    good = payload(peer.url)
    encoded = base64.b64encode(json.dumps(good).encode()).decode()
    for event in (url_event(good), url_event(encoded, isBase64Encoded=True), {"body": json.dumps(good)}, {"body": good},
                  {"httpMethod": "POST", "path": "/run", "requestContext": {}, "headers": {}, "body": json.dumps(good)},
                  {"httpMethod": "POST", "path": "/run", "requestContext": {"elb": {}}, "multiValueHeaders": {}, "body": json.dumps(good)}):
        status, headers, body = api.invoke(event).http
        assert (status, answers(body)) == (200, ["4"])
        assert headers["Content-Type"] == "application/json" and headers["Access-Control-Allow-Origin"] == "*"
    for nothing in (None, "", "  ", "null", "{}"):
        assert api.invoke(url_event(nothing)).http[::2] == (200, {"success": False, "error": "No datasets provided"})
    for bad in ("{", "{'datasets': []}", "NaN", '{"datasets": [,]}', "\x00"):
        assert api.invoke(url_event(bad)).http[::2] == (400, {"error": "Invalid JSON body"})
    status, _, body = api.invoke(url_event("%%%", isBase64Encoded=True)).http
    assert status == 400 and "Base64" in body["error"]


def test_http_methods(lambdas, peer):
    api = lambdas(peer)
    api_answer = api.invoke(url_event(method="OPTIONS"))
    status, headers, body = api_answer.http
    assert (status, body) == (204, None) and headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        status, headers, body = api.invoke(url_event(method=method)).http
        assert (status, headers["Allow"]) == (405, "POST, OPTIONS") and "POST" in body["error"]
        assert headers["Access-Control-Allow-Origin"] == "*"
    for method in ("GET", "HEAD"):
        assert api.invoke(url_event(method=method, path="/healthz")).http[::2] == (200, {"status": "ok"})
    # The reference runs whatever brings a payload.
    assert answers(api.invoke(url_event(payload(peer.url), method="PUT")).http[2]) == ["4"]


def test_the_cors_origin_is_the_operators(lambdas, peer):
    for value, expected in (("https://app.example.com", "https://app.example.com"), ("none", None), ("*", "*")):
        api = lambdas(peer, FAIRFORGE_CORS_ORIGIN=value)
        for event in (url_event({}), url_event(method="OPTIONS"), url_event("{")):
            assert api.invoke(event).http[1].get("Access-Control-Allow-Origin") == expected


def test_a_failed_turn_is_an_answer(lambdas):
    with Peer([reply(400, {"error": {"message": "no such model", "type": "invalid_request_error"}})]) as peer:
        api = lambdas(peer)
        document = api.invoke(payload(peer.url)).json
        assert document["success"] and answers(document)[0].startswith("[ERROR] ")
        line = [l for l in api.logs if l["event"] == "invocation"][0]
        assert line["http_4xx"] == 1 and line["status"] == 200 and line["kind"] == "direct"


# ---- other events ----

def test_a_direct_invocation_gets_plain_json_and_function_errors(lambdas, peer):
    api = lambdas(peer)
    assert api.invoke({}).json == {"success": False, "error": "No datasets provided"}
    for event, kind in ((b"", None), (b"{", "Function.BadPayload"), (b"\xff", "Function.BadPayload"), (b"[" * 100000, "Function.PayloadTooLarge")):
        one = api.invoke(event)
        assert one.error_type == kind, one
        if kind:
            assert one.error["errorType"] == kind and one.error["errorMessage"].endswith(".")
    assert api.exits == []


def test_a_batch_of_a_distributed_map(lambdas):
    with Peer([by_query]) as peer:
        api = lambdas(peer)
        shared = payload(peer.url)
        del shared["datasets"]
        items = [dataset(batch(query="q%d" % i), session_id="s%d" % i) for i in range(3)]
        assert answers(api.invoke({"BatchInput": shared, "Items": items}).json) == ["re: q0", "re: q1", "re: q2"]


def test_an_answer_that_step_functions_would_refuse_goes_to_the_store(lambdas, bucket):
    with Peer([reply(200, chat("x" * 300000))]) as peer:
        shared = payload(peer.url)
        event = {"BatchInput": {"connector": shared["connector"]}, "Items": shared["datasets"]}
        assert len(answers(lambdas(peer).invoke(event).json)[0]) == 300000, "without a store there is nothing better to do"
        one = lambdas(peer, **stored_in(bucket)).invoke(event)
        assert one.json == {"success": True, "id": one.id, "result": "s3://results/runs/%s.json" % one.id}
        assert len(answers(objects(bucket)["/results/runs/%s.json" % one.id])[0]) == 300000


def test_messages_of_a_queue_are_stored_and_only_what_failed_comes_back(lambdas, bucket):
    with Peer([by_query]) as peer:
        api = lambdas(peer, **stored_in(bucket))
        ask = lambda q: payload(peer.url, dataset(batch(query=q)))
        one = api.invoke(sqs_event(ask("a"), "{", {}, ask("b")))
        assert failures(one) == ["m1", "m2"]
        kept = objects(bucket)
        assert answers(kept["/results/runs/m0.json"]) == ["re: a"] and answers(kept["/results/runs/m3.json"]) == ["re: b"]
        assert kept["/results/runs/m1.json"] == {"error": "Invalid JSON body"}
        assert kept["/results/runs/m2.json"] == {"success": False, "error": "No datasets provided"}
        line = [l for l in api.logs if l["event"] == "invocation"][0]
        assert (line["messages"], line["failedMessages"], line["stored"], line["ok"]) == (4, 2, 4, 2)


def test_the_log_says_why_a_message_comes_back(lambdas, bucket):
    with Peer([Silence()]) as peer:
        api = lambdas(peer, FAIRFORGE_DEADLINE_MS="300", **stored_in(bucket))
        event = sqs_event("{", {}, payload(peer.url))
        event["Records"].append({**event["Records"][0], "messageId": "number", "body": 7})
        assert failures(api.invoke(event)) == ["m0", "m1", "m2", "number"]
        told = {l["messageId"]: l["message"] for l in api.logs if l["event"] == "message"}
        assert told == {"m0": "The payload was refused with 400.", "m1": "The payload was refused: its result says why.",
                        "m2": "Not every turn was run: the deadline or a quota came before.",
                        "number": "The body is a number, true or false, but a payload is a JSON object."}
        # Of a FIFO queue, the first failure is the reason for all behind it.
        api.invoke(sqs_event("{", payload(peer.url), queue="arn:aws:sqs:eu-west-1:1:q.fifo"))
        assert [l["messageId"] for l in api.logs if l["event"] == "message"][4:] == ["m0"]


def test_messages_without_an_id_do_not_overwrite_each_other(lambdas, peer, bucket):
    event = sqs_event(payload(peer.url), payload(peer.url), payload(peer.url))
    del event["Records"][0]["messageId"]
    event["Records"][2]["messageId"] = 7
    one = lambdas(peer, **stored_in(bucket)).invoke(event)
    assert failures(one) == []
    assert set(objects(bucket)) == {"/results/runs/%s.json" % n for n in ("m1", one.id + "-0", one.id + "-2")}


def test_many_messages(lambdas):
    with Peer([by_query]) as peer:
        api = lambdas(peer, FAIRFORGE_DISCARD_RESULTS="1")
        one = api.invoke(sqs_event(*["{" if i % 50 == 7 else payload(peer.url, dataset(batch(query="q%d" % i))) for i in range(400)]))
        assert failures(one) == ["m%d" % i for i in range(7, 400, 50)]
        assert sorted(json.loads(r["body"])["messages"][-1]["content"] for r in peer.requests) == sorted("q%d" % i for i in range(400) if i % 50 != 7)


def test_messages_run_side_by_side(lambdas):
    gate = Hold(reply(200, chat("4")))
    with Peer([gate]) as peer:
        api = lambdas(peer, FAIRFORGE_DISCARD_RESULTS="1")
        one = api.send(sqs_event(*[payload(peer.url)] * 3))
        peer.wait_for(1)  # an origin's first exchange goes alone until it is connected
        peer.wait_for(3)
        gate.event.set()
        assert failures(api.answer(one)) == []


def test_a_fifo_queue_stops_at_its_first_failure(lambdas, bucket):
    with Peer([by_query]) as peer:
        api = lambdas(peer, **stored_in(bucket))
        ask = lambda q: payload(peer.url, dataset(batch(query=q)))
        one = api.invoke(sqs_event(ask("a"), ask("b"), {}, ask("c"), queue="arn:aws:sqs:eu-west-1:1:q.fifo"))
        assert failures(one) == ["m2", "m3"]
        assert [json.loads(r["body"])["messages"][-1]["content"] for r in peer.requests] == ["a", "b"]
        assert set(objects(bucket)) == {"/results/runs/m0.json", "/results/runs/m1.json", "/results/runs/m2.json"}


def test_what_nobody_reads_is_not_run_without_a_place_for_it(lambdas, peer):
    api = lambdas(peer)
    assert failures(api.invoke(sqs_event(payload(peer.url), payload(peer.url)))) == ["m0", "m1"]
    one = api.invoke(bridge_event(payload(peer.url)))
    assert one.error_type == "Function.ResultUriMissing" and "FAIRFORGE_RESULT_URI" in one.error["errorMessage"]
    assert peer.requests == []
    assert any("FAIRFORGE_RESULT_URI" in l.get("message", "") for l in api.logs)


def test_what_nobody_needs_is_run_and_dropped(lambdas, peer):
    api = lambdas(peer, FAIRFORGE_DISCARD_RESULTS="1")
    assert failures(api.invoke(sqs_event(payload(peer.url), "{"))) == ["m1"]
    assert api.invoke(bridge_event(payload(peer.url))).json == {"success": True}
    assert api.invoke(bridge_event({})).error_type == "Function.BadPayload"
    assert len(peer.requests) == 2


def test_an_event_of_a_bus_is_stored(lambdas, peer, bucket):
    api = lambdas(peer, **stored_in(bucket))
    one = api.invoke(bridge_event(payload(peer.url)))
    assert one.json == {"success": True, "id": one.id, "result": "s3://results/runs/%s.json" % one.id}
    assert answers(objects(bucket)["/results/runs/%s.json" % one.id]) == ["4"]
    assert api.invoke(bridge_event({})).error == {"errorMessage": "No datasets provided", "errorType": "Function.BadPayload", "stackTrace": []}


@pytest.mark.slow
def test_a_result_that_cannot_be_stored_is_a_failure(lambdas, peer):
    with Peer([reply(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")]) as refusing:
        api = lambdas(peer, **stored_in(refusing))
        assert failures(api.invoke(sqs_event(payload(peer.url)))) == ["m0"]
        assert api.invoke(bridge_event(payload(peer.url))).error_type == "Function.ResultNotStored"
        status, _, body = api.invoke(url_event({**payload(peer.url), "async": True})).http
        assert status == 202
        api.idle()
        assert [l["message"] for l in api.logs if l["event"] == "store" and "AccessDenied" in l["message"]]
        assert api.exits == []


# ---- async ----

def test_an_asynchronous_run_is_answered_first_and_stored_before_the_next_event(lambdas, bucket):
    gate = Hold(reply(200, chat("4")))
    with Peer([gate]) as peer:
        api = lambdas(peer, **stored_in(bucket))
        for event, read in ((url_event({**payload(peer.url), "async": True}), lambda o: o.http[::2]), ({**payload(peer.url), "async": True}, lambda o: (202, o.json))):
            gate.event.clear()
            one = api.invoke(event)
            uri = "s3://results/runs/%s.json" % one.id
            assert read(one) == (202, {"success": True, "id": one.id, "result": uri})
            assert not one.over and not api.asking, "it may be frozen from the moment it asks for the next event"
            gate.event.set()
            api.idle()
            assert answers(objects(bucket)["/results/runs/%s.json" % one.id]) == ["4"]
        assert api.exits == []


def test_an_asynchronous_run_that_cannot_begin_says_so_at_once_and_in_the_store(lambdas, peer, bucket):
    api = lambdas(peer, **stored_in(bucket))
    refused = {"success": False, "error": "No datasets provided"}
    for event, read in ((url_event({"async": True}), lambda o: o.http[2]), ({"async": True}, lambda o: o.json)):
        one = api.invoke(event)
        assert read(one) == refused
        api.idle()
        assert objects(bucket)["/results/runs/%s.json" % one.id] == refused, "who was not listening looks there"
    one = api.invoke({"async": True, "datasets": [{}]})
    api.idle()
    assert objects(bucket)["/results/runs/%s.json" % one.id] == one.json and "session_id" in one.json["error"]
    assert peer.requests == [] and api.exits == []


def test_an_asynchronous_run_without_a_place_for_its_result_is_refused(lambdas, peer):
    api = lambdas(peer)
    status, _, body = api.invoke(url_event({**payload(peer.url), "async": True})).http
    assert status == 400 and "FAIRFORGE_RESULT_URI" in body["error"]
    one = api.invoke({**payload(peer.url), "async": True})
    assert one.error_type == "Function.BadPayload" and "FAIRFORGE_RESULT_URI" in one.error["errorMessage"]
    assert peer.requests == []


def test_an_asynchronous_run_whose_answer_was_refused_is_not_run(lambdas, peer, bucket):
    api = lambdas(peer, **stored_in(bucket))
    one = api.send({**payload(peer.url), "async": True})
    api.post_faults.append(refusal(403, "InvalidStateTransition"))
    wait_until(lambda: one.deliveries == 2 or api.exits, "the answer was not refused")
    assert peer.requests == [] and bucket.requests == []


# ---- deadlines ----

def test_what_is_done_is_answered_before_the_deadline(lambdas):
    def first_only(request):
        return by_query(request) if b"quick" in request["body"] else Silence()

    with Peer([first_only]) as peer:
        api = lambdas(peer)
        event = payload(peer.url, dataset(batch(query="quick", qa_id="1"), *[batch(query="slow", qa_id=str(i)) for i in range(2, 40)]))
        for make, read in ((lambda e: e, lambda o: o.json), (url_event, lambda o: o.http[2])):
            one = api.invoke(make(event), timeout=3)
            assert not one.killed, "it did not leave in time"
            told = answers(read(one))
            cut = "[ERROR] OpenAI: the run's deadline passed before the answer was complete."
            assert told[0] == "re: quick" and set(told[1:]) == {"[ERROR] not run: deadline", cut}, set(told)
        assert answers(api.invoke(payload(peer.url, dataset(batch(query="quick")))).json) == ["re: quick"]
        assert api.exits == []


@pytest.mark.parametrize("spelling", ["300", " 3e2 "])
def test_the_operators_own_deadline_holds(lambdas, spelling):
    with Peer([Silence()]) as silent:
        api = lambdas(silent, FAIRFORGE_DEADLINE_MS=spelling)
        assert "deadline" in answers(api.invoke(payload(silent.url), timeout=3600).json)[0]
        # A payload may lower it, too.
        assert "deadline" in answers(lambdas(silent).invoke({**payload(silent.url), "options": {"deadline_ms": 300}}, timeout=3600).json)[0]


def test_a_deadline_that_has_passed_is_answered_all_the_same(lambdas):
    past = lambda o: [("Lambda-Runtime-Aws-Request-Id", o.id), ("Lambda-Runtime-Deadline-Ms", "1")]
    with Peer([Silence()]) as silent:
        told = answers(lambdas(silent).invoke(payload(silent.url), headers=past).json)
        assert len(told) == 1 and "deadline" in told[0]


def test_a_message_that_was_not_run_in_time_comes_back(lambdas, bucket):
    with Peer([lambda r: Silence() if b"slow" in r["body"] else by_query(r)]) as peer:
        api = lambdas(peer, **stored_in(bucket))
        ask = lambda q: payload(peer.url, dataset(batch(query=q)))
        one = api.invoke(sqs_event(ask("quick"), ask("slow")), timeout=4)
        assert failures(one) == ["m1"] and not one.killed
        assert answers(objects(bucket)["/results/runs/m0.json"]) == ["re: quick"]
        assert "deadline" in answers(objects(bucket)["/results/runs/m1.json"])[0]


def test_an_asynchronous_run_is_stored_before_its_deadline(lambdas, bucket):
    with Peer([Silence()]) as peer:
        api = lambdas(peer, **stored_in(bucket))
        one = api.invoke({**payload(peer.url), "async": True}, timeout=4)
        api.idle()
        assert not one.killed and api.exits == []
        assert "deadline" in answers(objects(bucket)["/results/runs/%s.json" % one.id])[0]


# ---- sizes ----

def test_an_answer_that_is_too_large_is_refused_readably(lambdas):
    with Peer([lambda r: reply(200, chat(("x" if b"long" in r["body"] else '"') * (2 << 20)))]) as peer:
        api = lambdas(peer)
        ask = lambda q, n: payload(peer.url, dataset(*[batch(query=q, qa_id=str(i)) for i in range(n)]))
        for event in (ask("long", 4), ask("quotes", 2)):
            one = api.invoke(event)
            assert one.error_type == "Function.PayloadTooLarge" and "fewer datasets" in one.error["errorMessage"], one
        # 4 MiB as JSON: it is too large only when it is quoted once more.
        assert answers(api.invoke(ask("quotes", 1)).json) == ['"' * (2 << 20)]
        status, headers, body = api.invoke(url_event(ask("quotes", 1))).http
        assert status == 413 and "fewer datasets" in body["error"] and headers["Content-Type"] == "application/json"
        assert api.exits == [] and 413 not in [c[3] for c in api.calls], "the platform refused what should not have been posted"


def test_an_answer_that_is_too_large_goes_to_the_store(lambdas, bucket):
    with Peer([reply(200, chat("x" * (2 << 20)))]) as peer:
        api = lambdas(peer, **stored_in(bucket))
        one = api.invoke(url_event(payload(peer.url, dataset(*[batch(qa_id=str(i)) for i in range(4)]))))
        assert one.http[::2] == (200, {"success": True, "id": one.id, "result": "s3://results/runs/%s.json" % one.id})
        assert list(map(len, answers(objects(bucket)["/results/runs/%s.json" % one.id]))) == [2 << 20] * 4


@pytest.mark.slow
def test_an_answer_that_is_too_large_is_stored_also_when_the_deadline_cut_it_off(lambdas, bucket):
    with Peer([lambda r: Silence() if b"slow" in r["body"] else reply(200, chat("x" * (2 << 20)))]) as peer:
        api = lambdas(peer, FAIRFORGE_DEADLINE_MARGIN_MS="4000", **stored_in(bucket))
        one = api.invoke(payload(peer.url, dataset(*[batch(qa_id=str(i)) for i in range(4)]), dataset(batch(query="slow"), session_id="s2")), timeout=8)
        assert one.json == {"success": True, "id": one.id, "result": "s3://results/runs/%s.json" % one.id} and not one.killed
        told = answers(objects(bucket)["/results/runs/%s.json" % one.id])
        assert list(map(len, told[:4])) == [2 << 20] * 4 and "deadline" in told[4]


def test_a_large_event_is_taken(lambdas, peer):
    api = lambdas(peer)
    event = payload(peer.url, dataset(batch(query="q" * (5 << 20))))
    document = api.invoke(event).json
    assert answers(document) == ["4"] and document["datasets"][0]["conversation"][0]["query"] == "q" * (5 << 20)
    assert len(peer.requests[0]["body"]) > 5 << 20


# ---- one after the other ----

def status_of(process, field):
    with open("/proc/%d/status" % process.pid, encoding="ascii") as f:
        return int(re.search(r"^%s:\s+(\d+)" % field, f.read(), re.M).group(1))


def test_a_thousand_mixed_invocations_leave_memory_and_descriptors_as_they_were(lambdas, bucket):
    def answer(request):
        if b"refused" in request["body"]:
            return reply(401, {"error": {"message": "bad key"}})
        if b"broken" in request["body"]:
            return reply(200, "<html>")
        return by_query(request)

    with Peer([answer]) as peer:
        api = lambdas(peer, **stored_in(bucket))
        ask = lambda q, i: payload(peer.url, dataset(batch(query=q), session_id="s%d" % i), params={"api_key": "sk-of-invocation-%08d" % i})
        kinds = [
            lambda i: url_event(ask("one", i)), lambda i: ask("refused", i), lambda i: url_event("{"), lambda i: ask("broken", i),
            lambda i: sqs_event(ask("two", i), "{", ask("three", i)), lambda i: b"[[", lambda i: {"connector": {"class_path": "no.%d" % i}},
            lambda i: bridge_event(ask("four", i)), lambda i: {**ask("five", i), "async": True}, lambda i: url_event(method="OPTIONS"),
            lambda i: payload("http://127.0.0.1:1", params={"api_key": "k%08d" % i}), lambda i: {"Items": [dataset()], "BatchInput": {"connector": ask("six", i)["connector"]}},
            lambda i: url_event(ask("x" * 20000, i)),
        ]
        marks = []
        for i in range(1001):
            api.invoke(kinds[i % len(kinds)](i))
            if i in (300, 1000):
                api.idle()
                descriptors = len(os.listdir("/proc/%d/fd" % api.process.pid))
                marks.append((status_of(api.process, "VmRSS"), descriptors, status_of(api.process, "Threads")))
            if i % 100 == 0:
                del peer.requests[:], bucket.requests[:]
        assert api.exits == [] and api.connections == 1
        (memory, descriptors, _), (memory_after, descriptors_after, threads) = marks
        assert descriptors_after <= descriptors + 2, "descriptors leak: %r" % marks
        assert threads <= 4, "threads: %r" % marks
        if not sanitized():  # freed memory is kept in quarantine there
            assert memory_after <= memory + 1024, "memory grows (KiB): %r" % marks


def sanitized():
    return b"libasan" in subprocess.run(["readelf", "-d", str(BOOTSTRAP)], capture_output=True, check=True).stdout


def test_nothing_of_an_invocation_is_left_for_the_next(lambdas):
    """Its key is no secret any more, its target's refusals stop nobody, its trailing turns do not count."""
    key = "sk-abcdefghijklmnop"
    with Peer([reply(401, {"error": {"message": "wrong"}})] * 25 + [reply(400, {"error": {"message": "the word is " + key}})] * 2 + [reply(200, chat("4"))]) as peer:
        api = lambdas(peer)
        refused = payload(peer.url, dataset(*[batch(qa_id=str(i)) for i in range(25)]), params={"api_key": key})
        told = answers(api.invoke(refused).json)
        assert len(told) == 25 and all(t.startswith("[ERROR] ") for t in told)
        del peer.replies[:len(peer.replies) - 3]
        assert key not in answers(api.invoke(payload(peer.url, params={"api_key": key})).json)[0]
        assert key in answers(api.invoke(payload(peer.url, params={"api_key": "another-key-of-somebody"})).json)[0], \
            "the scrubber still knows a key of an invocation that is over"
        assert answers(api.invoke(payload(peer.url, params={"api_key": key})).json) == ["4"]


def test_what_a_provider_asked_for_holds_for_that_key_alone(lambdas):
    wait = reply(429, {"error": {"message": "slow down"}}, {"retry-after": "100"})
    with Peer([lambda r: wait if b"impatient" in r["body"] else by_query(r)]) as peer:
        api = lambdas(peer)
        ask = lambda q, key, **more: payload(peer.url, dataset(batch(query=q)), params={"api_key": key, "max_retries": 1}, **more)
        assert "slow down" in answers(api.invoke(ask("impatient", "key-of-one-tenant"), timeout=2).json)[0]
        asked = len(peer.requests)
        # It said when it wants to be asked again: asking before that would be refused, and may count against the tenant.
        assert "deadline" in answers(api.invoke(ask("again", "key-of-one-tenant"), timeout=2).json)[0]
        assert len(peer.requests) == asked
        assert answers(api.invoke(ask("other", "key-of-another-tenant")).json) == ["re: other"]


def test_an_invocation_that_was_cut_off_by_its_deadline_leaves_no_turn_behind(lambdas):
    with Peer([lambda r: Silence() if b"slow" in r["body"] else by_query(r)]) as peer:
        api = lambdas(peer)
        api.invoke(payload(peer.url, dataset(*[batch(query="slow", qa_id=str(i)) for i in range(30)])), timeout=2)
        asked = len(peer.requests)
        assert answers(api.invoke(payload(peer.url, dataset(batch(query="after")))).json) == ["re: after"]
        assert [json.loads(r["body"])["messages"][-1]["content"] for r in peer.requests[asked:]] == ["after"]


def test_a_process_that_was_frozen_goes_on_with_new_connections(lambdas):
    with Peer([by_query]) as peer:
        api = lambdas(peer)
        ask = lambda q: payload(peer.url, dataset(batch(query=q)))
        api.invoke(ask("before"))
        api.idle()
        api.process.send_signal(signal.SIGSTOP)
        peer.hang_up()
        one = api.send(ask("after"))
        api.process.send_signal(signal.SIGCONT)
        assert answers(api.answer(one).json) == ["re: after"]
        assert peer.connections == 2


def test_the_log_holds_nothing_of_a_payload(lambdas, bucket):
    secrets = ["planted-query", "planted-session", "planted-context", "planted-answer", "planted-key-0123456789", "planted-model", "planted-path",
               "planted-async", "planted-secret-access-key", "planted-qa"]
    with Peer([reply(200, chat("planted-answer")), reply(400, {"error": {"message": "planted-answer"}}), reply(429, {"error": {"message": "planted-answer"}}, {"retry-after-ms": "1"}),
               reply(200, chat("planted-answer"))]) as peer:
        api = lambdas(peer, FAIRFORGE_LOG_LEVEL="debug", **stored_in(bucket))
        full = payload(peer.url + "/planted-path", dataset(batch(query="planted-query", qa_id="planted-qa"), session_id="planted-session", context="planted-context"),
                       params={"api_key": "planted-key-0123456789", "model": "planted-model", "max_retries": 2})
        for event in (full, url_event(full), sqs_event(full), {**full, "async": True}, url_event(json.dumps(full)[:-9]), {"planted-async": 1}):
            api.invoke(event)
        api.idle()
        assert not [s for s in secrets if s in api.stderr], api.stderr
        lines = api.logs
        assert {"invocation"} <= {l["event"] for l in lines} and all(l["timestamp"].endswith("Z") and l["level"] in ("ERROR", "WARN", "INFO", "DEBUG") for l in lines)


def test_the_log_says_that_an_answer_was_not_taken(lambdas, peer):
    api = lambdas(peer)
    api.send(payload(peer.url))
    api.post_faults.append(refusal(403, "InvalidStateTransition"))
    assert api.wait_exit() == 1
    line, = [l for l in api.logs if l["event"] == "invocation"]
    assert (line["level"], line["delivery"], line["status"]) == ("ERROR", "refused", 200)


def test_log_levels(lambdas, peer):
    for level, lines in (("error", 1), ("warning", 1), ("info", 2)):
        api = lambdas(peer, FAIRFORGE_LOG_LEVEL=level)
        api.invoke(payload(peer.url))
        api.invoke(b"{")
        api.idle()
        assert len([l for l in api.logs if l["event"] == "invocation"]) == lines, level


def test_it_starts_without_touching_what_an_event_may_not_need(lambdas, peer, tmp_path):
    """Neither the CA bundle is decoded nor a name resolved before the first event is asked for: no file of certificates is opened, no socket but one."""
    trace = tmp_path / "trace"
    probe = subprocess.run(["strace", "-V"], capture_output=True, check=False) if os.path.exists("/usr/bin/strace") else None
    if probe is None or probe.returncode or sanitized():
        pytest.skip("no strace, or a sanitizer that cannot be traced")
    with RuntimeApi(["strace", "-f", "-o", str(trace), "-e", "trace=openat,socket,clone,clone3", str(BOOTSTRAP)], environment()) as api:
        api.start()
        api.idle()
        text = trace.read_text().replace(str(BOOTSTRAP.parent), "")  # whose name is not ours to choose
    assert "certs" not in text and text.count("socket(AF_INET") == 1 and "clone" not in text, text
