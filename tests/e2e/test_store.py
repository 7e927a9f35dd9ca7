"""Results that go to S3: each request is checked by a strict verifier of AWS Signature Version 4, written from its specification with Python's hmac, and
every refusal and fault of a server becomes a sentence or another attempt. tests/clients/test_s3.py does the same against moto."""
import hashlib
import hmac
import json
import os
import re
import subprocess
import urllib.parse

import pytest

from conftest import BUILD, LIMIT_S, environment
from peer import Peer, Raw, Reset, Silence, reply

PROBE = BUILD / "tests" / "unit" / "front" / "store_probe"
ACCESS, SECRET, TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "session/token+with=signs=="
ANSWER = json.dumps({"datasets": [], "text": "日本 \"quoted\""}, ensure_ascii=False).encode()
OK = reply(200, b"", {"ETag": '"x"'})


def probe(url, *args, body=ANSWER, env=None):
    """Runs the probe: [(code, sentence or URI)] and the exit status."""
    variables = {"FAIRFORGE_RESULT_URI": "s3://results/runs/today", "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": ACCESS,
                 "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN, "AWS_ENDPOINT_URL_S3": url, **(env or {})}
    process = subprocess.run([str(PROBE), *(args or ("run-1", "20000"))], input=body, capture_output=True, timeout=LIMIT_S, check=False,
                             env=environment({k: v for k, v in variables.items() if v is not None}))
    err = process.stderr.decode("utf-8", "replace")
    assert process.returncode in (0, 2) and err == "", "%d: %s" % (process.returncode, err)
    lines = [line.split(" ", 1) for line in process.stdout.decode().splitlines()]
    return [(int(code), text) for code, text in lines], process.returncode


def one(url, *args, **more):
    (only,), status = probe(url, *args, **more)
    assert status == 0, only
    return only


# ---- the verifier ----

def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def problem(request, port, token=TOKEN, secret=SECRET):
    """What S3 would have against the signature of a request, or None. Nothing is assumed: each part is taken from the request as it arrived."""
    h = request["headers"]
    match = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/,]+)/(\d{8})/([^/,]+)/s3/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
                         h.get("authorization", ""))
    if not match:
        return "no Authorization of the right form: %r" % h.get("authorization")
    access, day, region, names, signature = match.groups()
    names = names.split(";")
    if access != ACCESS or names != sorted(names) or len(set(names)) != len(names):
        return "wrong access key, or unsorted names: %r" % names
    must = {"host"} | {n for n in h if n.startswith("x-amz-")} | ({"content-type"} & set(h))
    if not must <= set(names):
        return "not signed: %r" % (must - set(names))
    if not set(names) <= set(h):
        return "signed but not sent: %r" % (set(names) - set(h))
    if h["host"] != "127.0.0.1:%d" % port:
        return "wrong Host: %s" % h["host"]
    if not re.fullmatch(r"\d{8}T\d{6}Z", h["x-amz-date"]) or h["x-amz-date"][:8] != day:
        return "date and scope differ"
    if h.get("x-amz-security-token", "") != token:
        return "wrong token"
    if h["x-amz-content-sha256"] != hashlib.sha256(request["body"]).hexdigest():
        return "the hash is not the body's"
    path, _, query = request["target"].partition("?")
    if path != urllib.parse.quote(urllib.parse.unquote(path), safe="/-._~") or query:
        return "path not encoded as RFC 3986 has it, or a query: %s" % request["target"]
    canonical = "\n".join([request["method"], path, query, *("%s:%s" % (n, " ".join(h[n].split())) for n in names), "", ";".join(names),
                           h["x-amz-content-sha256"]])
    scope = "%s/%s/s3/aws4_request" % (day, region)
    text = "AWS4-HMAC-SHA256\n%s\n%s\n%s" % (h["x-amz-date"], scope, hashlib.sha256(canonical.encode()).hexdigest())
    key = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = sign(key, part)
    return None if sign(key, text).hex() == signature else "the signature does not match"


def test_verifier_knows_the_published_example():
    """The PUT of the S3 documentation: a verifier that takes everything would prove nothing."""
    key = ("AWS4" + SECRET).encode()
    for part in ("20130524", "us-east-1", "s3", "aws4_request"):
        key = sign(key, part)
    text = "AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d"
    assert sign(key, text).hex() == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"


# ---- what is sent ----

def test_put():
    with Peer([OK]) as peer:
        assert one(peer.url) == (0, "s3://results/runs/today/run-1.json")
        (request,) = peer.requests
    assert (request["method"], request["target"]) == ("PUT", "/results/runs/today/run-1.json")
    assert request["body"] == ANSWER
    assert request["headers"]["content-type"] == "application/json"
    assert "expect" not in request["headers"] and "transfer-encoding" not in request["headers"]
    assert problem(request, peer.port) is None
    assert problem(request, peer.port, secret="another") == "the signature does not match"
    changed = {**request, "headers": {**request["headers"], "x-amz-date": request["headers"]["x-amz-date"][:9] + "000000Z"}}
    assert problem(changed, peer.port) == "the signature does not match"


@pytest.mark.parametrize("prefix", ["", "/a", "/date=2026-11-22/x,y", "/with space/and+plus", "/日本/é", "/a%2Fb/100%", "/~tilde_-.", "/a'(b)*!&$@:;?#"])
def test_prefixes(prefix):
    with Peer([OK]) as peer:
        code, uri = one(peer.url, env={"FAIRFORGE_RESULT_URI": "s3://results" + prefix})
        assert (code, uri) == (0, "s3://results%s/run-1.json" % prefix)
        assert problem(peer.requests[0], peer.port) is None
        assert urllib.parse.unquote(peer.requests[0]["target"]) == "/results%s/run-1.json" % prefix


def test_without_token():
    with Peer([OK]) as peer:
        assert one(peer.url, env={"AWS_SESSION_TOKEN": None})[0] == 0
        assert problem(peer.requests[0], peer.port, token="") is None
        assert "x-amz-security-token" not in peer.requests[0]["headers"]


@pytest.mark.parametrize("size", [0, 1, 3_000_000, 20_000_000])
def test_sizes(size):
    body = os.urandom(size)
    with Peer([OK]) as peer:
        assert one(peer.url, "big", "60000", body=body)[0] == 0
        assert peer.requests[0]["body"] == body and problem(peer.requests[0], peer.port) is None


def test_connection_is_kept():
    with Peer([OK]) as peer:
        done, _ = probe(peer.url, "again", "20000", "5")
        assert [code for code, _ in done] == [0] * 5
        assert len(peer.requests) == 5 and peer.connections == 1
        assert all(problem(r, peer.port) is None for r in peer.requests)


# ---- refusals and faults ----

def s3_error(status, code, message, **headers):
    return reply(status, "<?xml version='1.0'?>\n<Error><Code>%s</Code><Message>%s</Message><StringToSign>AWS4-HMAC-SHA256 hidden</StringToSign></Error>"
                 % (code, message), {"Content-Type": "application/xml", **headers})


@pytest.mark.parametrize("answer, words", [
    (s3_error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match."), "status 403 SignatureDoesNotMatch: The request signature"),
    (s3_error(403, "AccessDenied", "Access Denied"), "status 403 AccessDenied: Access Denied"),
    (s3_error(404, "NoSuchBucket", "The bucket does not exist"), "status 404 NoSuchBucket"),
    (s3_error(400, "InvalidArgument", "a\x1b[31mb\u202e"), "a\\x1b[31mb\\u{202E}"),
    (s3_error(301, "PermanentRedirect", "Use another endpoint.", **{"x-amz-bucket-region": "us-west-2"}), "the bucket is in us-west-2"),
    (reply(307, b"", {"Location": "http://127.0.0.1:1/elsewhere"}), "status 307"),
    (reply(403, "<html>no</html>"), "status 403"),
    (reply(403, "<Code>never closed"), "status 403"),
], ids=["signature", "denied", "bucket", "escaped", "region", "redirect", "html", "cut"])
def test_refused_at_once(answer, words):
    with Peer([answer]) as peer:
        code, text = one(peer.url)
        assert code == -9 and text.startswith("The result was not written to S3: status") and words in text, text
        assert "hidden" not in text and SECRET not in text and TOKEN not in text
        assert len(peer.requests) == 1


@pytest.mark.parametrize("fault", [s3_error(503, "SlowDown", "Please reduce your request rate."), s3_error(500, "InternalError", "We erred."),
                                   reply(502, b""), reply(504, b""), reply(429, b""), s3_error(400, "RequestTimeout", "Idle."), Reset(), Raw(b"garbage\r\n\r\n"),
                                   Raw(b""), Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort")],
                         ids=["slow-down", "internal", "502", "504", "429", "request-timeout", "reset", "garbage", "closed", "cut"])
def test_tried_again(fault):
    with Peer([fault, fault, fault, OK]) as peer:
        assert one(peer.url) == (0, "s3://results/runs/today/run-1.json")
        assert len(peer.requests) == 4
        assert all(problem(r, peer.port) is None and r["body"] == ANSWER for r in peer.requests)


def test_gives_up():
    with Peer([s3_error(503, "SlowDown", "Later.")]) as peer:
        code, text = one(peer.url)
        assert (code, text) == (-9, "The result was not written to S3 after 4 attempts: status 503 SlowDown: Later.")
        assert len(peer.requests) == 4
    code, text = one(peer.url)  # nobody listens there any more
    assert code == -5 and "after 4 attempts: " in text and "refused" in text, text


def test_time_is_up():
    with Peer([Silence()]) as peer:
        code, text = one(peer.url, "slow", "300")
        assert code == -8 and text.startswith("The result was not written to S3, because the time was up"), text
        assert len(peer.requests) == 1
    with Peer([OK]) as peer:
        code, text = one(peer.url, "none", "0")
        assert code == -8 and not peer.requests, text
    with Peer([reply(503, b"")]) as peer:
        code, text = one(peer.url, "short", "20")
        assert code == -8 and text.startswith("The result was not written to S3, because the time was up"), text


@pytest.mark.slow
def test_a_connection_that_says_nothing_is_given_up_while_there_is_time_for_another():
    with Peer([Silence(), OK]) as peer:
        assert one(peer.url, "run-1", "8000") == (0, "s3://results/runs/today/run-1.json")
        assert len(peer.requests) == 2 and peer.connections == 2


def test_large_error_document():
    with Peer([reply(403, b"x" * 200_000)]) as peer:
        code, text = one(peer.url)
        assert (code, text) == (-9, "The result was not written to S3: status 403.")


def test_wrong_configuration():
    (only,), status = probe("http://127.0.0.1:1", env={"AWS_ACCESS_KEY_ID": None})
    assert status == 2 and only[0] == -3 and "AWS_ACCESS_KEY_ID" in only[1], only


TLS = """
server { listen 127.0.0.1:@PORT@ ssl; ssl_certificate %s; ssl_certificate_key %s; client_max_body_size 0;
  location / { proxy_pass http://127.0.0.1:%d; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; } }
"""


def test_tls(pki, nginx):
    """A server that the CA bundle vouches for gets the result, another gets nothing."""
    with Peer([OK]) as peer:
        web = nginx(TLS % (*pki.make("server"), peer.port))
        url = "https://127.0.0.1:%d" % web.port
        code, text = one(url)
        assert code == -5 and "certificate" in text and not peer.requests, text
        assert one(url, env={"SSL_CERT_FILE": str(pki.ca)})[0] == 0
        assert problem(peer.requests[0], web.port) is None
