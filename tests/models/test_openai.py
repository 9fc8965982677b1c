"""The real SDK over a real socket, against the protocol server."""

import json
from typing import Any

import openai
import pytest

from engine import Engine, Message, ModelRequest, OpenAIModel, Run, State, Workflow, events
from engine.core.strict import strict_schema
from tests.clock import Jumping
from tests.models.server import ProtocolServer, Reply, completion, failure, serving
from tests.spec import WORKFLOW, look, pay

ANSWER = completion({"content": "All done."})
CALLS = completion(
    {
        "content": None,
        "reasoning_content": "kept for the endpoint",
        "tool_calls": [
            {
                "id": "same",
                "type": "function",
                "function": {"name": "look", "arguments": '{"order": "1"}'},
            },
            {
                "id": "same",
                "type": "function",
                "function": {"name": "look", "arguments": '{"order": "2"}'},
            },
        ],
    },
    "tool_calls",
)


async def drive(
    server: ProtocolServer, *, clock: Jumping | None = None, workflow: Workflow = WORKFLOW
) -> tuple[Run, tuple[events.Recorded, ...]]:
    model = OpenAIModel("test-model", api_key="sk-test", base_url=server.url, timeout=5)
    async with Engine(
        store="memory://", workflows=[workflow], model=model, clock=clock or Jumping()
    ) as engine:
        run = await engine.start("shop", "Hello")
        return run, await engine.journal(run.id)


async def test_a_turn_with_parallel_calls_goes_over_the_wire_and_back() -> None:
    with serving(CALLS, ANSWER) as server:
        run, _ = await drive(server)
    assert (run.state, run.answer, run.turns) == (State.Done, "All done.", 2)
    first, second = server.requests
    assert [tool["function"]["name"] for tool in first["tools"]] == ["look", "pay"]
    assert all(tool["function"]["strict"] for tool in first["tools"])
    assert second["messages"][:2] == [
        {"role": "system", "content": "Help."},
        {"role": "user", "content": "Hello"},
    ]
    assistant, *results = second["messages"][2:]
    ids = [call["id"] for call in assistant["tool_calls"]]
    assert ids == ["call_1_1", "call_1_2"], "a model's own ids repeat, ours do not"
    assert assistant["reasoning_content"] == "kept for the endpoint"
    assert [(r["tool_call_id"], r["content"]) for r in results] == [
        ("call_1_1", "order 1"),
        ("call_1_2", "order 2"),
    ]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_bytes_on_the_wire_are_those_of_the_sdk_s_own_arguments(
    stream: bool,
) -> None:  # a case
    with serving(CALLS, ANSWER, ANSWER) as server:
        await drive(server)
        sent = json.loads(server.bodies[1])
        whole = {name: sent[name] for name in ("messages", "model", "tools")}
        model = OpenAIModel("test-model", api_key="sk-test", base_url=server.url)
        messages = tuple(Message.model_validate(one) for one in sent["messages"])
        request = ModelRequest("r", 2, 1, messages, WORKFLOW.tools)
        asked = model.stream(request, lambda _: None) if stream else model.complete(request)
        await asked
        await model.aclose()
        more: dict[str, Any] = (
            {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        )
        async with openai.AsyncOpenAI(api_key="sk-test", base_url=server.url) as client:
            create: Any = client.chat.completions.with_raw_response.create
            await create(**whole, **more)
    assert server.bodies[-2] == server.bodies[-1]
    assert len(server.requests[-1]["messages"]) == 5


async def test_a_resumed_run_sends_exactly_what_a_live_one_does() -> None:
    function = {"name": "pay", "arguments": '{"order": "1"}'}
    paying = {"id": "x", "type": "function", "function": function}
    asked = {"content": None, "refusal": None, "extra": {"kept": None}, "tool_calls": [paying]}

    def opened(server: ProtocolServer) -> Engine:
        model = OpenAIModel("test-model", api_key="sk-test", base_url=server.url)
        return Engine(store="sqlite:///runs.db", workflows=[WORKFLOW], model=model)

    with serving(completion(asked, "tool_calls"), ANSWER) as live:
        async with opened(live) as engine:
            await engine.start("shop", "Hello", "live")
            await engine.approve("live", by="ann")
    with serving(completion(asked, "tool_calls"), ANSWER) as resumed:
        async with opened(resumed) as engine:
            await engine.start("shop", "Hello", "resumed")
        async with opened(resumed) as engine:
            await engine.approve("resumed", by="ann")
    assert resumed.requests == live.requests
    assert live.requests[1]["messages"][2]["tool_calls"][0]["type"] == "function"


async def test_usage_model_and_request_id_are_journalled() -> None:
    with serving(ANSWER) as server:
        run, journal = await drive(server)
    usage = run.usage
    counted = (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.reasoning_tokens)
    assert counted == (10, 5, 4, 2)
    answer = journal[-1].event
    assert isinstance(answer, events.ModelAnswered)
    assert (answer.model, answer.request_id) == ("test-model-2026", "req_1")


async def test_one_layer_of_retries_honours_retry_after() -> None:
    clock = Jumping()
    with serving(failure(429, retry_after="7"), failure(503), ANSWER) as server:
        run, journal = await drive(server, clock=clock)
    assert run.state is State.Done
    assert len(server.requests) == 3
    failed = [one.event for one in journal if isinstance(one.event, events.ModelFailed)]
    assert [one.attempt for one in failed] == [1, 2]
    assert clock.slept[0] == pytest.approx(7, abs=0.01)


@pytest.mark.parametrize(
    "reply",
    [
        failure(500),
        Reply(b'{"choices": [', headers={"content-type": "application/json"}),
        Reply(b"{}"),
        Reply(b"null"),
        Reply(b"<html>hello</html>", headers={"content-type": "text/html"}),
        Reply(json.dumps({"choices": []}).encode()),
        Reply(json.dumps({"choices": [{"message": None}]}).encode()),
        completion({"content": None}),
        completion({"content": None, "tool_calls": []}, "tool_calls"),
        completion({"content": None, "tool_calls": [{"id": "a", "type": "custom", "custom": {}}]}),
        completion({"content": None, "tool_calls": [{"id": None, "type": "function"}]}),
    ],
)
async def test_a_bad_reply_is_a_failed_try_and_never_wedges_the_run(reply: Reply) -> None:
    with serving(reply, ANSWER) as server:
        run, journal = await drive(server)
    assert run.state is State.Done
    kinds = [one.event.kind for one in journal]
    assert kinds == ["run_started", "model_failed", "model_answered"]


async def test_a_model_that_never_recovers_ends_the_run_with_the_reason() -> None:
    with serving(failure(503)) as server:
        run, _ = await drive(server)
    assert (run.state, run.limit) == (State.Aborted, "max_attempts")
    assert len(server.requests) == 5
    assert "503" in (run.reason or "")


@pytest.mark.parametrize(
    "reply", [failure(s) for s in (400, 401, 403, 404)] + [failure(429, "insufficient_quota")]
)
async def test_an_error_for_good_ends_the_run_at_once(reply: Reply) -> None:
    with serving(reply) as server:
        run, _ = await drive(server)
    assert run.state is State.Aborted
    assert len(server.requests) == 1
    assert str(reply.status) in (run.reason or "")


async def test_a_filtered_reply_is_shown_but_never_acted_on() -> None:
    cut = {
        "content": "So far",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"ord'}}
        ],
    }
    with serving(completion(cut, "content_filter")) as server:
        run, journal = await drive(server)
    assert (run.state, run.limit, run.found) == (State.Aborted, "content_filter", "So far")
    assert [one.event.kind for one in journal] == ["run_started", "run_aborted"]


async def test_an_unreachable_model_is_a_failed_try() -> None:
    with serving(ANSWER) as server:
        pass
    run, _ = await drive(server)
    assert "cannot be reached" in (run.reason or "")


async def test_lone_surrogates_become_replacement_characters() -> None:
    call = {
        "id": "a",
        "type": "function",
        "function": {"name": "lo\ud800ok", "arguments": "\ud800"},
    }
    with serving(
        completion({"content": None, "tool_calls": [call]}), completion({"content": "\udfffHi"})
    ) as server:
        run, _ = await drive(server)
    assert run.answer == "\ufffdHi"
    assert "\ufffd" in (run.messages[3].content or "")


async def test_a_refusal_is_an_answer() -> None:
    with serving(completion({"content": None, "refusal": "I will not."})) as server:
        run, _ = await drive(server)
    assert run.answer == "I will not."


def test_a_strict_schema_makes_optional_parameters_nullable_and_required() -> None:
    strict = strict_schema(pay.parameters)
    assert strict is not None
    assert strict["required"] == ["order", "amount"]
    assert strict["properties"] == {
        "order": {"type": "string"},
        "amount": {"anyOf": [{"type": "number"}, {"type": "null"}]},
    }
    assert pay.validate('{"order": "1", "amount": null}') == {"order": "1", "amount": 5.0}
    assert strict_schema(look.parameters) == look.parameters


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": True},
        {"type": "object", "additionalProperties": False, "properties": {"a": {}}},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {"a": {"type": "string", "minLength": 1}},
        },
        {"type": "object", "additionalProperties": False, "properties": {"a": {"type": "object"}}},
    ],
)
def test_what_strict_mode_cannot_say_is_sent_as_it_is(schema: dict[str, object]) -> None:
    assert strict_schema(schema) is None  # type: ignore[arg-type] # plain JSON


async def test_each_try_carries_a_key_of_its_own_that_any_process_would_send() -> None:
    with serving(failure(503), completion({"content": "Hi"})) as server:
        run, _ = await drive(server)
        tries = [ModelRequest(run.id, 1, attempt, (), (), variant="2") for attempt in (1, 2)]
        again = [one.idempotency_key for one in tries]
        keys = [headers["idempotency-key"] for headers in server.headers]
    assert keys == again
    assert len(set(keys)) == 2
