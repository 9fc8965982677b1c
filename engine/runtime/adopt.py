"""A new run with a journal that was made elsewhere: forked off another one."""

from collections.abc import Sequence

from engine.codec.chain import AuditKeys
from engine.core.events import Recorded, RunStarted
from engine.errors import ConflictError, CorruptRunError, RunExistsError
from engine.ports import Lease, Store
from engine.runtime.commit import commit
from engine.runtime.draft import Draft
from engine.runtime.load import load
from engine.runtime.telemetry import Telemetry


def born(journal: Sequence[Recorded]) -> RunStarted:
    """How the run of that journal began; CorruptRunError where it is no run."""
    if not journal or not isinstance(journal[0].event, RunStarted):
        raise CorruptRunError("a journal begins with run_started")
    return journal[0].event


async def adopt(
    store: Store,
    telemetry: Telemetry,
    keys: AuditKeys,
    journal: Sequence[Recorded],
    lease: Lease,
) -> Draft:
    """The run, durable under that lease, each event with the time that it has.

    Raises RunExistsError where the store has a run of that id.
    """
    run_id = born(journal).run_id
    draft = await load(store, run_id, keys)
    if draft.run is not None:
        raise RunExistsError(f"there is a run {run_id} already; it is {draft.run.state}")
    draft.lease = lease
    for one in journal:
        draft.record((one.event,), one.at)
    try:
        await commit(draft, store, telemetry)
    except ConflictError as error:
        raise RunExistsError(f"there is a run {run_id} since a moment ago") from error
    return draft
