"""The whole machine on one screen: the states, and every legal transition between them."""

from enum import StrEnum
from typing import Literal, NamedTuple


class State(StrEnum):
    """Where a run is. A run is always in exactly one of these."""

    AwaitingModel = "AwaitingModel"
    DispatchingTools = "DispatchingTools"
    AwaitingApproval = "AwaitingApproval"
    Done = "Done"
    Aborted = "Aborted"


# What a run in AwaitingApproval waits for.
ApprovalKind = Literal["tool_call", "in_doubt", "changed"]
# Why a call that may have happened may be made again without asking.
Repeats = Literal["read_only", "idempotent", "transactional"]


class Transition(NamedTuple):
    """One row of the table. The source of the row that creates a run is None."""

    trigger: str
    source: State | None
    dest: State


def _loops(state: State, *triggers: str) -> tuple[Transition, ...]:
    return tuple(Transition(trigger, state, state) for trigger in triggers)


_MODEL, _TOOLS, _APPROVAL = State.AwaitingModel, State.DispatchingTools, State.AwaitingApproval

_OUTCOMES = ("tool_returned", "tool_failed", "tool_not_executed", "tool_interrupted")

ACTIVE: tuple[State, ...] = (_MODEL, _TOOLS, _APPROVAL)
ENDED: tuple[State, ...] = (State.Done, State.Aborted)

TRANSITIONS: tuple[Transition, ...] = (
    Transition("run_started", None, _MODEL),
    Transition("tools_requested", _MODEL, _TOOLS),
    Transition("model_answered", _MODEL, State.Done),
    *_loops(_MODEL, "model_failed", "context_compacted", "workflow_changed"),
    *_loops(_TOOLS, "tool_started", *_OUTCOMES, "reconcile_failed"),
    Transition("tools_settled", _TOOLS, _MODEL),
    Transition("approval_requested", _TOOLS, _APPROVAL),
    Transition("approval_requested", _MODEL, _APPROVAL),
    *_loops(_APPROVAL, "approval_requested"),
    *_loops(
        _APPROVAL, "approval_granted", "approval_denied", "approval_answered", "approval_expired"
    ),
    Transition("approvals_settled", _APPROVAL, _TOOLS),
    Transition("limits_raised", _APPROVAL, _MODEL),
    *(row for state in ACTIVE for row in _loops(state, "message_received")),
    Transition("message_received", State.Done, _MODEL),
    *(Transition("run_aborted", state, State.Aborted) for state in ACTIVE),
    *_loops(State.Aborted, *_OUTCOMES),  # of calls that were in flight when the run was given up
)
