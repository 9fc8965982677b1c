"""Ended runs, moved out of the store into files of packed log lines.

A file is written under a hidden name, read back, and given its own name as a second one. The
hidden name goes when every run is out of the store: while it is there, the work is not done,
and whoever archives into that folder next goes on with it.
"""

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from engine.codec.checkpoints import decode_checkpoint
from engine.core.states import ENDED
from engine.errors import ConflictError, EngineError, UnreadableRunError
from engine.journal.lines import Line, raw_line
from engine.journal.walk import walk
from engine.keeping.keeper import Keeper, drives
from engine.keeping.moving import move_out
from engine.keeping.rewriting import marker_of, rewrite
from engine.logs.reading import Tally
from engine.logs.runs import logged_runs
from engine.ports import Head
from engine.runtime.commit import settle_log
from engine.runtime.draft import Draft
from engine.runtime.load import load
from engine.runtime.logfile import lock_patiently
from engine.runtime.verify import end_of
from engine.stores.folders import sync_folder

_PAGE = 200
_NAME, _END = "waystation-%Y-%m-%dT%H%M%SZ", ".jsonl.gz"


@dataclass(slots=True)
class Archiving:
    """What became of it: the files, how many runs they took, and why others were left."""

    files: list[str] = field(default_factory=list)
    runs: int = 0
    left: dict[str, str] = field(default_factory=dict)


async def archive(keeper: Keeper, before: datetime, folder: Path) -> Archiving:
    """Move every run that ended, and was left alone since `before`, to a new file in `folder`.

    What was broken off there before is finished first. Nothing is removed before the file is
    durable and was read back whole. Raises EngineError where that cannot be done.
    """
    done = Archiving()
    try:
        for marker in _broken_off(folder):
            await _finish(keeper, marker, done)
        with ExitStack() as held:
            file = await _written(keeper, before, _absolute(folder), done, held)
            if file is not None:
                await _move_out(keeper, file, held, done)
    except OSError as error:
        raise EngineError(
            f"{error.filename or folder} failed: {error.strerror}; no run is lost: see to it, "
            "then do the same again"
        ) from error
    await keeper.store.tidy()
    return done


def _broken_off(folder: Path) -> list[Path]:
    """What stands in the folder, which is made, under hidden names."""
    folder.mkdir(parents=True, exist_ok=True)
    return sorted(_absolute(folder).glob(f".waystation-*{_END}.part"))


async def _finish(keeper: Keeper, marker: Path, done: Archiving) -> None:
    """Go on where another one died; leave one alone that lives."""
    file = marker.with_name(marker.name.removeprefix(".").removesuffix(".part"))
    with ExitStack() as held:
        try:
            _hold(os.open(marker, os.O_RDWR), held, patience=0)
        except (BlockingIOError, FileNotFoundError):
            return
        if _is_same(file, marker):
            await _move_out(keeper, file, held, done)
        else:  # it was never whole, and nothing was removed for it
            os.unlink(marker)  # noqa: PTH108 # named in tests


async def _written(
    keeper: Keeper, before: datetime, folder: Path, done: Archiving, held: ExitStack
) -> Path | None:
    """The new file, durable and read back; None where there is nothing to put into it."""
    file = _new_name(keeper, folder)
    marker = marker_of(file)
    fd = os.open(marker, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
    _hold(fd, held)
    try:
        count = await _write(keeper, before, fd, done)
        if count:
            await asyncio.to_thread(_require_whole, marker, count, keeper)
            os.link(marker, file)  # fails where somebody has put something there meanwhile
            sync_folder(folder)
            return file
    except BaseException:
        if _is_same(file, marker):
            os.unlink(file)  # noqa: PTH108 # named in tests
        os.unlink(marker)  # noqa: PTH108 # as above
        raise
    os.unlink(marker)  # noqa: PTH108 # as above
    return None


def _new_name(keeper: Keeper, folder: Path) -> Path:
    """A name of this moment that nothing has yet."""
    name, count = keeper.clock.now().strftime(_NAME), 1
    file = folder / f"{name}{_END}"
    while file.exists() or marker_of(file).exists():
        count += 1
        file = folder / f"{name}-{count}{_END}"
    return file


async def _write(keeper: Keeper, before: datetime, fd: int, done: Archiving) -> int:
    """How many runs were written, and synced."""
    count = 0
    with os.fdopen(fd, "wb", closefd=False) as out, gzip.GzipFile("", "wb", fileobj=out) as packed:
        async for head in _ended(keeper, before, done):
            try:
                lines = await _lines(keeper, head)
            except (UnreadableRunError, ConflictError) as error:
                done.left[head.run_id] = str(error)
                continue
            packed.writelines(raw_line(line, keeper.keys) for line in lines)
            count += 1
    os.fsync(fd)
    return count


async def _ended(keeper: Keeper, before: datetime, done: Archiving) -> AsyncIterator[Head]:
    """The rows of runs that ended before then; why one cannot be read is noted."""
    for state in ENDED:
        after: str | None = None
        while True:
            page = await keeper.store.heads(state=state, limit=_PAGE, after=after)
            for head in page:
                try:
                    if decode_checkpoint(head.checkpoint).updated_at < before:
                        yield head
                except UnreadableRunError as error:
                    done.left[head.run_id] = f"run {head.run_id}: {error}"
            after = end_of(page, _PAGE)
            if after is None:
                break


async def _lines(keeper: Keeper, head: Head) -> list[Line]:
    """Every line of the run; those that the log is owed are written there first.

    Raises UnreadableRunError, ConflictError where it is not at rest.
    """
    if by := drives(head):
        raise ConflictError(f"run {head.run_id} is still held by {by}")
    draft = await load(keeper.store, head.run_id, keeper.keys)
    if draft.run is None or draft.run.seq != head.seq:
        raise ConflictError(f"run {head.run_id} has been moved on meanwhile")
    if draft.lines:
        await settle_log(draft, keeper.store, keeper.telemetry)
    if draft.lines and keeper.telemetry.has_loggers:
        raise ConflictError(f"run {head.run_id} has lines that the log could not take")
    whole = Draft(keeper.keys)
    for step in walk(await keeper.store.entries(head.run_id), head.run_id, keeper.keys):
        whole.follow(step)
    return whole.lines


def _require_whole(file: Path, count: int, keeper: Keeper) -> None:
    """Nothing, where every run in the file holds together; else EngineError."""
    tally, whole = Tally(), 0
    try:
        for run in logged_runs([file], tally, keeper.keys):
            for _ in run.steps(keeper.keys):
                pass
            whole += 1
    except UnreadableRunError as error:
        raise EngineError(
            f"the archive cannot be read back, nothing was removed: {error}"
        ) from error
    if whole != count or tally.damaged:
        raise EngineError(f"the archive has {whole} of {count} runs, so nothing was removed")


async def _move_out(keeper: Keeper, file: Path, held: ExitStack, done: Archiving) -> None:
    """Nothing; what is in the file is only there now, and what stays in the store is not in it."""
    moved = await move_out(keeper, file)
    held.close()
    done.runs += moved.runs
    done.left.update(moved.stayed)
    if moved.kept:
        done.files.append(str(file))
    if moved.stayed and not moved.foreign:  # it may be forgotten there, and nobody looked here
        await asyncio.to_thread(rewrite, file, {name: {} for name in moved.stayed})


def _absolute(folder: Path) -> Path:
    return folder.absolute()


def _is_same(file: Path, marker: Path) -> bool:
    return file.exists() and file.samefile(marker)


def _hold(fd: int, held: ExitStack, patience: float = 10.0) -> None:
    """Nothing; the file is open, and ours, as long as `held` is. Raises BlockingIOError."""
    held.callback(os.close, fd)
    lock_patiently(fd, patience)
