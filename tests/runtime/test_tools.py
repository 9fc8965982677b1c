"""Running tools: what they are told, what their failures mean, and writing with the store."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import apsw
import pytest

from engine import NotExecuted, Run, State, Tool, ToolContext, events, tool
from engine.core.canonical import idempotency_key
from engine.errors import DefinitionError
from engine.runtime.doubt import leaves_doubt
from tests.clock import Jumping
from tests.runtime.test_engine import OK, SQLITE, calls, engine

PAY = calls(("pay", {}))


async def drive(pay: Tool, **more: Any) -> tuple[Run, list[events.Event]]:  # as Engine has them
    async with engine(PAY, OK, tools=(pay,), clock=Jumping(), **more) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        return run, [one.event for one in await waystation.journal("r1")]


def kinds(journal: list[events.Event]) -> list[str]:
    return [event.kind for event in journal if event.kind.startswith("tool_")]


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_a_tool_that_asks_is_told_which_call_it_is(kind: str) -> None:
    told: list[ToolContext] = []

    def pay(context: ToolContext) -> str:
        """Pay."""
        told.append(context)
        return "paid"

    async def later(context: ToolContext) -> str:
        """Pay."""
        return pay(context)

    function = pay if kind == "plain" else later
    await drive(tool(name="pay", approval="never")(function))
    explicit = Tool(
        name="pay",
        description="",
        parameters={"type": "object"},
        function=function,
        approval="never",
    )
    await drive(explicit, store="memory://")
    key = idempotency_key("r1", "call_1_1")
    assert told == [ToolContext("r1", "call_1_1", 1, key)] * 2


async def test_what_says_it_did_nothing_is_tried_again_under_the_same_key() -> None:
    told: list[ToolContext] = []

    @tool(approval="never")
    def pay(context: ToolContext) -> str:
        """Pay at the third attempt."""
        told.append(context)
        if context.attempt < 3:
            raise NotExecuted("the bank is closed")
        return "paid"

    run, journal = await drive(pay)
    assert run.state is State.Done
    assert [one.attempt for one in told] == [1, 2, 3]
    assert len({one.idempotency_key for one in told}) == 1
    assert kinds(journal) == [
        *["tool_started", "tool_not_executed"] * 2,
        "tool_started",
        "tool_returned",
    ]


async def test_what_broke_off_is_in_doubt_unless_it_is_idempotent() -> None:
    async def pay(context: ToolContext) -> str:
        """Pay, and hear back at the second attempt."""
        if context.attempt == 1:
            raise ConnectionResetError("peer")
        return "paid"

    run, journal = await drive(tool(approval="never")(pay))
    assert [(a.kind, a.reason) for a in run.approvals] == [
        ("in_doubt", "ConnectionResetError: peer; the tool may not be repeated unasked")
    ]
    assert kinds(journal) == ["tool_started", "tool_interrupted"]
    repeating = tool(approval="never", idempotent=True)(pay)
    run, journal = await drive(repeating, store="memory://")
    assert run.state is State.Done
    assert kinds(journal) == [
        "tool_started",
        "tool_interrupted",
        "tool_started",
        "tool_returned",
    ]


async def test_a_look_up_tells_what_came_of_a_call() -> None:
    asked: list[tuple[str, Any]] = []

    async def look(key: str, arguments: Any) -> dict[str, str] | None:  # a tool's own
        asked.append((key, arguments))
        return {"receipt": "7"} if len(asked) > 1 else None

    @tool(approval="never", reconcile=look)
    def pay(order: str = "1") -> str:
        """Pay, and never hear back."""
        raise TimeoutError(order)

    run, journal = await drive(pay)
    assert asked == [(idempotency_key("r1", "call_1_1"), {"order": "1"})] * 2
    assert kinds(journal) == [
        *["tool_started", "tool_interrupted", "tool_not_executed"],
        *["tool_started", "tool_interrupted", "tool_returned"],
    ]
    assert run.messages[3].content == '{"receipt":"7"}'


async def test_a_look_up_that_fails_leaves_it_to_a_person() -> None:
    def look(*_: object) -> None:
        raise RuntimeError("no line")

    @tool(approval="never", reconcile=look)
    def pay() -> str:
        """Pay, and never hear back."""
        raise TimeoutError

    run, journal = await drive(pay)
    (approval,) = run.approvals
    assert approval.kind == "in_doubt"
    assert approval.reason is not None
    assert "looking up what came of it failed: RuntimeError: no line" in approval.reason
    assert "reconcile_failed" in [event.kind for event in journal]


@pytest.mark.parametrize(
    ("error", "doubtful"),
    [
        (TimeoutError(), True),
        (ConnectionResetError(), True),
        (BrokenPipeError(), True),
        (asyncio.IncompleteReadError(b"", 1), True),
        (ConnectionRefusedError(), False),
        (socket.gaierror(), False),
        (ValueError("no such order"), False),
        (type("ReadTimeout", (type("TimeoutException", (Exception,), {}),), {})(), True),
    ],
)
def test_what_leaves_doubt(error: Exception, doubtful: bool) -> None:
    wrapped, seen, alone = RuntimeError("1"), RuntimeError("2"), RuntimeError("3")
    wrapped.__cause__ = error  # raised from it
    seen.__context__ = error  # raised while it was handled
    alone.__context__, alone.__suppress_context__ = error, True  # raised from None
    assert [leaves_doubt(one) for one in (error, wrapped, seen)] == [doubtful] * 3
    assert not leaves_doubt(alone)


def book(context: ToolContext, sql: str) -> list[Any]:
    """Write with the store."""
    assert context.transaction is not None
    context.transaction.execute("CREATE TABLE IF NOT EXISTS book (line TEXT)")
    context.transaction.execute("INSERT INTO book VALUES (?)", (context.call_id,))
    return list(context.transaction.execute(sql))


def booked() -> int:
    store = apsw.Connection("runs.db")
    try:
        exists = store.execute("SELECT count(*) FROM sqlite_master WHERE name = 'book'").get
        return int(store.execute("SELECT count(*) FROM book").get) if exists else 0
    finally:
        store.close()


DANGLING = """
CREATE TABLE p (x PRIMARY KEY);
CREATE TABLE c (x REFERENCES p DEFERRABLE INITIALLY DEFERRED);
INSERT INTO c VALUES (1);
"""


async def write(sql: str) -> tuple[Run, list[events.Event]]:
    writing = tool(transactional=True, approval="never", name="pay")(book)
    async with engine(calls(("pay", {"sql": sql})), OK, tools=(writing,)) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
        assert await waystation.damaged() == {}
        return run, [one.event for one in await waystation.journal("r1")]


async def test_a_transactional_tool_writes_with_its_result() -> None:
    run, journal = await write("SELECT line FROM book")
    assert kinds(journal) == ["tool_started", "tool_returned"]
    assert run.messages[3].content == '[["call_1_1"]]'
    assert booked() == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM nowhere",
        "UPDATE runs SET state = 'Done'",
        "DELETE FROM events",
        "INSERT INTO events VALUES (1, 1, 1, '', '', '')",
        "DROP TABLE events",
        "ALTER TABLE runs RENAME TO walks",
        "CREATE TRIGGER t AFTER INSERT ON events BEGIN SELECT 1; END",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT mine",
        "PRAGMA synchronous = OFF",
        "ATTACH 'other.db' AS other",
        "CREATE TEMP TABLE Events (run)",
        "CREATE TEMP VIEW heads AS SELECT 1",
        "DROP VIEW heads",
        DANGLING,
    ],
)
async def test_a_transactional_tool_that_fails_has_written_nothing(sql: str) -> None:
    run, journal = await write(sql)
    assert (run.state, kinds(journal)) == (State.Done, ["tool_started", "tool_failed"])
    assert booked() == 0
    assert not Path("other.db").exists()  # noqa: ASYNC240 # nothing else runs


async def test_a_transactional_tool_needs_a_store_with_transactions() -> None:
    writing = tool(transactional=True, approval="never", name="pay")(book)
    async with engine(OK, tools=(writing,), store="memory://") as waystation:
        with pytest.raises(DefinitionError, match="pay needs a store with transactions"):
            await waystation.start("shop", "Hello")
        assert await waystation.runs() == []


async def test_a_transaction_is_over_with_its_call() -> None:
    kept: list[ToolContext] = []

    @tool(transactional=True, approval="never")
    def pay(context: ToolContext) -> str:
        """Keep what is not ours to keep."""
        kept.append(context)
        return "paid"

    await drive(pay, store=SQLITE)
    transaction = kept[0].transaction
    assert transaction is not None
    with pytest.raises(ValueError, match="the call is over"):
        transaction.execute("SELECT 1")


async def test_parallel_transactional_calls_each_keep_their_own() -> None:
    writing = tool(transactional=True, approval="never", name="pay")(book)
    good, bad = ("pay", {"sql": "SELECT 1"}), ("pay", {"sql": "SELECT * FROM nowhere"})
    async with engine(calls(good, bad, good), OK, tools=(writing,)) as waystation:
        run = await waystation.start("shop", "Hello", run_id="r1")
    assert [message.content for message in run.messages[3:6]] == [
        "[[1]]",
        "SQLError: no such table: nowhere",
        "[[1]]",
    ]
    assert booked() == 2
