"""Clocks for tests."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


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
