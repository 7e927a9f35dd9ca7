"""The four LangChain classes, unchanged, plain and streaming."""

import asyncio
import itertools

import pytest
from conftest import QUERIES
from langchain_core.messages import HumanMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_groq import ChatGroq
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI


# Instances of ChatOpenAI with equal settings share an asynchronous client, which must not outlive its event loop: no two are equal here.
TIMEOUTS = itertools.count(60)


def openai(url, **kwargs):
    return ChatOpenAI(model="gpt-4o-mini", api_key="k", base_url=url + "/v1", timeout=next(TIMEOUTS), **kwargs)


def responses(url, **kwargs):
    return openai(url, use_responses_api=True, **kwargs)


def groq(url, **kwargs):
    return ChatGroq(model="llama-3.1-8b-instant", api_key="k", base_url=url, **kwargs)


def gemini(url, **kwargs):
    return ChatGoogleGenerativeAI(model="gemini-2.5-flash", api_key="k", base_url=url, **kwargs)


def ollama(url, **kwargs):
    return ChatOllama(model="llama3.2", base_url=url, **kwargs)


CLASSES = [openai, responses, groq, gemini, ollama]
NAMES = {openai: "gpt-4o-mini", responses: "gpt-4o-mini", groq: "llama-3.1-8b-instant", gemini: "gemini-2.5-flash", ollama: "llama3.2"}


def text_of(message):
    """The text of a message whose content may be a list of parts."""
    content = message.content
    return content if isinstance(content, str) else "".join(p if isinstance(p, str) else p.get("text", "") for p in content)


def expected(build, truth):
    """ChatGoogleGenerativeAI strips the newlines at the end of a plain answer."""
    return truth.rstrip("\n") if build is gemini else truth


@pytest.mark.parametrize("build", CLASSES)
@pytest.mark.parametrize("query,truth", QUERIES)
def test_plain(mock, build, query, truth):
    reply = asyncio.run(build(mock.url).ainvoke(query))
    assert text_of(reply) == expected(build, truth)


@pytest.mark.parametrize("build", CLASSES)
@pytest.mark.parametrize("query,truth", QUERIES)
def test_prompt_with_context(mock, build, query, truth):
    reply = build(mock.url).invoke(f"Context:\nSomething else.\n\nQuestion: {query}")
    assert text_of(reply) == expected(build, truth)


@pytest.mark.parametrize("build", CLASSES)
@pytest.mark.parametrize("query,truth", QUERIES)
def test_stream(mock, build, query, truth):
    async def collect():
        return [chunk async for chunk in build(mock.url).astream(query)]

    chunks = asyncio.run(collect())
    texts = [text_of(c) for c in chunks if text_of(c)]
    assert "".join(texts) == truth
    assert len(texts) >= 2, f"expected two or more deltas, got {texts}"


@pytest.mark.parametrize("build", CLASSES)
def test_same_text_plain_and_streamed(mock, build):
    query = "Nobody prepared this: ñ 漢字 🤖 \u2028 end?"
    plain = text_of(build(mock.url).invoke(query))
    streamed = "".join(text_of(c) for c in build(mock.url).stream(query))
    assert plain == streamed
    assert "ñ 漢字 🤖" in plain
    assert plain != text_of(build(mock.url).invoke(query + " Other."))


@pytest.mark.parametrize("build", CLASSES)
def test_usage_adds_up(mock, build):
    usage = build(mock.url).invoke("How many tokens are these?").usage_metadata
    assert usage["input_tokens"] > 0 and usage["output_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


@pytest.mark.parametrize("build", [responses, groq, gemini, ollama])
def test_usage_of_a_stream(mock, build):
    plain = build(mock.url).invoke("Count these tokens, please.").usage_metadata
    total = None
    for chunk in build(mock.url).stream("Count these tokens, please."):
        total = chunk if total is None else total + chunk
    assert total.usage_metadata["total_tokens"] == plain["total_tokens"]


def test_usage_of_a_stream_when_asked_for(mock):
    total = None
    for chunk in openai(mock.url, stream_usage=True).stream("Count these tokens, please."):
        total = chunk if total is None else total + chunk
    plain = openai(mock.url).invoke("Count these tokens, please.").usage_metadata
    assert total.usage_metadata["total_tokens"] == plain["total_tokens"]


@pytest.mark.parametrize("build", CLASSES)
def test_metadata(mock, build):
    metadata = build(mock.url).invoke("Who are you?").response_metadata
    name = metadata.get("model_name") or metadata.get("model")
    assert name == NAMES[build]
    reason = metadata.get("finish_reason") or metadata.get("done_reason") or metadata.get("status")
    assert reason.lower() in ("stop", "completed")


@pytest.mark.parametrize("build", CLASSES)
def test_history_and_system(mock, build):
    query, truth = QUERIES[0]
    messages = [("system", "Be brief."), ("human", "Hello"), ("ai", "Hi"), ("human", query)]
    assert text_of(build(mock.url).invoke(messages)) == truth


def test_streaming_parameter(mock):
    query, truth = QUERIES[0]
    for build in (openai, groq, gemini, responses):
        assert text_of(build(mock.url, streaming=True).invoke(query)) == truth


def test_validate_model_on_init(mock):
    model = ChatOllama(model="llama3.2", base_url=mock.url, validate_model_on_init=True)
    assert model.invoke(QUERIES[0][0]).content == QUERIES[0][1]


def test_openai_without_v1(mock):
    model = ChatOpenAI(model="m", api_key="k", base_url=mock.url)
    assert model.invoke(QUERIES[0][0]).content == QUERIES[0][1]


def test_many_choices(mock):
    reply = openai(mock.url, n=3).generate([[HumanMessage("Three times.")]])
    texts = {g.text for g in reply.generations[0]}
    assert len(reply.generations[0]) == 3 and len(texts) == 1


@pytest.mark.parametrize("build", CLASSES)
def test_many_at_once(mock, build):
    async def ask_all():
        model = build(mock.url)
        return await asyncio.gather(*[model.ainvoke(f"Question number {i}") for i in range(40)])

    replies = asyncio.run(ask_all())
    for i, reply in enumerate(replies):
        assert f"“Question number {i}”" in text_of(reply)
