"""The one thread that owns a connection, and takes what is queued into one transaction."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

import apsw

from engine.errors import EngineError, StoreError
from engine.stores.trouble import rolled_back, sync_failed, trouble

_T = TypeVar("_T")
_Work = Callable[[apsw.Connection], None]
_Write = tuple[_Work, "Future[None]"]
_Job = Callable[[], None]


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
        self._queue: SimpleQueue[_Write | _Job | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name=f"store {path}", daemon=True)
        self._thread.start()

    async def write(self, work: _Work) -> None:
        """Nothing, once what `work` wrote is durable.

        What `work` raises is raised here, and then nothing of it was written. Raises
        StoreError where the store fails.
        """
        done: Future[None] = Future()
        self._queue.put((work, done))
        await asyncio.wrap_future(done)

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
        done: Future[_T] = Future()

        def job() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                answer = question(self._whole())
            except Exception as error:  # noqa: BLE001 # it belongs to who asked
                done.set_exception(self._explained(error))
            else:
                done.set_result(answer)

        self._queue.put(job)
        return await asyncio.wrap_future(done)

    async def close(self) -> None:
        """Nothing, once what was queued is done and the connection is closed."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        while True:
            writes: list[_Write] = []
            for one in (self._queue.get(), *self._waiting()):
                if isinstance(one, tuple):
                    writes.append(one)
                    continue
                self._commit(writes)
                writes = []
                if one is None:
                    self._connection.close()
                    return
                one()
            self._commit(writes)

    def _waiting(self) -> list[_Write | _Job | None]:
        waiting: list[_Write | _Job | None] = []
        while True:
            try:
                waiting.append(self._queue.get_nowait())
            except Empty:
                return waiting

    def _commit(self, writes: list[_Write]) -> None:
        """Make the writes durable in one transaction, and tell each how it went."""
        writes = [one for one in writes if one[1].set_running_or_notify_cancel()]
        if not writes:
            return
        committing = False
        try:
            self._whole().execute("BEGIN IMMEDIATE")
            refused = [self._refusal(work) for work, _ in writes]
            committing = True
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 # whatever it is, those who wait must hear it
            unknown = committing and not rolled_back(error, self._connection)
            self._roll_back()
            for _, done in writes:
                done.set_exception(self._explained(error, unknown=unknown))
            return
        for (_, done), refusal in zip(writes, refused, strict=True):
            if refusal is None:
                done.set_result(None)
            else:
                done.set_exception(refusal)

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
