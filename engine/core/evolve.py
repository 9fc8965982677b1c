"""The only way a run comes to be: events, folded. The same live, on resume and on replay."""

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from engine.core import events as ev
from engine.core.machine import next_state
from engine.core.messages import Message
from engine.core.moves import Changes, ask, decided, fail, grant, move, settle
from engine.core.run import Call, Run
from engine.errors import CorruptRunError


def fold(journal: Iterable[ev.Recorded], run: Run | None = None) -> Run | None:
    """The run after all of `journal`, begun at `run`."""
    for recorded in journal:
        run = evolve(run, recorded)
    return run


def evolve(run: Run | None, recorded: ev.Recorded) -> Run:
    """The run after one more event.

    Raises IllegalTransitionError where the machine forbids it, CorruptRunError where
    the event speaks of a call that the run does not have, or is not the next one.
    """
    event = recorded.event
    state = next_state(run.state if run else None, event.kind)
    if run is None:
        return _born(recorded)
    if recorded.seq != run.seq + 1:
        raise CorruptRunError(f"run {run.id}: seq {recorded.seq} follows seq {run.seq}")
    try:
        changes = _changes(run, recorded)
    except KeyError as error:
        raise CorruptRunError(
            f"run {run.id}: seq {recorded.seq} names no call of the turn: {error}"
        ) from error
    moved = {"state": state, "seq": recorded.seq, "updated_at": recorded.at}
    return run.model_copy(update={**changes, **moved})


def _born(recorded: ev.Recorded) -> Run:
    event = recorded.event
    if not isinstance(event, ev.RunStarted) or recorded.seq != 1:
        raise CorruptRunError(f"a journal begins with run_started at seq 1, not {event.kind}")
    return Run(
        id=event.run_id,
        workflow=event.workflow,
        state=next_state(None, event.kind),
        seq=1,
        started_at=recorded.at,
        updated_at=recorded.at,
        messages=(
            Message(role="system", content=event.instructions),
            Message(role="user", content=event.message),
        ),
        definition=event.definition,
        tools=event.tools,
        by=event.by,
    )


def _changes(run: Run, recorded: ev.Recorded) -> Changes:  # noqa: PLR0911 # a case an event
    match recorded.event:
        case ev.RunStarted():
            raise CorruptRunError(f"run {run.id}: it starts twice")
        case ev.WorkflowChanged() as event:
            return {"definition": event.definition, "tools": event.tools}
        case ev.ToolsRequested() | ev.ModelAnswered() as event:
            return _replied(run, event)
        case ev.ModelFailed() as event:
            return {"failures": event.attempt, "failure": event.error, "retry_at": event.retry_at}
        case ev.ToolsSettled():
            return {"messages": run.messages + _in_model_order(run), "calls": (), "results": ()}
        case ev.ApprovalsSettled():
            return {}
        case ev.RunAborted() as event:
            return _aborted(event)
        case event:
            return _of_a_call(run, event, recorded.at)


def _of_a_call(run: Run, event: ev.CallEvent, at: datetime) -> Changes:  # noqa: PLR0911 # a case an event
    match event:
        case ev.ToolStarted():
            return _started(run, event, at)
        case ev.ToolReturned():
            return settle(run, event.call_id, event.content)
        case ev.ToolFailed():
            return settle(run, event.call_id, event.error, is_error=True)
        case ev.ToolNotExecuted() | ev.ToolInterrupted():
            return fail(run, event)
        case ev.ReconcileFailed():
            return move(run, event.call_id, "interrupted", error=event.error, reconciled=True)
        case ev.ApprovalRequested():
            return ask(run, event, at)
        case ev.ApprovalGranted():
            return grant(run, event) | decided(run, event, "granted", at)
        case ev.ApprovalDenied():
            kind = run.approval(event.approval_id).kind
            words = denial(event.reason, in_doubt=kind == "in_doubt")
            settled = settle(run, event.call_id, words, event.approval_id, is_error=True)
            return settled | decided(run, event, "denied", at)
        case ev.ApprovalAnswered():
            settled = settle(run, event.call_id, event.content, event.approval_id)
            return settled | decided(run, event, "answered", at)
        case other:
            assert_never(other)


def denial(reason: str | None, *, in_doubt: bool = False) -> str:
    """What the model reads where a person refused a call, or gave up on one in doubt."""
    said = "Denied by a person"
    if in_doubt:
        said = "It is not known whether this call happened; a person gave up on it"
    return f"{said}: {reason}" if reason else f"{said}, without a reason."


def _started(run: Run, event: ev.ToolStarted, at: datetime) -> Changes:
    before = run.call(event.call_id)
    return move(
        run,
        event.call_id,
        "started",
        attempt=event.attempt,
        arguments=event.arguments,
        repeats=event.repeats,
        started_at=before.started_at or at,
        doubtful=before.doubtful or before.in_doubt,
        error=None,
        retry_at=None,
        reconciled=False,
    )


def _aborted(event: ev.RunAborted) -> Changes:
    return {
        "reason": event.reason,
        "limit": event.limit,
        "found": event.found,
        "approvals": (),
        "retry_at": None,
    }


def _replied(run: Run, event: ev.ToolsRequested | ev.ModelAnswered) -> Changes:
    answered = isinstance(event, ev.ModelAnswered)
    return {
        "messages": (*run.messages, event.message),
        "calls": tuple(
            Call(id=call.id, tool=call.function.name) for call in event.message.tool_calls
        ),
        "answer": event.message.content if answered else None,
        "turns": run.turns + 1,
        "usage": run.usage + event.usage,
        "failures": 0,
        "failure": None,
        "retry_at": None,
    }


def _in_model_order(run: Run) -> tuple[Message, ...]:
    results = {result.call_id: result.content for result in run.results}
    return tuple(
        Message(role="tool", tool_call_id=call.id, content=results[call.id]) for call in run.calls
    )
