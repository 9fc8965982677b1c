"""The disk as SQLite sees it, with somebody told of each sync."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

Synced = Callable[[str], None]


class _File(apsw.VFSFile):
    def __init__(self, base: str, name: Any, flags: list[int], synced: Synced) -> None:
        super().__init__(base, name, flags)
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name, self._synced = Path(path or "temporary").name, synced

    def xSync(self, flags: int) -> None:  # noqa: N802 # SQLite's name
        self._synced(self._name)
        super().xSync(flags)


class _Disk(apsw.VFS):
    def __init__(self, base: str, synced: Synced) -> None:
        self._base, self._synced = base, synced
        super().__init__("watched", base, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 # SQLite's name
        return _File(self._base, name, flags, self._synced)


@contextmanager
def watched(synced: Synced) -> Iterator[None]:
    """A context in which `synced` hears of each sync of a file opened within, by its name."""
    base = apsw.vfs_names()[0]
    disk = _Disk(base, synced)
    try:
        yield
    finally:
        apsw.set_default_vfs(base)
        disk.unregister()
