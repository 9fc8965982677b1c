"""The machine's own clock."""

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """The time as this machine has it."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, at: datetime) -> None:
        """Nothing, once it is `at`."""
        await asyncio.sleep(max(0.0, (at - self.now()).total_seconds()))
