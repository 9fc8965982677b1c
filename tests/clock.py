"""Clocks for tests."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from engine.runtime.lease import RENEWAL


class Jumping:
    """A clock that sleeps by jumping, and keeps how long it was asked to."""

    def __init__(self) -> None:
        self.time, self.slept = datetime(2026, 1, 1, tzinfo=UTC), list[float]()

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def sleep_until(self, at: datetime) -> None:
        self.slept.append((at - self.time).total_seconds())
        self.time = max(at, self.time) + timedelta(microseconds=1)


@dataclass(slots=True)
class _Sleeper:
    due: Callable[[], bool]
    woken: asyncio.Event
    seconds: float | None = None  # for so long, unless until some time


class Steered:
    """A clock that stands still, and wakes who sleeps by it as a test lets time pass.

    Several clocks may share one time: each is that of a process, which may be stopped
    for a while and then wakes late.
    """

    def __init__(self, time: "Steered | None" = None) -> None:
        self._time = time or self
        self.wall, self.ran = datetime(2026, 1, 1, 12, tzinfo=UTC), 0.0
        self._sleepers: list[_Sleeper] = []
        self._changed = asyncio.Event()
        self._stopped = False
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._time.wall

    def monotonic(self) -> float:
        return self._time.ran

    async def sleep(self, seconds: float) -> None:
        end = self.monotonic() + seconds
        self.slept.append(seconds)
        await self._sleep(lambda: self.monotonic() >= end, seconds)

    async def sleep_until(self, at: datetime) -> None:
        await self._sleep(lambda: self.now() >= at)

    def run(self, seconds: float) -> None:
        """Let so much time pass; wakes nobody by itself when others share this time."""
        self.wall += timedelta(seconds=seconds)
        self.ran += seconds
        self.wake()

    def jump(self, seconds: float) -> None:
        """Set the clock on or back; no time has passed."""
        self.wall += timedelta(seconds=seconds)
        self.wake()

    def stop(self) -> None:
        """Wake nobody until told to go on."""
        self._stopped = True

    def go_on(self) -> None:
        """Wake whoever is due, late or not."""
        self._stopped = False
        self.wake()

    def wake(self) -> None:
        """Wake whoever is due."""
        for one in self._sleepers:
            if not self._stopped and one.due():
                one.woken.set()

    def is_waited_for(self) -> bool:
        """Whether something goes on only as time passes, beside the renewal of leases."""
        return any(one.seconds != RENEWAL for one in self._sleepers)

    async def asleep(self, count: int = 1) -> None:
        """Nothing, once so many sleep by this clock."""
        while len(self._sleepers) < count:
            self._changed.clear()
            await self._changed.wait()

    async def _sleep(self, due: Callable[[], bool], seconds: float | None = None) -> None:
        one = _Sleeper(due, asyncio.Event(), seconds)
        self._sleepers.append(one)
        self._changed.set()
        try:
            if due() and not self._stopped:
                await asyncio.sleep(0)
            else:
                await one.woken.wait()
        finally:
            self._sleepers.remove(one)
