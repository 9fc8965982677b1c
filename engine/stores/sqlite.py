"""A store in one SQLite file.

WAL with `synchronous=FULL`, every write in BEGIN IMMEDIATE. One thread owns the
connection and takes whatever is queued into one transaction (group commit), so that
many runs share one sync.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

import apsw

from engine.core.states import State
from engine.errors import BadInputError, ConflictError, CorruptRunError, StoreError
from engine.ports import Append, Entry, Head
from engine.stores.database import connect
from engine.stores.queries import load_queries

_SQL = load_queries("sqlite.sql")
_MIGRATIONS = (_SQL["schema"],)
_NEWEST_FIRST = 2**62

_T = TypeVar("_T")
_Write = tuple[Append, "Future[None]"]
_Job = Callable[[], None]


class SqliteStore:
    """Journals and checkpoints in a SQLite file."""

    def __init__(self, path: str | Path) -> None:
        """Open or create the file; see `connect` for what is raised."""
        self._path = Path(path)
        self._connection = connect(self._path, _MIGRATIONS)
        self._queue: SimpleQueue[_Write | _Job | None] = SimpleQueue()
        self._thread = Thread(target=self._serve, name=f"store {path}", daemon=True)
        self._thread.start()

    async def append(self, addition: Append) -> None:
        """See Store."""
        done: Future[None] = Future()
        self._queue.put((addition, done))
        await asyncio.wrap_future(done)

    async def entries(self, run_id: str) -> Sequence[Entry]:
        """See Store."""
        return await self._ask(
            lambda: [Entry(*row) for row in self._connection.execute(_SQL["entries"], (run_id,))]
        )

    async def head(self, run_id: str) -> Head | None:
        """See Store."""
        return await self._ask(lambda: self._one_head(run_id))

    async def heads(
        self,
        *,
        state: State | None = None,
        workflow: str | None = None,
        limit: int,
        after: str | None = None,
    ) -> Sequence[Head]:
        """See Store."""
        match state, workflow:
            case None, None:
                query = "heads"
            case None, _:
                query = "heads_by_workflow"
            case _, None:
                query = "heads_by_state"
            case _:
                query = "heads_by_both"
        wanted = {"state": state and str(state), "workflow": workflow, "limit": limit}
        return await self._ask(lambda: self._many_heads(_SQL[query], wanted, after))

    async def mark_logged(self, run_id: str, seq: int) -> None:
        """See Store. It is written without a sync: after a power cut the line is owed again."""
        await self._ask(lambda: self._mark(run_id, seq))

    async def close(self) -> None:
        """See Store."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def _ask(self, question: Callable[[], _T]) -> _T:
        """The answer to a question that the connection's thread is asked."""
        done: Future[_T] = Future()

        def job() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                answer = question()
            except apsw.Error as error:
                done.set_exception(self._trouble(error))
            except Exception as error:  # noqa: BLE001 # it belongs to who asked
                done.set_exception(error)
            else:
                done.set_result(answer)

        self._queue.put(job)
        return await asyncio.wrap_future(done)

    def _serve(self) -> None:
        """Do what is queued, until None comes; neighbouring writes share a transaction."""
        while True:
            taken = [self._queue.get(), *self._waiting()]
            writes: list[_Write] = []
            for one in taken:
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
        refused: dict[int, ConflictError] = {}
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for place, (addition, _) in enumerate(writes):
                if not self._move(addition):
                    refused[place] = self._conflict(addition)
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 # whatever it is, those who wait must hear it
            self._roll_back()
            for _, done in writes:
                done.set_exception(self._trouble(error))
            return
        for place, (_, done) in enumerate(writes):
            if place in refused:
                done.set_exception(refused[place])
            else:
                done.set_result(None)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            with suppress(apsw.Error):
                self._connection.execute("ROLLBACK")

    def _move(self, addition: Append) -> bool:
        """Whether the addition fitted; then it is in the open transaction."""
        head = addition.head
        row = {**asdict(head), "state": str(head.state)}
        if addition.expected:
            self._connection.execute(_SQL["move_run"], {**row, "expected": addition.expected})
        else:
            self._connection.execute(_SQL["insert_run"], row)
        if not self._connection.changes():
            return False
        self._connection.executemany(
            _SQL["insert_event"],
            (
                (head.run_id, one.seq, one.at, one.kind, one.data, one.digest)
                for one in addition.entries
            ),
        )
        return True

    def _conflict(self, addition: Append) -> ConflictError:
        head = self._one_head(addition.head.run_id)
        return ConflictError(
            f"run {addition.head.run_id} is at seq {head.seq if head else 0}, "
            f"not {addition.expected}: somebody else has moved it on"
        )

    def _one_head(self, run_id: str) -> Head | None:
        row = self._connection.execute(_SQL["head"], (run_id,)).fetchone()
        return _head(row) if row else None

    def _many_heads(
        self, query: str, wanted: Mapping[str, object], after: str | None
    ) -> list[Head]:
        before = _NEWEST_FIRST
        if after is not None:
            place = self._connection.execute(_SQL["place"], (after,)).fetchone()
            if place is None:
                raise BadInputError(f"there is no run {after!r} to go on after")
            before = place[0]
        return [_head(row) for row in self._connection.execute(query, {**wanted, "before": before})]

    def _mark(self, run_id: str, seq: int) -> None:
        self._connection.pragma("synchronous", "normal")
        try:
            with self._connection:
                self._connection.execute(_SQL["mark_logged"], {"run_id": run_id, "seq": seq})
        finally:
            self._connection.pragma("synchronous", "full")

    def _trouble(self, error: Exception) -> StoreError:
        return StoreError(f"the store {self._path} failed, nothing was changed: {error}")


def _head(row: tuple[object, ...]) -> Head:
    run_id, workflow, state, seq, logged, checkpoint = row
    if state not in {str(one) for one in State}:
        raise CorruptRunError(f"run {run_id} is damaged: {state!r} is no state")
    return Head(run_id, workflow, State(state), seq, logged, checkpoint)  # type: ignore[arg-type] # the schema says so
