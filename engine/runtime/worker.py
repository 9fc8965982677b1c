"""Takes up whatever is ready, many runs at once, until it is told to stop."""

import asyncio
import logging
import math
from collections.abc import Sequence
from functools import partial

from engine.codec.events import ticks
from engine.core.clean import error_words
from engine.core.tokens import without_tokens
from engine.errors import BadInputError, RunBusy, RunTooNewError, UnverifiedRunError
from engine.ports import Head
from engine.runtime.host import Host

POLL = 0.5  # seconds between two looks at the store
MOST_TRIES = 5
MOST_AT_ONCE = 10_000
_OWED_AT_ONCE = 1000

_LOG = logging.getLogger("waystation")


class Worker:
    """Drives the ready runs of some workflows: new, decided, due again, or left by a dead driver.

    A run that fails to move when it is taken up is left alone for a while. After
    `MOST_TRIES` times in a row, by whichever worker, it is set aside: nobody takes it up
    until somebody resumes it by name. Of the runs that a dead driver left, any may be what
    killed it, so they are taken up one at a time: the others are not killed with it again.
    """

    def __init__(self, host: Host, workflows: Sequence[str], concurrency: int) -> None:
        """Take the names of the workflows, and how many runs to drive at once."""
        if not 1 <= concurrency <= MOST_AT_ONCE:
            words = f"concurrency must be at least 1 and at most {MOST_AT_ONCE}"
            raise BadInputError(f"{words}, not {concurrency}")
        self.workflows = tuple(workflows)
        self._host, self._concurrency = host, concurrency
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._failed: set[str] = set()
        self._resting: dict[str, float] = {}  # until when, as `Clock.monotonic` has it
        self._suspect = ""
        self.is_broken_off = False  # whether it was told to break off what still ran

    @property
    def failed(self) -> Sequence[str]:
        """The runs that could not be moved, by id."""
        return sorted(self._failed)

    async def run(self, *, once: bool = False) -> None:
        """Nothing, once it was told to stop and holds no run any more.

        With `once` it stops by itself when nothing is ready. StoreError where the store
        fails when it is looked at.
        """
        try:
            await self._settle_owed()
            while not self._stopping.is_set():
                was_idle = not self._running  # else one may have become ready since we looked
                await self._fill()
                if once and was_idle and not self._running:
                    break
                if was_idle or self._running:
                    await self._wait()
        finally:
            while self._running:
                await asyncio.wait(self._running.values())

    def stop(self) -> None:
        """Begin nothing new. Told again, break off what still runs: its calls are in doubt then."""
        if self._stopping.is_set():
            self.is_broken_off = True
            for task in self._running.values():
                task.cancel()
        self._stopping.set()

    async def _fill(self) -> None:
        for head in await self._ready():
            if len(self._running) < self._concurrency and self._is_due(head):
                task = asyncio.create_task(self._drive(head))
                self._running[head.run_id] = task
                # Not in the task itself, which never begins where it is cancelled at once.
                task.add_done_callback(partial(self._forget, head.run_id))
                if head.lease.owner:
                    self._suspect = head.run_id

    async def _ready(self) -> Sequence[Head]:
        store, room = self._host.store, self._concurrency - len(self._running)
        if not room:
            return ()
        left: list[Head] = []
        if self._suspect not in self._running:
            left = [head for head in await store.leased() if self._may_be_left(head)]
        self._wake()
        now = ticks(self._host.clock.now())
        limit = room + len(self._resting)  # those that rest may stand in front
        ready = await store.ready(now=now, workflows=self.workflows, tries=MOST_TRIES, limit=limit)
        return (*left[:1], *ready)

    def _may_be_left(self, head: Head) -> bool:
        ours = head.workflow in self.workflows and head.tries < MOST_TRIES
        return ours and self._is_due(head) and self._host.is_free(head)

    def _is_due(self, head: Head) -> bool:
        """Whether we neither drive the run already, nor leave it alone for a while."""
        return head.run_id not in self._running and head.run_id not in self._resting

    def _wake(self) -> None:
        now = self._host.clock.monotonic()
        self._resting = {name: until for name, until in self._resting.items() if until > now}

    async def _drive(self, head: Head) -> None:
        """Take the run up; where it does not go on at once, leave it alone for so many seconds."""
        clock, rest = self._host.clock, 0.0
        try:
            until = await self._host.take_up(head, self._stopping)
            self._failed.discard(head.run_id)
            if until is not None:  # though the row may call the run ready
                rest = (until - clock.now()).total_seconds()
        except (RunTooNewError, UnverifiedRunError) as error:
            rest = math.inf
            _LOG.warning("run %s is left as it is: %s", head.run_id, error)
        except RunBusy:
            rest = POLL
            _LOG.info("run %s is driven by somebody else now", head.run_id)
        except Exception as error:  # noqa: BLE001 # one bad run stops no other
            rest = POLL * 2**head.tries
            self._failed.add(head.run_id)
            words = "run %s could not be driven (%d of %d tries): %s"
            _LOG.warning(words, head.run_id, head.tries + 1, MOST_TRIES, _words(error))
        self._resting[head.run_id] = clock.monotonic() + rest

    def _forget(self, run_id: str, _: "asyncio.Task[None]") -> None:
        del self._running[run_id]

    async def _wait(self) -> None:
        """Until a run is done with, or it is time to look again, or we are to stop."""
        pause = asyncio.ensure_future(self._host.clock.sleep(POLL))
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                (pause, stopped, *self._running.values()), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            pause.cancel()
            stopped.cancel()

    async def _settle_owed(self) -> None:
        for head in await self._host.store.owed(_OWED_AT_ONCE):
            try:
                await self._host.settle(head.run_id)
            except Exception as error:  # noqa: BLE001 # one bad run stops no other
                _LOG.warning("run %s: %s", head.run_id, _words(error))


def _words(error: BaseException) -> str:
    return without_tokens(error_words(error))
