"""What people say from other processes while a driver is at work is neither lost nor undone."""

import pytest

from engine import RefusedError, State
from tests.races import shop
from tests.races.checks import all_done, journals, leased
from tests.races.drivers import opened, submit
from tests.races.pausers import PAUSED, WAYS, abort, approve, pause_at, pause_in_tools, slowly
from tests.races.processes import Children

# Where a driver can be when its run is parked, and it has not turned its back on it yet.
PARKING = [
    ("after append", "approval_requested"),
    ("before release", None),
    ("after release", None),
]


@pytest.mark.parametrize("way", WAYS)
async def test_what_was_in_flight_when_a_run_was_aborted_is_recorded_and_changes_nothing(
    way: str, children: Children
) -> None:
    shop.open_shop()
    await submit(1, slowly())
    driver = children.start(pause_in_tools, way)
    for _ in range(2):
        driver.wait_for(PAUSED)
    assert children.start(abort).result() is State.Aborted
    assert shop.effects() == []
    for _ in range(2):
        driver.say("go on")
    assert driver.result() is State.Aborted
    assert len(shop.effects()) == 2
    async with opened(slowly()) as engine:
        kinds = (await journals(engine, ["r1"]))["r1"]
        assert kinds[2:] == ("tool_started",) * 2 + ("run_aborted",) + ("tool_returned",) * 2
        run = await engine.run("r1")
        assert (run.state, run.reason) == (State.Aborted, "aborted by ann: enough")
        assert [result.content for result in run.results] == ["done at last"] * 2
        with pytest.raises(RefusedError, match="r1 is Aborted already"):
            await engine.abort("r1", by="bob")
        assert await engine.damaged() == {}
    assert leased() == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("point", "kind"), PARKING)
async def test_a_verdict_given_while_the_driver_turns_away_is_not_lost(
    way: str, point: str, kind: str | None, children: Children
) -> None:
    shop.open_shop()
    await submit(1, "refund")
    driver = children.start(pause_at, way, point, kind)
    driver.wait_for(PAUSED)
    state, open_approvals = children.start(approve).result()
    assert open_approvals == 0
    still_leased = point != "after release"
    assert state is (State.AwaitingApproval if still_leased else State.Done)
    driver.say("go on")
    assert driver.result() is State.Done, "nobody went on with the run"
    async with opened("refund") as engine:
        await all_done(engine, ["r1"])
    assert len(shop.effects()) == 1


@pytest.mark.parametrize(("point", "kind"), PARKING[:2])
async def test_a_verdict_given_to_a_driver_that_then_dies_is_found_by_a_worker(
    point: str, kind: str | None, children: Children
) -> None:
    shop.open_shop()
    await submit(1, "refund")
    driver = children.start(pause_at, "worker", point, kind)
    driver.wait_for(PAUSED)
    state, _ = children.start(approve).result()
    assert state is State.AwaitingApproval
    driver.kill()
    assert leased() == ["r1"]
    async with opened("refund") as engine:
        await engine.worker().run(once=True)
        await all_done(engine, ["r1"])
    assert len(shop.effects()) == 1
