"""For how long tools are waited for, how often they are tried, and what is read of them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from threading import Event
from typing import Any

import apsw
import pytest

from engine import (
    Engine,
    Limits,
    NotExecuted,
    Run,
    ScriptedModel,
    State,
    Tool,
    ToolContext,
    Workflow,
    events,
    read_result,
    rerun,
    tool,
)
from engine.errors import DefinitionError
from engine.runtime.threads import left_behind, still_runs
from tests.clock import Jumping
from tests.runtime.test_engine import OK, SQLITE, calls

SOON = 0.05  # seconds


class BusyError(Exception):
    """The other side is busy."""


class Thread:
    """Something that goes on until it is let go."""

    def __init__(self) -> None:
        self.entered, self.release, self.acted = Event(), Event(), list[str]()

    def go_on(self) -> str:
        self.entered.set()
        self.release.wait()
        self.acted.append("late")
        return "late"

    def end(self, run_id: str = "r1") -> None:
        """Nothing, once it is over."""
        self.release.set()
        while left_behind(run_id, "call_1_1") or still_runs(run_id):
            pass


def shop(*tools: Tool, replies: Any = None, limits: Limits | None = None) -> Engine:
    workflow = Workflow(
        name="shop", instructions="Help.", tools=tools, limits=limits or Limits(max_repeats=50)
    )
    model = ScriptedModel(replies or [calls((tools[0].name, {})), OK])
    return Engine(store=SQLITE, workflows=[workflow], model=model, clock=Jumping())


async def drive(*tools: Tool, **more: Any) -> tuple[Run, list[events.Event]]:
    async with shop(*tools, **more) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        return run, [one.event for one in await waystation.journal("r1")]


def kinds(journal: list[events.Event]) -> list[str]:
    return [one.kind.removeprefix("tool_") for one in journal if one.kind.startswith("tool_")]


def results(run: Run) -> list[str]:
    return [one.content or "" for one in run.messages if one.role == "tool"]


async def test_a_thread_that_takes_too_long_is_left_behind_named_and_in_doubt() -> None:
    thread = Thread()
    pay = tool(name="pay", approval="never", timeout=SOON)(thread.go_on)
    async with shop(pay) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        (interrupted,) = [
            one.event
            for one in await waystation.journal("r1")
            if isinstance(one.event, events.ToolInterrupted)
        ]
        name = "waystation pay r1 call_1_1"
        why = f"TimeoutError: no result within 0.05 s; its thread '{name}' is still alive"
        assert interrupted.error == why
        assert name in [one.name for one in threading.enumerate()]
        assert [approval.kind for approval in run.approvals] == ["in_doubt"]
        run = await waystation.deny("r1", by="ann", reason="let it be")
        assert run.state is State.Done, "nobody waits for the thread"
        thread.end()
    assert thread.acted == ["late"]


async def test_what_only_reads_fails_at_its_timeout_or_is_tried_again() -> None:
    thread = Thread()
    tries: list[int] = []

    def look(context: ToolContext) -> str:
        """Look, in time at the third attempt only."""
        tries.append(context.attempt)
        return "seen" if context.attempt == 3 else thread.go_on()

    once = tool(read_only=True, timeout=SOON)(look)
    run, journal = await drive(once)
    assert kinds(journal) == ["started", "failed"]
    assert results(run)[0].startswith("TimeoutError: no result within 0.05 s; ")
    thread.end()
    thread.release.clear()
    again = tool(read_only=True, timeout=SOON, transient=(TimeoutError,))(look)
    async with shop(again) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r2")
        journal = [one.event for one in await waystation.journal("r2")]
    thread.end("r2")
    assert kinds(journal) == ["started", "not_executed"] * 2 + ["started", "returned"]
    assert (results(run), tries) == (["seen"], [1, 1, 2, 3])


async def test_nothing_is_looked_up_while_the_thread_may_still_act() -> None:
    thread, looked = Thread(), list[str]()

    def look(key: str, _: object) -> None:
        looked.append(key)

    pay = tool(name="pay", approval="never", timeout=SOON, reconcile=look)(thread.go_on)
    run, journal = await drive(pay)
    assert kinds(journal) == ["started", "interrupted"]
    assert "reconcile_failed" in [one.kind for one in journal]
    assert [approval.kind for approval in run.approvals] == ["in_doubt"]
    assert "may still act" in (run.approvals[0].reason or "")
    assert looked == []
    thread.end()


async def test_an_async_function_is_cancelled_at_its_timeout() -> None:
    ended: list[str] = []

    @tool(approval="never", timeout=SOON)
    async def wait() -> str:
        """Wait for ever."""
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")
        return ""

    run, journal = await drive(wait)
    assert ended == ["cancelled"]
    assert kinds(journal) == ["started", "interrupted"]
    reason = "TimeoutError: no result within 0.05 s; it was cancelled; "
    assert (run.approvals[0].reason or "").startswith(reason)


async def test_what_an_async_function_still_says_when_it_is_cancelled_counts() -> None:
    @tool(approval="never", timeout=SOON, max_attempts=1)
    async def wait() -> str:
        """Wait for ever, and know that nothing has happened."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise NotExecuted("it had not begun") from error
        return ""

    run, journal = await drive(wait)
    assert kinds(journal) == ["started", "not_executed", "failed"]
    assert results(run) == ["Not executed, after 1 attempts: it had not begun"]


async def test_a_transactional_tool_that_takes_too_long_has_written_nothing() -> None:
    thread, refused = Thread(), list[str]()

    @tool(transactional=True, approval="never", timeout=SOON)
    def note(context: ToolContext) -> str:
        """Write, wait, and write again."""
        assert context.transaction is not None
        context.transaction.execute("CREATE TABLE notes (line)")
        thread.go_on()
        try:
            context.transaction.execute("INSERT INTO notes VALUES ('late')")
        except ValueError as error:
            refused.append(str(error))
        return "noted"

    run, journal = await drive(note)
    assert kinds(journal) == ["started", "failed"]
    assert "nothing of it was written; its thread 'waystation note r1" in results(run)[0]
    thread.end()
    assert refused == ["the call was given up, and its transaction with it"]
    rows = apsw.Connection("runs.db")
    assert not rows.execute("SELECT * FROM sqlite_schema WHERE name = 'notes'").get
    rows.close()


def _failing(error: Exception, times: int) -> Callable[[ToolContext], str]:
    def act(context: ToolContext) -> str:
        """Act, after some failures."""
        if context.attempt <= times:
            raise error
        return "done"

    return act


@pytest.mark.parametrize(
    ("declared", "attempt"),
    [
        ({"read_only": True, "transient": (BusyError,)}, "not_executed"),
        ({"idempotent": True, "transient": (BusyError,)}, "interrupted"),
        ({"transient": (BusyError,), "reconcile": lambda *_: None}, "interrupted not_executed"),
        ({"not_executed": BusyError}, "not_executed"),
    ],
)
async def test_a_declared_error_is_tried_again_and_each_attempt_is_an_event(
    declared: dict[str, Any], attempt: str
) -> None:
    act = tool(approval="never", **declared)(_failing(BusyError("later"), 2))
    run, journal = await drive(act)
    assert kinds(journal) == ["started", *attempt.split()] * 2 + ["started", "returned"]
    assert results(run) == ["done"]


async def test_after_the_last_attempt_the_model_reads_the_error() -> None:
    for hint in ("read_only", "idempotent"):
        declared: Any = {hint: True, "transient": (BusyError,), "max_attempts": 3}
        act = tool(approval="never", **declared)(_failing(BusyError("later"), 9))
        async with shop(act) as waystation:
            run = await waystation.start("shop", "Hello", run_id=hint)
            journal = [one.event for one in await waystation.journal(hint)]
        assert kinds(journal).count("started") == 3
        assert (run.state, results(run)) == (State.Done, ["BusyError: later"])


async def test_the_wait_before_an_attempt_is_the_tool_s_own() -> None:
    act = tool(read_only=True, transient=(BusyError,), backoff=0)(_failing(BusyError("x"), 2))
    _, journal = await drive(act)
    times = [one.retry_at for one in journal if isinstance(one, events.ToolNotExecuted)]
    assert times == [Jumping().time] * 2


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"timeout": 0}, "timeout is a number of seconds above 0"),
        ({"timeout": 10**400}, "timeout is a number of seconds above 0"),
        ({"timeout": float("nan")}, "timeout is a number of seconds above 0"),
        ({"backoff": 1e300}, "backoff is a number of seconds, 0 or more"),
        ({"max_attempts": 10**30}, "max_attempts is a whole number, 1 or more"),
        ({"read_only": "no"}, "read_only is True or False"),
        ({"destructive": 0}, "destructive is True or False"),
        ({"idempotent": None}, "idempotent is True or False"),
        ({"idempotent": True, "key_ttl": "5"}, "key_ttl is a number of seconds above 0"),
        ({"idempotent": True, "key_ttl": float("inf")}, "key_ttl is a number of seconds above 0"),
        ({"timeout": float("inf")}, "timeout is a number"),
        ({"timeout": True}, "timeout is a number"),
        ({"backoff": -1}, "backoff is a number"),
        ({"max_attempts": 0}, "max_attempts is a whole number"),
        ({"max_attempts": 1.5}, "max_attempts is a whole number"),
        ({"transient": (3,), "read_only": True}, "transient has exception classes"),
        ({"not_executed": (KeyboardInterrupt,)}, "not_executed has exception classes"),
        ({"transient": (BusyError,)}, "transient is for a tool that may be repeated"),
    ],
)
def test_terms_that_make_no_sense_are_refused_and_named(
    declared: dict[str, Any], words: str
) -> None:
    with pytest.raises(DefinitionError, match=words):
        tool(name="act", **declared)(_failing(BusyError(), 0))


def test_what_is_left_as_it_is_leaves_the_definition_as_it_was() -> None:
    def of(**declared: Any) -> str:
        tools = (tool(name="act", read_only=True, **declared)(_failing(BusyError(), 0)),)
        return Workflow(name="shop", instructions="Help.", tools=tools).definition

    plain = of()
    assert plain == of(timeout=None, isolation="thread", transient=(), backoff=1.0)
    others = [of(timeout=1), of(transient=BusyError), of(max_attempts=2), of(backoff=2)]
    assert len({plain, *others}) == 5


async def test_no_more_calls_of_a_turn_run_at_once_than_may_also_after_a_resume() -> None:
    now, most, full, release = 0, 0, asyncio.Event(), asyncio.Event()

    @tool(read_only=True)
    async def look(number: int) -> str:
        """Look, and count who else does."""
        nonlocal now, most
        now += 1
        most = max(most, now)
        if now == 3:
            full.set()
        await release.wait()
        await asyncio.sleep(0)
        now -= 1
        return str(number)

    asked = calls(*(("look", {"number": number}) for number in range(7)))
    limits = Limits(max_parallel_tools=3)
    async with shop(look, replies=[asked, OK], limits=limits) as waystation:
        driving = asyncio.create_task(waystation.start("shop", "Hello", run_id="r1"))
        await full.wait()
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
        now = 0
        release.set()
        run = await waystation.resume("r1")
        recorded = await waystation.journal("r1")
        assert rerun(recorded, waystation.workflows["shop"]) is None
    assert (most, results(run)) == (3, [str(number) for number in range(7)])


LINES = "\n".join(f"line {number}" for number in range(2000))


async def test_a_long_result_is_cut_at_a_line_and_the_model_reads_on_after_a_resume() -> None:
    @tool(read_only=True)
    def look() -> str:
        """Look at much."""
        return LINES

    limits = Limits(max_result_chars=10_000, max_tool_calls=100)
    reads = [("read_result", {"call_id": "call_1_1", "offset": 9_994})]
    replies = [calls(("look", {})), calls(*reads), OK]

    def opened() -> Engine:
        return shop(look, read_result(), replies=replies, limits=limits)

    async with opened() as waystation:
        await waystation.submit("shop", "Hello", run_id="r1")
    async with opened() as waystation:
        run = await waystation.resume("r1")
        recorded = await waystation.journal("r1")
        assert rerun(recorded, waystation.workflows["shop"]) is None
    journal = [one.event for one in recorded]
    cut, rest = results(run)
    (whole, part) = [one for one in journal if isinstance(one, events.ToolReturned)]
    assert (whole.content, whole.shown) == (LINES, 10_000)
    head, note = cut.rsplit("\n", 1)
    assert LINES.startswith(head)
    total = f"{len(LINES):,}"
    assert note == (
        f'[Cut: 10,000 of {total} characters are shown. read_result(call_id="call_1_1", '
        "offset=10000) reads on.]"
    )
    assert rest == part.content
    assert rest.startswith(LINES[9_994:10_100])
    assert kinds(journal) == ["started", "returned", "returned"], "nothing ran to read on"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": [b"\x00"]}, "not bytes or images (bytes)"),
        (memoryview(b"abc"), "not bytes or images (memoryview)"),
        (object(), "not a object"),
        (count(), "not an iterator"),
        ({"a": [iter("abc")]}, "not an iterator"),
    ],
)
async def test_what_is_no_text_is_refused_with_a_reason_that_the_model_reads(
    value: object, words: str
) -> None:
    @tool(read_only=True)
    def look() -> object:
        """Look."""
        return value

    run, _ = await drive(look)
    assert words in results(run)[0]


def _yields() -> Iterator[str]:
    """Look."""
    yield "a line"


async def _yields_later() -> AsyncIterator[str]:
    """Look."""
    yield "a line"


@pytest.mark.parametrize("function", [_yields, _yields_later])
def test_a_function_that_yields_is_no_tool(function: Callable[[], object]) -> None:
    with pytest.raises(DefinitionError, match="its function yields"):
        tool(read_only=True)(function)


async def test_an_error_of_10_mb_is_shortened() -> None:
    run, journal = await drive(tool(name="act", read_only=True)(_raise_much))
    assert len(results(run)[0]) < 5_000
    assert results(run)[0].endswith(" more characters]")
    assert kinds(journal) == ["started", "failed"]


def _raise_much() -> str:
    """Say much."""
    raise ValueError("\x1b[2J" + "x" * 10_000_000)
