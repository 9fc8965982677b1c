"""What a store holds, for people to look at; a damaged run hides no other one."""

import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.catalogue import heads, waiting
from engine.codec.chain import AuditKeys
from engine.codec.checkpoints import decode_checkpoint
from engine.core.events import Recorded
from engine.core.record import CallRecord, record_of
from engine.core.run import Checkpoint, PendingApproval, pending_of
from engine.core.states import State
from engine.errors import CorruptRunError, UnreadableRunError
from engine.ports import Head, Store
from engine.runtime.load import load_journal
from engine.runtime.verify import end_of

_PAGE = 500
_LOG = logging.getLogger("waystation")


async def page_of(
    store: Store,
    *,
    state: State | str | None = None,
    workflow: str | None = None,
    limit: int,
    after: str | None,
) -> tuple[list[Checkpoint], str | None]:
    """The readable checkpoints of a page, and the run to go on after, if any is left."""
    rows = await heads(store, state=state, workflow=workflow, limit=limit, after=after)
    return list(readable(rows)), end_of(rows, limit)


def readable(rows: Sequence[Head]) -> Iterator[Checkpoint]:
    """The checkpoints of these rows; those that cannot be read are told and left out."""
    for row in rows:
        try:
            yield decode_checkpoint(row.checkpoint)
        except UnreadableRunError as error:
            _LOG.warning("run %s is left out: %s", row.run_id, error)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which approvals to show; None says nothing. The age is in seconds."""

    workflow: str | None = None
    tool: str | None = None
    role: str | None = None
    older_than: float | None = None

    def takes(self, one: PendingApproval, now: datetime) -> bool:
        """Whether it is one of them."""
        age = (now - one.requested_at).total_seconds()
        return (
            self.tool in (None, one.tool)
            and (self.older_than is None or age > self.older_than)
            and (self.role is None or all(self.role in group for group in one.demand.roles))
        )


async def pending_in(
    store: Store, wanted: Wanted, now: datetime, *, limit: int, after: str | None
) -> list[PendingApproval]:
    """A page of the open approvals that are wanted, each with its run; see Engine.pending."""
    found: list[PendingApproval] = []
    while True:
        rows = await waiting(store, workflow=wanted.workflow, limit=limit, after=after)
        for run in readable(rows):
            asked = (pending_of(run, approval) for approval in run.approvals)
            found += [one for one in asked if wanted.takes(one, now)]
            if len(found) >= limit:
                return found
        if len(rows) < limit:
            return found
        after = rows[-1].run_id


async def journals_in(
    store: Store,
    keys: AuditKeys,
    workflow: str | None,
    damaged: list[str] | None,
    since: datetime | None = None,
) -> AsyncIterator[tuple[Recorded, ...]]:
    """The journal of every run, the newest first; what is wrong with the others goes to `damaged`.

    Runs that were begun before `since` are passed over.
    """
    after: str | None = None
    while True:
        rows = await heads(store, workflow=workflow, limit=_PAGE, after=after)
        for row in rows:
            if since is not None and _begun_before(since, row):
                continue
            try:
                events = await _whole(store, keys, row.run_id)
            except UnreadableRunError as error:
                if damaged is not None:
                    damaged.append(str(error))
            else:
                yield events
        after = end_of(rows, _PAGE)
        if after is None:
            return


def _begun_before(since: datetime, row: Head) -> bool:
    """Whether the run is older than that; reading its journal says what is wrong with it."""
    try:
        return decode_checkpoint(row.checkpoint).started_at < since
    except UnreadableRunError:
        return False


async def _whole(store: Store, keys: AuditKeys, run_id: str) -> tuple[Recorded, ...]:
    _, events = await load_journal(store, run_id, keys)
    if not events:
        raise CorruptRunError(f"run {run_id} is damaged: it is not found by its name")
    return events


async def records_in(
    store: Store, keys: AuditKeys, workflow: str | None, damaged: list[str] | None
) -> AsyncIterator[CallRecord]:
    """Every call of every run; what is wrong with the others is added to `damaged`."""
    async for events in journals_in(store, keys, workflow, damaged):
        for record in record_of(events):
            yield record
