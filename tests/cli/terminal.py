"""A terminal in which the command runs, and a person who reads and types."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.runtime.test_engine import SQLITE

_ROOT = Path(__file__).parents[2]
_CODE = "from engine.cli import main; main()"


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT), "TERM": "xterm", **more}


def line(*words: str, app: str = "tests.cli.desk:WORKFLOWS") -> list[str]:
    return [sys.executable, "-W", "error", "-c", _CODE, *words, "--store", SQLITE, "--app", app]


class Terminal:
    """The command in a terminal of 24 lines of 100 columns."""

    def __init__(self, *words: str, app: str = "tests.cli.desk:WORKFLOWS", **more: str) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            line(*words, app=app),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(**more),
        )
        os.close(theirs)
        self.shown = ""
        self._seen = 0

    def __enter__(self) -> Self:
        """The terminal."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End whatever still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._ours)

    def interrupt(self) -> None:
        """Nothing, once it has ended: a signal that comes before it reads is not heard."""
        while self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(1)

    def until(self, words: str) -> None:
        """Nothing, once these words are shown, after those waited for before."""
        place = self._found(words)
        while place < 0:
            assert self._read(), f"{words!r} is not in {self.shown!r}"
            place = self._found(words)
        self._seen = place + len(words)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def press(self, key: str) -> None:
        """Nothing; the key is pressed once keys are read as they come: before, it would be lost."""
        while termios.tcgetattr(self._ours)[3] & termios.ICANON:
            assert self.process.poll() is None
            self._look(0.01)
        self.type(key)

    def end(self) -> int:
        """The exit code, once it has ended."""
        while self._read():
            pass
        return self.process.wait(60)

    def _found(self, words: str) -> int:
        return self.shown.find(words, self._seen)

    def _read(self) -> bool:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if (more := self._look(1)) is not None:
                return more
        return False

    def _look(self, seconds: float) -> bool | None:
        """Whether more is shown; None where nothing came so far."""
        if not select.select([self._ours], [], [], seconds)[0]:
            return None
        try:
            more = os.read(self._ours, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += more.decode(errors="replace")
        return bool(more)
