"""Disks that fill up, break, or may not be written: nothing is lost, and nothing is done twice."""

import asyncio
import random
import re
from dataclasses import replace
from itertools import count
from pathlib import Path

import apsw
import pytest

from engine import Engine, Run, State, StoreError, tool
from engine.core.run import Approval
from engine.core.tool import Tool
from engine.errors import ConflictError
from engine.stores import database
from engine.stores.sqlite import SqliteStore
from tests.runtime.life_process import dead_owner
from tests.runtime.test_engine import LOOK, OK, calls, engine
from tests.stores.contract import addition
from tests.stores.shim import Disk, disk

NOISE = random.Random(1).randbytes(4000)  # noqa: S311 # no packing makes it shorter
FULL = r"the store .*runs\.db (failed|cannot be .*): .*full"


class Till:
    """What was paid, and a tool that pays."""

    def __init__(self, *, idempotent: bool) -> None:
        self.paid: list[str] = []

        @tool(approval="never", idempotent=idempotent)
        def pay(order: str) -> str:
            """Pay for an order."""
            self.paid.append(order)
            return f"paid for {order}"

        @tool(read_only=True)
        def look(order: str) -> str:
            """Look an order up."""
            return f"order {order}"

        self.tools: tuple[Tool, ...] = (look, pay)

    def engine(self, store: str = "sqlite:///runs.db") -> Engine:
        asked = calls(("pay", {"order": "1"}))
        return engine(calls(LOOK), asked, OK, tools=self.tools, store=store)


async def finished(waystation: Engine) -> Run:
    """The run, begun if the trouble came before its first event, and driven to its end."""
    if not await waystation.runs():
        return await waystation.start("shop", "Hello", "r1")
    run = await waystation.resume("r1")
    if run.approvals:
        run = await waystation.answer("r1", by="ann", result="paid for 1")
    return run


@pytest.mark.parametrize("idempotent", [True, False])
async def test_a_disk_that_fills_up_at_any_write_loses_nothing(idempotent: bool) -> None:
    doubted = stopped = 0
    for position in count(1):
        till, folder = Till(idempotent=idempotent), Path(f"at{position}")
        with disk() as small:
            small.full_at = position
            asked, failed = await _over_a_full_disk(till, small, folder)
        stopped += failed
        doubted += len(asked)
        assert {one.kind for one in asked} <= {"in_doubt"}
        assert till.paid.count("1") == 1 or (idempotent and len(till.paid) == 2)
        if not small.failures:
            break  # the run was through before that write
    assert stopped > 40
    assert bool(doubted) is not idempotent


async def _over_a_full_disk(
    till: Till, small: Disk, folder: Path
) -> tuple[tuple[Approval, ...], bool]:
    """What a person was asked after it, and whether the run was stopped by it."""
    store = f"sqlite:///{folder}/runs.db"
    async with till.engine(store) as waystation:
        starting = waystation.start("shop", "Hello", "r1")
        (outcome,) = await asyncio.gather(starting, return_exceptions=True)
        if not isinstance(outcome, Run):
            assert isinstance(outcome, StoreError)
            assert re.search(FULL, str(outcome))
        small.room()
        listed = await waystation.runs()
        kept = await waystation.journal("r1") if listed else ()
        asked = (await waystation.resume("r1")).approvals if listed else ()
        await finished(waystation)
    async with till.engine(store) as waystation:
        run = await waystation.run("r1")
        assert (run.state, run.answer) == (State.Done, "ok")
        journal = await waystation.journal("r1")
        assert journal[: len(kept)] == kept, "it went on from where it was"
        assert [one.seq for one in journal] == list(range(1, run.seq + 1))
        assert await waystation.damaged() == {}
    return asked, not isinstance(outcome, Run)


async def test_the_same_engine_goes_on_from_the_same_seq_once_there_is_room() -> None:
    till = Till(idempotent=True)
    with disk() as small:
        async with till.engine() as waystation:
            await waystation.submit("shop", "Hello", "r1")
            small.full_at = small.writes + 1
            with pytest.raises(StoreError, match=FULL):
                await waystation.resume("r1")
            with pytest.raises(StoreError, match="make room on its disk"):
                await waystation.resume("r1")
            assert (await waystation.run("r1")).seq == 1
            assert till.paid == []
            small.room()
            assert (await waystation.resume("r1")).state is State.Done
    assert (small.failures >= 2, till.paid) == (True, ["1"])


async def test_a_sync_that_failed_ends_the_trust_in_the_store_and_reading_anew_settles_it() -> None:
    with disk() as worn:
        store = SqliteStore("runs.db")
        await store.append(addition("a", 0))
        worn.broken = "-wal"
        with pytest.raises(StoreError, match="runs.db failed.*not known whether.*did not confirm"):
            await store.append(addition("a", 1))
        worn.room()
        for touch in (
            store.append(addition("a", 1)),
            store.append(addition("b", 0)),
            store.head("a"),
            store.leased(),
            store.mark_logged("a", 1),
        ):
            with pytest.raises(StoreError, match="did not confirm a write.*start anew"):
                await touch
        await store.close()
        assert worn.failures == 1
        again = SqliteStore("runs.db")
        head = await again.head("a")
        assert head is not None
        assert head.seq in {1, 2}
        assert len(await again.entries("a")) == head.seq
        with pytest.raises(ConflictError):
            await again.append(addition("a", 3 - head.seq))
        await again.append(addition("a", head.seq))
        await again.close()


def bury(path: Path) -> None:
    """Let the process that drove be dead: it does not trust the store any more, and ends."""
    gone = apsw.Connection(str(path))
    gone.execute("UPDATE runs SET owner = ? WHERE owner <> ''", (str(dead_owner()),))
    gone.close()


async def test_a_run_whose_commit_has_an_unknown_outcome_is_settled_by_reading_it() -> None:
    stopped, before, nth = 0, -1, 0
    while stopped > before:  # until the run is through before its nth sync
        before, nth = stopped, nth + 1
        till, url = Till(idempotent=True), f"sqlite:///n{nth}/runs.db"
        with disk() as worn:
            async with till.engine(url) as waystation:
                await waystation.submit("shop", "Hello", "r1")
                worn.broken, worn.sound = "-wal", nth
                (outcome,) = await asyncio.gather(waystation.resume("r1"), return_exceptions=True)
                stopped += isinstance(outcome, StoreError)
                worn.room()
            bury(Path(f"n{nth}/runs.db"))
            async with till.engine(url) as waystation:
                assert (await waystation.resume("r1")).answer == "ok"
                assert await waystation.damaged() == {}
        assert set(till.paid) == {"1"}
    assert stopped >= 4


async def write_much(store: SqliteStore) -> None:
    """More than the WAL is let grow to before it is moved into the file."""
    for seq in range(0, 1500, 300):
        more = addition("a", seq, 300)
        entries = tuple(one._replace(data=NOISE) for one in more.entries)
        await store.append(replace(more, entries=entries))


async def test_a_step_that_was_kept_although_it_failed_is_found_kept() -> None:
    # It is durable already when the WAL is moved into the file, and that is what fails.
    with disk() as worn:
        store = SqliteStore("runs.db")
        worn.broken = "runs.db"
        with pytest.raises(StoreError, match="not known whether this step was kept"):
            await write_much(store)
        worn.room()
        await store.close()
        assert worn.failures >= 1
        again = SqliteStore("runs.db")
        head = await again.head("a")
        assert head is not None
        assert [one.seq for one in await again.entries("a")] == list(range(1, head.seq + 1))
        await again.append(addition("a", head.seq))
        assert await again.faults() == []
        await again.close()


async def test_two_connections_at_once_lose_nothing_and_see_no_busy() -> None:
    first, second = SqliteStore("runs.db"), SqliteStore("runs.db")
    writing = [
        store.append(addition(f"{store is first}{n}", 0))
        for n in range(100)
        for store in (first, second)
    ]
    racing = [store.append(addition("same", 0)) for store in (first, second) for _ in range(10)]
    outcomes = await asyncio.gather(*writing, *racing, return_exceptions=True)
    assert outcomes[:200] == [None] * 200
    assert sum(one is None for one in outcomes[200:]) == 1
    assert sum(isinstance(one, ConflictError) for one in outcomes[200:]) == 19
    for store in (first, second):
        assert len(await store.heads(limit=999)) == 201
        await store.close()


async def test_another_program_that_holds_the_file_past_the_bound_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    till = Till(idempotent=False)
    async with till.engine() as waystation:
        await waystation.submit("shop", "Hello", "r1")
    monkeypatch.setattr(database, "BUSY_MS", 1)
    other = apsw.Connection("runs.db")
    async with till.engine() as waystation:
        await waystation.run("r1")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"runs\.db failed.*locked.*another program"):
            await waystation.resume("r1")
        with pytest.raises(StoreError, match="another program"):
            await waystation.start("shop", "Hello", "r2")
        assert (await waystation.run("r1")).seq == 1
        assert till.paid == []
        other.execute("ROLLBACK")
        assert (await waystation.resume("r1")).state is State.Done
    other.close()
    assert till.paid == ["1"]
