"""Journals told by hand: each event so many seconds after noon."""

from datetime import timedelta
from typing import Any

from engine.core import events as ev
from engine.core.messages import Arguments, Message, Usage
from tests.spec import NOON, STARTED, asks

Journal = tuple[ev.Recorded, ...]
Told = tuple[float, ev.Event]

SETTLED = ev.ToolsSettled()
DECIDED = ev.ApprovalsSettled()
CALL, OTHER = "call_1_1", "call_1_2"
LOOK, PAY = ("look", '{"order": "1"}'), ("pay", '{"order": "1", "amount": 5}')


def told(*events: Told, run_id: str = "r1", workflow: str = "shop") -> Journal:
    """The journal of a run that was started at noon."""
    born = STARTED.model_copy(update={"run_id": run_id, "workflow": workflow})
    return tuple(
        ev.Recorded(seq=seq, at=NOON + timedelta(seconds=after), event=event)
        for seq, (after, event) in enumerate([(0.0, born), *events], 1)
    )


def said(
    *calls: tuple[str, str],
    turn: int = 1,
    model: str | None = None,
    tokens: tuple[int, int] = (0, 0),
    words: str | None = None,
) -> ev.ToolsRequested:
    """The model's wish for these calls, with what it took."""
    wish = asks(*calls, turn=turn)
    message = wish.message.model_copy(update={"content": words})
    usage = Usage(input_tokens=tokens[0], output_tokens=tokens[1])
    return wish.model_copy(update={"message": message, "model": model, "usage": usage})


def answer(
    words: str = "Hi", model: str | None = None, tokens: tuple[int, int] = (0, 0)
) -> ev.ModelAnswered:
    """The model's answer, with what it took."""
    return ev.ModelAnswered(
        message=Message(role="assistant", content=words),
        model=model,
        usage=Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
    )


def started(call: str = CALL, tool: str = "pay", attempt: int = 1, **more: Any) -> ev.ToolStarted:
    """A call begins."""
    arguments = more.pop("arguments", {"order": "1", "amount": 5})
    return ev.ToolStarted(
        call_id=call,
        tool=tool,
        arguments=arguments,
        attempt=attempt,
        idempotency_key=call,
        **more,
    )


def returned(call: str = CALL, content: str = "ok") -> ev.ToolReturned:
    """A call comes back."""
    return ev.ToolReturned(call_id=call, content=content)


def asked(call: str = CALL, place: int = 1, tool: str = "pay", **more: Any) -> ev.ApprovalRequested:
    """A person is asked about a call."""
    name = f"r1.{place}"
    about: Arguments = more.pop("arguments", {"order": "1", "amount": 5})
    return ev.ApprovalRequested(
        approval_id=name, call_id=call, tool=tool, arguments=about, digest=name, **more
    )


def granted(call: str = CALL, place: int = 1, by: str = "ann", **more: Any) -> ev.ApprovalGranted:
    """A person allows it."""
    name = f"r1.{place}"
    return ev.ApprovalGranted(approval_id=name, call_id=call, digest=name, by=by, **more)


def denied(call: str = CALL, place: int = 1, reason: str | None = None) -> ev.ApprovalDenied:
    """A person refuses it."""
    name = f"r1.{place}"
    return ev.ApprovalDenied(approval_id=name, call_id=call, digest=name, by="ann", reason=reason)


def model_failed(attempt: int = 1) -> ev.ModelFailed:
    """The model gives no answer."""
    return ev.ModelFailed(error="busy", attempt=attempt, retry_at=NOON)
