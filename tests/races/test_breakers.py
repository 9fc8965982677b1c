"""Runs that break their driver are set aside after some tries, and starve nobody."""

import signal
from contextlib import closing

import apsw
import pytest

from engine import CorruptRunError, State
from engine.runtime.worker import MOST_TRIES
from tests.races import shop
from tests.races.breakers import DIES_IN_MODEL, DIES_IN_TOOL, breaking, work_once
from tests.races.checks import count, in_doubt, leased, starts
from tests.races.drivers import FILE, WORKFLOW, opened
from tests.races.processes import Children

HEALTHY = 30
DAMAGED = "damaged"
MOST_RESTARTS = 2 * MOST_TRIES  # each of the two that kill may do so so often

Turns = tuple[tuple[str, ...], ...]

PAYS: Turns = (("look",), ("pay",))
CHARGES: Turns = (("look",), ("charge",))


@pytest.mark.parametrize(("turns", "concurrency"), [(PAYS, 1), (CHARGES, 4), (CHARGES, 64)])
async def test_the_healthy_runs_finish_beside_one_that_raises_and_two_that_kill(
    turns: Turns, concurrency: int, children: Children
) -> None:
    healthy = await mixed(turns)
    kills = supervise(turns, concurrency, children)
    assert MOST_TRIES <= kills <= MOST_RESTARTS
    async with opened(breaking(turns)) as engine:
        assert {(await engine.run(name)).state for name in healthy} == {State.Done}
        assert await engine.damaged() == {
            DAMAGED: f"run {DAMAGED} is damaged at seq 1: "
            "its digest does not follow from what stands before it"
        }
        killer = await engine.run(DIES_IN_TOOL)
        assert (killer.state, in_doubt(killer)) == (State.AwaitingApproval, ["call_1_1"])
        assert len(await starts(engine, DIES_IN_TOOL)) == killer.calls[0].attempt == 5
        assert (await engine.run(DIES_IN_MODEL)).state is State.AwaitingModel
    assert sorted(effect.run_id for effect in shop.effects()) == sorted(healthy)
    assert tries().keys() == {DAMAGED, DIES_IN_MODEL}
    assert tries()[DIES_IN_MODEL] == MOST_TRIES
    assert leased() == [DIES_IN_MODEL], "nobody lived to give that one back"
    count(f"{kills} processes killed by their runs, {HEALTHY} healthy runs beside them")


async def test_a_run_that_raises_does_not_stand_before_the_others(children: Children) -> None:
    healthy = await mixed(PAYS)
    async with opened(breaking(PAYS)) as engine:
        for name in (DIES_IN_TOOL, DIES_IN_MODEL):
            await engine.abort(name, by="ann")
    assert children.start(work_once, PAYS, 1).result() == (DAMAGED,)
    async with opened(breaking(PAYS)) as engine:
        assert {(await engine.run(name)).state for name in healthy} == {State.Done}


async def test_a_run_that_was_set_aside_can_be_resumed_by_name(children: Children) -> None:
    await mixed(PAYS)
    assert supervise(PAYS, 1, children) > 0
    async with opened(breaking(PAYS, deadly=False)) as engine:
        assert (await engine.resume(DIES_IN_MODEL)).state is State.Done
        run = await engine.approve(DIES_IN_TOOL, by="ann", retry=True)
        assert run.state is State.Done
        with pytest.raises(CorruptRunError, match=f"run {DAMAGED} is damaged"):
            await engine.resume(DAMAGED)
    assert set(tries()) == {DAMAGED}


def supervise(turns: Turns, concurrency: int, children: Children) -> int:
    """How often a worker had to be started anew, until it came to its end."""
    for restarts in range(MOST_RESTARTS + 1):
        worker = children.start(work_once, turns, concurrency)
        if (code := worker.exit_code()) == 0:
            return restarts
        assert code == -signal.SIGKILL
    raise AssertionError("the worker never came to its end")


async def mixed(turns: Turns) -> list[str]:
    """The healthy ones among the submitted runs; the others come first."""
    shop.open_shop()
    healthy = [f"r{place}" for place in range(1, HEALTHY + 1)]
    async with opened(breaking(turns)) as engine:
        for name in (DIES_IN_TOOL, DIES_IN_MODEL, DAMAGED, *healthy):
            await engine.submit(WORKFLOW, "Hello", run_id=name)
    with closing(apsw.Connection(FILE)) as database:
        database.execute(
            "UPDATE events SET at = at + 1 WHERE run = (SELECT id FROM runs WHERE run_id = ?)",
            (DAMAGED,),
        )
        assert database.changes() == 1
    return healthy


def tries() -> dict[str, int]:
    """How often each run was taken up in vain, of those that were."""
    with closing(apsw.Connection(FILE)) as database:
        rows = database.execute("SELECT run_id, tries FROM runs WHERE tries > 0")
        return {str(run_id): int(str(number)) for run_id, number in rows}
