"""When something may have been decided: the record only says when it was written down."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from engine.core.run import Run
from engine.core.workflow import Workflow

_TICK = timedelta(microseconds=1)


def when_decided(run: Run, workflow: Workflow, at: datetime) -> list[datetime]:
    """The moments that matter for what was written down at `at`, the likeliest first.

    It was decided after what stands before it; in between something may have fallen due.
    """
    first, last = sorted((run.updated_at, at))
    turning = _turning_points(run, workflow)
    between = (near for point in turning for near in _around(point) if first <= near <= last)
    return list(dict.fromkeys((at, *between)))


def when_begun(run: Run, workflow: Workflow, at: datetime) -> list[datetime]:
    """The moments that matter for what was begun at some time, and was over at `at`.

    The clock may have been set since, so every turning point counts.
    """
    turning = _turning_points(run, workflow)
    points = (near for point in turning for near in _around(point))
    return list(dict.fromkeys((at, run.updated_at, *points)))


def _around(point: datetime) -> tuple[datetime, ...]:
    return point - _TICK, point, point + _TICK


def _turning_points(run: Run, workflow: Workflow) -> Iterator[datetime]:
    """The times at which something else would be decided of the same run."""
    if run.retry_at:
        yield run.retry_at
    for call in run.calls:
        tool = workflow.tool(call.tool)
        if call.retry_at:
            yield call.retry_at
        if tool and tool.key_ttl and call.started_at:
            yield call.started_at + timedelta(seconds=tool.key_ttl)
    for asked in run.approvals:
        for due in (asked.expires_at, asked.remind_at, *(one.retry_at for one in asked.untold)):
            if due:
                yield due
