"""The way in to one endpoint: first come, first served, for all runs of this process."""

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from engine.ports import Clock
from engine.rates.limit import RateLimit
from engine.rates.meter import Meter

_LONG = 10.0  # seconds; who is to wait longer leaves, and makes room for other endpoints' runs
_ENOUGH = 64  # at once: after a pause there is no storm any more
_JITTER = 0.1  # of a pause, so that not all processes come back at once; a second at most


class Gate:
    """Who asks the endpoint now, and who waits.

    Where it wants to be left alone, nobody goes in until then; afterwards one goes alone,
    and twice as many after each one that came to a reply. Loops and threads may share it.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin open, without a bound."""
        self._clock, self._limit, self._meter = clock, RateLimit(), Meter()
        self._queue: deque[_Waiter] = deque()
        self._inside = self._pauses = 0
        self._easing: int | None = None  # how many may be inside, after a pause
        self._held: tuple[datetime, datetime] | None = None
        self._lock = Lock()

    def narrow(self, limit: RateLimit) -> None:
        """Nothing; from now on this limit holds, too."""
        with self._lock:
            if (both := self._limit.stricter(limit)) != self._limit:
                self._limit = both
                self._meter.narrow(both)

    async def enter(self, tokens: int) -> "Entry | datetime":
        """The way in, once it is our turn; it is left by `leave`.

        A time where the endpoint is to be left alone for long: nobody is inside before then.
        """
        waiter, waited = _Waiter(), False
        with self._lock:
            self._queue.append(waiter)
        try:
            while pause := self._pause(waiter, tokens):
                if pause.is_long and pause.until:
                    return pause.until
                waited = True
                await waiter.rest(self._clock, pause)
            return Entry(tokens, self._pauses, waited=waited)
        finally:
            with self._lock:
                self._queue.remove(waiter)
            self._wake_next()

    def leave(self) -> None:
        """Nothing; there is room for another."""
        with self._lock:
            self._inside -= 1
        self._wake_next()

    def settle(self, entry: "Entry", tokens: int) -> None:
        """Nothing; a reply came, and took so many tokens (0 where that was not told)."""
        with self._lock:
            if tokens:
                self._meter.settle(entry.tokens, tokens)
            if self._easing and entry.pauses == self._pauses:
                self._easing = self._easing * 2 if self._easing < _ENOUGH else None

    def hold(self, until: datetime) -> None:
        """Nothing; nobody goes in before then."""
        import random

        now = self._clock.now()
        pause = max(0.0, (until - now).total_seconds())
        pause += random.uniform(0, min(1.0, pause * _JITTER))  # noqa: S311 # jitter is no secret
        with self._lock:
            until = now + timedelta(seconds=pause)
            self._held = (now, max(until, self._held_until(now) or until))
            self._pauses, self._easing = self._pauses + 1, 1
            for waiter in self._queue:
                waiter.call()

    def _pause(self, waiter: "_Waiter", tokens: int) -> "_Pause | None":
        """None, and we are inside; else what is waited for."""
        with self._lock:
            waiter.called.clear()
            now = self._clock.now()
            until = self._held_until(now)
            if until and (until - now).total_seconds() > _LONG:
                return _Pause(until=until, is_long=True)
            if self._queue[0] is not waiter:
                return _Pause()
            if until:
                return _Pause(until=until)
            bounds = (self._limit.max_concurrent, self._easing)
            if self._inside >= min((one for one in bounds if one), default=self._inside + 1):
                return _Pause()
            if seconds := self._meter.spend(self._clock.monotonic(), tokens):
                return _Pause(seconds=seconds)
            self._inside += 1
            return None

    def _held_until(self, now: datetime) -> datetime | None:
        """Until when it wants to be left alone; not at all where the clock was set back since."""
        if self._held is None or not self._held[0] <= now < self._held[1]:
            return None
        return self._held[1]

    def _wake_next(self) -> None:
        with self._lock:
            if self._queue:
                self._queue[0].call()


@dataclass(frozen=True, slots=True)
class Entry:
    """One who went in: for how many `tokens`, after how many `pauses`."""

    tokens: int
    pauses: int
    waited: bool


@dataclass(frozen=True, slots=True)
class _Pause:
    """What somebody waits for: to be called, or a time before that."""

    until: datetime | None = None
    seconds: float | None = None
    is_long: bool = False

    def __bool__(self) -> bool:
        return True


@dataclass(eq=False, slots=True)
class _Waiter:
    """Somebody in the queue, in a loop of their own."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    called: asyncio.Event = field(default_factory=asyncio.Event)

    def call(self) -> None:
        with suppress(RuntimeError):  # a loop that is closed waits for nothing any more
            self.loop.call_soon_threadsafe(self.called.set)

    async def rest(self, clock: Clock, pause: _Pause) -> None:
        """Nothing, once we are called, or the time has come."""
        tasks: list[asyncio.Future[object]] = [asyncio.ensure_future(self.called.wait())]
        if pause.until:
            tasks.append(asyncio.ensure_future(clock.sleep_until(pause.until)))
        if pause.seconds:
            tasks.append(asyncio.ensure_future(clock.sleep(pause.seconds)))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
