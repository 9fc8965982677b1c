"""How a run moves at its bounds: what it spent, what was reached, what people added."""

from decimal import Decimal
from typing import assert_never

from engine.core import events as ev
from engine.core.messages import Message
from engine.core.moves import Changes
from engine.core.run import Compaction, Overflow, Run
from engine.core.sent import NOTE
from engine.core.sizes import tokens_in
from engine.core.spent import Spent

_OF_WHAT_WAS_SAID = ("max_repeats", "context")
_OF_A_LIMIT = ("limit", "reason", "found", "last_words", "failure", "retry_at", "overflowed")


def at_a_limit(run: Run, event: ev.LimitEvent) -> Changes:
    """The run after an event about one of its bounds."""
    match event:
        case ev.LimitReached():
            due: Changes = {"limit": event.limit, "last_words": "due", "overflowed": None}
            return due | _noted(run, event.words)
        case ev.LoopNoticed():
            noted = _noted(run, event.words)
            return {"looped_at": len(run.messages) + 1, **noted}
        case ev.LimitsRaised():
            return _raised(run, event)
        case other:
            assert_never(other)


def failed(run: Run, event: ev.ModelFailed) -> Changes:
    """The run after a try at the model that came to nothing."""
    failed: Changes = {
        "failures": event.attempt,
        "failure": event.error,
        "retry_at": event.retry_at,
    }
    if event.overflow:
        before = run.overflowed
        failed["overflowed"] = Overflow(
            times=before.times + 1 if before else 1,
            attempt=event.attempt,
            cut=event.cut,
            compacted=before is not None and before.compacted,
        )
        failed["found"] = event.found or run.found
    if event.usage.total_tokens or event.model or event.cut:  # it has replied
        return failed | _spent(run, event)
    return failed | {"seconds": _worked(run, event)}


def aborted(run: Run, event: ev.RunAborted) -> Changes:
    """The run given up, and what the reply took that it was given up for, if one was."""
    given_up: Changes = {
        "reason": event.reason,
        "limit": event.limit,
        "found": event.found,
        "approvals": (),
        "retry_at": None,
    }
    return given_up | (_spent(run, event) if event.usage.total_tokens or event.model else {})


def compacted(run: Run, event: ev.ContextCompacted, seq: int) -> Changes:
    """The run of whose transcript the model is sent less."""
    had = run.compacted.summary_at if run.compacted else None
    summary_at = had if event.summary is None else seq
    changes: Changes = {
        "compacted": Compaction(start=event.start, noted=event.noted, summary_at=summary_at),
        "context_tokens": event.tokens,
        "context_messages": event.seen,
        "tools_counted": True,
    }
    overflowed = run.overflowed
    if event.summary is not None:  # the model has replied
        begun_anew = {"failures": 0, "failure": None, "retry_at": None}
        changes |= {"summary": event.summary, **_spent(run, event), **begun_anew}
        overflowed = overflowed and overflowed.model_copy(update={"attempt": 0})
    sent_less = overflowed and overflowed.model_copy(update={"compacted": True})
    return {**changes, "overflowed": sent_less}


def after_reply(
    run: Run, event: ev.ToolsRequested | ev.ModelAnswered | ev.AnswerSuperseded
) -> Changes:
    """What a reply took of the bounds."""
    return {
        **_spent(run, event),
        "tool_calls": run.tool_calls + len(event.message.tool_calls),
        "last_words": "given" if run.last_words else None,
        **_context_of(run, event),
        "window": event.window,
        "overflowed": None,
        "found": None,
    }


def _context_of(
    run: Run, event: ev.ToolsRequested | ev.ModelAnswered | ev.AnswerSuperseded
) -> Changes:
    """How long the transcript is with the reply: as the model counted, else by an estimate."""
    seen = len(run.messages) if event.seen is None else event.seen
    tokens = counted = event.usage.total_tokens
    if not counted:
        new = (*run.messages[run.context_messages : seen], event.message)
        tokens = run.context_tokens + tokens_in(new)
    return {
        "context_tokens": tokens,
        "context_messages": seen + 1,
        "tools_counted": run.tools_counted or counted > 0,
    }


def said_anew(run: Run) -> Changes:
    """What an ended run has left behind once more is said to it: a loop, or too long a request.

    Of what is spent there is no more than before.
    """
    return {"limit": None, "last_words": None} if run.limit in _OF_WHAT_WAS_SAID else {}


def recapped(run: Run, event: ev.RunSummarised) -> Changes:
    """The run with nothing left to do, and what its summary took."""
    took = _spent(run, event) if event.model or event.usage.total_tokens else {}
    return {**took, "last_cost": run.last_cost, "sums_up": False}


def _spent(run: Run, event: Spent) -> Changes:
    known = None if event.cost is None or run.cost is None else run.cost + event.cost
    return {
        "usage": run.usage + event.usage,
        "cost": known,
        "last_cost": event.cost,
        "seconds": _worked(run, event),
    }


def _worked(run: Run, event: Spent) -> float:
    return round(run.seconds + (event.seconds or 0), 6)


def _raised(run: Run, event: ev.LimitsRaised) -> Changes:
    """The run with wider bounds, as if it had not come to them."""
    raised = dict(run.raised)
    for name, amount in event.raised.items():
        raised[name] = raised.get(name, Decimal()) + amount
    gone = dict.fromkeys(_OF_A_LIMIT)
    return {**gone, "raised": raised, "approvals": (), "failures": 0}


def _noted(run: Run, words: str) -> Changes:
    """The run with something that the engine tells the model."""
    return {"messages": (*run.messages, Message(role="user", content=NOTE + words))}
