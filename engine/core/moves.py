"""How one call of the open turn moves: asked about, granted, started, failed, settled."""

from datetime import datetime
from typing import Literal

from engine.core import events as ev
from engine.core.messages import ToolResult
from engine.core.run import Approval, CallStatus, Run, Verdict

Changes = dict[str, object]


def move(run: Run, call_id: str, status: CallStatus, **changes: object) -> Changes:
    """The call at `status`; KeyError where the turn has no such call."""
    changed = run.call(call_id).model_copy(update={"status": status, **changes})
    return {"calls": tuple(changed if call.id == call_id else call for call in run.calls)}


def settle(
    run: Run, call_id: str, content: str, approval_id: str | None = None, *, is_error: bool = False
) -> Changes:
    """The call with its result, and with it the approval that brought it about."""
    result = ToolResult(call_id=call_id, content=content, is_error=is_error)
    closed = close(run, approval_id) if approval_id is not None else {}
    return (
        move(run, call_id, "settled", error=None, retry_at=None)
        | closed
        | {"results": (*run.results, result)}
    )


def fail(run: Run, event: ev.ToolNotExecuted | ev.ToolInterrupted) -> Changes:
    """The call after an attempt that gave no result.

    An attempt that did nothing says nothing about those before it, unless it was looked up.
    """
    call = run.call(event.call_id)
    status: CallStatus = "interrupted"
    doubtful = call.doubtful
    if isinstance(event, ev.ToolNotExecuted):
        doubtful = doubtful and not event.reconciled
        if not doubtful:
            status = "granted" if call.approval_id else "requested"
    return move(run, call.id, status, doubtful=doubtful, error=event.error, retry_at=event.retry_at)


def ask(run: Run, event: ev.ApprovalRequested, at: datetime) -> Changes:
    """The call waiting for a person."""
    approval = Approval(
        approval_id=event.approval_id,
        kind=event.approval_kind,
        call_id=event.call_id,
        tool=event.tool,
        arguments=event.arguments,
        digest=event.digest,
        reason=event.reason,
        requested_at=at,
    )
    call = run.call(event.call_id)
    doubtful = call.doubtful or call.in_doubt
    waiting = move(run, call.id, "waiting", approval_id=None, digest=None, doubtful=doubtful)
    return waiting | {"approvals": (*run.approvals, approval), "asked": run.asked + 1}


def grant(run: Run, event: ev.ApprovalGranted) -> Changes:
    """The call as a person allowed it; accepted changes are judged by today's code, from the start.

    Raises KeyError where no such approval is open.
    """
    if run.approval(event.approval_id).kind == "changed":
        changes = move(
            run, event.call_id, "requested", accepted=event.digest, arguments=None, retry_at=None
        )
    else:
        changes = move(
            run,
            event.call_id,
            "granted",
            approval_id=event.approval_id,
            digest=event.digest,
            error=None,
            retry_at=None,
        )
    return close(run, event.approval_id) | changes


def decided(
    run: Run,
    event: ev.ApprovalGranted | ev.ApprovalDenied | ev.ApprovalAnswered,
    verdict: Literal["granted", "denied", "answered"],
    at: datetime,
) -> Changes:
    """The run with a person's verdict noted."""
    said = Verdict(
        approval_id=event.approval_id,
        call_id=event.call_id,
        verdict=verdict,
        by=event.by,
        at=at,
    )
    return {"verdicts": (*run.verdicts, said)}


def close(run: Run, approval_id: str) -> Changes:
    """The run without that open approval; KeyError where there is none."""
    closed = run.approval(approval_id)
    return {"approvals": tuple(one for one in run.approvals if one is not closed)}
