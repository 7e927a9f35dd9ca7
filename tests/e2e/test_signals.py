"""Interruption: what was answered is kept, the rest is marked, the exit status says which signal it was."""
import json
import signal

import pytest

from conftest import LIMIT_S, batch, dataset, payload, start
from peer import Hold, Peer, Silence, chat, reply

OK = reply(200, chat("ok"))


def interrupt(tmp_path, replies, *signals, turns=4, wait_for=2, between=None):
    """Starts a run one turn at a time, sends the signals once `wait_for` requests arrived; returns (status, answers, stderr)."""
    out = tmp_path / "out.json"
    request = tmp_path / "p.json"
    with Peer(replies) as peer:
        request.write_text(json.dumps(payload(peer.url, dataset(*[batch("q%d" % i, "q%d" % i) for i in range(turns)]))))
        process = start("run", str(request), "-o", str(out), "--concurrency", "1", "--no-adaptive", "--option", "order=input")
        peer.wait_for(wait_for)
        for number in signals:
            process.send_signal(number)
            if between:
                between(process)
        _, err = process.communicate(timeout=LIMIT_S)
    answers = [b["assistant"] for d in json.loads(out.read_text())["datasets"] for b in d["conversation"]]
    return process.returncode, answers, err.decode()


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_answered_turns_are_kept(tmp_path, number, status):
    held = Hold(OK)

    def let_go(_process):
        held.event.set()

    code, answers, err = interrupt(tmp_path, [OK, held, Silence()], number, between=let_go)
    assert code == status, err
    assert answers[0] == "ok" and all(a.startswith("[ERROR] ") for a in answers[2:]), (answers, err)
    assert "not run" in answers[3], answers


def test_second_signal_stops_now(tmp_path):
    def read_first_words(process):
        line = process.stderr.readline()
        while line and b"again" not in line:
            line = process.stderr.readline()

    sent = []

    def between(process):
        if not sent:
            read_first_words(process)
        sent.append(1)

    code, answers, err = interrupt(tmp_path, [OK, Silence()], signal.SIGINT, signal.SIGINT, between=between)
    assert code == 130, err
    assert answers[0] == "ok" and answers[1].startswith("[ERROR] "), answers
