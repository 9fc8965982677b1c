"""Replies that stream, through the real SDK over a real socket."""

import asyncio
import json
from typing import Any

import pytest

from engine import ModelReply, ModelRequest, OpenAIModel, TransientModelError
from engine.core.messages import Message
from engine.errors import ContextOverflowError
from engine.models.assembling import Assembly
from tests.models.server import Reply, completion, failure, serving
from tests.models.sse import DONE, chunk, event, streamed, streaming
from tests.models.test_openai import ANSWER, CALLS
from tests.spec import look

REQUEST = ModelRequest("r1", 1, 1, (Message(role="user", content="Hello"),), (look,))


def heard(reply: Reply, *, stream: bool = True) -> tuple[ModelReply, list[str], dict[str, Any]]:
    """What came of asking once, the deltas, and what was asked."""
    deltas: list[str] = []

    async def ask(url: str) -> ModelReply:
        model = OpenAIModel("test-model", api_key="sk-test", base_url=url, timeout=5)
        try:
            if stream:
                return await model.stream(REQUEST, deltas.append)
            return await model.complete(REQUEST)
        finally:
            await model.aclose()

    with serving(reply) as server:
        said = asyncio.run(ask(server.url))
        return said, deltas, server.requests[0]


SAYINGS = [
    ANSWER,
    CALLS,
    completion({"content": "A \ud83d\ude00 smile, and half of one: \ud83d."}),
    completion({"content": None, "refusal": "I will not.", "annotations": []}),
    completion({"content": "Both", "refusal": None, "reasoning": {"steps": [1, 2]}}),
    completion({"content": "So far", "reasoning_content": "why"}, "length"),
]


@pytest.mark.parametrize("reply", SAYINGS)
def test_a_reply_is_the_same_whether_it_streams_or_not(reply: Reply) -> None:
    plain, none, asked_plainly = heard(reply, stream=False)
    told, deltas, asked = heard(streamed(reply))
    assert told == plain
    assert none == []
    assert "".join(deltas).encode("utf-16", "surrogatepass") == (
        plain.message.content or ""
    ).encode("utf-16", "surrogatepass")
    assert asked == {**asked_plainly, "stream": True, "stream_options": {"include_usage": True}}


TEXT = chunk({"role": "assistant", "content": "Hel"})
END = chunk({}, "stop")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (streaming(TEXT, DONE), "broke off before its end"),
        (streaming(TEXT), "broke off before its end"),
        (streaming(), "broke off before its end"),
        (streaming(TEXT, cut=True), "cannot be reached"),
        (streaming(TEXT, event({"error": {"message": "overloaded"}})), "overloaded"),
        (streaming(TEXT, b'data: {"choices"\n\n', END, DONE), "cannot be read"),
        (streaming(TEXT, b"data: \xff\xff\n\n", END, DONE), "cannot be read"),
        (streaming(TEXT, b"data: 7\n\n", END, DONE), "cannot be read"),
        (streaming(event({"choices": [{"index": 0, "delta": {"tool_calls": [7]}}]}), END), "read"),
        (streaming(chunk({"content": ["no text"]}), END, DONE), "no assis"),
        (streaming(chunk({"tool_calls": [{"index": 0}]}), END, DONE), "no assistant message"),
        (failure(503), "503"),
        (Reply(b"{}"), "no choices"),
        (Reply(b"null"), "cannot be read"),
        (Reply(b"<html>", headers={"content-type": "text/html"}), "broke off"),
    ],
)
def test_what_is_no_whole_reply_is_a_failed_try(reply: Reply, words: str) -> None:
    with pytest.raises(TransientModelError, match=words):
        heard(reply)


def test_a_context_that_is_too_long_is_told_in_the_midst_of_a_stream_too() -> None:
    error = {"message": "too long", "code": "context_length_exceeded"}
    with pytest.raises(ContextOverflowError, match="too long"):
        heard(streaming(TEXT, event({"error": error})))


def test_an_endpoint_that_does_not_stream_is_heard_all_the_same() -> None:
    assert heard(CALLS)[0] == heard(CALLS, stream=False)[0]


def fragment(index: int | None, call_id: str | None, **function: str) -> bytes:
    named = {"index": index, "id": call_id, "type": "function" if call_id else None}
    said = {name: value for name, value in named.items() if value is not None}
    return chunk({"tool_calls": [{**said, "function": function}]})


@pytest.mark.parametrize(
    "fragments",
    [
        [  # the second call first, and then by turns
            fragment(1, "b", name="pay", arguments=""),
            fragment(0, "a", name="look", arguments='{"or'),
            fragment(1, None, arguments='{"order"'),
            fragment(0, None, arguments='der": "1"}'),
            fragment(1, None, arguments=': "2"}'),
        ],
        [  # without any index
            fragment(None, "a", name="look", arguments='{"order": '),
            fragment(None, None, arguments='"1"}'),
            fragment(None, "b", name="pay", arguments='{"order": "2"}'),
        ],
        [  # all under one index, each with its id
            fragment(0, "a", name="look", arguments='{"order": "1"}'),
            fragment(0, "b", name="pay", arguments='{"order": '),
            fragment(0, "b", name="pay", arguments='"2"}'),
        ],
    ],
    ids=["by turns", "no index", "one index"],
)
def test_calls_are_put_together_from_their_fragments(fragments: list[bytes]) -> None:
    reply, deltas, _ = heard(streaming(*fragments, chunk({}, "tool_calls"), DONE))
    functions = [call.function for call in reply.message.tool_calls]
    assert [(one.name, json.loads(one.arguments)) for one in functions] == [
        ("look", {"order": "1"}),
        ("pay", {"order": "2"}),
    ]
    assert "index" not in reply.message.model_dump()["tool_calls"][0]
    assert deltas == []


def test_what_an_endpoint_adds_in_pieces_is_whole() -> None:
    pieces: list[dict[str, Any]] = [
        {"reasoning_details": [{"index": 0, "type": "text", "text": "I "}]},
        {"reasoning_details": [{"index": 0, "type": "text", "text": "think"}]},
        {"reasoning_details": [{"index": 1, "type": "text", "text": "so"}], "signature": "s"},
        {"content": "Yes", "role": "assistant"},
    ]
    reply, _, _ = heard(streaming(*(chunk(piece) for piece in pieces), END, DONE))
    assert reply.message.model_dump()["reasoning_details"] == [
        {"index": 0, "type": "text", "text": "I think"},
        {"index": 1, "type": "text", "text": "so"},
    ]


def test_half_of_a_letter_waits_for_the_other() -> None:
    assembly = Assembly()
    halves = [{"choices": [{"delta": {"content": half}}]} for half in ("\ud83d", "\ude00!")]
    assert [assembly.take(half) for half in halves] == ["", "\U0001f600!"]
