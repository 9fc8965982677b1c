"""How a run moves at its bounds: what it spent, what was reached, what people added."""

from decimal import Decimal
from typing import assert_never

from engine.core import events as ev
from engine.core.messages import Message
from engine.core.moves import Changes
from engine.core.run import Run
from engine.core.spent import Spent

NOTE = "Note from the system, not from the customer: "


def at_a_limit(run: Run, event: ev.LimitEvent) -> Changes:
    """The run after an event about one of its bounds."""
    match event:
        case ev.LimitReached():
            return {"limit": event.limit, "last_words": "due", **_noted(run, event.words)}
        case ev.LoopNoticed():
            noted = _noted(run, event.words)
            return {"looped_at": len(run.messages) + 1, **noted}
        case ev.LimitsRaised():
            return _raised(run, event)
        case other:
            assert_never(other)


def failed(run: Run, event: ev.ModelFailed) -> Changes:
    """The run after a try at the model that came to nothing."""
    waits = {"failures": event.attempt, "failure": event.error, "retry_at": event.retry_at}
    return {**waits, **_spent(run, event)} if event.usage.total_tokens else waits


def after_reply(
    run: Run, event: ev.ToolsRequested | ev.ModelAnswered | ev.AnswerSuperseded
) -> Changes:
    """What a reply took of the bounds."""
    seen = len(run.messages) if event.seen is None else event.seen
    tokens = event.usage.total_tokens
    return {
        **_spent(run, event),
        "tool_calls": run.tool_calls + len(event.message.tool_calls),
        "last_words": "given" if run.last_words else None,
        "context_tokens": tokens,
        "context_messages": seen + 1 if tokens else 0,
    }


def summed_up(run: Run, event: ev.RunSummarised) -> Changes:
    """The run with nothing left to do, and what its summary took."""
    took = _spent(run, event) if event.model or event.usage.total_tokens else {}
    return {**took, "last_cost": run.last_cost, "sums_up": False}


def _spent(run: Run, event: Spent) -> Changes:
    known = None if event.cost is None or run.cost is None else run.cost + event.cost
    return {
        "usage": run.usage + event.usage,
        "cost": known,
        "last_cost": event.cost,
        "seconds": run.seconds + (event.seconds or 0),
    }


def _raised(run: Run, event: ev.LimitsRaised) -> Changes:
    """The run with wider bounds, as if it had not come to them."""
    raised = dict(run.raised)
    for name, amount in event.raised.items():
        raised[name] = raised.get(name, Decimal()) + amount
    gone = dict.fromkeys(("limit", "reason", "found", "last_words", "failure", "retry_at"))
    return {**gone, "raised": raised, "approvals": (), "failures": 0}


def _noted(run: Run, words: str) -> Changes:
    """The run with something that the engine tells the model."""
    return {"messages": (*run.messages, Message(role="user", content=NOTE + words))}
