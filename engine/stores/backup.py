"""A copy of a SQLite store, taken while others may write to it."""

import os
from contextlib import suppress
from pathlib import Path

import apsw

from engine.errors import BadInputError, NotAStoreError, StoreError
from engine.stores.database import APPLICATION_ID, BUSY_MS
from engine.stores.trouble import trouble


def back_up(source: Path, target: Path) -> int:
    """The size in bytes of the new file at `target`, a whole store as `source` was at one moment.

    It is made with SQLite's backup interface, under another name until it is whole and
    synced; nobody drives the runs in it. Raises BadInputError where there is something at
    `target` already, StoreError where either file fails.
    """
    if target.exists() or target.is_symlink():
        raise BadInputError(f"there is something at {target} already; name a new file")
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        _copy(source, part)
        os.link(part, target)  # fails where somebody has put something there meanwhile
        _sync_folder(target.parent)
    except apsw.Error as error:
        raise StoreError(f"no backup was made: {trouble(source, error)}") from error
    except OSError as error:
        raise StoreError(f"no backup was made at {target}: {error.strerror}") from error
    finally:
        for left in (
            part,
            part.with_name(f"{part.name}-journal"),
            part.with_name(f"{part.name}-wal"),
        ):
            with suppress(OSError):
                left.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, part: Path) -> None:
    origin = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
    copy = apsw.Connection(str(part))
    try:
        origin.set_busy_timeout(BUSY_MS)
        with copy.backup("main", origin, "main") as backup:
            backup.step(-1)  # all of it in one read, so what is written meanwhile is left out
        if copy.pragma("application_id") != APPLICATION_ID:
            raise NotAStoreError(f"{source} is no Waystation store; nothing was backed up")
        copy.pragma("journal_mode", "delete")
        copy.pragma("synchronous", "full")
        copy.execute("UPDATE runs SET owner = '', expires = 0 WHERE owner <> ''")
    finally:
        copy.close()
        origin.close()


def _sync_folder(folder: Path) -> None:
    """Make the new name durable, where the system can sync a folder."""
    with suppress(PermissionError, IsADirectoryError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
