"""`fairforge serve`: what it answers, how runs live side by side, how it begins and how it ends."""
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading

import pytest

from conftest import BINARY, LIMIT_S, batch, dataset, environment, fairforge, payload
from peer import Hold, Peer, Silence, chat, reply
from service import Service, read_answer

OK = reply(200, chat("4"))
FIXED = {"FAIRFORGE_CONCURRENCY": '{"max": 4, "adaptive": false}'}


def turns(count, name="s1"):
    return dataset(*(batch("question %d" % i, "q%d" % i) for i in range(count)), session_id=name)


# ---- answers ----

def test_answers_as_the_command_line_does(simulator):
    target = simulator()
    data = payload(target.url, turns(3), dataset(batch("other"), session_id="s2"))
    with Service(origins=[target.url]) as service:
        answer = service.run(data)
    local = fairforge("run", "-", stdin=data).json
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json", answer
    assert list(answer.json) == list(local) and answer.json["datasets"] == local["datasets"], answer
    assert [s["successes"] for s in answer.json["summaries"]] == [3, 1], answer


def test_a_default_connector_serves_datasets_alone():
    with Peer([OK]) as peer:
        connector = payload(peer.url)["connector"]
        with Service(origins=[peer.url], env={"FAIRFORGE_CONNECTOR": json.dumps(connector)}) as service:
            assert service.run({"datasets": [dataset()]}).answers == ["4"]


@pytest.mark.parametrize("body,status,text", [
    (b"", 200, {"success": False, "error": "No datasets provided"}),
    (b" \n", 200, {"success": False, "error": "No datasets provided"}),
    (b"null", 200, {"success": False, "error": "No datasets provided"}),
    (b"{}", 200, {"success": False, "error": "No datasets provided"}),
    (b"{", 400, {"error": "Invalid JSON body"}),
    (b"\xff\xfe", 400, {"error": "Invalid JSON body"}),
    (b'{"a": 1} x', 400, {"error": "Invalid JSON body"}),
], ids=["empty", "blank", "null", "object", "cut", "bytes", "tail"])
def test_what_is_wrong_with_a_body(service_alone, body, status, text):
    answer = service_alone.run(body)
    assert (answer.status, answer.json) == (status, text)


def test_a_body_that_is_too_deep(service_alone):
    answer = service_alone.run(b"[" * 200 + b"]" * 200)
    assert answer.status == 413 and "64" in answer.json["error"], answer


@pytest.fixture(scope="module")
def service_alone():
    with Service() as service:
        yield service


def test_async_is_refused_with_a_sentence(service_alone):
    answer = service_alone.run({"async": True, "datasets": [dataset()]})
    assert answer.status == 400 and "async" in answer.json["error"]


def test_every_content_type_is_taken_but_no_encoding(service_alone):
    assert service_alone.run(b"{}", headers={"Content-Type": "application/x-www-form-urlencoded"}).status == 200
    assert service_alone.run(b"{}", headers={"Content-Encoding": "identity"}).status == 200
    assert service_alone.run(b"{}", headers={"Content-Encoding": "gzip"}).status == 415


def test_routes(service_alone):
    get = service_alone.get
    assert get("/healthz").json == {"status": "ok"} and get("/readyz").json == {"status": "ready"}
    assert get("/healthz?probe=1").status == 200
    assert get("/metrics").headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert get("/openapi.json").json["openapi"].startswith("3.1")
    for path in ("/", "/run/", "/RUN", "/%72un", "//run", "/healthz/x"):
        answer = get(path)
        assert answer.status == 404 and "error" in answer.json, (path, answer)


@pytest.mark.parametrize("path,allow", [("/run", "POST, OPTIONS"), ("/healthz", "GET, HEAD, OPTIONS"), ("/metrics", "GET, HEAD, OPTIONS")])
def test_methods(service_alone, path, allow):
    for method in ("PUT", "DELETE", "PATCH", "TRACE", "get", "BREW", "POST" if path != "/run" else "GET"):
        answer = service_alone.request(method, path)
        assert answer.status == 405 and answer.headers["Allow"] == allow, (method, answer)
    answer = service_alone.request("OPTIONS", path)
    assert answer.status == 204 and answer.headers["Allow"] == allow and answer.body == b"", answer


def test_head_is_get_without_a_body(service_alone):
    for path in ("/healthz", "/readyz", "/openapi.json"):
        head, get = service_alone.request("HEAD", path), service_alone.get(path)
        assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == str(len(get.body)), (path, head)
    assert service_alone.request("HEAD", "/run").status == 405


def test_the_log_has_a_line_for_each_request_and_nothing_of_it(service_alone):
    secret = "do-not-log-me-4711"
    service_alone.run({"datasets": [], secret: secret}, headers={"X-Request-Id": "trace-1", "X-Other": secret})
    line = service_alone.event("request", request_id="trace-1")
    assert line["method"] == "POST" and line["path"] == "/run" and line["status"] == 200 and line["client"] == "127.0.0.1", line
    assert line["bytes_in"] > 50 and line["bytes_out"] > 20, line
    service_alone.get("/healthz?" + secret, headers={"X-Request-Id": "trace-2"})
    service_alone.event("request", request_id="trace-2", path="/healthz")
    assert not any(secret in (line or "") for line in service_alone.lines)


def test_a_request_keeps_its_id(service_alone):
    assert service_alone.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["X-Request-Id"] == "abc-1"
    assert len(service_alone.get("/healthz", headers={"X-Request-Id": "no good"}).headers["X-Request-Id"]) == 32


def test_connections_are_kept(service_alone):
    connection = service_alone.connection()
    for _ in range(3):
        assert service_alone.get("/healthz", connection=connection).status == 200
        first = connection.sock
        assert service_alone.run(b"{}", connection=connection).status == 200
        assert service_alone.get("/nowhere", connection=connection).status == 404
        assert service_alone.request("PUT", "/run", b"x" * 1000, connection=connection).status == 405
        assert connection.sock is first, "an answer closed the connection"


def test_http_1_0_is_answered(service_alone):
    with service_alone.socket() as s:
        s.sendall(b"POST /run HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}")
        answer = s.makefile("rb").read()
    assert answer.split()[1] == b"200" and b"No datasets provided" in answer, answer


# ---- many runs ----

def test_more_runs_than_may_be_are_told_to_come_again():
    held = Hold(OK)
    with Peer([held]) as peer, Service("--max-runs", "1", origins=[peer.url]) as service:
        first = service.begin(payload(peer.url))
        peer.wait_for(1)
        answer = service.run(payload(peer.url))
        assert answer.status == 429 and int(answer.headers["Retry-After"]) > 0 and "--max-runs" in answer.json["error"], answer
        assert service.get("/readyz").status == 503 and service.get("/healthz").status == 200
        held.event.set()
        assert read_answer(first.makefile("rb")).answers == ["4"]
        assert service.run(payload(peer.url)).answers == ["4"]
        assert service.get("/readyz").status == 200
        assert service.metric("fairforge_runs_active") == 0


def test_a_body_that_is_sent_while_the_last_slot_goes_is_told_so():
    held = Hold(OK)
    with Peer([held]) as peer, Service("--max-runs", "1", origins=[peer.url]) as service:
        data = json.dumps(payload(peer.url)).encode()
        slow = service.socket()
        slow.sendall(b"POST /run HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(data) + data[:10])
        service.get("/healthz")
        first = service.begin(data)
        peer.wait_for(1)
        slow.sendall(data[10:])
        assert read_answer(slow.makefile("rb")).status == 429
        held.event.set()
        assert read_answer(first.makefile("rb")).answers == ["4"]


def test_a_small_run_is_not_starved_by_a_big_one():
    """Both ask the same target with the same key and share its four slots: the small one needs its share of them only, not the big one's end."""
    gate, served = threading.Semaphore(0), []

    def answer(request):
        served.append("small" if b"small" in request["body"] else "big")
        gate.acquire()
        return OK

    with Peer([answer]) as peer, Service(origins=[peer.url], env=FIXED) as service:
        big = service.begin(payload(peer.url, *(turns(20, "big%d" % i) for i in range(20))))
        peer.wait_for(4)
        small = service.begin(payload(peer.url, dataset(*(batch("small %d" % i, "q%d" % i) for i in range(8)))))
        service.until("fairforge_runs_active", 2)
        done = threading.Event()
        read = threading.Thread(target=lambda: (read_answer(small.makefile("rb")), done.set()))
        read.start()
        released = 0
        while not done.is_set():
            gate.release()
            released += 1
            peer.wait_for(min(4 + released, 408))
            if served.count("small") == 8 and released >= len(served):
                done.wait(LIMIT_S)
        assert served.count("big") <= 60, "the small run of 8 turns waited for %d turns of the big one" % served.count("big")
        for _ in range(408):
            gate.release()
        assert len(read_answer(big.makefile("rb")).answers) == 400
        read.join()


def test_runs_live_side_by_side(simulator):
    target = simulator("--latency", "20")
    with Service(origins=[target.url]) as service:
        results = []
        threads = [threading.Thread(target=lambda n=n: results.append((n, service.run(payload(target.url, turns(n % 3 + 1)))))) for n in range(40)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert all(r.status == 200 and len(r.answers) == n % 3 + 1 for n, r in results) and len(results) == 40
        assert service.metric('fairforge_runs_total{result="complete"}') == 40


# ---- clients that go ----

@pytest.mark.parametrize("how", ["close", "reset", "half"])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_client_that_goes_ends_its_run(how, secure, pki):
    cert, key = pki.make("service") if secure else (None, None)
    flags = ("--tls-cert", cert, "--tls-key", key) if secure else ()
    with Peer([Silence()]) as peer, Service(*flags, origins=[peer.url], cafile=pki.ca) as service:
        client = service.begin(payload(peer.url, turns(50)))
        peer.wait_for(1)
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        if how == "half" and not secure:
            client.shutdown(socket.SHUT_WR)
        else:
            client.close()
        service.event("request", path="/run", status=None)
        service.until('fairforge_runs_total{result="abandoned"}', 1)
        assert service.metric("fairforge_runs_active") == 0
        assert service.get("/healthz").status == 200
        assert len(peer.requests) < 20, "turns were started for nobody"


def test_a_client_that_was_gone_before_its_run_began():
    with Peer([OK]) as peer, Service(origins=[peer.url]) as service:
        for _ in range(20):
            service.begin(payload(peer.url)).close()
        service.event("request", count=20, path="/run")
        service.until("fairforge_runs_active", 0)
        assert service.run(payload(peer.url)).answers == ["4"]


# ---- the end ----

def test_sigterm_finishes_what_is_begun():
    held = Hold(OK)
    with Peer([held]) as peer, Service(origins=[peer.url]) as service:
        kept = service.connection()
        assert service.get("/readyz", connection=kept).status == 200
        other = service.connection()
        assert service.get("/readyz", connection=other).status == 200
        client = service.begin(payload(peer.url))
        peer.wait_for(1)
        service.signal()
        assert service.event("draining")["runs"] == 1
        with pytest.raises(ConnectionError):
            service.socket()
        answer = service.get("/readyz", connection=kept)
        assert answer.status == 503 and answer.json == {"status": "draining"} and answer.headers["Connection"] == "close", answer
        answer = service.run(payload(peer.url), connection=other)
        assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0, answer
        held.event.set()
        assert read_answer(client.makefile("rb")).answers == ["4"]
        assert service.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_an_idle_service_ends_at_once(number):
    with Service("--grace", "3600") as service:
        idle = service.connection()
        assert service.get("/healthz", connection=idle).status == 200
        service.signal(number)
        assert service.wait() == 0


def test_a_second_signal_does_not_wait():
    with Peer([Silence()]) as peer, Service("--grace", "3600", origins=[peer.url]) as service:
        client = service.begin(payload(peer.url))
        peer.wait_for(1)
        service.signal()
        service.event("draining")
        service.signal()
        assert service.wait() == 0
        assert read_answer(client.makefile("rb")) is None


def test_after_the_grace_callers_get_what_is_done():
    with Peer([OK, Silence()]) as peer, Service("--grace", "50ms", origins=[peer.url], env=FIXED) as service:
        client = service.begin(payload(peer.url, turns(3)))
        peer.wait_for(3)
        service.signal()
        service.event("cutting")
        answer = read_answer(client.makefile("rb"))
        assert answer.status == 200 and sorted(a[:7] for a in answer.answers) == ["4", "[ERROR]", "[ERROR]"], answer
        assert service.wait() == 0


# ---- the beginning ----

@pytest.mark.parametrize("args,env,text", [
    (["--listen", "0.0.0.0:0"], {}, "--token-file"),
    (["--listen", "[::]:0"], {}, "--token-file"),
    (["--listen", "example.org:80"], {}, "numeric"),
    (["--listen", "127.0.0.1"], {}, "ADDRESS:PORT"),
    (["--listen", "127.0.0.1:70000"], {}, "ADDRESS:PORT"),
    (["--tls-cert", "x.pem"], {}, "--tls-key"),
    (["--max-runs", "0"], {}, "--max-runs"),
    (["--max-body", "lots"], {}, "--max-body"),
    (["--client-timeout", "0"], {}, "--client-timeout"),
    (["--log-level", "loud"], {}, "--log-level"),
    (["--max-connections", "99999"], {}, "--max-connections"),
    (["--cors-origin", "https://a.example/path"], {}, "--cors-origin"),
    (["--token-file", "/no/such/file"], {}, "/no/such/file"),
    (["--tls-cert", "/no/such/file", "--tls-key", "/no/such/key"], {}, "/no/such/file"),
    (["--cacert", "/no/such/file"], {}, "/no/such/file"),
    (["--frobnicate"], {}, "--frobnicate"),
    (["extra"], {}, "extra"),
    ([], {"FAIRFORGE_CONNECTOR": "{"}, "FAIRFORGE_CONNECTOR"),
    ([], {"FAIRFORGE_CONNECTOR": '{"class_path": "os.system"}'}, "FAIRFORGE_CONNECTOR"),
    ([], {"FAIRFORGE_CONCURRENCY": "many"}, "FAIRFORGE_CONCURRENCY"),
    ([], {"FAIRFORGE_ALLOWED_ORIGINS": "not a url"}, "FAIRFORGE_ALLOWED_ORIGINS"),
], ids=["any", "any6", "name", "noport", "port", "cert", "runs", "body", "timeout", "level", "connections", "cors", "tokenfile", "certfile", "cafile", "flag", "operand", "json", "class", "option", "origins"])
def test_wrong_use_is_found_at_the_start(args, env, text):
    args = args if "--listen" in args else ["--listen", "127.0.0.1:0", *args]
    result = fairforge("serve", *args, env=env)
    assert result.status == 64 and text in result.err and result.out == "", result


def test_a_concurrency_beyond_the_descriptors_is_found_at_the_start():
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))  # noqa: E731
    done = subprocess.run([str(BINARY), "serve", "--listen", "127.0.0.1:0"], env=environment({"FAIRFORGE_CONCURRENCY": "5000"}), preexec_fn=few, capture_output=True,
                          timeout=LIMIT_S, check=False)
    assert done.returncode == 64 and done.stderr.count(b"FAIRFORGE_CONCURRENCY") == 1 and b"ulimit" in done.stderr, done.stderr


def test_a_variable_that_means_nothing_is_told():
    with Service(env={"FAIRFORGE_ALOWED_ORIGINS": "https://a.example"}) as service:
        assert "FAIRFORGE_ALLOWED_ORIGINS?" in service.event("log", level="warning")["message"]


def test_a_port_that_is_taken(service_alone):
    result = fairforge("serve", "--listen", "127.0.0.1:%d" % service_alone.port)
    assert result.status == 73 and "taken" in result.err, result


def test_listens_on_ipv6_and_beyond_loopback_when_told():
    with Service(listen="[::1]:0") as service:
        assert service.url.startswith("http://[::1]:") and service.get("/healthz").status == 200
    with Service("--insecure-no-auth", listen="0.0.0.0:0") as service:
        assert service.get("/healthz").status == 200


def hand_over(fd, *args):
    """Starts the service with fd as its descriptor 3, as a service manager does."""
    script = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])"
    return subprocess.Popen([sys.executable, "-c", script, str(fd), str(BINARY), "serve", *args], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            pass_fds=[fd, 3], env=environment())


def test_takes_a_socket_that_was_handed_over():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with hand_over(listener.fileno()) as process:
            line = json.loads(process.stderr.readline())
            assert line["event"] == "listening" and line["url"].endswith(":%d" % listener.getsockname()[1]), line
            with socket.create_connection(listener.getsockname(), LIMIT_S) as s:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
                assert read_answer(s.makefile("rb")).status == 200
            process.terminate()
            assert process.wait(LIMIT_S) == 0
        with hand_over(listener.fileno(), "--listen", "127.0.0.1:0") as process:
            assert process.wait(LIMIT_S) == 64 and b"LISTEN_FDS" in process.stderr.read()


def test_a_handed_over_socket_that_none_can_reach_or_that_all_can():
    with open(os.devnull, "rb") as nothing, hand_over(nothing.fileno()) as process:
        assert process.wait(LIMIT_S) == 64 and b"handed over" in process.stderr.read()
    with socket.create_server(("0.0.0.0", 0)) as listener, hand_over(listener.fileno()) as process:
        assert process.wait(LIMIT_S) == 64 and b"--token-file" in process.stderr.read()


# ---- TLS ----

def test_tls(pki):
    cert, key = pki.make("service-tls")
    with Peer([OK]) as peer, Service("--tls-cert", cert, "--tls-key", key, origins=[peer.url], cafile=pki.ca) as service:
        assert service.url.startswith("https://")
        connection = service.connection()
        assert service.run(payload(peer.url), connection=connection).answers == ["4"]
        assert connection.sock.version() == "TLSv1.3"
        assert service.get("/readyz", connection=connection).status == 200
        big = service.run(payload(peer.url, turns(500)), connection=connection)
        assert len(big.answers) == 500


@pytest.mark.parametrize("what", ["missing", "garbage", "pair"])
def test_tls_files_that_are_wrong(what, pki, tmp_path):
    cert, key = pki.make("service-a")
    _, other = pki.make("service-b")
    (tmp_path / "garbage.pem").write_text("no certificate")
    files = {"missing": (tmp_path / "none.pem", key), "garbage": (tmp_path / "garbage.pem", key), "pair": (cert, other)}[what]
    result = fairforge("serve", "--listen", "127.0.0.1:0", "--tls-cert", files[0], "--tls-key", files[1])
    assert result.status == 64 and len(result.err.splitlines()) <= 2, result
