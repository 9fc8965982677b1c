"""Everything that a case expects of a run, checked against the course it took."""

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from engine.evals.answers import asked_of_judge, check_answer
from engine.evals.calls import check_calls, check_not_called
from engine.evals.cases import Expect
from engine.evals.course import Course
from engine.evals.words import cut


async def failures_in(expect: Expect, course: Course) -> list[str]:
    """What does not hold of the run, each in words; a check that breaks has failed."""
    failures = [words for check in _CHECKS for words in _safely(check, expect, course)]
    judge = expect.answer.judge if expect.answer else None
    if judge is None:
        return failures
    try:
        said = await asked_of_judge(judge, course.run)
    except Exception as error:  # noqa: BLE001 # an author's judge may raise anything
        said = _broken("judge", error)
    return [*failures, said] if said else failures


def raised(error: BaseException) -> str:
    """What was raised, on one line."""
    try:
        words = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 # an exception of others may do anything
        words = ""
    return cut(f"{type(error).__name__}: {words}" if words else type(error).__name__)


_Check = Callable[[Expect, Course], Iterator[str]]


def _safely(check: _Check, expect: Expect, course: Course) -> list[str]:
    try:
        return list(check(expect, course))
    except Exception as error:  # noqa: BLE001 # an author's predicate may raise anything
        return [_broken(check.__name__.removeprefix("check_"), error)]


def _broken(check: str, error: Exception) -> str:
    return f"{check}: it could not be checked: {raised(error)}"


def check_state(expect: Expect, course: Course) -> Iterator[str]:
    """Where the run was left."""
    run = course.run
    if run.state is not expect.state:
        why = f" ({cut(run.reason)})" if run.reason else ""
        yield f"state: expected {expect.state}, got {run.state}{why}"


def check_approvals(expect: Expect, course: Course) -> Iterator[str]:
    """What people were asked about."""
    wanted = expect.approvals
    if wanted is None:
        return
    if len(wanted) != len(course.asked) or not all(map(fnmatchcase, course.asked, wanted)):
        names = [cut(", ".join(some)) or "none" for some in (wanted, course.asked)]
        yield f"approvals: expected {names[0]}, got {names[1]}"


def check_turns(expect: Expect, course: Course) -> Iterator[str]:
    """How often the model was asked."""
    if expect.max_turns is not None and course.run.turns > expect.max_turns:
        yield f"max_turns: expected at most {expect.max_turns}, got {course.run.turns}"


def check_cost(expect: Expect, course: Course) -> Iterator[str]:
    """What it cost."""
    most, cost = expect.max_cost, course.cost
    if most is not None and cost is None:
        yield f"max_cost: expected at most {most} USD, and the cost is unknown: no price is known"
    elif most is not None and cost is not None and cost > most:
        yield f"max_cost: expected at most {most} USD, got {cost} USD"


_CHECKS: tuple[_Check, ...] = (
    check_state,
    check_calls,
    check_not_called,
    check_approvals,
    check_turns,
    check_cost,
    check_answer,
)
