"""Facts in a SQLite store, found by the words in them (FTS5) and by their vectors."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import apsw

from engine.remembering import NOTHING, Erasure, FactRow, MemoryChange, words_in
from engine.stores.queries import load_queries
from engine.stores.writer import Writer

_SQL = load_queries("facts.sql")
_Wanted = Sequence[str] | Mapping[str, str | int | None]


class SqliteFacts:
    """The part of a SQLite store that is Remembering."""

    _writer: Writer

    async def facts(
        self, *, scope: str | None = None, customer: str | None = None, limit: int
    ) -> Sequence[FactRow]:
        """See Remembering."""
        query = "facts" if customer is None else "facts_of"
        wanted = {"scope": scope, "customer": customer, "limit": limit}
        return await self._rows(query if scope is None else "facts_in", wanted)

    async def fact(self, scope: str, fact_id: str) -> FactRow | None:
        """See Remembering."""
        return next(iter(await self._rows("fact", (scope, fact_id))), None)

    async def search(self, scope: str, words: Sequence[str], limit: int) -> Sequence[FactRow]:
        """See Remembering."""
        # Letters and digits in quotes: nothing in them that FTS5 could take for more.
        mark = _mark(scope)
        quoted = [f'"{mark}{word}"*' for text in words for word in words_in(text)]
        if not quoted:
            return ()
        wanted: dict[str, str | int] = {"scope": scope, "words": " OR ".join(quoted)}
        return await self._rows("search", {**wanted, "limit": limit})

    async def vectors(
        self, scope: str, embedder: str, *, after: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        """See Remembering."""
        wanted: _Wanted = {"scope": scope, "embedder": embedder, "after": after, "limit": limit}
        return await self._writer.ask(
            lambda connection: [
                (str(fact_id), bytes(vector))
                for fact_id, vector in _found(connection, "vectors", wanted)
            ]
        )

    async def erase_facts(self, customer: str | None, runs: Sequence[str], erasure: Erasure) -> int:
        """See Remembering."""
        wanted = {"customer": customer, "runs": json.dumps(list(runs))}
        count = 0

        def erase(connection: apsw.Connection) -> None:
            nonlocal count
            if not _is_there(connection):
                return
            connection.execute(_SQL["erase"], wanted)
            count = connection.changes()
            if count:
                connection.execute(_SQL["clear_index"])
                connection.execute(_SQL["insert_erasure"], asdict(replace(erasure, facts=count)))

        await self._writer.write(erase)
        return count

    async def erasures(self) -> Sequence[Erasure]:
        """See Remembering."""
        return await self._writer.ask(
            lambda connection: [
                Erasure(at, by, facts, reason)
                for at, by, facts, reason in _found(connection, "erasures", ())
            ]
        )

    async def _rows(self, query: str, wanted: _Wanted) -> list[FactRow]:
        return await self._writer.ask(
            lambda connection: [FactRow(*row) for row in _found(connection, query, wanted)]
        )


def write_change(connection: apsw.Connection, change: MemoryChange) -> None:
    """Nothing; what is remembered and forgotten is written into the open transaction.

    The tables come into being with the first fact: a store that remembers nothing has none.
    """
    if change == NOTHING:
        return
    if not _is_there(connection):
        if not change.facts:
            return
        connection.execute(_SQL["tables"])
    for fact in change.facts:
        connection.execute(_SQL["remove"], (fact.scope, fact.fact_id))
        connection.execute(_SQL["insert"], {**asdict(fact), "words": _marked(fact)})
    for scope, fact_id in change.forgotten:
        connection.execute(_SQL["remove"], (scope, fact_id))


def _found(connection: apsw.Connection, query: str, wanted: _Wanted) -> Iterator[tuple[Any, ...]]:
    """The rows; none where nothing was ever remembered."""
    return connection.execute(_SQL[query], wanted) if _is_there(connection) else iter(())


def _is_there(connection: apsw.Connection) -> bool:
    return connection.execute(_SQL["has_tables"]).get is not None


def _marked(fact: FactRow) -> str:
    mark = _mark(fact.scope)
    return " ".join(f"{mark}{word}" for word in words_in(fact.text))


def _mark(scope: str) -> str:
    """What stands before each word: only those of its scope are looked through for one."""
    return sha256(scope.encode()).hexdigest()[:8]
