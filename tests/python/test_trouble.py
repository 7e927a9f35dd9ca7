"""What goes wrong in a runner ends as a clear outcome of its turns, and the worker goes on."""
import os
import signal

import pytest

from conftest import batch


def reply_to(runner, query, how="each", spec="trouble:Raises", **more):
    one = runner(spec, "--batches", how, **more)
    if how == "parallel":
        reply = one.ask(query)
        assert one.ask("fine")["answer"] in ("fine!", "fine"), "the worker goes on"
        return reply, one
    replies, end = one.session(query, "after")
    again, _ = one.session("fine", number=2)
    assert again[0]["answer"] in ("fine!", "fine"), "the worker goes on"
    if replies[1] is None:
        assert end["error"], "what was not reported has its reason in the end"
    return replies[0] or end, one


RAISED = [
    ("value", "raised ValueError: bad thing in two lines (raised.py line", {"outcome": "http_5xx"}),
    ("key", "raised KeyError: the key answer is not there (raised.py line", {"outcome": "http_5xx"}),
    ("attribute", "raised AttributeError: 'NoneType' object has no attribute 'text' (raised.py line", {"outcome": "http_5xx", "retryable": False}),
    ("timeout", "raised TimeoutError (raised.py line", {"outcome": "timeout"}),
    ("read timeout", "raised ReadTimeout: slow (raised.py line", {"outcome": "timeout"}),
    ("refused", "raised RuntimeError: the call failed (raised.py line", {"outcome": "transport"}),
    ("429", "raised StatusError: Slow down (raised.py line", {"outcome": "rate_limited", "http_status": 429, "retry_after_ms": 1500.0}),
    ("429 ms", "raised StatusError: Error code: 429", {"outcome": "rate_limited", "retry_after_ms": 250.0}),
    ("503", "raised StatusError", {"outcome": "http_5xx", "http_status": 503}),
    ("401", "raised StatusError: Invalid key (raised.py line", {"outcome": "http_4xx", "http_status": 401}),
    ("exit", "it called sys.exit(3) (raised.py line", {"outcome": "http_5xx"}),
    ("interrupt", "it raised KeyboardInterrupt (raised.py line", {"outcome": "http_5xx"}),
    ("departure", "it raised Departure (raised.py line", {"outcome": "http_5xx"}),
    ("str fails", "raised Mute (raised.py line", {}),
    ("odd", "raised Odd: odd one (raised.py line", {"outcome": "http_5xx"}),
    ("odd headers", "raised OddHeaders: busy (raised.py line", {"outcome": "http_5xx", "http_status": 503}),
    ("odd errors", "raised ValidationError: no good (raised.py line", {"outcome": "http_5xx"}),
]


@pytest.mark.parametrize("query, sentence, members", RAISED)
@pytest.mark.parametrize("how", ["each", "whole", "parallel"])
def test_exceptions(runner, how, query, sentence, members):
    reply, one = reply_to(runner, query, how)
    assert reply["error"].startswith("Raises.run_batch") and sentence in reply["error"], reply
    assert reply["error"].endswith(").") and "\n" not in reply["error"]
    assert {k: reply.get(k) for k in members} == members, reply
    if query not in ("exit", "interrupt", "departure"):
        assert "Traceback (most recent call last)" in one.end()[1], "the traceback is for the log"


def test_a_long_message_is_cut(runner):
    reply, _ = reply_to(runner, "long")
    assert len(reply["error"]) < 800 and "…" in reply["error"]


def test_the_batches_behind_an_exception(runner):
    one = runner("trouble:Raises")
    replies, end = one.session("a", "value", "b", "c")
    assert replies[0]["answer"] == "a!" and "bad thing" in replies[1]["error"] and replies[2:] == [None, None]
    assert end["error"].startswith("Raises.run_dataset raised ValueError: bad thing in two lines") and end["outcome"] == "http_5xx"
    assert one.end()[1].count("Traceback") == 1, "one exception is one traceback"


@pytest.mark.parametrize("late", [False, True])
def test_exceptions_that_gather_collects(runner, late):
    replies, end = runner("trouble:Kept", args={"late": late}).session("a", "429", "b")
    assert replies[0]["answer"] == "a!" and replies[2]["answer"] == "b!" and replies[1]["outcome"] == "rate_limited" and "error" not in end


def test_a_runners_own_words_for_an_exception(runner):
    """The last batch: what run_dataset said of it is still to come when run_batch raised. Before that the exception itself is the reason."""
    replies, _ = runner("trouble:OwnWords").session("429", "401")
    assert "StatusError" in replies[0]["error"] and replies[0]["outcome"] == "rate_limited"
    assert replies[1]["error"] == "it did not work out" and replies[1]["outcome"] == "http_4xx" and replies[1]["http_status"] == 401
    replies, _ = runner("trouble:OwnWords", "--batches", "whole").session("429", "401")
    assert [r["error"] for r in replies] == ["it did not work out"] * 2


@pytest.mark.parametrize("query", ["exit", "interrupt", "value"])
@pytest.mark.parametrize("how", ["each", "parallel"])
def test_the_end_of_a_task_that_the_runner_awaits(runner, how, query):
    reply, _ = reply_to(runner, query, how, spec="trouble:InTask")
    assert reply["error"].startswith("InTask.run_batch"), reply


def test_a_runner_that_stops_the_loop(runner):
    one = runner("trouble:Stops")
    assert [r["answer"] for r in one.session("a", "b")[0]] == ["stopped"] * 2


@pytest.mark.parametrize("how", ["each", "whole", "parallel"])
@pytest.mark.parametrize("what, sentence", [
    ("none", "Shapes.run_batch returned None, not (batch, success, milliseconds)."),
    ("two", "Shapes.run_batch returned a tuple of 2, not (batch, success, milliseconds)."),
    ("string", "Shapes.run_batch returned a str in place of the updated batch."),
    ("list answer", "Shapes.run_batch returned a batch whose assistant is a list, not text."),
    ("none answer", "Shapes.run_batch returned a batch whose assistant is None, not text."),
    ("observation", "Shapes.run_batch returned a batch whose observation is an int, not text."),
    ("agentic", "Shapes.run_batch returned a batch whose agentic is a list, not a dict."),
    ("no batch", "Shapes.run_batch returned None in place of the updated batch."),
    ("array", "Shapes.run_batch returned what cannot be read: ValueError: the truth value of an array is ambiguous."),
    ("broken value", "Shapes.run_batch returned what cannot be read: RuntimeError: no list.")])
def test_wrong_shapes_of_run_batch(runner, how, what, sentence):
    one = runner("trouble:Shapes", "--batches", how, args={"batch": what})
    reply = one.ask("a") if how == "parallel" else one.session("a")[0][0]
    assert reply["error"] == sentence and reply["outcome"] == "bad_reply", reply


@pytest.mark.parametrize("how", ["each", "parallel"])
@pytest.mark.parametrize("what, members", [
    ("weird time", {"answer": "ok"}), ("negative time", {"answer": "ok"}), ("empty", {"answer": ""}),
    ("no reason", {"error": "The runner reported a failure and gave no reason."}), ("bare error", {"error": "Sorry"})])
def test_shapes_that_are_good_enough(runner, how, what, members):
    one = runner("trouble:Shapes", "--batches", how, args={"batch": what})
    reply = one.session("a")[0][0] if how == "each" else one.ask("a")
    assert {k: reply.get(k) for k in members} == members and reply["elapsed_ms"] >= 0, reply


def test_an_answer_that_no_line_can_carry(runner):
    reply = runner("trouble:Shapes", args={"batch": "huge"}).session("a")[0][0]
    assert reply["error"] == "Shapes returned more than the 64 MiB that a reply may have." and reply["outcome"] == "bad_reply"


@pytest.mark.parametrize("what, sentence", [
    ("none", "Shapes.run_dataset returned None, not (dataset, summary)."),
    ("only", "Shapes.run_dataset returned a Dataset, not (dataset, summary)."),
    ("dict", "Shapes.run_dataset returned a dict in place of the updated dataset.")])
def test_wrong_shapes_of_run_dataset(runner, what, sentence):
    one = runner("trouble:Shapes", args={"dataset": what})
    replies, end = one.session("a", "b")
    assert [r["answer"] for r in replies] == ["ok", "ok"] and "error" not in end, "what run_batch returned was reported before"
    one = runner("trouble:Shapes", "--batches", "whole", args={"dataset": what, "batch": "none answer"})
    replies, end = one.session("a", "b")
    assert all("run_batch returned a batch whose assistant is None" in r["error"] for r in replies), replies


def test_wrong_shapes_of_both(runner):
    replies, _ = runner("trouble:Shapes", args={"dataset": "strings", "batch": "none answer"}).session("a")
    assert replies[0]["outcome"] == "bad_reply"
    replies, _ = runner("trouble:Shapes", args={"dataset": "tolerant", "batch": "none"}).session("a", "b")
    assert [r["answer"] for r in replies] == ["rescued"] * 2, "a run_dataset may understand its own run_batch"


def test_noise_does_not_reach_the_protocol(runner):
    one = runner("trouble:Noise")
    replies, _ = one.session("a")
    assert replies[0]["answer"] == "no input"
    _, err = one.end()
    assert all(w in err for w in ("a print", "forged", "a write", "from a child", "a warning", "a question?")), err


def test_a_process_that_dies_says_so_by_its_end(runner):
    one = runner("trouble:Dies")
    one.dataset("die")
    assert one.process.stdout.readline() == b"", "it says nothing more"
    status, err = one.end()
    assert status == 7 and err.strip().splitlines()[-1] == "last words"


def test_a_process_that_the_runner_forks_stays_out_of_the_protocol(runner):
    """Its sys.exit is its own, and one that comes back to the adapter ends: each batch has one reply."""
    replies, _ = runner("trouble:Forks").session("exit", "return", "a")
    assert [r["answer"] for r in replies] == ["child: 5", "child: 1", "a!"], replies
    one = runner("trouble:Forks", "--batches", "parallel")
    assert [one.ask(q)["answer"] for q in ("exit", "return", "a")] == ["child: 5", "child: 1", "a!"]


def test_a_loop_that_stands_still_does_not_outlive_fairforge(monkeypatch):
    """When fairforge was killed nobody ends a worker that hangs, and its loop does not see the end of the input."""
    from fairforge_worker import adapter, channel

    class Left(Exception):
        pass

    def leave(status):
        raise Left(status)

    read_end, write_end = os.pipe()
    one = channel.Channel.__new__(channel.Channel)
    one._in = read_end
    os.write(write_end, b"a line that nobody reads\n")
    os.close(write_end)
    monkeypatch.setattr(adapter, "GONE_S", 0)
    monkeypatch.setattr(os, "getpgrp", lambda: 0)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Left):
        adapter._outlive_nobody(one)
    os.close(read_end)


def test_where_it_hung_is_in_the_log(runner, tmp_path):
    """fairforge ends by SIGTERM what does not end by itself."""
    os.mkfifo(tmp_path / "pipe")
    one = runner("kinds:Blocking", args={"path": str(tmp_path / "pipe")})
    one.dataset("a", "wait")
    assert one.read()["answer"] == "a!"
    pipe = os.open(tmp_path / "pipe", os.O_WRONLY)  # when this returns, the runner waits for what is written
    one.process.send_signal(signal.SIGTERM)
    status, err = one.end()
    os.close(pipe)
    assert status == -signal.SIGTERM and "kinds.py" in err and "in answer" in err, err


def test_a_dataset_that_the_schema_refuses(runner):
    one = runner("trouble:Raises")
    replies, end = one.session(batch("a", qa_id=None))
    assert replies == [None] and "qa_id: Input should be a valid string" in end["error"], end


def test_code_that_blocks_is_named_once(capsys, monkeypatch):
    import asyncio

    from fairforge_worker import adapter

    monkeypatch.setattr(adapter, "LAG_S", 0.01)
    loop = asyncio.new_event_loop()

    def block():
        end = loop.time() + 0.1
        while loop.time() < end:
            pass
        loop.call_later(0.02, loop.stop)

    adapter._watch(loop)
    loop.call_soon(block)
    loop.run_forever()
    loop.close()
    assert capsys.readouterr().err.count("kept the event loop") == 1
