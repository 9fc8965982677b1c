"""Archiving and forgetting are killed at every point, and done again: no run is ever lost."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.stores.sqlite import SqliteStore
from tests.keeping.killed import archive, forget
from tests.keeping.office import CANARY, DB, TO, ended, engine, in_store, parked, traces
from tests.logs.copies import rebuilt

ROOT = Path(__file__).parents[2]
CHLOE = f"chloe-{CANARY}"


class Server:
    """Children that do one work after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.keeping.killed"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, folder: Path, work: str, kill: Any = None) -> int:
        """How the child that did it ended."""
        assert self._process.stdin
        assert self._process.stdout
        job = {"folder": str(folder), "work": work, "kill": kill}
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def leave(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture
def server() -> Iterator[Server]:
    hired = Server()
    yield hired
    hired.leave()


def points(server: Server, template: Path, work: str) -> list[tuple[str, int]]:
    """Every point that the work reaches, with each time, where nothing kills it."""
    folder = Path("counted").absolute()
    shutil.copytree(template, folder)
    assert server.do(folder, work) == 0
    reached = json.loads((folder / "reached.json").read_text())
    return [(name, time) for name, time in reached]


async def test_archiving_killed_anywhere_loses_no_run_and_is_finished_by_doing_it_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template"
    template.mkdir()
    monkeypatch.chdir(template)
    await ended("r1")
    await ended("r2")
    await parked("r3")
    shutil.rmtree(template / ".rebuilt", ignore_errors=True)
    monkeypatch.chdir(tmp_path)
    sweep = points(server, template, "archive")
    assert {"files.link.before", "store.archive.after", "files.fsync.after"} <= dict(sweep).keys()
    kills = 0
    for place, pair in enumerate(sweep):
        folder = tmp_path / f"k{place}"
        shutil.copytree(template, folder)
        assert server.do(folder, "archive", pair) == -signal.SIGKILL, pair
        kills += 1
        monkeypatch.chdir(folder)
        files = list(TO.glob("waystation-*.gz"))  # nothing else runs
        filed, tally, _ = await rebuilt(*files)
        assert {one.fault for one in filed.values()} <= {None}, pair
        assert tally.damaged == [], pair
        assert {"r1", "r2"} <= {*await in_store("r1", "r2"), *filed}, pair
        await archive()
        await _all_is_archived(pair)
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(folder)
    assert kills == len(sweep) > 15


async def _all_is_archived(pair: tuple[str, int]) -> None:
    assert set(await in_store("r1", "r2", "r3")) == {"r3"}, pair
    store = SqliteStore(DB)
    rows = [await store.archived(name) for name in ("r1", "r2")]
    await store.close()
    files = {Path(row.place) for row in rows if row}
    assert None not in rows, pair
    assert {one.absolute() for one in TO.iterdir()} == files, pair
    assert set((await rebuilt(*files))[0]) == {"r1", "r2"}
    async with engine(100) as later:
        found = await later.examine()
    assert (found.damaged, found.archived) == ({}, 2), pair


async def test_forgetting_killed_anywhere_leaves_whole_runs_and_is_finished_by_doing_it_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template"
    template.mkdir()
    monkeypatch.chdir(template)
    await ended("r1", CHLOE)
    await archive()
    await ended("r2", CHLOE)
    shutil.rmtree(template / ".rebuilt", ignore_errors=True)
    monkeypatch.chdir(tmp_path)
    places = [Path(TO, one.name) for one in (template / TO).iterdir()]  # as above
    _name_by_folder(template, template)
    sweep = _sweep(server, template)
    assert {"files.replace.after", "store.append.after"} <= dict(sweep).keys()
    for place, pair in enumerate(sweep):
        folder = tmp_path / f"k{place}"
        shutil.copytree(template, folder)
        _name_by_folder(folder, template)
        assert server.do(folder, "forget", pair) == -signal.SIGKILL, pair
        monkeypatch.chdir(folder)
        async with engine(200) as later:
            assert (await later.examine()).damaged == {}, pair
        done = await forget()
        assert (done.left, done.traces, traces()) == ({}, False, []), pair
        async with engine(200) as later:
            assert (await later.examine()).damaged == {}, pair
        runs, tally, _ = await rebuilt(Path("runs.jsonl"), *places)
        assert ({one.fault for one in runs.values()}, tally.damaged) == ({None}, []), pair
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(folder)
    assert len(sweep) > 10


def _sweep(server: Server, template: Path) -> list[tuple[str, int]]:
    shutil.copytree(template, template.parent / "named")
    _name_by_folder(template.parent / "named", template)
    return points(server, template.parent / "named", "forget")


def _name_by_folder(folder: Path, template: Path) -> None:
    """The archive of a copied store is the copy beside it."""
    import apsw

    store = apsw.Connection(str(folder / DB))
    store.execute("UPDATE archived SET place = replace(place, ?, ?)", (str(template), str(folder)))
    store.close()
