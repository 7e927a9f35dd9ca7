"""AWS Lambda's Runtime API (2018-06-01) on a free loopback port, with the rules that were measured with AWS's own emulator, and the sandbox around it: it
starts the bootstrap, kills it at an invocation's deadline, and starts it anew for the next event when it has ended.

    with RuntimeApi([bootstrap], env) as api:
        outcome = api.invoke({"datasets": [...]}, timeout=30)
        outcome.body, outcome.error, outcome.killed, outcome.exit_status; api.idle() waits until the next event was asked for

  next while an event is unanswered            the same event again, at once
  a second post for an answered event          403
  a post for another request id                400, the event stays open
  a response of more than 6 MiB + 100 bytes    413, the caller has been told already
  next after a response mode that is unknown   403, at once, for ever
  init/error after the first next              403
  the deadline passes before the next `next`   SIGKILL, also after the answer

A test may put replies of its own in front of these: api.next_faults and api.post_faults take bytes (sent as they are), None (the connection is closed), or
for posts a function of the current outcome that gives one of the two.
"""
import collections
import json
import signal
import socket
import subprocess
import tempfile
import threading
import time
import uuid

LIMIT = 6 * 1024 * 1024 + 100
WAIT_S = 60


def http(status, body=b"", headers=()):
    """A reply as bytes; body is bytes or an object (sent as JSON)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = "".join("%s: %s\r\n" % h for h in (("Content-Type", "application/json"), ("Content-Length", len(data)), *headers))
    return ("HTTP/1.1 %d Status\r\n%s\r\n" % (status, lines)).encode("latin-1") + data


def refusal(status, kind):
    return http(status, {"errorMessage": kind, "errorType": kind})


class Outcome:
    """One invocation as its caller and the platform see it."""

    def __init__(self, event, timeout, headers, request_id):
        self.id = request_id or str(uuid.uuid4())
        self.event = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.timeout, self.headers = timeout, headers
        self.body = self.error = self.error_type = self.exit_status = None
        self.killed = self.answered = self.dead = self.over = False
        self.deliveries = 0
        self.answered_after = None  # seconds since it was delivered
        self.delivered_at = None

    @property
    def json(self):
        assert self.body is not None, "no response: %r" % self
        return json.loads(self.body)

    @property
    def http(self):
        """Status, headers and JSON body of an envelope."""
        envelope = self.json
        headers = envelope.get("headers") or {k: v[0] for k, v in envelope["multiValueHeaders"].items()}
        return envelope["statusCode"], headers, json.loads(envelope["body"]) if envelope["body"] else None

    def __repr__(self):
        return "body %r, error %r (%s), killed %s, exit %s" % ((self.body or b"")[:500], self.error, self.error_type, self.killed, self.exit_status)


class RuntimeApi:
    def __init__(self, command, env, **more):
        self.command, self.env, self.more = command, env, more
        self.condition = threading.Condition()
        self.queue = collections.deque()
        self.current = None
        self.calls = []  # (connection, method, path, status)
        self.requests = []  # headers by call
        self.connections = 0
        self.next_faults, self.post_faults = collections.deque(), collections.deque()
        self.init_error = None  # (error, errorType of the header)
        self.asked = 0  # times that the next event was asked for
        self.asking = False  # somebody waits for an event
        self.process, self.log = None, None
        self.exits, self.past_logs = [], ""
        self.closing = False
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = "127.0.0.1:%d" % self.sock.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- the sandbox ----

    def start(self):
        """Starts the bootstrap if none runs."""
        with self.condition:
            if self.process is not None:
                return self
            self._keep_log()
            self.log = tempfile.TemporaryFile()
            self.asked = 0
            self.process = subprocess.Popen(self.command, env={**self.env, "AWS_LAMBDA_RUNTIME_API": self.address}, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=self.log, **self.more)
            threading.Thread(target=self._watch, args=(self.process,), daemon=True).start()
        return self

    def _watch(self, process):
        status = process.wait()
        with self.condition:
            self.exits.append(status)
            self.process = None
            self.asking = False
            if self.current and not self.current.over:
                self.current.exit_status = status
                self.current.over = True
                self.current = None
            elif self.queue:  # it ended before it took the event
                outcome = self.queue.popleft()
                outcome.exit_status = status
                outcome.over = True
            self.condition.notify_all()

    def wait_exit(self, timeout=WAIT_S):
        """Waits until the bootstrap ends; its exit status."""
        with self.condition:
            assert self.condition.wait_for(lambda: self.process is None and self.exits, timeout), "the bootstrap does not end"
            return self.exits[-1]

    def close(self):
        """Ends the bootstrap the way a shut Runtime API does: nobody answers any more."""
        with self.condition:
            self.closing = True
            running = self.process
            self.condition.notify_all()
        self.sock.close()
        if running:
            try:
                running.wait(WAIT_S)
            finally:
                running.kill()
        text = self.stderr
        assert "Sanitizer" not in text, text

    def _keep_log(self):
        if self.log:
            self.log.seek(0)
            self.past_logs += self.log.read().decode("utf-8", "replace")
            self.log.close()

    @property
    def stderr(self):
        text = self.past_logs
        if self.log:
            self.log.seek(0)
            text += self.log.read().decode("utf-8", "replace")
        return text

    @property
    def logs(self):
        """The lines of the log as objects, when the bootstrap is done with its event; each must be one."""
        self.idle()
        return [json.loads(line) for line in self.stderr.splitlines()]

    # ---- events ----

    def send(self, event, timeout=30, headers=None, request_id=None):
        """Queues an event; api.answer(outcome) waits for what comes of it."""
        outcome = Outcome(event, timeout, headers, request_id)
        self.start()
        with self.condition:
            self.queue.append(outcome)
            self.condition.notify_all()
        return outcome

    def answer(self, outcome):
        with self.condition:
            assert self.condition.wait_for(lambda: outcome.answered or outcome.over, WAIT_S), "no answer: %s" % self.stderr
        return outcome

    def invoke(self, event, **more):
        return self.answer(self.send(event, **more))

    def idle(self):
        """Waits until the bootstrap waits for an event, or has ended."""
        with self.condition:
            assert self.condition.wait_for(lambda: (self.asking and not self.queue) or self.process is None, WAIT_S), "it is busy"

    # ---- HTTP ----

    def _accept(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(conn, self.connections), daemon=True).start()

    def _serve(self, conn, number):
        with conn, conn.makefile("rb") as stream:
            try:
                while self._one(conn, stream, number):
                    pass
                conn.shutdown(socket.SHUT_RDWR)
            except (OSError, ValueError):
                pass

    def _one(self, conn, stream, number):
        first = stream.readline().decode("latin-1").split()
        if len(first) < 2:
            return False
        headers = {}
        for raw in iter(stream.readline, b"\r\n"):
            if not raw:
                return False
            name, _, value = raw.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect"):
            conn.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = stream.read(int(headers.get("content-length", 0)))
        reply = self._reply(first[0], first[1], headers, body, conn)
        with self.condition:
            status = int(reply.split()[1]) if reply else 0
            self.calls.append((number, first[0], first[1], status))
            self.requests.append(headers)
            self.condition.notify_all()
        if reply is None:
            return False
        conn.sendall(reply)
        return True

    def _reply(self, method, path, headers, body, conn):
        prefix = "/2018-06-01/runtime/"
        if not path.startswith(prefix):
            return refusal(404, "NotFound")
        path = path[len(prefix):]
        if (method, path) == ("GET", "invocation/next"):
            return self._next(conn)
        with self.condition:
            if self.post_faults:
                fault = self.post_faults.popleft()
                return fault(self.current) if callable(fault) else fault
            if (method, path) == ("POST", "init/error"):
                return self._init_error(headers, body)
            parts = path.split("/")
            if method == "POST" and len(parts) == 3 and parts[0] == "invocation" and parts[2] in ("response", "error"):
                return self._post(parts[1], parts[2], headers, body)
        return refusal(404, "NotFound")

    def _init_error(self, headers, body):
        if self.asked:
            return refusal(403, "InvalidStateTransition")
        self.init_error = (json.loads(body), headers.get("lambda-runtime-function-error-type"))
        return http(202, {"status": "OK"})

    def _next(self, conn):
        with self.condition:
            self.asked += 1
            if self.current and self.current.dead:
                return refusal(403, "InvalidStateTransition")
            if self.current and self.current.answered:
                self.current.over = True
                self.current = None
                self.condition.notify_all()
            if self.next_faults:
                return self.next_faults.popleft()
            if not self.current:
                self.asking = True
                self.condition.notify_all()
                self.condition.wait_for(lambda: self.queue or self.closing)
                self.asking = False
                if self.closing:
                    return None
                self.current = self.queue.popleft()
                self._deliver(self.current)
            self.current.deliveries += 1
            return self._event(self.current)

    def _deliver(self, outcome):
        outcome.delivered_at = time.monotonic()
        outcome.deadline_ms = int((time.time() + outcome.timeout) * 1000)
        timer = threading.Timer(outcome.timeout, self._kill, args=(outcome, self.process))
        timer.daemon = True
        timer.start()

    def _kill(self, outcome, process):
        with self.condition:
            if outcome.over or process is None:
                return
            outcome.killed = True
            process.send_signal(signal.SIGKILL)

    def _event(self, outcome):
        headers = outcome.headers
        if headers is None:
            headers = [("Lambda-Runtime-Aws-Request-Id", outcome.id), ("Lambda-Runtime-Deadline-Ms", outcome.deadline_ms),
                       ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:012345678912:function:test"),
                       ("Lambda-Runtime-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0")]
        elif callable(headers):
            headers = headers(outcome)
        return http(200, outcome.event, headers)

    def _post(self, request_id, what, headers, body):
        current = self.current
        if current is None:
            return refusal(403, "InvalidStateTransition")
        if request_id != current.id:
            return refusal(400, "InvalidRequestID")
        if current.answered or current.dead:
            return refusal(403, "InvalidStateTransition")
        if headers.get("lambda-runtime-function-response-mode", "streaming") != "streaming":
            current.dead = True
            return refusal(400, "InvalidFunctionResponseMode")
        current.answered = True
        current.answered_after = time.monotonic() - current.delivered_at
        self.condition.notify_all()
        if what == "response" and len(body) > LIMIT:
            current.error = {"errorType": "Function.ResponseSizeTooLarge"}
            return refusal(413, "RequestEntityTooLarge")
        if what == "response":
            current.body = body
        else:
            current.error = json.loads(body)
            current.error_type = headers.get("lambda-runtime-function-error-type")
        return http(202, {"status": "OK"})
