"""The execution summary of one run: how long, how much, who was asked, and what came of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from engine.core import events as ev
from engine.core.evolve import evolve
from engine.core.messages import Usage
from engine.core.run import Origin, Run
from engine.core.shape import Shape
from engine.core.states import ENDED, State
from engine.errors import CorruptRunError
from engine.replaying.asked import Approvals
from engine.replaying.called import Calls
from engine.replaying.figures import ApprovalUse, Asked, ModelUse, ToolUse, span
from engine.replaying.spent import Models


class Summary(Shape):
    """What a run came to until its newest event. Times are in UTC, spans in seconds.

    `elapsed` ends with the run, or at its newest event while it goes on. `waited` is how
    much of it some approval was open; of an approval that still is, up to the newest event,
    and `waiting_since` is when the oldest such was asked for. `cost` is in USD, by list
    prices, and None where that of any reply is unknown; what failed tries at a model cost is
    never known, and not in it. `messages` counts those of the customer. `origin` is what
    the run was forked off, if it was.
    """

    run_id: str
    workflow: str
    state: State
    seq: int
    origin: Origin | None
    started_at: datetime
    updated_at: datetime
    ended_at: datetime | None
    elapsed: float
    waited: float
    waiting_since: datetime | None
    turns: int
    messages: int
    model_failures: int
    model_retries: int
    usage: Usage
    cost: Decimal | None
    models: tuple[ModelUse, ...]
    tools: tuple[ToolUse, ...]
    approvals: ApprovalUse
    asked: tuple[Asked, ...]
    answer: str | None
    reason: str | None


def summarise(journal: Iterable[ev.Recorded], *, past: bool = True) -> Summary:
    """The summary of the run that the journal tells, from its first event on.

    A fork's copied past is another run's; without `past` only what came since is counted,
    with the calls that were open then. Raises as `evolve` where that is no run, and
    CorruptRunError where there is no event.
    """
    counted, run = _Counted(past), None
    for recorded in journal:
        after = evolve(run, recorded)
        counted.take(run, recorded, after)
        run = after
    if run is None:
        raise CorruptRunError("a journal without an event is no run")
    return counted.summary(run)


@dataclass(slots=True)
class _Counted:
    """What is counted while the journal is read."""

    past: bool
    models: Models = field(default_factory=Models)
    calls: Calls = field(default_factory=Calls)
    approvals: Approvals = field(default_factory=Approvals)
    messages: int = 0
    forked_at: datetime | None = None
    ended_at: datetime | None = None

    def take(self, before: Run | None, recorded: ev.Recorded, after: Run) -> None:
        """Count one event."""
        self.messages += isinstance(recorded.event, ev.RunStarted | ev.MessageReceived)
        if after.state not in ENDED:
            self.ended_at = None
        elif self.ended_at is None:
            self.ended_at = recorded.at
        if isinstance(recorded.event, ev.RunForked) and not self.past:
            self._begin_anew(recorded.at, after)
        elif before is not None:
            self.models.take(before, recorded.event)
            self.calls.take(before, recorded.event, after)
            self.approvals.take(before, recorded, after)

    def _begin_anew(self, at: datetime, run: Run) -> None:
        self.models, self.approvals, self.calls = Models(), Approvals(), Calls.open_in(run)
        self.messages, self.forked_at = 0, at

    def summary(self, run: Run) -> Summary:
        """What was counted of that run."""
        models = self.models.used()
        begun = self.forked_at or run.started_at
        return Summary(
            run_id=run.id,
            workflow=run.workflow,
            state=run.state,
            seq=run.seq,
            origin=run.origin,
            started_at=begun,
            updated_at=run.updated_at,
            ended_at=self.ended_at,
            elapsed=span(begun, self.ended_at or run.updated_at).total_seconds(),
            waited=self.approvals.waited_until(run.updated_at),
            waiting_since=min((one.requested_at for one in run.approvals), default=None),
            turns=sum(one.replies for one in models),
            messages=self.messages,
            model_failures=self.models.failures,
            model_retries=self.models.retries,
            usage=sum((one.usage for one in models), Usage()),
            cost=self.models.cost() if models or not self.models.failures else None,
            models=models,
            tools=self.calls.used(run),
            approvals=self.approvals.used(),
            asked=self.approvals.all(),
            answer=run.answer,
            reason=run.reason,
        )
