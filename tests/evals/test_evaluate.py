"""Cases together: at once, each in its own run, and none ends the others."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from engine import (
    BadInputError,
    Case,
    CaseResult,
    Engine,
    EngineError,
    Message,
    ModelReply,
    ModelRequest,
    ScriptedModel,
    StoreError,
    UnknownRunError,
    Workflow,
    evaluate,
)
from engine.evals.results import evaluation_of
from tests.evals.bench import OK, PAYS, YES, bench, case


class Crowd:
    """Replies only once so many runs have asked at the same time."""

    def __init__(self, size: int) -> None:
        self._size, self._inside, self.most = size, 0, 0
        self._full, self.two = asyncio.Event(), asyncio.Event()

    async def complete(self, request: ModelRequest) -> ModelReply:
        del request
        self._inside += 1
        self.most = max(self.most, self._inside)
        if self._inside == 2:
            self.two.set()
        if self._inside == self._size:
            self._full.set()
        await self._full.wait()
        await asyncio.sleep(0)
        self._inside -= 1
        return ModelReply(Message(role="assistant", content="ok"))


def several(count: int, **more: Any) -> list[Case]:
    return [case({}, **({"name": f"case {n}"} | more)) for n in range(count)]


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_so_many_runs_are_driven_at_once_and_no_more(concurrency: int) -> None:
    crowd = Crowd(concurrency)
    async with bench(model=crowd) as engine:
        done = await evaluate(several(9), engine, concurrency=concurrency)
    assert (crowd.most, done.passed, done.success_rate) == (concurrency, 9, 1.0)
    assert [one.name for one in done.results] == [f"case {n}" for n in range(9)]
    assert len({one.run_id for one in done.results}) == 9


class Moody:
    """Breaks at every other run."""

    def __init__(self) -> None:
        self._asked = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        del request
        self._asked += 1
        if self._asked % 2:
            raise ValueError("in no\nmood")
        return ModelReply(Message(role="assistant", content="ok"))


async def test_what_raises_in_one_run_ends_no_other_and_each_repetition_counts() -> None:
    ended: list[CaseResult] = []
    async with bench(model=Moody()) as engine:
        done = await evaluate(several(1, repeat=6), engine, concurrency=1, on_result=ended.append)
    assert [one.repetition for one in done.results] == [1, 2, 3, 4, 5, 6]
    assert [one.passed for one in done.results] == [False, True] * 3
    assert (done.runs, done.passed, done.success_rate) == (6, 3, 0.5)
    assert ended == list(done.results)
    raised, state = done.results[0].failures
    assert raised.startswith("the run could not be carried through: ModelError: ")
    assert raised.endswith("ValueError: in no mood")
    assert state == "state: expected Done, got AwaitingModel"


async def test_a_run_that_never_began_is_a_failure() -> None:
    shop = Workflow(name="shop", instructions="Help.")
    async with Engine(store="memory://", workflows=[shop]) as engine:
        (result,) = (await evaluate(several(1), engine)).results
        with pytest.raises(UnknownRunError):
            await engine.run(result.run_id)
    assert (result.state, result.cost) == (None, None)
    (words,) = result.failures
    assert "shop has no model of its own" in words


async def test_runs_are_in_the_engine_s_store() -> None:
    one = case({}, YES, by="zoe")
    async with bench(*PAYS, store="sqlite:///kept.db") as engine:
        (result,) = (await evaluate([one], engine)).results
    async with bench(store="sqlite:///kept.db") as engine:
        run = await engine.run(result.run_id)
    assert (run.by, run.answer, run.turns) == ("zoe", result.answer, result.turns)


@pytest.mark.parametrize(
    ("cases", "words"),
    [
        ([], "there are no cases"),
        (several(2, name="twin"), "case 'twin': 2 cases have this name"),
        (several(1, workflow="shup"), "case 'case 0': workflow: there is no workflow 'shup'"),
        ([case({"calls": ["lok"]})], "expect.calls: shop has no tool 'lok'; its tools: look, pay"),
        ([case({"not_called": ["sh*", "delete_*"]})], "expect.not_called: .* no tool 'delete_\\*'"),
        ([case({"approvals": ["Pay"]})], "expect.approvals: shop has no tool 'Pay'"),
        ([case({}, YES | {"tool": "pai"})], "approvals: shop has no tool 'pai'"),
    ],
)
async def test_names_of_nothing_are_refused_before_anything_is_run(
    cases: list[Case], words: str
) -> None:
    async with bench(OK) as engine:
        with pytest.raises(BadInputError, match=words):
            await evaluate([*several(1, name="good"), *cases] if cases else [], engine)
        assert await engine.runs() == []


async def test_an_engine_or_a_store_that_cannot_be_used_is_no_case_s_failure() -> None:
    with pytest.raises(EngineError, match="not open"):
        await evaluate(several(1), bench(OK))
    async with bench(OK, store="sqlite:////dev/null/runs.db") as engine:
        with pytest.raises(StoreError):
            await evaluate(several(1), engine)
    async with bench(OK) as engine:
        with pytest.raises(BadInputError, match="at least 1, not 0"):
            await evaluate(several(1), engine, concurrency=0)


async def test_whoever_breaks_it_off_breaks_off_all_of_it() -> None:
    crowd = Crowd(1000)
    async with bench(model=crowd) as engine:
        going = asyncio.create_task(evaluate(several(5), engine, concurrency=2))
        await crowd.two.wait()
        going.cancel()
        with pytest.raises(asyncio.CancelledError):
            await going
        assert len(await engine.runs()) == 2


def result(seconds: float, cost: str | None, *, passed: bool = True) -> CaseResult:
    return CaseResult(
        name="a",
        workflow="shop",
        passed=passed,
        run_id="r1",
        tokens=10,
        cost=None if cost is None else Decimal(cost),
        seconds=seconds,
    )


def test_the_whole_is_the_sum_and_unknown_where_a_part_is() -> None:
    known = [result(n, "0.01", passed=n != 7) for n in range(20, 0, -1)]
    whole = evaluation_of(known)
    assert (whole.runs, whole.passed, whole.success_rate) == (20, 19, 0.95)
    assert (whole.tokens, whole.cost) == (200, Decimal("0.20"))
    assert whole.seconds_median == 10.5
    assert whole.seconds_p95 == pytest.approx(19.05)
    assert evaluation_of([*known, result(1, None)]).cost is None
    assert evaluation_of([result(2, "0")]).seconds_p95 == 2
    assert evaluation_of([result(2, "0")]).cost == 0


async def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    async with bench(model=ScriptedModel([OK])) as engine:
        await evaluate(several(3), engine)
    assert capfd.readouterr() == ("", "")
