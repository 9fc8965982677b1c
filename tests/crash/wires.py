"""The engine's surroundings, wrapped from the outside: each step reaches a named point."""

import os
from collections.abc import Callable
from typing import Any

import apsw

from engine import Message, ModelReply, ModelRequest, ScriptedModel
from engine.core.context import Transaction
from engine.ports import Append, Lease
from engine.runtime import logfile
from engine.stores.sqlite import SqliteStore
from tests.crash.points import Points, die


class WiredStore(SqliteStore):
    """The store under test, with a point before and after each thing that it keeps.

    `acked` hears up to which seq the run is known to be durable.
    """

    def __init__(
        self, path: str, points: Points, acked: Callable[[int], None] = lambda _: None
    ) -> None:
        super().__init__(path)
        self._points, self._acked = points, acked

    async def append(self, addition: Append) -> None:
        self._points.reach("store.append.before")
        await super().append(addition)
        self._acked(addition.head.seq)
        self._points.reach("store.append.after")

    async def transact(self, work: Callable[[Transaction], Append]) -> None:
        kept: list[int] = []

        def inside(transaction: Transaction) -> Append:
            self._points.reach("store.transact.begun")
            addition = work(transaction)
            kept.append(addition.head.seq)
            self._points.reach("store.transact.worked")
            return addition

        self._points.reach("store.transact.before")
        await super().transact(inside)
        self._acked(kept[-1])
        self._points.reach("store.transact.after")

    async def claim(self, run_id: str, seen: Lease, lease: Lease) -> bool:
        self._points.reach("store.claim.before")
        taken = await super().claim(run_id, seen, lease)
        self._points.reach("store.claim.after")
        return taken

    async def release(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        self._points.reach("store.release.before")
        await super().release(run_id, lease, moved=moved)
        self._points.reach("store.release.after")

    async def mark_logged(self, run_id: str, seq: int) -> None:
        self._points.reach("store.mark_logged.before")
        await super().mark_logged(run_id, seq)
        self._points.reach("store.mark_logged.after")


class LooseStore(WiredStore):
    """The store without its protection: what it acknowledges has not been synced."""

    async def append(self, addition: Append) -> None:
        await self._loosen()
        await super().append(addition)

    async def transact(self, work: Callable[[Transaction], Append]) -> None:
        await self._loosen()
        await super().transact(work)

    async def _loosen(self) -> None:
        def loosen(connection: apsw.Connection) -> None:
            connection.pragma("synchronous", "normal")

        await self._writer.ask(loosen)


class WiredModel:
    """A scripted model with a point before and after each answer."""

    def __init__(self, replies: list[Message], points: Points) -> None:
        self._scripted, self._points = ScriptedModel(replies), points

    async def complete(self, request: ModelRequest) -> ModelReply:
        self._points.reach("model.before")
        reply = await self._scripted.complete(request)
        self._points.reach("model.after")
        return reply


class _WiredWriting:
    """The module `os` as the log file sees it: a line may be cut by death in its middle."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def write(self, descriptor: int, line: bytes) -> int:
        self._points.reach("log.before")
        if self._points.due("log.middle"):
            os.write(descriptor, line[: len(line) // 2])
            die()
        written = os.write(descriptor, line)
        self._points.reach("log.after")
        return written


def wire_log(points: Points) -> None:
    """From now on every log file of this process reaches points."""
    vars(logfile)["os"] = _WiredWriting(points)
