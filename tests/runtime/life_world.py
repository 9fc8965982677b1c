"""The world that runs live in: two processes on one store, a shop, a clock, and who looks on."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from typing import Any, ClassVar

from hypothesis.stateful import RuleBasedStateMachine, invariant

from engine import Approval, Engine, Run
from engine.ports import Store
from engine.stores.memory import MemoryStore
from tests.clock import Steered
from tests.runtime.life_process import Fuse, Process
from tests.runtime.life_shop import KINDS, Deed, Reply, Shop, Traffic
from tests.runtime.life_witness import Witness, keys_differ


class Lines:
    """The log of all processes."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()

    def info(self, event: str, **fields: Any) -> None:
        if event == "refused":  # which is no part of a journal
            return
        self.seen.add((fields["run_id"], fields["seq"]))


class World(RuleBasedStateMachine):
    """Two processes; the second is on a host whose processes the first cannot see."""

    shop: Shop
    kills: ClassVar[int] = 0
    happened: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.time, self.traffic, self.log = Steered(), Traffic(), Lines()
        self.versions = {name: 1 for name in KINDS if name in self.kinds()}
        self.witnesses: dict[str, Witness] = {}
        self.processes: list[Process] = []
        self.sent = 0
        self.acknowledged = set[tuple[str, str]]()
        self.held = False  # until the first look, and after one that was not good

    def kinds(self) -> tuple[str, ...]:
        return tuple(name for name in KINDS if name != "write")

    def make_store(self) -> Store:
        return MemoryStore()

    @invariant()
    def everything_holds(self) -> None:
        if self.processes:
            self.held = False
            self.loop.run(self.look())
            self.held = True

    def teardown(self) -> None:
        try:
            if self.processes and self.held:
                self.loop.run(self.rest())
        finally:
            self.loop.run(self.close())
            self.loop.close()

    def burning(self, hand: int, fuse: Fuse) -> Engine:
        """The engine of a process that may be about to die at one of its next steps."""
        self.processes[hand].wire.fuse = fuse
        return self.processes[hand].engine

    def drive(
        self, hand: int, work: Coroutine[Any, Any, Any], replies: list[Reply], deeds: list[Deed]
    ) -> None:
        self.shop.plan(replies, deeds)
        self.run(self.processes[hand].do(work))
        self.bury()

    def settle(self) -> None:
        for one in self.processes:
            self.run(one.settle())
        self.bury()

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.held = False
        self.loop.run(work)
        self.held = True

    def bury(self) -> None:
        """Whom a fuse has killed is followed by another."""
        for place, one in enumerate(self.processes):
            if one.wire.dead:
                type(self).kills += 1
                self.loop.run(self.replace(place))

    async def replace(self, place: int) -> None:
        if place < len(self.processes):
            await self.processes[place].die()
        fresh = Process(self.shop, self.versions, self.time, self.traffic, self.log)
        await fresh.begin(elsewhere=place == 1)
        self.processes[place : place + 1] = [fresh]

    def pick(self, n: int) -> str:
        return f"r{n % max(1, len(self.witnesses))}"

    def waiting(self) -> list[tuple[str, Sequence[Approval]]]:
        return [(run.id, run.approvals) for run in self.runs() if run.approvals]

    def runs(self) -> list[Run]:
        return [one.run for one in self.witnesses.values() if one.run]

    def half_agreed(self) -> list[tuple[str, Approval]]:
        return [(run_id, one) for run_id, asked in self.waiting() for one in asked if one.grants]

    def ruled(self) -> list[tuple[str, str]]:
        return [(run.id, rule.id) for run in self.runs() for rule in run.rules]

    async def write_again(self, engine: Engine, run_id: str) -> None:
        """Send a message that is like no other."""
        self.sent += 1
        text = f"message {self.sent}"
        await engine.send(run_id, text, by="customer")
        self.acknowledged.add((run_id, text))

    async def look(self) -> None:
        """What is true after every rule."""
        store = self.shop.store
        for head in await store.heads(limit=9):
            witness = self.witnesses.setdefault(head.run_id, Witness(head.run_id))
            witness.look(head, await store.entries(head.run_id))
        keys_differ(self.witnesses)
        kept = {(one.run_id, text) for one in self.witnesses.values() for text in one.sent}
        assert self.acknowledged <= kept, "an acknowledged message is lost"
        assert not self.shop.faults, self.shop.faults

    async def rest(self) -> None:
        """Everything is driven to its end."""
        for one in self.processes:
            one.wire.fuse = None
            one.clock.go_on()
            await one.settle()
        self.shop.plan([], [])
        for _ in range(40):
            for hung in list(self.shop.hanging):
                hung.set()
            for one in self.processes:
                one.clock.wake()
                await one.settle()
            if not any(one.tasks for one in self.processes):
                break
            self.time.run(5)
            self.time.jump(600)  # whatever a clock that was set back has put off is due
        for one in self.processes:
            assert not one.tasks, "a driver waits for nothing"
        await self.drain()
        await self.look()
        assert not await self.shop.store.leased()
        for witness in self.witnesses.values():
            witness.at_rest(self.shop.shown.get(witness.run_id, set()))
            type(self).happened += witness.seen
        journal = {(one.run_id, e.seq) for one in self.witnesses.values() for e in one.entries}
        assert self.log.seen == journal

    async def drain(self) -> None:
        """Resume by name, and let workers find what dead drivers have left."""
        one = self.processes[0]
        for run_id in self.witnesses:
            await one.do(one.engine.resume(run_id, wait=True))
            self.time.run(5)
            self.time.jump(600)
        for _ in range(60):
            await one.work()
            self.time.run(5)
            self.time.jump(600)
            one.clock.wake()
            await one.settle()
            if not one.tasks and not await self.shop.store.leased():
                return

    async def close(self) -> None:
        for one in self.processes:
            await one.die()
        if self.processes:
            await self.shop.store.close()
