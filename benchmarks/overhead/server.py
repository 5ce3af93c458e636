"""A loopback server that speaks chat completions, fast, in a process of its own.

The address says how it answers: /d50/v1 after 50 ms, /d0/v1 at once. A request with tools gets a tool call until it
holds five results; one that asks for a stream gets PIECES pieces. One thread and one selector, no framework: what is
measured is the client.
"""

from __future__ import annotations

import heapq
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

TEXT = "The answer to this part is forty-two, as the one before said."
PIECES = 200
TOOL_CALLS = 5

_USAGE = {"prompt_tokens": 120, "completion_tokens": 14, "total_tokens": 134}
_HEAD: dict[str, object] = {"id": "chatcmpl-1", "created": 1, "model": "loopback"}


def _whole(message: dict[str, object], finish: str) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = json.dumps({**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _USAGE}).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def _streamed() -> bytes:
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": f" word{at}"} for at in range(PIECES)]
    chunks: list[dict[str, object]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    events = [json.dumps({**_HEAD, "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
    events.append(json.dumps({**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE}))
    body = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


_CALL = {"id": "call-1", "type": "function", "function": {"name": "look_up", "arguments": '{"word": "answer"}'}}
_ANSWER = _whole({"role": "assistant", "content": TEXT}, "stop")
_TOOL = _whole({"role": "assistant", "content": None, "tool_calls": [_CALL]}, "tool_calls")
_STREAM = _streamed()


def reply(body: bytes) -> bytes:
    """What a request's body is answered with."""
    if b'"stream": true' in body or b'"stream":true' in body:
        return _STREAM
    if b'"tools"' in body:
        results = body.count(b'"role": "tool"') + body.count(b'"role":"tool"')
        return _ANSWER if results >= TOOL_CALLS else _TOOL
    return _ANSWER


class _Connection:
    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.read = sock, b""

    def take(self) -> tuple[float, bytes] | None:
        """The next whole request: the seconds it is to wait, and its answer."""
        head, found, rest = self.read.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines)
        length = int(headers.get(b"content-length", b"0"))
        if len(rest) < length:
            return None
        self.read = rest[length:]
        path = first.split(b" ")[1]
        return int(path.split(b"/")[1][1:]) / 1000, reply(rest[:length])


def serve() -> None:
    """Answer until standard input is closed; the port is printed first."""
    chosen = selectors.DefaultSelector()
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listening:
        print(listening.getsockname()[1], flush=True)  # noqa: T201 - this is how the parent hears of it
        listening.setblocking(False)
        chosen.register(listening, selectors.EVENT_READ, None)
        chosen.register(sys.stdin, selectors.EVENT_READ, "end")
        waiting: list[tuple[float, int, socket.socket, bytes]] = []
        count = 0
        while True:
            for key, _ in chosen.select(max(0.0, waiting[0][0] - time.monotonic()) if waiting else None):
                if key.data == "end":
                    return
                if key.data is None:
                    sock, _address = listening.accept()
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    chosen.register(sock, selectors.EVENT_READ, _Connection(sock))
                    continue
                for delay, answer in _read(chosen, key.data):
                    count += 1
                    if delay:
                        heapq.heappush(waiting, (time.monotonic() + delay, count, key.data.sock, answer))
                    else:
                        _send(key.data.sock, answer)
            while waiting and waiting[0][0] <= time.monotonic():
                _send(*heapq.heappop(waiting)[2:])


def _read(chosen: selectors.BaseSelector, connection: _Connection) -> Iterator[tuple[float, bytes]]:
    try:
        data = connection.sock.recv(1 << 18)
    except ConnectionError:
        data = b""
    if not data:
        chosen.unregister(connection.sock)
        connection.sock.close()
        return
    connection.read += data
    while (asked := connection.take()) is not None:
        yield asked


def _send(sock: socket.socket, answer: bytes) -> None:
    try:
        sock.sendall(answer)
    except OSError:  # the client hung up
        return


@contextmanager
def running() -> Iterator[int]:
    """The server's port, until the block ends."""
    command = [sys.executable, "-m", "phalanx.benchmarks.overhead.server"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
            process.wait(10)


if __name__ == "__main__":
    serve()
