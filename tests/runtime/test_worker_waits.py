"""A worker waits for what is not due, and ends when it is told to."""

import asyncio
from collections.abc import Sequence

import pytest

from engine import Engine, NotExecuted, ScriptedModel, Workflow, tool
from engine.core.tool import Tool
from engine.ports import Head, Lease
from engine.runtime.backoff import CAP
from engine.runtime.worker import Worker
from engine.stores.memory import MemoryStore
from tests.clock import Steered
from tests.runtime.test_engine import OK, calls


class Watched(MemoryStore):
    """Counts the claims, and may stop a worker just as it has found something to do."""

    def __init__(self) -> None:
        super().__init__()
        self.claims = self.stops = 0
        self.stopped: Worker | None = None

    async def claim(self, run_id: str, seen: Lease, lease: Lease) -> bool:
        self.claims += 1
        assert self.claims < 50, "it goes round in circles"
        return await super().claim(run_id, seen, lease)

    async def ready(
        self, *, now: int, workflows: Sequence[str], tries: int, limit: int
    ) -> Sequence[Head]:
        found = await super().ready(now=now, workflows=workflows, tries=tries, limit=limit)
        if self.stopped is not None and found:
            for _ in range(2):
                self.stops += 1
                asyncio.get_running_loop().call_soon(self.stopped.stop)
        return found


def shop(store: Watched, clock: Steered, *tools: Tool) -> Engine:
    asked = calls(*((one.name, {"order": "1"}) for one in tools))
    workflow = Workflow(name="shop", instructions="Help.", tools=tools)
    return Engine(store=store, workflows=[workflow], model=ScriptedModel([asked, OK]), clock=clock)


@pytest.mark.parametrize("error", [NotExecuted("closed"), TimeoutError("slow")])
async def test_a_run_with_one_call_to_retry_asks_about_the_other_and_is_left_alone_until_then(
    error: Exception,
) -> None:
    failures = [error]

    @tool(approval="never", idempotent=True)
    async def note(order: str) -> str:
        """Note an order down."""
        if failures:
            raise failures.pop()
        return order

    @tool
    async def pay(order: str) -> str:
        """Pay for an order."""
        return order

    store, clock = Watched(), Steered()
    async with shop(store, clock, note, pay) as waystation:
        await waystation.submit("shop", "Hello", "r1")
        worker = waystation.worker()
        await worker.run(once=True)
        assert (failures, store.claims) == ([], 1)
        run = await waystation.run("r1")
        assert [one.tool for one in run.approvals] == ["pay"]
        assert [call.status for call in run.calls] != ["settled", "waiting"]
        clock.run(CAP)
        await worker.run(once=True)
        assert store.claims == 2
        run = await waystation.run("r1")
        assert [call.status for call in run.calls] == ["settled", "waiting"]


async def test_a_worker_ends_whose_runs_are_broken_off_before_they_began() -> None:
    store = Watched()
    async with shop(store, Steered()) as waystation:
        for n in range(3):
            await waystation.submit("shop", "Hello", f"r{n}")
        store.stopped = waystation.worker()
        await store.stopped.run()
    assert (store.stops, store.claims) == (2, 0)
    assert [head.lease for head in await store.heads(limit=9)] == [Lease()] * 3
