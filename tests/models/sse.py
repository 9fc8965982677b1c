"""Replies as server-sent events."""

import json
import threading
from collections.abc import Iterator
from typing import Any

from tests.models.server import Reply

DONE = b"data: [DONE]\n\n"


def event(data: object) -> bytes:
    """One event."""
    return f"data: {json.dumps(data)}\n\n".encode()


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
    """One well-formed chunk."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return event({"choices": [choice], **_ABOUT, **more})


def streaming(*pieces: bytes | threading.Event, cut: bool = False) -> Reply:
    """A reply that comes piece by piece."""
    headers = {"content-type": "text/event-stream", "x-request-id": "req_1"}
    return Reply(b"", headers=headers, pieces=pieces, cut=cut)


def streamed(reply: Reply) -> Reply:
    """The same completion, streamed: its texts letter by letter, its calls by the way."""
    if reply.status != 200 or reply.pieces is not None:
        return reply
    whole = json.loads(reply.body)
    (choice,) = whole.pop("choices")
    usage = whole.pop("usage")
    about = {**whole, "object": "chat.completion.chunk"}
    deltas = [*_deltas(choice["message"])]
    chunks = [
        {**about, "choices": [{"index": 0, "delta": one, "finish_reason": None}]} for one in deltas
    ]
    end = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    events = [*chunks, {**about, "choices": [end]}, {**about, "choices": [], "usage": usage}]
    return streaming(*map(event, events), DONE)


def _deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    calls = message.get("tool_calls") or []
    plain = {name: value for name, value in message.items() if name != "tool_calls"}
    texts = {name: value for name, value in plain.items() if isinstance(value, str)}
    texts.pop("role", None)
    yield {name: "" if name in texts else value for name, value in plain.items()}
    for name, text in texts.items():
        yield from ({name: letter} for letter in text)
    for index, call in enumerate(calls):
        function = {**call["function"], "arguments": ""}
        yield {"tool_calls": [{**call, "index": index, "function": function}]}
    for index, call in enumerate(calls):
        for letter in call["function"]["arguments"]:
            yield {"tool_calls": [{"index": index, "function": {"arguments": letter}}]}


_ABOUT = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "test-model-2026",
}
