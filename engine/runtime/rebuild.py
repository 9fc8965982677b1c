"""A run put into a store again from a copy of its journal."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from engine.codec.chain import PLAIN, AuditKeys
from engine.core import events as ev
from engine.core.accept import require_run_id
from engine.errors import BadInputError, ConflictError, CorruptRunError
from engine.journal.lacking import lacking
from engine.journal.walk import Step
from engine.ports import Append, Entry, Store
from engine.runtime.draft import Draft


async def put_back(store: Store, steps: Iterable[Step], keys: AuditKeys, now: datetime) -> Draft:
    """The run, durable, byte for byte as it was; it is left to whoever drives it next.

    Where the copy lacks arguments of calls that are still open, these are left in doubt.
    Raises UnreadableRunError as `steps`, ConflictError where the store has another run of
    that id; then nothing was changed. A run that is there already, the same, is left alone.
    """
    draft, entries = Draft(keys), []
    for step in steps:
        draft.pass_by(step)
        entries.append(step.entry)
    try:
        require_run_id(draft.live.id)
    except BadInputError as error:
        raise CorruptRunError(str(error)) from error
    if await _is_there(store, draft.live.id, entries):
        return draft
    covered = [one for one in entries if one.cover]
    if covered and (calls := lacking(draft.live)):
        draft.keys = keys if draft.key else PLAIN  # a person seals it, when they have looked
        draft.record((ev.ArgumentsLost(calls=calls),), now)
    whole = (*entries, *draft.staged)
    logged = len(entries)
    try:
        await store.append(Append(0, whole, replace(draft.addition().head, logged=logged)))
    except ConflictError:  # somebody else has put it back meanwhile
        if not await _is_there(store, draft.live.id, entries):
            raise
    return draft


async def _is_there(store: Store, run_id: str, entries: Sequence[Entry]) -> bool:
    """Whether the store has the run already, with nothing missing; ConflictError for another."""
    if await store.head(run_id) is None:
        return False
    there = (await store.entries(run_id))[: len(entries)]
    if len(there) == len(entries) and there[-1].digest == entries[-1].digest:
        pairs = zip(there, entries, strict=True)
        if bad := next((one.seq for one, other in pairs if not _is_same(one, other)), None):
            raise ConflictError(
                f"run {run_id} is in the store already, and is damaged at seq {bad}"
            )
        return True
    raise ConflictError(f"run {run_id} is in the store already, with another journal")


def _is_same(there: Entry, copy: Entry) -> bool:
    """Whether the store has what the copy has; of what was masked either may have more."""
    if there.cover or copy.cover:
        there = there._replace(data=copy.data, cover=copy.cover)
    return there == copy
