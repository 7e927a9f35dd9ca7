"""A scripted HTTP/1.1 peer on a free loopback port: it says exactly what a test tells it to say, also what no real server would.

    with Peer([reply(200, {"choices": [...]}), Raw(b"garbage"), Silence()]) as peer:
        ... peer.url, peer.requests

Replies are served in order of the requests; the last one repeats. A reply may be a function of the request ({"method", "target", "headers", "body"}). Nothing here sleeps: a peer that must not answer waits until it is closed.
"""
import contextlib
import json
import socket
import threading


def chat(text, **extra):
    """Body of a chat completion that answers `text`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop", **extra}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m-served", "choices": [choice],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}


def reply(status, body, headers=None):
    """A whole reply as bytes; body is an object (sent as JSON), text or bytes."""
    data = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    head = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}
    lines = "".join("%s: %s\r\n" % item for item in head.items() if item[1] is not None)
    return ("HTTP/1.1 %d Status\r\n%s\r\n" % (status, lines)).encode() + data


class Raw(bytes):
    """Bytes sent instead of a reply, then the connection is closed."""


class Silence:
    """Never answers; `first` is sent before."""

    def __init__(self, first=b""):
        self.first = first


class Hold:
    """Answers with `then` when the test sets `event`."""

    def __init__(self, then):
        self.then, self.event = then, threading.Event()


class Reset:
    """Closes with RST."""


class Peer:
    def __init__(self, replies):
        self.replies, self.requests, self.connections, self.open = list(replies), [], 0, []
        self.arrived = threading.Condition()
        self.closing = threading.Event()
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.sock.getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.sock.close()

    def hang_up(self):
        """Closes every connection, as a server does with those that idle."""
        while self.open:
            with contextlib.suppress(OSError):
                self.open.pop().shutdown(socket.SHUT_RDWR)

    def wait_for(self, count, timeout=30):
        """Blocks until that many requests arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.requests) >= count, timeout), \
                "expected %d requests, %d came" % (count, len(self.requests))

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn):
        with conn, conn.makefile("rb") as stream:
            try:
                while self._one(conn, stream):
                    pass
                conn.shutdown(socket.SHUT_RDWR)
            except (OSError, ValueError):
                pass

    def _read(self, stream):
        line = stream.readline().decode("latin-1").split()
        if len(line) < 2:
            return None
        headers = {}
        for raw in iter(stream.readline, b"\r\n"):
            if not raw:
                return None
            key, _, value = raw.decode("latin-1").partition(":")
            headers[key.strip().lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
        return {"method": line[0], "target": line[1], "headers": headers, "body": body}

    def _one(self, conn, stream):
        request = self._read(stream)
        if request is None:
            return False
        with self.arrived:
            self.requests.append(request)
            say = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
            self.arrived.notify_all()
        if callable(say):
            say = say(request)
        if isinstance(say, Hold):
            say.event.wait(60)
            say = say.then
        if isinstance(say, Silence):
            conn.sendall(say.first)
            self.closing.wait(60)
            return False
        if isinstance(say, Reset):
            conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            return False
        conn.sendall(say)
        return not isinstance(say, Raw)
