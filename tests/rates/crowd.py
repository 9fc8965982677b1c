"""A server that sees how many ask it at once, and may keep them waiting."""

import threading
from typing import Any

from tests.models.server import ProtocolServer, Reply, completion

ANSWER = completion({"content": "All done."})


class Crowd(ProtocolServer):
    """Answers each one once `together` are inside; knows the most that were, and who came when."""

    def __init__(self, *replies: Reply, together: int = 1) -> None:
        super().__init__([*replies, ANSWER])
        self._together = threading.Barrier(together, timeout=20)
        self._lock = threading.Lock()
        self.inside = self.most = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    @property
    def came(self) -> list[str]:
        """What those who came were about, the first first."""
        return [one["messages"][1]["content"] for one in self.requests]

    def answer(self, request: dict[str, Any]) -> Reply:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            reply = super().answer(request)
        self._together.wait()
        self.may_answer.wait(20)
        with self._lock:
            self.inside -= 1
        return reply
