"""What an endpoint takes, as an author declares it."""

from typing import Annotated

from pydantic import Field, ValidationError

from engine.core.shape import Shape
from engine.errors import DefinitionError

_Count = Annotated[int, Field(strict=True, le=10**12)]


class RateLimit(Shape):
    """How fast one endpoint may be asked by all runs of a process; None is no bound.

    `max_concurrent` requests are under way at once, `requests_per_minute` begin in any 60
    seconds. `tokens_per_minute` flow back evenly; so many may be spent at once after a rest.
    """

    max_concurrent: _Count | None = None
    requests_per_minute: _Count | None = None
    tokens_per_minute: _Count | None = None

    def __init__(self, **bounds: int | None) -> None:
        """Take the bounds by name; raises DefinitionError for one below 1 or unknown."""
        try:
            super().__init__(**bounds)
        except ValidationError as error:
            fault = error.errors()[0]
            raise DefinitionError(f"rate: {fault['loc'][0]}: {fault['msg']}") from error
        for name, bound in self:
            if bound is not None and bound < 1:
                raise DefinitionError(f"rate: {name} must be at least 1, not {bound}")

    @classmethod
    def given(cls, rate: object) -> "RateLimit":
        """That limit, or one without bounds for None; raises DefinitionError for what is none."""
        if rate is None:
            return cls()
        if not isinstance(rate, cls):
            raise DefinitionError(f"rate: {rate!r} is no RateLimit")
        return rate

    def stricter(self, other: "RateLimit") -> "RateLimit":
        """Of each bound the narrower one."""
        both = {name: (bound, getattr(other, name)) for name, bound in self}
        narrow = {
            name: min((one for one in pair if one is not None), default=None)
            for name, pair in both.items()
        }
        return RateLimit(**narrow)
