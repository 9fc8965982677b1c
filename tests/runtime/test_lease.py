"""One driver at a time: whose lease holds, who may take it over, and when."""

import asyncio
import threading
from collections.abc import Coroutine
from dataclasses import replace

import pytest

from engine import RunBusy, StoreError
from engine.codec.events import ticks
from engine.ports import Head, Lease, Store
from engine.runtime.lease import RENEWAL, TTL, Leases
from engine.runtime.owner import Owner
from engine.runtime.threads import Work, in_own_thread
from engine.stores.memory import MemoryStore
from tests.clock import Steered
from tests.runtime.life_process import dead_owner
from tests.stores.contract import addition

DAY = 86_400


def elsewhere() -> Owner:
    """A process on a host that nobody here can look into."""
    return replace(Owner.mine(), host="far-away", pid=4711)


async def leased(owner: Owner | str, clock: Steered) -> tuple[MemoryStore, Head]:
    """A store with one run that is driven by `owner`."""
    store = MemoryStore()
    lease = Lease(str(owner), 1, ticks(clock.now()) + int(TTL * 1e6))
    await store.append(addition("r1", 0, lease=lease))
    return store, await row(store)


async def row(store: Store) -> Head:
    head = await store.head("r1")
    assert head is not None
    return head


async def passes(clock: Steered, seconds: float, *, step: float = 1.0) -> None:
    """Time goes by in small steps, and who is due does what it has to."""
    for _ in range(round(seconds / step)):
        clock.run(step)
        for _ in range(20):
            await asyncio.sleep(0)


async def test_a_free_run_is_taken_and_the_fence_moves_on() -> None:
    store, clock = MemoryStore(), Steered()
    await store.append(addition("r1", 0))
    lease = await Leases(store, clock).take(await row(store))
    assert (lease.epoch, (await row(store)).lease) == (1, lease)
    assert lease.expires == ticks(clock.now()) + int(TTL * 1e6)


async def test_who_comes_second_is_told_who_was_first() -> None:
    clock = Steered()
    store, head = await leased(elsewhere(), clock)
    with pytest.raises(RunBusy, match=r"r1 is being driven by process 4711 on far-away.*12:00:30"):
        await Leases(store, clock).take(head)
    assert await row(store) == head


async def test_a_dead_process_s_lease_is_taken_over_at_once() -> None:
    clock = Steered()
    store, head = await leased(dead_owner(), clock)
    assert (await Leases(store, clock).take(head)).epoch == 2
    assert clock.slept == []


async def test_a_number_that_another_process_has_now_does_not_make_it_live() -> None:
    clock = Steered()
    store, head = await leased(replace(Owner.mine(), started="1"), clock)
    assert (await Leases(store, clock).take(head)).epoch == 2


async def test_another_driver_of_this_process_is_no_dead_one() -> None:
    clock = Steered()
    store, head = await leased(Owner.mine(), clock)
    with pytest.raises(RunBusy, match="being driven by process"):
        await Leases(store, clock).take(head)


async def test_of_two_that_see_a_free_run_one_has_it() -> None:
    store, clock = MemoryStore(), Steered()
    await store.append(addition("r1", 0))
    head = await row(store)
    first = await Leases(store, clock).try_take(head)
    assert (first is None, await Leases(store, clock).try_take(head)) == (False, None)


@pytest.mark.parametrize("jump", [0, DAY, -3600])
async def test_another_host_s_lease_is_taken_when_it_was_seen_not_to_be_renewed(jump: int) -> None:
    clock = Steered()
    store, head = await leased(elsewhere(), clock)
    waiting = asyncio.create_task(Leases(store, clock).take(head, wait=True))
    await clock.asleep()
    clock.jump(jump)
    needed = RENEWAL if jump == DAY else TTL
    await passes(clock, needed - 1)
    assert not waiting.done(), "it was not looked on for long enough"
    await passes(clock, 3)
    assert (await waiting).epoch == 2


@pytest.mark.parametrize("jump", [0, DAY, -3600])
async def test_a_lease_that_is_renewed_is_never_taken_whatever_the_clock_says(jump: int) -> None:
    clock = Steered()
    store, head = await leased(owner := elsewhere(), clock)
    waiting = asyncio.create_task(Leases(store, clock).take(head, wait=True))
    await clock.asleep()
    clock.jump(jump)
    for n in range(20):
        await passes(clock, RENEWAL - 1)
        await store.renew(str(owner), 1_800_000_000_000_000 + n)
    assert not waiting.done()
    assert (await row(store)).lease.epoch == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_who_would_not_wait_is_told_when_the_other_clock_is_behind_but_its_driver_lives() -> (
    None
):
    # The other host's clock is a day behind ours, so each of its renewals has run out for us.
    clock = Steered()
    store, _ = await leased(owner := elsewhere(), clock)
    clock.jump(DAY)
    taking = asyncio.create_task(Leases(store, clock).take(await row(store)))
    await clock.asleep()
    for n in range(12):
        if taking.done():
            break
        await passes(clock, RENEWAL / 2)
        await store.renew(str(owner), (await row(store)).lease.expires + n + 1)
    assert taking.done(), "it waits although it was not to, and nobody is dead"
    with pytest.raises(RunBusy):
        await taking


async def test_a_driver_s_lease_is_renewed_while_it_drives_and_then_given_back() -> None:
    store, clock = MemoryStore(), Steered()
    await store.append(addition("r1", 0))
    leases, seen = Leases(store, clock), list[int]()
    lease = await leases.take(await row(store))
    async with leases.kept("r1", lease):
        for jump in (0, -3600, DAY, 0):
            await clock.asleep()
            clock.jump(jump)
            await passes(clock, RENEWAL)
            held = (await row(store)).lease
            assert held.expires == ticks(clock.now()) + int(TTL * 1e6)
            seen.append(held.expires)
    assert len(set(seen)) == 4
    assert (await row(store)).lease == Lease(epoch=1)
    await passes(clock, 2 * RENEWAL)
    assert (await row(store)).lease == Lease(epoch=1), "it is renewed no more"


async def test_a_thread_that_has_ended_by_the_close_leaves_no_lease() -> None:
    store, clock, may_end = MemoryStore(), Steered(), threading.Event()
    await store.append(addition("r1", 0))
    leases, work = Leases(store, clock), Work("a tool")
    lease = await leases.take(await row(store))
    async with leases.kept("r1", lease):
        await broken_off(in_own_thread("r1", may_end.wait, work))
    assert (await row(store)).lease == lease, "somebody could take its call for lost"
    may_end.set()
    for thread in threading.enumerate():
        if thread.name == work.name:
            thread.join()
    await leases.close()
    assert (await row(store)).lease == Lease(epoch=1)


async def broken_off(work: Coroutine[None, None, object]) -> None:
    """Nothing, once it has begun and was cancelled."""
    task = asyncio.create_task(work)
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


class Failing(MemoryStore):
    """Its leases cannot be written, so often."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures, self.failed = failures, 0

    def fail(self) -> None:
        if self.failed < self.failures:
            self.failed += 1
            raise StoreError("the disk is full")

    async def renew(self, owner: str, expires: int) -> None:
        self.fail()
        await super().renew(owner, expires)

    async def release(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        self.fail()
        await super().release(run_id, lease, moved=moved)


async def test_a_renewal_that_fails_is_told_and_made_up_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, clock = Failing(1), Steered()
    await store.append(addition("r1", 0))
    leases = Leases(store, clock)
    lease = await leases.take(await row(store))
    async with leases.kept("r1", lease):
        await clock.asleep()
        await passes(clock, RENEWAL)
        assert (store.failed, (await row(store)).lease.expires) == (1, lease.expires)
        await passes(clock, RENEWAL)
        assert (await row(store)).lease.expires > lease.expires
    assert "could not be renewed: the disk is full" in caplog.text


@pytest.mark.parametrize("text", ["", "nobody", "a/b/c", "host/pid/1/tag"])
def test_an_owner_that_cannot_be_read_is_none(text: str) -> None:
    assert Owner.read(text) is None


def test_an_owner_is_told_apart_and_read_again() -> None:
    mine = Owner.mine()
    assert Owner.read(str(mine)) == mine
    assert Owner.mine() != mine
    assert (mine.is_dead, dead_owner().is_dead, elsewhere().is_dead) == (False, True, False)


async def test_a_run_that_is_gone_ends_the_wait() -> None:
    clock = Steered()
    store, head = await leased(elsewhere(), clock)

    async def gone(_: str) -> None:
        return None

    waiting = asyncio.create_task(Leases(store, clock).take(head, wait=True))
    await clock.asleep()
    store.head = gone  # type: ignore[method-assign,assignment] # somebody deletes the row
    clock.run(1)
    with pytest.raises(Exception, match="r1 is gone"):
        await waiting
