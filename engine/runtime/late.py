"""What happened outside, on top of what somebody else has written meanwhile."""

from engine.core import events as ev
from engine.core.machine import legal_triggers
from engine.core.run import Run


def on_top(run: Run, outcome: ev.Event, seen: int) -> ev.Event | None:
    """The outcome as it is recorded now; None where there is no place for it any more.

    `seen` is how many messages the transcript had when it came. A reply that did not see
    the newest ones keeps its place before them; an answer is then not the last word.
    """
    late = _reply(run, outcome, seen)
    if late.kind not in legal_triggers(run.state):
        return None
    if isinstance(late, ev.ApprovalNotified | ev.NotificationFailed):
        still_open = any(one.approval_id == late.approval_id for one in run.approvals)
        return late if still_open else None
    return late


def _reply(run: Run, outcome: ev.Event, seen: int) -> ev.Event:
    if not isinstance(outcome, ev.ToolsRequested | ev.ModelAnswered):
        return outcome
    if seen >= len(run.messages):
        return outcome
    if isinstance(outcome, ev.ToolsRequested):
        return outcome.model_copy(update={"seen": seen})
    said = {name: value for name, value in outcome if name != "kind"}
    return ev.AnswerSuperseded.model_validate({**said, "seen": seen})
