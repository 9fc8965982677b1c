"""A run from its store, verified: journal, digests and checkpoint must hold together."""

import shlex
from datetime import datetime
from itertools import takewhile

from engine.codec.chain import PLAIN, AuditKeys
from engine.codec.checkpoints import agrees, is_of_today
from engine.codec.events import ticks
from engine.core.events import Recorded
from engine.core.ready import ready_at
from engine.errors import (
    ArchivedRunError,
    CorruptRunError,
    RunTooNewError,
    UnknownRunError,
    UnverifiedRunError,
)
from engine.journal.lacking import lacking
from engine.journal.walk import walk
from engine.ports import Head, Store
from engine.runtime.draft import Draft


async def unknown(store: Store, run_id: str) -> UnknownRunError:
    """The error to raise where the store has no such run: it may have been archived."""
    row = await store.archived(run_id)
    if row is None:
        return UnknownRunError(f"there is no run {run_id!r} in this store")
    again = f"waystation rebuild {shlex.quote(row.place)}"
    return ArchivedRunError(
        f"run {run_id} was {row.state} and is archived in {row.place}; put it back with: {again}"
    )


async def load(store: Store, run_id: str, keys: AuditKeys = PLAIN) -> Draft:
    """The run as its journal tells it, with the log lines still owed; empty where there is none.

    Raises CorruptRunError, naming the first bad seq, where journal, digests and
    checkpoint do not hold together; RunTooNewError where a newer program wrote it;
    UnverifiedRunError where a key is missing, or it was written without the one there is.
    """
    draft, _ = await load_journal(store, run_id, keys)
    return draft


async def load_journal(
    store: Store, run_id: str, keys: AuditKeys = PLAIN
) -> tuple[Draft, tuple[Recorded, ...]]:
    """As `load`, with the events."""
    draft, events = await load_unsealed(store, run_id, keys)
    if draft.run is not None and keys.newest and not draft.key:
        raise UnverifiedRunError(
            f"run {run_id} was written without an audit key; once you have looked at it, "
            f"accept it as it is: waystation seal {run_id}"
        )
    return draft, events


async def load_unsealed(
    store: Store, run_id: str, keys: AuditKeys
) -> tuple[Draft, tuple[Recorded, ...]]:
    """As `load_journal`, also of a run that was written without the key that there is now."""
    head = await store.head(run_id)
    draft = Draft(keys)
    if head is None:
        return draft, ()
    draft.lease = head.lease
    found = await store.entries(run_id)
    if found and found[-1].seq > head.seq:
        await _require_moved(store, head)
    # What was committed by somebody else since the head was read is left out.
    entries = takewhile(lambda one: one.seq <= head.seq, found)
    events: list[Recorded] = []
    covered = False
    for step in walk(entries, run_id, keys):
        if step.entry.seq <= head.logged:
            draft.pass_by(step)
        else:
            draft.follow(step)
        events.append(step.recorded)
        covered = covered or bool(step.entry.cover)
    _agree(draft, head)
    if covered and (calls := lacking(draft.live)):
        raise CorruptRunError(
            f"run {run_id} is damaged: what {', '.join(calls)} is to run with is masked"
        )
    return draft, tuple(events)


async def _require_moved(store: Store, head: Head) -> None:
    """Nothing; CorruptRunError where the row was set back, and events stand behind its seq."""
    now = await store.head(head.run_id)
    if now is None or now.seq <= head.seq:
        raise CorruptRunError(
            f"run {head.run_id} is damaged: its journal goes on after seq {head.seq}, "
            "at which its row ends"
        )


def _agree(draft: Draft, head: Head) -> None:
    run = draft.run
    if run is None or run.seq != head.seq:
        found = run.seq if run else 0
        raise CorruptRunError(
            f"run {head.run_id} is damaged: seq {found + 1} of {head.seq} is missing"
        )
    try:
        whole = agrees(head.checkpoint, run) and head.state == run.state
        if is_of_today(head.checkpoint) and _is_kept_asleep(head, ready_at(run)):
            whole = False
    except RunTooNewError as error:
        raise RunTooNewError(f"run {run.id}: {error}") from error
    except (CorruptRunError, TypeError, ValueError) as error:
        raise CorruptRunError(f"run {run.id} is damaged: {error}") from error
    if not whole or head.workflow != run.workflow:
        raise CorruptRunError(f"run {run.id} is damaged: its checkpoint disagrees with its journal")


def _is_kept_asleep(head: Head, due: datetime | None) -> bool:
    """Whether the row says that the run is ready at all, or so early, otherwise than it is."""
    if head.ready_at is None or due is None:
        return head.ready_at is not None or due is not None
    return head.ready_at > ticks(due)
