"""Evaluating: every case in a run of its own, several at once."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from time import perf_counter
from typing import Any

from engine.api import Engine
from engine.api.wiring import new_id
from engine.errors import BadInputError, UnknownRunError
from engine.evals.carrying import carry_through
from engine.evals.cases import Case
from engine.evals.checks import failures_in, raised
from engine.evals.course import Course, course_of
from engine.evals.names import check_names
from engine.evals.results import CaseResult, Evaluation, evaluation_of


async def evaluate(
    cases: Iterable[Case],
    engine: Engine,
    *,
    concurrency: int = 4,
    on_result: Callable[[CaseResult], object] | None = None,
) -> Evaluation:
    """What came of the cases, each in a run of its own in the engine's store.

    At most `concurrency` runs are driven at once; `on_result` is called as each ends.
    Their tools are called, as in any run. What goes wrong with a run is its case's
    failure. Raises BadInputError, before anything is run, where there are no cases, two
    have one name, or one names a workflow or a tool that there is not; EngineError
    where the engine is not open, or its store cannot be used.
    """
    wanted = tuple(cases)
    if concurrency < 1:
        raise BadInputError(f"concurrency must be at least 1, not {concurrency}")
    check_names(wanted, engine.workflows)
    await engine.runs(limit=1)  # a store that cannot be used fails here, not in every case
    runs = [(case, turn) for case in wanted for turn in range(1, case.repeat + 1)]
    return evaluation_of(await _results(runs, engine, concurrency, on_result))


async def _results(
    runs: Sequence[tuple[Case, int]],
    engine: Engine,
    concurrency: int,
    on_result: Callable[[CaseResult], object] | None,
) -> list[CaseResult]:
    """The result of each run, in the same order."""
    results: dict[int, CaseResult] = {}
    todo = iter(enumerate(runs))

    async def work() -> None:
        for place, (case, repetition) in todo:
            results[place] = await _result(case, repetition, engine)
            if on_result is not None:
                on_result(results[place])

    async with asyncio.TaskGroup() as group:
        for _ in islice(runs, concurrency):
            group.create_task(work())
    return [results[place] for place in range(len(runs))]


async def _result(case: Case, repetition: int, engine: Engine) -> CaseResult:
    run_id, began = new_id(), perf_counter()
    failures = await _within_time(case, engine, run_id)
    seconds = perf_counter() - began
    course = None
    try:
        course = await _course(engine, run_id)
    except Exception as error:  # noqa: BLE001 # whatever it is, the other cases go on
        failures.append(f"the run cannot be read: {raised(error)}")
    if course is not None:
        failures += await failures_in(case.expect, course)
    return CaseResult(
        name=case.name,
        workflow=case.workflow,
        repetition=repetition,
        passed=not failures,
        failures=tuple(failures),
        run_id=run_id,
        seconds=seconds,
        **(_facts(course) if course else {}),
    )


async def _within_time(case: Case, engine: Engine, run_id: str) -> list[str]:
    """Why the run was not carried through in time to where it should be left, if it was not."""
    most = case.expect.max_seconds
    try:
        async with asyncio.timeout(most) as deadline:
            left = await carry_through(case, engine, run_id)
    except Exception as error:  # noqa: BLE001 # as above
        if most is not None and deadline.expired():
            return [f"max_seconds: expected at most {most:g} s; the run was broken off then"]
        return [f"the run could not be carried through: {raised(error)}"]
    return [] if left is None else [left]


async def _course(engine: Engine, run_id: str) -> Course | None:
    """The course of the run; None where it never began."""
    try:
        return course_of(await engine.journal(run_id))
    except UnknownRunError:
        return None


def _facts(course: Course) -> dict[str, Any]:
    """What the result of a case says of its run."""
    run = course.run
    return {
        "state": run.state,
        "answer": run.answer,
        "turns": run.turns,
        "tokens": run.usage.total_tokens,
        "cost": course.cost,
        "calls": course.calls,
    }
