"""Each limit, over a real socket, with the process killed in the middle and another going on."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from engine import Engine, RefusedError, Run, State, events, rerun
from engine.core.evolve import fold
from tests.limits.desk import (
    CASES,
    RUN,
    Case,
    Endless,
    begin,
    clock,
    engine_at,
    go_further,
    raised,
    workflow,
)
from tests.models.server import running
from tests.races.processes import PATIENCE, Children, put_away_later

BY_LIMIT = pytest.mark.parametrize("case", CASES, ids=lambda case: case.limit)


@pytest.fixture
def children() -> Iterator[Children]:
    with put_away_later() as started:
        yield started


@pytest.fixture
def server(case: Case) -> Iterator[Endless]:
    with running(Endless(case.limit)) as endless:
        yield endless
        endless.let_go.set()


def killed_while_it_asks(server: Endless, children: Children, case: Case, on_limit: str) -> None:
    """Nothing, once a process that began the run was killed in the midst of a request."""
    child = children.start(begin, server.url, case, on_limit)
    assert server.hung.wait(PATIENCE)
    child.kill()
    server.let_go.set()


@asynccontextmanager
async def at_the_limit(
    server: Endless, children: Children, case: Case, on_limit: str
) -> AsyncIterator[tuple[Engine, Run]]:
    """The run at its limit, in another process than the one that began it."""
    killed_while_it_asks(server, children, case, on_limit)
    async with engine_at(server.url, case, on_limit) as engine:
        clock.time = (await engine.run(RUN)).updated_at
        run = await engine.resume(RUN)
        journal = await engine.journal(RUN)
        assert fold(journal) == run
        assert rerun(journal, workflow(case, on_limit)) is None
        assert len(server.requests) == case.requests + bool(run.answer)
        yield engine, run
        journal = await engine.journal(RUN)
        assert fold(journal) == await engine.run(RUN)
        assert rerun(journal, workflow(case, on_limit)) is None


async def spends_nothing_more(engine: Engine, server: Endless) -> None:
    before = len(server.requests), len(await engine.journal(RUN))
    await engine.resume(RUN)
    await engine.worker().run(once=True)
    assert (len(server.requests), len(await engine.journal(RUN))) == before


async def goes_further(
    engine: Engine, server: Endless, children: Children, case: Case, on_limit: str
) -> None:
    """Nothing; the raised run goes on, though the process that raised it is killed."""
    before, asked = await engine.run(RUN), len(server.requests)
    server.hung.clear()
    server.let_go.clear()
    server.over, server.hangs_at = True, asked + 1
    child = children.start(go_further, server.url, case, on_limit)
    assert server.hung.wait(PATIENCE)
    child.kill()
    server.let_go.set()
    clock.time = max(clock.time, before.updated_at)
    run = await engine.resume(RUN)
    assert (run.state, run.answer, run.reason) == (State.Done, "All done.", None)
    assert run.raised == {case.limit: case.more}
    assert (run.turns, len(server.requests)) == (case.turns + 1, asked + 2)
    assert run.usage.total_tokens == 110 * run.turns
    forked = await engine.fork(RUN, at=run.seq - 1, detach=True)
    assert forked.raised == {}


@BY_LIMIT
async def test_abort_ends_the_run_keeps_what_was_found_and_a_person_revives_it(
    case: Case, server: Endless, children: Children
) -> None:
    async with at_the_limit(server, children, case, "abort") as (engine, run):
        assert (run.state, run.limit, run.turns) == (State.Aborted, case.limit, case.turns)
        assert run.found == f"Looked {case.turns - 1} up."
        await spends_nothing_more(engine, server)
        await goes_further(engine, server, children, case, "abort")


@BY_LIMIT
async def test_ask_parks_the_run_and_it_goes_on_once_a_person_raises_the_limit(
    case: Case, server: Endless, children: Children
) -> None:
    async with at_the_limit(server, children, case, "ask") as (engine, run):
        (asked,) = await engine.pending()
        assert (run.state, asked.kind, asked.tool) == (
            State.AwaitingApproval,
            "limit",
            case.limit,
        )
        assert asked.words == f"Looked {case.turns - 1} up.", "what was found so far"
        await spends_nothing_more(engine, server)
        await goes_further(engine, server, children, case, "ask")


@BY_LIMIT
async def test_ask_parks_the_run_and_a_no_stops_it(
    case: Case, server: Endless, children: Children
) -> None:
    async with at_the_limit(server, children, case, "ask") as (engine, _):
        run = await engine.deny(RUN, by="ann", reason="enough")
        assert (run.state, run.limit) == (State.Aborted, case.limit)
        assert run.found == f"Looked {case.turns - 1} up."
        assert "ann did not let it go on: enough" in (run.reason or "")
        await spends_nothing_more(engine, server)
        server.over = True
        with pytest.raises(RefusedError, match="ann did not let run r1 go on"):
            await raised(engine, case, by="bob")
        assert (await raised(engine, case)).state is State.Done, "a no may be thought better of"


@BY_LIMIT
async def test_answer_gives_the_model_one_last_turn_without_tools(
    case: Case, server: Endless, children: Children
) -> None:
    async with at_the_limit(server, children, case, "answer") as (engine, run):
        if case.limit == "max_attempts":  # who does not answer gives no last answer
            assert (run.state, run.limit) == (State.Aborted, case.limit)
        else:
            assert (run.state, run.limit, run.answer) == (State.Done, case.limit, "All done.")
            last = server.requests[-1]
            assert "tools" not in last
            assert "Answer now, without tools" in last["messages"][-1]["content"]
        await spends_nothing_more(engine, server)


@pytest.mark.parametrize("case", [case for case in CASES if case.limit == "max_repeats"])
async def test_a_loop_is_told_once_over_a_kill(
    case: Case, server: Endless, children: Children
) -> None:
    async with at_the_limit(server, children, case, "abort") as (engine, _):
        journal = await engine.journal(RUN)
    told = [one.event.words for one in journal if isinstance(one.event, events.LoopNoticed)]
    assert len(told) == 1
    sent = server.requests[-1]["messages"]
    heard = [message["content"] for message in sent if message["role"] == "user"]
    assert heard[0] == "Hello"
    assert [told[0] in one for one in heard[1:]] == [True]


@pytest.mark.parametrize("case", [case for case in CASES if case.limit == "max_turns"])
async def test_a_model_that_wants_tools_for_its_last_answer_gets_none_and_the_run_ends(
    case: Case, server: Endless, children: Children
) -> None:
    server.stubborn = True
    killed_while_it_asks(server, children, case, "answer")
    async with engine_at(server.url, case, "answer") as engine:
        clock.time = (await engine.run(RUN)).updated_at
        run = await engine.resume(RUN)
        journal = await engine.journal(RUN)
        assert (run.state, run.limit, run.found) == (State.Aborted, case.limit, "Looked 3 up.")
        assert rerun(journal, workflow(case, "answer")) is None
        looked = [one.event for one in journal if isinstance(one.event, events.ToolReturned)]
        assert len(looked) == case.turns, "nothing was looked up for the last answer"
        await spends_nothing_more(engine, server)
