"""Interruption: what was answered is kept, the rest is marked, the exit status says which signal it was."""
import json
import signal

import pytest

from conftest import LIMIT_S, batch, dataset, payload, start
from peer import Hold, Peer, Silence, chat, reply

OK = reply(200, chat("ok"))


def told(process, word):
    """Blocks until the program says `word`: from then on it has taken the signal. An end before that is a failure."""
    said = b""
    while word not in said:
        line = process.stderr.readline()
        assert line, "expected %r, got the end after: %r" % (word, said)
        said += line


def interrupt(tmp_path, replies, *steps, turns=4, wait_for=2):
    """Starts a run one turn at a time; once `wait_for` requests arrived, sends the signals among the steps and calls the others with the process.
    Returns (status, answers, the rest of stderr, requests)."""
    out = tmp_path / "out.json"
    request = tmp_path / "p.json"
    with Peer(replies) as peer:
        request.write_text(json.dumps(payload(peer.url, dataset(*[batch("q%d" % i, "q%d" % i) for i in range(turns)]))))
        process = start("run", str(request), "-o", str(out), "--concurrency", "1", "--no-adaptive", "--option", "order=input")
        peer.wait_for(wait_for)
        for step in steps:
            if callable(step):
                step(process)
            else:
                process.send_signal(step)
        _, err = process.communicate(timeout=LIMIT_S)
    answers = [b["assistant"] for d in json.loads(out.read_text())["datasets"] for b in d["conversation"]]
    return process.returncode, answers, err.decode(), len(peer.requests)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_turns_in_flight_are_kept(tmp_path, number, status):
    held = Hold(OK)

    def let_go(process):
        told(process, b"once more stops now")
        held.event.set()

    code, answers, err, requests = interrupt(tmp_path, [OK, held, Silence()], number, let_go)
    assert code == status, err
    assert answers[:2] == ["ok", "ok"] and all("not run: cancelled" in a for a in answers[2:]), (answers, err)
    assert requests == 2 and "Stopping now." not in err, err


def test_second_signal_stops_now(tmp_path):
    code, answers, err, requests = interrupt(tmp_path, [OK, Silence()], signal.SIGINT, lambda p: told(p, b"once more stops now"),
                                             signal.SIGINT, lambda p: told(p, b"Stopping now."))
    assert code == 130, err
    assert answers[0] == "ok" and answers[1].startswith("[ERROR] ") and "cancelled" in answers[1], (answers, err)
    assert all("not run: cancelled" in a for a in answers[2:]) and requests == 2, (answers, err)
