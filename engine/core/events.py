"""Frozen facts, in the past tense. An event's `kind` is the machine's trigger."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from engine.core.messages import Arguments, Message, Usage
from engine.core.shape import Shape
from engine.core.states import ApprovalKind, Repeats


class RunStarted(Shape):
    """A person gave a workflow its first message."""

    kind: Literal["run_started"] = "run_started"
    run_id: str
    workflow: str
    instructions: str
    message: str
    definition: str
    tools: dict[str, str]
    by: str | None = None


class WorkflowChanged(Shape):
    """The run goes on under a workflow that is declared otherwise than the one before.

    `definition` is its digest, `tools` has the digest of each tool's schema.
    """

    kind: Literal["workflow_changed"] = "workflow_changed"
    definition: str
    tools: dict[str, str]


class _ModelReplied(Shape):
    message: Message
    usage: Usage = Usage()
    model: str | None = None
    request_id: str | None = None


class ToolsRequested(_ModelReplied):
    """The model asked for tools. The ids of the calls in `message` are ours."""

    kind: Literal["tools_requested"] = "tools_requested"


class ModelAnswered(_ModelReplied):
    """The model gave its answer."""

    kind: Literal["model_answered"] = "model_answered"


class ModelFailed(Shape):
    """A try at the model came to nothing; the next one may begin at `retry_at`."""

    kind: Literal["model_failed"] = "model_failed"
    error: str
    attempt: int
    retry_at: datetime


class ToolStarted(Shape):
    """The intent: this tool is about to run with exactly these arguments.

    `epoch` is the lease of the driver that starts it, `repeats` why it may be repeated unasked.
    """

    kind: Literal["tool_started"] = "tool_started"
    call_id: str
    tool: str
    arguments: Arguments
    attempt: int = 1
    idempotency_key: str
    approval_id: str | None = None
    epoch: int = 0
    repeats: Repeats | None = None


class ToolReturned(Shape):
    """The tool ran to its end; `content` is the text that the model reads.

    `reconciled` where that was looked up later, as the result itself was lost.
    """

    kind: Literal["tool_returned"] = "tool_returned"
    call_id: str
    content: str
    reconciled: bool = False


class ToolFailed(Shape):
    """The call was refused before it ran, or the tool raised; the model reads `error`."""

    kind: Literal["tool_failed"] = "tool_failed"
    call_id: str
    error: str


class ToolNotExecuted(Shape):
    """It is certain that this attempt did nothing; another may be made from `retry_at` on.

    `reconciled` where a look-up says so, of all the attempts until then.
    """

    kind: Literal["tool_not_executed"] = "tool_not_executed"
    call_id: str
    error: str
    retry_at: datetime
    reconciled: bool = False


class ToolInterrupted(Shape):
    """The call broke off, and it is not known whether it happened.

    A tool that may be repeated can be started again from `retry_at` on.
    """

    kind: Literal["tool_interrupted"] = "tool_interrupted"
    call_id: str
    error: str
    retry_at: datetime


class ReconcileFailed(Shape):
    """It could not be looked up whether a call in doubt happened."""

    kind: Literal["reconcile_failed"] = "reconcile_failed"
    call_id: str
    error: str


class ToolsSettled(Shape):
    """Every call of the turn has its result."""

    kind: Literal["tools_settled"] = "tools_settled"


class ApprovalRequested(Shape):
    """The run asks a person about one exact action, named by `digest`; `reason` says why."""

    kind: Literal["approval_requested"] = "approval_requested"
    approval_id: str
    approval_kind: ApprovalKind = "tool_call"
    call_id: str
    tool: str
    arguments: Arguments
    digest: str
    reason: str | None = None


class ApprovalGranted(Shape):
    """A person allowed the action of `digest`."""

    kind: Literal["approval_granted"] = "approval_granted"
    approval_id: str
    call_id: str
    digest: str
    by: str
    note: str | None = None


class ApprovalDenied(Shape):
    """A person refused the action; the model reads `reason`."""

    kind: Literal["approval_denied"] = "approval_denied"
    approval_id: str
    call_id: str
    digest: str
    by: str
    reason: str | None = None


class ApprovalAnswered(Shape):
    """A person says what came of the call; the model reads `content` as its result."""

    kind: Literal["approval_answered"] = "approval_answered"
    approval_id: str
    call_id: str
    digest: str
    by: str
    content: str
    note: str | None = None


class ApprovalsSettled(Shape):
    """Nothing is left to ask a person."""

    kind: Literal["approvals_settled"] = "approvals_settled"


class RunAborted(Shape):
    """The run was given up: by a person (`by`), at a limit (`limit`), or for a dead end.

    `found` is what the run had come to until then.
    """

    kind: Literal["run_aborted"] = "run_aborted"
    reason: str
    by: str | None = None
    limit: str | None = None
    found: str | None = None


CallEvent = (
    ToolStarted
    | ToolReturned
    | ToolFailed
    | ToolNotExecuted
    | ToolInterrupted
    | ReconcileFailed
    | ApprovalRequested
    | ApprovalGranted
    | ApprovalDenied
    | ApprovalAnswered
)

Event = Annotated[
    RunStarted
    | WorkflowChanged
    | ToolsRequested
    | ModelAnswered
    | ModelFailed
    | CallEvent
    | ToolsSettled
    | ApprovalsSettled
    | RunAborted,
    Field(discriminator="kind"),
]


class Recorded(Shape):
    """An event with its place and time in the journal; the first `seq` is 1."""

    seq: int
    at: datetime
    event: Event
