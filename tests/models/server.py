"""A small HTTP server that speaks Chat Completions, over a real socket on loopback."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar


@dataclass
class Reply:
    """What the server answers to one request."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    gate: threading.Event | None = None  # it is held back until this is set
    pieces: Sequence[bytes | threading.Event] | None = None  # sent one by one, events waited for
    cut: bool = False  # the connection ends in the midst of it


def completion(message: dict[str, Any], finish_reason: str = "stop", **more: Any) -> Reply:
    """A well-formed chat completion."""
    choice = {
        "index": 0,
        "finish_reason": finish_reason,
        "message": {"role": "assistant", **message},
    }
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "test-model-2026",
        "choices": [choice],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
            "prompt_tokens_details": {"cached_tokens": 4},
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
        **more,
    }
    return Reply(json.dumps(body).encode(), headers={"x-request-id": "req_1"})


def failure(
    status: int, code: str | None = None, words: str | None = None, **headers: str
) -> Reply:
    """An error as the protocol words it."""
    body = {"error": {"message": words or f"error {status}", "type": "test", "code": code}}
    return Reply(json.dumps(body).encode(), status, dict(headers))


class ProtocolServer(ThreadingHTTPServer):
    """Answers with its replies in order, the last one for ever; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, replies: list[Reply]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies, self.requests = list(replies), list[dict[str, Any]]()
        self.headers, self.bodies = list[dict[str, str]](), list[bytes]()
        self.held = threading.Event()  # a reply is held back
        self.streams: Callable[[Reply], Reply] | None = None

    def answer(self, request: dict[str, Any]) -> Reply:
        """What this request is answered with; it is kept."""
        self.requests.append(request)
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.server_port}/v1"


_Server = TypeVar("_Server", bound=ProtocolServer)


class _Handler(BaseHTTPRequestHandler):
    server: ProtocolServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(body)
        self.server.headers.append({k.lower(): v for k, v in self.headers.items()})
        reply = self.server.answer(json.loads(body))
        if self.path != "/v1/chat/completions":
            reply = failure(404)
        if self.server.streams and self.server.requests[-1].get("stream"):
            reply = self.server.streams(reply)
        if reply.gate is not None:
            self.server.held.set()
            reply.gate.wait(60)
        with suppress(ConnectionError):  # who asked may have been killed
            self._answer(reply)

    def _answer(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            self.send_header(name.replace("_", "-"), value)
        if reply.pieces is None:
            self.send_header("content-length", str(len(reply.body)))
        else:
            self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.write(reply.body)
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        for piece in reply.pieces or ():
            if isinstance(piece, bytes):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            else:
                piece.wait(30)
        if reply.pieces is not None and not reply.cut:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = self.close_connection or reply.cut

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(
    *replies: Reply, streams: Callable[[Reply], Reply] | None = None
) -> Iterator[ProtocolServer]:
    """A server that runs until the context ends; `streams` makes a reply one that streams."""
    made = ProtocolServer(list(replies))
    made.streams = streams
    with running(made) as server:
        yield server


@contextmanager
def running(server: _Server) -> Iterator[_Server]:
    """The same of one that was made already."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
