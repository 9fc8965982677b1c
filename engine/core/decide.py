"""What a run does next. Pure: the same run, workflow and time give the same effect."""

from datetime import datetime
from typing import assert_never

from engine.core import events as ev
from engine.core.effects import CallModel, CallTools, Effect, Park, Reconcile, Record
from engine.core.found import found_so_far
from engine.core.judge import judge
from engine.core.run import Run
from engine.core.states import State
from engine.core.workflow import Workflow


def decide(run: Run, workflow: Workflow, now: datetime) -> Effect:
    """The next effect of `run`, as its newest event left it."""
    match run.state:
        case State.AwaitingModel:
            return _next_turn(run, workflow, now)
        case State.DispatchingTools:
            return _dispatch(run, workflow, now)
        case State.AwaitingApproval:
            return Park() if run.approvals else Record((ev.ApprovalsSettled(),))
        case State.Done | State.Aborted:
            return Park()
        case other:
            assert_never(other)


def _next_turn(run: Run, workflow: Workflow, now: datetime) -> Effect:
    if run.definition != workflow.definition:
        changed = ev.WorkflowChanged(definition=workflow.definition, tools=workflow.schemas)
        return Record((changed,))
    limits = workflow.limits
    if run.failures >= limits.max_attempts:
        reason = f"the model failed {run.failures} times in a row, at last with: {run.failure}"
        return _stop(run, "max_attempts", reason)
    if run.turns >= limits.max_turns:
        return _stop(run, "max_turns", f"the limit max_turns={limits.max_turns} is reached")
    if run.retry_at and run.updated_at <= now < run.retry_at:  # else the clock was set back
        return Park(until=run.retry_at)
    return CallModel(turn=run.turns + 1, attempt=run.failures + 1)


def _stop(run: Run, limit: str, reason: str) -> Record:
    return Record((ev.RunAborted(reason=reason, limit=limit, found=found_so_far(run)),))


def _dispatch(run: Run, workflow: Workflow, now: datetime) -> Effect:  # one return an effect
    """Refuse what cannot run, look up what is lost, run what may, ask about the rest.

    When nothing is left to do, the turn is settled.
    """
    judged = [judge(run, workflow, call, now) for call in run.calls if call.status != "settled"]
    if refusals := tuple(one for one in judged if isinstance(one, ev.ToolFailed)):
        return Record(refusals)
    if lost := tuple(one for each in judged if isinstance(each, Reconcile) for one in each.starts):
        return Reconcile(lost)
    if intents := tuple(one for one in judged if isinstance(one, ev.ToolStarted)):
        return CallTools(intents)
    if retries := [one.until for one in judged if isinstance(one, Park) and one.until]:
        return Park(until=min(retries))
    if requests := tuple(one for one in judged if isinstance(one, ev.ApprovalRequested)):
        return Record(_numbered(run, requests))
    return Record((ev.ToolsSettled(),))


def _numbered(run: Run, requests: tuple[ev.ApprovalRequested, ...]) -> tuple[ev.Event, ...]:
    return tuple(
        request.model_copy(update={"approval_id": f"approval_{number}"})
        for number, request in enumerate(requests, run.asked + 1)
    )
