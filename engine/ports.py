"""The outside, as a few small protocols, and the rows that a store keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from engine.core.states import State

if TYPE_CHECKING:
    from engine.core.workflow import ModelClient

__all__ = ["Append", "Clock", "Closeable", "Entry", "Head", "Logger", "ModelClient", "Store"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal: `at` in microseconds since 1970 UTC, `digest` 32 bytes."""

    seq: int
    at: int
    kind: str
    data: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """A run's own row: where it is, its checkpoint, and up to which seq it was logged."""

    run_id: str
    workflow: str
    state: State
    seq: int
    logged: int
    checkpoint: bytes


@dataclass(frozen=True, slots=True)
class Append:
    """What one commit adds to a run: the entries after `expected`, and the row as it then is."""

    expected: int
    entries: tuple[Entry, ...]
    head: Head


class Store(Protocol):
    """Journals and their checkpoints. What `append` has returned from is durable."""

    async def append(self, addition: Append) -> None:
        """Nothing, once it is durable.

        Raises ConflictError, and changes nothing, where the run's newest seq is not
        `addition.expected` (0: there is no such run).
        """
        ...

    async def entries(self, run_id: str) -> Sequence[Entry]:
        """The run's journal, oldest first; empty where there is no such run."""
        ...

    async def head(self, run_id: str) -> Head | None:
        """The run's row, or None."""
        ...

    async def heads(
        self,
        *,
        state: State | None = None,
        workflow: str | None = None,
        limit: int,
        after: str | None = None,
    ) -> Sequence[Head]:
        """At most `limit` rows, the newest run first, of those begun before the run `after`."""
        ...

    async def mark_logged(self, run_id: str, seq: int) -> None:
        """Nothing; remembers that the run was logged up to `seq`. Need not outlive a power cut."""
        ...

    async def close(self) -> None:
        """Nothing; the store can no longer be used."""
        ...


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Nothing, once it is `at`."""
        ...


class Logger(Protocol):
    """The one thing the engine asks of a structlog logger."""

    def info(self, event: str, **fields: object) -> object:
        """Anything; writes one line."""
        ...


@runtime_checkable
class Closeable(Protocol):
    """Something that holds connections."""

    async def aclose(self) -> None:
        """Nothing; gives the connections back."""
        ...
