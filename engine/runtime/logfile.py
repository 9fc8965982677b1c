"""A log file that several processes may append to, and that mends a line cut short."""

import os
from pathlib import Path


class LogFile:
    """Whole lines, appended unbuffered, so that a line is one write."""

    def __init__(self, path: Path) -> None:
        """Open the file, with its folder; raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_APPEND | os.O_CREAT | os.O_RDWR, 0o666)
        self._torn = _ends_in_mid_line(self._fd)

    def write(self, line: bytes) -> int:
        """The length of the line, all of it written; raises OSError, and mends it next time."""
        rest = memoryview(b"\n" + line if self._torn else line)
        self._torn = True
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._torn = False
        return len(line)

    def flush(self) -> None:
        """Nothing: nothing is buffered."""

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _ends_in_mid_line(fd: int) -> bool:
    try:
        end = os.lseek(fd, 0, os.SEEK_END)
    except OSError:  # a pipe or a terminal
        return False
    return bool(end) and os.pread(fd, 1, end - 1) not in (b"\n", b"")
