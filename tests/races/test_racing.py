"""Two drivers and more of the same runs: no effect twice, nothing lost, and nobody trips."""

from tests.races import shop
from tests.races.checks import PAYS, all_done, count, journals, log_is_journal
from tests.races.drivers import opened, submit
from tests.races.processes import Children
from tests.races.racers import Tally, resume_all, work

RUNS = 240


async def test_runs_resumed_by_four_processes_at_once_are_driven_by_one_each(
    children: Children,
) -> None:
    shop.open_shop()
    names = await submit(RUNS)
    tallies: list[Tally] = children.together(4, resume_all, "pays", names)
    assert [tally.complaints for tally in tallies] == [()] * 4
    busy, lost = sum(tally.busy for tally in tallies), sum(tally.lost for tally in tallies)
    assert busy > 0, "nobody was ever refused: there was no race"
    assert lost > 0, "nobody was ever slower by a hair: the race was not close"
    assert sum(tally.finished for tally in tallies) >= RUNS, "a run was refused to everybody"
    await each_paid_once(names)
    count(f"{RUNS} runs, {busy} drivers refused, {lost} claims lost in the race")


async def test_eight_workers_on_one_file_share_the_runs(children: Children) -> None:
    shop.open_shop()
    names = await submit(RUNS)
    tallies: list[Tally] = children.together(8, work, "pays", 8)
    assert [tally.complaints for tally in tallies] == [()] * 8
    lost = sum(tally.lost for tally in tallies)
    assert lost > 0, "nobody was ever slower: there was no race"
    await each_paid_once(names)
    assert len({effect.pid for effect in shop.effects()}) > 1, "one process did it all"
    count(f"{RUNS} runs, {lost} claims lost in the race")


async def each_paid_once(names: list[str]) -> None:
    """Every run has paid once, and its journal tells that and nothing more."""
    async with opened() as engine:
        await all_done(engine, names)
        told = await journals(engine, names)
    assert set(told.values()) == {PAYS}
    log_is_journal(told)
    assert sorted(effect.run_id for effect in shop.effects()) == sorted(names)
