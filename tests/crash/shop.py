"""The world outside: a shop that keeps what was done to it in a database of its own."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.crash.points import Points

Effect = tuple[str, str, str]  # the idempotency key, the tool, and what the shop said

_SCHEMA = "CREATE TABLE IF NOT EXISTS effects (key TEXT, tool TEXT, said TEXT)"
_ONCE = "AND NOT EXISTS (SELECT 1 FROM effects WHERE key = :key)"


class Shop:
    """Effects by key. `tell` hears of each one that has happened."""

    def __init__(
        self, path: Path, points: Points, tell: Callable[[Effect], None] = lambda _: None
    ) -> None:
        self._path, self._points, self._tell = path, points, tell
        with self._open() as database:
            database.execute(_SCHEMA)

    def do(self, key: str, tool: str, said: str, *, once: bool = False) -> str:
        """What the shop says, having done it; `once` where it knows a key again."""
        self._points.reach(f"effect.{tool}.before")
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            values = {"key": key, "tool": tool, "said": said}
            again = _ONCE if once else ""
            database.execute(
                f"INSERT INTO effects SELECT :key, :tool, :said WHERE 1 {again}",  # a constant
                values,
            )
            self._points.reach(f"effect.{tool}.inside")
            database.execute("COMMIT")
        self._tell((key, tool, said))
        self._points.reach(f"effect.{tool}.after")
        return said

    def look(self, key: str) -> str | None:
        """What the shop said when it was done under that key; None where it never was."""
        return next((said for one, _, said in self.effects() if one == key), None)

    def effects(self) -> list[Effect]:
        """All that was ever done, each as often as it was."""
        with self._open() as database:
            return sorted(database.execute("SELECT key, tool, said FROM effects"))

    def fill(self, effects: list[Effect]) -> None:
        """Make it the shop in which these have happened, and nothing else."""
        with self._open() as database:
            database.execute("DELETE FROM effects")
            database.executemany("INSERT INTO effects VALUES (?, ?, ?)", effects)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # What is on its way to the disk outlives a killed process, so nothing waits for a sync.
        database = sqlite3.connect(self._path, isolation_level=None, timeout=60)
        try:
            database.execute("PRAGMA synchronous = OFF")
            yield database
        finally:
            database.close()
