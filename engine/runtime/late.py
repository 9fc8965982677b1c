"""What happened outside, on top of what somebody else has written meanwhile."""

from engine.core import events as ev
from engine.core.machine import legal_triggers
from engine.core.run import Run


def on_top(run: Run, outcome: ev.Event, seen: int, was: Run | None = None) -> ev.Event | None:
    """The outcome as it is recorded now; None where there is no place for it any more.

    `seen` is how many messages the transcript had when it came. A reply that did not see
    the newest ones keeps its place before them; an answer is then not the last word. `was` is
    the run that somebody was told of: what has changed or moved on since is to be told again.
    """
    late = _reply(run, outcome, seen)
    if late.kind not in legal_triggers(run.state):
        return None
    if isinstance(late, ev.ApprovalNotified | ev.NotificationFailed):
        told = _telling(run if was is None else was, late.approval_id)
        return late if told and told == _telling(run, late.approval_id) else None
    return late


def _telling(run: Run, approval_id: str) -> list[object]:
    """What is told of an open approval; nothing where it is not open."""
    return [
        (one.digest, one.expires_at, one.remind_at)
        for one in run.approvals
        if one.approval_id == approval_id
    ]


def _reply(run: Run, outcome: ev.Event, seen: int) -> ev.Event:
    if not isinstance(outcome, ev.ToolsRequested | ev.ModelAnswered):
        return outcome
    known = isinstance(outcome, ev.ToolsRequested) and outcome.seen is not None
    if known or seen >= len(run.messages):
        return outcome
    if isinstance(outcome, ev.ToolsRequested):
        return outcome.model_copy(update={"seen": seen})
    said = {name: value for name, value in outcome if name not in ("kind", "sums_up")}
    return ev.AnswerSuperseded.model_validate({**said, "seen": seen})
