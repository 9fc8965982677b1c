"""What models do wrong, over a real socket, with the process killed in the middle."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from engine import Run, State, events, rerun
from tests.limits.failing import (
    LIST,
    LOOK,
    RUN,
    SHOP,
    Call,
    Wrong,
    begin,
    done,
    engine_at,
)
from tests.models.server import running
from tests.races.processes import PATIENCE, put_away_later

Journal = tuple[events.Recorded, ...]


@contextmanager
def killed(server: Wrong) -> Iterator[Wrong]:
    """The model, after the process that asked it first was killed while it waited for a reply."""
    with running(server), put_away_later() as children:
        child = children.start(begin, server.url)
        assert server.hung.wait(PATIENCE)
        child.kill()
        server.let_go.set()
        yield server


def living(server: Wrong) -> AbstractContextManager[Wrong]:
    """The model of a run whose process is killed, if it is to hang, and else is not."""
    return killed(server) if server.hangs_at else running(server)


async def seen_through(server: Wrong) -> tuple[Run, Journal]:
    async with engine_at(server.url) as engine:
        go_on = engine.resume(RUN) if server.hung.is_set() else engine.start("shop", "Hello", RUN)
        run = await go_on
        journal = await engine.journal(RUN)
    assert rerun(journal, SHOP) is None
    return run, journal


@pytest.mark.parametrize(
    ("calls", "requests"),
    [
        ((LOOK,), 3 + 1),
        ((LIST, LOOK), 6 + 1),
        ((LIST, LOOK, ("look_up_order", '{"order": "2"}')), 9 + 1),
        ((("find_order", "{}"),), 3 + 1),
        ((("look_up_order", "{"),), 3 + 1),
    ],
    ids=["A", "A-B", "A-B-C", "an invented tool", "malformed arguments"],
)
async def test_who_repeats_itself_is_told_once_and_then_stopped(
    calls: tuple[Call, ...], requests: int
) -> None:
    with killed(Wrong(*calls, for_ever=True, hangs_at=3)) as server:
        run, journal = await seen_through(server)
    assert (run.state, run.limit) == (State.Aborted, "max_repeats")
    (notice,) = (one.event for one in journal if isinstance(one.event, events.LoopNoticed))
    assert [notice.words in one for one in server.told].count(True) == 1, "told once"
    assert notice.words in server.told[-1], "before the last turn"
    assert len(server.requests) == requests + 1, "and the one that was never answered"
    assert bool(run.found) is (calls[0] in (LOOK, LIST)), "an error is nothing that was found"


async def test_who_heeds_the_word_goes_on() -> None:
    other = ("look_up_order", '{"order": "2"}')
    with killed(Wrong(LOOK, LOOK, LOOK, other, hangs_at=4)) as server:
        run, journal = await seen_through(server)
    assert (run.state, run.answer) == (State.Done, "All done.")
    assert [one.event.kind for one in journal].count("loop_noticed") == 1


async def test_other_results_are_no_loop() -> None:
    calls = [("look_up_order", f'{{"order": "{number}"}}') for number in range(6)]
    with killed(Wrong(*calls, hangs_at=4)) as server:
        run, journal = await seen_through(server)
    assert run.state is State.Done
    assert "loop_noticed" not in [one.event.kind for one in journal]


@pytest.mark.parametrize("name", ["lookup_order", "delete_everything", "", "refund\n", "функция"])
async def test_an_invented_tool_is_refused_in_words_and_the_run_goes_on(name: str) -> None:
    with living(Wrong((name, "{}"), LOOK, hangs_at=2 if name == "lookup_order" else 0)) as server:
        run, journal = await seen_through(server)
    assert (run.state, run.answer) == (State.Done, "All done.")
    assert done() == ["order 1 of 30 days"]
    refused = server.told[0]
    assert "look_up_order" in refused, "the names that there are"
    assert [one.event.kind for one in journal].count("tool_failed") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"order": ', "JSON"),
        ("", "order"),
        ("[]", "object"),
        ("null", "object"),
        ("{}", "order"),
        ('{"order": 1}', "order"),
        ('{"order": "1", "days": "many"}', "days"),
        ('{"order": "1", "colour": "red"}', "colour"),
        ('{"order": "1", "order": "2"}', "order"),
        ('{"order": "1", "days": 1e999}', ""),
        ("[" * 5000, ""),
    ],
)
async def test_malformed_arguments_run_nothing_and_the_model_reads_what_is_wrong(
    arguments: str, said: str
) -> None:
    wrong = ("look_up_order", arguments)
    with living(Wrong(wrong, LOOK, hangs_at=2 if said == "JSON" else 0)) as server:
        run, journal = await seen_through(server)
    assert (run.state, run.answer) == (State.Done, "All done.")
    assert done() == ["order 1 of 30 days"]
    (refused,) = (one.event for one in journal if isinstance(one.event, events.ToolFailed))
    assert refused.error == server.told[0]
    assert said in refused.error
    assert len(refused.error) < 1000
    assert "Traceback" not in refused.error


async def test_the_wrong_tool_does_nothing_until_a_person_has_said_so() -> None:
    wrong = ("refund", '{"order": "1"}')
    with killed(Wrong(LIST, wrong, LOOK, hangs_at=2)) as server:
        run, _ = await seen_through(server)
        assert run.state is State.AwaitingApproval
        assert "refunded 1" not in done()
        async with engine_at(server.url) as engine:
            run = await engine.deny(RUN, by="ann", reason="She only asked where it is.")
            assert rerun(await engine.journal(RUN), SHOP) is None
    assert (run.state, run.answer) == (State.Done, "All done.")
    assert done() == ["orders 1 and 2", "order 1 of 30 days"]
    assert "She only asked where it is." in server.told[1]


async def test_a_wrong_tool_that_only_reads_is_told_what_it_found_and_another_is_taken() -> None:
    with killed(Wrong(LIST, LOOK, hangs_at=2)) as server:
        run, _ = await seen_through(server)
    assert (run.state, run.turns) == (State.Done, 3)
    assert done() == ["orders 1 and 2", "order 1 of 30 days"], "each once"
