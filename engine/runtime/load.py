"""A run from its store, verified: journal, digests and checkpoint must hold together."""

from engine.codec.checkpoints import agrees, is_of_today
from engine.core.events import Recorded
from engine.core.ready import ready_at
from engine.errors import CorruptRunError, EngineError, RunTooNewError
from engine.ports import Head, Store
from engine.runtime.draft import Draft


async def load(store: Store, run_id: str) -> Draft:
    """The run as its journal tells it, with the log lines still owed; empty where there is none.

    Raises CorruptRunError, naming the first bad seq, where journal, digests and
    checkpoint do not hold together; RunTooNewError where a newer program wrote it.
    """
    draft, _ = await load_journal(store, run_id)
    return draft


async def load_journal(store: Store, run_id: str) -> tuple[Draft, tuple[Recorded, ...]]:
    """As `load`, with the events."""
    head = await store.head(run_id)
    draft = Draft()
    if head is None:
        return draft, ()
    draft.lease = head.lease
    events: list[Recorded] = []
    for place, entry in enumerate(await store.entries(run_id), 1):
        try:
            if entry.seq > head.seq:
                break  # committed by somebody else since the head was read
            if entry.seq != place:
                raise CorruptRunError(f"seq {place} is missing")
            events.append(draft.replay(entry, run_id))
        except RunTooNewError as error:
            raise RunTooNewError(f"run {run_id} at seq {place}: {error}") from error
        except (EngineError, TypeError, ValueError, OverflowError) as error:
            raise CorruptRunError(f"run {run_id} is damaged at seq {place}: {error}") from error
    _agree(draft, head)
    draft.lines = [line for line in draft.lines if line.entry.seq > head.logged]
    return draft, tuple(events)


def _agree(draft: Draft, head: Head) -> None:
    run = draft.run
    if run is None or run.seq != head.seq:
        found = run.seq if run else 0
        raise CorruptRunError(
            f"run {head.run_id} is damaged: seq {found + 1} of {head.seq} is missing"
        )
    try:
        whole = agrees(head.checkpoint, run.checkpoint()) and head.state == run.state
        asleep = (head.ready_at is None, ready_at(run) is None)
        if is_of_today(head.checkpoint) and asleep[0] is not asleep[1]:
            whole = False
    except RunTooNewError as error:
        raise RunTooNewError(f"run {run.id}: {error}") from error
    except (CorruptRunError, TypeError, ValueError) as error:
        raise CorruptRunError(f"run {run.id} is damaged: {error}") from error
    if not whole or head.workflow != run.workflow:
        raise CorruptRunError(f"run {run.id} is damaged: its checkpoint disagrees with its journal")
