"""A run put into a store again from a copy of its journal."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from engine.codec.chain import PLAIN, AuditKeys
from engine.core import events as ev
from engine.errors import ConflictError
from engine.journal.lacking import lacking
from engine.journal.walk import Step
from engine.ports import Append, Store
from engine.runtime.draft import Draft


async def put_back(store: Store, steps: Iterable[Step], keys: AuditKeys, now: datetime) -> Draft:
    """The run, durable, byte for byte as it was; it is left to whoever drives it next.

    Where the copy lacks arguments of calls that are still open, these are left in doubt.
    Raises UnreadableRunError as `steps`, ConflictError where the store has another run of
    that id; then nothing was changed. A run that is there already, the same, is left alone.
    """
    draft, entries = Draft(keys), []
    for step in steps:
        draft.follow(step)
        draft.lines.clear()
        entries.append(step.entry)
    if await _is_there(store, draft):
        return draft
    if not draft.key:
        draft.keys = PLAIN  # who wrote the log had no key, and nobody has vouched for it
    covered = [one for one in entries if one.cover]
    if covered and (calls := lacking(draft.live)):
        draft.keys = keys if draft.key else PLAIN  # a person seals it, when they have looked
        draft.record((ev.ArgumentsLost(calls=calls),), now)
    whole = (*entries, *draft.staged)
    logged = len(entries)
    await store.append(Append(0, whole, replace(draft.addition().head, logged=logged)))
    return draft


async def _is_there(store: Store, draft: Draft) -> bool:
    """Whether the store has the run already, with nothing missing; ConflictError for another."""
    run = draft.live
    if await store.head(run.id) is None:
        return False
    there = await store.entries(run.id)
    if len(there) >= run.seq and there[run.seq - 1].digest == draft.digest:
        return True
    raise ConflictError(f"run {run.id} is in the store already, with another journal")
