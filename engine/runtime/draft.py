"""A run in hand: its durable past, and the events that wait for the next commit."""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Self

from engine.codec.checkpoints import encode_checkpoint
from engine.codec.events import GENESIS, chain, decode_event, encode_event, from_ticks, ticks
from engine.core.events import Event, Recorded
from engine.core.evolve import evolve
from engine.core.ready import ready_at
from engine.core.run import Run
from engine.core.states import State
from engine.errors import CorruptRunError, EngineError
from engine.ports import Append, Entry, Head, Lease


@dataclass(frozen=True, slots=True)
class Line:
    """One transition as the log tells it."""

    run_id: str
    workflow: str
    source: State | None
    dest: State
    entry: Entry


@dataclass(slots=True)
class Draft:
    """A run being moved on, under the lease that the store knows.

    `lines` are the transitions that the log has not been told yet; the newest
    `len(staged)` of them are not durable yet either. `outcomes` are those of the
    staged events that tell what happened outside, with how many messages there were then.
    """

    run: Run | None = None
    digest: bytes = GENESIS
    lease: Lease = field(default_factory=Lease)
    staged: list[Entry] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    outcomes: list[tuple[Event, int]] = field(default_factory=list)

    @property
    def live(self) -> Run:
        """The run, which has been started."""
        if self.run is None:
            raise EngineError("the run has not been started")
        return self.run

    @property
    def logged(self) -> int:
        """Up to which seq the log has been told."""
        return self.lines[0].entry.seq - 1 if self.lines else self.live.seq

    def record(self, events: tuple[Event, ...], now: datetime) -> None:
        """Move the run on by `events`, guarded by the machine, for the next commit to keep."""
        for event in events:
            entry = Entry(
                seq=self.run.seq + 1 if self.run else 1,
                at=ticks(now),
                kind=event.kind,
                data=encode_event(event),
                digest=b"",
            )
            self.staged.append(self._take(event, entry))

    def report(self, outcome: Event, now: datetime) -> None:
        """Record what happened outside, which must be kept whatever else becomes of the run."""
        seen = len(self.live.messages)
        self.record((outcome,), now)
        self.outcomes.append((outcome, seen))

    def copy(self) -> Self:
        """The run as it now is, for `become`."""
        return replace(self, staged=[*self.staged], lines=[*self.lines], outcomes=[*self.outcomes])

    def become(self, other: Self) -> None:
        """Forget what was staged, and be the run as `other` has it."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))

    def addition(self) -> Append:
        """What the next commit writes."""
        run = self.live
        ready = ready_at(run)
        head = Head(
            run_id=run.id,
            workflow=run.workflow,
            state=run.state,
            seq=run.seq,
            logged=self.logged,
            checkpoint=encode_checkpoint(run.checkpoint()),
            ready_at=None if ready is None else ticks(ready),
            lease=self.lease,
        )
        return Append(expected=run.seq - len(self.staged), entries=tuple(self.staged), head=head)

    def replay(self, entry: Entry, run_id: str) -> Recorded:
        """Move the run on by one journalled entry; the entry as a recorded event.

        Raises CorruptRunError where it does not follow from what stands before it,
        RunTooNewError where a newer program wrote it.
        """
        follows = chain(self.digest, run_id, entry.seq, entry.at, entry.kind, entry.data)
        if follows != entry.digest:
            raise CorruptRunError("its digest does not follow from what stands before it")
        event = decode_event(entry.kind, entry.data)
        self._take(event, entry)
        if self.live.id != run_id:
            raise CorruptRunError(f"it belongs to run {self.live.id}")
        return Recorded(seq=entry.seq, at=from_ticks(entry.at), event=event)

    def _take(self, event: Event, entry: Entry) -> Entry:
        source = self.run.state if self.run else None
        recorded = Recorded(seq=entry.seq, at=from_ticks(entry.at), event=event)
        self.run = evolve(self.run, recorded)
        self.digest = entry.digest or chain(
            self.digest, self.run.id, entry.seq, entry.at, entry.kind, entry.data
        )
        taken = replace(entry, digest=self.digest)
        self.lines.append(Line(self.run.id, self.run.workflow, source, self.run.state, taken))
        return taken
