"""When a run can be driven on."""

from datetime import UTC, datetime

from engine.core.run import Run
from engine.core.states import ENDED, State

_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)  # whatever becomes of the clock


def ready_at(run: Run) -> datetime | None:
    """From when on a driver has something to do; None while a person is awaited, and at the end."""
    if run.state in ENDED or (run.state is State.AwaitingApproval and run.approvals):
        return None
    if run.state is State.DispatchingTools:
        return _first_retry(run) or _AT_ONCE
    return run.retry_at or _AT_ONCE


def _first_retry(run: Run) -> datetime | None:
    """The first retry that is due, where the other open calls wait for it before they are asked."""
    waiting = [call.retry_at for call in run.calls if call.retry_at is not None]
    busy = any(call.status in ("granted", "started") and not call.retry_at for call in run.calls)
    return min(waiting) if waiting and not busy else None
