"""Lines in any order, of any number of runs, put in order on disk and not in memory."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import apsw

from engine.errors import StoreError
from engine.journal.lines import Line
from engine.ports import Entry

_AT_ONCE = 1000
_MAKE = """
CREATE TABLE lines (
  run_id TEXT NOT NULL, workflow TEXT NOT NULL, source TEXT, dest TEXT NOT NULL,
  seq INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, data BLOB NOT NULL,
  digest BLOB NOT NULL, key TEXT NOT NULL, cover BLOB NOT NULL
)
"""
_ADD = "INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INDEX = "CREATE INDEX lines_in_order ON lines (run_id, seq, digest)"
_RUNS = "SELECT run_id FROM lines GROUP BY run_id ORDER BY min(at), run_id"
_OF_RUN = "SELECT * FROM lines WHERE run_id = ? ORDER BY seq, digest"
_SEQ = 4  # the place of that column


class Sorted:
    """Lines by run and seq, in a temporary file that goes with this object.

    Everything here raises StoreError where that file fails.
    """

    def __init__(self, lines: Iterable[Line]) -> None:
        """Take all the lines in."""
        self._database = apsw.Connection("")  # a private file, deleted when closed
        rest = iter(lines)
        with _kept():
            self._database.execute(_MAKE)
            self._database.execute("BEGIN")
            while some := list(islice(rest, _AT_ONCE)):
                self._database.executemany(_ADD, map(_row, some))
            self._database.execute("COMMIT")
            self._database.execute(_INDEX)

    def close(self) -> None:
        """Nothing; the file is gone."""
        self._database.close()

    def runs(self) -> Sequence[str]:
        """The ids of the runs, by when they begin."""
        with _kept():
            return [str(run_id) for (run_id,) in self._database.execute(_RUNS)]

    def of(self, run_id: str) -> Iterator[tuple[int, tuple[Line, ...]]]:
        """The different lines that there are for each seq of a run, in order."""
        with _kept():
            found = self._database.execute(_OF_RUN, (run_id,))
            for seq, rows in groupby(found, itemgetter(_SEQ)):
                yield seq, tuple(map(_line, dict.fromkeys(rows)))  # each of them once


@contextmanager
def _kept() -> Iterator[None]:
    """A context in which what ails the temporary file is said in words."""
    try:
        yield
    except apsw.Error as error:
        raise StoreError(
            f"the temporary file in which the logs are sorted failed: {error}; make room for it, "
            "or name another folder in SQLITE_TMPDIR, then do the same again"
        ) from error


def _row(line: Line) -> tuple[str | int | bytes | None, ...]:
    one = line.entry
    told = (line.run_id, line.workflow, line.source, line.dest)
    return (*told, one.seq, one.at, one.kind, one.data, one.digest, one.key, one.cover)


def _line(row: tuple[Any, ...]) -> Line:
    run_id, workflow, source, dest, *entry = row
    return Line(run_id, workflow, source, dest, Entry(*entry))
