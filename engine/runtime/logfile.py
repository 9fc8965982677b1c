"""A log file that several processes may append to, and that may be moved away meanwhile."""

import errno
import os
import sys
import time
from contextlib import suppress
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

    def write(self, line: bytes) -> int:
        """The length of the line, all of it written; raises OSError, and mends it next time."""
        self._hold()
        try:
            rest = memoryview(b"\n" + line if _ends_in_mid_line(self._fd) else line)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        finally:
            _unlock(self._fd)
        return len(line)

    def flush(self) -> None:
        """Nothing: nothing is buffered."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def _open(self) -> int:
        return os.open(self._path, _FLAGS, 0o666)

    def _hold(self) -> None:
        """Lock the file at the path, which may be another one than ours by now.

        It is looked at again under the lock: who held the lock may have put another there.
        """
        self._follow()
        _lock(self._fd)
        while not is_at(self._fd, self._path):
            _unlock(self._fd)
            self._follow()
            _lock(self._fd)

    def _follow(self) -> None:
        """Begin a new file where ours is no longer the one at the path."""
        if not is_at(self._fd, self._path):
            new = self._open()
            os.close(self._fd)
            self._fd = new


def is_at(fd: int, path: str) -> bool:
    """Whether the open file is the one that stands at the path."""
    ours = os.fstat(fd)
    try:
        there = os.stat(path)  # noqa: PTH116 # once a line: the plain call is the fast one
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


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
