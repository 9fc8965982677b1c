"""Writes the golden journals of today's version: `python -m tests.replay.write_golden FOLDER`.

Run it by hand when the shape of an event, a checkpoint or the store gets a new version, and
keep what the older ones wrote. Time and chance are fixed, so runs.jsonl is the same each time,
byte for byte. In runs.db that is true of the events; the rest of the file is not fixed.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine import (
    Engine,
    Message,
    ModelReply,
    NotExecuted,
    TransientModelError,
)
from engine.ports import Lease
from engine.runtime.owner import Owner
from engine.stores.sqlite import SqliteStore
from tests.clock import Jumping
from tests.replay.bazaar import APPROVERS, Bell, bazaar
from tests.replay.bazaar_runs import BazaarRuns
from tests.replay.diaries import RememberedRuns, diaries
from tests.replay.kept_runs import KeptRuns
from tests.replay.market import Market
from tests.replay.measured_runs import MeasuredRuns
from tests.replay.meters import PRICES, meters
from tests.replay.vault import vault
from tests.runtime.test_engine import calls

LOOK, PAY = ("look", {"order": "1"}), ("pay", {"order": "2", "amount": 3})
SEND, NOTE, BOOK = ("send", {"order": "3"}), ("note", {"order": "4"}), ("book", {"order": "5"})
SEED = 1
SLOW = TimeoutError("no answer in 5 s")


class Ticking(Jumping):
    """Each look at the clock is a millisecond later."""

    def now(self) -> Any:
        self.time += timedelta(milliseconds=1)
        return self.time


class Writer:
    """Writes runs into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock, self.market = folder, Ticking(), Market()
        self.bells = (Bell("bell"), Bell("horn", OSError("nobody there")))
        self.bazaar = BazaarRuns(self.market, self.pass_time)
        self.measured = MeasuredRuns(self.market)
        self.remembered = RememberedRuns(self.market)
        self.kept = KeptRuns(self.market, self.clock.now, folder)

    def pass_time(self, how_long: timedelta) -> None:
        self.clock.time += how_long

    def engine(self, *, changed: bool = False, store: str = "runs.db") -> Engine:
        return Engine(
            store=store if store == "memory://" else f"sqlite:///{self.folder}/{store}",
            workflows=[
                self.market.workflow(changed=changed),
                bazaar(self.market, *self.bells),
                vault(self.market),
                *meters(self.market),
                *diaries(self.market),
            ],
            approvers=APPROVERS,
            prices=PRICES,
            log=self.folder / "runs.jsonl",
            clock=self.clock,
        )

    async def start(self, engine: Engine, run_id: str, *sayings: Any) -> None:
        await engine.start("market", f"The run {run_id}", self.market.says(run_id, sayings))

    async def decided(self, engine: Engine) -> None:
        """Runs that people decided on."""
        for run_id in ("parked", "given-up"):
            await self.start(engine, run_id, calls(PAY))
        await engine.abort("given-up", by="bob", reason="enough")
        await self.start(engine, "denied", calls(LOOK, PAY, ("gone", {})))
        await engine.deny("denied", by="bob", reason="too much")

    async def doubted(self, engine: Engine) -> None:
        """Runs whose calls broke off."""
        self.market.faults += [SLOW, SLOW]
        await self.start(engine, "in-doubt", calls(SEND))
        self.market.look_ups += [OSError("nobody there")]
        await self.start(engine, "answered", calls(BOOK))
        await engine.answer("answered", by="ann", result="booked by hand", note="at the desk")
        self.market.faults += [NotExecuted("closed")]
        await self.start(engine, "not-executed", calls(NOTE))

    async def failed(self, engine: Engine) -> None:
        """Runs whose model gave no answer."""
        cut = ModelReply(Message(role="assistant", content="Half an"), finish_reason="length")
        await self.start(engine, "cut-short", TransientModelError("busy"), cut)
        later = TransientModelError("busy", retry_after=3600.0)
        await engine.submit("market", "Later", self.market.says("later", [later]))

    async def work(self, engine: Engine) -> None:
        """A worker takes up what was submitted until then."""
        await engine.worker().run(once=True)

    async def changed(self, engine: Engine) -> None:
        """Runs that are to go on under other code."""
        for run_id in ("changed", "accepted"):
            await self.start(engine, run_id, calls(PAY))

    async def accepted(self, engine: Engine) -> None:
        """And do."""
        for run_id in ("changed", "accepted"):
            await engine.approve(run_id, by="ann", note="fine")
        await engine.accept_changes("accepted", by="ann")
        await engine.approve("accepted", by="ann")

    async def in_flight(self, engine: Engine) -> None:
        """A run whose driver dies while its tool runs."""
        entered = asyncio.Event()

        async def hang(order: str) -> str:
            entered.set()
            await asyncio.Event().wait()
            return order

        workflow = self.market.workflow()
        send = next(one for one in workflow.tools if one.name == "send")
        object.__setattr__(send, "function", hang)
        engine._workflows["market"] = workflow  # noqa: SLF001 # the same, but it never comes back
        task = asyncio.create_task(self.start(engine, "in-flight", calls(SEND)))
        await entered.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def leave(self) -> None:
        """The lease that the dead driver of another host has left."""
        store = SqliteStore(self.folder / "runs.db")
        head = await store.head("in-flight")
        assert head is not None
        expires = 1_767_225_660_000_000
        dead = Lease(str(Owner("golden", 4711, "1", "c0ffee")), head.lease.epoch, expires)
        await store.claim("in-flight", head.lease, dead)
        await store.close()


async def write(folder: Path) -> None:
    """All runs, each part by an engine of its own."""
    writer = Writer(folder)
    parts: list[tuple[Callable[[Engine], Coroutine[Any, Any, None]], bool]] = [
        (writer.decided, False),
        (writer.doubted, False),
        (writer.failed, False),
        (writer.work, False),
        (writer.changed, False),
        (writer.accepted, True),
        (writer.in_flight, False),
        (writer.bazaar.decided, False),
        (writer.bazaar.ruled, False),
        (writer.bazaar.expired, False),
        (writer.bazaar.written_to, False),
    ]
    for part, changed in parts:
        async with writer.engine(changed=changed) as engine:
            await part(engine)
    async with writer.engine(store="memory://") as engine:
        await writer.kept.elsewhere(engine)
    for part in (
        writer.kept.secret,
        writer.kept.rebuilt,
        writer.kept.forked,
        writer.kept.forgotten,
        writer.measured.asked,
        writer.measured.ended,
        writer.remembered.noted,
        writer.measured.compacted,
    ):
        async with writer.engine() as engine:
            await part(engine)
    await writer.leave()


if __name__ == "__main__":
    random.seed(SEED)
    asyncio.run(write(Path(sys.argv[1])))
