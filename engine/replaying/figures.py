"""Figures of a run, and of many: what models, tools and people were asked for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import quantiles
from typing import Literal

from engine.core.messages import Usage
from engine.core.shape import Shape
from engine.core.states import ApprovalKind

# How an approval was closed; it is `given up` where no verdict came: its run was aborted, say.
Closing = Literal["granted", "edited", "denied", "answered", "expired", "given up"]


class ModelUse(Shape):
    """What one model said: replies, tokens, and their price in USD.

    `cost` is None where the price of any of its replies is unknown; that is also so where
    the model's name, or the number of its tokens, was not told.
    """

    model: str | None
    replies: int
    usage: Usage
    cost: Decimal | None


class ToolUse(Shape):
    """What became of the calls of one tool.

    `asked` is the sum of `returned`, `failed`, `decided`, `in_doubt` and `open`. Of the
    calls that are `decided`, a person (or a deadline) gave the result; those that are
    `open` have none yet, or none ever where the run was aborted; those `in_doubt` may have
    happened. `started` counts calls that were begun, `retried` their further starts;
    `failed` also has calls that were refused before they ran.
    """

    tool: str
    asked: int = 0
    started: int = 0
    retried: int = 0
    returned: int = 0
    failed: int = 0
    decided: int = 0
    in_doubt: int = 0
    open: int = 0


class ApprovalUse(Shape):
    """How many approvals were asked for, and how they were closed; `asked` is all the others' sum.

    `granted` are those as they were asked for, `edited` those with other arguments.
    """

    asked: int = 0
    granted: int = 0
    edited: int = 0
    denied: int = 0
    answered: int = 0
    expired: int = 0
    given_up: int = 0
    open: int = 0


class Asked(Shape):
    """One approval; `closed_at` and `closing` are None while it is open."""

    approval_id: str
    call_id: str
    kind: ApprovalKind
    tool: str
    asked_at: datetime
    closed_at: datetime | None = None
    closing: Closing | None = None

    @property
    def decided_in(self) -> float | None:
        """The seconds until it was decided, or expired; None where it was not."""
        if self.closed_at is None or self.closing == "given up":
            return None
        return span(self.asked_at, self.closed_at).total_seconds()


def p95(values: Sequence[float]) -> float:
    """The 95th percentile of at least one value."""
    return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else values[0]


def span(begin: datetime, end: datetime) -> timedelta:
    """The time between both; none where the clock was set back meanwhile."""
    return max(end - begin, timedelta())
