"""What the operator of `fairforge serve` relies on: tokens, origins, metrics, the access log, the OpenAPI document."""
import json
import os
import re
import shutil
import signal
import subprocess
import unicodedata

import pytest

from conftest import LIMIT_S, ROOT, batch, dataset, environment, fairforge, payload, start
from peer import Hold, Peer, chat, reply
from service import Service

TOKEN = "0123456789abcdef-ci"
OTHER = "fedcba9876543210-laptop"


class Operated(Service):
    """The service, asked with a token and headers, and its log."""

    def ask(self, path, body=None, method=None, token=None, **headers):
        """(status, headers, text)."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            headers["Authorization"] = "Bearer " + token
        answer = self.request(method or ("GET" if body is None else "POST"), path, body, headers)
        return answer.status, answer.headers, answer.body.decode()

    def says(self, part, level):
        """Waits for a message of the log."""
        with self.news:
            assert self.news.wait_for(lambda: None in self.lines or any(part in line for line in self.lines), LIMIT_S), self.text()
        assert any(part in e.get("message", "") and e["level"] == level for e in self.log()), self.text()

    def text(self):
        return "".join(line or "" for line in self.lines)

    def requests(self):
        return [e for e in self.log() if e["event"] == "request"]


@pytest.fixture
def serve():
    started = []

    def make(*flags, env=None):
        started.append(Operated(*flags, env=env))
        return started[-1]

    yield make
    for one in started:
        one.stop()


@pytest.fixture
def tokens(tmp_path):
    path = tmp_path / "tokens"
    path.write_text("# who may\nci:%s\n\nlaptop : %s\n" % (TOKEN, OTHER))
    path.chmod(0o600)
    return path


def refused_to_start(*flags, env=None):
    """What it says instead of listening."""
    process = start("serve", *flags, env=env, stdin=subprocess.DEVNULL)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 64, "expected 64, got %d: %s" % (process.returncode, err.decode())
    return err.decode()


# ---- tokens ----

def test_who_has_a_token_may(serve, tokens):
    with Peer([reply(200, chat("4"))]) as peer:
        service = serve("--token-file", tokens, env={"FAIRFORGE_ALLOWED_ORIGINS": peer.url})
        for token in (TOKEN, OTHER):
            status, _, text = service.ask("/run", payload(peer.url), token=token)
            assert (status, json.loads(text)["success"]) == (200, True), text
        for header in (None, "Bearer " + TOKEN + "x", "Bearer " + TOKEN[:-1], "Basic Y2k6eA==", "Bearer", "Bearer ci:" + TOKEN):
            status, headers, text = service.ask("/run", payload(peer.url), **({"Authorization": header} if header else {}))
            assert status == 401, (header, text)
            assert headers["WWW-Authenticate"].startswith("Bearer "), header
            assert list(json.loads(text)) == ["error"], text
        assert len(peer.requests) == 2, "a request without a token reached the target"
    service.event("request", count=8)
    names = [e["token"] for e in service.requests()]
    assert names == ["ci", "laptop"] + [None] * 6, names


def test_two_authorization_headers_are_none(serve, tokens):
    service = serve("--token-file", tokens)
    with subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Authorization: Bearer " + TOKEN, "-H", "Authorization: Bearer nothing",
                           service.url + "/metrics"], stdout=subprocess.PIPE) as curl:
        assert curl.communicate(timeout=LIMIT_S)[0] == b"401"


def test_what_needs_a_token(serve, tokens):
    service = serve("--token-file", tokens)
    assert service.ask("/healthz")[0] == 200
    assert service.ask("/readyz")[0] == 200
    assert service.ask("/openapi.json")[0] == 200
    assert service.ask("/metrics")[0] == 401
    assert service.ask("/metrics", token=TOKEN)[0] == 200


def test_sighup_reads_the_tokens_again(serve, tokens):
    service = serve("--token-file", tokens, "--log-level", "info")
    assert service.ask("/metrics", token=TOKEN)[0] == 200
    tokens.write_text("new:abcdefghijklmnop\n")
    service.process.send_signal(signal.SIGHUP)
    service.says("read again", "info")
    assert service.ask("/metrics", token="abcdefghijklmnop")[0] == 200
    assert service.ask("/metrics", token=TOKEN)[0] == 401
    # A file that is wrong changes nothing.
    tokens.write_text("new:tooshort\n")
    service.process.send_signal(signal.SIGHUP)
    service.says("shorter than 16", "error")
    assert service.ask("/metrics", token="abcdefghijklmnop")[0] == 200
    assert "tooshort" not in service.text()


@pytest.mark.parametrize("text,part", [
    ("ci:short", "shorter than 16"), ("", "no token"), ("ci:%s\nci:%s" % (TOKEN, OTHER), "every token needs a name"),
    ("ci:%s\ncd:%s" % (TOKEN, TOKEN), "under another name"), (TOKEN, "no colon"),
], ids=["short", "empty", "name-twice", "token-twice", "no-colon"])
def test_a_wrong_file_is_refused_at_the_start(tmp_path, text, part):
    path = tmp_path / "tokens"
    path.write_text(text)
    said = refused_to_start("--listen", "127.0.0.1:0", "--token-file", path)
    assert part in said, said
    assert TOKEN not in said and OTHER not in said, said


def test_others_who_can_read_the_file_are_a_warning(serve, tokens):
    tokens.chmod(0o644)
    service = serve("--token-file", tokens)
    service.says("can be read by", "warning")
    assert TOKEN not in service.text()


def test_beyond_loopback_it_wants_tokens():
    said = refused_to_start("--listen", "0.0.0.0:0")
    assert "--token-file" in said and "--insecure-no-auth" in said, said


# ---- origins ----

def test_pages_of_other_origins_may_not_spend_keys(serve):
    """Also with a type that a browser sends without asking first, and whatever the list."""
    with Peer([reply(200, chat("4"))]) as peer:
        service = serve("--cors-origin", "https://a.example", env={"FAIRFORGE_ALLOWED_ORIGINS": peer.url})
        for origin in ("https://b.example", "null", service.url, "https://A.example", "https://a.example:443", ""):
            status, headers, text = service.ask("/run", payload(peer.url), Origin=origin, Content_Type="text/plain")
            assert status == 403, (origin, text)
            assert "Access-Control-Allow-Origin" not in headers
            assert list(json.loads(text)) == ["error"]
        assert not peer.requests
        status, headers, _ = service.ask("/run", payload(peer.url), Origin="https://a.example")
        assert (status, headers["Access-Control-Allow-Origin"], headers["Vary"]) == (200, "https://a.example", "Origin")
        # Who is no browser is not asked.
        assert service.ask("/run", payload(peer.url))[0] == 200


def test_without_a_list_no_page_may(serve):
    service = serve()
    status, headers, _ = service.ask("/run", {}, Origin=service.url)
    assert status == 403 and "Vary" not in headers


def test_preflight(serve, tokens):
    """A browser brings no token with it."""
    service = serve("--cors-origin", "https://a.example, http://localhost:3000", "--token-file", tokens)
    asks = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "authorization,content-type"}
    status, headers, text = service.ask("/run", method="OPTIONS", Origin="http://localhost:3000", **asks)
    assert (status, text) == (204, "")
    assert headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "POST" in headers["Access-Control-Allow-Methods"] and "authorization" in headers["Access-Control-Allow-Headers"]
    assert int(headers["Access-Control-Max-Age"]) > 0 and "Origin" in headers["Vary"]
    assert headers["Allow"] == "POST, OPTIONS"
    status, headers, _ = service.ask("/run", method="OPTIONS", Origin="https://b.example", **asks)
    assert status == 204 and not [h for h in headers if h.lower().startswith("access-control")]


def test_every_origin_when_asked_for(serve):
    service = serve("--cors-origin", "*")
    status, headers, _ = service.ask("/run", {}, Origin="https://anywhere.example")
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")


@pytest.mark.parametrize("origin", ["https://a.example/", "a.example", "null", "*,https://a.example", "https://a.example:443"])
def test_an_origin_that_no_browser_sends_is_refused(origin):
    assert "--cors-origin" in refused_to_start("--listen", "127.0.0.1:0", "--cors-origin", origin)


# ---- metrics ----

LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(%s(?:,%s)*)\})? (NaN|[+-]?Inf|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?)" % (LABEL, LABEL))


def parse_metrics(text):
    """{name: {labels: value}}, after holding the text against the rules of Prometheus' format 0.0.4."""
    assert text.endswith("\n")
    types, helped, samples, family = {}, set(), {}, None
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            family = line.split(" ", 3)[2]
            assert family not in helped, "%s is explained twice" % family
            assert len(line.split(" ", 3)) == 4 and line.split(" ", 3)[3], line
            helped.add(family)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == family and name not in types and kind in ("counter", "gauge", "histogram"), line
            types[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            assert match, "no sample: " + line
            name, labels, value = match.groups()
            base = re.sub("_(bucket|sum|count)$", "", name) if types.get(family) == "histogram" else name
            assert base == family, "%s stands in the family %s" % (name, family)
            assert types[family] != "counter" or name.endswith("_total"), "%s is a counter" % name
            assert labels not in samples.setdefault(name, {}), "twice: " + line
            samples[name][labels] = float(value)
    for name, kind in types.items():
        if kind == "histogram":
            check_histogram(samples, name)
    return samples


def check_histogram(samples, name):
    series = {}
    for labels, value in samples[name + "_bucket"].items():
        rest, bound = re.fullmatch(r'(?:(.*),)?le="([^"]+)"', labels).groups()
        series.setdefault(rest, []).append((float(bound), value))
    for rest, buckets in series.items():
        assert buckets == sorted(buckets) and buckets[-1][0] == float("inf"), (name, rest)
        assert [v for _, v in buckets] == sorted(v for _, v in buckets), "%s is not cumulative" % name
        assert buckets[-1][1] == samples[name + "_count"][rest], (name, rest)
        assert rest in samples[name + "_sum"]


def metrics(service, **more):
    status, headers, text = service.ask("/metrics", **more)
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return parse_metrics(text)


def test_metrics_count(serve):
    secret = "a-session-that-nobody-may-see"
    with Peer([reply(200, chat("4")), reply(500, {"error": {"message": "no"}}), reply(200, chat("5")), reply(404, {"error": {"message": "none"}})]) as peer:
        service = serve("--max-runs", "7", env={"FAIRFORGE_ALLOWED_ORIGINS": peer.url})
        one = payload(peer.url, dataset(batch("a"), session_id=secret), options={"concurrency": 1, "max_retries": 1})
        for _ in range(3):
            assert service.ask("/run", one)[0] == 200
        assert service.ask("/run", {})[0] == 200
        assert service.ask("/run", b"no json")[0] == 400
        assert service.ask("/nowhere?secret=" + secret)[0] == 404
        assert service.ask("/run", {}, Origin="https://b.example")[0] == 403
        m = metrics(service)
    outcomes = {k: v for k, v in m["fairforge_turns_total"].items() if v}
    assert outcomes == {'outcome="ok"': 2, 'outcome="http_4xx"': 1}, outcomes
    assert m["fairforge_turn_retries_total"][None] == 1
    assert m["fairforge_tokens_total"] == {'direction="input"': 6, 'direction="output"': 4}
    assert m["fairforge_turn_service_seconds_count"][None] == 3
    runs = {k: v for k, v in m["fairforge_runs_total"].items() if v}
    assert runs == {'result="complete"': 3, 'result="refused"': 2}, runs
    assert m["fairforge_runs_max"][None] == 7 and m["fairforge_runs_active"][None] == 0
    requests = m["fairforge_http_requests_total"]
    assert requests == {'route="run",status="200"': 4, 'route="run",status="400"': 1, 'route="run",status="403"': 1, 'route="other",status="404"': 1}, requests
    assert m["fairforge_turned_away_total"]['reason="origin"'] == 1
    assert m["fairforge_http_request_seconds_count"]['route="run"'] == 6
    assert m["process_start_time_seconds"][None] > 1.7e9 and m["process_open_fds"][None] > 3
    assert secret not in json.dumps(list(m.items())) and secret not in service.text()


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool")
def test_prometheus_own_tool_takes_the_metrics(serve):
    service = serve()
    service.ask("/run", {})
    done = subprocess.run(["promtool", "check", "metrics"], input=service.ask("/metrics")[2].encode(), capture_output=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_metrics_show_what_is_going_on(serve):
    hold = Hold(reply(200, chat("4")))
    with Peer([hold]) as peer:
        service = serve("--max-runs", "1", env={"FAIRFORGE_ALLOWED_ORIGINS": peer.url})
        body = json.dumps(payload(peer.url, options={"concurrency": 1})).encode()
        with subprocess.Popen(["curl", "-s", "--data-binary", "@-", service.url + "/run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as curl:
            curl.stdin.write(body)
            curl.stdin.close()
            peer.wait_for(1)
            m = metrics(service)
            assert m["fairforge_runs_active"][None] == 1 and m["fairforge_turns_in_flight"][None] == 1
            assert service.ask("/readyz")[0] == 503
            status, headers, _ = service.ask("/run", {})
            assert status == 429 and int(headers["Retry-After"]) >= 1
            hold.event.set()
            assert json.loads(curl.stdout.read())["success"] is True
        m = metrics(service)
    assert m["fairforge_runs_active"][None] == 0 and m["fairforge_turns_in_flight"][None] == 0
    assert m["fairforge_turned_away_total"]['reason="full"'] == 1


def test_the_reading_of_bodies_counts_as_lag(serve):
    """No machine reads seven megabytes of names in less than two milliseconds."""
    service = serve()
    assert service.ask("/run", {"o%d" % i: 1 for i in range(500_000)})[0] == 200
    assert metrics(service)["fairforge_loop_lag_max_seconds"][None] >= 0.002


# ---- the access log ----

def test_a_line_a_request(serve):
    service = serve()
    status, headers, text = service.ask("/run?key=secret", b'{"datasets": "planted-body"}', X_Request_Id="my-id.1")
    assert headers["X-Request-Id"] == "my-id.1"
    # On the same connection libmicrohttpd completes the request before it answers the next one; others may still be under way.
    _, headers, _ = service.ask("/healthz", X_Request_Id="not sane")
    own = headers["X-Request-Id"]
    assert re.fullmatch("[0-9a-f]{32}", own)
    service.stop()
    lines = {e["request_id"]: e for e in service.requests()}
    assert set(lines) == {"my-id.1", own}
    e = lines["my-id.1"]
    assert list(e) == ["time", "event", "method", "path", "status", "bytes_in", "bytes_out", "ms", "client", "token", "request_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", e["time"])
    assert (e["method"], e["path"], e["status"], e["bytes_in"], e["bytes_out"]) == ("POST", "/run", status, 28, len(text.encode()))
    assert e["client"] == "127.0.0.1" and e["token"] is None and e["ms"] >= 0
    for planted in ("secret", "planted-body", "not sane"):
        assert planted not in service.text()


def test_hostile_paths_stay_on_their_line(serve):
    service = serve()
    for path in ("/%0a%1b[31m", "/\x1b[31mred", "/" + "x" * 5000, "/\"}{\"event\":\"listening\"", "/\u202e".encode().decode("latin-1")):
        with subprocess.Popen(["curl", "-s", "-o", "/dev/null", "--path-as-is", "--globoff", "--request-target", path, service.url], env=environment()) as curl:
            curl.wait(LIMIT_S)
    service.stop()
    raw = service.text()
    assert all(line.startswith("{") and line.endswith("}") for line in raw.split("\n")[:-1]), raw
    hidden = [c for c in raw if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c != "\n"]
    assert not hidden, "what acts on a terminal stands in the log: %r" % hidden
    assert max(len(line.encode()) for line in raw.split("\n")) < 4096
    assert len([e for e in service.log() if e["event"] == "listening"]) == 1


def test_a_log_that_nobody_reads_stops_nobody(tmp_path):
    """stderr is a pipe that is full: answers go out all the same, and the lines that got lost are counted."""
    read_end, write_end = os.pipe()
    with start("serve", "--listen", "127.0.0.1:0", stdin=subprocess.DEVNULL, stderr=write_end) as process:
        os.close(write_end)
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(read_end, 1)
        service = Operated.__new__(Operated)
        service.url, service.tls = json.loads(line)["url"], None
        service.host, service.port = service.url[len("http://"):].split(":")
        script = tmp_path / "urls"
        script.write_text("".join('url = "%s/healthz"\noutput = "/dev/null"\n' % service.url for _ in range(1000)))
        subprocess.run(["curl", "-s", "--fail", "-K", script], check=True, timeout=LIMIT_S)
        dropped = metrics(service)["fairforge_log_lines_dropped_total"][None]
        process.terminate()
        assert process.wait(LIMIT_S) == 0
    os.close(read_end)
    assert dropped > 0, "1,000 lines did not fill the pipe"


# ---- the document ----

def test_the_document_is_kept(serve, tokens):
    """Each status of the log of a busy day stands in the document, under its route."""
    with Peer([reply(200, chat("4"))]) as peer:
        service = serve("--token-file", tokens, "--max-body", "20000", "--cors-origin", "https://a.example", env={"FAIRFORGE_ALLOWED_ORIGINS": peer.url})
        document = json.loads(service.ask("/openapi.json")[2])
        for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
            for path in (*document["paths"], "/nowhere"):
                for more in ({}, {"token": TOKEN}, {"Origin": "https://b.example", "token": TOKEN}):
                    service.ask(path, b"{}" if method in ("POST", "PUT", "PATCH") else None, method=method, **more)
        service.ask("/run", payload(peer.url), token=TOKEN)
        service.ask("/run", b"{", token=TOKEN)
        service.ask("/run", b" " * 30000, token=TOKEN)
        service.ask("/run", b"{}", token=TOKEN, Content_Encoding="gzip")
    service.stop()
    seen = {(e["path"], e["method"], e["status"]) for e in service.requests()}
    assert {s for p, m, s in seen if (p, m) == ("/run", "POST")} == {200, 400, 401, 403, 413, 415}
    for path, method, status in seen:
        if path == "/nowhere":
            assert status == 404, (path, method, status)
        elif method.lower() in document["paths"][path]:
            assert str(status) in document["paths"][path][method.lower()]["responses"], (path, method, status)
        else:
            assert status == 405, (path, method, status)


def test_the_document_names_what_there_is(serve):
    service = serve("--max-body", "12345")
    status, headers, text = service.ask("/openapi.json")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    document = json.loads(text)
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {"/run", "/healthz", "/readyz", "/metrics", "/openapi.json"}
    assert "securitySchemes" not in document["components"], "without tokens nobody needs one"
    assert "12345 bytes" in document["paths"]["/run"]["post"]["requestBody"]["description"]
    for path in document["paths"]:
        assert service.ask(path, method="HEAD")[0] == (405 if path == "/run" else 200)


# ---- docs/service.md ----

MANUAL = (ROOT / "docs" / "service.md").read_text("utf-8")


def test_the_manual_has_every_metric(serve):
    service = serve()
    families = {line.split(" ")[2]: line.split(" ")[3] for line in service.ask("/metrics")[2].splitlines() if line.startswith("# TYPE ")}
    rows = [row.split("|") for row in MANUAL.splitlines() if re.match(r"\| `(fairforge|process)_", row)]
    named = {name: row[2].strip() for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert set(named) == set(families)
    for name, kind in named.items():
        assert kind in (families[name], "as usual"), name


def test_the_manual_has_every_flag_and_route(serve):
    told = fairforge("serve", "--help").out
    flags = set(re.findall(r"^  (--[a-z-]+)", told, re.M)) - {"--help"}
    rows = "".join(row.split("|")[1] for row in MANUAL.splitlines() if row.startswith("| `--"))
    assert set(re.findall(r"--[a-z-]+", rows)) == flags
    document = json.loads(serve().ask("/openapi.json")[2])
    routes = dict(re.findall(r"^\| `(?:GET|POST) (\S+)` \| ([^|]+)", MANUAL, re.M))
    assert set(routes) == set(document["paths"])
    own = {int(s) for s in re.findall(r"\d{3}", routes["/run"])}
    assert own <= {int(s) for s in document["paths"]["/run"]["post"]["responses"]} | {401}
