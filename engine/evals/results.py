"""What came of the cases, and of all of them together."""

from collections.abc import Sequence
from decimal import Decimal
from statistics import median

from engine.core.shape import Shape
from engine.core.states import State
from engine.evals.course import Called
from engine.replaying.figures import p95


class CaseResult(Shape):
    """One run of a case, the `repetition`-th: whether all held, and if not, what, in words.

    `cost` is in USD, None where it is unknown. `state` is None where no run came of it.
    """

    name: str
    workflow: str
    repetition: int = 1
    passed: bool
    failures: tuple[str, ...] = ()
    run_id: str
    state: State | None = None
    answer: str | None = None
    turns: int = 0
    tokens: int = 0
    cost: Decimal | None = None
    seconds: float
    calls: tuple[Called, ...] = ()


class Evaluation(Shape):
    """All the results, in the order of the cases, and what they come to.

    `success_rate` is the part of the runs that passed, from 0 to 1. `cost` is in USD, None
    where that of any run is unknown. The median and the 95th percentile are in seconds.
    """

    results: tuple[CaseResult, ...]
    runs: int
    passed: int
    success_rate: float
    tokens: int
    cost: Decimal | None
    seconds_median: float
    seconds_p95: float


def evaluation_of(results: Sequence[CaseResult]) -> Evaluation:
    """The results, of which there is at least one, together."""
    passed = sum(one.passed for one in results)
    times = [one.seconds for one in results]
    costs = [one.cost for one in results if one.cost is not None]
    return Evaluation(
        results=tuple(results),
        runs=len(results),
        passed=passed,
        success_rate=passed / len(results),
        tokens=sum(one.tokens for one in results),
        cost=sum(costs, Decimal()) if len(costs) == len(results) else None,
        seconds_median=median(times),
        seconds_p95=p95(times),
    )
