"""The one way through a journal: every digest and every transition is verified on it."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from engine.codec.chain import GENESIS, PLAIN, AuditKeys, Place, chain, cover
from engine.codec.events import decode_event, from_ticks
from engine.core.events import Recorded
from engine.core.evolve import evolve
from engine.core.run import Run
from engine.errors import CorruptRunError, EngineError, RunTooNewError, UnverifiedRunError
from engine.ports import Entry

_SEALED = "chain_sealed"  # with it a run comes under a key


class Step(NamedTuple):
    """One entry that holds, the event that it is, and the run before and after it.

    `previous` is the digest before it.
    """

    entry: Entry
    recorded: Recorded
    before: Run | None
    run: Run
    previous: bytes


def walk(entries: Iterable[Entry], run_id: str, keys: AuditKeys = PLAIN) -> Iterator[Step]:
    """The journal of that run, step by step, each verified before it is given.

    Raises CorruptRunError, naming the first seq that does not hold; RunTooNewError where
    a newer program wrote it, UnverifiedRunError where a key is missing.
    """
    run: Run | None = None
    digest, key, forgeable = GENESIS, "", False
    for place, entry in enumerate(entries, 1):
        try:
            _require_next(place, entry, key)
            if entry.key and not key and place > 1:
                _require_sealed(entry, forgeable=forgeable)
            covered_by = require_chained(digest, run_id, entry, keys)
            step = _taken(run, entry, run_id, digest)
        except (RunTooNewError, UnverifiedRunError) as error:
            raise type(error)(f"run {run_id} at seq {place}: {error}") from error
        except (EngineError, TypeError, ValueError, OverflowError) as error:
            raise CorruptRunError(f"run {run_id} is damaged at seq {place}: {error}") from error
        run, digest, key = step.run, entry.digest, entry.key
        forgeable = forgeable or covered_by == ""
        yield step


def require_chained(previous: bytes, run_id: str, entry: Entry, keys: AuditKeys) -> str | None:
    """The key of its cover, "" for a plain one; None where nothing was masked or erased.

    What is left of an event that was masked or erased is held to its own digest; the one
    that it had is held to by whatever follows. Raises CorruptRunError where the entry does
    not follow from the digest before it.
    """
    place = Place(run_id, entry.seq, entry.at, entry.kind)
    if not entry.cover:
        if chain(previous, place, entry.data, keys, entry.key) != entry.digest:
            other = f", or the key {entry.key} has another secret" if entry.key else ""
            raise CorruptRunError(f"its digest does not follow from what stands before it{other}")
        return None
    link = (previous, entry.digest)
    # What was written without a key may have been masked, or erased, under one.
    for key in (entry.key,) if entry.key else ("", *keys.secrets):
        if cover(link, place, entry.data, keys, key) == entry.cover:
            return key
    raise CorruptRunError("what is left of it is not what was left")


def _require_sealed(entry: Entry, *, forgeable: bool) -> None:
    """Nothing; CorruptRunError where the key says nothing of what stands before it.

    A plain cover can be made by anybody, to stand in for any event.
    """
    if entry.kind != _SEALED:
        raise CorruptRunError("it is under an audit key, though what stands before it is not")
    if forgeable:
        raise CorruptRunError("what was masked before it is under no audit key")


def _require_next(place: int, entry: Entry, key: str) -> None:
    if entry.seq != place:
        raise CorruptRunError(f"seq {place} is missing")
    if key and not entry.key:
        raise CorruptRunError("it is under no audit key, though what stands before it is")


def _taken(run: Run | None, entry: Entry, run_id: str, previous: bytes) -> Step:
    event = decode_event(entry.kind, entry.data)
    recorded = Recorded.trusted(seq=entry.seq, at=from_ticks(entry.at), event=event)
    after = evolve(run, recorded)
    if after.id != run_id:
        raise CorruptRunError(f"it belongs to run {after.id}")
    return Step(entry, recorded, run, after, previous)
