"""Runs that are in an archive, taken out of the store."""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from engine.codec.events import ticks
from engine.errors import ConflictError, UnreadableRunError
from engine.keeping.keeper import Keeper
from engine.keeping.rewriting import marker_of
from engine.logs.reading import Tally
from engine.logs.runs import LoggedRun, logged_runs
from engine.ports import Archived
from engine.stores.folders import sync_folder

_AT_ONCE = 64  # runs that share a sync


@dataclass(slots=True)
class Moved:
    """How many runs were moved, why others stayed, and how many the store never had."""

    runs: int = 0
    stayed: dict[str, str] = field(default_factory=dict)
    foreign: int = 0
    kept: bool = False  # whether the file is the place of any run of the store


async def move_out(keeper: Keeper, file: Path) -> Moved:
    """What became of the runs in the file: each that is still so in the store leaves it.

    Where some are of another store, its second name stays: that store is not done with it.
    A file that no run needs goes.
    """
    done = Moved()
    some: list[LoggedRun] = []
    for run in logged_runs([file], Tally(), keeper.keys):
        some.append(run)
        if len(some) == _AT_ONCE:
            await asyncio.gather(*(_remove(keeper, file, one, done) for one in some))
            some.clear()
    await asyncio.gather(*(_remove(keeper, file, one, done) for one in some))
    done.kept = bool(await keeper.store.archives(limit=1, place=str(file)))
    if done.foreign:
        return done
    if not done.kept:
        os.unlink(file)  # noqa: PTH108 # named in tests
    os.unlink(marker_of(file))  # noqa: PTH108 # as above
    sync_folder(file.parent)
    return done


async def _remove(keeper: Keeper, file: Path, run: LoggedRun, done: Moved) -> None:
    try:
        *_, last = run.steps(keeper.keys)
        row = Archived(
            run_id=run.run_id,
            workflow=last.run.workflow,
            state=last.run.state,
            seq=last.run.seq,
            digest=last.entry.digest,
            at=ticks(keeper.clock.now()),
            place=str(file),
        )
        await keeper.store.archive(row)
    except (UnreadableRunError, ConflictError) as error:
        if await keeper.store.head(run.run_id) is not None:
            done.stayed[run.run_id] = str(error)
        elif await keeper.store.archived(run.run_id) is None:
            done.foreign += 1
    else:
        done.runs += 1
