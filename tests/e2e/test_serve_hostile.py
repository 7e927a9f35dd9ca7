"""`fairforge serve` against clients that mean harm, or behave as if: raw sockets, no timed assertion.

Where a client is to be cut off, the test waits for the cut (with --client-timeout short), however late it comes; where others must be unaffected, it asks
them to be answered meanwhile.
"""
import json
import os
import resource
import select
import socket

import pytest

from conftest import BINARY, LIMIT_S, batch, dataset, payload
from peer import Hold, Peer, chat, reply
from service import Service, read_answer

OK = reply(200, chat("4"))
HEAD = b"POST /run HTTP/1.1\r\nHost: h\r\n"
SHORT = ("--client-timeout", "1s")


@pytest.fixture(scope="module")
def service():
    with Service() as one:
        yield one


@pytest.fixture(scope="module")
def short():
    with Service(*SHORT) as one:
        yield one


def is_cut(s):
    """Waits until the other end closes or resets; answers may come before."""
    s.settimeout(LIMIT_S)
    try:
        while s.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def trickle(s, data=b"x"):
    """Sends a little, and a little again whenever nothing comes back for a while, until the connection is cut. What came back."""
    got = b""
    for _ in range(LIMIT_S * 20):
        try:
            s.sendall(data)
            if select.select([s], [], [], 0.05)[0]:
                more = s.recv(65536)
                if not more:
                    return got
                got += more
        except ConnectionError:
            return got
    raise AssertionError("the service keeps a trickling client for ever")


def ask(service, data):
    """Sends bytes and reads until the close."""
    with service.socket() as s:
        s.settimeout(LIMIT_S)
        got = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except OSError: # it has closed already
            pass
        try:
            while True:
                more = s.recv(65536)
                if not more:
                    return got
                got += more
        except ConnectionError:
            return got


def rss(service):
    """Resident bytes of the service."""
    with open("/proc/%d/statm" % service.process.pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# ---- slowness ----

@pytest.mark.parametrize("begin", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Long: "], ids=["nothing", "line", "header"])
def test_a_header_that_trickles_is_cut(short, begin):
    with short.socket() as s:
        if begin:
            s.sendall(begin)
            trickle(s)
        else:
            assert is_cut(s)
    assert short.get("/healthz").status == 200


def test_a_trickling_second_request_is_cut(short):
    with short.socket() as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(s.makefile("rb")).status == 200
        trickle(s)


def test_a_body_that_trickles_is_cut(short):
    with short.socket() as s:
        s.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        trickle(s)
    with short.socket() as s:
        s.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        trickle(s, b"1\r\nx\r\n")
    short.event("request", path="/run", status=None)


def test_who_sent_much_at_once_must_not_rest_on_it(short):
    """Bodies that are held have a cap: a few such clients would keep everybody else from it."""
    with short.socket() as s:
        s.sendall(HEAD + b"Content-Length: 8000000\r\n\r\n" + b" " * 7_900_000)
        assert is_cut(s)


def test_an_idle_connection_is_closed(short):
    with short.socket() as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
        assert read_answer(s.makefile("rb")).status == 200
        assert is_cut(s)


def test_a_tls_client_that_never_shakes_hands_is_cut(pki):
    cert, key = pki.make("service")
    with Service(*SHORT, "--tls-cert", cert, "--tls-key", key, cafile=pki.ca) as service:
        with socket.create_connection((service.host, service.port)) as s:
            assert is_cut(s)
        with socket.create_connection((service.host, service.port)) as s:
            s.sendall(b"\x16\x03\x01\x02\x00\x01")
            assert is_cut(s)
        with socket.create_connection((service.host, service.port)) as s:
            s.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert is_cut(s)
        assert service.get("/healthz").status == 200


def large_payload(peer, size):
    return payload(peer.url, dataset(batch("x" * size)))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_who_does_not_read_the_answer_is_cut(secure, pki):
    cert, key = pki.make("service")
    flags = ("--tls-cert", cert, "--tls-key", key) if secure else ()
    with Peer([OK]) as peer, Service(*SHORT, *flags, origins=[peer.url], cafile=pki.ca) as service:
        data = json.dumps(large_payload(peer, 7_500_000)).encode()
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(LIMIT_S)
        s.connect((service.host, service.port))
        if secure:
            s = service.tls.wrap_socket(s, server_hostname="localhost")
        s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(data) + data)
        line = service.event("request", path="/run")
        assert line["status"] == 200 and line["bytes_out"] > 7_500_000, line
        assert service.metric("fairforge_runs_active") == 0
        s.close()


def test_a_slow_reader_that_reads_gets_everything():
    """Slower than the timeout, but steadily: size is no offence."""
    with Peer([OK]) as peer, Service(*SHORT, origins=[peer.url]) as service:
        data = json.dumps(large_payload(peer, 7_500_000)).encode()
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.settimeout(LIMIT_S)
        s.connect((service.host, service.port))
        s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(data) + data)
        got = 0
        while got < 7_500_000:
            select.select([], [], [], 0.02)
            more = s.recv(65536)
            assert more, "cut after %d bytes" % got
            got += len(more)
        s.close()


def is_full(service):
    """Asks for room without taking any."""
    with service.socket() as s:
        s.sendall(HEAD + b"Content-Length: 200\r\nExpect: 100-continue\r\n\r\n")
        return s.recv(65536).startswith(b"HTTP/1.1 503 ")


def wait_for_room(service, peer):
    """Who asks is answered although --client-timeout is an hour: those who hold what there is and do nothing are ended long before."""
    for _ in range(20000):
        answer = service.run(payload(peer.url))
        if answer.status != 503:
            break
        assert "holds as many bodies" in answer.json["error"], answer
    assert answer.status == 200 and answer.json["success"], answer


def test_answers_that_nobody_reads_do_not_keep_others_out():
    long = reply(200, chat("x" * 7_000_000))
    with Peer([lambda r: long if b"long" in r["body"] else OK]) as peer, Service("--client-timeout", "1h", origins=[peer.url]) as service:
        ask_long = payload(peer.url, dataset(*[batch("long", qa_id=str(i)) for i in range(3)]))
        readers = [service.begin(ask_long) for _ in range(9)]
        service.until('fairforge_runs_total{result="complete"}', 9)
        wait_for_room(service, peer)
        for s in readers:
            s.close()


def test_bodies_that_do_not_go_on_do_not_keep_others_out():
    with Peer([OK]) as peer, Service("--client-timeout", "1h", origins=[peer.url]) as service:
        size = (8 << 20) - 6
        senders = [service.socket() for _ in range(16)]
        for s in senders:
            s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (size + 1) + b" " * size)
        assert any(is_full(service) for _ in range(20000)), "there was room all the time"
        wait_for_room(service, peer)
        for s in senders:
            s.close()


def test_a_reader_that_goes_on_is_not_ended_when_room_is_short():
    with Peer([reply(200, chat("x" * 7_000_000))]) as peer, Service("--client-timeout", "1h", origins=[peer.url]) as service:
        ask_long = payload(peer.url, dataset(*[batch("long", qa_id=str(i)) for i in range(3)]))
        readers = [service.begin(ask_long) for _ in range(9)]
        service.until('fairforge_runs_total{result="complete"}', 9)
        got = 0
        while got < 21_000_000:
            select.select([], [], [], 0.015)
            more = readers[0].recv(65536)
            assert more, "cut after %d bytes" % got
            got += len(more)
        service.event("request", path="/run", status=200)
        for s in readers:
            s.close()


def test_a_connection_whose_client_closed_its_side_does_not_stay():
    """The end of a stream may come together with the request: it is answered, and the connection closed, long before its timeout."""
    with Service("--client-timeout", "3600") as service:
        for _ in range(100):
            assert b"404 Not Found" in ask(service, b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n")
        service.until("fairforge_http_connections", 1)


def test_a_chunk_size_without_end_holds_nobody():
    """It fills the connection's buffer, and libmicrohttpd asks for it again and again."""
    hold = Hold(OK)
    with Peer([hold, OK]) as peer, Service("--client-timeout", "1h", origins=[peer.url]) as service:
        with service.begin(payload(peer.url)) as run, service.socket() as s:
            peer.wait_for(1)
            s.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 40000)
            hold.event.set()
            assert read_answer(run.makefile("rb")).status == 200
            assert is_cut(s)
            assert service.run(payload(peer.url)).status == 200


# ---- size ----

@pytest.mark.parametrize("data,status", [
    (b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
    (b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + b"a" * 100000 + b"\r\n\r\n", 431),
    (b"GET /healthz HTTP/1.1\r\nHost: h\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(20000)) + b"\r\n", 431),
    (b"GET /healthz?" + b"&".join(b"a%d=b" % i for i in range(20000)) + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
], ids=["url", "header", "headers", "query"])
def test_heads_that_are_too_large(service, data, status):
    with service.socket() as s:
        s.settimeout(LIMIT_S)
        try:
            s.sendall(data)
        except ConnectionError:
            pass
        try:
            answer = s.recv(65536)
        except ConnectionError:
            answer = b""
        assert answer == b"" or int(answer.split()[1]) == status, answer[:200]
    assert service.get("/healthz").status == 200


@pytest.mark.parametrize("name", ["X-Request-Id", "Authorization", "Origin", "Content-Type"])
def test_long_values(service, name):
    assert service.get("/healthz", headers={name: "v" * 7000}).status in (200, 431)


@pytest.fixture(scope="module")
def small():
    with Service("--max-body", "100K") as one:
        yield one


def test_a_body_that_is_too_large(small):
    assert small.run(b"x" * (100 << 10)).status == 400
    connection = small.connection()
    answer = small.run(b"x" * (100 << 10) + b"y", connection=connection)
    assert answer.status == 413 and "--max-body" in answer.json["error"], answer
    assert small.get("/healthz", connection=connection).status == 200, "the connection went on"
    assert small.run(b"x" * (5 << 20)).status == 413


def test_a_chunked_body_that_is_too_large(small):
    def pieces(n):
        for _ in range(n):
            yield b"x" * 10000

    assert small.run(pieces(10)).status == 400
    assert small.run(pieces(11)).status == 413


def test_who_asks_before_sending_is_told_at_once(small):
    with small.socket() as s:
        s.sendall(HEAD + b"Content-Length: 1000000000000\r\nExpect: 100-continue\r\n\r\n")
        answer = read_answer(s.makefile("rb"))
        assert answer.status == 413 and answer.headers["Connection"] == "close", answer
    with small.socket() as s:
        stream = s.makefile("rb")
        s.sendall(HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert stream.readline().startswith(b"HTTP/1.1 100") and stream.readline() == b"\r\n"
        s.sendall(b"{}")
        assert read_answer(stream).status == 200


def test_a_body_without_end_is_cut(small):
    before = rss(small)
    with small.socket() as s:
        s.settimeout(LIMIT_S)
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        s.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with pytest.raises(ConnectionError):
            for _ in range(1 << 20):
                s.sendall(piece)
    assert rss(small) - before < 8 << 20
    assert small.get("/healthz").status == 200


def test_bodies_that_are_held_have_a_cap():
    """17 bodies of 8 MiB that are never finished: more is told to come again, what they hold is given back when they go."""
    with Service() as service:
        held = []
        size = (8 << 20) - 1
        for _ in range(17):
            s = service.socket()
            s.settimeout(LIMIT_S)
            s.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % (size + 1) + b"x" * size)
            held.append(s)
            assert service.get("/healthz").status == 200
        answer = service.run(b"x" * size)
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, answer
        assert rss(service) < 400 << 20
        assert service.run(b"{}").status in (200, 503)
        for s in held:
            s.close()
        service.event("request", count=17, path="/run", status=None)
        assert service.run(b"x" * size).status == 400


# ---- two readers ----

TWO = [
    b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: identity\r\n\r\n{}",
    b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding:\r\n\r\n{}",
    b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    b"Content-Length : 2\r\n\r\n{}",
    b"Transfer-Encoding\t: chunked\r\nContent-Length: 2\r\n\r\n{}",
    b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"Content-Length: +2\r\n\r\n{}",
    b"Content-Length: 2, 2\r\n\r\n{}",
    b"Content-Length: 0x2\r\n\r\n{}",
    b"Content-Length: -1\r\n\r\n{}",
    b"Content-Length: 2 \x0b\r\n\r\n{}",
    b"Host: other\r\nContent-Length: 2\r\n\r\n{}",
    b"X: y\rContent-Length: 9\r\nContent-Length: 2\r\n\r\n{}",
]


@pytest.mark.parametrize("rest", TWO, ids=["%02d" % i for i in range(len(TWO))])
def test_a_request_that_can_be_read_in_two_ways(service, rest):
    """400 and close: the request behind it is never answered."""
    got = ask(service, HEAD + rest + b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400 ") and b'"status"' not in got and b" 200 " not in got, got
    assert b"onnection: close" in got, got
    assert service.get("/healthz").status == 200


def test_chunks_in_a_version_that_has_none(service):
    """Who reads it as HTTP/1.0 takes the chunks for the next request."""
    got = ask(service, b"POST /run HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    assert got.startswith(b"HTTP/1.") and got.split()[1] == b"400", got


def test_what_libmicrohttpd_refuses_has_its_status_in_the_log():
    with Service() as service:
        ask(service, HEAD + b"Content-Length: x\r\n\r\n")
        ask(service, b"GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 100000 + b"\r\n\r\n")
        assert service.event("request", path="/run")["status"] == 400
        assert service.event("request", path="/healthz")["status"] == 431


def test_who_is_refused_for_two_reasons_leaves_nothing_behind():
    """Neither a Host nor a cookie that is one: libmicrohttpd never says that such a request is over."""
    with Service() as service:
        for _ in range(3):
            ask(service, b"GET /healthz HTTP/1.1\r\nCookie: =;;=\"\r\n\r\n")
        service.event("request", count=3, path="/healthz")
        service.until("fairforge_http_connections", 1)


def test_lengths_beyond_all_numbers(service):
    for length in (b"18446744073709551615", b"18446744073709551616", b"99999999999999999999999"):
        got = ask(service, HEAD + b"Content-Length: " + length + b"\r\n\r\n{}")
        assert got == b"" or got.split()[1] in (b"400", b"413"), got
    for chunk in (b"ffffffffffffffff\r\nx", b"fffffffffffffffff\r\nx", b"-1\r\nx", b"zz\r\nx", b"\r\nx", b"0x2\r\n{}\r\n0\r\n\r\n"):
        got = ask(service, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
        assert got == b"" or got.split()[1] in (b"400", b"413"), (chunk, got)
    assert service.get("/healthz").status == 200


# ---- what is no HTTP ----

@pytest.mark.parametrize("data", [
    b"\x00" * 1000, b"\xff" * 1000, b"\r\n" * 10000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /healthz HTTP/1.1\r\n\r\n", b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", b"A" * 40 + b" /run HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /nowhere HTTP/1.1\r\n: nameless\r\n\r\n", b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n", b"GET /healthz HTTP/1.1\r\n continued\r\n\r\n", b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET http://127.0.0.1/healthz HTTP/1.1\r\nHost: h\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /%zz?%zz=%zz HTTP/1.1\r\nHost: h\r\n\r\n", b"GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n",
], ids=lambda data: "%02x%02x-%d" % (data[0], data[1], len(data)))
def test_what_is_no_request(service, data):
    got = ask(service, data)
    assert got == b"" or 400 <= int(got.split()[1]) < 600, got
    assert service.get("/healthz").status == 200


# ---- many ----

def test_pipelining(service):
    requests = [b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", HEAD + b"Content-Length: 2\r\n\r\n{}", b"GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
                HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"]
    with service.socket() as s:
        stream = s.makefile("rb")
        for _ in range(50):
            s.sendall(b"".join(requests))
        for _ in range(50):
            assert [read_answer(stream).status for _ in requests] == [200, 200, 404, 200]


def test_pipelining_behind_a_run():
    held = Hold(OK)
    with Peer([held]) as peer, Service(origins=[peer.url]) as service:
        s = service.begin(payload(peer.url))
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" * 1000)
        peer.wait_for(1)
        assert service.get("/healthz").status == 200
        held.event.set()
        stream = s.makefile("rb")
        assert read_answer(stream).answers == ["4"]
        assert all(read_answer(stream).status == 200 for _ in range(1000))


def test_clients_that_send_runs_and_go():
    with Peer([OK]) as peer, Service(origins=[peer.url]) as service:
        before = rss(service)
        for _ in range(10):
            crowd = [service.begin(payload(peer.url, dataset(*(batch(str(i)) for i in range(20))))) for _ in range(40)]
            for s in crowd:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                s.close()
        service.until("fairforge_runs_active", 0)
        assert service.run(payload(peer.url)).answers == ["4"]
        assert rss(service) - before < 64 << 20


def test_idle_connections_make_room_for_new_ones():
    with Peer([OK]) as peer, Service("--max-connections", "20", origins=[peer.url]) as service:
        idle = [service.socket() for _ in range(60)]
        for _ in range(30):
            assert service.run(payload(peer.url)).answers == ["4"]
        for s in idle:
            s.close()


def test_a_run_is_not_cut_to_make_room():
    held = Hold(OK)
    with Peer([held]) as peer, Service("--max-connections", "20", origins=[peer.url]) as service:
        client = service.begin(payload(peer.url))
        peer.wait_for(1)
        idle = [service.socket() for _ in range(60)]
        assert service.get("/healthz").status == 200
        held.event.set()
        assert read_answer(client.makefile("rb")).answers == ["4"]
        for s in idle:
            s.close()


@pytest.mark.parametrize("what", ["silent", "trickling", "kept"])
def test_five_thousand_idle_connections(what):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12000:
        pytest.skip("needs 12,000 open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = []
    try:
        with Peer([OK]) as peer, Service("--max-connections", "6000", origins=[peer.url]) as service:
            before = rss(service)
            for i in range(5000):
                s = socket.create_connection((service.host, service.port), LIMIT_S)
                if what == "trickling":
                    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\nX-Slow: ")
                if what == "kept":
                    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
                    assert s.recv(4096).startswith(b"HTTP/1.1 200")
                crowd.append(s)
                if i % 500 == 0:
                    assert service.run(payload(peer.url)).answers == ["4"]
            assert service.metric("fairforge_http_connections") >= 5000
            grown = (rss(service) - before) / 5000
            print("resident bytes a connection: %d" % grown)
            if b"__asan_init" not in BINARY.read_bytes():  # freed memory is kept in quarantine there
                assert grown < 24 << 10, "a connection takes %d bytes" % grown
            assert service.run(payload(peer.url)).answers == ["4"]
    finally:
        for s in crowd:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
