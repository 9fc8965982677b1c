"""Who drives: a process on a host, told apart from a later one under the same number."""

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Owner:
    """One driver: its host, process, when that process started, and a tag of its own.

    `started` is in clock ticks since the host's boot, or empty where the host does
    not tell; unlike a time of day it is never set.
    """

    host: str
    pid: int
    started: str
    tag: str

    @classmethod
    def mine(cls) -> Self:
        """A new driver in this process."""
        pid = os.getpid()
        return cls(_host(), pid, _started(pid) or "", secrets.token_hex(3))

    @classmethod
    def read(cls, text: str) -> Self | None:
        """The driver that `text` names; None where it names none."""
        try:
            host, pid, started, tag = text.rsplit(_SEPARATOR, 3)
            return cls(host, int(pid), started, tag)
        except ValueError:
            return None

    def __str__(self) -> str:
        """As it stands in a lease."""
        return _SEPARATOR.join((self.host, str(self.pid), self.started, self.tag))

    @property
    def is_dead(self) -> bool:
        """Whether this driver's process is known to have ended; only its own host can know."""
        return self.host == _host() and not _runs(self.pid, self.started)

    def in_words(self) -> str:
        """The driver for people."""
        return f"process {self.pid} on {self.host.partition('#')[0]}"


def _host() -> str:
    """This host, and where it can be told its table of processes."""
    try:
        processes = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return socket.gethostname()
    return f"{socket.gethostname()}#{processes}".replace(_SEPARATOR, "_")


def _runs(pid: int, started: str) -> bool:
    if (began := _started(pid)) is not None or Path(f"/proc/{pid}").exists():
        return began == started
    try:  # gone, or hidden from us (see hidepid in proc(5))
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # somebody else's
    return True


def _started(pid: int) -> str | None:
    """When a process started, from /proc/PID/stat (see proc_pid_stat(5)); None if it is gone.

    A process that is dead but not yet waited for is gone too.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in ("Z", "X") else fields[18]
