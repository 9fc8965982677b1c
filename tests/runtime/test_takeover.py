"""What becomes of a run, and of its drivers, where its lease changes hands."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from engine import ConflictError, Engine, RunBusy, ScriptedModel, State, Workflow, tool
from engine.ports import Lease, Store
from engine.stores.memory import MemoryStore
from tests.clock import Steered
from tests.runtime.life_process import dead_owner
from tests.runtime.test_engine import OK, calls
from tests.runtime.test_lease import Failing, elsewhere, leased, passes, row
from tests.stores.contract import addition


async def test_a_lease_that_cannot_be_given_back_is_not_fatal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Failing(1)
    async with shop(OK, store=store) as waystation:
        assert (await waystation.start("shop", "Hello", "r1")).state is State.Done
        assert store.failed == 1
        assert "could not be given back: the disk is full" in caplog.text
        assert (await waystation.resume("r1")).answer == "ok"


def shop(*replies: Any, store: Store, tools: Sequence[Any] = (), clock: Any = None) -> Engine:
    workflow = Workflow(name="shop", instructions="Help.", tools=tools)
    return Engine(
        store=store, workflows=[workflow], model=ScriptedModel(replies), clock=clock or Steered()
    )


async def test_a_driver_whose_lease_was_taken_stops_before_its_next_effect() -> None:
    store, clock, entered, release = MemoryStore(), Steered(), asyncio.Event(), asyncio.Event()
    done: list[str] = []

    @tool(approval="never")
    async def slow() -> str:
        """Take long."""
        done.append("slow")
        entered.set()
        await release.wait()
        return "slow"

    @tool(approval="never")
    async def next_one() -> str:
        """Come after it."""
        done.append("next")
        return "next"

    asked = (calls(("slow", {})), calls(("next_one", {})), OK)
    async with shop(*asked, store=store, tools=(slow, next_one), clock=clock) as old:
        driving = asyncio.create_task(old.start("shop", "Hello", "r1"))
        await entered.wait()
        lease = (await row(store)).lease
        assert await store.claim("r1", lease, Lease(str(elsewhere()), lease.epoch + 1, 0))
        before = await row(store)
        release.set()
        with pytest.raises(RunBusy, match="r1 was taken over by driver 2 meanwhile.*driver 1"):
            await driving
    assert done == ["slow"]
    assert await row(store) == before, "nothing was written, and the lease is the other's still"


class Stealing(MemoryStore):
    """Somebody takes the run over right after the first claim, before the claimer reads on."""

    def __init__(self) -> None:
        super().__init__()
        self.stolen = 0

    async def claim(self, run_id: str, seen: Lease, lease: Lease) -> bool:
        taken = await super().claim(run_id, seen, lease)
        if taken and not self.stolen:
            self.stolen += 1
            await super().claim(run_id, lease, Lease(str(elsewhere()), lease.epoch + 1, 2**60))
        return taken


async def by_worker(engine: Engine) -> None:
    worker = engine.worker()
    await worker.run(once=True)


async def by_name(engine: Engine) -> None:
    with pytest.raises(RunBusy, match="taken over by driver 2"):
        await engine.resume("r1")


@pytest.mark.parametrize("drive", [by_worker, by_name])
async def test_who_is_overtaken_between_claim_and_load_drives_nothing(
    drive: Callable[[Engine], Awaitable[None]],
) -> None:
    store, acted = Stealing(), list[str]()

    @tool(approval="never")
    async def act() -> str:
        """Act."""
        acted.append("acted")
        return "acted"

    async with shop(calls(("act", {})), OK, store=store, tools=(act,)) as waystation:
        await waystation.submit("shop", "Hello", "r1")
        before = (await row(store)).seq
        await drive(waystation)
    assert (store.stolen, acted) == (1, [])
    assert ((await row(store)).seq, (await row(store)).lease.epoch) == (before, 2)


async def test_an_old_epoch_writes_nothing_even_where_the_seq_is_right() -> None:
    clock = Steered()
    store, head = await leased(dead_owner(), clock)
    assert await store.claim("r1", head.lease, Lease(str(elsewhere()), 2, 0))
    with pytest.raises(ConflictError):
        await store.append(addition("r1", 1, lease=head.lease))
    assert (await row(store)).seq == 1


async def test_resume_waits_for_another_driver_where_it_is_asked_to() -> None:
    store, clock = MemoryStore(), Steered()
    entered, release = asyncio.Event(), asyncio.Event()

    @tool(read_only=True)
    async def slow() -> str:
        """Take long."""
        entered.set()
        await release.wait()
        return "slow"

    asked = (calls(("slow", {})), OK)
    async with (
        shop(*asked, store=store, tools=(slow,), clock=clock) as first,
        shop(*asked, store=store, tools=(slow,), clock=clock) as second,
    ):
        driving = asyncio.create_task(first.start("shop", "Hello", "r1"))
        await entered.wait()
        with pytest.raises(RunBusy):
            await second.resume("r1")
        waiting = asyncio.create_task(second.resume("r1", wait=True))
        await clock.asleep(2)  # the keeper of the first, and the second
        release.set()
        assert (await driving).state is State.Done
        await passes(clock, 1)
        assert (await waiting).answer == "ok"
    assert await store.leased() == []


async def test_an_ended_run_keeps_no_lease_of_a_dead_driver() -> None:
    # Killed between its last commit and giving the lease back.
    store = MemoryStore()
    async with shop(OK, store=store) as first:
        await first.start("shop", "Hello", "r1")
    head = await row(store)
    assert await store.claim("r1", head.lease, Lease(str(dead_owner()), head.lease.epoch + 1, 0))
    async with shop(OK, store=store) as second:
        assert (await second.resume("r1")).state is State.Done
    assert await store.leased() == []
