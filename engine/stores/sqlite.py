"""A store in one SQLite file.

WAL with `synchronous=FULL`, every write in BEGIN IMMEDIATE, from one thread that
takes whatever is queued into one transaction (see Writer).
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

from engine.core.states import State
from engine.errors import BadInputError, ConflictError
from engine.ports import Append, Archived, Entry, Head, Health, Lease
from engine.stores import archived as leavings
from engine.stores.database import connect
from engine.stores.facts import SqliteFacts, write_change
from engine.stores.fenced import FencedTransaction
from engine.stores.packing import pack, unpack
from engine.stores.queries import load_queries
from engine.stores.writer import Writer

if TYPE_CHECKING:
    from engine.core.context import Transaction

_SQL = load_queries("sqlite.sql")
MIGRATIONS = tuple(_SQL[f"schema{version}"] for version in ("", "_2", "_3", "_4", "_5"))
_NEWEST, _OLDEST = math.inf, -math.inf  # places beyond those of all runs


class SqliteStore(SqliteFacts):
    """Journals, checkpoints and facts in a SQLite file."""

    def __init__(self, path: str | Path) -> None:
        """Open or create the file; see `connect` for what is raised."""
        self._path = Path(path)
        self._writer = Writer(self._path, connect(self._path, MIGRATIONS))

    async def append(self, addition: Append) -> None:
        """See Store."""
        await self._writer.write(lambda connection: _move(connection, addition))

    async def transact(self, work: "Callable[[Transaction], Append]") -> None:
        """See Transactional."""

        def both(connection: apsw.Connection) -> None:
            with FencedTransaction(connection) as fenced:
                addition = work(fenced)
            _move(connection, addition)

        await self._writer.write(both)

    async def entries(self, run_id: str) -> Sequence[Entry]:
        """See Store."""
        return await self._writer.ask(
            lambda connection: [
                _entry(row) for row in connection.execute(_SQL["entries"], (run_id,))
            ]
        )

    async def head(self, run_id: str) -> Head | None:
        """See Store."""
        return await self._writer.ask(lambda connection: _one_head(connection, run_id))

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
        return await self._writer.ask(
            lambda connection: _heads(
                connection, query, {**wanted, "before": _place(connection, after, _NEWEST)}
            )
        )

    async def waiting(
        self, *, workflow: str | None = None, limit: int, after: str | None = None
    ) -> Sequence[Head]:
        """See Store."""
        wanted = {"workflow": workflow, "limit": limit}
        return await self._writer.ask(
            lambda connection: _heads(
                connection, "waiting", {**wanted, "after": _place(connection, after, _OLDEST)}
            )
        )

    async def ready(
        self, *, now: int, workflows: Sequence[str], tries: int, limit: int
    ) -> Sequence[Head]:
        """See Store."""
        wanted = {"now": now, "workflows": json.dumps(list(workflows))}
        return await self._writer.ask(
            lambda connection: _heads(
                connection, "ready", {**wanted, "tries": tries, "limit": limit}
            )
        )

    async def leased(self) -> Sequence[Head]:
        """See Store."""
        return await self._writer.ask(lambda connection: _heads(connection, "leased", {}))

    async def owed(self, limit: int) -> Sequence[Head]:
        """See Store."""
        return await self._writer.ask(
            lambda connection: _heads(connection, "owed", {"limit": limit})
        )

    async def claim(self, run_id: str, seen: Lease, lease: Lease) -> bool:
        """See Store."""
        before = {"seen_epoch": seen.epoch, "seen_expires": seen.expires}
        return await self._note("claim", {"run_id": run_id, **before, **asdict(lease)})

    async def renew(self, owner: str, expires: int) -> None:
        """See Store."""
        await self._note("renew", {"owner": owner, "expires": expires})

    async def release(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        """See Store."""
        await self._note("release", {"run_id": run_id, **asdict(lease), "moved": moved})

    async def mark_logged(self, run_id: str, seq: int) -> None:
        """See Store."""
        await self._note("mark_logged", {"run_id": run_id, "seq": seq})

    async def archive(self, row: Archived) -> None:
        """See Store."""
        await self._writer.write(lambda connection: leavings.archive(connection, row, _SQL))

    async def rearchive(self, seen: Archived, row: Archived) -> None:
        """See Store."""
        await self._writer.write(lambda connection: leavings.rearchive(connection, seen, row, _SQL))

    async def archived(self, run_id: str) -> Archived | None:
        """See Store."""
        return await self._writer.ask(
            lambda connection: leavings.archived(connection, run_id, _SQL)
        )

    async def archives(
        self, *, limit: int, after: Archived | None = None, place: str | None = None
    ) -> Sequence[Archived]:
        """See Store."""
        return await self._writer.ask(
            lambda connection: leavings.archives(
                connection, _SQL, limit=limit, after=after, place=place
            )
        )

    async def tidy(self) -> bool:
        """See Store."""
        return await self._writer.ask(leavings.tidy)

    async def health(self, now: int) -> Health:
        """See Checkable."""
        from engine.stores.health import health

        return await self._writer.ask(
            lambda connection: health(connection, self._path, _SQL["counts"], now)
        )

    async def faults(self) -> Sequence[str]:
        """See Checkable."""
        return await self._writer.ask(_faults)

    async def close(self) -> None:
        """See Store."""
        await self._writer.close()

    async def _note(self, query: str, values: Mapping[str, str | int]) -> bool:
        """Whether a small write changed anything."""

        def noted(connection: apsw.Connection) -> bool:
            connection.execute(_SQL[query], values)
            return bool(connection.changes())

        return await self._writer.note(noted)


def _move(connection: apsw.Connection, addition: Append) -> None:
    """Write the addition; ConflictError, with nothing written, where it does not fit."""
    head = addition.head
    row = {
        "run_id": head.run_id,
        "workflow": head.workflow,
        "state": str(head.state),
        "seq": head.seq,
        "logged": head.logged,
        "checkpoint": head.checkpoint,
        "ready_at": head.ready_at,
        "tries": head.tries,
        "owner": head.lease.owner,
        "epoch": head.lease.epoch,
        "expires": head.lease.expires,
    }
    if addition.expected:
        moved = connection.execute(_SQL["move_run"], {**row, "expected": addition.expected})
    else:
        leavings.put_back(connection, addition, _SQL)
        moved = connection.execute(_SQL["insert_run"], row)
    run = moved.get
    if run is None:
        raise _conflict(addition, _one_head(connection, head.run_id))
    leavings.replace_entries(connection, addition, _SQL)
    connection.executemany(
        _SQL["insert_event"],
        (
            (
                *(run, one.seq, one.at, one.kind, pack(one.data), one.digest),
                *(one.key or None, one.cover or None),
            )
            for one in addition.entries
        ),
    )
    write_change(connection, addition.memory)


def _conflict(addition: Append, now: Head | None) -> ConflictError:
    wanted = addition.head.lease.epoch
    seq, epoch = (now.seq, now.lease.epoch) if now else (0, wanted)
    by = "somebody else has moved it on"
    if epoch != wanted:
        by = f"driver {epoch} has taken it over from driver {wanted}"
    return ConflictError(
        f"run {addition.head.run_id} is at seq {seq}, not {addition.expected}: {by}"
    )


def _faults(connection: apsw.Connection) -> list[str]:
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    orphans = connection.execute(_SQL["orphans"]).get
    lost = [f"{orphans} events belong to no run: the rows of their runs are gone"]
    return [fault for fault in found if fault != "ok"] + (lost if orphans else [])


def _place(connection: apsw.Connection, after: str | None, begin: float) -> float:
    """At which place in the order of beginning a page goes on; at `begin` the first one."""
    if after is None:
        return begin
    place = connection.execute(_SQL["place"], (after,)).get
    if place is None:
        raise BadInputError(f"there is no run {after!r} to go on after")
    return int(place)


def _one_head(connection: apsw.Connection, run_id: str) -> Head | None:
    row = connection.execute(_SQL["head"], (run_id,)).fetchone()
    return _head(row) if row else None


def _heads(connection: apsw.Connection, query: str, wanted: Mapping[str, object]) -> list[Head]:
    return [_head(row) for row in connection.execute(_SQL[query], wanted)]


def _head(row: tuple[Any, ...]) -> Head:
    """The row; text that is none is shown as such."""
    run_id, workflow, state, seq, logged, checkpoint, ready_at, owner, epoch, expires, tries = row
    lease = Lease(_text(owner), epoch, expires)
    name, flow, place = _text(run_id), _text(workflow), _text(state)
    return Head(name, flow, place, seq, logged, checkpoint, ready_at, lease, tries)


def _entry(row: tuple[Any, ...]) -> Entry:
    seq, at, kind, data, digest, key, cover = row
    return Entry(seq, at, _text(kind), unpack(data), digest, _text(key), cover)


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "replace")
