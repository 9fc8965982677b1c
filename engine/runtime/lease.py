"""One driver at a time: taking, keeping and giving back the lease of a run."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from engine.codec.events import from_ticks, ticks
from engine.errors import EngineError, RunBusy, StoreError
from engine.ports import Clock, Head, Lease, Store
from engine.runtime.owner import Owner
from engine.runtime.stop import to_the_end
from engine.runtime.threads import still_runs

TTL = 30.0  # seconds that a lease lasts unless it is renewed
RENEWAL = TTL / 3
POLL = 0.2

_LOG = logging.getLogger("waystation")


class Leases:
    """The leases of one driver.

    A lease is taken over from a dead process of this host at once. Any other one
    must have run out by the clock, and on top of that must not have been renewed
    while we looked on for a renewal's time, so that a clock that jumps takes no
    lease from a driver that lives. One that has not been renewed for all of its
    time while we looked on is taken whatever the clock says.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Hold nothing yet."""
        self._store, self._clock = store, clock
        self._owner = Owner.mine()
        self._seen: dict[str, tuple[Lease, float]] = {}
        self._held = 0
        self._keeper: asyncio.Task[None] | None = None
        self._strays: dict[asyncio.Task[None], tuple[str, Lease]] = {}

    def first(self) -> Lease:
        """The lease that a run of ours begins with."""
        return Lease(str(self._owner), 1, self._expiry())

    async def take(self, head: Head, *, wait: bool = False) -> Lease:
        """The lease of the run, ours from now on.

        Raises RunBusy, naming the owner, where somebody else drives it; with `wait`,
        waits for them instead, for as long as it takes.
        """
        first = head.lease
        while not (lease := await self.try_take(head)):
            head = await self._again(head)
            if not head.lease.owner:
                continue  # it was given back meanwhile
            lives = head.lease != first or not self._ran_out(head.lease)
            if lives and not wait:
                raise _busy(head)
            await self._clock.sleep(POLL)
            head = await self._again(head)
        return lease

    async def try_take(self, head: Head) -> Lease | None:
        """The lease of the run, or None where it cannot be had now."""
        if not self.is_free(head):
            return None
        lease = Lease(str(self._owner), head.lease.epoch + 1, self._expiry())
        won = False

        async def claim() -> None:
            nonlocal won
            won = await self._store.claim(head.run_id, head.lease, lease)

        try:
            await to_the_end(claim())
        except asyncio.CancelledError:
            if won:
                await self._give_back(head.run_id, lease, moved=False)
            raise
        if not won:
            return None
        self._seen.pop(head.run_id, None)
        return lease

    async def clear(self, head: Head | None) -> None:
        """Nothing; ends a dead driver's lease of a run that has nothing to drive."""
        if head is not None and head.lease.owner and (lease := await self.try_take(head)):
            await self._give_back(head.run_id, lease, moved=True)

    @asynccontextmanager
    async def kept(self, run_id: str, lease: Lease) -> AsyncIterator[None]:
        """A context in which the lease is renewed; afterwards nobody drives the run.

        Where it was broken off and a tool's thread still runs, the lease is kept until
        that has ended, or this process has: nobody takes the call for lost before.
        """
        self._held += 1
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep())
        moved = False
        try:
            yield
            moved = True
        finally:
            if still_runs(run_id):
                stray = asyncio.create_task(self._outlast(run_id, lease))
                self._strays[stray] = run_id, lease
                stray.add_done_callback(lambda done: self._strays.pop(done, None))
            else:
                await self._let_go(run_id, lease, moved=moved)

    async def close(self) -> None:
        """Nothing; a lease that is kept for a thread that still runs ends with this process."""
        strays = dict(self._strays)
        for stray in strays:
            stray.cancel()
        await asyncio.gather(*strays, return_exceptions=True)
        for run_id, lease in strays.values():
            if not still_runs(run_id):
                await self._give_back(run_id, lease, moved=True)
        self._rest()

    async def _outlast(self, run_id: str, lease: Lease) -> None:
        while still_runs(run_id):
            await self._clock.sleep(POLL)
        await self._let_go(run_id, lease, moved=True)

    async def _let_go(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        self._held -= 1
        if not self._held:
            self._rest()
        await self._give_back(run_id, lease, moved=moved)

    def _rest(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            self._keeper = None

    async def _give_back(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        try:
            await to_the_end(self._store.release(run_id, lease, moved=moved))
        except StoreError as error:
            _LOG.warning("the lease of run %s could not be given back: %s", run_id, error)

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep(RENEWAL)
            try:
                await self._store.renew(str(self._owner), self._expiry())
            except StoreError as error:
                _LOG.warning("leases could not be renewed: %s", error)

    def is_free(self, head: Head) -> bool:
        """Whether the run can be taken up now; how long it was looked on is remembered."""
        if not head.lease.owner:
            return True
        owner = Owner.read(head.lease.owner)
        if owner == self._owner:
            return not still_runs(head.run_id)
        if owner is None or owner.is_dead:
            return True
        since = self._looked_on(head)
        return since >= TTL or (since >= RENEWAL and self._ran_out(head.lease))

    def _looked_on(self, head: Head) -> float:
        """For how many seconds we have seen this same lease, unrenewed."""
        now = self._clock.monotonic()
        lease, first = self._seen.get(head.run_id, (None, now))
        if lease != head.lease:
            first = now
        self._seen[head.run_id] = (head.lease, first)
        return now - first

    def _ran_out(self, lease: Lease) -> bool:
        return from_ticks(lease.expires) <= self._clock.now()

    async def _again(self, head: Head) -> Head:
        now = await self._store.head(head.run_id)
        if now is None:
            raise EngineError(f"run {head.run_id} is gone from its store")
        return now

    def _expiry(self) -> int:
        return ticks(self._clock.now() + timedelta(seconds=TTL))


def _busy(head: Head) -> RunBusy:
    owner = Owner.read(head.lease.owner)
    who = owner.in_words() if owner else "somebody else"
    until = f"{from_ticks(head.lease.expires):%H:%M:%S} UTC unless renewed"
    return RunBusy(
        f"run {head.run_id} is being driven by {who}, with a lease until {until}; "
        "wait for it (--wait), or let it finish"
    )
