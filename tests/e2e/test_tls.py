"""TLS and HTTP/2 against nginx, with a CA made on the spot."""
import json
import shutil
import subprocess

import pytest

from conftest import BINARY, LIMIT_S, ROOT, batch, dataset, environment, fairforge, payload
from peer import chat

ANSWER = json.dumps(chat("over TLS")).replace('"', '\\"')

# The body is read before the answer leaves: proxy_pass does that, `return` alone would not.
SERVER = """
upstream fixed { server unix:@FOLDER@/fixed.sock; keepalive 64; }
server { listen unix:@FOLDER@/fixed.sock; location / { default_type application/json; return 200 "%s"; } }
server { listen 127.0.0.1:@PORT@ ssl %s; ssl_certificate %s; ssl_certificate_key %s; access_log @FOLDER@/access.log c;
  location / { proxy_pass http://fixed; proxy_http_version 1.1; proxy_set_header Connection ""; } }
"""


def server(certificate, http2=False):
    return SERVER % (ANSWER, "http2" if http2 else "", *certificate)


def sessions(count):
    return [dataset(batch("q%d" % i), session_id="s%d" % i) for i in range(count)]


def run(nginx, pki, *flags, count=1, host="localhost", trust=True, **more):
    trust = ["--cacert", pki.ca] if trust else []
    return fairforge("run", "-", *trust, *flags, stdin=payload("https://%s:%d" % (host, nginx.port), *sessions(count)), **more)


@pytest.mark.parametrize("http2", [False, True])
def test_verified_connection(nginx, pki, http2):
    web = nginx(server(pki.make("server"), http2))
    result = run(web, pki, count=20)
    assert result.status == 0 and set(result.answers) == {"over TLS"}, result
    assert ("HTTP/2.0" if http2 else "HTTP/1.1") in web.access.read_text()


def test_http_version_can_be_forced(nginx, pki):
    web = nginx(server(pki.make("server"), True))
    assert run(web, pki, "--option", "http_version=1.1").status == 0
    assert "HTTP/2.0" not in web.access.read_text()


def test_ca_from_environment(nginx, pki):
    web = nginx(server(pki.make("server")))
    assert run(web, pki, trust=False, env={"SSL_CERT_FILE": str(pki.ca)}).status == 0


@pytest.mark.parametrize("name, how, word", [
    ("unknown authority", {}, "certificate"),
    ("wrong name", {"alt": "DNS:other.test"}, "localhost"),
    ("expired", {"end": "20210101000000Z"}, "expired"),
])
def test_a_certificate_that_does_not_hold(nginx, pki, name, how, word):
    web = nginx(server(pki.make(name.replace(" ", "-"), **how)))
    result = run(web, pki, trust=name != "unknown authority")
    assert result.status == 69, "%s: %r" % (name, result)
    assert result.answers[0].startswith("[ERROR] ") and word in result.answers[0].lower(), result
    assert not web.access.exists() or "200" not in web.access.read_text(), "the request was sent in spite of it"


def test_ca_file_that_cannot_be_read(nginx, pki, tmp_path):
    web = nginx(server(pki.make("server")))
    result = fairforge("run", "-", "--cacert", tmp_path / "none.pem", stdin=payload("https://localhost:%d" % web.port))
    assert result.status == 64 and "none.pem" in result.err + result.out, result


def test_plain_port_spoken_to_with_tls(simulator):
    url = simulator().url.replace("http://", "https://")
    result = fairforge("run", "-", stdin=payload(url))
    assert result.status == 69 and "tls" in result.answers[0].lower(), result


@pytest.mark.parametrize("in_flight, most", [(64, 4), (300, 12)])
def test_http2_shares_connections(nginx, pki, in_flight, most):
    web = nginx(server(pki.make("server"), True))
    result = run(web, pki, "--concurrency", in_flight, "--no-adaptive", count=4 * in_flight)
    assert result.status == 0, result
    opened = len(web.connections())
    assert opened <= most, "%d requests in flight over HTTP/2 opened %d connections (at most %d)" % (in_flight, opened, most)


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_ca_store_is_read_once(nginx, pki, tmp_path):
    """libcurl by itself reads the CA file for each new connection, on the loop."""
    web = nginx(server(pki.make("server")).replace("listen 127", "keepalive_requests 4; listen 127"))  # several connections, however the two keep pace
    request, log = tmp_path / "p.json", tmp_path / "strace"
    request.write_text(json.dumps(payload("https://localhost:%d" % web.port, *sessions(64))))
    process = subprocess.run(["strace", "-f", "-qq", "-e", "trace=open,openat", "-o", log, BINARY, "run", request, "--cacert", pki.ca, "--concurrency", "16",
                              "--no-adaptive"], env=environment({"ASAN_OPTIONS": "detect_leaks=0"}), capture_output=True, timeout=LIMIT_S, check=False)
    assert process.returncode == 0, process.stderr.decode()
    assert len(web.connections()) >= 16
    opened = log.read_text().count(str(pki.ca))
    assert opened == 1, "the CA file was opened %d times" % opened


def test_hanging_name_server_does_not_hold_the_exit(tmp_path):
    """A resolver that never answers: the turn's deadline ends the run, not the resolver's thread."""
    preload = tmp_path / "slow.so"
    source = ROOT / "tests" / "e2e" / "slow_getaddrinfo.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", preload, source, "-ldl"], check=True)
    if b"__asan_init" in BINARY.read_bytes():
        return  # the sanitizer runtime must come first among the libraries, before a preloaded one
    result = fairforge("run", "-", "--option", "connect_timeout_ms=200", stdin=payload("https://slow.test"), env={"LD_PRELOAD": str(preload)})
    assert result.status == 69 and "slow.test" in result.answers[0], result
