"""Verdicts from many processes at once, and from one that dies with its verdict given."""

import signal

import pytest

from engine import Engine, Run, State, events
from tests.races import shop
from tests.races.checks import all_done, count, journals, leased, log_is_journal
from tests.races.deciders import KINDS, VERDICTS, Decided, decide_all, decide_and_die
from tests.races.drivers import LOG, opened, submit
from tests.races.processes import Children
from tests.races.racers import Tally, resume_all

PAIR = ("approval_granted", "approval_denied")

SAID = {
    "approval_granted": "refunded",
    "approval_denied": "Denied by a person",
    "approval_answered": "I did",
}
Verdict = events.ApprovalGranted | events.ApprovalDenied | events.ApprovalAnswered


@pytest.mark.parametrize(("people", "kinds", "rounds"), [(2, PAIR, 1000), (6, KINDS, 50)])
async def test_of_verdicts_given_at_once_one_wins_and_the_others_are_told(
    people: int, kinds: tuple[str, ...], rounds: int, children: Children
) -> None:
    names = await parked(rounds)
    decided: list[Decided] = children.together(people, decide_all, kinds, names)
    assert [one.complaints for one in decided] == [()] * people
    conflicts = sum(one.conflicts for one in decided)
    assert conflicts > 0, "no two were ever at it at once"
    winners = {name: place for place, one in enumerate(decided) for name in one.won}
    assert sum(len(one.won) for one in decided) == len(winners) == rounds
    assert len(set(winners.values())) > 1, "one person was always first: nobody raced"
    for one in decided:
        assert len(one.won) + len(one.refusals) == rounds
        for name, words in one.refusals.items():
            assert words.startswith(f"run {name} is "), words
            assert "waits for no verdict" in words
            assert f" by person {winners[name]} at " in words, "it is not said who was faster"
    async with opened("refund") as engine:
        await all_done(engine, names)
        log_is_journal(await journals(engine, names))
        for name, place in winners.items():
            await only_verdict_is(engine, name, by=f"person {place}")
    count(f"{rounds} rounds, {conflicts} verdicts lost in the commit")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_verdict_outlives_a_process_that_dies_before_it_drives_on(
    kind: str, children: Children
) -> None:
    (name,) = await parked(1)
    dying = children.start(decide_and_die, kind, "after append")
    assert dying.exit_code() == -signal.SIGKILL
    async with opened("refund") as engine:
        assert [one.event for one in await engine.journal(name)][-1].kind == kind
        assert shop.effects() == []
        await engine.worker().run(once=True)
        await all_done(engine, [name])
        await only_verdict_is(engine, name, by="ann")


async def test_one_pause_that_several_processes_go_on_from_has_one_effect(
    children: Children,
) -> None:
    (name,) = await parked(1)
    dying = children.start(decide_and_die, "approval_granted", "after append")
    assert dying.exit_code() == -signal.SIGKILL
    tallies: list[Tally] = children.together(3, resume_all, "refund", [name])
    assert sum(one.lost for one in tallies) > 0, "nobody raced for it"
    assert sum(one.finished for one in tallies) + sum(one.busy for one in tallies) == 3
    async with opened("refund") as engine:
        await all_done(engine, [name])
        await only_verdict_is(engine, name, by="ann")
    assert len(shop.effects()) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_verdict_that_was_not_durable_was_not_given(kind: str, children: Children) -> None:
    (name,) = await parked(1)
    dying = children.start(decide_and_die, kind, "before append")
    assert dying.exit_code() == -signal.SIGKILL
    async with opened("refund") as engine:
        await engine.worker().run(once=True)
        assert [one.run_id for one in await engine.pending()] == [name]
        await VERDICTS[kind](engine, name, "bob")
        await only_verdict_is(engine, name, by="bob")


async def parked(number: int) -> list[str]:
    """Runs that wait for a person each."""
    shop.open_shop()
    names = await submit(number, "refund")
    async with opened("refund", log=LOG) as engine:
        await engine.worker().run(once=True)
        assert len(await engine.runs(State.AwaitingApproval, limit=number)) == number
    assert leased() == []
    return names


async def only_verdict_is(engine: Engine, name: str, by: str) -> None:
    """One verdict was recorded, of that person, and what happened is what it says."""
    journal = [one.event for one in await engine.journal(name)]
    (verdict,) = (event for event in journal if isinstance(event, Verdict))
    assert verdict.by == by
    run: Run = await engine.run(name)
    (told,) = (message.content for message in run.messages if message.role == "tool")
    assert (told or "").startswith(SAID[verdict.kind])
    paid = [one for one in shop.effects() if one.run_id == name]
    assert len(paid) == (verdict.kind == "approval_granted")
