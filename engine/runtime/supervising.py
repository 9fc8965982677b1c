"""Who watches over a process that runs one call, and leaves nothing of it behind.

The call's process leads a group of its own. What it began may have left that group, but
not this supervisor: an orphan is handed to it by the kernel (where there is such a thing:
on Linux), and is killed as well.
"""

import ctypes
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import orjson

from engine.runtime.frames import LONGEST, framed, receive, whole

Work = Callable[[bytes, int], None]

BEGUN = b"+"
LOOK = 1.0  # seconds between two looks at who has begun us
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36


def supervise(wire: socket.socket, work: Work) -> None:
    """Nothing, once the call that is asked for over the wire is over, and all that it began.

    It is over when it has answered, when its process is dead, or the other side is gone.
    The answer goes over the wire after that.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _control(_SET_CHILD_SUBREAPER, 1)
    asked = receive(wire)
    if asked is None:
        return
    with suppress(OSError):
        wire.sendall(BEGUN)  # first: what is not known to have begun is begun again
    said = _said(wire, asked, work)
    with suppress(OSError):
        wire.sendall(framed(said))


def _said(wire: socket.socket, asked: bytes, work: Work) -> bytes:
    parent, us = os.getppid(), os.getpid()
    answers, answer = os.pipe()
    try:
        worker = os.fork()
    except OSError as error:
        return _told(f"no process could be begun: {error.strerror}", "engine.errors.NotExecuted")
    if not worker:
        os.setsid()
        _control(_SET_PDEATHSIG, signal.SIGKILL)
        wire.close()
        os.close(answers)
        if os.getppid() == us:  # else it is too late for the signal
            work(asked, answer)
        os._exit(1)
    os.close(answer)
    try:
        return _wait(wire, worker, answers, parent)
    finally:
        _kill_all(worker)


def _wait(wire: socket.socket, worker: int, answers: int, parent: int) -> bytes:
    """The answer; where there is none, how the process ended."""
    received, place = bytearray(), select.poll()
    place.register(wire, select.POLLIN)
    place.register(answers, select.POLLIN)
    while os.getppid() == parent:
        ready = [which for which, _ in place.poll(LOOK * 1000)]
        if answers in ready:
            chunk = os.read(answers, 2**16)
            received += chunk
            if (said := whole(received)) is not None:
                return said
            if not chunk:
                return _died(worker)
            if len(received) > LONGEST:
                return _told("its process gave too long an answer")
        elif wire.fileno() in ready:
            break
        elif _is_dead(worker):  # what it began may hold the pipe open
            return _died(worker)
    return _told("it was broken off")


def _is_dead(worker: int) -> bool:
    ended = os.waitid(os.P_PID, worker, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended is not None


def _died(worker: int) -> bytes:
    with suppress(ProcessLookupError):
        os.kill(worker, signal.SIGKILL)  # who closes its pipe has no more to say
    ended = os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
    how = f"status {ended.si_status}" if ended else "no status"
    return _told(f"its process ended without an answer ({how})")


def _told(words: str, kind: str = "builtins.ChildProcessError") -> bytes:
    """An answer of our own."""
    return orjson.dumps({"words": words, "kinds": [kind], "doubt": True})


def _kill_all(worker: int) -> None:
    """Nothing, once the process, its group, and all that they left to us are dead."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)
    ours = {worker}
    while True:
        for child in ours.union(_children()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(child, signal.SIGKILL)
        try:
            ours.discard(os.waitpid(-1, 0)[0])
        except ChildProcessError:
            return


def _children() -> Iterator[int]:
    us = str(os.getpid())
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (folder / "stat").read_text().rpartition(")")[2].split()[1] == us:
                yield int(folder.name)


def _control(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
