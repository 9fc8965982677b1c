"""Programs for processes that stop themselves, as if the machine had forgotten them."""

import os
import signal
from dataclasses import dataclass

from engine import RunBusy, State
from tests.races.drivers import HookedStore, opened, short_leases
from tests.races.processes import Wire

TTL = 0.05  # seconds until the lease of a stopped driver has run out
NEVER = 3600.0  # who never renews stands still with no transaction open

Point = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Drive:
    """One driver's part: where in its own work it stops, and whether the epoch binds it."""

    script: str
    stop_at: int | None = None
    fenced: bool = True


@dataclass(frozen=True)
class Driven:
    """What became of it."""

    state: State | None
    busy: str | None
    stops: int
    points: tuple[Point, ...]


async def drive(_: Wire, part: Drive) -> Driven:
    """Drive the run r1, once nobody else does, and stop on the way."""
    short_leases(TTL, NEVER)
    points, stops = list[Point](), 0

    def at(point: str, kinds: tuple[str, ...]) -> None:
        nonlocal stops
        points.append((point, kinds))
        if len(points) - 1 == part.stop_at:
            os.kill(os.getpid(), signal.SIGSTOP)
            stops += 1

    state: State | None = None
    busy: str | None = None
    async with opened(part.script, HookedStore(at, fenced=part.fenced)) as engine:
        try:
            state = (await engine.resume("r1", wait=True)).state
        except RunBusy as error:
            busy = str(error)
    return Driven(state, busy, stops, tuple(points))
