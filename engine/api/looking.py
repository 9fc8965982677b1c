"""What a store holds, for people to look at; a damaged run hides no other one."""

import logging

from engine.catalogue import heads
from engine.codec.checkpoints import decode_checkpoint
from engine.core.run import Checkpoint, PendingApproval
from engine.core.states import State
from engine.errors import CorruptRunError, RunTooNewError
from engine.ports import Store
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
    page: list[Checkpoint] = []
    for row in rows:
        try:
            page.append(decode_checkpoint(row.checkpoint))
        except (CorruptRunError, RunTooNewError) as error:
            _LOG.warning("run %s is left out: %s", row.run_id, error)
    return page, end_of(rows, limit)


async def pending_in(store: Store) -> list[PendingApproval]:
    """Every open approval with its run, the oldest first."""
    found: list[PendingApproval] = []
    after: str | None = None
    while True:
        page, after = await page_of(store, state=State.AwaitingApproval, limit=_PAGE, after=after)
        found += [
            PendingApproval(run_id=run.id, workflow=run.workflow, **dict(approval))
            for run in page
            for approval in run.approvals
        ]
        if after is None:
            return sorted(found, key=lambda approval: approval.requested_at)
