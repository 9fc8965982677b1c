"""The inner pieces, one by one: `pytest tests/bench -n0 --benchmark-enable`.

With the other tests each is run once, so that it goes on working.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.codec.checkpoints import encode_checkpoint
from engine.codec.events import decode_event, encode_event
from engine.core.decide import decide
from engine.core.evolve import evolve
from engine.core.run import Run
from engine.journal.walk import walk
from engine.runtime.draft import Draft
from engine.runtime.telemetry import Telemetry
from engine.stores.sqlite import SqliteStore
from tests.bench.replay import journal
from tests.bench.work import appends, renamed, workflow

Benchmark = Callable[..., Any]

LINES = journal()
ENTRIES = [line.entry for line in LINES]
STEPS = tuple(walk(ENTRIES, "r"))
NOW = datetime.now(UTC)
AFTER = 50  # events


def test_evolve(benchmark: Benchmark) -> None:
    run = benchmark(evolve, STEPS[AFTER].run, STEPS[AFTER + 1].recorded)
    assert run == STEPS[AFTER + 1].run


def test_decide(benchmark: Benchmark) -> None:
    flow = workflow(100)
    run = STEPS[AFTER - 1].run.model_copy(update={"definition": flow.definition})
    assert benchmark(decide, run, flow, NOW) == decide(run, flow, NOW)


def test_encode_an_event(benchmark: Benchmark) -> None:
    assert benchmark(encode_event, STEPS[AFTER].recorded.event) == ENTRIES[AFTER].data


def test_decode_an_event(benchmark: Benchmark) -> None:
    entry = ENTRIES[AFTER]
    assert benchmark(decode_event, entry.kind, entry.data) == STEPS[AFTER].recorded.event


def test_encode_a_checkpoint(benchmark: Benchmark) -> None:
    run = STEPS[AFTER].run
    assert benchmark(encode_checkpoint, run) == encode_checkpoint(run.checkpoint())


def test_walk_a_journal(benchmark: Benchmark) -> None:
    def walked() -> Run:
        return list(walk(ENTRIES, "r"))[-1].run

    assert benchmark(walked) == STEPS[-1].run


def test_append(benchmark: Benchmark, tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    pattern = loop.run_until_complete(appends(tmp_path, 1))
    store, names = SqliteStore(tmp_path / "runs.db"), iter(range(10**9))

    def append() -> None:
        for one in renamed(pattern, f"r{next(names)}"):
            loop.run_until_complete(store.append(one))

    benchmark(append)
    assert len(loop.run_until_complete(store.heads(limit=1))) == 1
    loop.run_until_complete(store.close())
    loop.close()


def test_log(benchmark: Benchmark, tmp_path: Path) -> None:
    telemetry, names = Telemetry([tmp_path / "log.jsonl"]), iter(range(10**9))

    def tell() -> None:
        name = f"r{next(names)}"
        draft = Draft(lines=[line._replace(run_id=name) for line in LINES])
        telemetry.tell(draft.lines)

    benchmark(tell)
    telemetry.close()
    written = (tmp_path / "log.jsonl").read_bytes().count(b"\n")
    assert written >= len(LINES)
