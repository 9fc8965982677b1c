"""Figures of many runs, taken from the summary of each."""

from decimal import Decimal

from engine.core.messages import Usage
from engine.core.shape import Shape
from engine.core.states import State
from engine.replaying.figures import ApprovalUse, ToolUse
from engine.replaying.summary import Summary


class Cost(Shape):
    """USD by list prices: the sum of what is known, None where nothing is.

    `unpriced` is in how many runs there is something whose price is unknown.
    """

    known: Decimal | None = None
    unpriced: int = 0

    def plus(self, known: Decimal | None, *, whole: bool) -> "Cost":
        """The sum with one run more; `whole` where all that it cost is known."""
        both = [one for one in (self.known, known) if one is not None]
        return Cost(
            known=sum(both, Decimal()) if both else None, unpriced=self.unpriced + (not whole)
        )


class WorkflowTotal(Shape):
    """What the runs of one workflow took."""

    workflow: str
    runs: int
    turns: int
    usage: Usage
    cost: Cost


class ModelTotal(Shape):
    """What one model said in so many runs; `model` is None where its name was not told."""

    model: str | None
    runs: int
    replies: int
    usage: Usage
    cost: Cost


class Waits(Shape):
    """Seconds from asking a person to the verdict, or to the deadline, of `count` approvals.

    Both are None where there is none. `p95` is the 95th percentile.
    """

    count: int = 0
    median: float | None = None
    p95: float | None = None


class LongRun(Shape):
    """A run, and for how many seconds it went on, and waited for people meanwhile."""

    run_id: str
    workflow: str
    state: State
    elapsed: float
    waited: float


class Statistics(Shape):
    """The figures of `runs` runs. Counts that are of nothing are left out, not 0.

    `longest` has at most ten runs, by the time from start to end, or to the newest event.
    """

    runs: int
    states: dict[State, int]
    workflows: tuple[WorkflowTotal, ...]
    models: tuple[ModelTotal, ...]
    model_failures: int
    model_retries: int
    usage: Usage
    cost: Cost
    tools: tuple[ToolUse, ...]
    approvals: ApprovalUse
    waits: Waits
    waits_by_tool: dict[str, Waits]
    longest: tuple[LongRun, ...]


def known_cost(summary: Summary) -> Decimal | None:
    """What is known of the run's cost; None where nothing is."""
    known = [one.cost for one in summary.models if one.cost is not None]
    return sum(known, Decimal()) if known else summary.cost
