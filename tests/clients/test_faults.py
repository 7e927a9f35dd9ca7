"""What the script of faults does to the real clients: each fault is seen as what it stands for, and clients that retry get through."""

import openai
import pytest
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_groq import ChatGroq
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI

MESSAGES = [{"role": "user", "content": "Hello"}]


def client(mock, **kwargs):
    return openai.OpenAI(api_key="k", base_url=mock.url + "/v1", **{"max_retries": 0, "timeout": 5, **kwargs})


def ask(mock, stream=False, **kwargs):
    reply = client(mock, **kwargs).chat.completions.create(model="m", messages=MESSAGES, stream=stream)
    return "".join(c.choices[0].delta.content or "" for c in reply) if stream else reply.choices[0].message.content


@pytest.mark.parametrize("action", [{"reset": True}, {"close": True}, {"garbage": True}, {"garbage": {"hex": "ff00ff"}}, {"truncate": 30}, {"truncate": 30, "reset": True}])
def test_broken_connections(start, action):
    mock = start(script=[{"request": 1, **action}])
    with pytest.raises(openai.APIConnectionError):
        ask(mock)
    assert ask(mock)


@pytest.mark.parametrize("action", [{"reset": True}, {"close": True}, {"garbage": True}, {"status": 500}, {"status": 429, "headers": {"retry-after": "1"}}, {"status": 503, "body": "busy"}])
def test_retries_get_through(start, action):
    mock = start(script=[{"request": 1, **action}])
    assert ask(mock, max_retries=2)


@pytest.mark.parametrize("action", [{"never": True}, {"delay_ms": 3000}])
def test_silence(start, action):
    mock = start(script=[{"request": 1, **action}])
    with pytest.raises(openai.APITimeoutError):
        ask(mock, timeout=0.5)
    assert ask(mock)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("action", [{"gzip": True}, {"trickle": {"bytes": 200, "interval_ms": 5}}, {"gzip": True, "trickle": {"bytes": 100, "interval_ms": 2}}, {"delay_ms": 100}])
def test_harmless(start, action, stream):
    mock = start(script=[{"request": 1, **action}])
    assert ask(mock, stream) == ask(mock, stream)


def test_bad_json(start):
    mock = start(script=[{"bad_json": True}])
    with pytest.raises(Exception):
        ask(mock)
    with pytest.raises(Exception):
        ask(mock, stream=True)


def test_endless(start):
    mock = start(script=[{"endless": {"interval_ms": 1}}])
    seen = 0
    for _ in client(mock).chat.completions.create(model="m", messages=MESSAGES, stream=True):
        seen += 1
        if seen == 200:
            break
    assert seen == 200


def test_status_in_each_shape(start):
    mock = start(script=[{"status": 503}])
    with pytest.raises(openai.InternalServerError, match="status 503"):
        ask(mock)
    with pytest.raises(Exception, match="503.*UNAVAILABLE.*status 503"):
        ChatGoogleGenerativeAI(model="m", api_key="k", base_url=mock.url, max_retries=1).invoke("x")
    with pytest.raises(Exception, match=r"status 503\. \(status code: 503\)"):
        ChatOllama(model="m", base_url=mock.url).invoke("x")
    with pytest.raises(Exception, match="status 503"):
        ChatGroq(model="m", api_key="k", base_url=mock.url, max_retries=0).invoke("x")


def test_by_session_and_share(start):
    mock = start(script={"seed": 7, "rules": [{"match": "unlucky", "status": 500}, {"share": 0.5, "status": 400}]})
    model = ChatOpenAI(model="m", api_key="k", base_url=mock.url + "/v1", max_retries=0)
    with pytest.raises(openai.InternalServerError):
        model.invoke("I am unlucky today")
    refused = 0
    for i in range(60):
        try:
            model.invoke(f"number {i}")
        except openai.BadRequestError:
            refused += 1
    assert 15 <= refused <= 45, f"expected about half of 60, got {refused}"
