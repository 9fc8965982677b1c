"""Runs that somebody watches: what they are told, and that the run does not care."""

import asyncio
import logging
import re
from collections.abc import Iterable
from typing import Any

import pytest

from engine import (
    ApprovalAsked,
    Engine,
    EngineError,
    ModelReply,
    ModelRequest,
    Moved,
    OpenAIModel,
    RateLimit,
    RateLimited,
    RefusedError,
    RunBusy,
    ScriptedModel,
    State,
    TextDelta,
    ToolBegan,
    ToolEnded,
    TransientModelError,
    Update,
    Updates,
    Workflow,
)
from engine.core.workflow import OnDelta
from engine.errors import RunExistsError, UnknownWorkflowError
from engine.ports import Entry
from engine.runtime import feeds
from tests.clock import Jumping
from tests.models.server import failure, serving
from tests.models.sse import streamed
from tests.models.test_openai import ANSWER, CALLS
from tests.runtime.gate import CANARY, Gate
from tests.runtime.talker import Talker
from tests.runtime.test_engine import LOOK, OK, PAY, SQLITE, calls
from tests.spec import WORKFLOW

SAID = {**calls(LOOK), "content": "One moment."}
ANSWERED = {"content": "Order 1 is here."}


def engine(model: Any, store: str = "memory://", **more: Any) -> Engine:
    return Engine(store=store, workflows=[WORKFLOW], model=model, clock=Jumping(), **more)


async def read(updates: Updates) -> list[Update]:
    return [one async for one in updates]


def text_of(updates: list[Update]) -> str:
    return "".join(one.text for one in updates if isinstance(one, TextDelta))


def seqs(updates: list[Update]) -> list[int]:
    return [one.seq for one in updates if not isinstance(one, TextDelta)]


async def test_text_tools_and_transitions_come_in_the_order_in_which_they_happen() -> None:
    async with engine(Talker([SAID, ANSWERED], size=5)) as waystation:
        updates = waystation.stream("shop", "Hello", "r1", by="zoe", customer="c1")
        told = await read(updates)
        run = await updates.run()
        journal = await waystation.journal("r1")
    assert [one.kind for one in told] == [
        *("moved", "text_delta", "text_delta", "text_delta", "moved"),
        *("tool_began", "tool_ended", "moved"),
        *("text_delta", "text_delta", "text_delta", "text_delta", "moved"),
    ]
    assert [one.recorded for one in told if not isinstance(one, TextDelta)] == list(journal)
    assert text_of(told) == "One moment.Order 1 is here."
    assert (run.state, run.answer, run.by, run.customer) == (
        State.Done,
        "Order 1 is here.",
        "zoe",
        "c1",
    )
    (began,) = [one for one in told if isinstance(one, ToolBegan)]
    (ended,) = [one for one in told if isinstance(one, ToolEnded)]
    assert (began.call_id, began.tool, began.arguments) == ("call_1_1", "look", {"order": "1"})
    assert (ended.tool, ended.outcome, ended.content) == ("look", "tool_returned", "order 1")
    first, last = told[0], told[-1]
    assert isinstance(first, Moved)
    assert isinstance(last, Moved)
    assert (first.source, first.dest) == (None, State.AwaitingModel)
    assert (last.source, last.dest) == (State.AwaitingModel, State.Done)


async def test_whatever_is_done_with_a_run_can_be_watched() -> None:
    async with engine(Talker([calls(PAY), OK, ANSWERED])) as waystation:
        parked = await read(waystation.stream("shop", "Hello", "r1"))
        asked = parked[-1]
        assert isinstance(asked, ApprovalAsked)
        assert [asked.approval] == await waystation.pending()
        approved = waystation.approve("r1", by="ann", digest=asked.approval.digest)
        granted = await read(waystation.watch("r1", approved))
        again = await read(waystation.watch("r1", waystation.send("r1", "And now?")))
        nothing = await read(waystation.watch("r1", waystation.resume("r1")))
        journal = await waystation.journal("r1")
    assert (text_of(granted), text_of(again), nothing) == ("ok", "Order 1 is here.", [])
    told = seqs(parked) + seqs(granted) + seqs(again)
    assert told == [one.seq for one in journal]


def kept(rows: Iterable[Entry]) -> list[tuple[int, str, bytes]]:
    """The bytes, without the time of the next try: who waits at a limit does so by chance."""
    return [(one.seq, one.kind, re.sub(rb'"retry_at":"[^"]*"', b"", one.data)) for one in rows]


async def test_what_is_journalled_is_the_same_with_and_without_streaming() -> None:
    journals = []
    for watched in (False, True):
        replies = (failure(503, retry_after="3"), CALLS, failure(429, retry_after="7"), ANSWER)
        with serving(*replies, streams=streamed) as server:
            model = OpenAIModel("test-model", api_key="sk-test", base_url=server.url, timeout=5)
            async with engine(model) as waystation:
                doing = waystation.start("shop", "Hello", "r1")
                if watched:
                    told = await read(waystation.watch("r1", doing))
                    assert text_of(told) == "All done."
                else:
                    await doing
                store = waystation._host.store  # noqa: SLF001 # the bytes themselves
                journals.append(kept(await store.entries("r1")))
            assert ["stream" in request for request in server.requests] == [watched] * 4
    assert len(journals[0]) == 10
    assert journals[0] == journals[1]


async def test_a_client_that_does_not_stream_is_watched_without_text() -> None:
    class Plain:
        async def complete(self, request: ModelRequest) -> ModelReply:
            return await Talker([OK]).complete(request)

    async with engine(Plain()) as waystation:
        told = await read(waystation.stream("shop", "Hello"))
    assert [one.kind for one in told] == ["moved", "moved"]


async def test_a_model_that_is_held_to_a_limit_streams_if_it_can() -> None:
    paced = RateLimited(Talker([ANSWERED]), RateLimit(max_concurrent=1))
    async with engine(paced) as waystation:
        assert text_of(await read(waystation.stream("shop", "Hello"))) == "Order 1 is here."
    silent = RateLimited(ScriptedModel([ANSWERED]), RateLimit(max_concurrent=1))
    async with engine(silent) as waystation:
        assert seqs(await read(waystation.stream("shop", "Hello"))) == [1, 2]


async def test_nothing_is_streamed_that_nobody_watches() -> None:
    model = Talker([OK])
    async with engine(model) as waystation:
        await waystation.start("shop", "Hello")
    assert model.streamed == 0


async def test_a_slow_reader_is_told_every_transition_and_the_text_as_one() -> None:
    async with engine(Talker([SAID, ANSWERED])) as waystation:
        updates = waystation.stream("shop", "Hello", "r1")
        await updates.run()
        told = await read(updates)
    assert [one.text for one in told if isinstance(one, TextDelta)] == [
        "One moment.",
        "Order 1 is here.",
    ]
    assert seqs(told) == [1, 2, 3, 4, 5, 6]


async def test_text_that_nobody_reads_is_left_out_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "MOST_LETTERS", 10)
    async with engine(Talker([ANSWERED], size=4)) as waystation:
        updates = waystation.stream("shop", "Hello", "r1")
        await updates.run()
        told = await read(updates)
    (left,) = [one for one in told if isinstance(one, TextDelta)]
    assert (left.missed, left.text) == (12, "ere.")
    assert left.missed + len(left.text) == len("Order 1 is here.")


async def test_transitions_that_were_not_read_in_time_come_from_the_store(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feeds, "MOST_ITEMS", 2)
    async with engine(Talker([SAID, calls(LOOK, LOOK), ANSWERED])) as waystation:
        updates = waystation.stream("shop", "Hello", "r1")
        run = await updates.run()
        assert seqs(await read(updates)) == [*range(1, run.seq + 1)]


async def test_who_stops_reading_ends_nothing_and_the_engine_waits_for_the_run() -> None:
    model = Talker([SAID, ANSWERED])
    async with engine(model, SQLITE) as waystation:
        updates = waystation.stream("shop", "Hello", "r1")
        async for update in updates:
            if isinstance(update, TextDelta):
                break
        await updates.aclose()
        assert await read(updates) == []
    async with engine(model, SQLITE) as waystation:
        assert (await waystation.run("r1")).answer == "Order 1 is here."


class Broken:
    async def complete(self, request: ModelRequest) -> ModelReply:
        return await self.stream(request, print)

    async def stream(self, request: ModelRequest, on_delta: OnDelta) -> ModelReply:
        on_delta("So")
        raise EngineError(f"no model for {request.run_id}, nor sk-abcdefgh1234567890")


async def test_what_breaks_a_run_off_is_raised_when_all_was_told() -> None:
    async with engine(Broken()) as waystation:
        updates = waystation.stream("shop", "Hello", "r1")
        told = [await anext(updates), await anext(updates)]
        assert [one.kind for one in told] == ["moved", "text_delta"]
        with pytest.raises(EngineError, match="no model for r1"):
            await anext(updates)
        with pytest.raises(EngineError, match="no model for r1"):
            await updates.run()
        assert await read(updates) == []


@pytest.mark.parametrize("closing", [True, False])
async def test_a_failure_that_nobody_reads_is_in_the_program_s_log(
    caplog: pytest.LogCaptureFixture, *, closing: bool
) -> None:
    async with engine(Broken()) as waystation:
        updates = waystation.stream("shop", "Hello", "r1")
        if closing:
            await updates.aclose()
    (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert record.message.startswith("run r1 was not driven on: EngineError: no model for r1")
    assert "abcdefgh" not in record.message


async def test_an_engine_that_is_cancelled_breaks_off_what_is_watched() -> None:
    model = Talker([ANSWERED])
    model.go_on.clear()

    async def serve() -> None:
        async with engine(model, SQLITE) as waystation:
            async for update in waystation.stream("shop", "Hello", "r1"):
                if isinstance(update, TextDelta):
                    raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await serve()
    model.go_on.set()
    async with engine(model, SQLITE) as waystation:
        assert (await waystation.run("r1")).seq == 1
        assert (await waystation.resume("r1")).answer == "Order 1 is here."


async def test_text_of_a_failed_try_is_told_apart_from_that_of_the_next() -> None:
    class Faltering(Talker):
        async def stream(self, request: ModelRequest, on_delta: OnDelta) -> ModelReply:
            if request.attempt == 1:
                on_delta("Order 2")
                raise TransientModelError("it broke off")
            return await super().stream(request, on_delta)

    async with engine(Faltering([ANSWERED], size=99)) as waystation:
        told = await read(waystation.stream("shop", "Hello"))
    texts = [(one.seq, one.attempt, one.text) for one in told if isinstance(one, TextDelta)]
    assert texts == [(1, 1, "Order 2"), (2, 2, "Order 1 is here.")]


async def test_what_others_do_is_told_too() -> None:
    async with engine(Talker([calls(PAY), OK]), SQLITE) as ours:
        await ours.start("shop", "Hello", "r1")
        async with engine(Talker([calls(PAY), OK]), SQLITE) as theirs:

            async def decided_elsewhere() -> Any:
                await theirs.approve("r1", by="ann")
                return await ours.resume("r1")

            told = await read(ours.watch("r1", decided_elsewhere()))
    assert [one.recorded.event.kind for one in told if not isinstance(one, TextDelta)] == [
        *("approval_granted", "approvals_settled", "tool_started", "tool_returned"),
        *("tools_settled", "model_answered"),
    ]


async def test_who_comes_in_the_midst_of_a_text_is_told_that_it_missed_some() -> None:
    model = Talker([ANSWERED], size=4)
    async with engine(model) as waystation:
        model.go_on.clear()
        first = waystation.stream("shop", "Hello", "r1")
        async for update in first:
            if isinstance(update, TextDelta):
                break
        late = waystation.watch("r1", waystation.resume("r1", wait=True))
        await asyncio.sleep(0)
        model.go_on.set()
        told = await read(late)
    deltas = [one for one in told if isinstance(one, TextDelta)]
    assert (deltas[0].missed, text_of(told)) == (4, "r 1 is here.")
    assert seqs(told) == [2]


@pytest.mark.parametrize(
    ("begin", "error"),
    [
        (lambda engine: engine.stream("nothing", "Hello"), UnknownWorkflowError),
        (lambda engine: engine.stream("shop", "Hello", "old"), RunExistsError),
        (lambda engine: engine.watch("old", engine.approve("old", by="ann")), RefusedError),
    ],
)
async def test_what_is_refused_is_raised_by_the_updates(
    begin: Any, error: type[EngineError]
) -> None:
    async with engine(Talker([OK])) as waystation:
        await waystation.start("shop", "Hello", "old")
        with pytest.raises(error):
            await read(begin(waystation))


async def test_a_secret_that_comes_in_two_pieces_is_not_shown() -> None:
    gate = Gate()
    replies = [calls(("enter", {"word": CANARY})), {"content": f"The word {CANARY} was right."}]
    workflow = Workflow(name="gate", instructions="Help.", tools=[gate.tool(approval="never")])
    for size in (1, 7, 999):
        model = Talker(replies, size=size)
        async with Engine(store="memory://", workflows=[workflow], model=model) as waystation:
            doing = waystation.start("gate", "Hello", "r1")
            told = await read(waystation.masked.watch("r1", doing))
        assert text_of(told) == "The word *** was right."
        assert CANARY not in "".join(one.model_dump_json() for one in told)
        assert gate.given[-1][0] == CANARY


async def test_what_somebody_else_drives_is_refused_as_ever() -> None:
    model = Talker([ANSWERED])
    model.go_on.clear()
    async with engine(model, SQLITE) as ours, engine(model, SQLITE) as theirs:
        updates = ours.stream("shop", "Hello", "r1")
        async for update in updates:
            if isinstance(update, TextDelta):
                break
        with pytest.raises(RunBusy):
            await read(theirs.watch("r1", theirs.resume("r1")))
        model.go_on.set()
        assert (await updates.run()).state is State.Done
