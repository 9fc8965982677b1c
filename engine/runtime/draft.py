"""A run in hand: its durable past, and the events that wait for the next commit."""

from dataclasses import dataclass, field
from datetime import datetime

from engine.codec.checkpoints import decode_checkpoint, encode_checkpoint
from engine.codec.events import GENESIS, chain, decode_event, encode_event, from_ticks, ticks
from engine.core.events import Event, Recorded
from engine.core.evolve import evolve
from engine.core.run import Run
from engine.core.states import State
from engine.errors import CorruptRunError, EngineError
from engine.ports import Append, Entry, Head, Store


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
    """A run being moved on.

    `lines` are the transitions that the log has not been told yet; the newest
    `len(staged)` of them are not durable yet either.
    """

    run: Run | None = None
    digest: bytes = GENESIS
    staged: list[Entry] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

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
            at = from_ticks(ticks(now))
            recorded = Recorded(seq=self.run.seq + 1 if self.run else 1, at=at, event=event)
            data = encode_event(event)
            self.staged.append(self._take(recorded, data))

    def addition(self) -> Append:
        """What the next commit writes."""
        run = self.live
        head = Head(
            run_id=run.id,
            workflow=run.workflow,
            state=run.state,
            seq=run.seq,
            logged=self.logged,
            checkpoint=encode_checkpoint(run.checkpoint()),
        )
        return Append(expected=run.seq - len(self.staged), entries=tuple(self.staged), head=head)

    def replay(self, entry: Entry, run_id: str) -> Recorded:
        """Move the run on by one journalled entry; the entry as a recorded event.

        Raises CorruptRunError where it does not follow from what stands before it.
        """
        recorded = Recorded(
            seq=entry.seq, at=from_ticks(entry.at), event=decode_event(entry.kind, entry.data)
        )
        if self._take(recorded, entry.data) != entry:
            raise CorruptRunError("its digest does not follow from what stands before it")
        if self.live.id != run_id:
            raise CorruptRunError(f"it belongs to run {self.live.id}")
        return recorded

    def _take(self, recorded: Recorded, data: bytes) -> Entry:
        source = self.run.state if self.run else None
        self.run = evolve(self.run, recorded)
        self.digest = chain(self.digest, self.run.id, recorded, data)
        entry = Entry(recorded.seq, ticks(recorded.at), recorded.event.kind, data, self.digest)
        self.lines.append(Line(self.run.id, self.run.workflow, source, self.run.state, entry))
        return entry


async def load(store: Store, run_id: str) -> Draft:
    """The run as its journal tells it, with the log lines still owed; empty where there is none.

    Raises CorruptRunError, naming the first bad seq, where journal, digests and
    checkpoint do not hold together.
    """
    draft, _ = await load_journal(store, run_id)
    return draft


async def load_journal(store: Store, run_id: str) -> tuple[Draft, tuple[Recorded, ...]]:
    """As `load`, with the events."""
    head = await store.head(run_id)
    draft = Draft()
    if head is None:
        return draft, ()
    events: list[Recorded] = []
    for place, entry in enumerate(await store.entries(run_id), 1):
        if entry.seq > head.seq:
            break  # committed by somebody else since the head was read
        try:
            if entry.seq != place:
                raise CorruptRunError(f"seq {place} is missing")
            events.append(draft.replay(entry, run_id))
        except (EngineError, TypeError, ValueError, OverflowError) as error:
            raise CorruptRunError(f"run {run_id} is damaged at seq {place}: {error}") from error
    try:
        _agree(draft, head)
    except (TypeError, ValueError) as error:
        raise CorruptRunError(f"run {run_id} is damaged: {error}") from error
    draft.lines = [line for line in draft.lines if line.entry.seq > head.logged]
    return draft, tuple(events)


def _agree(draft: Draft, head: Head) -> None:
    run = draft.run
    if run is None or run.seq != head.seq:
        found = run.seq if run else 0
        raise CorruptRunError(
            f"run {head.run_id} is damaged: seq {found + 1} of {head.seq} is missing"
        )
    if decode_checkpoint(head.checkpoint) != run.checkpoint() or head.state != run.state:
        raise CorruptRunError(f"run {run.id} is damaged: its checkpoint disagrees with its journal")
