"""A store made again from logs alone."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.api.wiring import keys_of
from engine.catalogue import open_store
from engine.codec.chain import AuditKeys
from engine.errors import ConflictError, UnreadableRunError
from engine.logs.reading import Tally
from engine.logs.runs import LoggedRun, logged_runs
from engine.ports import Store
from engine.runtime.clock import SystemClock
from engine.runtime.rebuild import put_back

_AT_ONCE = 64  # runs that share a sync
_FEW = 10_000  # events


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of one run: how many events it has; `masked` of them lack what was masked.

    `lost` are its open calls of which arguments are missing: they are in doubt now.
    `fault` is why it was left out.
    """

    run_id: str
    events: int = 0
    masked: int = 0
    lost: tuple[str, ...] = ()
    fault: str | None = None


async def rebuild(
    files: Sequence[Path],
    store: str | Store,
    tally: Tally | None = None,
    audit_key: AuditKeys | str | Path | None = None,
) -> AsyncIterator[Rebuilt]:
    """Put every whole run of these logs into the store; what became of each.

    `store` is its address, or a Store. `tally` is filled in with what was read. Runs that
    the store has already, the same, are left as they are. Raises BadInputError where a file
    cannot be opened, StoreError.
    """
    keys, read = keys_of(audit_key), Tally() if tally is None else tally
    opened = open_store(store) if isinstance(store, str) else store
    try:
        async for one in _all(logged_runs(files, read, keys), opened, keys):
            yield one
    finally:
        if isinstance(store, str):
            await opened.close()


async def _all(runs: Iterable[LoggedRun], store: Store, keys: AuditKeys) -> AsyncIterator[Rebuilt]:
    some: list[LoggedRun] = []
    for run in runs:
        some.append(run)
        if len(some) == _AT_ONCE or sum(len(one.lines) for one in some) > _FEW:
            for one in await _together(some, store, keys):
                yield one
            some.clear()
    for one in await _together(some, store, keys):
        yield one


async def _together(some: list[LoggedRun], store: Store, keys: AuditKeys) -> list[Rebuilt]:
    return await asyncio.gather(*(_rebuilt(one, store, keys) for one in some))


async def _rebuilt(run: LoggedRun, store: Store, keys: AuditKeys) -> Rebuilt:
    try:
        draft = await put_back(store, run.steps(keys), keys, SystemClock().now())
    except (UnreadableRunError, ConflictError) as error:
        return Rebuilt(run.run_id, len(run.lines), fault=str(error))
    masked = sum(bool(line.entry.cover) for line in run.lines)
    lost = tuple(call.id for call in draft.live.calls if call.lost)
    return Rebuilt(run.run_id, draft.live.seq, masked, lost)
