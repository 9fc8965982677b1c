"""How one call of the open turn moves: started, failed, settled."""

from engine.core import events as ev
from engine.core.messages import ToolResult
from engine.core.run import CallStatus, Run

Changes = dict[str, object]


def move(run: Run, call_id: str, status: CallStatus, **changes: object) -> Changes:
    """The call at `status`; KeyError where the turn has no such call."""
    changed = run.call(call_id).model_copy(update={"status": status, **changes})
    return {"calls": tuple([changed if call.id == call_id else call for call in run.calls])}


def settle(  # noqa: PLR0913 # a result has these
    run: Run,
    call_id: str,
    content: str,
    approval_id: str | None = None,
    *,
    is_error: bool = False,
    shown: int | None = None,
) -> Changes:
    """The call with its result, and with it the approval that brought it about."""
    result = ToolResult(call_id=call_id, content=content, is_error=is_error, shown=shown)
    kept = {"long_results": (*run.long_results, result)} if result.is_cut else {}
    closed = close(run, approval_id) if approval_id is not None else {}
    return (
        move(run, call_id, "settled", error=None, retry_at=None)
        | closed
        | kept
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


def close(run: Run, approval_id: str) -> Changes:
    """The run without that open approval; KeyError where there is none."""
    closed = run.approval(approval_id)
    return {"approvals": tuple(one for one in run.approvals if one is not closed)}
