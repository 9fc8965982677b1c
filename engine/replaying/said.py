"""What a person must have said for an event to be recorded."""

from typing import TypedDict

from engine.core import events as ev
from engine.core.approvers import Authority
from engine.core.commands import (
    Abort,
    AcceptChanges,
    Answer,
    Approve,
    Command,
    Deny,
    Raise,
    Revoke,
    Send,
)
from engine.core.conditions import Conditions
from engine.core.run import Approval, Run


class _About(TypedDict):
    approval_id: str
    call_id: str
    digest: str
    by: str
    note: str | None


class _Permissive(Authority):
    """Who may decide was judged when it was decided, and is not judged again."""

    def require_known(self, by: str, what: str) -> None:
        """Nothing."""

    def require(self, run: Run, asked: Approval, by: str, what: str) -> None:
        """Nothing."""


PERMISSIVE: Authority = _Permissive()


def command_of(  # noqa: PLR0911 # a command a line
    run: Run, event: ev.Event, then: ev.Event | None
) -> Command | None:
    """The command that brought the event to `run`; None for what is not judged again.

    `then` is the event after it: a rule comes right behind the grant that made it.
    """
    match event:
        case ev.ApprovalGranted():
            when = then.when if isinstance(then, ev.StickyRuleAdded) else None
            return _granted(run, event, when)
        case ev.ApprovalDenied():
            asked = run.approval(event.approval_id)
            return Deny(**_about(asked, event), reason=event.reason)
        case ev.ApprovalAnswered():
            asked = run.approval(event.approval_id)
            if asked.kind == "question":  # the answer is kept as its form made it, not as it came
                return None
            return Answer(**_about(asked, event), result=event.content)
        case ev.StickyRuleRevoked():
            return Revoke(rule_id=event.rule_id, by=event.by)
        case ev.MessageReceived():
            return Send(message=event.message, by=event.by)
        case ev.LimitsRaised():
            return Raise(
                raises={str(name): more for name, more in event.raised.items()},
                by=event.by,
                note=event.note,
            )
        case ev.RunAborted(by=str() as by, limit=None):
            return Abort(by=by, reason=event.reason.removeprefix(f"aborted by {by}: "))
        case _:
            return None


def _granted(run: Run, event: ev.ApprovalGranted, when: Conditions | None) -> Command:
    asked = run.approval(event.approval_id)
    if asked.kind == "changed":
        return AcceptChanges(by=event.by)
    arguments = event.arguments
    if arguments is None and run.call(asked.call_id).lost:
        arguments = asked.arguments  # they had to be given, and were those that were asked about
    return Approve(
        **_about(asked, event),
        retry=asked.kind == "in_doubt",
        arguments=arguments,
        remember=when,
    )


def _about(
    asked: Approval, event: ev.ApprovalGranted | ev.ApprovalDenied | ev.ApprovalAnswered
) -> _About:
    """Which approval was meant, as it then stood, and by whom."""
    return {
        "approval_id": asked.approval_id,
        "call_id": asked.call_id,
        "digest": asked.digest,
        "by": event.by,
        "note": event.note,
    }
