"""A driver that is cancelled while it takes or gives back its lease keeps none."""

import asyncio

import pytest

from engine import State
from engine.ports import Lease
from engine.stores.sqlite import SqliteStore
from tests.races.checks import leased
from tests.races.drivers import FILE, opened, submit


class SlowStore(SqliteStore):
    """A store that takes its time over a claim or a release."""

    def __init__(self, slow: str) -> None:
        super().__init__(FILE)
        self._slow, self.entered, self.released = slow, asyncio.Event(), asyncio.Event()

    async def claim(self, run_id: str, seen: Lease, lease: Lease) -> bool:
        won = await super().claim(run_id, seen, lease)
        await self._pause("claim")
        return won

    async def release(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        await self._pause("release")
        await super().release(run_id, lease, moved=moved)

    async def _pause(self, where: str) -> None:
        if where == self._slow:
            self.entered.set()
            await self.released.wait()


@pytest.mark.parametrize(
    ("slow", "ends"), [("claim", State.AwaitingModel), ("release", State.AwaitingApproval)]
)
async def test_a_driver_broken_off_at_its_lease_leaves_nothing_leased(
    slow: str, ends: State
) -> None:
    await submit(1, "refund")
    store = SlowStore(slow)
    async with opened("refund", store) as engine:
        driving = asyncio.create_task(engine.resume("r1"))
        await store.entered.wait()
        assert leased() == ["r1"]
        driving.cancel()
        asyncio.get_running_loop().call_soon(store.released.set)
        with pytest.raises(asyncio.CancelledError):
            await driving
        assert leased() == []
        assert (await engine.run("r1")).state is ends
