"""Loopback servers that speak the wire formats of model providers, for tests that need a real socket.

    with serve("openai", reply="Paris") as server:
        model = LiteLLM(server.model, api_base=server.url, api_key="sk-test")
        ...
        assert [request.path for request in server.requests] == ["/v1/chat/completions"]

It runs in threads of this process, on 127.0.0.1 and a free port, until the block ends: use it from sync code, from any
event loop, or give `server.url` to a subprocess (`server.environment` has the variables that point a provider there).

format: "openai" (chat completions), "vllm" (the same, as hosted_vllm), "anthropic" (messages), "ollama" (/api/chat,
NDJSON) or "gemini" (generateContent). Whether an answer is streamed is the client's choice, as with the real ones.

reply: text; a Reply, for tool calls, usage, errors, delays and defects; a function of the Received request that gives
one of these; or a list of these, one a request, of which the last is repeated.
"""

from __future__ import annotations

import json
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from .formats import FORMATS, Format

FormatName = Literal["openai", "vllm", "anthropic", "ollama", "gemini"]


@dataclass(frozen=True)
class Use:
    """A tool call in a reply."""

    name: str
    arguments: Mapping[str, object] | str = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answers.

    text, reasoning, uses: the answer. finish: the provider's own finish reason (None: as it follows from the rest).
    input_tokens: all of the prompt, of which cached were read from and written were put into the provider's cache;
    output_tokens, of which reasoning_tokens were not shown. usage: whether the server reports any of it.
    status, error, code: an HTTP error, its message and its code. headers: more headers.
    delay: seconds before the answer begins; pause: seconds between the pieces of a stream.
    stall: the stream says nothing more after so many pieces.
    cut: the connection breaks after so many pieces of a stream (or half of a body); clean_cut: the server ends the
    stream there as if it were whole. error_after: a stream says `error` in its body after so many pieces.
    empty: no choice at all. body: these bytes instead of an answer.
    """

    text: str = ""
    reasoning: str = ""
    uses: tuple[Use, ...] = ()
    finish: str | None = None
    input_tokens: int = 11
    output_tokens: int = 4
    cached: int = 0
    written: int = 0
    reasoning_tokens: int = 0
    usage: bool = True
    status: int = 200
    error: str = "something is wrong"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pause: float = 0.0
    stall: int | None = None
    cut: int | None = None
    clean_cut: bool = False
    error_after: int | None = None
    empty: bool = False
    body: bytes | None = None


@dataclass(frozen=True)
class Received:
    """One request as it came: `headers` by lower-case name, `body` decoded from JSON."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, object]

    @property
    def streamed(self) -> bool:
        """Whether a streamed answer is asked for."""
        return bool(self.body.get("stream")) or "streamGenerateContent" in self.path


Answer = str | Reply
Script = Answer | Callable[[Received], Answer] | Sequence[Answer]


class Server:
    """A running server: `url` is the api_base to give, `model` a model's name there, `requests` what came in so far."""

    def __init__(self, name: FormatName, script: Script, certificate: tuple[str, str] | None = None) -> None:
        self.name, self.format, self._script = name, FORMATS[name], script
        self.requests: list[Received] = []
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._stopped = threading.Event()
        self._http = _Http(("127.0.0.1", 0), self)
        self._scheme = "http" if certificate is None else "https"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)

    @property
    def url(self) -> str:
        """The api_base that makes a client talk to this server."""
        return f"{self._scheme}://127.0.0.1:{self._http.server_port}{self.format.base}"

    @property
    def model(self) -> str:
        """A model's name, provider included."""
        return f"{self.format.provider}/loopback"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that make this server the provider's default address, with the key 'sk-loopback'."""
        return {name: value.format(url=self.url) for name, value in self.format.environment.items()}

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        with self._lock:
            return len(self._connections)

    def answer(self, request: Received) -> Reply:
        """Take a request down and say what to reply."""
        with self._lock:
            at = len(self.requests)
            self.requests.append(request)
            script = self._script
            if isinstance(script, Sequence) and not isinstance(script, str):
                script = script[min(at, len(script) - 1)]
        if callable(script):
            script = script(request)
        return script if isinstance(script, Reply) else Reply(text=script)

    def wait(self, seconds: float) -> bool:
        """Sleep; True when the server was stopped meanwhile."""
        return self._stopped.wait(seconds)

    def stop(self) -> None:
        """Close every connection and the port."""
        self._stopped.set()
        self._http.shutdown()
        with self._lock:
            for connection in self._connections:
                _hang_up(connection)
        self._http.server_close()


@contextmanager
def serve(name: FormatName, reply: Script = "hello", *, certificate: tuple[str, str] | None = None) -> Iterator[Server]:
    """A running server of a format, until the block ends; over TLS with a certificate's file and its key's."""
    server = Server(name, reply, certificate)
    thread = threading.Thread(target=server._http.serve_forever, args=(0.005,), name=f"loopback-{name}", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], server: Server) -> None:
        super().__init__(address, _Exchange)
        self.loopback = server

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no error here."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        super().setup()
        with self.server.loopback._lock:
            self.server.loopback._connections.add(self.connection)

    def finish(self) -> None:
        with self.server.loopback._lock:
            self.server.loopback._connections.discard(self.connection)
        super().finish()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def do_CONNECT(self) -> None:
        """A proxy was asked for a tunnel: that is taken down and refused."""
        self.server.loopback.requests.append(Received("CONNECT", self.path, dict(self.headers), {}))
        self._send(403, b"no tunnel", "text/plain", {})

    def _exchange(self) -> None:
        loopback = self.server.loopback
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body = json.loads(raw) if raw else {}
        request = Received(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        if self.command == "GET":
            loopback.requests.append(request)
            return self._send(404, b'{"error": "nothing here"}', "application/json", {})
        reply = loopback.answer(request)
        if reply.delay and self._is_alone_within(reply.delay):
            self.close_connection = True
            return None
        speech: Format = loopback.format
        if reply.body is not None:
            return self._send(reply.status, reply.body, speech.content_type(request.streamed), reply.headers)
        if reply.status != 200:
            content = json.dumps(speech.error(reply)).encode()
            return self._send(reply.status, content, "application/json", reply.headers)
        if request.streamed:
            return self._stream(reply, list(speech.pieces(request, reply)), speech.content_type(True))
        content = json.dumps(speech.whole(request, reply)).encode()
        if reply.cut is not None:
            self._head(200, "application/json", {"content-length": str(len(content)), **reply.headers})
            self.wfile.write(content[: len(content) // 2])
            return _hang_up(self.connection)
        return self._send(200, content, "application/json", reply.headers)

    def _stream(self, reply: Reply, pieces: list[bytes], content_type: str) -> None:
        limit = len(pieces) if reply.cut is None else reply.cut
        if reply.error_after is not None:
            pieces = [*pieces[: reply.error_after], self.server.loopback.format.stream_error(reply)]
            limit = len(pieces)
        self._head(200, content_type, {"transfer-encoding": "chunked", **reply.headers})
        for at, piece in enumerate(pieces[:limit]):
            if at == reply.stall and self._is_alone_within(3600):
                return
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if reply.pause and self._is_alone_within(reply.pause):
                return
        if limit < len(pieces) and not reply.clean_cut:
            _hang_up(self.connection)
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _is_alone_within(self, seconds: float) -> bool:
        """Wait; True when the client hung up meanwhile, or the server was stopped."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.server.loopback.wait(min(left, 0.02)):
                return True
            if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                return True
        return False

    def _send(self, status: int, content: bytes, content_type: str, headers: Mapping[str, str]) -> None:
        self._head(status, content_type, {"content-length": str(len(content)), **headers})
        self.wfile.write(content)

    def _head(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": content_type, **headers}.items():
            self.send_header(name, value)
        self.end_headers()


def _hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the client was faster
        pass


def refused_url(name: FormatName) -> str:
    """An api_base at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}{FORMATS[name].base}"
