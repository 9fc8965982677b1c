"""Whose lease may be taken over: a dead process's at once, another host's once it is watched."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from engine import Engine, RunBusy, State
from engine.codec.events import ticks
from engine.runtime.lease import POLL, RENEWAL, TTL
from tests.races.checks import leased, starts
from tests.races.drivers import FILE, opened, submit, workflow
from tests.races.holders import ENTERED, LINGERS, hold, lingering
from tests.races.processes import Children, until_in_state

ROOT = Path(__file__).parents[2]
LOOKS = workflow(lingering(None), turns=LINGERS)
AWAY = "elsewhere#pid_1/42/7/abc"
DAY = timedelta(days=1)

needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")


async def test_a_living_driver_keeps_its_lease_and_a_dead_one_loses_it_at_once(
    children: Children,
) -> None:
    await submit(1, LOOKS)
    holder = children.start(hold)
    holder.wait_for(ENTERED)
    async with opened(LOOKS) as engine:
        with pytest.raises(RunBusy, match=f"r1 is being driven by process {holder.pid} on "):
            await engine.resume("r1")
        holder.signal(signal.SIGSTOP)
        with pytest.raises(RunBusy, match=f"process {holder.pid} "):
            await engine.resume("r1")
        holder.kill()
        await taken_at_once(engine)


@needs_proc
async def test_a_process_that_is_dead_but_not_yet_waited_for_is_dead() -> None:
    await submit(1, LOOKS)
    command = [sys.executable, "-m", "tests.races.holders"]
    holder = subprocess.Popen(  # noqa: ASYNC220 # nothing else runs
        command, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == f"{ENTERED}\n"
        holder.kill()
        until_in_state(holder.pid, "Z")
        async with opened(LOOKS) as engine:
            await taken_at_once(engine)
        assert holder.returncode is None, "it was waited for too early"
    assert holder.returncode == -signal.SIGKILL


@needs_proc
async def test_a_later_process_under_the_same_number_is_somebody_else(children: Children) -> None:
    await submit(1, LOOKS)
    holder = children.start(hold)
    holder.wait_for(ENTERED)
    host, pid, started, tag = owner().rsplit("/", 3)
    assert int(pid) == holder.pid
    change("UPDATE runs SET owner = ?", "/".join((host, pid, str(int(started) - 1), tag)))
    async with opened(LOOKS) as engine:
        await taken_at_once(engine)


class LongEnoughError(Exception):
    """Nothing went wrong; the test has seen enough."""


class Hand:
    """A clock that is turned by hand, and by sleeping; `at_sleep` is done at each look."""

    def __init__(self, at_sleep: Callable[[int], None] | None = None) -> None:
        self.time, self.seconds = datetime(2026, 1, 1, tzinfo=UTC), 0.0
        self.looks = 0
        self._at_sleep = at_sleep or (lambda _: None)

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.seconds

    async def sleep_until(self, at: datetime) -> None:
        await self.sleep((at - self.time).total_seconds())

    async def sleep(self, seconds: float) -> None:
        if seconds >= RENEWAL:
            await asyncio.Event().wait()  # who keeps a lease: nothing here takes so long
        self.looks += 1
        self.time += timedelta(seconds=seconds)
        self.seconds += seconds
        self._at_sleep(self.looks)


async def held_elsewhere(clock: Hand) -> None:
    """A run whose lease another host has, from now on for TTL seconds."""
    await submit(1, LOOKS)
    expires = ticks(clock.now() + timedelta(seconds=TTL))
    change("UPDATE runs SET owner = ?, epoch = 1, expires = ?", AWAY, expires)


async def test_another_host_s_lease_is_respected_while_it_lasts() -> None:
    clock = Hand()
    await held_elsewhere(clock)
    async with opened(LOOKS, clock=clock) as engine:
        with pytest.raises(RunBusy, match="process 42 on elsewhere, .* until 00:00:30 UTC"):
            await engine.resume("r1")
    assert (clock.looks, owner()) == (0, AWAY)


async def test_another_host_s_lease_that_ran_out_is_taken_once_it_was_watched() -> None:
    clock = Hand()
    await held_elsewhere(clock)
    clock.time += DAY
    async with opened(LOOKS, clock=clock) as engine:
        await taken_at_once(engine)
    assert RENEWAL <= clock.seconds <= RENEWAL + 2 * POLL


async def test_a_clock_that_jumps_on_takes_no_lease_that_is_renewed() -> None:
    def renew(look: int) -> None:
        if look == 7:
            change("UPDATE runs SET expires = ?", ticks(clock.now() + timedelta(seconds=TTL)))

    clock = Hand(renew)
    await held_elsewhere(clock)
    clock.time += DAY
    async with opened(LOOKS, clock=clock) as engine:
        with pytest.raises(RunBusy, match="on elsewhere"):
            await engine.resume("r1")
    assert (clock.looks, owner()) == (7, AWAY)


async def test_a_driver_whose_clock_is_a_day_behind_keeps_its_lease_while_it_renews() -> None:
    late = 2 * round(TTL / POLL)

    def renew(look: int) -> None:
        if look == late:
            raise LongEnoughError
        if look % 10 == 0:
            change("UPDATE runs SET expires = expires + 1")

    clock = Hand(renew)
    await held_elsewhere(clock)
    clock.time += DAY
    async with opened(LOOKS, clock=clock) as engine:
        with pytest.raises(LongEnoughError):
            await engine.resume("r1", wait=True)
    assert (clock.looks, owner()) == (late, AWAY)


async def test_a_clock_that_was_set_back_keeps_no_dead_lease_for_ever() -> None:
    clock = Hand()
    await held_elsewhere(clock)
    clock.time -= timedelta(hours=1)
    async with opened(LOOKS, clock=clock) as engine:
        run = await engine.resume("r1", wait=True)
    assert run.state is State.Done
    assert TTL <= clock.seconds <= TTL + 2 * POLL


async def taken_at_once(engine: Engine) -> None:
    """The run can be driven on, under a new lease, and the call that broke off runs again."""
    run = await engine.resume("r1")
    assert run.state is State.Done
    begun = await starts(engine, "r1")
    assert [start.epoch for start in begun] == list(range(3 - len(begun), 3))
    assert leased() == []


def owner() -> str:
    with closing(apsw.Connection(FILE)) as database:
        return str(database.execute("SELECT owner FROM runs").get)


def change(sql: str, *values: str | int) -> None:
    with closing(apsw.Connection(FILE)) as database:
        database.set_busy_timeout(10_000)
        database.execute(sql, values)
        assert database.changes() == 1
