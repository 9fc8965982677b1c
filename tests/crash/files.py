"""A layer between SQLite and the disk: it reaches points, and it keeps a record."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from tests.crash.points import Points

_BASE = apsw.vfs_names()[0]  # what lies below the layer, while that is the default one

_ROLES = {
    apsw.SQLITE_OPEN_MAIN_DB: "main",
    apsw.SQLITE_OPEN_WAL: "wal",
    apsw.SQLITE_OPEN_MAIN_JOURNAL: "journal",
}

# What was done to a file: its name, what, and where it applies the offset or size, and the bytes.
Step = tuple[str, str, int, bytes]
Keep = Callable[[Step], None]


class Layer(apsw.VFS):
    """Every file that SQLite opens from now on in this process goes through here.

    `keep` hears of every change before it is made. Nothing is really synced: what the
    kernel was given outlives a killed process, and power cuts are made from the record.
    """

    def __init__(self, points: Points, keep: Keep = lambda _: None) -> None:
        super().__init__("layer", _BASE, makedefault=True)
        self._points, self._keep = points, keep

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "LayeredFile":  # noqa: N802 # SQLite's name
        role = next((role for flag, role in _ROLES.items() if flags[0] & flag), "temporary")
        return LayeredFile(name, flags, role, self._points, self._keep)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 # SQLite's
        self._points.reach("files.delete.before")
        self._keep((Path(filename).name, "delete", int(syncdir), b""))
        super().xDelete(filename, syncdir)
        self._points.reach("files.delete.after")


class LayeredFile(apsw.VFSFile):
    """One open file."""

    def __init__(
        self,
        name: str | apsw.URIFilename | None,
        flags: list[int],
        role: str,
        points: Points,
        keep: Keep,
    ) -> None:
        super().__init__(_BASE, name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(path or "temporary").name
        self._role, self._points, self._keep = role, points, keep

    def xLock(self, level: int) -> None:  # noqa: N802 # SQLite's name
        try:
            super().xLock(level)
        except apsw.IOError as error:
            # A file opened read-only cannot be locked for writing, which SQLite tries as it
            # closes it, and takes no for an answer; of exceptions it takes only this one so.
            raise apsw.BusyError("it cannot be locked") from error

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 # SQLite's name
        self._points.reach(f"{self._role}.write.before")
        self._keep((self._name, "write", offset, bytes(data)))
        super().xWrite(data, offset)
        self._points.reach(f"{self._role}.write.after")

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 # SQLite's name
        self._points.reach(f"{self._role}.truncate.before")
        self._keep((self._name, "truncate", newsize, b""))
        super().xTruncate(newsize)
        self._points.reach(f"{self._role}.truncate.after")

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802 # SQLite's name
        self._points.reach(f"{self._role}.sync.before")
        self._keep((self._name, "sync", 0, b""))
        self._points.reach(f"{self._role}.sync.after")
