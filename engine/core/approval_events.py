"""Facts about approvals: asked for, decided, expired, told; and rules that outlast one of them."""

from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from engine.core.conditions import Conditions
from engine.core.demand import Demand
from engine.core.messages import Arguments
from engine.core.shape import Shape
from engine.core.states import ApprovalKind


class ApprovalRequested(Shape):
    """The run asks a person about one exact action, named by `digest`; `reason` says why.

    `demand` is what the policy demands, `notify` names whom to tell. `form` is the JSON
    Schema of the answer to a question.
    """

    kind: Literal["approval_requested"] = "approval_requested"
    approval_id: str
    approval_kind: ApprovalKind = "tool_call"
    call_id: str
    tool: str
    arguments: Arguments
    digest: str
    reason: str | None = None
    demand: Demand = Demand()
    expires_at: datetime | None = None
    remind_at: datetime | None = None
    notify: tuple[str, ...] = ()
    form: dict[str, JsonValue] | None = None


class ApprovalGranted(Shape):
    """A person allowed the action of `digest`.

    `arguments` are there where that person changed them; then `digest` is that of the
    changed action, and `demand` what has to be met for it.
    """

    kind: Literal["approval_granted"] = "approval_granted"
    approval_id: str
    call_id: str
    digest: str
    by: str
    note: str | None = None
    arguments: Arguments | None = None
    demand: Demand | None = None


class ApprovalDenied(Shape):
    """A person refused the action; the model reads `reason`."""

    kind: Literal["approval_denied"] = "approval_denied"
    approval_id: str
    call_id: str
    digest: str
    by: str
    reason: str | None = None
    note: str | None = None


class ApprovalAnswered(Shape):
    """A person says what came of the call; the model reads `content` as its result."""

    kind: Literal["approval_answered"] = "approval_answered"
    approval_id: str
    call_id: str
    digest: str
    by: str
    content: str
    note: str | None = None


class ApprovalExpired(Shape):
    """Nobody decided until the deadline. Where it is escalated, `role` has until `expires_at`."""

    kind: Literal["approval_expired"] = "approval_expired"
    approval_id: str
    call_id: str
    digest: str
    outcome: Literal["denied", "aborted", "escalated"]
    role: str | None = None
    expires_at: datetime | None = None


class ApprovalReminded(Shape):
    """An approval has been open for a while, and is told again."""

    kind: Literal["approval_reminded"] = "approval_reminded"
    approval_id: str
    call_id: str


class ApprovalNotified(Shape):
    """An approval was handed to a notifier."""

    kind: Literal["approval_notified"] = "approval_notified"
    approval_id: str
    call_id: str
    notifier: str


class NotificationFailed(Shape):
    """A notifier could not be told; it is tried again at `retry_at`, if at all."""

    kind: Literal["notification_failed"] = "notification_failed"
    approval_id: str
    call_id: str
    notifier: str
    error: str
    attempt: int
    retry_at: datetime | None = None


class StickyRuleAdded(Shape):
    """A person allows a tool beforehand in this run, while `when` holds of its arguments.

    It holds for this schema, and for this demand of the policy, alone.
    """

    kind: Literal["sticky_rule_added"] = "sticky_rule_added"
    rule_id: str
    tool: str
    when: Conditions
    schema_digest: str
    terms: str
    by: str


class StickyRuleRevoked(Shape):
    """A person took a sticky rule back."""

    kind: Literal["sticky_rule_revoked"] = "sticky_rule_revoked"
    rule_id: str
    by: str


ApprovalEvent = (
    ApprovalRequested
    | ApprovalGranted
    | ApprovalDenied
    | ApprovalAnswered
    | ApprovalExpired
    | ApprovalReminded
    | ApprovalNotified
    | NotificationFailed
)
