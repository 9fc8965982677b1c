"""The outside, as a few small protocols, and the rows that a store keeps."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

from engine.core.states import State
from engine.remembering import NOTHING, MemoryChange

if TYPE_CHECKING:
    from engine.core.context import Transaction
    from engine.core.workflow import ModelClient as ModelClient  # noqa: PLC0414 # a port, too


class Entry(NamedTuple):
    """One row of the journal: `at` in microseconds since 1970 UTC, `digest` 32 bytes.

    `key` is the id of the audit key of its digest, "" where that is a plain one. Where
    something of the event was masked or erased, `digest` is that of the event as it was,
    and `cover` (32 bytes) binds to it the `data` that is left.
    """

    seq: int
    at: int
    kind: str
    data: bytes
    digest: bytes
    key: str = ""
    cover: bytes = b""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may drive a run: nobody, where `owner` is empty.

    `epoch` counts the drivers that the run has had; `expires` is in microseconds since 1970 UTC.
    """

    owner: str = ""
    epoch: int = 0
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """A run's own row: where it is, its checkpoint, and up to which seq it was logged.

    `state` is text, as a damaged row may hold anything. `ready_at`, in microseconds
    since 1970 UTC, is from when on there is something to drive; None while there is
    not. `tries` counts the drivers that took the run up since it last moved.
    """

    run_id: str
    workflow: str
    state: str
    seq: int
    logged: int
    checkpoint: bytes
    ready_at: int | None = None
    lease: Lease = Lease()
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Append:
    """What one commit adds to a run: the entries after `expected`, and the row as it then is.

    The lease in `head` is the one that the writer knows; it becomes the row's own
    only with the run's first entries. `replaced` are older entries, each the same event under
    the same digest, of which less is left; these alone may change what was written once.
    `memory` is kept, or not, together with the entries.
    """

    expected: int
    entries: tuple[Entry, ...]
    head: Head
    replaced: tuple[Entry, ...] = ()
    memory: MemoryChange = NOTHING


@dataclass(frozen=True, slots=True)
class Archived:
    """What is left of a run that was moved to the file `place`: its newest seq and digest then.

    `at` is when it was moved, in microseconds since 1970 UTC.
    """

    run_id: str
    workflow: str
    state: str
    seq: int
    digest: bytes
    at: int
    place: str

    def is_in(self, entries: Iterable[Entry]) -> bool:
        """Whether the event that was its newest one is among these."""
        return any((one.seq, one.digest) == (self.seq, self.digest) for one in entries)


class Store(Protocol):
    """Journals and their checkpoints. What `append` has returned from is durable.

    Leases and marks need not outlive a power cut: no driver outlives it either.
    """

    async def append(self, addition: Append) -> None:
        """Nothing, once it is durable.

        Raises ConflictError, and changes nothing, where the run's newest seq is not
        `addition.expected` (0: there is no such run), or its epoch is another; and where an
        entry to replace is not there. A run that was archived can only be put back whole:
        with the event that was its newest one.
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

    async def waiting(
        self, *, workflow: str | None = None, limit: int, after: str | None = None
    ) -> Sequence[Head]:
        """At most `limit` rows in AwaitingApproval, the oldest first, begun after `after`."""
        ...

    async def ready(
        self, *, now: int, workflows: Sequence[str], tries: int, limit: int
    ) -> Sequence[Head]:
        """At most `limit` rows that nobody drives and that are ready `now`, the oldest first.

        Only of these workflows, and only those taken up fewer than `tries` times in vain.
        """
        ...

    async def leased(self) -> Sequence[Head]:
        """The rows that somebody drives, or drove when it died."""
        ...

    async def owed(self, limit: int) -> Sequence[Head]:
        """At most `limit` rows that nobody drives and whose log lines are not all written."""
        ...

    async def claim(self, run_id: str, seen: Lease, lease: Lease) -> bool:
        """Whether `lease` has taken the place of `seen`, which nobody changed meanwhile."""
        ...

    async def renew(self, owner: str, expires: int) -> None:
        """Nothing; every lease of `owner` now lasts until `expires`."""
        ...

    async def release(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        """Nothing; ends the lease, if it is the run's. `moved` where it was not held in vain."""
        ...

    async def mark_logged(self, run_id: str, seq: int) -> None:
        """Nothing; remembers that the run was logged up to `seq`."""
        ...

    async def archive(self, row: Archived) -> None:
        """Nothing, once the run is gone and `row` is what is left of it, durably.

        Raises ConflictError, and changes nothing, where its newest event is another.
        """
        ...

    async def rearchive(self, seen: Archived, row: Archived) -> None:
        """Nothing, once `row` has taken the place of `seen`; ConflictError where that changed."""
        ...

    async def archived(self, run_id: str) -> Archived | None:
        """What is left of the run, if it was archived."""
        ...

    async def archives(
        self, *, limit: int, after: Archived | None = None, place: str | None = None
    ) -> Sequence[Archived]:
        """At most `limit` rows of archived runs, by place and run; those in `place`, if given."""
        ...

    async def tidy(self) -> bool:
        """Whether its files hold no trace of what was removed, and have given free room back.

        False where that could not be done now, as somebody else was reading them.
        """
        ...

    async def close(self) -> None:
        """Nothing; the store can no longer be used."""
        ...


@runtime_checkable
class Transactional(Protocol):
    """A store in whose transactions a tool can write."""

    async def transact(self, work: "Callable[[Transaction], Append]") -> None:
        """Nothing, once all that `work` wrote is durable together with what it says to append.

        Raises as Store.append, and then nothing was written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """How a store is: sizes in bytes, and how many runs there are of each kind.

    `owed` have log lines to come, `ready` can be driven and are not, `waiting` need a
    person; `most_tries` is how often one of the ready ones was taken up in vain.
    """

    where: str
    sqlite: str
    schema: int
    journal_mode: str
    sync_mode: str
    size: int
    free: int
    owed: int
    ready: int
    waiting: int
    most_tries: int


@runtime_checkable
class Checkable(Protocol):
    """A store that can look at itself as a whole."""

    async def health(self, now: int) -> Health:
        """How it is at `now`, in microseconds since 1970 UTC."""
        ...

    async def faults(self) -> Sequence[str]:
        """What is wrong with the store itself, or with rows that belong to no run."""
        ...


class Clock(Protocol):
    """The time."""

    def now(self) -> datetime:
        """The time now, in UTC; it may be set back or on."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never set back or on."""
        ...

    async def sleep_until(self, at: datetime) -> None:
        """Nothing, once it is `at`."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Nothing, after so many seconds."""
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
