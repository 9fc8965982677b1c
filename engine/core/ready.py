"""When a run can be driven on."""

from datetime import datetime

from engine.core.run import Run
from engine.core.states import ENDED, State


def ready_at(run: Run) -> datetime | None:
    """From when on a driver has something to do; None while a person is awaited, and at the end."""
    if run.state in ENDED or (run.state is State.AwaitingApproval and run.approvals):
        return None
    if run.state is State.DispatchingTools:
        return _first_retry(run) or run.updated_at
    return run.retry_at or run.updated_at


def _first_retry(run: Run) -> datetime | None:
    """The first retry that is due, where every open call waits for one."""
    times = [call.retry_at for call in run.calls if call.status != "settled"]
    waiting = [at for at in times if at is not None]
    return min(waiting) if waiting and len(waiting) == len(times) else None
