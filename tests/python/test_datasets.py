"""Sessions through run_dataset: what is reported, when, and what of it counts."""
import json
import os

import pytest

from conftest import batch

ARGS = {"api_key": "k", "endpoint": "E"}


def answers(replies):
    return [r.get("answer", "[ERROR] " + r.get("error", "")) if r else None for r in replies]


@pytest.mark.parametrize("how", ["each", "whole"])
def test_the_documents_example(runner, how):
    one = runner("my_module:MyCustomRunner", "--batches", how, args=ARGS)
    assert one.welcome == {"type": "welcome", "protocol": 1, "name": "MyCustomRunner", "concurrency": 1000, "ordered": True, "cancel": True, "unit": "dataset"}
    replies, end = one.session("hi", "fail", "ho")
    assert answers(replies) == ["E tells s1: hi", "[ERROR] no luck", "E tells s1: ho"]
    assert all(0 <= r["elapsed_ms"] < 60000 and "batch" not in r for r in replies), replies
    assert end == {"type": "dataset_end", "dataset": 1}


def test_concurrency_is_the_runs(runner):
    assert runner("my_module:MyCustomRunner", args=ARGS, concurrency=3).welcome["concurrency"] == 3


def test_own_time_counts(runner):
    replies, _ = runner("kinds:InOrder").session("a")
    assert replies[0]["elapsed_ms"] == 5.0


def test_reported_at_once_even_when_the_next_batch_blocks_the_loop(runner, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    one = runner("kinds:Blocking", args={"path": str(tmp_path / "pipe")})
    first, second = one.dataset("a", "wait")
    assert one.read() == {"id": first, "answer": "a!", "elapsed_ms": 5.0}
    (tmp_path / "pipe").write_text("at last")  # the loop stands still until here
    assert one.read() == {"id": second, "answer": "at last", "elapsed_ms": 5.0}
    assert one.read()["type"] == "dataset_end"


def test_nothing_is_reported_before_the_end_when_whole(runner, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    one = runner("kinds:Blocking", "--batches", "whole", args={"path": str(tmp_path / "pipe")})
    _, second = one.dataset("a", "wait")
    one.dataset("b", number=2)
    (tmp_path / "pipe").write_text("at last")
    read = [one.read() for _ in range(3)]
    assert [m.get("answer") for m in read] == ["a!", "at last", None], read
    assert [one.read().get("answer") for _ in range(2)] == ["b!", None], "the other session had to wait"


def test_parallel_inside_a_dataset(runner):
    one = runner("kinds:InParallel")
    ids = one.dataset("a", "b", "c")
    order = [one.read()["id"] for _ in ids]
    assert order[-1] == ids[0] and sorted(order) == ids, order
    assert one.read() == {"type": "dataset_end", "dataset": 1}


def test_sessions_are_in_flight_at_once(runner):
    one = runner("kinds:Meeting", args={"count": 200})
    ids = [one.dataset("q", number=i, session_id="s%d" % i)[0] for i in range(200)]
    messages = [one.read() for _ in range(400)]
    assert sorted(m["id"] for m in messages if "id" in m) == sorted(ids)
    assert all(m["answer"] == "met" for m in messages if "id" in m)
    assert sorted(m["dataset"] for m in messages if "dataset" in m) == list(range(200))


@pytest.mark.parametrize("how", ["in order", "in parallel"])
@pytest.mark.parametrize("raises", [False, True])
def test_a_runner_may_try_again(runner, how, raises):
    replies, end = runner("kinds:Retrying", args={"how": how, "raises": raises}).session("a", "b", "c")
    assert answers(replies) == ["try 2"] * 3 and "error" not in end, (replies, end)


def test_a_runner_that_does_it_all_itself(runner):
    replies, end = runner("kinds:Alone").session("a", "fail", "b")
    assert answers(replies) == ["alone: a", "[ERROR] bad day", "alone: b"] and "error" not in end
    assert [r["elapsed_ms"] for r in replies] == [7.0] * 3, "the average of its summary"


def test_copies_and_another_order(runner):
    replies, _ = runner("kinds:Copies").session("a", "b")
    assert answers(replies) == ["A!", "B!"] and [r["batch"] for r in replies] == [{"query": "A"}, {"query": "B"}]


def test_equal_qa_ids(runner):
    replies, _ = runner("kinds:InOrder").session(batch("a", qa_id="same"), batch("b", qa_id="same"))
    assert answers(replies) == ["a!", "b!"]
    replies, _ = runner("kinds:Copies").session(batch("a", qa_id="same"), batch("b", qa_id="same"))
    assert answers(replies) == ["B!", "A!"], "without identity and qa_id the place in the conversation counts"


def test_changes_after_run_batch(runner):
    one = runner("kinds:Afterwards")
    replies, _ = one.session("some words", "more words")
    assert answers(replies) == ["some words!", "more words!"]
    _, err = one.end()
    assert err.count("Afterwards.run_dataset changed batch q-some words after run_batch had returned it") == 1 and err.count("changed batch") == 1, err
    one = runner("kinds:Afterwards", "--batches", "whole")
    assert answers(one.session("some words")[0]) == ["Some Words!"]
    assert "changed batch" not in one.end()[1]


@pytest.mark.parametrize("returned, sentence", [
    (3, "Part.run_dataset returned without having run this batch."),
    (1, "Part.run_dataset returned a conversation of 1 for one of 3: this batch is not in it.")])
def test_batches_that_were_left_out(runner, returned, sentence):
    replies, end = runner("kinds:Part", args={"returned": returned}).session("a", "b", "c")
    assert answers(replies) == ["a!", "[ERROR] " + sentence, "[ERROR] " + sentence] and replies[1]["outcome"] == "bad_reply" and "error" not in end


@pytest.mark.parametrize("spec, args, answer", [
    ("kinds:Plain", {}, "plain a"), ("kinds:Slots", {}, "a!"), ("kinds:OnlySlots", {"prefix": "p-"}, "p-a"), ("kinds:Frozen", {"prefix": "f-"}, "f-a"),
    ("kinds:Threads", {}, "a!"), ("every_import:Runner", {}, "a!")])
def test_unusual_classes(runner, spec, args, answer):
    for how in ("each", "whole"):
        replies, end = runner(spec, "--batches", how, args=args).session("a", "b")
        assert answers(replies)[0] == answer and "error" not in end, (how, replies, end)


# ---- what a runner changes ----


def test_changed_fields_are_kept(runner):
    one = runner("kinds:Changes")
    replies, _ = one.session(batch("all", agentic={"a": 1}, weight=1))
    assert replies[0]["batch"] == {
        "logprobs": {"tokens": ["o", "k"], "token_logprobs": [-0.5, -1]}, "observation": "note", "agentic": {"tools": ["a"]}, "ground_truth_agentic": None,
        "weight": 0.5, "qa_id": "new", "query": "changed", "ground_truth_assistant": "other"}


def test_unchanged_fields_are_not_sent(runner):
    agentic = {"f": 1.0, "i": 1, "n": None, "s": "ü\u2028", "l": [{}]}
    replies, _ = runner("kinds:Changes").session(batch("nothing", agentic=agentic, logprobs=None, observation="", weight=2))
    assert "batch" not in replies[0], replies


@pytest.mark.parametrize("how", ["each", "parallel"])
def test_changes_in_place(runner, how):
    one = runner("kinds:Changes", "--batches", how)
    asked = batch("in place", agentic={"seen": {"deep": [1]}})
    reply = one.session(asked)[0][0] if how == "each" else one.ask("in place", agentic=asked["agentic"])
    assert reply["answer"] == "ok" and reply["batch"] == {"observation": "noted", "agentic": {"seen": {"deep": [1, 2]}}}


def test_values_that_json_does_not_have(runner):
    one = runner("kinds:Changes")
    replies, _ = one.session("odd values")
    found = replies[0]["batch"]["logprobs"]
    assert found.pop("batch") == {"logprobs": {}, "observation": None, "query": "z", "agentic": {}, "ground_truth_agentic": {}, "weight": None}
    assert found == {"date": "2024-02-29", "enum": "red", "point": {"x": 1, "y": [2, 3]}, "set": [1], "bytes": "ab", "nan": None, "1": True, "null": "n", "float": 1.5,
                     "decimal": "1.10", "surrogate": "a\ud800b", "big": 10**30}
    _, err = one.end()
    assert "A value of a batch is nan, which JSON does not have: it became null." in err and "a Decimal, which JSON does not have: it became its text" in err, err


def test_text_in_parts_is_one_text(runner):
    assert answers(runner("kinds:Changes").session("parts")[0]) == ["two parts"]


# ---- the life of the process ----


def test_lines_longer_than_a_pipe_and_others_behind_them(runner):
    one = runner("kinds:InParallel")
    replies, _ = one.session("a", "x" * 30_000_000, "b", "c")
    assert answers(replies) == ["a!", "x" * 30_000_000 + "!", "b!", "c!"]


def test_a_large_session_and_broken_lines(runner):
    """Lines that arrive in pieces, several at once, 5 MB long."""
    one = runner("kinds:InOrder")
    long = "x" * 5_000_000
    replies, _ = one.session(long, "b")
    assert answers(replies) == [long + "!", "b!"]
    line = json.dumps({"type": "nothing known"}).encode()
    one.process.stdin.write(line[:5])
    one.process.stdin.flush()
    one.process.stdin.write(line[5:] + b"\r\n" + line + b"\n")
    assert answers(one.session("c", number=2)[0]) == ["c!"]


@pytest.mark.parametrize("bye", [True, False])
def test_it_ends_with_its_input(runner, bye):
    one = runner("kinds:InOrder")
    status, err = one.end(bye)
    assert status == 0 and one.rest == b"" and err == ""


@pytest.mark.parametrize("stubborn", [False, True])
def test_it_ends_with_its_input_in_the_middle_of_a_turn(runner, stubborn):
    one = runner("trouble:Stubborn", args={"stubborn": stubborn})
    one.dataset("wait")
    answered = one.dataset("a", number=2)[0]
    assert one.read()["id"] == answered
    assert one.end()[0] == 0


def test_nothing_but_the_end_of_the_input(adapter):
    one = adapter("runner", "my_module:MyCustomRunner", hello=False)
    assert one.end(bye=False)[0] == 0 and one.rest == b""


def test_cancel(runner):
    one = runner("trouble:Stubborn")
    one.dataset("a", "wait", "b")
    assert one.read()["answer"] == "a!"
    one.send({"type": "cancel", "dataset": 1}, {"type": "cancel", "dataset": 99})
    end = one.read()
    assert end["type"] == "dataset_end" and end["dataset"] == 1 and "cancelled" in end["error"]
    assert answers(one.session("c", number=2)[0]) == ["c!"], "others go on"


def test_cancel_before_it_began(runner):
    one = runner("trouble:Stubborn")
    one.process.stdin.write(b"".join(json.dumps(m).encode() + b"\n" for m in (
        {"type": "dataset", "dataset": 1, "timeout_ms": None, "session": 1, "batches": 1, "session_id": "s", "assistant_id": "a", "language": "english", "context": "",
         "conversation": [{**batch("wait"), "id": 77, "batch": 0}]}, {"type": "cancel", "dataset": 1})))
    one.process.stdin.flush()
    end = one.read()
    assert end["type"] == "dataset_end" and end["error"], end
