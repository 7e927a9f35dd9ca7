"""Planted keys: every byte of stderr and every error sentence is searched, also in the forms a key takes on its way."""
import base64
import json
import urllib.parse

import pytest

from conftest import dataset, fairforge, payload
from peer import Peer, Raw, chat, reply

PLANTED = "sk-planted/+%\"key'\\0123456789"
SIMPLE = "sk-planted-0123456789abcdef"


def forms(key):
    return {key, json.dumps(key)[1:-1], urllib.parse.quote(key, safe=""), urllib.parse.quote(key)}


def search(result, key, *also):
    for text in (result.err, *also):
        for form in forms(key):
            assert form not in text, "the key appears as %r: %r" % (form, text[-500:])


@pytest.mark.parametrize("key", [SIMPLE, PLANTED])
@pytest.mark.parametrize("log", ["error", "debug"])
def test_key_echoed_by_the_provider(key, log):
    bodies = [reply(401, {"error": {"message": "Incorrect API key provided: %s. See the docs." % key}}), reply(400, {"error": key}),
              reply(500, "token " + key, {"Content-Type": "text/plain"}), reply(403, {"detail": "Bearer " + key}),
              reply(302, "", {"Location": "http://elsewhere.test/?k=" + urllib.parse.quote(key, safe="")})]
    for body in bodies:
        with Peer([body]) as peer:
            result = fairforge("run", "-", "--log-level", log, "--json", stdin=payload(peer.url, params={"api_key": key}))
            assert peer.requests[0]["headers"]["authorization"] == "Bearer " + key
        search(result, key, result.out)


def test_key_in_a_successful_answer_is_kept_and_flagged():
    with Peer([reply(200, chat("your key is " + SIMPLE))]) as peer:
        for flags in ([], ["--json"]):
            result = fairforge("run", "-", *flags, stdin=payload(peer.url, dataset(session_id="s " + SIMPLE), params={"api_key": SIMPLE}))
            assert result.answers == ["your key is " + SIMPLE], "an answer that was paid for must not be altered"
            assert "key" in result.err.lower() and SIMPLE not in result.err, result


def test_keys_from_environment_and_files(tmp_path):
    (tmp_path / "key").write_text(SIMPLE + "\n")
    for flag, env in (("api_key=env:MY_KEY", {"MY_KEY": SIMPLE}), ("api_key=file:%s" % (tmp_path / "key"), {})):
        with Peer([reply(401, {"error": {"message": SIMPLE}})]) as peer:
            result = fairforge("run", "-", "--param", flag, stdin=payload(peer.url), env=env)
            assert peer.requests[0]["headers"]["authorization"] == "Bearer " + SIMPLE, result
        search(result, SIMPLE, result.out)
    with Peer([reply(401, {"error": {"message": SIMPLE}})]) as peer:
        request = payload(peer.url)
        del request["connector"]["params"]["api_key"]
        result = fairforge("run", "-", stdin=request, env={"OPENAI_API_KEY": SIMPLE})
        assert peer.requests[0]["headers"]["authorization"] == "Bearer " + SIMPLE
    search(result, SIMPLE, result.out)


def test_a_key_is_not_taken_to_another_provider():
    """--connector names another class than the payload: the payload's parameters, its key among them, stay behind, and that is said."""
    with Peer([reply(200, chat("ok"))]) as peer:
        request = payload(peer.url, params={"api_key": SIMPLE})
        flags = ["--connector", "groq", "--model", "m", "--param", "base_url=" + peer.url]
        result = fairforge("run", "-", *flags, stdin=request)
        assert result.status == 64 and "GROQ_API_KEY" in result.out and not peer.requests, result
        result = fairforge("run", "-", *flags, stdin=request, env={"GROQ_API_KEY": "gsk-own-0123456789"})
        assert result.status == 0 and "ChatOpenAI" in result.err, result
        assert peer.requests[0]["headers"]["authorization"] == "Bearer gsk-own-0123456789"
        same = fairforge("run", "-", "--connector", "openai", stdin=request)
        assert same.status == 0 and peer.requests[-1]["headers"]["authorization"] == "Bearer " + SIMPLE, same


def test_missing_variable_is_named():
    result = fairforge("run", "-", "--param", "api_key=env:NO_SUCH_KEY", stdin=payload("http://127.0.0.1:1"))
    assert result.status == 64 and "NO_SUCH_KEY" in result.out + result.err, result


def test_a_key_where_a_variable_is_named():
    """api_key=env:KEY is an easy slip: what is not called as variables are is not repeated."""
    for key in (SIMPLE, "gsk_planted0123456789abcdef"):
        result = fairforge("run", "-", "--param", "api_key=env:" + key, stdin=payload("http://127.0.0.1:1"))
        assert result.status == 64 and "variable" in result.err, result
        search(result, key, result.out)


def test_other_secrets():
    """Userinfo of a base URL and credentials in default_headers are secrets too."""
    basic = base64.b64encode(b"user:pass-0123456789").decode()
    with Peer([reply(400, {"error": {"message": "%s pass-0123456789 tok-header-0123456789" % basic}})]) as peer:
        url = peer.url.replace("http://", "http://user:pass-0123456789@")
        request = payload(url, params={"default_headers": {"X-Token": "tok-header-0123456789", "Authorization": "Bearer tok-header-0123456789"}})
        result = fairforge("run", "-", "--log-level", "debug", stdin=request)
    for secret in ("pass-0123456789", "tok-header-0123456789"):
        assert secret not in result.err + result.out, result


def test_key_in_broken_places():
    """Keys do not leak through messages about a wrong configuration, garbage replies or unreachable hosts."""
    cases = [payload("http://127.0.0.1:1", params={"api_key": SIMPLE}), payload("http://127.0.0.1:1", params={"api_key": SIMPLE + "\r\nX: y"}),
             payload("http://127.0.0.1:1", params={"api_key": SIMPLE, "temperature": SIMPLE}),
             payload("http://%s@127.0.0.1:1" % SIMPLE, params={"api_key": SIMPLE, "bogus": 1})]
    for request in cases:
        result = fairforge("run", "-", "--log-level", "debug", stdin=request)
        assert result.status != 0
        search(result, SIMPLE, result.out)
    with Peer([Raw(b"HTTP/1.1 200 " + SIMPLE.encode() + b"\r\nX: " + SIMPLE.encode() + b"\r\n\r\n{" + SIMPLE.encode())]) as peer:
        result = fairforge("run", "-", "--log-level", "debug", stdin=payload(peer.url, params={"api_key": SIMPLE}))
        search(result, SIMPLE, result.out)


def test_terminal_escapes_of_other_people_are_shown_not_obeyed():
    nasty = "\x1b]0;owned\x07\x1b[31mred\u202egnp.exe\x9b2J"
    with Peer([reply(400, {"error": {"message": nasty}})]) as peer:
        result = fairforge("run", "-", "--log-level", "debug", stdin=payload(peer.url, dataset(session_id="s\x1b[2J")))
    for bad in ("\x1b", "\x07", "\u202e", "\x9b"):
        assert bad not in result.err, "%r reached stderr: %r" % (bad, result.err)
