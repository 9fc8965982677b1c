"""Programs for processes that give verdicts."""

import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier

from engine import Engine, RefusedError, Run, State
from tests.races.drivers import LOG, HookedStore, complaints, opened
from tests.races.processes import PATIENCE, Wire

Verdict = Callable[[Engine, str, str], Awaitable[Run]]

VERDICTS: dict[str, Verdict] = {
    "approval_granted": lambda engine, name, by: engine.approve(name, "call_1_1", by=by),
    "approval_denied": lambda engine, name, by: engine.deny(name, "call_1_1", by=by),
    "approval_answered": lambda engine, name, by: engine.answer(
        name, "call_1_1", by=by, result="I did"
    ),
}
KINDS = tuple(VERDICTS)


@dataclass(frozen=True)
class Decided:
    """What became of one person's verdicts, by run; `conflicts` counts the real races."""

    won: tuple[str, ...]
    refusals: dict[str, str]
    conflicts: int
    complaints: tuple[str, ...]


async def decide_all(
    _: Wire, barrier: Barrier, place: int, kinds: tuple[str, ...], names: list[str]
) -> Decided:
    """Give one's verdict on each of the runs, each at the same moment as everybody else."""
    store, won, refusals = HookedStore(), list[str](), dict[str, str]()
    verdict, by = VERDICTS[kinds[place % len(kinds)]], f"person {place}"
    with complaints() as said:
        async with opened("refund", store, log=LOG) as engine:
            for name in names:
                barrier.wait(PATIENCE)
                try:
                    run = await verdict(engine, name, by)
                except RefusedError as refused:
                    refusals[name] = str(refused)
                else:
                    assert run.state is State.Done
                    won.append(name)
    return Decided(tuple(won), refusals, store.lost["append"], tuple(said))


async def decide_and_die(_: Wire, kind: str, point: str) -> None:
    """Give a verdict, and be killed right before or after it is durable."""

    def at(where: str, kinds: tuple[str, ...]) -> None:
        if where == point and kind in kinds:
            os.kill(os.getpid(), signal.SIGKILL)

    async with opened("refund", HookedStore(at)) as engine:
        await VERDICTS[kind](engine, "r1", "ann")
