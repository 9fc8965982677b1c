"""Processes that drive runs on one store, can die at any of its steps, and leave leases behind."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, cast

from engine import Engine, RefusedError, RunBusy, UnknownRunError
from engine.core.context import Transaction
from engine.errors import UnknownCallError
from engine.ports import Append, Store, Transactional
from engine.runtime.owner import Owner
from engine.runtime.worker import Worker
from tests.clock import Steered
from tests.runtime.life_shop import APPROVERS, Model, Shop, Traffic, make_workflow

Fuse = tuple[int, bool] | None
FAIR = (RefusedError, UnknownRunError, UnknownCallError, RunBusy, asyncio.CancelledError)


class DeadError(Exception):
    """The process is dead: nothing of it reaches the store any more."""


@cache
def dead_owner() -> Owner:
    """A process of this host that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return replace(Owner.mine(), pid=child.pid, started="1", tag="dead")


class Wire:
    """A process's way to the store, with a fuse that kills the process at one of its steps."""

    def __init__(self, store: Store, traffic: Traffic) -> None:
        self._store, self._traffic = store, traffic
        self.dead = False
        self.fuse: Fuse = None

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:  # noqa: D105 # any method of a store
        ask = getattr(self._store, name)

        async def through(*given: object, **named: object) -> object:
            return await self.step(lambda: ask(*given, **named))

        return through

    async def step(self, ask: Callable[[], Coroutine[Any, Any, object]]) -> object:
        """The answer, unless we die before or after it."""
        self._burn(after=False)
        answer = await self._traffic.pass_on(ask())
        self._burn(after=True)
        return answer

    def _burn(self, *, after: bool) -> None:
        if self.fuse is not None:
            steps, dies_after = self.fuse
            self.fuse = (steps - (dies_after is after), dies_after)
            if self.fuse[0] < 0:
                self.fuse, self.dead = None, True
        if self.dead:
            raise DeadError


class TransactionalWire(Wire):
    """The same to a store in whose transactions a tool can write."""

    async def transact(self, work: Callable[[Transaction], Append]) -> None:
        store = cast(Transactional, self._store)
        await self.step(lambda: store.transact(work))


class Process:
    """An engine with all that a process of its own would have."""

    def __init__(
        self, shop: Shop, versions: Mapping[str, int], time: Steered, traffic: Traffic, log: Any
    ) -> None:
        wire = TransactionalWire if isinstance(shop.store, Transactional) else Wire
        self.wire, self.clock = wire(shop.store, traffic), Steered(time)
        self._shop, self._traffic = shop, traffic
        self.tasks: list[asyncio.Task[object]] = []
        self._workers: list[Worker] = []
        self.engine = Engine(
            store=cast(Store, self.wire),
            workflows=[make_workflow(shop, versions)],
            model=Model(shop),
            log=log,
            clock=self.clock,
            approvers=APPROVERS,
        )
        self.owner = Owner.mine()

    async def begin(self, *, elsewhere: bool) -> None:
        """Open the engine; `elsewhere` is a host whose processes nobody here can see."""
        await self.engine.__aenter__()
        if elsewhere:
            self.owner = replace(self.owner, host="elsewhere")
        self.engine._host._leases._owner = self.owner  # noqa: SLF001 # one real process plays many

    async def do(self, work: Coroutine[Any, Any, object]) -> None:
        """Begin it, and go on until nothing moves."""
        self.tasks.append(asyncio.create_task(work))
        await self.settle()

    async def work(self) -> None:
        """Take up what is ready."""
        worker = self.engine.worker(concurrency=2)
        self._workers.append(worker)
        await self.do(worker.run(once=True))

    async def settle(self) -> None:
        """Nothing, once nothing moves; raises what no caller should ever see."""
        await self._traffic.settle()
        for task in [one for one in self.tasks if one.done()]:
            self.tasks.remove(task)
            error = asyncio.CancelledError() if task.cancelled() else task.exception()
            if error is not None and not isinstance(error, FAIR) and not self.wire.dead:
                raise error

    async def cancel(self) -> None:
        """Break off everything, as an application that is told to stop does."""
        for worker in self._workers:
            worker.stop()
            worker.stop()
        for task in self.tasks:
            task.cancel()
        self._workers.clear()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.settle()

    async def die(self) -> None:
        """Be killed: nothing is given back, and the leases name a process that is gone."""
        self.wire.dead = True
        await self.cancel()
        for head in await self._shop.store.leased():
            if head.lease.owner == str(self.owner) and self.owner.host != "elsewhere":
                await self._shop.store.claim(
                    head.run_id, head.lease, replace(head.lease, owner=str(dead_owner()))
                )
