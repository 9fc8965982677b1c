"""How much a model is sent at once, and what is left out where that is too little."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from engine.core.shape import Shape
from engine.errors import DefinitionError

LEAST = 500  # tokens, with which no agent comes far
KNOWN = "keep_last(n), drop_old_results, summarise"


StrategyName = Literal["keep_last", "drop_old_results", "summarise"]


class KeepLast(Shape):
    """The newest `turns` turns are sent; of what is between them and the first message, a note."""

    kind: Literal["keep_last"] = "keep_last"
    turns: int = Field(ge=1, strict=True)


class DropOldResults(Shape):
    """Old tool results become a note of how long they were; the newest `turns` turns keep theirs.

    The oldest go first, until what is sent is half of what it may be.
    """

    kind: Literal["drop_old_results"] = "drop_old_results"
    turns: int = Field(default=1, ge=1, strict=True)


class Summarise(Shape):
    """The model sums up what is before the newest `turns` turns; its summary is sent instead."""

    kind: Literal["summarise"] = "summarise"
    turns: int = Field(default=2, ge=1, strict=True)


Strategy = KeepLast | DropOldResults | Summarise

drop_old_results = DropOldResults()
summarise = Summarise()


def keep_last(n: int) -> KeepLast:
    """The strategy that keeps the newest `n` turns; DefinitionError for `n` below 1."""
    try:
        return KeepLast(turns=n)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise DefinitionError(f"context: keep_last: n: {fault['msg']}, not {n!r}") from None


DEFAULT: tuple[Strategy, ...] = (drop_old_results, keep_last(20))


class Context(Shape):
    """How much of its transcript a model is sent with each request.

    `max_tokens` is the most, instructions and tools with it; without it three quarters of
    the model's window are, where that is known, else 32,000 tokens. Where a request would be
    longer, the `strategies` are tried in their order until it fits. The journal keeps all.
    """

    max_tokens: int | None = None
    strategies: tuple[Strategy, ...] = DEFAULT

    def __init__(
        self, max_tokens: int | None = None, strategies: Sequence[Strategy] = DEFAULT
    ) -> None:
        """Take the budget and what to do; DefinitionError for a small one, or no strategy."""
        if max_tokens is not None and (type(max_tokens) is not int or max_tokens < LEAST):
            raise DefinitionError(
                f"context: max_tokens must be a number of at least {LEAST}, not {max_tokens!r}"
            )
        if not isinstance(strategies, list | tuple):
            raise DefinitionError(f"context: strategies must be a list, not {strategies!r}")
        for one in strategies:
            if not isinstance(one, Strategy):
                raise DefinitionError(f"context: strategies: {one!r} is none; there are {KNOWN}")
        told: dict[str, object] = {"max_tokens": max_tokens, "strategies": tuple(strategies)}
        super().__init__(**told)

    @property
    def declared(self) -> dict[str, JsonValue]:
        """What of it makes the workflow another one: what is not a default."""
        said: dict[str, JsonValue] = {}
        if self.max_tokens is not None:
            said["max_tokens"] = self.max_tokens
        if self.strategies != DEFAULT:
            said["strategies"] = [one.model_dump(mode="json") for one in self.strategies]
        return said
