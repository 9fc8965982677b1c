"""What somebody who watches a run is told, as it happens."""

from datetime import datetime
from typing import Annotated, Any, Literal, assert_never

from pydantic import Field

from engine.core import events as ev
from engine.core.messages import Arguments
from engine.core.run import PendingApproval, Run, pending_of
from engine.core.secrecy import Secrecy
from engine.core.shape import Shape
from engine.core.states import State

_Ending = ev.ToolReturned | ev.ToolFailed | ev.ToolNotExecuted | ev.ToolInterrupted
Outcome = Literal["tool_returned", "tool_failed", "tool_not_executed", "tool_interrupted"]


class TextDelta(Shape):
    """More of the text that the model is writing. It is in no journal.

    It belongs to the try `attempt` at `turn`, made of the run after its event `seq`; should
    that try fail, its text is void. `missed` characters before it were left out, as they
    were not read in time: the whole is in the transition that follows.
    """

    kind: Literal["text_delta"] = "text_delta"
    run_id: str
    seq: int
    turn: int
    attempt: int
    text: str
    missed: int = 0


class _Transition(Shape):
    """One event of the journal, durable by now; every one is told once, in order."""

    run_id: str
    source: State | None
    dest: State
    recorded: ev.Recorded

    @property
    def seq(self) -> int:
        """Its place in the journal."""
        return self.recorded.seq

    @property
    def at(self) -> datetime:
        """When it was."""
        return self.recorded.at


class Moved(_Transition):
    """A transition of which there is nothing more to say here."""

    kind: Literal["moved"] = "moved"


class ToolBegan(_Transition):
    """A call is about to run, with exactly these arguments."""

    kind: Literal["tool_began"] = "tool_began"
    call_id: str
    tool: str
    arguments: Arguments


class ToolEnded(_Transition):
    """What came of a call: its result, or the error."""

    kind: Literal["tool_ended"] = "tool_ended"
    call_id: str
    tool: str
    outcome: Outcome
    content: str


class ApprovalAsked(_Transition):
    """The run waits for a person to decide this."""

    kind: Literal["approval_asked"] = "approval_asked"
    approval: PendingApproval


Transitioned = Moved | ToolBegan | ToolEnded | ApprovalAsked
Update = Annotated[TextDelta | Transitioned, Field(discriminator="kind")]


def update_of(before: Run | None, run: Run, recorded: ev.Recorded) -> Transitioned:
    """The update that an event is, which made of the run `before` the run that it is now."""
    event = recorded.event
    moved: dict[str, Any] = {
        "run_id": run.id,
        "source": before and before.state,
        "dest": run.state,
        "recorded": recorded,
    }
    match event:
        case ev.ToolStarted():
            moved |= {"call_id": event.call_id, "tool": event.tool}
            return ToolBegan.model_construct(**moved, arguments=event.arguments)
        case ev.ToolReturned():
            return _ended(moved, before, event, event.content)
        case ev.ToolFailed() | ev.ToolNotExecuted() | ev.ToolInterrupted():
            return _ended(moved, before, event, event.error)
        case ev.ApprovalRequested():
            asked = pending_of(run, run.approval(event.approval_id))
            return ApprovalAsked.model_construct(**moved, approval=asked)
        case _:
            return Moved.model_construct(**moved)


def masked_update(update: Transitioned, secrecy: Secrecy) -> Transitioned:
    """The update without what `secrecy` knows for a secret."""
    recorded = secrecy.told(update.recorded)
    changes: dict[str, object] = {"recorded": recorded}
    event = recorded.event
    match update:
        case ToolBegan():
            changes["arguments"] = getattr(event, "arguments", {})
        case ToolEnded():
            changes["content"] = getattr(event, "content", None) or getattr(event, "error", "")
        case ApprovalAsked():
            changes["approval"] = secrecy.told(update.approval)
        case Moved():
            pass
        case other:
            assert_never(other)
    return update.model_copy(update=changes)


def _ended(moved: dict[str, Any], before: Run | None, event: _Ending, content: str) -> ToolEnded:
    calls = {call.id: call.tool for call in before.calls} if before else {}
    moved |= {"call_id": event.call_id, "tool": calls.get(event.call_id, "")}
    return ToolEnded.model_construct(**moved, outcome=event.kind, content=content)
