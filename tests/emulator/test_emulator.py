"""Events of every kind through AWS's own Runtime API: what its callers get."""
import base64
import json
import pathlib

import pytest

from peer import Peer, Silence, chat, reply

EVENTS = pathlib.Path(__file__).resolve().parents[1] / "fuzz" / "corpus" / "event"
STORED = reply(200, b"")
AWS = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test", "FAIRFORGE_RESULT_URI": "s3://results/runs"}


def batch(query="2+2?", qa_id="q1"):
    return {"qa_id": qa_id, "query": query, "assistant": "", "ground_truth_assistant": "4"}


def dataset(*batches, session_id="s1"):
    return {"session_id": session_id, "assistant_id": "a", "language": "english", "context": "", "conversation": list(batches) or [batch()]}


def payload(*datasets, **more):
    return {"datasets": list(datasets) or [dataset()], **more}


def url_event(body=None, method="POST", **more):
    return {"version": "2.0", "rawPath": "/run", "headers": {}, "requestContext": {"http": {"method": method, "path": "/run"}, "apiId": "u", "domainName": "u.lambda-url.eu-west-1.on.aws"},
            **({} if body is None else {"body": body if isinstance(body, str) else json.dumps(body)}), "isBase64Encoded": False, **more}


def connector(url):
    """The function's own connector: payloads need datasets only."""
    return {"FAIRFORGE_ALLOWED_ORIGINS": url, "FAIRFORGE_MAX_RETRIES": "0",
            "FAIRFORGE_CONNECTOR": json.dumps({"class_path": "langchain_openai.chat_models.ChatOpenAI", "params": {"model": "m", "base_url": url + "/v1", "api_key": "sk-of-the-operator-1"}})}


@pytest.fixture
def peer():
    with Peer([reply(200, chat("4"))]) as p:
        yield p


def answers(document):
    return [b["assistant"] for d in document["datasets"] for b in d["conversation"]]


def body_of(envelope):
    assert envelope["headers"]["Content-Type"] == "application/json" and envelope["headers"]["Access-Control-Allow-Origin"] == "*"
    return json.loads(envelope["body"])


def test_events_one_after_the_other(function, peer):
    """One sandbox, many kinds; nothing of one is left for the next."""
    f = function(**connector(peer.url))
    assert answers(f.json(payload())) == ["4"]
    envelope = f.json(url_event(payload()))
    assert envelope["statusCode"] == 200 and answers(body_of(envelope)) == ["4"]
    envelope = f.json(url_event(base64.b64encode(json.dumps(payload()).encode()).decode(), isBase64Encoded=True))
    assert envelope["statusCode"] == 200 and answers(body_of(envelope)) == ["4"]
    envelope = f.json(url_event("{no JSON"))
    assert envelope["statusCode"] == 400 and body_of(envelope) == {"error": "Invalid JSON body"}
    envelope = f.json(url_event())
    assert envelope["statusCode"] == 200 and body_of(envelope)["error"] == "No datasets provided"
    assert f.json(url_event(method="OPTIONS"))["statusCode"] == 204
    assert answers(f.json({"Items": [dataset(), dataset(session_id="s2")], "BatchInput": {"options": {"max_retries": 0}}})) == ["4", "4"]
    assert answers(f.json(dataset(batch(), batch(qa_id="q2")))) == ["4", "4"]
    assert answers(json.loads(f.json({"body": json.dumps(payload())})["body"])) == ["4"]
    assert f.said().count('"kind"') >= 9 and "2+2?" not in f.said() and "sk-of-the-operator-1" not in f.said()


@pytest.mark.parametrize("name", sorted(p.name for p in EVENTS.glob("*.json")))
def test_documented_events_are_answered(function, peer, name):
    """Whatever shape comes, the caller gets JSON, and the next event is answered."""
    f = function(**connector(peer.url))
    status, data = f.invoke((EVENTS / name).read_bytes())
    assert status == 200 and isinstance(json.loads(data), dict), data
    assert answers(f.json(payload())) == ["4"]


def test_a_hundred_events(function, peer):
    f = function(**connector(peer.url))
    for i in range(100):
        assert answers(f.json(payload(dataset(batch("%d?" % i))))) == ["4"]
    assert len(peer.requests) == 100
    assert f.said().count("INIT START(") == 1, "the function must not start anew:\n" + f.said()


def test_queue(function, peer):
    with Peer([STORED]) as bucket:
        f = function(AWS_ENDPOINT_URL_S3=bucket.url, **AWS, **connector(peer.url))
        records = [{"messageId": "m%d" % i, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:1:q", "body": b}
                   for i, b in enumerate([json.dumps(payload()), "no JSON", json.dumps(payload())])]
        assert f.json({"Records": records}) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
        stored = {r["target"]: json.loads(r["body"]) for r in bucket.requests}
        assert answers(stored["/results/runs/m0.json"]) == ["4"] and answers(stored["/results/runs/m2.json"]) == ["4"]


def test_later(function, peer):
    """202 first; the result is in the bucket before the next event is taken."""
    with Peer([STORED]) as bucket:
        f = function(AWS_ENDPOINT_URL_S3=bucket.url, **AWS, **connector(peer.url))
        envelope = f.json(url_event(payload(**{"async": True})))
        assert envelope["statusCode"] == 202 and json.loads(envelope["body"])["result"].startswith("s3://results/runs/")
        assert f.json(url_event(payload()))["statusCode"] == 200
        (stored,) = [json.loads(r["body"]) for r in bucket.requests]
        assert answers(stored) == ["4"]


def test_deadline(function):
    """What is not done by then is said, before the platform would kill the process."""
    with Peer([Silence()]) as peer:
        f = function(AWS_LAMBDA_FUNCTION_TIMEOUT="3", **connector(peer.url))
        envelope = f.json(url_event(payload(dataset(batch(), batch(qa_id="q2")))))
        assert envelope["statusCode"] == 200
        assert all(a.startswith("[ERROR] ") and "deadline" in a for a in answers(body_of(envelope))), envelope


def test_too_large_an_answer(function):
    with Peer([reply(200, chat("x" * 7_000_000))]) as peer:
        f = function(**connector(peer.url))
        envelope = f.json(url_event(payload()))
        assert envelope["statusCode"] == 413 and "larger than" in json.loads(envelope["body"])["error"]


def test_function_error(function, peer):
    """What ends as a function error has a stable name, by which a state machine can catch it."""
    f = function(**connector(peer.url))
    assert f.json({"detail-type": "t", "source": "s", "detail": payload()})["errorType"] == "Function.ResultUriMissing"
    assert f.json(b'{"datasets":')["errorType"] == "Function.BadPayload"
    assert f.json({"Records": [{"eventSource": "aws:s3"}]})["errorType"] == "Function.BadPayload"
    assert answers(f.json(payload())) == ["4"]


def test_wrong_configuration(function):
    """The caller sees the sentence."""
    f = function(FAIRFORGE_RESULT_URI="s3://x")
    status, data = f.invoke(payload())
    assert status == 502 and "FAIRFORGE_RESULT_URI" in json.loads(data)["errorMessage"], data
