"""Frozen facts, in the past tense. An event's `kind` is the machine's trigger."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from engine.core.approval_events import (
    ApprovalAnswered,
    ApprovalDenied,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalGranted,
    ApprovalNotified,
    ApprovalReminded,
    ApprovalRequested,
    NotificationFailed,
    StickyRuleAdded,
    StickyRuleRevoked,
)
from engine.core.context_events import ContextCompacted
from engine.core.journal_events import (
    ArgumentsLost,
    ChainSealed,
    DataErased,
    JournalEvent,
    RunForked,
)
from engine.core.limit_events import LimitEvent, LimitReached, LimitsRaised, LoopNoticed
from engine.core.memory_events import RunSummarised
from engine.core.messages import Arguments, Message
from engine.core.shape import Shape
from engine.core.spent import Spent
from engine.core.states import Repeats

__all__ = [
    "AnswerSuperseded",
    "ApprovalAnswered",
    "ApprovalDenied",
    "ApprovalEvent",
    "ApprovalExpired",
    "ApprovalGranted",
    "ApprovalNotified",
    "ApprovalReminded",
    "ApprovalRequested",
    "ApprovalsSettled",
    "ArgumentsLost",
    "CallEvent",
    "ChainSealed",
    "ContextCompacted",
    "DataErased",
    "Event",
    "JournalEvent",
    "LimitEvent",
    "LimitReached",
    "LimitsRaised",
    "LoopNoticed",
    "MessageReceived",
    "ModelAnswered",
    "ModelFailed",
    "NotificationFailed",
    "ReconcileFailed",
    "Recorded",
    "RunAborted",
    "RunForked",
    "RunStarted",
    "RunSummarised",
    "StickyRuleAdded",
    "StickyRuleRevoked",
    "ToolFailed",
    "ToolInterrupted",
    "ToolNotExecuted",
    "ToolReturned",
    "ToolStarted",
    "ToolsRequested",
    "ToolsSettled",
    "WorkflowChanged",
]


class RunStarted(Shape):
    """A person gave a workflow its first message.

    `customer` is whom the run is about. `secrets` has, by the tool's name, the parameters
    that are secret; `redact` the keys whose values are, wherever they stand. `known` is what
    was remembered from before, as the model reads it.
    """

    kind: Literal["run_started"] = "run_started"
    run_id: str
    workflow: str
    instructions: str
    message: str
    definition: str
    tools: dict[str, str]
    by: str | None = None
    customer: str | None = None
    secrets: Mapping[str, tuple[str, ...]] = {}
    redact: tuple[str, ...] = ()
    known: str | None = None


class WorkflowChanged(Shape):
    """The run goes on under a workflow that is declared otherwise than the one before.

    `definition` is its digest, `tools` has the digest of each tool's schema.
    """

    kind: Literal["workflow_changed"] = "workflow_changed"
    definition: str
    tools: dict[str, str]
    secrets: Mapping[str, tuple[str, ...]] = {}
    redact: tuple[str, ...] = ()


class _ModelReplied(Spent):
    """`seen` is how many messages of the transcript it answers; None: all there were."""

    message: Message
    request_id: str | None = None
    seen: int | None = None


class ToolsRequested(_ModelReplied):
    """The model asked for tools. The ids of the calls in `message` are ours."""

    kind: Literal["tools_requested"] = "tools_requested"


class ModelAnswered(_ModelReplied):
    """The model gave its answer. With `sums_up` a summary of the run is to follow."""

    kind: Literal["model_answered"] = "model_answered"
    sums_up: bool = False


class AnswerSuperseded(_ModelReplied):
    """The model gave an answer, and a newer message had come meanwhile."""

    kind: Literal["answer_superseded"] = "answer_superseded"


class ModelFailed(Spent):
    """A try at the model came to nothing; the next one may begin at `retry_at`.

    With `overflow` what it was sent, or what it had to say, was too long. The latter is
    `cut`, and `found` is what it had said until then.
    """

    kind: Literal["model_failed"] = "model_failed"
    error: str
    attempt: int
    retry_at: datetime
    overflow: bool = False
    cut: bool = False
    found: str | None = None


class ToolStarted(Shape):
    """The intent: this tool is about to run with exactly these arguments.

    `epoch` is the lease of the driver that starts it, `repeats` why it may be repeated unasked.
    `approval_id` names the approval, or the sticky rule, that allows it; `audit` the policy
    under which it is to be reviewed afterwards.
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
    audit: str | None = None


class ToolReturned(Shape):
    """The tool ran to its end; `content` is the text that the model reads.

    It is shown the first `shown` characters, or all of them (None). `reconciled` where that
    was looked up later, as the result itself was lost.
    """

    kind: Literal["tool_returned"] = "tool_returned"
    call_id: str
    content: str
    reconciled: bool = False
    shown: int | None = None


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


class MessageReceived(Shape):
    """The customer wrote again."""

    kind: Literal["message_received"] = "message_received"
    message: str
    by: str | None = None


class ApprovalsSettled(Shape):
    """Nothing is left to ask a person."""

    kind: Literal["approvals_settled"] = "approvals_settled"


class RunAborted(Spent):
    """The run was given up: by a person (`by`), at a limit (`limit`), or for a dead end.

    `found` is what the run had come to until then; what it took is that of a reply's.
    """

    kind: Literal["run_aborted"] = "run_aborted"
    reason: str
    by: str | None = None
    limit: str | None = None
    found: str | None = None


CallEvent = (
    ToolStarted | ToolReturned | ToolFailed | ToolNotExecuted | ToolInterrupted | ReconcileFailed
)

Event = Annotated[
    RunStarted
    | WorkflowChanged
    | ToolsRequested
    | ModelAnswered
    | AnswerSuperseded
    | ModelFailed
    | ContextCompacted
    | CallEvent
    | ApprovalEvent
    | StickyRuleAdded
    | StickyRuleRevoked
    | MessageReceived
    | ToolsSettled
    | ApprovalsSettled
    | RunAborted
    | LimitEvent
    | RunSummarised
    | JournalEvent,
    Field(discriminator="kind"),
]


class Recorded(Shape):
    """An event with its place and time in the journal; the first `seq` is 1."""

    seq: int
    at: datetime
    event: Event
