"""Single turns: --batches parallel, and LangChain models."""
import pytest

ARGS = {"api_key": "k", "endpoint": "E"}


def test_the_documents_example(runner):
    one = runner("my_module:MyCustomRunner", "--batches", "parallel", args=ARGS)
    assert one.welcome == {"type": "welcome", "protocol": 1, "name": "MyCustomRunner", "concurrency": 1000, "ordered": False, "cancel": True, "unit": "turn"}
    assert one.ask("hi")["answer"] == "E tells s1: hi"
    assert one.ask("fail")["error"] == "no luck"


def test_turns_are_in_flight_at_once(runner):
    one = runner("kinds:Meeting", "--batches", "parallel", args={"count": 300})
    ids = [one.turn("q") for _ in range(300)]
    assert sorted(one.read()["id"] for _ in ids) == ids


def test_context_for_those_who_ask_for_it(runner, tmp_path):
    (tmp_path / "mine.py").write_text(
        "class Runner:\n"
        "    async def run_batch(self, batch, session_id, context=''):\n"
        "        return batch.model_copy(update={'assistant': session_id + '/' + context}), True, 1.0\n")
    one = runner("mine:Runner", "--batches", "parallel", folder=tmp_path)
    assert one.ask("q", context="C", session_id="s9")["answer"] == "s9/C"


def test_cancel(runner):
    one = runner("trouble:Stubborn", "--batches", "parallel")
    waiting = one.turn("wait")
    assert one.ask("a")["answer"] == "a!"
    one.send({"type": "cancel", "id": waiting}, {"type": "cancel", "id": 12345})
    reply = one.read()
    assert reply["id"] == waiting and reply["error"]
    assert one.ask("b")["answer"] == "b!"


def test_plain_methods(runner):
    assert runner("kinds:Plain", "--batches", "parallel").ask("a")["answer"] == "plain a"


# ---- LangChain models ----


@pytest.fixture
def model(adapter):
    def make(path="fake_llm.Chat", args=None):
        one = adapter("llm", path, args={"model": "m"} if args is None else args)
        assert "error" not in one.welcome, one.welcome
        return one

    return make


def test_a_model(model):
    one = model()
    assert one.welcome == {"type": "welcome", "protocol": 1, "name": "Chat", "concurrency": 1000, "ordered": False, "cancel": True, "unit": "turn"}
    reply = one.ask("hello", prompt="Context:\nC\n\nQuestion: hello", context="C")
    assert reply["answer"] == "You said: Context:\nC\n\nQuestion: hello" and reply["outcome"] == "ok" and reply["elapsed_ms"] >= 0
    assert model("fake_llm:Chat").ask("hello")["answer"] == "You said: hello"


@pytest.mark.parametrize("prompt, members", [
    ("parts", {"answer": "ab", "outcome": "ok"}),
    ("length", {"answer": "cut", "outcome": "truncated", "finish_reason": "length", "model": "m-1", "request_id": "r-1",
                "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}),
    ("max tokens", {"answer": "cut", "outcome": "truncated", "finish_reason": "max_tokens", "model": "claude"}),
    ("refusal", {"answer": "", "outcome": "refused"}),
    ("openai refusal", {"answer": "", "outcome": "refused"}),
    ("filtered", {"answer": "", "outcome": "filtered", "finish_reason": "SAFETY"}),
    ("tools", {"answer": "", "outcome": "tool_only"}),
    ("empty", {"answer": "", "outcome": "empty"}),
    ("object", {"error": "The model's content is a dict, not text.", "outcome": "bad_reply"}),
    ("plain", {"answer": "just text", "outcome": "ok"}),
    ("number", {"answer": "42", "outcome": "ok"}),
    ("429", {"outcome": "rate_limited", "retry_after_ms": 1500.0}),
    ("timeout", {"outcome": "timeout"}),
    ("exit", {"outcome": "http_5xx"})])
def test_what_models_return(model, prompt, members):
    reply = model().ask(prompt)
    assert {k: reply.get(k) for k in members} == members, reply
    if "error" in reply and prompt != "object":
        assert reply["error"].startswith("Chat.ainvoke"), reply


def test_parameters_by_annotation(model):
    args = {"model": 4, "api_key": 12345, "temperature": 1}
    assert model(args=args).ask("given")["answer"] == "[('api_key', '12345'), ('model', '4'), ('temperature', 1)]"


@pytest.mark.parametrize("path, args, sentence", [
    ("fake_llm.Chat", {}, "Chat could not be made from its arguments: ValidationError: model: Field required."),
    ("fake_llm.Chatt", {}, "fake_llm has no Chatt; did you mean Chat."),
    ("fake_llm.Other", {}, "fake_llm.Other is no LangChain model: it has no method ainvoke."),
    ("Chat", {}, 'A class path is MODULE.CLASS, like langchain_anthropic.ChatAnthropic, not "Chat".'),
    ("langchain_nowhere.Chat", {}, "There is no module langchain_nowhere: ")])
def test_refused(adapter, path, args, sentence):
    one = adapter("llm", path, args=args)
    assert one.welcome["error"].startswith(sentence), one.welcome
    assert "sk-secret" not in one.welcome["error"]
