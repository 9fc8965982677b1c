"""When a run can be driven on."""

from datetime import UTC, datetime

from engine.core.run import Call, Run
from engine.core.states import ENDED, State

_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)  # whatever becomes of the clock


def ready_at(run: Run) -> datetime | None:
    """From when on a driver has something to do; None while there is nothing."""
    if run.state in ENDED:
        return _AT_ONCE if run.sums_up else None
    if run.state is State.AwaitingModel:
        return run.retry_at or _AT_ONCE
    moving = [call.retry_at or _AT_ONCE for call in run.calls if is_open(run, call)]
    if run.approvals:
        return min((*moving, *_due(run)), default=None)
    return min(moving, default=_AT_ONCE)


def is_open(run: Run, call: Call) -> bool:
    """Whether something can become of the call before a person says more."""
    held = call.status == "granted" and call.batch and bool(run.approvals)
    return call.status not in ("settled", "waiting") and not held


def _due(run: Run) -> list[datetime]:
    """When approvals expire, are reminded of, or have to be told."""
    times = [
        time for asked in run.approvals for time in (asked.expires_at, asked.remind_at) if time
    ]
    untold = [one.retry_at or _AT_ONCE for asked in run.approvals for one in asked.untold]
    return times + untold
