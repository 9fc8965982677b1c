"""Calls side by side: what goes wrong with one takes nothing from the others."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import apsw
import pytest

from engine import Engine, RunBusy, State, StoreError, Tool, ToolContext, tool
from engine.runtime.threads import still_runs
from tests.runtime.test_engine import OK, calls, engine


def two(first: Tool, second: Tool) -> Engine:
    asked = calls((first.name, {}), (second.name, {}))
    return engine(asked, OK, tools=(first, second))


def limit_pages(waystation: Engine, more: int) -> None:
    """Let the store grow by so many pages, and then be full."""
    store: Any = waystation._host.store  # noqa: SLF001 # the disk is this large
    connection = store._writer._connection  # noqa: SLF001
    connection.pragma("max_page_count", connection.pragma("page_count") + more)


async def test_a_result_that_was_rolled_back_is_not_kept_with_a_sibling_s() -> None:
    @tool(transactional=True, approval="never")
    def big(context: ToolContext) -> str:
        """Write more than there is room for."""
        assert context.transaction is not None
        context.transaction.execute("CREATE TABLE big (line)")
        context.transaction.execute("INSERT INTO big VALUES (zeroblob(500000))")
        return "written"

    @tool(approval="never")
    async def small() -> str:
        """Be done after it."""
        return "small"

    async with two(big, small) as waystation:
        await waystation.submit("shop", "Hello", run_id="r1")
        limit_pages(waystation, 20)
        with pytest.raises(StoreError, match="full"):
            await waystation.resume("r1")
        kinds = [one.event.kind for one in await waystation.journal("r1")]
        assert kinds.count("tool_returned") <= 1
        assert [(r.call_id, r.content) for r in (await waystation.run("r1")).results] in (
            [],
            [("call_1_2", "small")],
        )
        limit_pages(waystation, 1_000_000)
        run = await waystation.resume("r1")
        assert await waystation.damaged() == {}
    rows = apsw.Connection("runs.db")
    assert rows.execute("SELECT count(*) FROM big").get == 1
    rows.close()
    assert run.messages[3].content == "written"


async def test_a_failing_store_breaks_off_no_call_that_still_runs() -> None:
    effects: list[str] = []
    release = Event()

    @tool(approval="never", reconcile=lambda *_: "done" if effects else None)
    def slow() -> str:
        """Take effect only when it is let go."""
        release.wait()
        effects.append("slow")
        return "done"

    @tool(approval="never")
    def huge() -> str:
        """Give back more than there is room for, and let the other go then."""
        asyncio.run_coroutine_threadsafe(let_go(), loop)
        return random.Random(1).randbytes(250_000).hex()  # noqa: S311 # words that stay long

    async def let_go() -> None:
        release.set()

    loop = asyncio.get_running_loop()
    async with two(slow, huge) as waystation:
        await waystation.submit("shop", "Hello", run_id="r1")
        limit_pages(waystation, 20)
        with pytest.raises(StoreError, match="full"):
            await waystation.resume("r1")
        assert effects == ["slow"], "it was waited for"
        limit_pages(waystation, 1_000_000)
        run = await waystation.resume("r1")
    assert [approval.tool for approval in run.approvals] == ["huge"]
    assert effects == ["slow"]


async def test_a_call_whose_thread_goes_on_is_not_taken_for_lost() -> None:
    entered, release = Event(), Event()
    effects: list[str] = []

    @tool(approval="never", reconcile=lambda *_: None)
    def pay() -> str:
        """Pay, when nobody waits any more."""
        entered.set()
        release.wait()
        effects.append("paid")
        return "paid"

    async with engine(calls(("pay", {})), OK, tools=(pay,)) as waystation:
        driving = asyncio.create_task(waystation.start("shop", "Hello", run_id="r1"))
        await asyncio.to_thread(entered.wait)
        driving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await driving
        with pytest.raises(RunBusy):
            await waystation.resume("r1")
        assert effects == []
        release.set()
        await asyncio.to_thread(_outlast, "r1")
        assert effects == ["paid"]


def _outlast(run_id: str) -> None:
    while still_runs(run_id):
        pass


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, StopIteration])
async def test_a_transactional_tool_that_raises_anything_stops_no_store(
    kind: Callable[[], BaseException],
) -> None:
    @tool(transactional=True, approval="never")
    def pay(context: ToolContext) -> str:
        """Raise something that is no error."""
        del context
        raise kind()

    async with engine(calls(("pay", {})), OK, tools=(pay,)) as waystation:
        run = await waystation.start("shop", "Hello")
        assert (run.state, len(await waystation.runs())) == (State.Done, 1)


@pytest.mark.parametrize("kind", [asyncio.CancelledError, SystemExit])
async def test_a_look_up_that_raises_anything_leaves_it_to_a_person(
    kind: Callable[[], BaseException],
) -> None:
    async def look(*_: object) -> None:
        raise kind()

    @tool(approval="never", reconcile=look)
    def pay() -> str:
        """Pay, and never hear back."""
        raise TimeoutError

    async with engine(calls(("pay", {})), OK, tools=(pay,)) as waystation:
        run = await waystation.start("shop", "Hello")
    assert [approval.kind for approval in run.approvals] == ["in_doubt"]


def _away(how: str) -> None:
    store = Path("runs.db")
    if how == "deleted":
        store.unlink()
    else:
        store.rename("away.db")
    if how == "replaced":
        store.write_bytes(Path("away.db").read_bytes())


@pytest.mark.parametrize("how", ["deleted", "moved", "replaced"])
async def test_nothing_is_done_on_a_store_that_is_no_longer_there(how: str) -> None:
    done: list[str] = []

    @tool(approval="never")
    def pay() -> str:
        """Pay."""
        done.append("paid")
        return "paid"

    async with engine(calls(("pay", {})), OK, tools=(pay,)) as waystation:
        await waystation.submit("shop", "Hello", run_id="r1")
        _away(how)
        with pytest.raises(StoreError, match="runs.db was moved away or deleted"):
            await waystation.resume("r1")
    assert done == []
