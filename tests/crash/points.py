"""Named points that a program reaches, and its death at one of them."""

import os
import signal
from collections import Counter
from collections.abc import Sequence
from threading import Lock

Pair = tuple[str, int]


class Points:
    """Counts how often each point is reached; at one of them the process is killed for good.

    `kill` names a point and which time it is reached; None only counts. Several
    threads reach points, so counting is locked.
    """

    def __init__(self, kill: Sequence[str | int] | None = None) -> None:
        self._kill = tuple(kill) if kill else None
        self._counts = Counter[str]()
        self._lock = Lock()
        self.reached: list[Pair] = []

    def due(self, name: str) -> bool:
        """Whether the process is to die at this point now, which counts as reaching it."""
        with self._lock:
            self._counts[name] += 1
            pair = (name, self._counts[name])
            self.reached.append(pair)
            return pair == self._kill

    def reach(self, name: str) -> None:
        """Nothing, or death."""
        if self.due(name):
            die()


def die() -> None:
    """As the kernel ends a process: no handler, no flush, no clean-up."""
    os.kill(os.getpid(), signal.SIGKILL)
