"""One's turn at a model: waited for where its endpoint takes no more, counted, given back."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from engine.core.workflow import ModelClient, ModelReply, ModelRequest
from engine.ports import Clock, Closeable
from engine.rates.gate import Entry, Gate
from engine.rates.limit import RateLimit


@runtime_checkable
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
        if isinstance(model, Paced):
            self.rate, self.endpoint = self.rate.stricter(model.rate), model.endpoint

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
    """The model, ours to ask once; what came of it is told to those who wait.

    Not so where it is `held`: then its endpoint is to be left alone until that time.
    """

    model: ModelClient
    gate: Gate | None = None
    entry: Entry | None = None
    held: datetime | None = None

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


@asynccontextmanager
async def turn_at(model: ModelClient, tokens: int, clock: Clock) -> AsyncIterator[Turn]:
    """A context in which the model may be asked once, for about so many tokens."""
    if not isinstance(model, Paced):
        yield Turn(model)
        return
    gate = _gate(model, clock)
    entry = await gate.enter(tokens)
    if isinstance(entry, datetime):
        yield Turn(model, held=entry)
        return
    try:
        yield Turn(_bare(model), gate, entry)
    finally:
        gate.leave()


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
