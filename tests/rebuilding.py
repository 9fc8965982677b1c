"""Every run of a store, told to a log, rebuilt from it into a second store, and compared."""

from pathlib import Path
from typing import TypeVar

from engine.api.rebuilding import rebuild
from engine.codec.chain import PLAIN, AuditKeys
from engine.codec.checkpoints import is_of_today
from engine.errors import StoreError, UnreadableRunError
from engine.journal.lines import Line
from engine.journal.walk import walk
from engine.logs.reading import Tally
from engine.ports import Store
from engine.runtime.draft import Draft
from engine.runtime.load import load_unsealed
from engine.runtime.telemetry import Telemetry
from engine.stores.database import APPLICATION_ID
from engine.stores.memory import MemoryStore
from engine.stores.sqlite import SqliteStore

MOST = 40  # runs of a store: those of a test that makes more are alike

_T = TypeVar("_T")


async def rebuild_and_compare(store: Store, log: Path, keys: AuditKeys = PLAIN) -> int:
    """How many runs were compared. What does not load is some test's own damage."""
    telemetry, runs = Telemetry([log], keys), []
    for head in await store.heads(limit=MOST):
        try:
            draft, _ = await load_unsealed(store, head.run_id, keys)
        except UnreadableRunError:
            continue
        if draft.run is not None:
            runs.append(head.run_id)
            telemetry.tell(await every_line(store, head.run_id, keys))
    telemetry.close()
    tally, copy = Tally(), MemoryStore()
    faults = [one.fault async for one in rebuild([log], copy, tally, keys) if one.fault]
    assert faults == []
    assert tally.damaged == []
    for run_id in runs:
        await compare(store, copy, run_id)
    return len(runs)


async def rebuild_file(file: Path, log: Path) -> int:
    """As `rebuild_and_compare`, of the store in a file; 0 where it is no store that opens."""
    if not is_ours(file):
        return 0
    try:
        store = SqliteStore(file)
    except StoreError:
        return 0
    try:
        return await rebuild_and_compare(store, log)
    except StoreError:
        return 0
    finally:
        await store.close()


def is_ours(file: Path) -> bool:
    """Whether a test has left a store there."""
    try:
        with file.open("rb") as stream:
            return stream.read(100)[68:72] == APPLICATION_ID.to_bytes(4, "big")
    except OSError:
        return False


async def every_line(store: Store, run_id: str, keys: AuditKeys) -> list[Line]:
    draft = Draft(keys)
    for step in walk(await store.entries(run_id), run_id, keys):
        draft.follow(step)
    return draft.lines


async def compare(store: Store, copy: Store, run_id: str) -> None:
    """Nothing, where the copy is the run, byte for byte; what is masked is masked in the copy."""
    head, again = found(await store.head(run_id)), found(await copy.head(run_id))
    entries, copied = await store.entries(run_id), await copy.entries(run_id)
    for one, other in zip(entries, copied, strict=False):
        assert other == one or (other.cover and other.digest == one.digest)
    if len(copied) > len(entries):
        assert [one.kind for one in copied[len(entries) :]] == ["arguments_lost"]
        return
    assert (again.workflow, again.state, again.seq) == (head.workflow, head.state, head.seq)
    masked = any(one.cover and not mine.cover for one, mine in zip(copied, entries, strict=True))
    if is_of_today(head.checkpoint) and not masked:
        assert again.checkpoint == head.checkpoint
        assert (again.ready_at is None) == (head.ready_at is None)


def found(value: _T | None) -> _T:
    assert value is not None
    return value
