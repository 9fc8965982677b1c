"""What a run does next. Pure: the same run, workflow and time give the same effect."""

from datetime import datetime
from typing import assert_never

from engine.core import events as ev
from engine.core.bounds import reached
from engine.core.compacting import compaction
from engine.core.deadlines import overdue
from engine.core.effects import (
    CallModel,
    CallTools,
    Effect,
    Notify,
    Park,
    Recap,
    Reconcile,
    Record,
    SumUp,
)
from engine.core.judge import judge
from engine.core.ready import is_open, ready_at
from engine.core.recap import recap_of
from engine.core.run import Run
from engine.core.states import State
from engine.core.stopping import at_limit
from engine.core.workflow import Workflow


def decide(run: Run, workflow: Workflow, now: datetime) -> Effect:
    """The next effect of `run`, as its newest event left it."""
    match run.state:
        case State.AwaitingModel:
            return _next_turn(run, workflow, now)
        case State.DispatchingTools:
            return _dispatch(run, workflow, now) or Record((ev.ToolsSettled(),))
        case State.AwaitingApproval:
            return _wait(run, workflow, now)
        case State.Done if run.sums_up:
            return _recap(run, workflow, now)
        case State.Done | State.Aborted:
            return Park()
        case other:
            assert_never(other)


def _next_turn(run: Run, workflow: Workflow, now: datetime) -> Effect:
    if run.definition != workflow.definition:
        changed = ev.WorkflowChanged(
            definition=workflow.definition,
            tools=workflow.schemas,
            secrets=workflow.secrets,
            redact=tuple(workflow.redact),
        )
        return Record((changed,))
    if stop := at_limit(run, workflow, now):
        return Record((stop,))
    if run.retry_at and run.updated_at <= now < run.retry_at:  # else the clock was set back
        return Park(until=run.retry_at)
    match compaction(run, workflow):
        case ev.ContextCompacted() as compacted:
            return Record((compacted,))
        case SumUp() as summary:
            return summary
        case None:
            return CallModel(turn=run.turns + 1, attempt=run.failures + 1)
        case other:
            assert_never(other)


def _recap(run: Run, workflow: Workflow, now: datetime) -> Effect:
    """The summary that is due: by the model where the author wants that, and a bound allows it."""
    asks = workflow.memory is not None and workflow.memory.summaries == "model"
    if asks and reached(run, workflow.limits.raised(run.raised), now) is None:
        return Recap(turn=run.turns + 1)
    return Record((ev.RunSummarised(words=recap_of(run)),))


def _wait(run: Run, workflow: Workflow, now: datetime) -> Effect:
    """Let go what nobody decided in time, go on with the turn's other calls, tell, and wait."""
    if due := overdue(run, now):
        return Record(due)
    if not run.approvals:
        return Record((ev.ApprovalsSettled(),))
    effect = _dispatch(run, workflow, now) or Park()
    if not isinstance(effect, Park):
        return effect
    until = effect.until and ready_at(run)  # a retry is waited for, but no deadline is missed
    return _notify(run, now) or Park(until=until)


def _notify(run: Run, now: datetime) -> Notify | None:
    due = tuple(
        (asked.approval_id, one.notifier)
        for asked in run.approvals
        for one in asked.untold
        if one.retry_at is None or one.retry_at <= now
    )
    return Notify(due) if due else None


def _dispatch(run: Run, workflow: Workflow, now: datetime) -> Effect | None:
    """Refuse what cannot run, ask about what may not yet, look up what is lost, run the rest.

    What the run itself knows is answered, and no more is begun at once than may be. None
    where nothing is left to do but to wait for people, if for anybody.
    """
    judged = [judge(run, workflow, call, now) for call in run.calls if is_open(run, call)]
    most = workflow.limits.max_parallel_tools
    if known := tuple(one for one in judged if isinstance(one, ev.ToolFailed | ev.ToolReturned)):
        return Record(known)
    if requests := tuple(one for one in judged if isinstance(one, ev.ApprovalRequested)):
        return Record(_numbered(run, requests))
    if lost := tuple(one for each in judged if isinstance(each, Reconcile) for one in each.starts):
        return Reconcile(lost[:most])
    if intents := tuple(one for one in judged if isinstance(one, ev.ToolStarted)):
        return CallTools(intents[:most])
    if retries := [one.until for one in judged if isinstance(one, Park) and one.until]:
        return Park(until=min(retries))
    return None


def _numbered(run: Run, requests: tuple[ev.ApprovalRequested, ...]) -> tuple[ev.Event, ...]:
    return tuple(
        request.model_copy(update={"approval_id": f"{run.id}.{number}"})
        for number, request in enumerate(requests, run.asked + 1)
    )
