"""The worker: what it takes up, what it leaves alone, and how it stops."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from engine import (
    BadInputError,
    Engine,
    ModelReply,
    ModelRequest,
    ScriptedModel,
    State,
    Workflow,
    tool,
)
from engine.core.commands import Approve
from engine.core.messages import Message
from engine.errors import TransientModelError
from engine.stores.memory import MemoryStore
from tests.clock import Jumping
from tests.runtime.test_engine import LOOK, OK, PAY, SQLITE, calls, engine, log_lines
from tests.spec import pay


async def test_it_drives_what_is_new_and_what_was_decided_and_then_stops() -> None:
    async with engine(calls(LOOK), calls(PAY), OK) as waystation:
        for n in range(5):
            run = await waystation.submit("shop", "Hello", run_id=f"r{n}")
            assert (run.state, run.seq) == (State.AwaitingModel, 1)
        await waystation.worker(concurrency=2).run(once=True)
        assert len(await waystation.pending()) == 5
        host: Any = waystation._host  # noqa: SLF001 # a verdict whose taker died right after it
        await host._take("r3", (Approve(by="ann"),))  # noqa: SLF001 # as above
        await waystation.worker().run(once=True)
        states = {run.id: run.state for run in await waystation.runs()}
    assert states.pop("r3") is State.Done
    assert set(states.values()) == {State.AwaitingApproval}


async def test_it_does_not_stop_on_an_answer_from_before_its_last_run_ended() -> None:
    looked, worker = asyncio.Event(), None

    class Slow:
        async def complete(self, request: ModelRequest) -> ModelReply:
            await looked.wait()
            return await ScriptedModel([calls(PAY), OK]).complete(request)

    class Meanwhile(MemoryStore):
        async def ready(self, **wanted: Any) -> Any:
            found = await super().ready(**wanted)
            if worker is not None and worker._running and not looked.is_set():  # noqa: SLF001 # as it happens
                looked.set()
                await asyncio.gather(*worker._running.values())  # noqa: SLF001 # as above
                await host._take("r1", (Approve(by="ann"),))  # noqa: SLF001 # by another process
            return found

    shop = Workflow(name="shop", instructions="", tools=[pay], model=Slow())
    async with Engine(store=Meanwhile(), workflows=[shop]) as waystation:
        await waystation.submit("shop", "Hello", "r1")
        host: Any = waystation._host  # noqa: SLF001 # a verdict whose taker left it to us
        worker = waystation.worker()
        await worker.run(once=True)
        assert looked.is_set()
        assert (await waystation.run("r1")).state is State.Done


async def test_a_stopped_worker_stops_nobody_else_in_its_engine() -> None:
    async with engine(calls(LOOK), OK) as waystation:
        stopped = waystation.worker()
        stopped.stop()
        run = await waystation.submit("shop", "Hello")
        await stopped.run()
        assert (await waystation.run(run.id)).seq == 1
        assert (await waystation.resume(run.id)).state is State.Done


async def test_it_leaves_a_retry_alone_until_it_is_due() -> None:
    clock = Jumping()
    busy = TransientModelError("busy", retry_after=60)

    class Once:
        asked = 0

        async def complete(self, request: ModelRequest) -> ModelReply:
            self.asked += 1
            if request.attempt == 1:
                raise busy
            return ModelReply(Message(role="assistant", content="ok"))

    model, shop = Once(), Workflow(name="shop", instructions="")
    async with Engine(store=SQLITE, workflows=[shop], model=model, clock=clock) as waystation:
        run = await waystation.submit("shop", "Hello")
        await waystation.worker().run(once=True)
        run = await waystation.run(run.id)
        assert (run.state, run.failures) == (State.AwaitingModel, 1)
        assert run.retry_at == clock.now() + timedelta(seconds=60)
        await waystation.worker().run(once=True)
        assert model.asked == 1
        clock.time += timedelta(seconds=60)
        await waystation.worker().run(once=True)
        assert (await waystation.run(run.id)).state is State.Done
    assert (model.asked, clock.slept) == (2, [])


async def test_it_leaves_other_workflows_to_other_workers() -> None:
    async with engine(OK) as waystation:
        await waystation.submit("shop", "Hello", run_id="r1")
    other = Workflow(name="other", instructions="")
    async with Engine(store=SQLITE, workflows=[other]) as elsewhere:
        await elsewhere.worker().run(once=True)
        assert (await elsewhere.run("r1")).seq == 1


async def test_what_cannot_be_driven_is_set_aside_and_starves_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        async def complete(self, request: ModelRequest) -> ModelReply:
            if request.run_id == "bad":
                raise KeyError(request.run_id)
            return ModelReply(Message(role="assistant", content="ok"))

    shop = Workflow(name="shop", instructions="", model=Broken())
    async with Engine(store=SQLITE, workflows=[shop]) as waystation:
        for name in ("bad", "good", "better"):
            await waystation.submit("shop", "Hello", run_id=name)
        worker = waystation.worker(concurrency=1)
        with caplog.at_level(logging.WARNING, "waystation"):
            await worker.run(once=True)
            for _ in range(9):
                await waystation.worker().run(once=True)
        states = {run.id: run.state for run in await waystation.runs()}
        assert worker.failed == ["bad"]
    assert states == {
        "bad": State.AwaitingModel,
        "good": State.Done,
        "better": State.Done,
    }
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        f"run bad could not be driven ({n} of 5 tries)" for n in range(1, 6)
    ]


async def test_it_stops_before_the_next_step_and_another_one_goes_on() -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    @tool(read_only=True)
    async def slow() -> str:
        """Take a while."""
        entered.set()
        await release.wait()
        return "done"

    async with engine(calls(("slow", {})), OK, tools=(slow,)) as waystation:
        await waystation.submit("shop", "Hello", run_id="r1")
        worker = waystation.worker()
        running = asyncio.create_task(worker.run())
        await entered.wait()
        worker.stop()
        release.set()
        await running
        run = await waystation.run("r1")
        assert (run.state, run.seq) == (State.DispatchingTools, 4)  # its result is kept, no more
        assert await waystation._host.store.leased() == []  # noqa: SLF001 # nothing else shows it
    async with engine(calls(("slow", {})), OK, tools=(slow,)) as again:
        await again.worker().run(once=True)
        assert (await again.run("r1")).state is State.Done


async def test_a_model_that_is_being_asked_is_not_waited_for() -> None:
    asked = asyncio.Event()

    class Silent:
        async def complete(self, _: ModelRequest) -> ModelReply:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    shop = Workflow(name="shop", instructions="", model=Silent())
    async with Engine(store=SQLITE, workflows=[shop]) as waystation:
        await waystation.submit("shop", "Hello", run_id="r1")
        worker = waystation.worker()
        running = asyncio.create_task(worker.run())
        await asked.wait()
        worker.stop()
        await running
        assert (await waystation.run("r1")).seq == 1


async def test_it_writes_the_lines_that_a_log_is_owed() -> None:
    async with engine(OK) as silent:
        await silent.start("shop", "Hello", run_id="r1")
    async with engine(OK, log="log.jsonl") as waystation:
        await waystation.worker().run(once=True)
        await waystation.worker().run(once=True)
    assert [line["seq"] for line in log_lines()] == [1, 2]


async def test_it_drives_at_least_one_run_at_once() -> None:
    async with engine(OK) as waystation:
        with pytest.raises(BadInputError, match="at least 1 and at most 10000, not 0"):
            waystation.worker(concurrency=0)
