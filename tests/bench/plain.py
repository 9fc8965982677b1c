"""What any program would do that keeps the same: plain SQLite, one thread, no engine."""

import time
from collections.abc import Sequence
from pathlib import Path

import apsw

from engine.ports import Append

_TABLES = """
CREATE TABLE runs (id INTEGER PRIMARY KEY, run_id TEXT UNIQUE, seq INTEGER, checkpoint BLOB);
CREATE TABLE events (run INTEGER, seq INTEGER, at INTEGER, kind TEXT, data BLOB, digest BLOB,
  UNIQUE (run, seq));
"""
_BEGIN = "INSERT INTO runs (run_id, seq, checkpoint) VALUES (?, ?, ?)"
_MOVE = "UPDATE runs SET seq = ?, checkpoint = ? WHERE run_id = ? AND seq = ?"
_ADD = "INSERT INTO events VALUES ((SELECT id FROM runs WHERE run_id = ?), ?, ?, ?, ?, ?)"


def opened(path: Path) -> apsw.Connection:
    """A new file with the tables, in which every commit is synced."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute(_TABLES)
    return connection


def write(connection: apsw.Connection, one: Append) -> None:
    """Write what one commit adds."""
    head = one.head
    if one.expected:
        connection.execute(_MOVE, (head.seq, head.checkpoint, head.run_id, one.expected))
    else:
        connection.execute(_BEGIN, (head.run_id, head.seq, head.checkpoint))
    rows = ((head.run_id, e.seq, e.at, e.kind, e.data, e.digest) for e in one.entries)
    connection.executemany(_ADD, rows)


def seconds(folder: Path, additions: Sequence[Append]) -> float:
    """What it takes to commit them all, one transaction each."""
    connection = opened(folder / "plain.db")
    began = time.perf_counter()
    for one in additions:
        connection.execute("BEGIN IMMEDIATE")
        write(connection, one)
        connection.execute("COMMIT")
    took = time.perf_counter() - began
    connection.close()
    return took
