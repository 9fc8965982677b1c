"""Whether 100,000 runs that wait for people cost those anything who look at a page, or drive.

`python -m tests.bench.parked [RUNS]`: pages of lists, the claim of a run that is ready, and
opening the store, beside the same with 1,000 runs.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import apsw
from pydantic import JsonValue

from engine import Engine, ScriptedModel, Workflow, tool
from engine.catalogue import heads
from engine.ports import Lease
from engine.stores.sqlite import SqliteStore
from tests.bench.measure import Outcome, Ratio, folder, show

RUNS, FEW, ROUNDS = 100_000, 1_000, 15
MOST = 10.0  # milliseconds a page
_PARK = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :runs)
INSERT INTO runs (run_id, workflow, state, seq, logged, checkpoint, ready_at)
SELECT 'p' || i, workflow, state, seq, logged,
  CAST(replace(CAST(checkpoint AS TEXT), '"id":"p"', '"id":"p' || i || '"') AS BLOB), ready_at
FROM runs, n WHERE run_id = 'p'
"""
_JOURNAL = """
INSERT INTO events (run, seq, at, kind, data, digest)
SELECT runs.id, events.seq, events.at, events.kind, events.data, events.digest FROM runs, events
WHERE runs.run_id <> 'p' AND events.run = (SELECT id FROM runs WHERE run_id = 'p')
"""


@tool
async def refund(order: str) -> str:
    """Give the money back."""
    return f"refunded {order}"


FUNCTION: dict[str, JsonValue] = {"name": "refund", "arguments": '{"order": "A1"}'}
CALL: dict[str, JsonValue] = {"id": "x", "type": "function", "function": FUNCTION}
DESK = Workflow(
    name="desk", instructions="Help.", tools=[refund], model=ScriptedModel([{"tool_calls": [CALL]}])
)


async def park(path: Path, runs: int) -> None:
    """Make a store of so many runs that wait for a person, and a hundred that are ready."""
    async with Engine(store=f"sqlite:///{path}", workflows=[DESK]) as engine:
        await engine.start("desk", "Hello", "p")
    connection = apsw.Connection(str(path))
    connection.execute("BEGIN")
    connection.execute(_PARK, {"runs": runs})
    connection.execute(_JOURNAL)
    connection.execute("COMMIT")
    connection.close()
    async with Engine(store=f"sqlite:///{path}", workflows=[DESK]) as engine:
        for n in range(100):
            await engine.submit("desk", "Hello", f"ready{n}")


async def _ms(act: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await act()
        taken.append((time.perf_counter() - began) * 1e3)
    return median(taken)


async def look(path: Path) -> dict[str, float]:
    """Milliseconds of each thing that people and workers do."""
    began = time.perf_counter()
    async with Engine(store=f"sqlite:///{path}", workflows=[DESK]) as engine:
        await engine.runs(limit=1)
        opened = (time.perf_counter() - began) * 1e3
        pages = {
            "pending": await _ms(engine.pending),
            "list": await _ms(lambda: engine.runs(limit=100)),
            "list of a state": await _ms(lambda: engine.runs(state="Done", limit=100)),
        }
    store = SqliteStore(path)

    async def rows() -> None:
        await heads(store, limit=100)

    async def claim() -> None:
        now = time.time_ns() // 1000
        (head,) = await store.ready(now=now, workflows=["desk"], tries=5, limit=1)
        lease = Lease("nobody", head.lease.epoch + 1, now)
        if not await store.claim(head.run_id, head.lease, lease):
            raise AssertionError(head)
        await store.release(head.run_id, replace(lease, owner="nobody"), moved=True)

    found = {**pages, "rows of a list": await _ms(rows), "a claim": await _ms(claim)}
    await store.close()
    return {**found, "opening": opened}


def measure(runs: int = RUNS) -> Outcome:
    """Both sizes, and the memory that it took at most, in MiB."""
    taken = []
    for size in (FEW, runs):
        with folder() as where:
            asyncio.run(park(where / "runs.db", size))
            taken.append(asyncio.run(look(where / "runs.db")))
    few, many = taken
    pages = ("pending", "list", "a claim")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Outcome(
        f"{runs:,} parked runs: milliseconds (peak of memory: {peak} MiB)",
        [{"what": name, f"{FEW:,}": few[name], f"{runs:,}": many[name]} for name in few],
        (
            *(Ratio(f"milliseconds of {name}", many[name], MOST) for name in pages),
            *(Ratio(f"{name}: of many over of few", many[name] / few[name], 1.5) for name in pages),
        ),
    )


if __name__ == "__main__":
    show(measure(*map(int, sys.argv[1:])))
