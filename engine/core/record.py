"""The record of a run as an auditor reads it: one entry a call."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from engine.core import events as ev
from engine.core.messages import Arguments
from engine.core.shape import Shape

Outcome = Literal[
    "open", "in doubt", "returned", "failed", "denied", "answered", "expired", "given up"
]


class Said(Shape):
    """What one person said: `verdict` is granted, denied or answered, or expired by nobody.

    `arguments` are there where that person changed them.
    """

    verdict: str
    by: str
    at: datetime
    digest: str
    reason: str | None = None
    note: str | None = None
    arguments: Arguments | None = None


class CallRecord(Shape):
    """One call: who asked for it, what exactly, who said what, what ran, and what came of it.

    A call in doubt that a person gave up on, and one whose run was aborted before it was
    made, are `given up`. `requested` are the arguments as the model wrote them, `asked` as
    a person was shown them, `ran` those of the last start. `allowed_by` is the approval or
    the sticky rule, `to_review` the policy by which it ran unasked but is to be looked at.
    """

    run_id: str
    workflow: str
    started_by: str | None
    call_id: str
    tool: str
    requested_at: datetime
    requested: str
    asked_at: datetime | None = None
    asked: Arguments | None = None
    digest: str | None = None
    kind: str | None = None
    policy: str | None = None
    verdicts: tuple[Said, ...] = ()
    allowed_by: str | None = None
    to_review: str | None = None
    started_at: datetime | None = None
    attempts: int = 0
    ran: Arguments | None = None
    ended_at: datetime | None = None
    outcome: Outcome = "open"
    result: str | None = None


def record_of(journal: Iterable[ev.Recorded]) -> tuple[CallRecord, ...]:
    """Every call of the run, in the order in which they were asked for."""
    entries: dict[str, CallRecord] = {}
    born: ev.RunStarted | None = None
    for one in journal:
        event = one.event
        if isinstance(event, ev.RunStarted):
            born = event
        elif isinstance(event, ev.ToolsRequested) and born is not None:
            entries.update((made.call_id, made) for made in _requested(born, event, one.at))
        elif isinstance(event, ev.RunAborted):
            entries = {name: _left(entry, event, one.at) for name, entry in entries.items()}
        elif isinstance(event, ev.CallEvent | ev.ApprovalEvent) and event.call_id in entries:
            before = entries[event.call_id]
            changes = _of(before, event, one.at)
            entries[event.call_id] = before.model_copy(update=changes)
    return tuple(entries.values())


def _left(entry: CallRecord, event: ev.RunAborted, at: datetime) -> CallRecord:
    """The call as the end of its run left it; one that had started stays in doubt."""
    if entry.outcome != "open":
        return entry
    given_up = {"ended_at": at, "outcome": "given up", "result": event.reason}
    return entry.model_copy(update=given_up)


def _requested(born: ev.RunStarted, event: ev.ToolsRequested, at: datetime) -> list[CallRecord]:
    return [
        CallRecord(
            run_id=born.run_id,
            workflow=born.workflow,
            started_by=born.by,
            call_id=call.id,
            tool=call.function.name,
            requested_at=at,
            requested=call.function.arguments,
        )
        for call in event.message.tool_calls
    ]


def _of(  # noqa: PLR0911 # a case an event
    entry: CallRecord, event: ev.CallEvent | ev.ApprovalEvent, at: datetime
) -> dict[str, object]:
    match event:
        case ev.ApprovalRequested():
            return {
                "asked_at": at,
                "asked": event.arguments,
                "digest": event.digest,
                "kind": event.approval_kind,
                "policy": _policy(event),
                "outcome": "in doubt" if event.approval_kind == "in_doubt" else "open",
            }
        case ev.ToolStarted():
            return {
                "started_at": at,
                "attempts": event.attempt,
                "ran": event.arguments,
                "allowed_by": event.approval_id,
                "to_review": event.audit or entry.to_review,
                "outcome": "in doubt",
            }
        case ev.ToolReturned(content=content):
            return {"ended_at": at, "outcome": "returned", "result": content}
        case ev.ToolFailed(error=error):
            return {"ended_at": at, "outcome": "failed", "result": error}
        case ev.ToolNotExecuted(error=error):
            return {"outcome": "open", "result": error}
        case ev.ApprovalGranted() | ev.ApprovalDenied() | ev.ApprovalAnswered():
            return _decided(entry, event, at)
        case ev.ApprovalExpired(outcome=outcome):
            role = f"it went to the role {event.role}" if event.role else None
            nobody = Said(verdict="expired", by="nobody", at=at, digest=event.digest, reason=role)
            ended = {} if outcome == "escalated" else {"ended_at": at, "outcome": "expired"}
            return {"verdicts": (*entry.verdicts, nobody), **ended}
        case _:
            return {}


def _decided(
    entry: CallRecord,
    event: ev.ApprovalGranted | ev.ApprovalDenied | ev.ApprovalAnswered,
    at: datetime,
) -> dict[str, object]:
    verdict = event.kind.removeprefix("approval_")
    said = Said(verdict=verdict, by=event.by, at=at, digest=event.digest, note=event.note)
    match event:
        case ev.ApprovalDenied(reason=reason):
            said = said.model_copy(update={"reason": reason})
            outcome = "given up" if entry.kind == "in_doubt" else "denied"
            ended = {"ended_at": at, "outcome": outcome, "result": reason}
        case ev.ApprovalAnswered(content=content):
            ended = {"ended_at": at, "outcome": "answered", "result": content}
        case ev.ApprovalGranted(arguments=arguments):
            if arguments is not None:
                changed = {"verdict": "granted with changes", "arguments": arguments}
                said = said.model_copy(update=changed)
            ended = {}
    return {"verdicts": (*entry.verdicts, said), **ended}


def _policy(event: ev.ApprovalRequested) -> str:
    words = [event.demand.source or "always", event.demand.in_words()]
    return "; ".join(word for word in words if word)
