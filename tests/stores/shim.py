"""A disk that a test can fill up or break: a VFS of SQLite's that stands before the real one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

_REAL = apsw.vfs_names()[0]


class Disk(apsw.VFS):
    """Counts writes and syncs, and fails where it is told to.

    `full_at` is the number of the write (from 1) from which on there is no room, until
    `room` is made. A sync that fails does so after the bytes were handed on.
    """

    def __init__(self) -> None:
        self.writes = self.syncs = self.failures = 0
        self.full_at: int | None = None
        self.broken: str | None = None  # what the name of a file ends with, whose syncs fail
        self.sound = 0  # how many of them go well before
        super().__init__("shim", _REAL, makedefault=True)

    def room(self) -> None:
        self.full_at = self.broken = None

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "_File":  # noqa: N802 # SQLite's name
        return _File(self, name, flags)

    def on_write(self) -> None:
        self.writes += 1
        if self.full_at is not None and self.writes >= self.full_at:
            self.failures += 1
            raise apsw.FullError("database or disk is full")

    def on_sync(self, name: str) -> None:
        self.syncs += 1
        if self.broken is None or not name.endswith(self.broken):
            return
        self.sound -= 1
        if self.sound < 0:
            self.failures += 1
            error = apsw.IOError("disk I/O error")
            vars(error)["extendedresult"] = apsw.SQLITE_IOERR_FSYNC
            raise error


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        super().__init__(_REAL, name, flags)

    def xLock(self, level: int) -> None:  # noqa: N802 # SQLite's name
        try:
            super().xLock(level)
        except apsw.IOError as error:
            # Of a file opened to be read, at its closing: SQLite passes over it, if it may.
            raise apsw.BusyError from error

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 # SQLite's name
        self._disk.on_write()
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 # SQLite's name
        super().xSync(flags)
        self._disk.on_sync(Path(self._name).name)


@contextmanager
def disk() -> Iterator[Disk]:
    """Every store that is opened in this context is on it."""
    made = Disk()
    try:
        yield made
    finally:
        made.unregister()
