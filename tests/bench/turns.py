"""How long a turn takes, over plain SQLite that makes the same commits of the same bytes.

`python -m tests.bench.turns`: on the disk as it is, with syncs of 3 ms, and from 10 turns
to 1,000.
"""

import asyncio
import time
from functools import partial
from pathlib import Path

from engine import Engine
from tests.bench import plain
from tests.bench.disk import watched
from tests.bench.measure import Outcome, Ratio, folder, interleaved, show
from tests.bench.work import FLOW, appends, workflow

TURNS = (10, 50, 200, 1000)
ROUNDS = 7
SLOW = 0.003  # seconds of a sync


def ours(turns: int, where: Path) -> float:
    """Milliseconds a turn of one run, from its start to its answer."""
    return asyncio.run(_timed(turns, where)) / turns * 1e3


async def _timed(turns: int, where: Path) -> float:
    async with Engine(store=f"sqlite:///{where}/runs.db", workflows=[workflow(turns)]) as engine:
        await engine.runs(limit=1)  # the store is open
        began = time.perf_counter()
        run = await engine.start(FLOW, "Hello", "r")
        took = time.perf_counter() - began
    if run.answer != "Done.":
        raise AssertionError(run)
    return took


def floor(turns: int, where: Path) -> float:
    """The same of plain SQLite."""
    return plain.seconds(where, asyncio.run(appends(where, turns))) / turns * 1e3


def measure() -> Outcome:
    """Milliseconds a turn, and what they are over the floor."""
    rows: list[dict[str, object]] = []
    with folder() as warm:
        ours(10, warm)
    parts = {(name, n): partial(part, n) for n in TURNS for name, part in PARTS.items()}
    quiet = interleaved(ROUNDS, {f"{name} {n}": part for (name, n), part in parts.items()})
    for n in TURNS:
        mine, least = quiet[f"ours {n}"], quiet[f"plain {n}"]
        rows.append({"turns": n, "disk": "as it is", "ours ms": mine, "plain ms": least})
    with watched(lambda _: time.sleep(SLOW)):
        slow = interleaved(3, {name: partial(part, 50) for name, part in PARTS.items()})
    rows.append({"turns": 50, "disk": "3 ms", "ours ms": slow["ours"], "plain ms": slow["plain"]})
    return Outcome(
        "A run: milliseconds a turn",
        rows,
        (
            Ratio("over plain SQLite, 200 turns", quiet["ours 200"] / quiet["plain 200"], 2),
            Ratio("over plain SQLite, syncs of 3 ms", slow["ours"] / slow["plain"], 1.2),
            Ratio("1,000 turns over 10", quiet["ours 1000"] / quiet["ours 10"], 1.2),
        ),
    )


PARTS = {"ours": ours, "plain": floor}

if __name__ == "__main__":
    show(measure())
