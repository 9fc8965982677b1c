"""A copy of a store that is being written to."""

import asyncio
from pathlib import Path

import apsw
import pytest

from engine import BadInputError, Engine, StoreError
from engine.catalogue import backup
from engine.errors import NotAStoreError, StoreTooNewError
from tests.runtime.test_engine import LOOK, OK, PAY, SQLITE, calls, engine

COPIES = 4
V1 = Path(__file__).parents[1] / "replay" / "journals" / "v1" / "runs.db"


def events_in(path: Path) -> int:
    copy = apsw.Connection(str(path))
    try:
        return int(copy.execute("SELECT count(*) FROM events").get)
    finally:
        copy.close()


async def test_a_copy_made_during_heavy_writing_is_a_whole_store() -> None:
    script = [calls(LOOK)] * 30 + [calls(PAY), OK]
    made: list[Path] = []
    async with engine(*script) as waystation:
        await waystation.submit("shop", "Hello", run_id="r0")
        for n in range(1, 5):
            await waystation.submit("shop", "Hello", run_id=f"r{n}")
        writing = asyncio.create_task(waystation.worker().run(once=True))
        begun = 5  # an event a run, as long as none was driven
        while not writing.done() and (len(made) < COPIES or events_in(made[-1]) == begun):
            made.append(Path(f"copy{len(made)}.db"))
            await asyncio.to_thread(backup, SQLITE, made[-1])
        await writing
    counts = [events_in(path) for path in made]
    assert len(set(counts)) > 1, "nothing was written meanwhile"
    assert counts == sorted(counts)
    for path in made:
        async with engine(*script, store=f"sqlite:///{path}") as copy:
            assert await copy.damaged() == {}
            assert await copy._host.store.leased() == []  # noqa: SLF001 # nothing else shows it
            await copy.worker().run(once=True)
            assert len(await copy.pending()) == 5
            assert (await copy.approve("r0", by="ann")).answer == "ok"


async def test_what_is_no_store_is_not_backed_up(tmp_path: Path) -> None:
    other = apsw.Connection("other.db")
    other.execute("CREATE TABLE t (x)")
    other.close()
    with pytest.raises(NotAStoreError, match="not a Waystation store"):
        backup("sqlite:///other.db", tmp_path / "copy.db")
    with pytest.raises(StoreError, match="no store at nowhere.db"):
        backup("sqlite:///nowhere.db", tmp_path / "copy.db")
    with pytest.raises(BadInputError, match="in memory"):
        backup("memory://", tmp_path / "copy.db")
    async with Engine(store=SQLITE) as waystation:
        await waystation.runs()
    with pytest.raises(StoreError, match="no backup was made"):
        backup(SQLITE, tmp_path / "no" / "such" / "folder.db")
    assert not list(tmp_path.glob("copy*"))  # noqa: ASYNC240 # nothing else runs


async def test_an_older_store_is_backed_up_in_today_s_shape_and_left_as_it_is(
    tmp_path: Path,
) -> None:
    old = tmp_path / "old.db"
    old.write_bytes(V1.read_bytes())  # nothing else runs
    backup(f"sqlite:///{old}", tmp_path / "copy.db")
    assert old.read_bytes() == V1.read_bytes()  # nothing else runs
    async with Engine(store=f"sqlite:///{tmp_path / 'copy.db'}") as copy:
        assert await copy.damaged() == {}
        assert len(await copy.runs()) == 9


async def test_a_newer_store_is_not_backed_up(tmp_path: Path) -> None:
    async with Engine(store=SQLITE) as waystation:
        await waystation.runs()
    newer = apsw.Connection("runs.db")
    newer.pragma("user_version", 99)
    newer.close()
    with pytest.raises(StoreTooNewError, match="version 99"):
        backup(SQLITE, tmp_path / "copy.db")
    assert not list(tmp_path.glob("*copy*"))  # noqa: ASYNC240 # nothing else runs
