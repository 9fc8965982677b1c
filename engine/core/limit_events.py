"""Facts about a run's bounds: reached, raised; and loops that were noticed."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from engine.core.limits import Bound
from engine.core.shape import Shape


class LimitReached(Shape):
    """A bound is reached: the model gives its last answer, without tools. It reads `words`."""

    kind: Literal["limit_reached"] = "limit_reached"
    limit: str
    words: str


class LoopNoticed(Shape):
    """The model asks for the same again and again, and gets the same; it reads `words`."""

    kind: Literal["loop_noticed"] = "loop_noticed"
    words: str


class LimitsRaised(Shape):
    """A person (`by`) added to bounds, by name: so many turns, calls, tokens, USD, seconds.

    `approval_id` names the question that this answers, where there was one.
    """

    kind: Literal["limits_raised"] = "limits_raised"
    raised: Mapping[Bound, Decimal]
    by: str
    approval_id: str | None = None
    note: str | None = None


LimitEvent = LimitReached | LoopNoticed | LimitsRaised
