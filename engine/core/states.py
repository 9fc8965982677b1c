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
ApprovalKind = Literal["tool_call", "in_doubt", "changed", "question", "limit"]
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
_CALLS = ("tool_started", *_OUTCOMES, "reconcile_failed")
_VERDICTS = ("approval_granted", "approval_denied", "approval_answered", "approval_expired")
_NOTICES = ("approval_reminded", "approval_notified", "notification_failed")

ACTIVE: tuple[State, ...] = (_MODEL, _TOOLS, _APPROVAL)
ENDED: tuple[State, ...] = (State.Done, State.Aborted)

TRANSITIONS: tuple[Transition, ...] = (
    Transition("run_started", None, _MODEL),
    Transition("tools_requested", _MODEL, _TOOLS),
    Transition("model_answered", _MODEL, State.Done),
    *_loops(_MODEL, "answer_superseded", "model_failed", "context_compacted", "workflow_changed"),
    *_loops(_MODEL, "limit_reached", "loop_noticed"),
    *_loops(_TOOLS, *_CALLS),
    Transition("tools_settled", _TOOLS, _MODEL),
    Transition("approval_requested", _TOOLS, _APPROVAL),
    Transition("approval_requested", _MODEL, _APPROVAL),
    *_loops(_APPROVAL, "approval_requested", *_VERDICTS, *_NOTICES, "sticky_rule_added"),
    *_loops(_APPROVAL, *_CALLS),  # of the turn's other calls, while some wait for a person
    Transition("approvals_settled", _APPROVAL, _TOOLS),
    Transition("limits_raised", _APPROVAL, _MODEL),
    Transition("limits_raised", State.Aborted, _MODEL),
    *(row for state in ACTIVE for row in _loops(state, "message_received", "sticky_rule_revoked")),
    Transition("message_received", State.Done, _MODEL),
    *_loops(State.Done, "run_summarised"),
    *_loops(State.Done, "sticky_rule_revoked"),  # else it would hold again after a message
    *(Transition("run_aborted", state, State.Aborted) for state in ACTIVE),
    *_loops(State.Aborted, *_OUTCOMES),  # of calls that were in flight when the run was given up
    *(row for state in (_MODEL, _TOOLS, State.Done) for row in _loops(state, "run_forked")),
    Transition("run_forked", _APPROVAL, _TOOLS),
    *(row for state in (_TOOLS, _APPROVAL) for row in _loops(state, "arguments_lost")),
    *(row for state in ENDED for row in _loops(state, "data_erased")),
    *(row for state in State for row in _loops(state, "chain_sealed")),
)
