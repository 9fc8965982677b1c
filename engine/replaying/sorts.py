"""Of which sort a recorded event is: who has brought it about."""

from typing import Literal, assert_never

from engine.core import events as ev
from engine.core.run import Run

# The engine decided it; a model, a tool or a notifier said it; a person did; it came to be known
# of the code or of the journal itself, and is only given.
Sort = Literal["decided", "model", "tool", "notifier", "person", "given"]

_DECIDED = (
    ev.ToolStarted
    | ev.ApprovalRequested
    | ev.ToolsSettled
    | ev.ApprovalsSettled
    | ev.ApprovalExpired
    | ev.ApprovalReminded
    | ev.LimitReached
    | ev.LoopNoticed
)
_PERSON = (
    ev.RunStarted
    | ev.ApprovalGranted
    | ev.ApprovalDenied
    | ev.ApprovalAnswered
    | ev.StickyRuleAdded
    | ev.StickyRuleRevoked
    | ev.MessageReceived
    | ev.LimitsRaised
)

# Why a model's own reply ends a run: its words for that, or none for an error for good.
_OF_A_MODEL = (None, "length", "content_filter")


def sort_of(run: Run, event: ev.Event) -> Sort:  # noqa: C901, PLR0911, PLR0912 # a case a sort
    """The sort of an event that came upon `run`, which the fold has taken."""
    if isinstance(event, _DECIDED):
        return "decided"
    if isinstance(event, _PERSON):
        return "person"
    match event:
        case ev.ToolsRequested() | ev.ModelAnswered() | ev.AnswerSuperseded() | ev.ModelFailed():
            return "model"
        case ev.ContextCompacted():
            return "decided" if event.summary is None else "model"
        case ev.ToolFailed():  # of a call that had not begun it is a refusal
            return "tool" if run.call(event.call_id).status == "started" else "decided"
        case ev.ToolReturned():  # of a call that had not begun it is what the run itself knew
            begun = run.call(event.call_id).status in ("started", "interrupted")
            return "tool" if begun else "decided"
        case ev.ToolNotExecuted() | ev.ToolInterrupted() | ev.ReconcileFailed():
            return "tool"
        case ev.RunSummarised():
            return "model" if event.by_model else "decided"
        case ev.ApprovalNotified() | ev.NotificationFailed():
            return "notifier"
        case ev.RunAborted():
            if event.by is not None:
                return "person"
            return "model" if event.limit in _OF_A_MODEL else "decided"
        case (
            ev.WorkflowChanged()
            | ev.RunForked()
            | ev.ArgumentsLost()
            | ev.DataErased()
            | ev.ChainSealed()
        ):
            return "given"
        case other:
            assert_never(other)
