"""A run that is killed anywhere, by a real SIGKILL, comes to the same end as one that is not."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.crew import Hand, Report, crew, fresh
from tests.crash.points import Pair
from tests.crash.programs import Job
from tests.crash.verdict import log_tells_all, names, same_end, unkilled

PLACES = ("store.", "effect.", "model.", "notify.", "log.", "wal.", "main.", "journal.", "files.")


def pairs(report: Report) -> list[Pair]:
    """Every point, with each time it is reached; there are points at every place."""
    reached = [(name, time) for name, time in report["reached"]]
    for place in PLACES:
        assert any(name.startswith(place) for name, _ in reached), f"no point {place}*"
    return reached


async def kill_and_recover(hand: Hand, folder: Path, pair: Pair, wanted: Report) -> None:
    """Nothing, where the run that was killed there comes to the end that is wanted."""
    job = Job(fresh(folder))
    await hand.kill(Job(job.folder, kill=pair))
    try:
        found = await hand.report(job)
        same_end(found, wanted)
        log_tells_all(folder, found["journal"], 1)
    except AssertionError as error:
        pytest.fail(f"killed at {pair}: {error}")
    shutil.rmtree(folder)


async def test_a_run_killed_at_any_point_comes_to_the_same_end(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    kills = Counter[Pair]()
    async with crew() as hands:
        wanted = await unkilled(hands.hands[0], Job(fresh(tmp_path / "unkilled")))
        sweep = pairs(wanted)

        async def act(hand: Hand, pair: Pair) -> None:
            await kill_and_recover(hand, tmp_path / f"{pair[0]}-{pair[1]}", pair, wanted)
            kills[pair] += 1

        await hands.each(sweep, act)
    tell(f"crash points: {len(names(sweep))}, kills: {kills.total()}")
    assert kills == Counter(sweep)
    assert kills.total() == len(sweep) > 0


@pytest.mark.parametrize("point", ["main.write.after", "store.release.before"])
async def test_where_a_crash_once_did_harm_it_does_none(point: str, tmp_path: Path) -> None:
    # A store that was killed while SQLite turned its write-ahead log on could not be opened
    # again, and a run whose driver died after the last event was leased for ever.
    async with crew() as hands:
        hand = hands.hands[0]
        wanted = await unkilled(hand, Job(fresh(tmp_path / "unkilled")))
        times = [time for name, time in pairs(wanted) if name == point]
        assert times
        for time in times:
            await kill_and_recover(hand, tmp_path / f"{time}", (point, time), wanted)


async def test_the_sweep_sees_what_a_tool_does_that_lies_about_being_idempotent(
    tmp_path: Path,
) -> None:
    async with crew() as hands:
        hand = hands.hands[0]
        wanted = await unkilled(hand, Job(fresh(tmp_path / "unkilled")))
        folder = fresh(tmp_path / "killed")
        await hand.kill(Job(folder, kill=("effect.charge.after", 1), lying=True))
        found = await hand.report(Job(folder, lying=True))
        with pytest.raises(AssertionError, match="effects"):
            same_end(found, wanted)
    assert [tool for _, tool, _ in found["effects"]].count("charge") == 2
