"""Programs for processes that race for the same runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier

from engine import Engine, RunBusy, State
from tests.races.drivers import LOG, At, HookedStore, complaints, opened
from tests.races.processes import PATIENCE, Wire


@dataclass(frozen=True)
class Tally:
    """What became of one process: how often it was told no, and what it complained of."""

    finished: int
    busy: int
    lost: int
    complaints: tuple[str, ...]


async def resume_all(_: Wire, barrier: Barrier, __: int, script: str, names: list[str]) -> Tally:
    """Resume all of the runs at once."""
    store = HookedStore(_close_start(barrier))
    with complaints() as said:
        async with opened(script, store, log=LOG) as engine:
            await _ready(engine, barrier)
            finished = await asyncio.gather(*(_resume(engine, name) for name in names))
    return Tally(sum(finished), len(names) - sum(finished), sum(store.lost.values()), tuple(said))


async def work(_: Wire, barrier: Barrier, __: int, script: str, concurrency: int) -> Tally:
    """Take up whatever is ready, until nothing is."""
    store = HookedStore(_close_start(barrier))
    with complaints() as said:
        async with opened(script, store, log=LOG) as engine:
            await _ready(engine, barrier)
            worker = engine.worker(concurrency)
            await worker.run(once=True)
            failed: Sequence[str] = worker.failed
    return Tally(0, 0, sum(store.lost.values()), (*said, *failed))


def _close_start(barrier: Barrier) -> At:
    """All of the processes make their first claim, of the run that all see free, at one moment."""
    first = ["before claim"]

    def at(point: str, _: tuple[str, ...]) -> None:
        if point in first:
            first.clear()
            barrier.wait(PATIENCE)

    return at


async def _ready(engine: Engine, barrier: Barrier) -> None:
    await engine.runs(limit=1)  # opens the store, and its log
    barrier.wait(PATIENCE)


async def _resume(engine: Engine, name: str) -> bool:
    """Whether the run was had; RunBusy is the one answer that a second driver may get."""
    try:
        run = await engine.resume(name)
    except RunBusy as busy:
        if f"run {name} is being driven by " not in str(busy):
            raise
        return False
    assert run.state is State.Done
    return True
