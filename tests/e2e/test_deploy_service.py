"""deploy/service: the unit that systemd takes, the flags that the binary takes, the system calls that the filter lets through, the image, nginx before it."""
import json
import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from conftest import BINARY, BUILD, LIMIT_S, ROOT, environment, payload
from peer import Peer, Silence, chat, reply
from service import Service

DEPLOY = ROOT / "deploy" / "service"
OK = reply(200, chat("4"))
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
sanitized = b"__asan_init" in BINARY.read_bytes()


def unit(name="fairforge.service"):
    """[(key, value)] of a unit file."""
    lines = (DEPLOY / name).read_text().splitlines()
    return [tuple(line.split("=", 1)) for line in lines if line and line[0] not in "#["]


def run_systemd_analyze(*args):
    done = subprocess.run(["systemd-analyze", *map(str, args)], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def installed(tmp_path):
    """The two units with the binary that is under test."""
    for name in ("fairforge.service", "fairforge.socket"):
        (tmp_path / name).write_text((DEPLOY / name).read_text().replace("/usr/local/bin/fairforge", str(BINARY)))
    return tmp_path


# ---- systemd ----

@needs_systemd
def test_systemd_takes_the_units(installed):
    status, said = run_systemd_analyze("verify", "--man=no", installed / "fairforge.service", installed / "fairforge.socket")
    ours = [line for line in said.splitlines() if "fairforge" in line]
    assert status == 0 and not ours, said


@needs_systemd
def test_the_unit_is_locked_down(installed):
    """1.3 of 10 when it was written, most of it for being on the network at all."""
    status, said = run_systemd_analyze("security", "--offline=true", "--no-pager", "--threshold=15", installed / "fairforge.service")
    assert status == 0, said


def flags_of(folder):
    """The flags of ExecStart, with the folder for credentials."""
    command = dict(unit())["ExecStart"].replace("%d", str(folder)).split()
    assert command[:2] == ["/usr/local/bin/fairforge", "serve"], command
    return command[2:]


def activate(listener, command, **more):
    """Starts command with the socket as descriptor 3, as systemd does."""
    script = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid())); os.execvp(sys.argv[2], sys.argv[2:])"
    fd = listener.fileno()
    return subprocess.Popen([sys.executable, "-c", script, str(fd), *map(str, command)], stderr=subprocess.PIPE, pass_fds=[fd, 3], env=environment(), **more)


@pytest.fixture
def credentials(tmp_path):
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "tokens").write_text("ci:0123456789abcdef\n")
    (folder / "tokens").chmod(0o400)
    return folder


def get(address, target, token=None):
    with socket.create_connection(address, LIMIT_S) as s:
        s.sendall(("GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n" % (target, "Authorization: Bearer %s\r\n" % token if token else "")).encode())
        return s.makefile("rb").read()


def test_the_unit_starts_it(credentials):
    with socket.create_server(("127.0.0.1", 0)) as listener, activate(listener, [BINARY, "serve", *flags_of(credentials)]) as process:
        assert json.loads(process.stderr.readline())["event"] == "listening"
        assert b" 200 " in get(listener.getsockname(), "/healthz").splitlines()[0]
        assert b" 401 " in get(listener.getsockname(), "/metrics").splitlines()[0]
        assert b" 200 " in get(listener.getsockname(), "/metrics", "0123456789abcdef").splitlines()[0]
        process.terminate()
        assert process.wait(LIMIT_S) == 0


def test_the_grace_ends_before_systemd_kills():
    values = dict(unit())
    grace = int(re.search(r"--grace (\d+)s", values["ExecStart"]).group(1))
    assert int(values["TimeoutStopSec"].rstrip("s")) >= grace + 15


def call_names(group):
    """The system calls of a group of systemd, its groups taken apart."""
    status, said = run_systemd_analyze("--no-pager", "syscall-filter", group)
    assert status == 0, said
    names = [line.strip() for line in said.splitlines() if line.startswith("    ") and line.strip()[0] != "#"]
    return {n for name in names for n in (call_names(name) if name.startswith("@") else [name])}


def allowed_calls():
    allowed = set()
    for value in (v for k, v in unit() if k == "SystemCallFilter"):
        names = {n for word in value.lstrip("~").split() for n in (call_names(word) if word.startswith("@") else [word])}
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed


@needs_systemd
@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.skipif(sanitized, reason="the sanitizers make calls of their own")
def test_the_filter_lets_through_what_it_calls(credentials, tmp_path):
    """Every system call of a busy day: runs over TLS to a name, metrics, a drain."""
    trace = tmp_path / "trace"
    with socket.create_server(("127.0.0.1", 0)) as listener, Peer([OK]) as peer, \
            activate(listener, ["strace", "-D", "-f", "-qq", "-o", trace, BINARY, "serve", *flags_of(credentials)]) as process:
        while json.loads(process.stderr.readline())["event"] != "listening":
            pass
        body = json.dumps(payload(peer.url.replace("http:", "https:").replace("127.0.0.1", "localhost"))).encode()
        with socket.create_connection(listener.getsockname(), LIMIT_S) as s:
            s.sendall(b"POST /run HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer 0123456789abcdef\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            assert b" 200 " in s.makefile("rb").read().splitlines()[0]
        get(listener.getsockname(), "/metrics", "0123456789abcdef")
        process.terminate()  # with -D it is the service that has this id
        process.stderr.read()  # strace, beside it, has written all
        assert process.wait(LIMIT_S) == 0
    lines = trace.read_text().splitlines()
    called = {m.group(1) for m in (re.match(r"\d+ +([a-z0-9_]+)\(", line) for line in lines) if m}
    assert {"epoll_wait", "accept4", "connect"} & called and len(called) > 30, called
    refused = called - allowed_calls() - {"execve", "arch_prctl"}  # before the filter is on, or always allowed
    assert not refused, "the unit's filter refuses: %s" % sorted(refused)
    writable_code = [line for line in lines if "PROT_WRITE|PROT_EXEC" in line]
    assert not writable_code, "MemoryDenyWriteExecute refuses: %s" % writable_code[:3]
    families = {m for line in lines for m in re.findall(r"socket\((AF_[A-Z0-9]+)", line)}
    assert families <= set(dict(unit())["RestrictAddressFamilies"].split()), families


# ---- the image ----

def dockerfile():
    return (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")


def packages(stage):
    return set(re.findall(r"apt-get install -y --no-install-recommends ([^&]+)&&", dockerfile())[stage].split())


def test_the_image_is_built_from_what_builds_here():
    own = re.search(r'^build_packages="([^"]+)"', (ROOT / "dev").read_text(), re.M).group(1).split()
    missing = set(own) - packages(0) - {"ca-certificates"}
    assert not missing, "./dev installs more than the image's first stage: %s" % missing


def test_the_image_takes_the_folders_that_the_build_reads():
    folders = {line.split("/")[0] for line in re.findall(r"^\s*subdir\('([^']+)'\)", (ROOT / "meson.build").read_text(), re.M)} - {"tests"}
    kept = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert folders <= kept, folders - kept
    assert {"meson.build", "meson_options.txt", "include", "tools"} <= kept
    assert all((ROOT / name).exists() for name in kept), kept


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="needs Debian")
@pytest.mark.skipif(sanitized, reason="needs libraries of its own")
def test_the_image_holds_the_libraries():
    """What the executable names itself; their own dependencies are the packages' business."""
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", subprocess.run(["readelf", "-d", BINARY], capture_output=True, text=True, check=True).stdout)
    paths = dict(re.findall(r"(\S+) => (\S+)", subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True).stdout))
    for name in needed:
        if name not in paths:
            continue
        owner = None
        for path in (paths[name], os.path.realpath(paths[name]), "/usr" + paths[name]):
            found = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True, check=False)
            owner = owner or (found.stdout.split(":")[0] if found.returncode == 0 else None)
        assert owner in packages(1) | {"libc6", "libgcc-s1"}, "%s is of %s" % (name, owner)


def test_the_image_is_nobody_and_names_no_host():
    text = dockerfile()
    stages = re.findall(r"^FROM (\S+)", text, re.M)
    assert len(stages) == 2 and all(s == "${BASE}" for s in stages)
    base = re.search(r"^ARG BASE=(\S+)", text, re.M).group(1)
    assert "/" not in base, "the base image names a host or an owner"
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.M)
    flags = json.loads(re.search(r"^CMD (\[.*\])", text, re.M).group(1))
    help_text = subprocess.run([BINARY, "serve", "--help"], capture_output=True, text=True, check=True, env=environment()).stdout
    assert all(flag in help_text for flag in flags if flag.startswith("--")), flags


# ---- nginx ----

@pytest.fixture
def proxied(nginx, pki):
    """proxied(service): deploy/service/nginx.conf before that service, on a port and with a certificate of the test."""
    def make(service):
        cert, key = pki.make("proxy")
        text = (DEPLOY / "nginx.conf").read_text()
        for old, new in (("listen 443 ssl", "listen 127.0.0.1:@PORT@ ssl"), ("127.0.0.1:8080", "127.0.0.1:%d" % service.port),
                         ("/etc/ssl/private/fairforge.key", str(key)), ("/etc/ssl/fairforge.pem", str(cert))):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return nginx(text)

    return make


def through(proxy, pki, *args, body=None):
    done = subprocess.run(["curl", "-s", "-i", "--cacert", pki.ca, *args, *(["--data-binary", "@-"] if body else []),
                           "https://localhost:%d%s" % (proxy.port, "/run" if body else "/metrics")],
                          input=json.dumps(body).encode() if body else None, capture_output=True, timeout=LIMIT_S, check=True)
    head, _, text = done.stdout.decode().replace("\r\n", "\n").partition("\n\n")
    return head, text


@pytest.mark.skipif(not shutil.which("nginx") and not os.path.exists("/usr/sbin/nginx"), reason="needs nginx")
class TestNginx:
    def test_a_run(self, proxied, pki):
        with Peer([OK]) as peer, Service(origins=[peer.url]) as service:
            proxy = proxied(service)
            head, text = through(proxy, pki, body=payload(peer.url))
            assert " 200" in head.splitlines()[0] and json.loads(text)["success"] is True, head + text
            identity = re.search(r"(?i)^x-request-id: (\S+)", head, re.M).group(1)
            assert service.event("request", path="/run")["request_id"] == identity
            head, text = through(proxy, pki)
            assert " 200" in head.splitlines()[0] and "fairforge_turns_total" in text

    def test_a_body_that_is_too_large_stays_outside(self, proxied, pki):
        with Service() as service:
            head, _ = through(proxied(service), pki, body={"datasets": "x" * (9 << 20)})
            assert " 413" in head.splitlines()[0], head
            assert not [e for e in service.log() if e["event"] == "request"]

    def test_a_client_that_goes_ends_its_run(self, proxied, pki):
        with Peer([Silence()]) as peer, Service(origins=[peer.url]) as service:
            proxy = proxied(service)
            with subprocess.Popen(["curl", "-s", "--cacert", pki.ca, "--data-binary", "@-", "https://localhost:%d/run" % proxy.port],
                                  stdin=subprocess.PIPE) as curl:
                curl.stdin.write(json.dumps(payload(peer.url)).encode())
                curl.stdin.close()
                peer.wait_for(1)
                curl.kill()
            service.until('fairforge_runs_total{result="abandoned"}', 1)
