"""A run in hand: its durable past, and the events that wait for the next commit."""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Self

from engine.codec.chain import GENESIS, PLAIN, AuditKeys, Place, chain
from engine.codec.checkpoints import encode_checkpoint
from engine.codec.events import encode_event, from_ticks, ticks
from engine.core.events import Event, Recorded
from engine.core.evolve import evolve
from engine.core.ready import ready_at
from engine.core.run import Run
from engine.core.secrecy import Secrecy
from engine.errors import EngineError
from engine.journal.lines import Line
from engine.journal.walk import Step
from engine.ports import Append, Entry, Head, Lease
from engine.remembering import NOTHING, MemoryChange


@dataclass(slots=True)
class Draft:
    """A run being moved on, under the lease that the store knows.

    `lines` are the transitions that the log has not been told yet; the newest
    `len(staged)` of them are not durable yet either. `replaced` are older entries of which the
    next commit leaves less. `outcomes` are those of the
    staged events that tell what happened outside, with how many messages there were then, and
    what each had remembered; `memory` is what the next commit has of that.
    `forgeable` is whether something in it was masked without an audit key. What must not be told
    is `known`, but for events that are `unread`.
    """

    keys: AuditKeys = PLAIN
    run: Run | None = None
    digest: bytes = GENESIS
    key: str = ""
    known: Secrecy = field(default_factory=Secrecy)
    unread: list[tuple[Event, bytes]] = field(default_factory=list)
    lease: Lease = field(default_factory=Lease)
    staged: list[Entry] = field(default_factory=list)
    replaced: tuple[Entry, ...] = ()
    lines: list[Line] = field(default_factory=list)
    memory: MemoryChange = NOTHING
    outcomes: list[tuple[Event, int, MemoryChange]] = field(default_factory=list)
    forgeable: bool = False

    @property
    def live(self) -> Run:
        """The run, which has been started."""
        if self.run is None:
            raise EngineError("the run has not been started")
        return self.run

    @property
    def secrecy(self) -> Secrecy:
        """What of the run must not be told; it is found out when it is first asked for."""
        unread, self.unread = self.unread, []
        for event, data in unread:
            self.known = self.known.after(event, data)
        return self.known

    @property
    def logged(self) -> int:
        """Up to which seq the log has been told."""
        return self.lines[0].entry.seq - 1 if self.lines else self.live.seq

    def record(self, events: tuple[Event, ...], now: datetime) -> None:
        """Move the run on by `events`, guarded by the machine, for the next commit to keep."""
        at = ticks(now)
        when = from_ticks(at)  # as it will be read again
        for event in events:
            seq = self.run.seq + 1 if self.run else 1
            recorded = Recorded.trusted(seq=seq, at=when, event=event)
            self.staged.append(self._take(recorded, at))

    def report(self, outcome: Event, now: datetime, change: MemoryChange = NOTHING) -> None:
        """Record what happened outside, which must be kept whatever else becomes of the run."""
        seen = len(self.live.messages)
        self.record((outcome,), now)
        self.remember(change)
        self.outcomes.append((outcome, seen, change))

    def remember(self, change: MemoryChange) -> None:
        """Have the next commit keep what the newest event has remembered."""
        if change is NOTHING:
            return
        facts = tuple(replace(one, seq=self.live.seq) for one in change.facts)
        self.memory += replace(change, facts=facts)

    def copy(self) -> Self:
        """The run as it now is, for `become`."""
        same = replace(self, unread=[*self.unread], outcomes=[*self.outcomes])
        same.staged, same.lines = [*self.staged], [*self.lines]
        return same

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
            checkpoint=encode_checkpoint(run),
            ready_at=None if ready is None else ticks(ready),
            lease=self.lease,
        )
        expected = run.seq - len(self.staged)
        return Append(expected, tuple(self.staged), head, self.replaced, self.memory)

    def pass_by(self, step: Step) -> None:
        """Move the run on by one step that the log is not to be told of."""
        entry = step.entry
        self.run, self.digest, self.key = step.run, entry.digest, entry.key
        self.forgeable |= bool(entry.cover) and not entry.key
        self.unread.append((step.recorded.event, entry.data))

    def follow(self, step: Step) -> None:
        """Move the run on by one step that the log has to be told of."""
        self.pass_by(step)
        run, source = step.run, step.before.state if step.before else None
        told = (run.id, run.workflow, source, run.state, step.entry)
        self.lines.append(Line(*told, self.secrecy, step.previous))

    def _take(self, recorded: Recorded, at: int) -> Entry:
        before, previous, key = self.run, self.digest, self.keys.newest
        run, data = evolve(before, recorded), encode_event(recorded.event)
        place = Place(run.id, recorded.seq, at, recorded.event.kind)
        digest = chain(previous, place, data, self.keys, key)
        taken = Entry(place.seq, place.at, place.kind, data, digest, key)
        self.follow(Step(taken, recorded, before, run, previous))
        return taken
