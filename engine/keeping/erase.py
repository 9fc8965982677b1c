"""A journal without what was said in it: the same events under the same digests."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from engine.codec.chain import AuditKeys, Place, cover
from engine.codec.events import encode_event
from engine.core.erasing import About, erased
from engine.core.events import DataErased
from engine.core.run import Run
from engine.errors import UnverifiedRunError
from engine.journal.lines import raw_line
from engine.journal.walk import Step, walk
from engine.ports import Entry
from engine.runtime.draft import Draft


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asked for an erasure, why, about which customer, and when."""

    by: str
    reason: str | None
    customer: str | None
    at: datetime


def erase(steps: Iterable[Step], keys: AuditKeys, asked: Asked) -> Draft:
    """The run with nothing left in it that was said, and with all of its lines to tell.

    What is to be replaced, and the event that says so, wait in it for the next commit; there
    is neither where nothing was left to erase. Raises UnreadableRunError as `steps`.
    """
    entries, replaced, about, run_id = list[Entry](), list[Entry](), About(), ""
    for step in steps:
        run_id = step.run.id
        about = _about(step.run, asked)
        entry = _left_of(step, about, keys)
        entries.append(entry)
        if entry is not step.entry:
            replaced.append(entry)
    draft = Draft(keys)
    for left in walk(entries, run_id, keys):
        draft.follow(left)
    if keys.newest and not draft.key:
        raise UnverifiedRunError(f"run {draft.live.id} was written without an audit key; seal it")
    if replaced:
        event = erased(DataErased(by=asked.by, reason=asked.reason), about)
        draft.record((event,), asked.at)
        draft.replaced = tuple(replaced)
    return draft


def raw_lines(draft: Draft) -> dict[int, bytes]:
    """The lines of a log file that the run still has to tell, by seq."""
    return {line.entry.seq: raw_line(line, draft.keys) for line in draft.lines}


def _about(run: Run, asked: Asked) -> About:
    known = frozenset(run.tools) if run.definition else None
    return About(asked.customer or run.customer, known)


def _left_of(step: Step, about: About, keys: AuditKeys) -> Entry:
    """The entry; the same one where there is nothing in it to erase."""
    before = step.recorded.event
    after = erased(before, about)
    if after == before:
        return step.entry
    one, data = step.entry, encode_event(after)
    place = Place(step.run.id, one.seq, one.at, one.kind)
    link, key = (step.previous, one.digest), one.key or keys.newest
    return one._replace(data=data, cover=cover(link, place, data, keys, key))
