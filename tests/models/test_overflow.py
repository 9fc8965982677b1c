"""A context that is too long, through the real SDK over a socket: less is sent, then a limit."""

import json
from dataclasses import replace
from decimal import Decimal
from threading import Event
from typing import Any

import pytest

from engine import (
    Context,
    Engine,
    Limits,
    OpenAIModel,
    Price,
    State,
    Workflow,
    drop_old_results,
    events,
    keep_last,
    rerun,
    summarise,
    tool,
)
from engine.models.overflowing import is_overflow
from tests.clock import Jumping
from tests.models.server import ProtocolServer, Reply, completion, failure, serving
from tests.races.processes import Wire, put_away_later

TOO_LONG = failure(400, "context_length_exceeded", "This model's maximum context length is 8192")
ANSWER = completion({"content": "All done."})
SUMMARY = completion({"content": "Orders 1 to 4 were looked up."})


@tool(read_only=True)
def look(order: str) -> str:
    """Look an order up."""
    return f"order {order} " + "x" * 1_000


def shop(*strategies: Any, **limits: Any) -> Workflow:
    return Workflow(
        name="shop",
        instructions="Help.",
        tools=[look],
        limits=Limits(**limits),
        context=Context(strategies=strategies),
    )


DROPS, KEEPS, SUMS = shop(drop_old_results), shop(keep_last(1)), shop(summarise)


def looks(order: int, **usage: int) -> Reply:
    function = {"name": "look", "arguments": json.dumps({"order": str(order)})}
    asked = {"id": "x", "type": "function", "function": function}
    return completion({"content": None, "tool_calls": [asked]}, "tool_calls", **usage)


def cut(content: str | None) -> Reply:
    return completion({"content": content}, "length")


LOOKS = [looks(order) for order in range(1, 5)]


def engine(server: ProtocolServer, workflow: Workflow, store: str = "memory://") -> Engine:
    model = OpenAIModel("test-model", api_key="sk-test", base_url=server.url, timeout=60)
    prices = {"test-model-2026": Price(input=Decimal(1), output=Decimal(2), window=64_000)}
    return Engine(store=store, workflows=[workflow], model=model, clock=Jumping(), prices=prices)


def sent(server: ProtocolServer, number: int) -> list[str]:
    """What the messages of that request said."""
    return [message["content"] or "" for message in server.requests[number]["messages"]]


def kinds(journal: tuple[events.Recorded, ...]) -> list[str]:
    return [one.event.kind for one in journal]


@pytest.mark.parametrize("workflow", [DROPS, KEEPS, SUMS])
async def test_after_an_overflow_less_is_sent_once_and_the_run_goes_on(workflow: Workflow) -> None:
    summary = [SUMMARY] if workflow is SUMS else []
    with serving(*LOOKS, TOO_LONG, *summary, ANSWER) as server:
        async with engine(server, workflow) as waystation:
            run = await waystation.start("shop", "Look them up")
            journal = await waystation.journal(run.id)
    assert (run.state, run.answer, run.overflowed) == (State.Done, "All done.", None)
    assert kinds(journal)[-3:] == ["model_failed", "context_compacted", "model_answered"]
    assert len(json.dumps(server.requests[-1])) < len(json.dumps(server.requests[4])) * 0.6
    assert sent(server, -1)[:2] == ["Help.", "Look them up"]
    assert sent(server, -1)[-1] == sent(server, 4)[-1], "the newest result is there"
    assert len(run.messages) == 2 + 2 * 4 + 1, "the transcript keeps everything"
    assert rerun(journal, workflow) is None
    keys = [headers["idempotency-key"] for headers in server.headers]
    assert len(set(keys)) == len(keys)


async def test_a_summary_is_asked_for_by_itself_and_paid_for() -> None:
    with serving(*LOOKS, TOO_LONG, SUMMARY, ANSWER) as server:
        async with engine(server, SUMS) as waystation:
            run = await waystation.start("shop", "Look them up")
            summed = await waystation.summary(run.id)
            journal = await waystation.journal(run.id)
    asked = server.requests[5]
    assert "tools" not in asked
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert "order 1 xxx" in sent(server, 5)[1]
    assert sent(server, 6)[2].endswith("Orders 1 to 4 were looked up.")
    assert (run.turns, run.usage.total_tokens) == (5, 15 * 6), "its tokens count, a turn it is none"
    assert (summed.turns, summed.usage) == (run.turns, run.usage)
    assert summed.cost == run.cost
    event = journal[-2].event
    assert isinstance(event, events.ContextCompacted)
    assert (event.model, event.window) == ("test-model-2026", 64_000)


async def test_a_second_overflow_is_the_limit_context() -> None:
    with serving(*LOOKS, TOO_LONG) as server:
        async with engine(server, DROPS) as waystation:
            run = await waystation.start("shop", "Look them up")
            journal = await waystation.journal(run.id)
            assert (run.state, run.limit) == (State.Aborted, "context")
            assert "maximum context length is 8192" in (run.reason or "")
            assert (run.found or "").startswith("order 4 ")
            assert kinds(journal)[-4:] == [
                "model_failed",
                "context_compacted",
                "model_failed",
                "run_aborted",
            ]
            assert len(server.requests) == 6
            server.replies[:] = [ANSWER]
            revived = await waystation.raise_limits(run.id, {"context": Decimal(8_000)}, by="ann")
    assert (revived.state, revived.answer) == (State.Done, "All done.")


async def test_an_overflow_with_nothing_to_leave_out_is_the_limit_at_once() -> None:
    with serving(TOO_LONG) as server:
        async with engine(server, DROPS) as waystation:
            run = await waystation.start("shop", "Hello")
    assert (run.state, run.limit, len(server.requests)) == (State.Aborted, "context", 1)


async def test_at_the_limit_context_a_person_may_be_asked_or_the_model_has_last_words() -> None:
    with serving(*LOOKS, TOO_LONG) as server:
        async with engine(server, shop(drop_old_results, on_limit="ask")) as waystation:
            run = await waystation.start("shop", "Look them up")
            assert [(one.kind, one.tool) for one in run.approvals] == [("limit", "context")]
            run = await waystation.deny(run.id, by="ann", reason="enough")
            assert (run.state, run.limit) == (State.Aborted, "context")
    with serving(*LOOKS, TOO_LONG, TOO_LONG, ANSWER) as server:
        async with engine(server, shop(drop_old_results, on_limit="answer")) as waystation:
            run = await waystation.start("shop", "Look them up")
    assert (run.state, run.answer) == (State.Done, "All done.")
    assert "tools" not in server.requests[-1]


async def test_a_cut_reply_is_tried_once_more_after_less_was_sent() -> None:
    with serving(*LOOKS, cut("So far, so"), ANSWER) as server:
        async with engine(server, DROPS) as waystation:
            run = await waystation.start("shop", "Look them up")
            journal = await waystation.journal(run.id)
    assert (run.state, run.answer, run.found) == (State.Done, "All done.", None)
    assert kinds(journal)[-3:] == ["model_failed", "context_compacted", "model_answered"]
    failed = journal[-3].event
    assert isinstance(failed, events.ModelFailed)
    assert (failed.cut, failed.found, failed.usage.total_tokens) == (True, "So far, so", 15)
    assert run.usage.total_tokens == 15 * 6, "what was cut off is paid for"


async def test_a_reply_that_is_cut_again_is_never_acted_on_and_shown() -> None:
    asked = {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"ord'}}
    half = completion({"content": "So far", "tool_calls": [asked]}, "length")
    with serving(half) as server:
        async with engine(server, DROPS) as waystation:
            run = await waystation.start("shop", "Hello")
            journal = await waystation.journal(run.id)
    assert (run.state, run.limit, run.found) == (State.Aborted, "context", "So far")
    assert kinds(journal) == ["run_started", "model_failed", "model_failed", "run_aborted"]
    assert run.calls == ()


async def test_the_window_of_a_model_is_known_from_its_first_reply_on() -> None:
    with serving(looks(1), ANSWER) as server:
        async with engine(server, DROPS) as waystation:
            run = await waystation.start("shop", "Hello")
    assert run.window == 64_000


async def carry(_: Wire, url: str) -> None:
    """Drive a run in a process of its own."""
    model = OpenAIModel("test-model", api_key="sk-test", base_url=url, timeout=60)
    async with Engine(store="sqlite:///runs.db", workflows=[SUMS], model=model) as waystation:
        await waystation.start("shop", "Look them up", "r1")


async def test_a_run_that_is_killed_in_the_midst_of_its_summary_goes_on_from_disk() -> None:
    gate = Event()
    with serving(*LOOKS, TOO_LONG, replace(SUMMARY, gate=gate), ANSWER) as server:
        with put_away_later() as children:
            child = children.start(carry, server.url)
            assert server.held.wait(60), "the summary is asked for"
            child.kill()
        gate.set()
        server.replies[:] = [SUMMARY, ANSWER]
        async with engine(server, SUMS, "sqlite:///runs.db") as waystation:
            assert (await waystation.run("r1")).overflowed is not None
            run = await waystation.resume("r1", wait=True)
            journal = await waystation.journal("r1")
    assert (run.state, run.answer) == (State.Done, "All done.")
    assert kinds(journal).count("context_compacted") == 1
    assert server.requests[5] == server.requests[6], "it asks again for the same"
    assert server.headers[5]["idempotency-key"] == server.headers[6]["idempotency-key"]
    assert rerun(journal, SUMS) is None


WORDS = [
    "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens",
    "prompt is too long: 210000 tokens > 200000 maximum",
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
    "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "the request exceeds the available context size. try increasing the context size",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097",
    "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
    "Please reduce the length of the messages or completion.",
    "too many tokens: total number of tokens in the prompt cannot exceed 4081",
    "Input is too long for requested model.",
    "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
]
OTHERS = [
    "Invalid value: 'tool'. Supported values are: 'system', 'assistant'",
    "Unsupported parameter: 'max_tokens' is not supported with this model.",
    "max_tokens is too large: 50000. This model supports at most 4096 completion tokens",
    "Incorrect API key provided",
    "error 400",
]


@pytest.mark.parametrize("words", WORDS)
def test_the_words_of_endpoints_for_a_context_that_is_too_long_are_known(words: str) -> None:
    assert is_overflow(400, None, words)
    assert not is_overflow(429, None, words), "a rate is no length"


@pytest.mark.parametrize("words", OTHERS)
def test_other_refusals_are_no_overflow(words: str) -> None:
    assert not is_overflow(400, "invalid_request_error", words)
