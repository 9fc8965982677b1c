"""Facts in memory, found by the words in them and by their vectors."""

from collections.abc import Sequence
from dataclasses import replace
from heapq import nsmallest
from itertools import islice

from engine.remembering import Erasure, FactRow, MemoryChange, words_in


class MemoryFacts:
    """The part of a store in memory that is Remembering."""

    def __init__(self) -> None:
        """Begin empty."""
        self._facts: dict[tuple[str, str], FactRow] = {}
        self._erasures: list[Erasure] = []

    async def facts(
        self, *, scope: str | None = None, customer: str | None = None, limit: int
    ) -> Sequence[FactRow]:
        """See Remembering."""
        found = (
            one
            for one in reversed(self._facts.values())
            if (one.scope == scope if scope is not None else _is_of(one, customer))
        )
        return list(islice(found, limit))

    async def fact(self, scope: str, fact_id: str) -> FactRow | None:
        """See Remembering."""
        return self._facts.get((scope, fact_id))

    async def search(self, scope: str, words: Sequence[str], limit: int) -> Sequence[FactRow]:
        """See Remembering."""
        wanted = [word for text in words for word in words_in(text)]
        hits = [
            (sum(any(has.startswith(word) for has in words_in(one.text)) for word in wanted), one)
            for one in reversed(self._facts.values())
            if one.scope == scope
        ]
        best = sorted((hit for hit in hits if hit[0]), key=lambda hit: -hit[0])
        return [one for _, one in best[:limit]]

    async def vectors(
        self, scope: str, embedder: str, *, after: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        """See Remembering."""
        found = (
            (one.fact_id, one.vector)
            for one in self._facts.values()
            if (one.scope, one.embedder) == (scope, embedder)
            if one.vector and one.fact_id > after
        )
        return nsmallest(limit, found)

    async def erase_facts(self, customer: str | None, runs: Sequence[str], erasure: Erasure) -> int:
        """See Remembering."""
        gone = [
            key
            for key, one in self._facts.items()
            if one.run_id in runs or (customer is not None and _is_of(one, customer))
        ]
        for key in gone:
            del self._facts[key]
        if gone:
            self._erasures.append(replace(erasure, facts=len(gone)))
        return len(gone)

    async def erasures(self) -> Sequence[Erasure]:
        """See Remembering."""
        return tuple(self._erasures)

    def _change_memory(self, change: MemoryChange) -> None:
        for fact in change.facts:
            self._facts.pop((fact.scope, fact.fact_id), None)
            self._facts[fact.scope, fact.fact_id] = fact
        for key in change.forgotten:
            self._facts.pop(key, None)


def _is_of(one: FactRow, customer: str | None) -> bool:
    return customer is None or customer in (one.scope, one.customer)
