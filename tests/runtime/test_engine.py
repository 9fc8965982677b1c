"""Runs through the front door: durable, logged, and the same on either store."""

import asyncio
import json
import logging
from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest
import structlog

from engine import (
    BadInputError,
    CorruptRunError,
    Engine,
    EngineError,
    Limits,
    RefusedError,
    Run,
    ScriptedModel,
    State,
    StoreError,
    Tool,
    UnknownRunError,
    Workflow,
    events,
    tool,
)
from engine.errors import AmbiguousCallError, RunExistsError, UnknownWorkflowError
from tests.spec import WORKFLOW

SQLITE = "sqlite:///runs.db"
OK = {"content": "ok"}


def calls(*asked: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """An assistant message that asks for these calls."""
    return {
        "content": None,
        "tool_calls": [
            {
                "id": "x",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(args)},
            }
            for name, args in asked
        ],
    }


LOOK, PAY = ("look", {"order": "1"}), ("pay", {"order": "1"})


def engine(
    *replies: Any, tools: Sequence[Tool] = WORKFLOW.tools, store: str = SQLITE, **more: Any
) -> Engine:  # as Engine has them
    limits = Limits(max_turns=300, max_tool_calls=1000, max_repeats=300, max_tokens=10**9)
    workflow = Workflow(name="shop", instructions="Help.", tools=tools, limits=limits)
    return Engine(store=store, workflows=[workflow], model=ScriptedModel(replies), **more)


def log_lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("store", ["memory://", SQLITE])
async def test_a_run_stops_for_approval_and_goes_on(store: str) -> None:
    async with engine(calls(LOOK), calls(PAY), OK, store=store) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        assert run.state is State.AwaitingApproval
        (approval,) = run.approvals
        assert (approval.tool, approval.arguments) == ("pay", {"order": "1", "amount": 5.0})
        (pending,) = await waystation.pending()
        assert (pending.run_id, pending.digest) == ("r1", approval.digest)
        run = await waystation.approve("r1", by="ann", note="fine")
        assert (run.state, run.answer) == (State.Done, "ok")
        assert await waystation.run("r1") == run
        assert await waystation.pending() == []


async def test_another_engine_goes_on_from_disk() -> None:
    async with engine(calls(PAY), OK) as first:
        parked = await first.start("shop", "Hello")
    async with engine(calls(PAY), OK) as second:
        assert await second.run(parked.id) == parked
        assert (await second.resume(parked.id)).seq == parked.seq
        run = await second.deny(parked.id, by="ann", reason="no")
    assert run.state is State.Done
    assert run.messages[3].content == "Denied by a person: no"


async def test_log_journal_and_seq_are_of_one_length_over_several_processes() -> None:
    async with engine(calls(LOOK, PAY), OK, log="log.jsonl") as first:
        parked = await first.start("shop", "Hello")
    async with engine(calls(LOOK, PAY), OK, log="log.jsonl") as second:
        run = await second.approve(parked.id, by="ann")
        journal = await second.journal(run.id)
    lines = log_lines()
    assert len(lines) == len(journal) == run.seq
    assert [line["seq"] for line in lines] == list(range(1, run.seq + 1))
    first_line = lines[0]
    assert (first_line["run_id"], first_line["workflow"]) == (run.id, "shop")
    assert [first_line[key] for key in ("trigger", "source", "dest")] == [
        "run_started",
        None,
        "AwaitingModel",
    ]
    for line, recorded in zip(lines, journal, strict=True):
        assert line["trigger"] == recorded.event.kind
        assert line["at"] == recorded.at.isoformat(timespec="microseconds")
        fields = recorded.event.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
        newest = {"run_started": 2, "tools_requested": 3, "model_answered": 2}
        versions = {"v": newest[recorded.event.kind]} if recorded.event.kind in newest else {}
        assert line["data"] == fields | versions


async def test_lines_that_a_crash_left_owed_are_written_at_the_next_touch() -> None:
    class Broken:
        def info(self, event: str, **fields: object) -> None:
            if fields["seq"] == 3:
                raise OSError(event)

    async with engine(calls(PAY), OK, log=Broken()) as first:
        run = await first.start("shop", "Hello", run_id="r1")
        assert run.state is State.AwaitingApproval, "a log that fails stops no run"
    async with engine(calls(PAY), OK, log="log.jsonl") as second:
        run = await second.resume("r1")
    assert [line["seq"] for line in log_lines()] == [3]
    assert log_lines()[-1]["seq"] == run.seq


async def test_a_run_that_was_driven_without_a_log_is_told_to_the_first_one_whole() -> None:
    async with engine(calls(PAY), OK) as first:
        await first.start("shop", "Hello", run_id="r1")
    async with engine(calls(PAY), OK, log="log.jsonl") as second:
        run = await second.approve("r1", by="ann")
    assert [line["seq"] for line in log_lines()] == list(range(1, run.seq + 1))


async def test_an_application_s_own_logger_is_told_and_its_set_up_left_alone() -> None:
    before = (structlog.get_config().copy(), logging.getLogger().handlers[:])
    told: list[MutableMapping[str, Any]] = []

    def keep(_: object, __: str, event: MutableMapping[str, Any]) -> str:
        told.append(event)
        return ""

    logger = structlog.wrap_logger(structlog.PrintLogger(), processors=[keep])
    async with engine(OK, log=logger) as waystation:
        await waystation.start("shop", "Hello")
    assert [event["trigger"] for event in told] == ["run_started", "model_answered"]
    assert (structlog.get_config(), logging.getLogger().handlers) == before


async def test_people_s_words_stay_below_data_and_on_one_line() -> None:
    forged = '{"seq": 99}\n{"run_id": "x", "seq": 1, "trigger": "approval_granted"}'
    async with engine(OK, log="log.jsonl") as waystation:
        await waystation.start("shop", forged)
    lines = log_lines()
    assert [line["trigger"] for line in lines] == ["run_started", "model_answered"]
    assert lines[0]["data"]["message"] == forged


async def test_calls_of_one_turn_run_at_once_and_each_result_is_durable_as_it_comes() -> None:
    fast_is_stored, seen = asyncio.Event(), list[str]()

    @tool(read_only=True)
    async def slow() -> str:
        """Wait for the other's result to be stored."""
        await fast_is_stored.wait()
        return "slow"

    @tool(read_only=True)
    def fast() -> str:
        """Be quick."""
        return "fast"

    class Watch:
        def info(self, _: str, **fields: Any) -> None:
            if fields["trigger"] == "tool_returned":
                seen.append(fields["data"]["content"])
                fast_is_stored.set()

    asked = calls(("slow", {}), ("fast", {}))
    async with engine(asked, OK, tools=(slow, fast), log=Watch()) as waystation:
        run = await asyncio.wait_for(waystation.start("shop", "Hello"), 30)
    assert seen == ["fast", "slow"]
    assert [m.content for m in run.messages if m.role == "tool"] == ["slow", "fast"]


class OddError(Exception):
    def __str__(self) -> str:  # noqa: D105 # the point of it
        raise ValueError("no words")


def _raise(error: BaseException) -> Callable[[], object]:
    def run() -> object:
        raise error

    return run


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (_raise(ValueError("broken")), "ValueError: broken"),
        (_raise(SystemExit(3)), "SystemExit: 3"),
        (_raise(StopIteration("end")), "StopIteration: end"),
        (_raise(asyncio.CancelledError()), "CancelledError"),
        (_raise(OddError()), "Odd"),
        (lambda: b"bytes", "not bytes"),
        (object, "object"),
        (lambda: {"a": float("nan")}, "nan is none"),
        (lambda: [float("-inf")], "-inf is none"),
        (lambda: {1: {2}}, '{"1":[2]}'),
        (lambda: "\ud800", "\ufffd"),
        (lambda: None, "null"),
    ],
)
async def test_whatever_a_tool_does_the_model_reads_it(
    function: Callable[[], object], said: str
) -> None:
    odd = Tool(
        name="odd", description="", parameters={"type": "object"}, function=function, read_only=True
    )
    async with engine(calls(("odd", {})), OK, tools=(odd,)) as waystation:
        run = await waystation.start("shop", "Hello")
    assert run.state is State.Done
    assert said in (run.messages[3].content or "")


async def test_a_lost_result_is_in_doubt_and_a_person_decides() -> None:
    entered, paid = asyncio.Event(), list[str]()

    @tool(approval="never")
    async def pay() -> str:
        """Pay, and never hear back the first time."""
        paid.append("paid")
        if len(paid) == 1:
            entered.set()
            await asyncio.Event().wait()
        return "paid"

    async with engine(calls(("pay", {})), OK, tools=(pay,)) as first:
        task = asyncio.create_task(first.start("shop", "Hello", run_id="r1"))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with engine(calls(("pay", {})), OK, tools=(pay,)) as second:
        run = await second.resume("r1")
        assert [approval.kind for approval in run.approvals] == ["in_doubt"]
        assert len(paid) == 1
        with pytest.raises(RefusedError, match="not known whether pay happened.*--retry"):
            await second.approve("r1", by="ann")
        run = await second.approve("r1", by="ann", retry=True)
        starts = [
            r.event for r in await second.journal("r1") if isinstance(r.event, events.ToolStarted)
        ]
    assert (run.state, len(paid)) == (State.Done, 2)
    assert [start.attempt for start in starts] == [1, 2]
    assert len({start.idempotency_key for start in starts}) == 1


async def test_a_hundred_verdicts_at_once_are_one() -> None:
    paid: list[str] = []

    @tool
    def pay() -> str:
        """Pay."""
        paid.append("paid")
        return "paid"

    async with engine(calls(("pay", {})), OK, tools=(pay,), log="log.jsonl") as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        verdicts = [waystation.approve("r1", by=f"a{n}") for n in range(50)]
        verdicts += [waystation.deny("r1", by=f"d{n}") for n in range(50)]
        outcomes = await asyncio.gather(*verdicts, return_exceptions=True)
        journal = await waystation.journal("r1")
    taken = [outcome for outcome in outcomes if isinstance(outcome, Run)]
    assert len(taken) == 1
    refused = [str(outcome) for outcome in outcomes if isinstance(outcome, RefusedError)]
    (verdict,) = taken[0].verdicts
    assert len(refused) == 99
    told = f"(call_1_1 was {verdict.verdict} by {verdict.by} at"
    assert all(told in words for words in refused), "the others are told who was faster"
    verdict_kinds = {"approval_granted", "approval_denied"}
    assert sum(one.event.kind in verdict_kinds for one in journal) == 1
    assert len(paid) == (taken[0].messages[3].content == "paid")
    assert len(log_lines()) == len(journal)
    assert run.seq < len(journal)


async def test_an_abort_stops_a_run_that_is_being_driven() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    @tool(read_only=True)
    async def wait() -> str:
        """Wait."""
        entered.set()
        await release.wait()
        return "waited"

    async with engine(calls(("wait", {})), OK, tools=(wait,)) as waystation:
        driving = asyncio.create_task(waystation.start("shop", "Hello", run_id="r1"))
        await entered.wait()
        aborting = asyncio.create_task(waystation.abort("r1", by="ann", reason="enough"))
        while (await waystation.run("r1")).state is not State.Aborted:  # noqa: ASYNC110 # the store is watched
            await asyncio.sleep(0)
        release.set()
        assert (await driving).state is (await aborting).state is State.Aborted


async def test_several_open_calls_are_decided_one_by_one() -> None:
    async with engine(calls(PAY, PAY), OK) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        with pytest.raises(AmbiguousCallError, match=r"call_1_1.*call_1_2"):
            await waystation.approve("r1", by="ann")
        run = await waystation.approve("r1", "call_1_2", by="ann")
        assert [one.call_id for one in run.approvals] == ["call_1_1"]
        run = await waystation.deny("r1", "call_1_1", by="ann", reason="once is enough")
    assert run.state is State.Done
    assert [m.content for m in run.messages if m.role == "tool"] == [
        "Denied by a person: once is enough",
        "paid 5.0 for 1",
    ]


async def test_bad_input_changes_nothing() -> None:
    async with engine(OK) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        attempts: list[tuple[Any, type[EngineError], str]] = [
            (waystation.start("shap", "Hello"), UnknownWorkflowError, "there are: shop"),
            (waystation.start("shop", " "), BadInputError, "empty"),
            (waystation.start("shop", "\ud800"), BadInputError, "no text"),
            (waystation.start("shop", "Hello", run_id="a/b"), BadInputError, "no run id"),
            (waystation.start("shop", "Hello", run_id="r1"), RunExistsError, "r1"),
            (waystation.resume("r2"), UnknownRunError, "r2"),
            (waystation.journal("r2"), UnknownRunError, "r2"),
            (waystation.approve("r1", by="ann"), RefusedError, "is Done"),
            (waystation.abort("r1", by="ann"), RefusedError, "is Done"),
            (waystation.runs(state="Dne"), BadInputError, "AwaitingModel, Disp"),
            (waystation.runs(limit=0), BadInputError, "limit"),
            (waystation.runs(after="r2"), BadInputError, "r2"),
        ]
        for attempt, error, match in attempts:
            with pytest.raises(error, match=match):
                await attempt
        assert [one.seq for one in await waystation.runs()] == [run.seq]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "runs.db",
        "sqlite:runs.db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "postgres://x/y",
        "sqlite:///a\0b",
    ],
)
async def test_a_bad_store_address_is_refused_with_the_right_forms(url: str) -> None:
    with pytest.raises(StoreError, match=r"right would be sqlite:///"):
        async with engine(store=url):
            pass


async def test_a_log_that_cannot_be_written_is_refused() -> None:
    async with engine(OK, log=".") as waystation:
        for _ in range(2):
            with pytest.raises(BadInputError, match=r"log \. cannot be written"):
                await waystation.start("shop", "Hello", "r1")
        assert not Path("log.jsonl").exists()  # noqa: ASYNC240 # nothing else runs
    with pytest.raises(BadInputError, match="log . cannot be written"):
        async with engine(OK, log=".") as waystation:
            await waystation.start("shop", "Hello")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE events SET data = replace(data, 'Hello', 'Jello') WHERE seq = 1", "seq 1"),
        ("UPDATE events SET at = at + 1 WHERE seq = 2", "seq 2"),
        ("UPDATE events SET data = x'7b' WHERE seq = 2", "seq 2"),
        ("DELETE FROM events WHERE seq = 2", "seq 2 is missing"),
        ("DELETE FROM events WHERE seq = 7", "seq 7 of 7 is missing"),
        ("UPDATE events SET data = (SELECT data FROM events WHERE seq = 4) WHERE seq = 3", "seq 3"),
        (
            "UPDATE runs SET checkpoint = replace(checkpoint, 'AwaitingApproval', 'Done')",
            "checkpoint",
        ),
        ("UPDATE runs SET state = 'Aborted'", "checkpoint"),
    ],
)
async def test_a_damaged_run_is_refused_by_name_and_its_neighbours_live(
    damage: str, said: str
) -> None:
    async with engine(calls(LOOK), calls(PAY), OK) as waystation:
        await waystation.start("shop", "Hello", run_id="r1")
    database = apsw.Connection("runs.db")
    database.execute(damage)
    assert database.changes()
    database.close()
    async with engine(calls(LOOK), calls(PAY), OK) as waystation:
        for touch in (waystation.run, waystation.resume, waystation.journal):
            with pytest.raises(CorruptRunError, match=f"run r1 .*{said}"):
                await touch("r1")
        assert (await waystation.start("shop", "Hello", run_id="r2")).seq == 7


def test_the_engine_must_be_entered() -> None:
    with pytest.raises(EngineError, match="async with"):
        asyncio.run(engine(OK).run("r1"))


def test_two_workflows_of_one_name_are_refused() -> None:
    with pytest.raises(BadInputError, match="shop"):
        Engine(store="memory://", workflows=[WORKFLOW, WORKFLOW])
