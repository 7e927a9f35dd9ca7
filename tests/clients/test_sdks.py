"""The vendors' SDKs and alquimia-client, unchanged: answers, streams, lists of models, refusals as the SDKs' own exceptions."""

import asyncio
import json
import urllib.error
import urllib.request

import google.genai
import google.genai.errors
import groq
import httpx
import ollama
import openai
import pytest
from alquimia_client import AlquimiaClient
from conftest import ANSWERS, QUERIES
from fair_forge.runners import AlquimiaRunner
from fair_forge.schemas import Dataset
from google.genai import types

QUERY, TRUTH = QUERIES[0]
MESSAGES = [{"role": "user", "content": QUERY}]


def openai_client(url, key="k", **kwargs):
    return openai.OpenAI(api_key=key, base_url=url + "/v1", **kwargs)


def groq_client(url, key="k", **kwargs):
    return groq.Groq(api_key=key, base_url=url, **kwargs)


def gemini_client(url, key="k", version=None, **kwargs):
    return google.genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, api_version=version, **kwargs))


# ---- OpenAI ----


def test_openai_chat(mock):
    reply = openai_client(mock.url).chat.completions.create(model="gpt-4o", messages=MESSAGES)
    assert reply.choices[0].message.content == TRUTH
    assert reply.model == "gpt-4o" and reply.object == "chat.completion" and reply.id.startswith("chatcmpl-")
    assert reply.created > 1_700_000_000 and reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_openai_stream(mock):
    with openai_client(mock.url) as client:
        chunks = list(client.chat.completions.create(model="m", messages=MESSAGES, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == TRUTH
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens > 0
    assert len({c.id for c in chunks}) == 1


def test_openai_responses(mock):
    reply = openai_client(mock.url).responses.create(model="m", input=QUERY)
    assert reply.output_text == TRUTH and reply.status == "completed"
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


def test_openai_responses_stream(mock):
    with openai_client(mock.url).responses.stream(model="m", input=QUERY) as stream:
        events = list(stream)
        final = stream.get_final_response()
    deltas = [e.delta for e in events if e.type == "response.output_text.delta"]
    assert "".join(deltas) == TRUTH and len(deltas) >= 2
    assert final.output_text == TRUTH
    assert [e.sequence_number for e in events if hasattr(e, "sequence_number")] == sorted(e.sequence_number for e in events if hasattr(e, "sequence_number"))


def test_openai_models(mock):
    client = openai_client(mock.url)
    assert "gpt-4o-mini" in [m.id for m in client.models.list()]
    assert client.models.retrieve("org/any-model").id == "org/any-model"


def test_openai_async_and_parts(mock):
    async def ask():
        async with openai.AsyncOpenAI(api_key="k", base_url=mock.url + "/v1") as client:
            content = [{"type": "text", "text": QUERY}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
            return await client.chat.completions.create(model="m", messages=[{"role": "user", "content": content}])

    assert asyncio.run(ask()).choices[0].message.content == TRUTH


def test_openai_mistakes(mock):
    client = openai_client(mock.url)
    with pytest.raises(openai.BadRequestError) as bad:
        client.chat.completions.create(model="m", messages=[])
    assert bad.value.body["code"] == "empty_array" and bad.value.param == "messages"
    with pytest.raises(openai.BadRequestError, match="model"):
        client.chat.completions.create(model="", messages=MESSAGES)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="m", input="x")


# ---- Groq ----


def test_groq_chat(mock):
    reply = groq_client(mock.url).chat.completions.create(model="llama", messages=MESSAGES)
    assert reply.choices[0].message.content == TRUTH and reply.model == "llama"
    assert reply.x_groq.id.startswith("req_")
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_groq_stream(mock):
    chunks = list(groq_client(mock.url).chat.completions.create(model="m", messages=MESSAGES, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == TRUTH
    assert chunks[0].x_groq.id.startswith("req_")
    assert chunks[-1].x_groq.usage.total_tokens > 0 and chunks[-1].choices[0].finish_reason == "stop"


def test_groq_models(mock):
    assert "llama-3.1-8b-instant" in [m.id for m in groq_client(mock.url).models.list().data]
    assert groq_client(mock.url).models.retrieve("x").id == "x"


# ---- Gemini ----


@pytest.mark.parametrize("version", [None, "v1", "v1beta"])
def test_gemini(mock, version):
    with gemini_client(mock.url, version=version) as client:
        reply = client.models.generate_content(model="gemini-2.5-flash", contents=QUERY)
    assert reply.text == TRUTH and reply.model_version == "gemini-2.5-flash"
    usage = reply.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count


@pytest.mark.parametrize("version", [None, "v1", "v1beta"])
def test_gemini_stream(mock, version):
    with gemini_client(mock.url, version=version) as client:
        chunks = list(client.models.generate_content_stream(model="gemini-2.5-flash", contents=QUERY))
    assert "".join(c.text or "" for c in chunks) == TRUTH and len(chunks) >= 2
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert [c.candidates[0].finish_reason for c in chunks[:-1]] == [None] * (len(chunks) - 1)


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_gemini_models(mock, version):
    client = gemini_client(mock.url, version=version)
    assert "models/gemini-2.5-flash" in [m.name for m in client.models.list()]
    assert client.models.get(model="gemini-x").name == "models/gemini-x"


def test_gemini_chat_and_array(mock):
    client = gemini_client(mock.url)
    chat = client.chats.create(model="gemini-2.5-flash")
    chat.send_message("Hello")
    assert chat.send_message(QUERY).text == TRUTH
    body = json.dumps({"contents": [{"parts": [{"text": QUERY}]}]}).encode()
    with urllib.request.urlopen(urllib.request.Request(mock.url + "/v1beta/models/m:streamGenerateContent", body)) as reply:
        items = json.load(reply)
    assert "".join(i["candidates"][0]["content"]["parts"][0]["text"] for i in items) == TRUTH


# ---- Ollama ----


def test_ollama(mock):
    reply = ollama.Client(host=mock.url).chat(model="llama3.2", messages=MESSAGES)
    assert reply.message.content == TRUTH and reply.model == "llama3.2" and reply.done
    assert reply.prompt_eval_count > 0 and reply.eval_count > 0 and reply.total_duration > 0


def test_ollama_stream(mock):
    parts = list(ollama.Client(host=mock.url).chat(model="m", messages=MESSAGES, stream=True))
    assert "".join(p.message.content for p in parts) == TRUTH and len(parts) >= 3
    assert parts[-1].done and parts[-1].done_reason == "stop" and not parts[0].done


def test_ollama_rest(mock):
    client = ollama.Client(host=mock.url)
    assert "llama3.2:latest" in [m.model for m in client.list().models]
    assert "completion" in client.show("any").capabilities
    assert client.chat(model="m", messages=[]).done_reason == "load"
    with urllib.request.urlopen(mock.url + "/") as reply:
        assert reply.read() == b"Ollama is running"
    with urllib.request.urlopen(mock.url + "/api/version") as reply:
        assert json.load(reply)["version"]


# ---- Alquimia ----


@pytest.mark.parametrize("version", ["", "v1", "v2"])
def test_alquimia(mock, version):
    async def ask():
        async with AlquimiaClient(mock.url, api_key="k", api_version=version) as client:
            started = await client.infer("agent", "s1", QUERY, channel="chan-1", date="2026-01-01")
            return [event async for event in client.stream(started["stream_id"])]

    events = asyncio.run(ask())
    contents = [e["response"]["data"]["content"] for e in events if "response" in e]
    assert contents[-1] == TRUTH and len(contents) >= 2
    assert contents == sorted(contents, key=len) and all(TRUTH.startswith(c) for c in contents)


def test_alquimia_runner(mock):
    """fair_forge's own runner on top of the client: it takes every event for a response."""
    runner = AlquimiaRunner(base_url=mock.url, api_key="k", agent_id="agent", channel_id="chan-1")
    answered, summary = asyncio.run(runner.run_dataset(Dataset.model_validate(ANSWERS)))
    assert [b.assistant for b in answered.conversation] == [b.ground_truth_assistant for b in answered.conversation]
    assert summary["successes"] == len(QUERIES) and summary["failures"] == 0


def test_alquimia_unknown_stream(mock):
    async def ask(stream_id):
        async with AlquimiaClient(mock.url, api_key="k", api_version="") as client:
            return [event async for event in client.stream(stream_id)]

    for stream_id in ("nope", "st-0000000000000001"):
        with pytest.raises(httpx.HTTPStatusError) as failed:
            asyncio.run(ask(stream_id))
        assert failed.value.response.status_code == 404
        assert "detail" in json.loads(asyncio.run(_body(mock.url, stream_id)))


async def _body(url, stream_id):
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{url}/event/stream/{stream_id}")).text


# ---- keys and limits, as the SDKs see them ----


def test_keys(start):
    mock = start("--require-key", "right")
    with pytest.raises(openai.AuthenticationError) as refused:
        openai_client(mock.url, "wrong").chat.completions.create(model="m", messages=MESSAGES)
    assert refused.value.body["code"] == "invalid_api_key"
    with pytest.raises(groq.AuthenticationError):
        groq_client(mock.url, "wrong").chat.completions.create(model="m", messages=MESSAGES)
    with pytest.raises(google.genai.errors.ClientError) as refused, gemini_client(mock.url, "wrong") as client:
        client.models.generate_content(model="m", contents="x")
    assert refused.value.code == 401 and refused.value.status == "UNAUTHENTICATED"
    with pytest.raises(ollama.ResponseError) as refused:
        ollama.Client(host=mock.url).chat(model="m", messages=MESSAGES)
    assert refused.value.status_code == 401 and refused.value.error == "unauthorized"
    assert openai_client(mock.url, "right").chat.completions.create(model="m", messages=MESSAGES).choices
    assert groq_client(mock.url, "right").chat.completions.create(model="m", messages=MESSAGES).choices
    with gemini_client(mock.url, "right") as client:
        assert client.models.generate_content(model="m", contents="x").text
    assert ollama.Client(host=mock.url, headers={"authorization": "Bearer right"}).chat(model="m", messages=MESSAGES).done
    body = json.dumps({"contents": [{"parts": [{"text": "x"}]}]}).encode()
    with urllib.request.urlopen(urllib.request.Request(mock.url + "/v1beta/models/m:generateContent?key=right", body)) as reply:
        assert reply.status == 200


def test_openai_limits(start):
    mock = start("--rpm", "2", "--tpm", "100000")
    client = openai_client(mock.url, max_retries=0)
    raw = client.chat.completions.with_raw_response.create(model="m", messages=MESSAGES)
    assert raw.headers["x-ratelimit-limit-requests"] == "2" and raw.headers["x-ratelimit-remaining-requests"] == "1"
    assert raw.headers["x-ratelimit-limit-tokens"] == "100000" and raw.headers["x-ratelimit-reset-requests"].endswith("s")
    client.chat.completions.create(model="m", messages=MESSAGES)
    with pytest.raises(openai.RateLimitError, match="Please try again in") as refused:
        client.chat.completions.create(model="m", messages=MESSAGES)
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    assert refused.value.body["type"] == "requests" and refused.value.body["code"] == "rate_limit_exceeded"


def test_other_limits(start):
    mock = start("--tpm", "40", script={"rules": [], "limits": {"kind": "bucket"}})
    with pytest.raises(groq.RateLimitError, match=r"tokens per minute \(TPM\): Limit 40, Used \d+, Requested \d+. Please try again in [0-9ms.]+s"):
        for _ in range(9):
            groq_client(mock.url, max_retries=0).chat.completions.create(model="m", messages=MESSAGES)
    with pytest.raises(google.genai.errors.ClientError) as refused, gemini_client(mock.url) as client:
        client.models.generate_content(model="m", contents=QUERY)
    details = refused.value.details["error"]["details"]
    delay = [d["retryDelay"] for d in details if d["@type"].endswith("RetryInfo")][0]
    assert refused.value.status == "RESOURCE_EXHAUSTED" and delay.endswith("s") and 0 < float(delay[:-1]) <= 60
    with pytest.raises(ollama.ResponseError) as busy:
        ollama.Client(host=mock.url).chat(model="m", messages=MESSAGES)
    assert busy.value.status_code == 429


def test_retries_pass_limits(start):
    mock = start("--rpm", "2", script={"rules": [], "limits": {"window_ms": 1500}})
    client = openai_client(mock.url, max_retries=4)
    for _ in range(5):
        assert client.chat.completions.create(model="m", messages=MESSAGES).choices


def test_unknown_paths(mock):
    for path, member in (("/v1/nope", "error"), ("/openai/v1/nope", "error"), ("/v1beta/nope", "error"), ("/api/nope", "error"), ("/event/nope", "detail")):
        with pytest.raises(urllib.error.HTTPError) as failed:
            urllib.request.urlopen(mock.url + path)
        assert failed.value.code == 404 and member in json.load(failed.value)
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(mock.url + "/v1/chat/completions")
    assert failed.value.code == 405 and failed.value.headers["Allow"] == "POST"
