"""The main job: payloads, datasets, JSONL, stdin, outputs, order, precedence."""
import json
import os
import stat

import pytest

from conftest import KEY, batch, dataset, fairforge, payload
from peer import Peer, chat, reply

CONNECTORS = {
    "groq": ("langchain_groq.chat_models.ChatGroq", ""),
    "openai": ("langchain_openai.chat_models.ChatOpenAI", "/v1"),
    "gemini": ("langchain_google_genai.chat_models.ChatGoogleGenerativeAI", ""),
    "ollama": ("langchain_ollama.chat_models.ChatOllama", ""),
}


def ask(url, name, *datasets, **params):
    path, suffix = CONNECTORS[name]
    return {"connector": {"class_path": path, "params": {"model": "m", "api_key": KEY, "base_url": url + suffix, **params}},
            "datasets": list(datasets)}


@pytest.mark.parametrize("name", CONNECTORS)
@pytest.mark.parametrize("stream", [False, True])
def test_every_provider_answers_with_the_ground_truth(simulator, tmp_path, name, stream):
    one = dataset(batch("¿Dónde está la biblioteca?", "q1", ground_truth_assistant="Detrás de la plaza 📚"),
                  batch("二加二等于几？", "q2", ground_truth_assistant="四。"), context="Sé breve.")
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps([one]))
    url = simulator("--answers", str(answers), "--require-key", KEY).url if name != "ollama" else simulator("--answers", str(answers)).url
    result = fairforge("run", "-", *(["--stream"] if stream else []), stdin=ask(url, name, one))
    assert result.status == 0, result
    assert result.answers == ["Detrás de la plaza 📚", "四。"], result


def test_response_has_the_keys_of_the_reference_in_order(simulator):
    result = fairforge("run", "-", stdin=payload(simulator().url, dataset(batch(weight=0.5, extra=1), other=2)))
    assert result.status == 0, result
    document = result.json
    assert list(document) == ["success", "datasets", "summaries", "total_datasets"]
    assert list(document["datasets"][0]) == ["session_id", "assistant_id", "language", "context", "conversation"]
    assert list(document["datasets"][0]["conversation"][0]) == ["ground_truth_assistant", "logprobs", "observation", "assistant", "query", "agentic",
                                                                 "ground_truth_agentic", "qa_id", "weight"]
    summary = document["summaries"][0]
    assert list(summary) == ["session_id", "total_batches", "successes", "failures", "total_execution_time_ms", "avg_batch_time_ms"]
    assert (summary["total_batches"], summary["successes"], summary["failures"]) == (1, 1, 0)


def test_many_sessions_come_back_in_input_order(simulator):
    url = simulator("--latency", "5", "--jitter", "10").url
    sets = [dataset(*[batch("question %d of %d" % (b, s), "q%d" % b) for b in range(1 + s % 5)], session_id="s%d" % s) for s in range(60)]
    result = fairforge("run", "-", "--concurrency", "32", "--no-adaptive", stdin=payload(url, *sets))
    assert result.status == 0, result
    got = [(d["session_id"], [b["qa_id"] for b in d["conversation"]]) for d in result.json["datasets"]]
    assert got == [(d["session_id"], [b["qa_id"] for b in d["conversation"]]) for d in sets]


def test_dataset_forms_and_output_files(simulator, tmp_path):
    url = simulator().url
    flags = ["--connector", "openai", "--model", "m", "--param", "base_url=%s/v1" % url, "--param", "api_key=" + KEY, "--quiet"]
    sets = [dataset(session_id="a"), dataset(session_id="b")]
    forms = {"one.json": json.dumps(sets[0]), "array.json": json.dumps(sets), "lines.jsonl": "\n".join(map(json.dumps, sets)) + "\n"}
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        out, lines = tmp_path / ("out-" + name + ".json"), tmp_path / ("out-" + name + ".jsonl")
        result = fairforge("run", "--dataset", tmp_path / name, *flags, "-o", out, "-o", lines)
        assert result.status == 0 and result.out == "", result
        want = ["a"] if name == "one.json" else ["a", "b"]
        assert [d["session_id"] for d in json.loads(out.read_text())["datasets"]] == want
        assert [json.loads(line)["session_id"] for line in lines.read_text().splitlines()] == want
    result = fairforge("run", "--dataset", "-", *flags, stdin=forms["lines.jsonl"])
    assert [d["session_id"] for d in result.json["datasets"]] == ["a", "b"], result
    result = fairforge("run", "--dataset", tmp_path / "one.json", "--dataset", tmp_path / "array.json", *flags)
    assert [d["session_id"] for d in result.json["datasets"]] == ["a", "a", "b"], result


def test_answered_lines_are_a_dataset_again(simulator, tmp_path):
    url = simulator().url
    flags = ["--connector", "openai", "--model", "m", "--param", "base_url=%s/v1" % url, "--param", "api_key=" + KEY]
    (tmp_path / "in.jsonl").write_text(json.dumps(dataset()))
    assert fairforge("run", "--dataset", tmp_path / "in.jsonl", *flags, "-o", tmp_path / "out.jsonl").status == 0
    assert fairforge("check", "--dataset", tmp_path / "out.jsonl", *flags).status == 0


def test_text_survives_to_the_wire_and_back():
    query = "nul \0, sep \u2028\u2029, emoji 👩🏽‍🚀, quote \" and \\ and \x7f, " + "x" * 3000
    with Peer([reply(200, chat("back: " + query))]) as peer:
        result = fairforge("run", "-", stdin=payload(peer.url, dataset(batch(query))))
        assert json.loads(peer.requests[0]["body"])["messages"] == [{"content": query, "role": "user"}]
    assert result.answers == ["back: " + query]


def test_numbers_and_opaque_values_pass_through_as_text():
    opaque = '{"n": [0.10, 1E5, 18446744073709551616, -0.0], "dup": 1, "s": "\\u0000\\u2028"}'
    text = json.dumps(dataset(batch(agentic="@"))).replace('"@"', opaque)
    with Peer([reply(200, chat("ok"))]) as peer:
        request = json.dumps(payload(peer.url, dataset())).replace(json.dumps([dataset()]), "[" + text + "]")
        result = fairforge("run", "-", stdin=request)
    assert result.status == 0, result
    flat = "".join(result.out.split())
    for number in ("0.10", "1E5", "18446744073709551616", "-0.0"):
        assert number in flat, "%s did not survive: %r" % (number, result)


def test_six_megabytes_survive():
    query = "ä" * (3 << 20)
    with Peer([reply(200, chat(query))]) as peer:
        result = fairforge("run", "-", stdin=payload(peer.url, dataset(batch(query))))
        assert json.loads(peer.requests[0]["body"])["messages"][0]["content"] == query
    assert result.answers == [query]


def test_context_makes_the_prompt_of_the_reference():
    with Peer([reply(200, chat("ok"))]) as peer:
        fairforge("run", "-", stdin=payload(peer.url, dataset(context="C")))
        assert json.loads(peer.requests[0]["body"])["messages"][0]["content"] == "Context:\nC\n\nQuestion: What is 2+2?"


def test_flag_beats_payload_beats_environment():
    failing = reply(500, {"error": {"message": "no"}}, {"retry-after-ms": "1"})

    def attempts(flags=(), options=None, env=None):
        with Peer([failing]) as peer:
            request = payload(peer.url, **({"options": options} if options else {}))
            del request["connector"]["params"]["max_retries"]
            fairforge("run", "-", *flags, stdin=request, env=env)
            return len(peer.requests)

    assert attempts(["--max-retries", "3"], {"max_retries": 1}, {"FAIRFORGE_MAX_RETRIES": "0"}) == 4
    assert attempts([], {"max_retries": 1}, {"FAIRFORGE_MAX_RETRIES": "0"}) == 2
    assert attempts([], None, {"FAIRFORGE_MAX_RETRIES": "0"}) == 1


def test_output_file_is_replaced_whole_or_not_at_all(simulator, tmp_path):
    out = tmp_path / "out.json"
    out.write_text("old")
    request = tmp_path / "p.json"
    request.write_text(json.dumps(payload(simulator().url)))
    assert fairforge("run", request, "-o", out).status == 0
    assert json.loads(out.read_text())["success"] is True
    assert stat.S_IMODE(os.stat(out).st_mode) & 0o111 == 0
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(("out", ".out"))) == ["out.json"]


def test_connections_are_reused():
    with Peer([reply(200, chat("ok"))]) as peer:
        sets = [dataset(batch("q%d" % i), session_id="s%d" % i) for i in range(40)]
        result = fairforge("run", "-", "--concurrency", "4", "--no-adaptive", stdin=payload(peer.url, *sets))
        assert result.status == 0, result
        assert peer.connections <= 4, "40 requests, 4 at a time, opened %d connections" % peer.connections


def test_compressed_replies():
    import gzip
    import zlib
    body = json.dumps(chat("packed")).encode()
    for name, data in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        with Peer([reply(200, data, {"Content-Encoding": name})]) as peer:
            assert fairforge("run", "-", stdin=payload(peer.url)).answers == ["packed"]


def test_ten_thousand_sessions_from_lines(simulator, tmp_path):
    lines = tmp_path / "many.jsonl"
    lines.write_text("".join(json.dumps(dataset(session_id="s%d" % i)) + "\n" for i in range(10000)))
    out = tmp_path / "out.jsonl"
    result = fairforge("run", "--dataset", lines, "--connector", "openai", "--model", "m", "--param", "base_url=%s/v1" % simulator().url,
                       "--param", "api_key=" + KEY, "--concurrency", "64", "-o", out)
    assert result.status == 0, result
    got = [json.loads(line)["session_id"] for line in out.read_text().splitlines()]
    assert got == ["s%d" % i for i in range(10000)]
