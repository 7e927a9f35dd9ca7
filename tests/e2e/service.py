"""`fairforge serve` under test: starts it, reads its log, talks to it with http.client or raw sockets.

    with Service("--max-runs", "2", origins=[peer.url]) as service:
        status, headers, body = service.post("/run", payload(...))

Whoever leaves the block demands that the service ended well. Nothing sleeps: waiting is reading a log line or an answer.
"""
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import threading
import urllib.parse

from conftest import LIMIT_S, start


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def answers(self):
        return [b["assistant"] for d in self.json["datasets"] for b in d["conversation"]]

    def __repr__(self):
        return "%s %s %s" % (self.status, dict(self.headers), self.body[:2000])


class Service:
    def __init__(self, *flags, origins=(), env=None, cafile=None, listen=True, **more):
        env = {"FAIRFORGE_ALLOWED_ORIGINS": ",".join(origins), **(env or {})}
        address = ("--listen", "127.0.0.1:0") if listen is True else ("--listen", listen) if listen else ()
        self.process = start("serve", *address, *flags, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **more)
        self.lines, self.news, self.killed = [], threading.Condition(), False
        threading.Thread(target=self._read, daemon=True).start()
        self.url = self.event("listening")["url"]
        parts = urllib.parse.urlsplit(self.url)
        self.host, self.port = parts.hostname, parts.port
        self.tls = ssl.create_default_context(cafile=cafile) if parts.scheme == "https" else None

    def _read(self):
        for line in self.process.stderr:
            with self.news:
                self.lines.append(line.decode("utf-8", "replace"))
                self.news.notify_all()
        with self.news:
            self.lines.append(None)
            self.news.notify_all()

    def log(self):
        """The events so far."""
        with self.news:
            return [json.loads(line) for line in self.lines if line and line.startswith("{")]

    def event(self, name, count=1, **fields):
        """Waits for the count-th line of that event with these fields."""
        def found():
            events = [json.loads(line) for line in self.lines if line and line.startswith("{")]
            events = [e for e in events if e["event"] == name and all(e.get(k) == v for k, v in fields.items())]
            return events[count - 1] if len(events) >= count else None

        with self.news:
            self.news.wait_for(lambda: found() or None in self.lines, LIMIT_S)
            assert found(), "no %d. event %s %s in %s" % (count, name, fields, "".join(line or "(end)" for line in self.lines))
            return found()

    # ---- clients ----

    def socket(self):
        s = socket.create_connection((self.host, self.port), LIMIT_S)
        return self.tls.wrap_socket(s, server_hostname="localhost") if self.tls else s

    def connection(self):
        if self.tls:
            return http.client.HTTPSConnection(self.host, self.port, timeout=LIMIT_S, context=self.tls)
        return http.client.HTTPConnection(self.host, self.port, timeout=LIMIT_S)

    def request(self, method, path, body=None, headers=None, connection=None):
        own = connection or self.connection()
        if body is not None and not isinstance(body, (bytes, str)) and not hasattr(body, "__next__"):
            body = json.dumps(body)
        own.request(method, path, body.encode() if isinstance(body, str) else body, headers or {})
        reply = own.getresponse()
        answer = Answer(reply.status, reply.headers, reply.read())
        if own is not connection:
            own.close()
        return answer

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def run(self, body, **more):
        return self.request("POST", "/run", body, **more)

    def begin(self, body, headers=""):
        """Sends POST /run and leaves: the socket."""
        data = json.dumps(body).encode() if not isinstance(body, bytes) else body
        s = self.socket()
        s.sendall(("POST /run HTTP/1.1\r\nHost: h\r\n%sContent-Length: %d\r\n\r\n" % (headers, len(data))).encode() + data)
        return s

    def metric(self, line):
        """The value of a metric, given as `name` or `name{label="x"}`."""
        for row in self.get("/metrics").body.decode().splitlines():
            if row.startswith(line + " "):
                return float(row.split()[-1])
        raise AssertionError("no metric " + line)

    def until(self, line, value):
        """Asks until a metric has that value."""
        for _ in range(20000):
            if self.metric(line) == value:
                return
        raise AssertionError("%s stays %s, not %s" % (line, self.metric(line), value))

    # ---- the end ----

    def signal(self, number=signal.SIGTERM):
        os.kill(self.process.pid, number)

    def wait(self):
        """The exit status, after everything was logged."""
        self.process.wait(LIMIT_S)
        with self.news:
            assert self.news.wait_for(lambda: None in self.lines, LIMIT_S)
        assert not any("Sanitizer" in (line or "") for line in self.lines), "".join(line or "" for line in self.lines)
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.signal()
        assert self.wait() == 0, "the service ended with %s: %s" % (self.process.returncode, self.lines[-5:])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
            self.process.wait(LIMIT_S)
        else:
            self.stop()


def read_answer(stream):
    """One HTTP answer from a socket's makefile("rb"): Answer, or None at the end."""
    line = stream.readline()
    if not line:
        return None
    headers = http.client.parse_headers(stream)
    return Answer(int(line.split()[1]), headers, stream.read(int(headers.get("Content-Length", 0))))
