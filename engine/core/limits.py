"""The bounds of one run, as its workflow's author declares them and people raise them."""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated, Literal, get_args

from pydantic import Field, JsonValue, ValidationError

from engine.core.shape import Shape
from engine.errors import DefinitionError

OnLimit = Literal["abort", "ask", "answer"]
# What people may add to.
Bound = Literal[
    "max_turns",
    "max_attempts",
    "max_tool_calls",
    "max_tokens",
    "max_cost_usd",
    "max_seconds",
    "max_age",
    "max_repeats",
    "context",
]
RAISABLE: tuple[Bound, ...] = get_args(Bound)
_OF_REQUESTS: tuple[Bound, ...] = ("context",)  # declared by Context, not here
IN_PARTS: tuple[Bound, ...] = ("max_cost_usd", "max_seconds", "max_age")  # may be below 1

_MOST = 10**15  # what is said may be written down, and counted on from
_Count = Annotated[int, Field(strict=True, le=_MOST)]
_Seconds = Annotated[float, Field(strict=True, le=_MOST)]
_ALWAYS_KEPT = ("max_result_chars", "max_parallel_tools")  # no run comes to an end at these
# What every release has counted into a workflow's definition, whatever it is.
_ALWAYS_DECLARED = ("max_turns", "max_attempts")


class Limits(Shape):
    """The bounds of one run, over the whole of its life.

    `max_attempts` counts tries at the model within one turn, and starts of one call.
    `max_tokens` and `max_cost_usd` are of all replies; `max_seconds` is how long models
    and tools worked, `max_age` how long ago the run began, both in seconds; unless one is
    set, a run may wait for people as long as it takes. `max_repeats` is how often in a row
    the same calls may give the same results. `on_limit` says what comes of a run that
    has reached one: it is aborted, a person is asked, or the model gives a last answer
    without tools. Of one result the model is shown `max_result_chars` characters at most,
    and of the calls of a turn `max_parallel_tools` run at once.
    """

    max_turns: _Count = 12
    max_attempts: _Count = 5
    max_tool_calls: _Count = 50
    max_tokens: _Count = 500_000
    max_cost_usd: Annotated[Decimal, Field(le=_MOST)] | None = None
    max_seconds: _Seconds = 3600
    max_age: _Seconds | None = None
    max_repeats: _Count = 3
    max_result_chars: _Count = 20_000
    max_parallel_tools: _Count = 8
    on_limit: OnLimit = "abort"

    def __init__(self, **bounds: float | Decimal | str | None) -> None:
        """Take the bounds by name; raises DefinitionError for one below 1 or unknown."""
        try:
            super().__init__(**bounds)
        except ValidationError as error:
            fault = error.errors()[0]
            name = str(fault["loc"][0])
            near = get_close_matches(name, type(self).model_fields, n=1)
            words = fault["msg"] if name in near or not near else f"is {near[0]} meant?"
            raise DefinitionError(f"limits: {name}: {words}") from error
        for name in (*RAISABLE, *_ALWAYS_KEPT):
            bound = getattr(self, name, None)
            if bound is not None and bound < 1 and name not in IN_PARTS:
                raise DefinitionError(f"limits: {name} must be at least 1, not {bound}")
            if bound is not None and bound <= 0:
                raise DefinitionError(f"limits: {name} must be above 0, not {bound}")

    def raised(self, raises: Mapping[Bound, Decimal]) -> "Limits":
        """These bounds, with what people added to some of them, by name."""
        if not raises:
            return self
        now = {name: getattr(self, name) for name in raises if name not in _OF_REQUESTS}
        more: dict[str, object] = {
            name: type(bound)(bound + type(bound)(raises[name]))
            for name, bound in now.items()
            if bound is not None
        }
        return self.model_copy(update=more)

    @property
    def declared(self) -> dict[str, JsonValue]:
        """What of them makes the workflow another one: the first two, and what is not a default."""
        said: dict[str, JsonValue] = self.model_dump(mode="json", exclude_defaults=True)
        return {name: getattr(self, name) for name in _ALWAYS_DECLARED} | said
