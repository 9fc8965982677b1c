"""How a SQLite store is, in figures."""

import shutil
from pathlib import Path

import apsw

from engine.ports import Health

_SYNC_MODES = {0: "off", 1: "normal", 2: "full", 3: "extra"}


def health(connection: apsw.Connection, path: Path, counts: str, now: int) -> Health:
    """The figures; `counts` is the query for those of its runs, as they are `now`."""
    counted = connection.execute(counts, {"now": now}).fetchone()
    owed, ready, waiting, tried = counted or (0, 0, 0, 0)
    wal = path.with_name(f"{path.name}-wal")
    return Health(
        where=str(path.absolute()),
        sqlite=apsw.sqlite_lib_version(),
        schema=int(connection.pragma("user_version")),
        journal_mode=str(connection.pragma("journal_mode")),
        sync_mode=_SYNC_MODES.get(connection.pragma("synchronous"), "unknown"),
        size=path.stat().st_size + (wal.stat().st_size if wal.exists() else 0),
        free=shutil.disk_usage(path.parent).free,
        owed=owed,
        ready=ready,
        waiting=waiting,
        most_tries=tried,
    )
