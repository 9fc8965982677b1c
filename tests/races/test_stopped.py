"""A driver is stopped, another one takes its run over, and then the first one wakes up."""

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine import State
from tests.races import shop
from tests.races.checks import all_done, count, leased, look_into_doubts, starts
from tests.races.drivers import FILE, opened, submit
from tests.races.processes import Children
from tests.races.stoppers import Drive, Driven, Point, drive

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")

FIRST_APPEND = 2  # among a driver's points, after those of its claim


@dataclass(frozen=True)
class Taken:
    """What came of a takeover: the two drivers, and what the woken one still did outside."""

    first: Driven
    second: Driven
    late: list[str]
    open_before: set[str]
    doubts: int


async def test_before_any_write_the_woken_driver_is_refused_and_begins_nothing(
    children: Children,
) -> None:
    points = before_appends(await points_of("one by one", children))
    doubts = 0
    for stop_at in points:
        for second_stops in (None, FIRST_APPEND):  # it has finished, or has the lease only
            taken = await takeover("one by one", stop_at, second_stops, children)
            assert "taken over by driver 2" in (taken.first.busy or "")
            assert taken.late == [], "a driver that had lost its lease began an effect"
            doubts += taken.doubts
    assert len(points) == 5
    assert doubts > 0, "no result was ever lost: the sweep has missed what it is about"
    count(f"{2 * len(points)} takeovers before an append, {doubts} calls in doubt")


@pytest.mark.parametrize("script", ["one by one", "at once"])
async def test_after_any_write_too_each_effect_happened_once_or_is_in_doubt(
    script: str, children: Children
) -> None:
    points = before_the_end(await points_of(script, children))
    late = 0
    for stop_at in points:
        taken = await takeover(script, stop_at, None, children)
        # What was begun durably cannot be called back. It is never anything else, though.
        assert set(taken.late) <= taken.open_before
        late += len(taken.late)
    assert late > 0, "nothing was ever in flight"
    count(f"{len(points)} takeovers after a write, {late} effects of a stopped driver came late")


async def test_a_driver_that_stopped_before_its_claim_finds_the_run_done(
    children: Children,
) -> None:
    taken = await takeover("one by one", 0, None, children)
    assert (taken.first.state, taken.second.state) == (State.Done, State.Done)
    assert taken.late == []


async def test_without_the_epoch_a_driver_without_a_lease_would_begin_effects(
    children: Children,
) -> None:
    # The second driver has the lease, and has not written anything: seq is as it was.
    unfenced = Drive("one by one", FIRST_APPEND, fenced=False)
    first, late, _ = await wake(unfenced, FIRST_APPEND, children)
    assert first.state is State.Done, "the woken driver went on to the end"
    assert len(late) == 2, "and paid"
    # Where the second one has written, the seq alone keeps the first one out.
    first, late, _ = await wake(unfenced, None, children)
    assert "taken over by driver 2" in (first.busy or "")
    assert late == []


async def takeover(
    script: str, stop_at: int, second_stops: int | None, children: Children
) -> Taken:
    """Stop a driver, let another one take over, wake the first, and see the run to its end."""
    part = Drive(script, stop_at)
    first, late, (second, before) = await wake(part, second_stops, children)
    async with opened(script) as engine:
        doubts = await look_into_doubts(engine, "r1")
        await all_done(engine, ["r1"])
        run = await engine.run("r1")
    assert (first.stops, second.stops) == (1, int(second_stops is not None))
    assert len(shop.effects()) == sum(message.role == "tool" for message in run.messages) == 2
    return Taken(first, second, late, before, doubts)


async def wake(
    part: Drive, second_stops: int | None, children: Children
) -> tuple[Driven, list[str], tuple[Driven, set[str]]]:
    """The first driver, what it did after it was woken, the second one, and what was open then."""
    await begin(part.script)
    first = children.start(drive, part)
    first.until_stopped()
    before, paid = await open_calls(part.script), len(shop.effects())
    second = children.start(drive, Drive(part.script, second_stops))
    if second_stops is None:
        finished: Driven = second.result()
    else:
        second.until_stopped()
    first.signal(signal.SIGCONT)
    woken: Driven = first.result()
    late = [one.call_id for one in shop.effects()[paid:] if one.pid == first.pid]
    if second_stops is not None:
        second.signal(signal.SIGCONT)
        finished = second.result()
    assert leased() == []
    return woken, late, (finished, before)


async def begin(script: str) -> None:
    """A store with one run that nobody drives, and a shop in which nothing has happened."""
    for file in Path().glob("*.db*"):  # noqa: ASYNC240 # nothing else runs
        file.unlink()
    shop.open_shop()
    await submit(1, script)
    assert Path(FILE).exists()  # noqa: ASYNC240 # as above


async def open_calls(script: str) -> set[str]:
    """The calls that have begun and have no result."""
    async with opened(script) as engine:
        run = await engine.run("r1")
        begun = {start.call_id for start in await starts(engine, "r1")}
    return begun & {call.id for call in run.calls if call.status == "started"}


async def points_of(script: str, children: Children) -> tuple[Point, ...]:
    """Every point at which a driver of the run could stop."""
    await begin(script)
    alone: Driven = children.start(drive, Drive(script)).result()
    assert alone.state is State.Done
    return alone.points


def before_appends(points: tuple[Point, ...]) -> list[int]:
    return [place for place, (point, _) in enumerate(points) if point == "before append"]


def before_the_end(points: tuple[Point, ...]) -> list[int]:
    """After having the lease, and after each write but the last: then nothing is left to do."""
    places = [place for place, (point, _) in enumerate(points) if point.startswith("after")]
    return [place for place in places if place < before_appends(points)[-1]]
