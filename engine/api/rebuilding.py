"""A store made again from logs alone."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.api.wiring import keys_of
from engine.catalogue import open_store
from engine.codec.chain import AuditKeys
from engine.core.ready import is_open
from engine.core.states import ENDED, State
from engine.errors import ConflictError, UnreadableRunError
from engine.logs.reading import Tally
from engine.logs.runs import LoggedRun, logged_runs
from engine.ports import Store
from engine.runtime.clock import SystemClock
from engine.runtime.rebuild import put_back
from engine.runtime.verify import Anchor, by_run

_AT_ONCE = 64  # runs that share a sync
_FEW = 10_000  # events


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of one run: how many events it has; `masked` of them lack what was masked.

    `lost` are its open calls of which arguments are missing: they are in doubt now. It is
    `ready` where it goes on by itself once it is driven: from where its log ends.
    `fault` is why it was left out.
    """

    run_id: str
    events: int = 0
    masked: int = 0
    lost: tuple[str, ...] = ()
    ready: bool = False
    fault: str | None = None


async def rebuild(
    files: Sequence[str | Path],
    store: str | Store,
    tally: Tally | None = None,
    audit_key: AuditKeys | str | Path | None = None,
    anchors: Iterable[Anchor] = (),
) -> AsyncIterator[Rebuilt]:
    """Put every whole run of these logs into the store; what became of each.

    `store` is its address, or a Store. `tally` is filled in with what was read. Runs that
    the store has already, the same, are left as they are. A run of which the logs have less
    than was anchored is left out: to go on in the midst of it could repeat an effect. Raises
    BadInputError where a file cannot be opened, StoreError.
    """
    keys, read = keys_of(audit_key), Tally() if tally is None else tally
    opened = open_store(store) if isinstance(store, str) else store
    left = {run_id: list(some) for run_id, some in by_run(anchors).items()}
    paths = [Path(one) for one in files]
    try:
        runs = (_held_to(run, left.pop(run.run_id, [])) for run in logged_runs(paths, read, keys))
        async for one in _all(runs, opened, keys):
            yield one
        for run_id, (*_, last) in left.items():
            words = f"run {run_id} is in no log; it was anchored at seq {last.seq}"
            yield Rebuilt(run_id, fault=words)
    finally:
        if isinstance(store, str):
            await opened.close()


def _held_to(run: LoggedRun, anchors: Sequence[Anchor]) -> LoggedRun:
    """The run; with a fault where it is not, or not yet, what was anchored.

    A seq that is missing in its midst is for the walk to name.
    """
    logged = {line.entry.seq: line.entry.digest.hex() for line in run.lines}
    newest = max(logged, default=0)
    for one in anchors:
        if one.seq > newest:
            words = f"its log ends at seq {newest}; it was anchored at seq {one.seq}"
            return replace(run, fault=run.fault or words)
        if logged.get(one.seq, one.digest) != one.digest:
            words = f"what its log has at seq {one.seq} is not what was anchored"
            return replace(run, fault=run.fault or words)
    return run


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
    live = draft.live
    lost = tuple(call.id for call in live.calls if call.lost)
    goes_on = live.state is not State.AwaitingApproval or any(is_open(live, c) for c in live.calls)
    return Rebuilt(run.run_id, live.seq, masked, lost, goes_on and live.state not in ENDED)
