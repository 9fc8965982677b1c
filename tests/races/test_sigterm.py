"""SIGTERM drains a worker: nothing new begins, what runs ends, and nothing stays leased."""

import random
import signal
from collections import Counter
from collections.abc import Sequence

import pytest

from engine import Engine, State
from tests.races import shop
from tests.races.checks import all_done, count, journals, leased, log_is_journal, look_into_doubts
from tests.races.drivers import LOG, opened, submit
from tests.races.processes import Child, Children
from tests.races.workers import IN_TOOL, STARTED, TOLD, WORKFLOWS, sending, work

RUNS = 80
ROUNDS = 10
LATEST = 80  # of a worker's steps, at which it is told to stop
EFFECTS = 3  # of each run


async def test_told_to_stop_at_any_moment_a_worker_ends_what_it_holds(children: Children) -> None:
    shop.open_shop()
    names = await submit(RUNS, sending())
    chance, half_way = random.Random(17), 0  # noqa: S311 # the same moments each time
    async with opened(sending(), log=LOG) as engine:
        for _ in range(ROUNDS):
            worker = children.start(work, "sending")
            tell_at(worker, chance.randrange(LATEST))
            drained(worker)
            statuses, begun = await standing(engine)
            assert statuses["started"] == statuses["interrupted"] == 0, "a call was broken off"
            half_way += begun
        assert half_way > 0, "no worker was ever told in the middle of a run"
        await finish(engine, names)
        assert await engine.pending() == []
    count(f"{ROUNDS} workers told to stop, {half_way} runs left half-way")


async def test_told_twice_at_any_moment_it_breaks_off_and_leaves_what_is_in_doubt(
    children: Children,
) -> None:
    shop.open_shop()
    names = await submit(RUNS, sending())
    chance = random.Random(18)  # noqa: S311 # the same moments each time
    async with opened(sending(), log=LOG) as engine:
        for _ in range(ROUNDS):
            worker = children.start(work, "sending")
            tell_at(worker, chance.randrange(LATEST))
            worker.wait_for(TOLD)
            worker.signal(signal.SIGTERM)
            drained(worker)
        doubts = await finish(engine, names)
    count(f"{ROUNDS} workers told twice, {doubts} calls in doubt")


@pytest.mark.parametrize("stays", ["staying", "staying in a thread"])
async def test_tools_that_never_return_are_broken_off_when_told_again(
    stays: str, children: Children
) -> None:
    shop.open_shop()
    declared = WORKFLOWS[stays]()
    names = await submit(8, declared)
    worker = children.start(work, stays)
    for _ in names:
        worker.wait_for(IN_TOOL)
    worker.signal(signal.SIGTERM)
    worker.wait_for(TOLD)
    assert sorted(leased()) == names, "what runs is waited for"
    worker.signal(signal.SIGTERM)
    # A thread cannot be ended but with its process: until then, its call is nobody else's.
    drained(worker, leaving=names if "thread" in stays else [])
    async with opened(declared, log=LOG) as engine:
        assert await finish(engine, names, effects=1) == len(names)


def tell_at(worker: Child, step: int) -> None:
    """Nothing; the worker was told to stop at that step of its own."""
    worker.wait_for(STARTED)
    for _ in range(step):
        worker.hear()
    worker.signal(signal.SIGTERM)


def drained(worker: Child, leaving: Sequence[str] = ()) -> None:
    """The worker has ended by itself, well, and leaves nothing leased but these runs."""
    worker.say("no more signals")
    assert worker.result() == []
    assert sorted(leased()) == sorted(leaving)


async def standing(engine: Engine) -> tuple[Counter[str], int]:
    """How all calls stand, and how many runs are begun and not done."""
    runs = await engine.runs(limit=RUNS)
    statuses = Counter[str](call.status for run in runs for call in run.calls)
    return statuses, sum(run.seq > 1 and run.state is not State.Done for run in runs)


async def finish(engine: Engine, names: list[str], effects: int = EFFECTS) -> int:
    """How many calls were in doubt, once another worker and a person have finished all."""
    left = [run.id for run in await engine.runs(limit=RUNS) if run.state is not State.Done]
    assert left, "the first workers left nothing to do"
    await engine.worker().run(once=True)
    doubts = sum([await look_into_doubts(engine, name) for name in names])
    await all_done(engine, names)
    log_is_journal(await journals(engine, names))
    assert len(shop.effects()) == effects * len(names)
    return doubts
