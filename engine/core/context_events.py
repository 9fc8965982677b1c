"""Facts about what a model is sent of its transcript."""

from typing import Literal

from engine.core.context_policy import StrategyName
from engine.core.spent import Spent


class ContextCompacted(Spent):
    """From now on the model is sent less of the transcript, which itself stays as it is.

    `strategies` say how. Messages from the place `start` on are sent, and of tool results
    before the place `noted` only how long they were; both count from 0, and the first two
    messages are always sent. `summary` is what a model said of what is left out. What is
    sent of the first `seen` messages comes to about `tokens`; it were `before`.
    """

    kind: Literal["context_compacted"] = "context_compacted"
    strategies: tuple[StrategyName, ...]
    start: int
    noted: int
    seen: int
    before: int
    tokens: int
    summary: str | None = None
