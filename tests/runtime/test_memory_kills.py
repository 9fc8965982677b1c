"""A run that remembers is killed at every point, and gone on with: each fact is there once."""

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keeping.killed import remember
from tests.keeping.test_kills import Server, points
from tests.runtime.remembering import engine as desk
from tests.runtime.remembering import kept, kinds


@pytest.fixture
def hired() -> Iterator[Server]:
    server = Server()
    yield server
    server.leave()


async def test_killed_anywhere_each_fact_and_the_summary_are_there_exactly_once(
    hired: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "template"
    template.mkdir()
    sweep = points(hired, template, "remember")
    names = [name for name, _ in sweep]
    assert {"note.before", "note.after", "store.append.before"} <= set(names)
    for place, pair in enumerate(sweep):
        folder = tmp_path / f"k{place}"
        folder.mkdir()
        assert hired.do(folder, "remember", pair) == -signal.SIGKILL, pair
        monkeypatch.chdir(folder)
        await remember()
        facts = await kept()
        assert sorted(one.text for one in facts) == [
            "Asked: Hello Answered: ok",
            "She has a dog",
            "She likes green tea",
        ], pair
        async with desk() as waystation:
            journal = await waystation.journal("r1")
        assert kinds(journal).count("run_summarised") == 1, pair
        for one in facts:
            kind = "tool_returned" if one.call_id else "run_summarised"
            assert journal[one.seq - 1].event.kind == kind, pair
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(folder)
    assert len(sweep) >= 8
