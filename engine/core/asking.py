"""How an approval moves: asked for, granted, denied, answered, expired, told."""

from datetime import datetime, timedelta
from typing import assert_never

import orjson

from engine.core import events as ev
from engine.core.demand import Demand
from engine.core.found import found_so_far
from engine.core.messages import Arguments
from engine.core.moves import Changes, close, move, settle
from engine.core.run import Approval, Call, Run, Untold, Verdict
from engine.core.states import ApprovalKind

Said = ev.ApprovalGranted | ev.ApprovalDenied | ev.ApprovalAnswered | ev.ApprovalExpired

_WORDS = 2000  # of the model, kept beside an approval


def of_an_approval(run: Run, event: ev.ApprovalEvent, at: datetime) -> Changes:
    """The run after an event about one approval; KeyError where it has no such approval."""
    match event:
        case ev.ApprovalRequested():
            return _ask(run, event, at)
        case ev.ApprovalReminded():
            return _remind(run, event, at)
        case ev.ApprovalNotified() | ev.NotificationFailed():
            return _told(run, event)
        case said:
            return _decided(run, said, at) | _noted(run, said, at)


def _decided(run: Run, event: Said, at: datetime) -> Changes:
    match event:
        case ev.ApprovalGranted():
            return _grant(run, event, at)
        case ev.ApprovalDenied():
            return _deny(run, event)
        case ev.ApprovalAnswered():
            return settle(run, event.call_id, event.content, event.approval_id)
        case ev.ApprovalExpired():
            return _expire(run, event)
        case other:
            assert_never(other)


def _ask(run: Run, event: ev.ApprovalRequested, at: datetime) -> Changes:
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
        words=_words(run, event.approval_kind)[:_WORDS] or None,
        demand=event.demand,
        expires_at=event.expires_at,
        remind_at=event.remind_at,
        form=event.form,
        notify=event.notify,
        untold=_all(event.notify),
    )
    opened = {"approvals": (*run.approvals, approval), "asked": run.asked + 1}
    if approval.kind == "limit":
        return opened | {"limit": approval.tool}
    call = run.call(event.call_id)
    doubtful = call.doubtful or call.in_doubt
    waiting = move(run, call.id, "waiting", approval_id=None, digest=None, doubtful=doubtful)
    return waiting | opened


def _words(run: Run, kind: ApprovalKind) -> str:
    """What the model said before the call; at a limit, what was found so far."""
    said = found_so_far(run) if kind == "limit" else run.messages[-1].content
    return said or ""


def _grant(run: Run, event: ev.ApprovalGranted, at: datetime) -> Changes:
    """The call as a person allowed it, once as many have as must.

    Accepted changes are judged by today's code, from the start. Arguments that a person
    changed are another action: who had agreed to the one before is to look again.
    Raises KeyError where no such approval is open.
    """
    asked = run.approval(event.approval_id)
    if asked.kind == "changed":
        fresh = {"accepted": event.digest, "arguments": None, "edited": None, "edits": None}
        changes = move(run, event.call_id, "requested", retry_at=None, **fresh)
        return close(run, event.approval_id) | changes
    agreed = _agreed(asked, event, at)
    if len(agreed.grants) < agreed.demand.quorum:
        return _replaced(run, agreed)
    edited, edits = _changed(run.call(event.call_id), agreed)
    changes = move(
        run,
        event.call_id,
        "granted",
        approval_id=event.approval_id,
        digest=event.digest,
        error=None,
        retry_at=None,
        batch=agreed.demand.batch,
        edited=edited,
        edits=edits,
    )
    return close(run, event.approval_id) | changes


def _deny(run: Run, event: ev.ApprovalDenied) -> Changes:
    """The call with a person's no, or the run to be given up; KeyError for no such approval."""
    asked = run.approval(event.approval_id)
    if asked.kind == "limit":
        return close(run, asked.approval_id)
    return settle(
        run, event.call_id, _denial(asked, event.reason), asked.approval_id, is_error=True
    )


def _expire(run: Run, event: ev.ApprovalExpired) -> Changes:
    """The call given up as nobody decided, or asked about once more."""
    asked = run.approval(event.approval_id)
    if event.outcome != "escalated":
        words = "Nobody approved this call in time, so it was not made."
        if asked.kind == "question":
            words = "Nobody answered in time."
        return settle(run, event.call_id, words, asked.approval_id, is_error=True)
    role = event.role or ""
    then = asked.demand.on_expiry
    further = asked.demand.model_copy(
        update={
            "roles": ((role,),),
            "on_expiry": then if isinstance(then, str) else then.on_expiry,
        }
    )
    changes = {
        "demand": further,
        "expires_at": event.expires_at,
        "grants": (),
        "occasion": "escalated",
    }
    return _replaced(run, asked.model_copy(update={**changes, "untold": _all(asked.notify)}))


def _remind(run: Run, event: ev.ApprovalReminded, at: datetime) -> Changes:
    """The approval, to be told again, and once more after as long again."""
    asked = run.approval(event.approval_id)
    due = _after(at, asked.demand.remind_every)
    changes = {"remind_at": due, "untold": _all(asked.notify), "occasion": "reminded"}
    return _replaced(run, asked.model_copy(update=changes))


def _told(run: Run, event: ev.ApprovalNotified | ev.NotificationFailed) -> Changes:
    """The approval with one notifier fewer to tell, or with a later time for it."""
    asked = run.approval(event.approval_id)
    others = tuple(one for one in asked.untold if one.notifier != event.notifier)
    if isinstance(event, ev.NotificationFailed) and event.retry_at is not None:
        again = Untold(notifier=event.notifier, attempt=event.attempt, retry_at=event.retry_at)
        others = (*others, again)
    return _replaced(run, asked.model_copy(update={"untold": others}))


def _noted(run: Run, event: Said, at: datetime) -> Changes:
    """The run with a verdict noted."""
    about = {"approval_id": event.approval_id, "call_id": event.call_id, "digest": event.digest}
    kind = run.approval(event.approval_id).kind
    said = Verdict.model_validate({**about, "kind": kind, "at": at, **_said(event)})
    return {"verdicts": (*run.verdicts, said)}


def _said(event: Said) -> dict[str, object]:
    match event:
        case ev.ApprovalGranted(by=by, note=note, arguments=arguments):
            return {"verdict": "granted", "by": by, "note": note, "arguments": arguments}
        case ev.ApprovalDenied(by=by, note=note, reason=reason):
            return {"verdict": "denied", "by": by, "note": note, "said": reason}
        case ev.ApprovalAnswered(by=by, note=note, content=content):
            return {"verdict": "answered", "by": by, "note": note, "said": content}
        case ev.ApprovalExpired():
            return {"verdict": "expired", "by": "nobody"}
        case other:
            assert_never(other)


def _denial(asked: Approval, reason: str | None) -> str:
    """What the model reads where a person refused a call, or gave up on one in doubt."""
    said = "Denied by a person"
    if asked.kind == "in_doubt":
        said = "It is not known whether this call happened; a person gave up on it"
    if asked.kind == "question":
        said = "A person declined to answer"
    return f"{said}: {reason}" if reason else f"{said}, without a reason."


def _changed(call: Call, agreed: Approval) -> tuple[Arguments | None, str | None]:
    """What people changed of the call, and how; what they did before it was asked about again."""
    if agreed.original is None:
        return call.edited, call.edits
    how = _edits_in_words(agreed.original, agreed.arguments)
    return agreed.arguments, "; then ".join(filter(None, (call.edits, how))) or None


def _edits_in_words(before: Arguments | None, after: Arguments | None) -> str | None:
    """What a person changed, argument by argument; None where nothing was."""
    if before is None or after is None:
        return None
    names = [
        name for name in sorted({*before, *after}) if _shown(before, name) != _shown(after, name)
    ]
    words = (f"{name}: {_shown(before, name)} -> {_shown(after, name)}" for name in names)
    return "; ".join(words) or None


def _shown(arguments: Arguments, name: str) -> str:
    return orjson.dumps(arguments[name]).decode() if name in arguments else "nothing"


def _agreed(asked: Approval, event: ev.ApprovalGranted, at: datetime) -> Approval:
    """The approval with one person more; a changed action is told of, and has its own terms."""
    if event.arguments is None:
        return asked.model_copy(update={"grants": (*asked.grants, event.by)})
    demand = event.demand or asked.demand
    return asked.model_copy(
        update={
            "arguments": event.arguments,
            "original": asked.arguments if asked.original is None else asked.original,
            "edited_by": event.by,
            "digest": event.digest,
            "demand": demand,
            "grants": (event.by,),
            "expires_at": _deadline(asked, demand, at),
            "remind_at": asked.remind_at or _after(at, demand.remind_every),
            "untold": _all(asked.notify),
            "occasion": "changed",
        }
    )


def _deadline(asked: Approval, demand: Demand, at: datetime) -> datetime | None:
    """Until when a changed action is open: as before, unless it has a shorter time of its own."""
    before, now = asked.demand.expires_in, demand.expires_in
    if now is None or (before is not None and before <= now):
        return asked.expires_at
    own = at + timedelta(seconds=now)
    return own if asked.expires_at is None else min(own, asked.expires_at)


def _after(at: datetime, seconds: float | None) -> datetime | None:
    return None if seconds is None else at + timedelta(seconds=seconds)


def _all(notifiers: tuple[str, ...]) -> tuple[Untold, ...]:
    return tuple(Untold(notifier=name) for name in notifiers)


def _replaced(run: Run, approval: Approval) -> Changes:
    """The run with that approval as it now is."""
    return {
        "approvals": tuple(
            approval if one.approval_id == approval.approval_id else one for one in run.approvals
        )
    }
