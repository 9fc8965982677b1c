"""The one door: every change of a run is guarded, made durable, and told here."""

from collections.abc import Callable

from engine.core.context import Transaction
from engine.ports import Append, Store, Transactional
from engine.remembering import NOTHING
from engine.runtime.draft import Draft
from engine.runtime.telemetry import Telemetry


async def commit(draft: Draft, store: Store, telemetry: Telemetry) -> None:
    """Nothing, once all that is staged is durable, in one transaction, and told to the log.

    The machine has guarded each event as it was staged. Raises ConflictError where
    somebody else has moved the run on, StoreError where the store fails; then
    nothing that was staged may be acted on. A log that fails is owed its lines.
    """
    if draft.staged:
        await store.append(draft.addition())
    _kept(draft, telemetry)


async def commit_with(
    draft: Draft,
    store: Transactional,
    telemetry: Telemetry,
    work: Callable[[Transaction], None],
) -> None:
    """As `commit`, of what `work` stages, in one transaction with what it writes itself.

    What `work` raises is raised here, and then nothing of it was written.
    """

    def staged(transaction: Transaction) -> Append:
        work(transaction)
        return draft.addition()

    await store.transact(staged)
    _kept(draft, telemetry)


def _kept(draft: Draft, telemetry: Telemetry) -> None:
    telemetry.feeds.put(draft.live.id, tuple(draft.staged))
    draft.staged.clear()
    draft.replaced, draft.memory = (), NOTHING
    draft.outcomes.clear()
    telemetry.tell(draft.lines)


async def settle_log(draft: Draft, store: Store, telemetry: Telemetry) -> None:
    """Commit, and remember up to where the log has the run's lines."""
    await commit(draft, store, telemetry)
    if draft.logged:
        await store.mark_logged(draft.live.id, draft.logged)
        if not draft.lines:  # else who has been told of them is not told again
            telemetry.forget(draft.live.id)
