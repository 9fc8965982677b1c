"""A log file that several processes may append to, and that may be moved away meanwhile."""

import errno
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl


# A pipe that nobody empties must not stop the runs.
_FLAGS = os.O_APPEND | os.O_CREAT | os.O_RDWR | getattr(os, "O_NONBLOCK", 0)
_LOCK_TRIES, _LOCK_PAUSE = 100, 0.001  # seconds; our own lines are done in microseconds


class LogFile:
    """Whole lines, appended unbuffered, so that a line is one write.

    A line that somebody left half written is ended first, so that the next one never
    hangs on to it. Where the file was moved away or deleted, a new one is begun.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, with its folder; raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = str(path)
        self._fd = self._open()
        self._waiting: list[bytes] | None = None
        self._end = -1  # where our last line ended; nobody has written since where it ends there

    @contextmanager
    def together(self) -> Iterator[None]:
        """A context after which what was written within it is in the file, by one write."""
        lines = self._waiting = list[bytes]()
        try:
            yield
        finally:
            self._waiting = None
        if lines:
            self._write(b"".join(lines))

    def write(self, line: bytes) -> int:
        """The length of the line, which is written; raises OSError, and mends it next time."""
        if self._waiting is None:
            self._write(line)
        else:
            self._waiting.append(line)
        return len(line)

    def _write(self, line: bytes) -> None:
        size = self._hold()
        try:
            whole = size == self._end or not _ends_in_mid_line(self._fd)
            rest = memoryview(line if whole else b"\n" + line)
            self._end = -1
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            self._end = size + len(line) + (not whole)
        finally:
            _unlock(self._fd)

    def flush(self) -> None:
        """Nothing: nothing is buffered."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _open(self) -> int:
        return os.open(self._path, _FLAGS, 0o666)

    def _hold(self) -> int:
        """The size in bytes of the file at the path, locked; it may be another than ours by now.

        It is looked at under the lock: who held it before may have put another one there.
        """
        _lock(self._fd)
        while (size := size_at(self._fd, self._path)) is None:
            _unlock(self._fd)
            self._begin_anew()
            _lock(self._fd)
        return size

    def _begin_anew(self) -> None:
        new = self._open()
        os.close(self._fd)
        self._fd, self._end = new, -1


def size_at(fd: int, path: str) -> int | None:
    """The size of the open file, in bytes; None where another one stands at the path, or none."""
    ours = os.fstat(fd)
    try:
        there = os.stat(path)  # noqa: PTH116 # once a line: the plain call is the fast one
    except FileNotFoundError:
        return None
    same = (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
    return ours.st_size if same else None


def lock_patiently(fd: int, seconds: float = 10.0) -> None:
    """Let nobody of ours write to the file until it is closed; raises BlockingIOError."""
    end = time.monotonic() + seconds
    while True:
        try:
            return _lock(fd)
        except BlockingIOError:
            if time.monotonic() > end:
                raise


def _lock(fd: int) -> None:
    """Let no other process of ours write meanwhile, where the system knows how."""
    if sys.platform != "win32":
        for _ in range(_LOCK_TRIES):
            try:
                return fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)
            except OSError:
                return None  # a device or a file system without locks
        raise BlockingIOError(errno.EWOULDBLOCK, "another program holds its lock")
    return None


def _unlock(fd: int) -> None:
    if sys.platform != "win32":
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)


def _ends_in_mid_line(fd: int) -> bool:
    try:
        end = os.lseek(fd, 0, os.SEEK_END)
    except OSError:  # a pipe or a terminal
        return False
    return bool(end) and os.pread(fd, 1, end - 1) not in (b"\n", b"")
