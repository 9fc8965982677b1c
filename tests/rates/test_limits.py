"""One limit for all runs of a process, over a real socket."""

import asyncio
from collections.abc import Callable

import pytest

from engine import (
    DefinitionError,
    Engine,
    Limits,
    ModelClient,
    ModelReply,
    ModelRequest,
    OpenAIModel,
    RateLimit,
    RateLimited,
    Run,
    ScriptedModel,
    State,
    Workflow,
)
from engine.codec.events import from_ticks
from engine.ports import Clock
from engine.runtime.lease import RENEWAL
from engine.stores.memory import MemoryStore
from tests.clock import Steered
from tests.models.server import failure, running
from tests.rates.crowd import Crowd
from tests.spec import WORKFLOW


def model_at(server: Crowd, **rate: int) -> OpenAIModel:
    limit = RateLimit(**rate) if rate else None
    return OpenAIModel("m", api_key="sk-test", base_url=server.url, timeout=20, rate=limit)


def engine_with(
    model: ModelClient, clock: Clock | None = None, workflow: Workflow = WORKFLOW
) -> Engine:
    return Engine(store="memory://", workflows=[workflow], model=model, clock=clock)


def begun(engine: Engine, *names: str) -> list["asyncio.Task[Run]"]:
    return [asyncio.create_task(engine.start("shop", name, name)) for name in names]


async def until(holds: Callable[[], bool]) -> None:
    """Nothing, once it holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 # it comes to hold in the server's threads
            await asyncio.sleep(0.005)


async def stays(clock: Steered, server: Crowd, count: int) -> None:
    """Nothing, where whoever could have come to the server had the chance to."""
    await clock.asleep(2)
    await until(lambda: server.inside == 0)
    assert len(server.requests) == count


@pytest.mark.parametrize("as_wrapper", [False, True])
async def test_no_more_than_so_many_are_at_the_endpoint_at_once(as_wrapper: bool) -> None:
    with running(Crowd(together=2)) as server:
        models: list[ModelClient] = [model_at(server, max_concurrent=2), model_at(server)]
        if as_wrapper:
            models = [RateLimited(model_at(server), RateLimit(max_concurrent=2)) for _ in "ab"]
        async with engine_with(models[0]) as one, engine_with(models[1]) as other:
            await asyncio.gather(*begun(one, "a", "b", "c"), *begun(other, "d", "e", "f"))
    assert len(server.requests) == 6
    assert server.most == 2, "two models of one endpoint share one limit, and use it"


async def test_models_of_different_names_do_not_wait_for_each_other() -> None:
    with running(Crowd(together=2)) as server:
        rate = RateLimit(max_concurrent=1)
        models = [
            OpenAIModel(name, api_key="sk-test", base_url=server.url, rate=rate) for name in "ab"
        ]
        async with engine_with(models[0]) as one, engine_with(models[1]) as other:
            await asyncio.gather(*begun(one, "a"), *begun(other, "b"))
    assert server.most == 2


async def test_requests_a_minute_are_bounded_and_served_in_the_order_they_came() -> None:
    clock, store = Steered(), MemoryStore()
    with running(Crowd()) as server:
        model = model_at(server, max_concurrent=1, requests_per_minute=2)
        async with Engine(store=store, workflows=[WORKFLOW], model=model, clock=clock) as engine:
            runs = begun(engine, *"abcde")
            await asyncio.wait(runs[:2])
            await stays(clock, server, 2)
            for renewals in range(2, 7):
                clock.run(RENEWAL)
                await until(lambda wanted=renewals: clock.slept.count(RENEWAL) == wanted)  # type: ignore[misc]
                await stays(clock, server, 2)
            (head,) = [one for one in await store.leased() if one.run_id == "c"]
            assert from_ticks(head.lease.expires) > clock.now(), "who waits keeps the lease"
            clock.run(11)
            await asyncio.wait(runs[2:4])
            await stays(clock, server, 4)
            clock.run(61)
            done = await asyncio.gather(*runs)
    assert server.came == list("abcde")
    assert {(run.state, run.seconds, run.failures) for run in done} == {(State.Done, 0, 0)}


@pytest.mark.parametrize(
    ("status", "seconds", "asleep"),
    [
        (429, 9, 3),  # all but the first stand in the queue, the first of them with an eye on it
        (503, 30, 5),  # that is long, so they leave it and come again
    ],
)
async def test_who_is_told_to_wait_stops_everybody(status: int, seconds: int, asleep: int) -> None:
    clock = Steered()
    with running(Crowd(failure(status, retry_after=str(seconds)))) as server:
        async with engine_with(model_at(server, max_concurrent=1), clock) as engine:
            first = begun(engine, "a")
            await clock.asleep(2)  # whoever keeps the leases, and the run that has to wait
            others = begun(engine, "b", "c", "d")
            await clock.asleep(asleep)
            clock.run(seconds - 1)
            await clock.asleep(asleep)
            assert server.came == ["a"], "nobody else has met the answer"
            clock.run(4)  # the rest, and the jitter
            done = await asyncio.gather(*first, *others)
            failed = [one.event.kind for one in await engine.journal("b")]
    assert sorted(server.came[1:]) == ["a", "b", "c", "d"]
    if asleep == 3:
        assert server.came[1:] == ["b", "c", "d", "a"], "the first to come is the first to go"
    assert {run.state for run in done} == {State.Done}
    assert "model_failed" not in failed, "to wait is no failed try"


async def test_a_stopping_worker_waits_no_longer_and_loses_nothing() -> None:
    with running(Crowd()) as server:
        server.may_answer.clear()
        async with engine_with(model_at(server, max_concurrent=1)) as engine:
            for name in "abc":
                await engine.submit("shop", name, name)
            worker = engine.worker()
            working = asyncio.create_task(worker.run())
            await until(lambda: server.inside == 1)
            worker.stop()
            await working
            assert [len(await engine.journal(name)) for name in "abc"] == [1, 1, 1]
            server.may_answer.set()
            again = engine.worker()
            await again.run(once=True)
            assert {run.state for run in await engine.runs()} == {State.Done}
    assert server.most <= 2, "the request that was broken off, and one more"


async def test_an_endpoint_that_is_left_alone_for_long_keeps_no_worker_from_others() -> None:
    with running(Crowd(failure(429, retry_after="600"))) as busy, running(Crowd()) as free:
        flows = [
            Workflow(name=name, instructions="Help.", model=model_at(server))
            for name, server in (("busy", busy), ("free", free))
        ]
        async with Engine(store="memory://", workflows=flows) as engine:
            for flow, name in (("busy", "a"), ("busy", "b"), ("free", "c")):
                await engine.submit(flow, name, name)
            await engine.worker(concurrency=1).run(once=True)
            assert [len(await engine.journal(name)) for name in "abc"] == [2, 1, 2]
            assert (await engine.run("c")).state is State.Done
    assert (busy.came, free.came) == (["a"], ["c"])


async def test_what_became_of_the_run_meanwhile_is_looked_at_before_it_is_asked() -> None:
    clock = Steered()
    limited = Workflow(name="shop", instructions="Help.", limits=Limits(max_age=30))
    with running(Crowd()) as server:
        model = model_at(server, requests_per_minute=1)
        async with engine_with(model, clock, limited) as engine:
            first, second = begun(engine, "a", "b")
            await first
            await clock.asleep(2)
            clock.run(61)
            run = await second
    assert (run.state, run.limit) == (State.Aborted, "max_age")
    assert server.came == ["a"]


async def test_any_model_can_be_limited() -> None:
    inside, most = 0, 0

    class Slow(ScriptedModel):
        async def complete(self, request: ModelRequest) -> ModelReply:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1
            return await super().complete(request)

    model = RateLimited(Slow([{"content": "Hi"}]), RateLimit(max_concurrent=1))
    async with engine_with(model) as engine:
        done = await asyncio.gather(*begun(engine, *"abc"))
    assert [run.answer for run in done] == ["Hi"] * 3
    assert most == 1


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"max_concurrent": 0}, "max_concurrent must be at least 1, not 0"),
        ({"requests_per_minute": -5}, "requests_per_minute must be at least 1, not -5"),
        ({"tokens_per_minute": 1.5}, "tokens_per_minute"),
        ({"requests_per_second": 5}, "requests_per_second"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_by_name(bounds: dict[str, int], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        RateLimit(**bounds)


def test_what_is_no_limit_is_refused_where_the_model_is_made() -> None:
    with pytest.raises(DefinitionError, match="rate: 3 is no RateLimit"):
        OpenAIModel("m", rate=3)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(DefinitionError, match="rate: 3 is no RateLimit"):
        RateLimited(ScriptedModel([]), 3)  # type: ignore[arg-type] # wrong on purpose
