"""Runs that leave a SQLite store for an archive, and what is left of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import apsw

from engine.errors import ConflictError
from engine.ports import Append, Archived
from engine.stores.packing import pack

Queries = Mapping[str, str]

_FEW = 1000  # pages given back in one transaction
_INCREMENTAL = 2


def archive(connection: apsw.Connection, row: Archived, sql: Queries) -> None:
    """Remove the run and leave the row; see Store.archive."""
    values = asdict(row)
    if connection.execute(sql["is_at"], values).get is None:
        raise ConflictError(
            f"run {row.run_id} is not at seq {row.seq} any more: somebody has moved it on, "
            "or it was archived already"
        )
    for query in ("remove_events", "remove_run"):
        connection.execute(sql[query], (row.run_id,))
    connection.execute(sql["insert_archived"], values)


def rearchive(connection: apsw.Connection, seen: Archived, row: Archived, sql: Queries) -> None:
    """Put the row in the place of the one that was seen; see Store.rearchive."""
    before = {f"seen_{name}": value for name, value in asdict(seen).items()}
    connection.execute(sql["rearchive"], {**asdict(row), **before})
    if not connection.changes():
        raise ConflictError(f"what is left of run {row.run_id} has changed meanwhile")


def archived(connection: apsw.Connection, run_id: str, sql: Queries) -> Archived | None:
    """What is left of the run, if anything."""
    row = connection.execute(sql["archived"], (run_id,)).fetchone()
    return Archived(*row) if row else None


def archives(
    connection: apsw.Connection,
    sql: Queries,
    *,
    limit: int,
    after: Archived | None,
    place: str | None,
) -> Sequence[Archived]:
    """A page of what is left of runs; see Store.archives."""
    begin = {
        "after_place": after.place if after else "",
        "after_run": after.run_id if after else "",
    }
    query = sql["archives" if place is None else "archives_in"]
    rows = connection.execute(query, {**begin, "place": place, "limit": limit})
    return [Archived(*row) for row in rows]


def put_back(connection: apsw.Connection, addition: Append, sql: Queries) -> None:
    """Nothing; a run that comes back whole leaves no row, and any other may not take its id."""
    row = archived(connection, addition.head.run_id, sql)
    if row is None:
        return
    if not row.is_in(addition.entries):
        raise ConflictError(f"run {row.run_id} was archived in {row.place}, with another journal")
    connection.execute(sql["put_back"], (row.run_id,))


def replace_entries(connection: apsw.Connection, addition: Append, sql: Queries) -> None:
    """Put the entries in the place of the same ones; see Append."""
    run_id = addition.head.run_id
    for one in addition.replaced:
        values = {**one._asdict(), "data": pack(one.data), "cover": one.cover or None}
        connection.execute(sql["replace_event"], {**values, "run_id": run_id})
        if not connection.changes():
            raise ConflictError(f"run {run_id} has no such event at seq {one.seq} to replace")


def tidy(connection: apsw.Connection) -> bool:
    """Give free pages back, and empty the write-ahead log; False where it could not be done.

    A file of an older version is written anew, once: it may hold traces on pages that it
    did not overwrite, and could give none back.
    """
    try:
        _give_back(connection)
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() or (1,)
    except (apsw.BusyError, apsw.LockedError, apsw.FullError):
        return False
    return not busy


def _give_back(connection: apsw.Connection) -> None:
    if connection.pragma("auto_vacuum") != _INCREMENTAL:
        connection.pragma("auto_vacuum", _INCREMENTAL)
        connection.execute("VACUUM")
    while free := int(connection.pragma("freelist_count")):
        connection.execute(f"PRAGMA incremental_vacuum({_FEW})").fetchall()
        if int(connection.pragma("freelist_count")) >= free:
            break
