"""A copy of a SQLite store, taken while others may write to it."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

import apsw

from engine.errors import BadInputError, StoreError
from engine.stores.database import BUSY_MS, connect, inspect
from engine.stores.folders import sync_folder
from engine.stores.trouble import trouble


def back_up(source: Path, target: Path, migrations: tuple[str, ...]) -> int:
    """The size in bytes of the new file at `target`, a whole store as `source` was at one moment.

    It is made with SQLite's backup interface, under another name until it is whole and
    synced; it has today's schema, and nobody drives the runs in it. `source` is only read.
    Raises BadInputError where there is something at `target` already, StoreError where
    either file fails, and as `inspect` for what is no store, or a newer one.
    """
    if target.exists() or target.is_symlink():
        raise BadInputError(f"there is something at {target} already; name a new file")
    inspect(source, len(migrations))
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        _copy(source, part)
        _finish(part, migrations)
        os.link(part, target)  # fails where somebody has put something there meanwhile
        sync_folder(target.parent)
    except apsw.Error as error:
        raise StoreError(f"no backup was made: {trouble(part, error)}") from error
    except OSError as error:
        raise StoreError(f"no backup was made at {target}: {error.strerror}") from error
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                part.with_name(part.name + end).unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, part: Path) -> None:
    os.close(os.open(part, os.O_CREAT | os.O_EXCL, 0o666))  # says plainly what is wrong with it
    origin = apsw.Connection(str(source), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        origin.set_busy_timeout(BUSY_MS)
        copy = apsw.Connection(str(part))
        try:
            with copy.backup("main", origin, "main") as backup:
                backup.step(-1)  # all of it in one read: what is written meanwhile is left out
        finally:
            copy.close()
    finally:
        origin.close()


def _finish(part: Path, migrations: tuple[str, ...]) -> None:
    copy = connect(part, migrations)
    try:
        copy.execute("UPDATE runs SET owner = '', expires = 0 WHERE owner <> ''")
        copy.pragma("journal_mode", "delete")
    finally:
        copy.close()
