"""What a run asked of people, counted event by event."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine.core import events as ev
from engine.core.run import Approval, Run
from engine.replaying.figures import ApprovalUse, Asked, Closing, span


@dataclass(slots=True)
class Approvals:
    """Each approval, and the time during which any of them was open."""

    _asked: dict[str, Asked] = field(default_factory=dict)
    _waited: timedelta = timedelta()
    _since: datetime | None = None

    def take(self, before: Run, recorded: ev.Recorded, after: Run) -> None:
        """Count what the event opened and closed."""
        if before.approvals is after.approvals:  # most events leave them as they are
            return
        at, event = recorded.at, recorded.event
        if isinstance(event, ev.ApprovalRequested):
            self._asked[event.approval_id] = _opened(event, at)
        still = {one.approval_id for one in after.approvals}
        for one in before.approvals:
            if one.approval_id not in still:
                closed = {"closed_at": at, "closing": _closing(one, event)}
                asked = self._asked[one.approval_id]
                self._asked[one.approval_id] = asked.model_copy(update=closed)
        if still and self._since is None:
            self._since = at
        elif not still:
            self._waited, self._since = self._until(at), None

    def waited_until(self, at: datetime) -> float:
        """The seconds until then in which some approval was open."""
        return self._until(at).total_seconds()

    def _until(self, at: datetime) -> timedelta:
        return self._waited + (span(self._since, at) if self._since else timedelta())

    def all(self) -> tuple[Asked, ...]:
        """Every approval, in the order in which they were asked for."""
        return tuple(self._asked.values())

    def used(self) -> ApprovalUse:
        """How many were closed in which way."""
        ways = Counter(one.closing or "open" for one in self._asked.values())
        by_name = {way.replace(" ", "_"): count for way, count in ways.items()}
        return ApprovalUse.model_validate({"asked": len(self._asked), **by_name})


def _opened(event: ev.ApprovalRequested, at: datetime) -> Asked:
    return Asked(
        approval_id=event.approval_id,
        call_id=event.call_id,
        kind=event.approval_kind,
        tool=event.tool,
        asked_at=at,
    )


def _closing(asked: Approval, event: ev.Event) -> Closing:
    match event:
        case ev.ApprovalGranted():
            changed = asked.original is not None or event.arguments is not None
            return "edited" if changed else "granted"
        case ev.LimitsRaised():
            return "granted"
        case ev.ApprovalDenied():
            return "denied"
        case ev.ApprovalAnswered():
            return "answered"
        case ev.ApprovalExpired():
            return "expired"
        case _:
            return "given up"
