"""Whether archived runs are where the store says, and are what they were."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.codec.chain import AuditKeys
from engine.errors import CorruptRunError, UnreadableRunError
from engine.keeping.keeper import Keeper
from engine.logs.reading import Tally
from engine.logs.runs import LoggedRun, logged_runs
from engine.ports import Archived
from engine.runtime.verify import Anchor, Examined

Anchors = Mapping[str, Sequence[Anchor]]


async def examine_archives(keeper: Keeper, found: Examined, anchors: Anchors) -> None:
    """Nothing; `found` knows of the archived runs, too, and what is wrong with them.

    Each file is read once; what is held in memory are the rows of one file.
    """
    for place in await keeper.places():
        rows = {row.run_id: row async for row in keeper.rows(place)}
        for run_id in rows:
            found.damaged.pop(run_id, None)  # it is not gone, but archived
        found.archived += len(rows)
        file = Path(place)
        if not os.access(file, os.R_OK):
            for run_id in rows:
                found.damaged[run_id] = f"run {run_id} was archived in {place}, which is gone"
            continue
        for run in logged_runs([file], Tally(), keeper.keys):
            if row := rows.pop(run.run_id, None):
                try:
                    _require_kept(run, row, anchors.get(run.run_id, ()), keeper.keys)
                except UnreadableRunError as error:
                    found.damaged[run.run_id] = f"{place}: {error}"
        for run_id in rows:
            words = f"run {run_id} was archived in {place}, which does not have it any more"
            found.damaged[run_id] = words


def _require_kept(
    run: LoggedRun, row: Archived, anchors: Sequence[Anchor], keys: AuditKeys
) -> None:
    """Nothing; UnreadableRunError where the file has another run than the one archived."""
    wanted = {row.seq: row.digest.hex(), **{one.seq: one.digest for one in anchors}}
    for step in run.steps(keys):
        if wanted.pop(step.entry.seq, step.entry.digest.hex()) != step.entry.digest.hex():
            raise CorruptRunError(
                f"run {run.run_id} is damaged: what stands at seq {step.entry.seq} is not the "
                "event that was archived, or anchored"
            )
    if wanted:
        raise CorruptRunError(f"run {run.run_id} is damaged: seq {min(wanted)} is missing")
