"""The simulator on its port: what only sockets can show. What it decides is tested in tests/unit/front, the real clients in tests/clients."""
import json
import resource
import select
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
import zlib

import pytest

from conftest import LIMIT_S, ROOT, fairforge, start

HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def address(one):
    host, port = one.url.split("//")[1].split(":")
    return host, int(port)


def connect(one):
    s = socket.create_connection(address(one), timeout=LIMIT_S)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def request_bytes(body=HELLO, path="/v1/chat/completions", headers=""):
    data = json.dumps(body).encode()
    return ("POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n" % (path, headers, len(data))).encode() + data


def read_all(s):
    """Everything until the peer closes; with it, whether it was reset."""
    out = b""
    while True:
        try:
            piece = s.recv(65536)
        except ConnectionResetError:
            return out, True
        if not piece:
            return out, False
        out += piece


def read_reply(f):
    """One reply of a keep-alive connection (a file): status, headers, body."""
    status = int(f.readline().split()[1])
    headers = {}
    while (line := f.readline().strip()):
        name, value = line.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    if headers.get("transfer-encoding") != "chunked":
        return status, headers, f.read(int(headers.get("content-length", 0)))
    body = b""
    while (size := int(f.readline(), 16)):
        body += f.read(size)
        f.readline()
    f.readline()
    return status, headers, body


def exchange(one, body=HELLO, path="/v1/chat/completions"):
    with connect(one) as s:
        s.sendall(request_bytes(body, path))
        return read_reply(s.makefile("rb"))


def script(tmp_path, document):
    path = tmp_path / "script.json"
    path.write_text(json.dumps(document))
    return "--script", str(path)


# ---- the command ----


def test_help_fits_a_screen_and_shows_an_example():
    r = fairforge("mock", "--help")
    assert r.status == 0 and r.err == ""
    assert len(r.out.splitlines()) <= 24 and max(map(len, r.out.splitlines())) <= 100
    assert "Example:" in r.out and "fairforge mock --port 8080" in r.out


@pytest.mark.parametrize("flags", [["--nope"], ["--port"], ["--port", "70000"], ["--port", "x"], ["--latency", "-1"], ["--rpm", "0"],
                                   ["--require-key", ""], ["extra"], ["--listen", "localhost"]])
def test_wrong_flags(flags):
    r = fairforge("mock", *flags)
    assert r.status == 64 and r.out == "" and "--help" in r.err


def test_a_taken_port_is_73(simulator):
    host, port = address(simulator())
    r = fairforge("mock", "--port", port)
    assert r.status == 73 and "Port %d of %s is taken" % (port, host) in r.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_well_with_connections_in_every_state(tmp_path, number):
    flags = script(tmp_path, [{"match": "never", "never": True}, {"match": "later", "delay_ms": 100000},
                              {"match": "slowly", "trickle": {"bytes": 1, "interval_ms": 100000}}, {"match": "on", "endless": True}])
    p = start("mock", "--port", "0", *flags)
    line = p.stdout.readline().decode()
    host, port = line.split("//")[1].strip().split(":")
    sockets = [socket.create_connection((host, int(port))) for _ in range(6)]
    for s, word in zip(sockets, ["never", "later", "slowly", "on"]):
        s.sendall(request_bytes({**HELLO, "stream": True, "messages": [{"role": "user", "content": word}]}))
    sockets[4].sendall(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Le")
    for s in sockets[2:4]:
        assert s.recv(10)
    p.send_signal(number)
    _, err = p.communicate(timeout=LIMIT_S)
    assert p.returncode == 0 and b"Sanitizer" not in err, err.decode()


def test_files_that_are_wrong(tmp_path):
    bad = tmp_path / "bad.json"
    for text, status, flag, part in (("[{\"dealy_ms\": 3, \"share\": 9}]", 65, "--script", "/0/dealy_ms: Unknown key"), ("{", 65, "--script", "not JSON"),
                                     ("{}", 65, "--answers", "conversation"), ("", 65, "--answers", "empty")):
        bad.write_text(text)
        r = fairforge("mock", "--port", "0", flag, bad)
        assert r.status == status and part in r.err and r.out == "", r
    r = fairforge("mock", "--port", "0", "--script", tmp_path / "absent.json")
    assert r.status == 65 and "cannot be opened" in r.err


def test_the_example_script_is_valid(simulator):
    one = simulator("--script", str(ROOT / "examples" / "faults.json"))
    statuses = {exchange(one)[0] for _ in range(2)}
    assert statuses <= {200, 429, 500, 503}


def test_the_answers_of_the_demo(simulator):
    one = simulator("--answers", str(ROOT / "examples" / "demo.json"))
    document = json.loads((ROOT / "examples" / "demo.json").read_text())
    for d in document["datasets"] if isinstance(document, dict) else document:
        for b in d["conversation"]:
            text = "Context:\n%s\n\nQuestion: %s" % (d["context"], b["query"]) if d["context"] else b["query"]
            _, _, body = exchange(one, {"model": "m", "messages": [{"role": "user", "content": text}]})
            assert json.loads(body)["choices"][0]["message"]["content"] == b["ground_truth_assistant"]


# ---- HTTP ----


@pytest.mark.parametrize("headers", ["Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"])
def test_ambiguous_lengths_are_refused_and_closed(simulator, headers):
    with connect(simulator()) as s:
        s.sendall(request_bytes(headers=headers))
        out, _ = read_all(s)
    assert out.startswith(b"HTTP/1.1 400 ") and out.count(b"HTTP/1.1") == 1


def test_keep_alive_pipelining_and_pieces(simulator):
    with connect(simulator()) as s:
        f = s.makefile("rb")
        for stream in (False, True, False):
            s.sendall(request_bytes({**HELLO, "stream": stream}))
            assert read_reply(f)[0] == 200
        s.sendall(request_bytes() * 3)
        assert [read_reply(f)[0] for _ in range(3)] == [200] * 3
        data = request_bytes({**HELLO, "messages": [{"role": "user", "content": "漢字"}]})
        for i in range(len(data)):
            s.sendall(data[i:i + 1])
        assert "漢字" in read_reply(f)[2].decode()


def test_expect_continue_and_large_bodies(simulator):
    with connect(simulator()) as s:
        data = request_bytes({**HELLO, "messages": [{"role": "user", "content": "x" * 6_000_000}]}, headers="Expect: 100-continue\r\n")
        head, body = data.split(b"\r\n\r\n", 1)
        s.sendall(head + b"\r\n\r\n")
        f = s.makefile("rb")
        assert f.readline().startswith(b"HTTP/1.1 100") and f.readline() == b"\r\n"
        s.sendall(body)
        status, _, reply = read_reply(f)
    assert status == 200 and json.loads(reply)["usage"]["prompt_tokens"] == 1_500_002


def test_a_chunked_request(simulator):
    data = json.dumps(HELLO).encode()
    with connect(simulator()) as s:
        s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
        assert read_reply(s.makefile("rb"))[0] == 200


def test_head_and_slashes_in_segments(simulator):
    one = simulator()
    with urllib.request.urlopen(urllib.request.Request(one.url + "/v1/models", method="HEAD")) as reply:
        assert reply.status == 200 and reply.read() == b"" and int(reply.headers["content-length"]) > 0
    status, _, body = exchange(one, {"query": "q", "session_id": "s"}, "/v1/event/infer/chan%2Fnel/agent%2F1?chat_history=50&agentspace=_default")
    assert status == 200 and json.loads(body)["stream_id"].startswith("st-")


# ---- faults on the wire ----


def test_reset_is_a_reset_and_close_is_none(simulator, tmp_path):
    one = simulator(*script(tmp_path, [{"match": "R", "reset": True}, {"match": "C", "close": True}, {"match": "T", "truncate": 40},
                                       {"match": "B", "truncate": 40, "reset": True}]))

    def ends(word, stream=False):
        with connect(one) as s:
            s.sendall(request_bytes({**HELLO, "stream": stream, "messages": [{"role": "user", "content": word}]}))
            return read_all(s)

    assert ends("R") == (b"", True)
    assert ends("C") == (b"", False)
    for stream in (False, True):
        out, reset = ends("T", stream)
        assert not reset and b"200 OK" in out
        body = out.split(b"\r\n\r\n", 1)[1]
        assert len(body.split(b"\r\n", 1)[1].strip() if stream else body) == 40
        assert not out.endswith(b"0\r\n\r\n"), "a cut stream must not look finished"
        out, reset = ends("B", stream)
        assert reset


def test_garbage_is_exactly_that(simulator, tmp_path):
    one = simulator(*script(tmp_path, [{"request": 1, "garbage": {"hex": "00ff0d0a"}}, {"request": 2, "garbage": "x" * 60000}]))
    for expected in (b"\x00\xff\r\n", b"x" * 60000):
        with connect(one) as s:
            s.sendall(request_bytes())
            assert read_all(s)[0] == expected


def test_gzip_is_gzip(simulator, tmp_path):
    one = simulator(*script(tmp_path, [{"gzip": True}]))
    for stream in (False, True):
        status, headers, body = exchange(one, {**HELLO, "stream": stream})
        assert status == 200 and headers["content-encoding"] == "gzip"
        text = zlib.decompress(body, 31)
        assert text.endswith(b"data: [DONE]\n\n") if stream else json.loads(text)["choices"]
        assert zlib.crc32(text) == struct.unpack("<I", body[-8:-4])[0]


def test_trickle_comes_in_pieces(simulator, tmp_path):
    one = simulator(*script(tmp_path, [{"trickle": {"bytes": 100, "interval_ms": 1}}]))
    status, _, body = exchange(one, {**HELLO, "stream": True})
    assert status == 200 and body.endswith(b"data: [DONE]\n\n")
    status, headers, body = exchange(one)
    assert json.loads(body)["choices"] and len(body) == int(headers["content-length"])


def test_endless_goes_on_and_a_gone_client_is_noticed(simulator, tmp_path):
    one = simulator(*script(tmp_path, [{"endless": {"interval_ms": 0}}]))
    for stream in (False, True):
        with connect(one) as s:
            s.sendall(request_bytes({**HELLO, "stream": stream}))
            seen = 0
            while seen < 5_000_000:
                seen += len(s.recv(1 << 20))
    assert urllib.request.urlopen(one.url + "/api/version").status == 200


def test_never_is_silent_until_the_client_goes(simulator, tmp_path):
    one = simulator(*script(tmp_path, [{"never": True}]))
    with connect(one) as s:
        s.sendall(request_bytes())
        assert select.select([s], [], [], 0.3)[0] == []
    with connect(one) as s:
        s.sendall(request_bytes())
        s.shutdown(socket.SHUT_WR)
        assert read_all(s)[0] == b""  # swept


def test_latency_and_delay_do_not_hold_up_others(simulator, tmp_path):
    one = simulator("--latency", "200", *script(tmp_path, [{"match": "slow one", "delay_ms": 60000}]))
    with connect(one) as slow:
        slow.sendall(request_bytes({"model": "m", "messages": [{"role": "user", "content": "the slow one"}]}))
        begin = time.monotonic()
        threads = [threading.Thread(target=exchange, args=(one,)) for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took = time.monotonic() - begin
        assert took >= 0.2, "an answer came before its latency"
        assert select.select([slow], [], [], 0)[0] == []


def test_limits_on_the_wire(simulator):
    one = simulator("--rpm", "2")
    assert exchange(one)[1]["x-ratelimit-remaining-requests"] == "1"
    assert exchange(one)[0] == 200
    status, headers, body = exchange(one)
    assert status == 429 and 1 <= int(headers["retry-after"]) <= 60 and "Please try again in" in json.loads(body)["error"]["message"]
    with pytest.raises(urllib.error.HTTPError) as failed:
        urllib.request.urlopen(one.url + "/openai/nothing")
    assert failed.value.code == 404


# ---- many ----


def test_thousands_of_open_connections(tmp_path):
    """5,000 at once if the descriptors of this machine allow it, all waiting, all answered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(5000, hard - 200 if hard != resource.RLIM_INFINITY else 5000)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 200)), hard))
    p = start("mock", "--port", "0", "--latency", "1500", stdin=subprocess.DEVNULL)
    host, port = p.stdout.readline().decode().split("//")[1].strip().split(":")
    data = request_bytes()
    poller, sockets = select.epoll(), {}
    try:
        for _ in range(count):
            s = socket.create_connection((host, int(port)), timeout=LIMIT_S)
            s.sendall(data)
            poller.register(s, select.EPOLLIN)
            sockets[s.fileno()] = s
        deadline = time.monotonic() + LIMIT_S
        answered = 0
        while sockets and time.monotonic() < deadline:
            for fd, _ in poller.poll(1):
                reply = sockets[fd].recv(65536)
                answered += reply.startswith(b"HTTP/1.1 200 OK")
                poller.unregister(fd)
                sockets.pop(fd).close()
        assert answered == count, "%d of %d were answered" % (answered, count)
    finally:
        for s in sockets.values():
            s.close()
        p.terminate()
        _, err = p.communicate(timeout=LIMIT_S)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert p.returncode == 0 and b"Sanitizer" not in err, err.decode()
