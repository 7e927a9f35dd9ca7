"""Protocol lines on private copies of standard input and output.

The runner's own prints, and those of C code and of programs it starts, must not get between the lines: descriptor 1 becomes standard error and
descriptor 0 an empty input before any code of the user's is loaded. Both pipes are used without blocking, in the event loop's thread.

A line is written at once when the last write was a while ago, else together with others at the end of this step of the loop, or before code of the
user's runs (`flush`), because that code may block the loop for long.
"""
import json
import os
import select
import sys
import threading

READ_BYTES = 1 << 20
LINE_MOST_BYTES = 64 << 20
TOGETHER_S = 0.002  # lines that follow one another faster are written together

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_ascii = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def encode(message):
    """A message as a line. A lone surrogate, which UTF-8 cannot carry, travels as an escape."""
    try:
        return _compact.encode(message).encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        return _ascii.encode(message).encode("ascii") + b"\n"


class Channel:
    def __init__(self):
        self._process = os.getpid()
        self._in, self._out = os.dup(0), os.dup(1)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.close(nowhere)
        os.dup2(2, 1)
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
        self._parts = []  # the beginning of a line
        self._waiting = []  # lines to write
        self._loop = self._on_line = self._on_end = None
        self._thread = threading.get_ident()
        self._planned = self._blocked = self._broken = False
        self._written_at = 0.0

    # ---- reading ----

    def first_line(self):
        """Waits for one line; None when the input ends before it."""
        while True:
            data = os.read(self._in, READ_BYTES)
            if not data:
                return None
            line, newline, rest = data.partition(b"\n")
            self._parts.append(line)
            if newline:
                line, self._parts = b"".join(self._parts), [rest] if rest else []
                return line

    def open(self, loop, on_line, on_end):
        """From now on on_line(bytes) gets every line, and on_end() the end of the input, both in the loop."""
        self._loop, self._on_line, self._on_end = loop, on_line, on_end
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        if self._parts:
            early = b"".join(self._parts)
            self._parts = []
            loop.call_soon(self._take, early)
        try:
            loop.add_reader(self._in, self._readable)
        except PermissionError:  # a regular file cannot be waited for, and need not be
            loop.call_soon(self._read_all)

    def _leave_if_forked(self):
        """A process that the runner forked came back to us: the pipes are not its own."""
        if os.getpid() != self._process:
            os._exit(1)

    def _readable(self):
        self._leave_if_forked()
        try:
            data = os.read(self._in, READ_BYTES)
        except BlockingIOError:
            return
        if data:
            self._take(data)
        else:
            self._on_end()

    def _read_all(self):
        while data := os.read(self._in, READ_BYTES):
            self._take(data)
        self._on_end()

    def wait_for_end(self):
        """For a thread: returns when nobody holds the other end of the input any more, whether or not it was read to its end."""
        poller = select.poll()
        poller.register(self._in, 0)  # a hang-up is reported unasked
        while not poller.poll():
            pass

    def stop_reading(self):
        self._loop.remove_reader(self._in)

    def _take(self, data):
        lines = data.split(b"\n")
        self._parts.append(lines[0])
        if len(lines) == 1:
            return
        lines[0] = b"".join(self._parts)
        rest = lines.pop()
        self._parts = [rest] if rest else []
        for line in lines:
            self._on_line(line)

    # ---- writing ----

    def send(self, message):
        """Any thread may call it. Raises ValueError or TypeError when the message is not JSON, OverflowError when the line is too long."""
        self._leave_if_forked()
        line = encode(message)
        if len(line) > LINE_MOST_BYTES:
            raise OverflowError
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._add, line)
        else:
            self._add(line)

    def _add(self, line):
        self._waiting.append(line)
        if self._loop is None or self._loop.time() - self._written_at > TOGETHER_S:
            self.flush()
        elif not self._planned:
            self._planned = True
            self._loop.call_soon(self._planned_flush)

    def _planned_flush(self):
        self._planned = False
        self.flush()

    def flush(self):
        if self._waiting and not self._blocked and not self._broken and threading.get_ident() == self._thread:
            self._write()

    def _write(self):
        """Everything that waits, until the pipe is full. What is left of a piece is not copied again: it may be long."""
        while self._waiting:
            if not isinstance(self._waiting[0], memoryview):
                self._waiting[:] = [memoryview(b"".join(self._waiting))]
            data = self._waiting[0]
            try:
                count = os.write(self._out, data)
            except BlockingIOError:
                self._blocked = True
                self._loop.add_writer(self._out, self._writable)
                return
            except OSError:  # nobody reads any more: the end of the input follows
                self._broken = True
                self._waiting.clear()
                return
            if count < len(data):
                self._waiting[0] = data[count:]
            else:
                del self._waiting[0]
        if self._loop:
            self._written_at = self._loop.time()

    def _writable(self):
        self._blocked = False
        self._loop.remove_writer(self._out)
        self.flush()

    def close(self):
        """Writes what is left, if somebody still reads."""
        os.set_blocking(self._out, True)
        self._blocked = False
        self.flush()
