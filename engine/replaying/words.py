"""Events and effects in words: what was done, and what would be."""

from datetime import datetime
from typing import NamedTuple, assert_never

from engine.core import events as ev
from engine.core.effects import (
    CallModel,
    CallTools,
    Effect,
    Notify,
    Park,
    Recap,
    Reconcile,
    Record,
    SumUp,
)
from engine.core.run import Run
from engine.core.states import ENDED, State
from engine.replaying.divergence import fields_apart


class Words(NamedTuple):
    """One thing, as it was done ("a person was asked"), and as it would be ("ask a person")."""

    done: str
    would: str


def words_of(run: Run, event: ev.Event) -> Words:  # noqa: C901, PLR0911, PLR0912 # a case an event
    """An event that the engine decides of itself, and that comes upon `run`."""
    match event:
        case ev.ToolStarted():
            how = _allowed(run, event)
            return Words(f"{_call(run, event)} was run {how}", f"run {_call(run, event)} {how}")
        case ev.ApprovalRequested():
            return _asking(run, event)
        case ev.ToolFailed():
            what, why = _call(run, event), event.error
            return Words(f"{what} was refused ({why})", f"refuse {what} ({why})")
        case ev.ToolReturned() if run.call(event.call_id).status in ("requested", "granted"):
            what = f"{_call(run, event)} from the run itself"
            return Words(f"{what} was answered", f"answer {what}")
        case ev.ToolsSettled():
            return Words("the turn was closed", "close the turn")
        case ev.ApprovalsSettled():
            words = "nothing was left to ask a person"
            return Words(words, "go on, as nothing is left to ask a person")
        case ev.ApprovalExpired():
            what = f"{_call(run, event)} was {event.outcome} as nobody decided in time"
            return Words(what, f"say that {what}")
        case ev.ApprovalReminded():
            what = _call(run, event)
            return Words(f"people were reminded of {what}", f"remind people of {what}")
        case ev.RunAborted():
            return Words(
                f"the run was given up ({event.reason})", f"give the run up ({event.reason})"
            )
        case ev.LimitReached():
            words = f"a last answer, as {event.limit} is reached"
            return Words(f"the model was asked for {words}", f"ask the model for {words}")
        case ev.LoopNoticed():
            words = "the model that it repeats itself"
            return Words(f"it told {words}", f"tell {words}")
        case ev.ContextCompacted():
            words = "less of the transcript"
            return Words(f"the model was sent {words}", f"send the model {words}")
        case other:
            return Words(_happened(run, other), f"record {other.kind}")


def effect_words(run: Run, effect: Effect) -> str:  # noqa: PLR0911 # an effect a case
    """What would be done, as it follows "today's code would"."""
    match effect:
        case CallModel(turn, attempt):
            again = f" (try {attempt})" if attempt > 1 else ""
            return f"ask the model for turn {turn}{again}"
        case SumUp():
            return "have the model sum up what it is not sent any more"
        case CallTools(events) | Record(events):
            return words_of(run, events[0]).would
        case Recap():
            return "ask the model for a summary of the run"
        case Reconcile(starts):
            return f"look up what came of {_call(run, starts[0])}"
        case Notify(untold):
            approval_id, notifier = untold[0]
            return f"tell {notifier} of {_call(run, run.approval(approval_id))}"
        case Park(until):
            return _waiting(run, until)
        case other:
            assert_never(other)


def apart_words(run: Run, recorded: ev.Event, today: ev.Event) -> str:
    """What would be done instead, where that is of the same kind."""
    would = words_of(run, today).would
    if would != words_of(run, recorded).would:
        return would
    return f"{would}, with different {' and '.join(fields_apart(recorded, today))}"


def _waiting(run: Run, until: datetime | None) -> str:
    if until is not None:
        return f"wait until {until:%Y-%m-%d %H:%M:%S} UTC"
    if run.state in ENDED:
        return f"do nothing more, as the run is {run.state}"
    return "wait for a person" if run.state is State.AwaitingApproval else "wait"


def _call(run: Run, about: ev.CallEvent | ev.ApprovalEvent | object) -> str:
    """The call that something is about, by its tool and its id."""
    call_id = str(getattr(about, "call_id", "")) or "going on at a limit"
    tools = [call.tool for call in run.calls if call.id == call_id]
    return f"{tools[0]} ({call_id})" if tools else call_id


def _allowed(run: Run, event: ev.ToolStarted) -> str:
    if event.audit is not None:
        return "unasked, to be reviewed"
    if event.approval_id is None:
        return "unasked" if event.attempt == 1 else f"unasked, for the {event.attempt}. time"
    by_rule = event.approval_id in {rule.id for rule in run.rules}
    return "by a sticky rule" if by_rule else "as a person had allowed"


def _asking(run: Run, event: ev.ApprovalRequested) -> Words:
    what, terms = _call(run, event), event.demand.in_words()
    asked = f" ({terms})" if terms else ""
    match event.approval_kind:
        case "tool_call":
            about = f"about {what}{asked}"
            return Words(f"a person was asked {about}", f"ask a person {about}")
        case "in_doubt":
            about = f"what came of {what}{asked}"
        case "changed":
            about = f"whether {what} may go on, as its tool had changed{asked}"
        case "question":
            about = f"the question of {what}{asked}"
        case "limit":
            about = f"whether it may go on ({event.reason})"
        case other:
            assert_never(other)
    return Words(f"a person was asked {about}", f"ask a person {about}")


def _happened(run: Run, event: ev.Event) -> str:  # noqa: C901, PLR0911 # a case an event
    """What somebody else did: a model, a tool, a notifier, a person."""
    match event:
        case ev.ToolsRequested() | ev.ModelAnswered() | ev.AnswerSuperseded() | ev.ModelFailed():
            return f"the model was asked for turn {run.turns + 1}"
        case ev.ToolReturned() | ev.ToolNotExecuted() | ev.ToolInterrupted() | ev.ReconcileFailed():
            return f"it was looked up what came of {_call(run, event)}"
        case ev.ApprovalNotified() | ev.NotificationFailed():
            return f"{event.notifier} was to be told of {_call(run, event)}"
        case ev.ApprovalGranted():
            return f"{event.by} allowed {_call(run, event)}"
        case ev.ApprovalDenied():
            return f"{event.by} denied {_call(run, event)}"
        case ev.ApprovalAnswered():
            return f"{event.by} answered {_call(run, event)}"
        case ev.StickyRuleAdded():
            return f"{event.by} allowed {event.tool} beforehand"
        case ev.StickyRuleRevoked():
            return f"{event.by} took the rule {event.rule_id} back"
        case ev.MessageReceived():
            return f"{event.by or 'the customer'} wrote"
        case ev.LimitsRaised():
            return f"{event.by} raised {', '.join(event.raised)}"
        case _:
            return f"{event.kind} was recorded"
