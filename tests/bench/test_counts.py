"""What a turn costs, counted and not timed: commits, syncs, bytes."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from engine.stores.sqlite import SqliteStore
from tests.bench.disk import watched
from tests.bench.work import FLOW, payload, workflow

SHORT, LONG = 40, 240  # turns
EMPTY = 40 * 1024  # bytes of a store in which nothing was said


async def counted(turns: int, where: Path) -> Counter[str]:
    """Commits, syncs and lines of one run, and the bytes that it left on disk."""
    counts, path = Counter[str](), where / f"{turns}.db"

    def committed() -> bool:
        counts["commits"] += 1
        return False

    with watched(lambda name: counts.update([name.removeprefix(path.name) or "main"])):
        store: Any = SqliteStore(path)
        async with Engine(store=store, workflows=[workflow(turns)]) as engine:
            await engine.runs(limit=1)
            counts.clear()
            store._writer._connection.set_commit_hook(committed)  # noqa: SLF001 # where it happens
            run = await engine.start(FLOW, "Hello", "r")
            found = counts.copy()
        await store.close()
    assert run.answer == "Done."
    return found + Counter(bytes=path.stat().st_size)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Counter[str], Counter[str]]:
    """The counts of a short run, and of a long one."""
    where = tmp_path_factory.mktemp("counts")
    return asyncio.run(counted(SHORT, where)), asyncio.run(counted(LONG, where))


Found = tuple[Counter[str], Counter[str]]


def test_a_turn_takes_two_commits(found: Found) -> None:
    short, long = found
    assert long["commits"] - short["commits"] == 2 * (LONG - SHORT)
    assert short["commits"] <= 2 * SHORT + 3  # its start, its answer, and the lease given back


def test_a_turn_takes_two_syncs_and_those_of_the_checkpoints(found: Found) -> None:
    short, long = found
    turns = LONG - SHORT
    assert long["-wal"] - short["-wal"] <= 2 * turns + 2 * (long["main"] - short["main"])
    assert long["main"] - short["main"] <= turns / 40, "the log is put into the file as it fills"


def test_bytes_grow_with_what_is_said(found: Found) -> None:
    short, long = found
    said = payload(LONG) - payload(SHORT)
    assert long["bytes"] - short["bytes"] <= 1.3 * said
    assert short["bytes"] - EMPTY <= 1.3 * payload(SHORT)
