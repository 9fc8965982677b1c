"""What falls due of open approvals."""

from datetime import datetime, timedelta

from engine.core import events as ev
from engine.core.found import found_so_far
from engine.core.run import Approval, Run


def overdue(run: Run, now: datetime) -> tuple[ev.Event, ...]:
    """What has to be recorded before anything else: approvals that expired, and reminders."""
    expired = tuple(
        _expired(asked, now)
        for asked in run.approvals
        if asked.expires_at is not None and asked.expires_at <= now
    )
    for event in expired:
        if event.outcome == "aborted":
            tool = run.approval(event.approval_id).tool
            reason = f"nobody decided in time about {tool} ({event.call_id})"
            given_up = ev.RunAborted(
                reason=reason, limit="approval_expired", found=found_so_far(run)
            )
            return (*expired, given_up)
    closed = {event.approval_id for event in expired}
    reminded = tuple(
        ev.ApprovalReminded(approval_id=asked.approval_id, call_id=asked.call_id)
        for asked in run.approvals
        if asked.remind_at is not None
        and asked.remind_at <= now
        and asked.approval_id not in closed
    )
    return (*expired, *reminded)


def _expired(asked: Approval, now: datetime) -> ev.ApprovalExpired:
    about = ev.ApprovalExpired(
        approval_id=asked.approval_id,
        call_id=asked.call_id,
        digest=asked.digest,
        outcome="denied",
    )
    match asked.demand.on_expiry:
        case "deny":
            return about
        case "abort":
            return about.model_copy(update={"outcome": "aborted"})
        case further:
            return about.model_copy(
                update={
                    "outcome": "escalated",
                    "role": further.role,
                    "expires_at": now + timedelta(seconds=further.expires_in),
                }
            )
