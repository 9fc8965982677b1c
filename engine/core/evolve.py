"""The only way a run comes to be: events, folded. The same live, on resume and on replay."""

from collections.abc import Iterable
from typing import assert_never

from engine.core import events as ev
from engine.core.machine import next_state
from engine.core.messages import Message, ToolResult
from engine.core.run import Approval, Call, CallStatus, Run
from engine.errors import CorruptRunError

Changes = dict[str, object]


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
    )


def _changes(run: Run, recorded: ev.Recorded) -> Changes:  # noqa: C901, PLR0911, PLR0912 # a case an event
    match recorded.event:
        case ev.RunStarted():
            raise CorruptRunError(f"run {run.id}: it starts twice")
        case ev.ToolsRequested() | ev.ModelAnswered() as event:
            return _replied(run, event)
        case ev.ModelFailed() as event:
            return {"failures": event.attempt, "failure": event.error, "retry_at": event.retry_at}
        case ev.ToolStarted() as event:
            return _call(
                run, event.call_id, "started", attempt=event.attempt, arguments=event.arguments
            )
        case ev.ToolReturned() as event:
            return _settle(run, event.call_id, event.content)
        case ev.ToolFailed() as event:
            return _settle(run, event.call_id, event.error, is_error=True)
        case ev.ToolsSettled():
            return {"messages": run.messages + _in_model_order(run), "calls": (), "results": ()}
        case ev.ApprovalRequested() as event:
            return _ask(run, event, recorded)
        case ev.ApprovalGranted() as event:
            return _close(run, event.approval_id) | _call(
                run, event.call_id, "granted", approval_id=event.approval_id, digest=event.digest
            )
        case ev.ApprovalDenied() as event:
            return _close(run, event.approval_id) | _settle(
                run, event.call_id, denial(event.reason), is_error=True
            )
        case ev.ApprovalsSettled():
            return {}
        case ev.RunAborted() as event:
            return {
                "reason": event.reason,
                "limit": event.limit,
                "found": event.found,
                "approvals": (),
                "retry_at": None,
            }
        case other:
            assert_never(other)


def denial(reason: str | None) -> str:
    """What the model reads where a person refused a call."""
    return f"Denied by a person: {reason}" if reason else "Denied by a person, without a reason."


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


def _call(run: Run, call_id: str, status: CallStatus, **changes: object) -> Changes:
    changed = run.call(call_id).model_copy(update={"status": status, **changes})
    return {"calls": tuple(changed if call.id == call_id else call for call in run.calls)}


def _settle(run: Run, call_id: str, content: str, *, is_error: bool = False) -> Changes:
    result = ToolResult(call_id=call_id, content=content, is_error=is_error)
    return _call(run, call_id, "settled") | {"results": (*run.results, result)}


def _ask(run: Run, event: ev.ApprovalRequested, recorded: ev.Recorded) -> Changes:
    approval = Approval(
        approval_id=event.approval_id,
        kind=event.approval_kind,
        call_id=event.call_id,
        tool=event.tool,
        arguments=event.arguments,
        digest=event.digest,
        requested_at=recorded.at,
    )
    waiting = _call(run, event.call_id, "waiting", approval_id=None, digest=None)
    return waiting | {"approvals": (*run.approvals, approval), "asked": run.asked + 1}


def _close(run: Run, approval_id: str) -> Changes:
    left = tuple(one for one in run.approvals if one.approval_id != approval_id)
    if len(left) == len(run.approvals):
        raise KeyError(approval_id)
    return {"approvals": left}


def _in_model_order(run: Run) -> tuple[Message, ...]:
    results = {result.call_id: result.content for result in run.results}
    return tuple(
        Message(role="tool", tool_call_id=call.id, content=results[call.id]) for call in run.calls
    )
