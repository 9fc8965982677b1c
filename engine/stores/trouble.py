"""What ails a store, in words: which file, why, what was kept, and what to do."""

from pathlib import Path

import apsw

from engine.errors import StoreError

_FAILED_SYNCS = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)

_HELD = "another program, or a run's transactional tool, holds the file: let it finish, then go on"
_ADVICE: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.FullError, "make room on its disk, then go on"),
    (apsw.ReadOnlyError, "make the file and its folder writable, then go on"),
    (apsw.BusyError, _HELD),
    (apsw.LockedError, _HELD),
    (apsw.CantOpenError, "see that the file and its folder can be opened, then go on"),
    (apsw.CorruptError, "the file is damaged: see `waystation verify`, or restore a backup"),
    (apsw.NotADBError, "the file is damaged: restore a backup"),
    (apsw.IOError, "see to the disk, then go on"),
)


def trouble(path: Path, error: apsw.Error, *, unknown: bool = False) -> StoreError:
    """The error to raise where the store at `path` failed.

    `unknown` where a commit failed in such a way that it may have been kept.
    """
    kept = "what was stored before is kept, this step was not taken"
    if unknown:
        kept = "it is not known whether this step was kept; reading the run again tells"
    advice = next((words for kind, words in _ADVICE if isinstance(error, kind)), "")
    if sync_failed(error):
        advice = "the disk did not confirm a write: see to it, then start anew"
    return StoreError("; ".join(filter(None, (f"the store {path} failed: {error}", kept, advice))))


def rolled_back(error: Exception, connection: apsw.Connection) -> bool:
    """Whether a commit that failed is sure to be undone, or still can be.

    Where there was no room for its frames, the one that makes it a commit was not written.
    """
    return connection.in_transaction or isinstance(error, apsw.FullError)


def sync_failed(error: apsw.Error) -> bool:
    """Whether the disk refused to confirm a write: no later sync can be believed either."""
    return getattr(error, "extendedresult", None) in _FAILED_SYNCS
