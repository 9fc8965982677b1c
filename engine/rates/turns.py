"""One's turn at a model: waited for where its endpoint takes no more, counted, given back."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self, cast

from engine.core.workflow import ModelClient, ModelReply, ModelRequest
from engine.ports import Clock, Closeable
from engine.rates.gate import Entry, Gate
from engine.rates.limit import RateLimit


class Paced(Protocol):
    """A model that says how fast it may be asked, and which others are asked with it."""

    @property
    def rate(self) -> RateLimit:
        """What its endpoint takes."""
        ...

    @property
    def endpoint(self) -> Hashable:
        """The same for all that share one limit."""
        ...


class RateLimited:
    """A model that the engine asks no faster than a RateLimit says.

    It shares the limit with every other model of its endpoint in this process: of an
    OpenAIModel that is its address and name; of a model that tells none, it is the model
    itself. Who calls `complete` beside the engine does not wait.
    """

    def __init__(self, model: ModelClient, rate: RateLimit) -> None:
        """Take the model and the limit; one that the model has already holds, too."""
        self.model, self.rate = model, RateLimit.given(rate)
        self.endpoint: Hashable = _Itself(model)
        if paced := _paced(model):
            self.rate, self.endpoint = self.rate.stricter(paced.rate), paced.endpoint

    @property
    def name(self) -> str | None:
        """The model's name, where it has one."""
        return getattr(self.model, "name", None)

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See ModelClient."""
        return await self.model.complete(request)

    async def aclose(self) -> None:
        """Nothing; gives the model's connections back, if it holds some."""
        if isinstance(self.model, Closeable):
            await self.model.aclose()


@dataclass(frozen=True, slots=True)
class Turn:
    """The model, ours to ask once within this context; what came of it is told to who waits.

    Not so where it is `held`: then its endpoint is to be left alone until that time.
    """

    model: ModelClient
    gate: Gate | None = None
    entry: Entry | None = None
    held: datetime | None = None

    def __enter__(self) -> Self:
        """The turn, which has begun."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing; it is the next one's."""
        if self.gate and self.entry:
            self.gate.leave()

    @property
    def waited(self) -> bool:
        """Whether time has passed since we asked for it."""
        return self.entry is not None and self.entry.waited

    def settle(self, tokens: int) -> None:
        """Nothing; a reply came, and took so many tokens (0 where that was not told)."""
        if self.gate and self.entry:
            self.gate.settle(self.entry, tokens)

    def hold(self, until: datetime) -> None:
        """Nothing; the endpoint wants to be left alone until then, by everybody."""
        if self.gate:
            self.gate.hold(until)


async def turn_at(model: ModelClient, tokens: int, clock: Clock) -> Turn:
    """Our turn at the model, for about so many tokens, once it has come."""
    paced = _paced(model)
    if paced is None:
        return Turn(model)
    gate = _gate(paced, clock)
    entry = await gate.enter(tokens)
    if isinstance(entry, datetime):
        return Turn(model, held=entry)
    return Turn(_bare(model), gate, entry)


def _paced(model: ModelClient) -> Paced | None:
    """The model where it is Paced; asked before each call, and isinstance takes 15 µs for it."""
    is_paced = hasattr(model, "rate") and hasattr(model, "endpoint")
    return cast(Paced, model) if is_paced else None


_GATES: dict[tuple[Hashable, Hashable], Gate] = {}


def _gate(model: Paced, clock: Clock) -> Gate:
    whose = clock if isinstance(clock, Hashable) else id(clock)
    gate = _GATES.setdefault((whose, model.endpoint), Gate(clock))
    gate.narrow(model.rate)
    return gate


def _bare(model: ModelClient) -> ModelClient:
    """The model itself, which can do all that it can."""
    while isinstance(model, RateLimited):
        model = model.model
    return model


@dataclass(frozen=True, slots=True)
class _Itself:
    """A model that is its own endpoint."""

    model: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.model is other.model

    def __hash__(self) -> int:
        return id(self.model)
