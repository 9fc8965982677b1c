"""The machine's own clock."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class SystemClock:
    """The time as this machine has it: one clock, however many engines read it."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment; never set back or on."""
        return time.monotonic()

    async def sleep_until(self, at: datetime) -> None:
        """Nothing, once it is `at`."""
        await asyncio.sleep(max(0.0, (at - self.now()).total_seconds()))

    async def sleep(self, seconds: float) -> None:
        """Nothing, after so many seconds."""
        await asyncio.sleep(seconds)
