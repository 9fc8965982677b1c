"""The one thread that owns a connection, and takes what is queued into one transaction."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeVar, cast

import apsw

from engine.errors import EngineError, StoreError
from engine.stores.trouble import rolled_back, sync_failed, trouble

_T = TypeVar("_T")
_Work = Callable[[apsw.Connection], None]


@dataclass(eq=False, slots=True)
class _Asked(Generic[_T]):
    """What somebody waits for. Answers are told to their loop, several at once."""

    act: Callable[[apsw.Connection], _T]
    loop: asyncio.AbstractEventLoop
    told: "asyncio.Future[_T]"
    is_write: bool
    answer: _T | None = None
    error: Exception | None = None

    def tell(self) -> None:
        if self.told.done():  # whoever waited was cancelled
            return
        if self.error is not None:
            self.told.set_exception(self.error)
        else:
            self.told.set_result(cast(_T, self.answer))


def _tell(answered: "Iterable[_Asked[Any]]") -> None:
    """Nothing; wakes each loop once, however many of its answers there are."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Asked[Any]]] = {}
    for one in answered:
        by_loop.setdefault(one.loop, []).append(one)
    for loop, ours in by_loop.items():
        with suppress(RuntimeError):  # it is closed: nobody waits any more
            loop.call_soon_threadsafe(_tell_all, ours)


def _tell_all(answered: "list[_Asked[Any]]") -> None:
    for one in answered:
        one.tell()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file stands there now."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Writer:
    """A connection's own thread. Neighbouring writes share a transaction, and so a sync."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        """Take the connection over, and begin."""
        self._path, self._connection = path, connection
        self._place = path.absolute()
        self._broken: StoreError | None = None
        self._file = _identity(self._place)
        self._queue: SimpleQueue[_Asked[Any] | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name=f"store {path}", daemon=True)
        self._thread.start()

    async def write(self, work: _Work) -> None:
        """Nothing, once what `work` wrote is durable.

        What `work` raises is raised here, and then nothing of it was written. Raises
        StoreError where the store fails.
        """
        await self._asked(work, is_write=True)

    async def note(self, work: Callable[[apsw.Connection], _T]) -> _T:
        """What `work` gives, in a transaction of its own that need not outlive a power cut."""

        def noted(connection: apsw.Connection) -> _T:
            connection.pragma("synchronous", "normal")
            try:
                connection.execute("BEGIN IMMEDIATE")
                answer = work(connection)
                connection.execute("COMMIT")
            finally:
                self._roll_back()
                connection.pragma("synchronous", "full")
            return answer

        return await self.ask(noted)

    async def ask(self, question: Callable[[apsw.Connection], _T]) -> _T:
        """The answer to a question that the connection's thread is asked."""
        return await self._asked(question, is_write=False)

    async def close(self) -> None:
        """Nothing, once what was queued is done and the connection is closed."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _asked(self, act: Callable[[apsw.Connection], _T], *, is_write: bool) -> _T:
        loop = asyncio.get_running_loop()
        told: asyncio.Future[_T] = loop.create_future()
        self._queue.put(_Asked(act, loop, told, is_write))
        return await told

    def _serve(self) -> None:
        while True:
            writes: list[_Asked[None]] = []
            for one in (self._queue.get(), *self._waiting()):
                if one is not None and one.told.cancelled():
                    continue
                if one is not None and one.is_write:
                    writes.append(one)
                    continue
                self._commit(writes)
                writes = []
                if one is None:
                    self._connection.close()
                    return
                self._answer(one)
            self._commit(writes)

    def _waiting(self) -> "list[_Asked[Any] | None]":
        waiting: list[_Asked[Any] | None] = []
        while True:
            try:
                waiting.append(self._queue.get_nowait())
            except Empty:
                return waiting

    def _answer(self, one: _Asked[Any]) -> None:
        try:
            one.answer = one.act(self._whole())
        except Exception as error:  # noqa: BLE001 # it belongs to who asked
            one.error = self._explained(error)
        _tell((one,))

    def _commit(self, writes: list[_Asked[None]]) -> None:
        """Make the writes durable in one transaction, and tell each how it went."""
        if not writes:
            return
        committing = False
        try:
            self._whole().execute("BEGIN IMMEDIATE")
            for one in writes:
                one.error = self._refusal(one.act)
            committing = True
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 # whatever it is, those who wait must hear it
            unknown = committing and not rolled_back(error, self._connection)
            self._roll_back()
            for one in writes:
                one.error = self._explained(error, unknown=unknown)
        _tell(writes)

    def _refusal(self, work: _Work) -> Exception | None:
        """Why this one of several writes is not in the transaction; None where it is."""
        self._connection.execute("SAVEPOINT one")
        try:
            work(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:  # the whole of it was rolled back
                cause = error if isinstance(error, apsw.Error) else error.__cause__
                if not isinstance(cause, apsw.Error):
                    cause = StoreError("a tool rolled the transaction back; nothing of it was kept")
                raise cause from error
            self._connection.execute("ROLLBACK TO one; RELEASE one")
            return self._explained(error)
        self._connection.execute("RELEASE one")
        return None

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(apsw.Error):
                self._connection.execute("ROLLBACK")

    def _whole(self) -> apsw.Connection:
        if self._broken is not None:
            raise self._broken
        if _identity(self._place) != self._file:
            raise StoreError(
                f"the store {self._path} was moved away or deleted while it was in use; "
                "nothing more is written to it: put it back, then start anew"
            )
        return self._connection

    def _explained(self, error: Exception, *, unknown: bool = False) -> Exception:
        """The error in our words; after a failed sync the store is not trusted again."""
        if isinstance(error, EngineError) or not isinstance(error, apsw.Error):
            return error
        explained = trouble(self._path, error, unknown=unknown)
        if sync_failed(error):
            self._broken = explained
        return explained
