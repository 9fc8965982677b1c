"""Statistics over many runs, in memory that grows with their numbers, not their journals."""

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import TypeVar

from engine.core.events import Recorded
from engine.core.messages import Usage
from engine.core.shape import Shape
from engine.core.states import State
from engine.replaying.figures import ApprovalUse, ToolUse, p95
from engine.replaying.summary import Summary, summarise
from engine.replaying.totals import (
    Cost,
    LongRun,
    ModelTotal,
    Statistics,
    Waits,
    WorkflowTotal,
    known_cost,
)

_LONGEST = 10

_Counts = TypeVar("_Counts", ToolUse, ApprovalUse)


def statistics(journals: Iterable[Iterable[Recorded]]) -> Statistics:
    """The statistics of these runs, each journal read once and let go; raises as `summarise`.

    What a fork has copied is not counted a second time.
    """
    tally = Tally()
    for journal in journals:
        tally.take(journal)
    return tally.statistics()


@dataclass(slots=True)
class Tally:
    """What is kept of the runs while they are read."""

    _runs: int = 0
    _failures: int = 0
    _retries: int = 0
    _usage: Usage = field(default_factory=Usage)
    _cost: Cost = field(default_factory=Cost)
    _states: Counter[State] = field(default_factory=Counter)
    _workflows: dict[str, WorkflowTotal] = field(default_factory=dict)
    _models: dict[str | None, ModelTotal] = field(default_factory=dict)
    _tools: dict[str, ToolUse] = field(default_factory=dict)
    _approvals: ApprovalUse = field(default_factory=ApprovalUse)
    _waits: "dict[str, array[float]]" = field(default_factory=dict)
    _longest: list[LongRun] = field(default_factory=list)

    def take(self, journal: Iterable[Recorded]) -> None:
        """Count one run, without what it has copied of another; raises as `summarise`."""
        self._add(summarise(journal, past=False))

    def _add(self, run: Summary) -> None:
        self._runs += 1
        self._failures += run.model_failures
        self._retries += run.model_retries
        self._usage += run.usage
        self._cost = self._cost.plus(known_cost(run), whole=run.cost is not None)
        self._states[run.state] += 1
        self._approvals = _sum(self._approvals, run.approvals)
        self._add_workflow(run)
        self._add_models(run)
        for tool in run.tools:
            so_far = self._tools.get(tool.tool)
            self._tools[tool.tool] = _sum(so_far, tool) if so_far else tool
        for asked in run.asked:
            if (wait := asked.decided_in) is not None:
                self._waits.setdefault(asked.tool, array("d")).append(wait)
        self._add_longest(run)

    def statistics(self) -> Statistics:
        """What was counted so far."""
        every = array("d", (one for waits in self._waits.values() for one in waits))
        return Statistics(
            runs=self._runs,
            states={state: self._states[state] for state in State if self._states[state]},
            workflows=tuple(self._workflows[name] for name in sorted(self._workflows)),
            models=tuple(sorted(self._models.values(), key=lambda one: one.model or "")),
            model_failures=self._failures,
            model_retries=self._retries,
            usage=self._usage,
            cost=self._cost,
            tools=tuple(self._tools[name] for name in sorted(self._tools)),
            approvals=self._approvals,
            waits=_waits(every),
            waits_by_tool={name: _waits(self._waits[name]) for name in sorted(self._waits)},
            longest=tuple(self._longest),
        )

    def _add_workflow(self, run: Summary) -> None:
        name = run.workflow
        so_far = self._workflows.get(name) or WorkflowTotal(
            workflow=name, runs=0, turns=0, usage=Usage(), cost=Cost()
        )
        self._workflows[name] = WorkflowTotal(
            workflow=name,
            runs=so_far.runs + 1,
            turns=so_far.turns + run.turns,
            usage=so_far.usage + run.usage,
            cost=so_far.cost.plus(known_cost(run), whole=run.cost is not None),
        )

    def _add_models(self, run: Summary) -> None:
        for one in run.models:
            so_far = self._models.get(one.model) or ModelTotal(
                model=one.model, runs=0, replies=0, usage=Usage(), cost=Cost()
            )
            self._models[one.model] = ModelTotal(
                model=one.model,
                runs=so_far.runs + 1,
                replies=so_far.replies + one.replies,
                usage=so_far.usage + one.usage,
                cost=so_far.cost.plus(one.cost, whole=one.cost is not None),
            )

    def _add_longest(self, run: Summary) -> None:
        fields = {name: getattr(run, name) for name in LongRun.model_fields}
        candidates = [*self._longest, LongRun.model_validate(fields)]
        candidates.sort(key=lambda one: (-one.elapsed, one.run_id))
        self._longest = candidates[:_LONGEST]


def _sum(one: _Counts, other: _Counts) -> _Counts:
    """Both, number by number."""
    counts: Shape = one
    summed = {
        name: value + getattr(other, name) for name, value in counts if isinstance(value, int)
    }
    return one.model_copy(update=summed)


def _waits(found: "array[float]") -> Waits:
    if not found:
        return Waits()
    return Waits(count=len(found), median=median(found), p95=p95(found))
