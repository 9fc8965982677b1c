"""What one call, or a run's end, remembers: read from the store, written with its result."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine.codec.events import from_ticks, ticks
from engine.core.canonical import digest
from engine.core.clean import clean_text, error_words
from engine.core.memory import LONGEST, Embedder, Fact, FactKind, Memory
from engine.core.run import Checkpoint
from engine.errors import BadInputError, DefinitionError, RefusedError
from engine.ports import Store
from engine.remembering import FactRow, MemoryChange, Remembering, words_in
from engine.runtime.stop import is_our_cancellation
from engine.runtime.vectors import nearest, packed

PATIENCE = 30.0  # seconds that an embedder is waited for
_MOST_WORDS = 32  # of a query
MOST_FOUND = 50
_PAGE = 2000  # vectors

_LOG = logging.getLogger("waystation")


@dataclass(slots=True)
class Notebook:
    """The notes of one run; see Notes. What is to be written waits in `change`.

    `origin` is what the ids of its facts come from: they are the same whoever makes the call
    again. `mask` takes secrets out.
    """

    store: Remembering
    memory: Memory
    run: Checkpoint
    origin: str
    mask: Callable[[str], str]
    now: Callable[[], datetime]
    call_id: str = ""
    change: MemoryChange = field(default_factory=MemoryChange)

    async def remember(self, text: str, kind: FactKind = "fact") -> str:
        """See Notes."""
        self._scope()
        if kind not in ("fact", "preference"):
            raise BadInputError(f"a note is a fact or a preference, not {kind!r}")
        kept = self._told(text)
        if not kept or len(kept) > LONGEST:
            raise BadInputError(f"a note has 1 to {LONGEST} characters, not {len(kept)}")
        vector = packed(await self._embedded(kept))
        return self._keep(kept, kind, str(len(self.change.facts)), vector)

    async def recall(self, query: str, limit: int = 8) -> Sequence[Fact]:
        """See Notes."""
        scope, most = self._scope(), min(max(limit, 1), MOST_FOUND)
        words = words_in(query)[:_MOST_WORDS]
        if not words:
            rows = await self.store.facts(scope=scope, limit=most)
        else:
            rows = await self._found(scope, query, words, most)
        return [fact_of(row) for row in rows]

    async def forget(self, note_id: str) -> bool:
        """See Notes."""
        scope = self._scope()
        if clean_text(note_id) != note_id or await self.store.fact(scope, note_id) is None:
            return False
        self.change += MemoryChange(forgotten=((scope, note_id),))
        return True

    async def sum_up(self, text: str) -> None:
        """Nothing; the text is the run's one summary, in the place of an older one."""
        kept = self._told(text)[:LONGEST]
        try:
            vector = packed(await self._embedded(kept))
        except Exception as error:  # noqa: BLE001 # whatever it gave; the run has ended
            vector = b""
            words, why = "is found by its words only", self.mask(error_words(error))
            _LOG.warning("the summary of run %s %s: %s", self.run.id, words, why)
        self._keep(kept, "summary", "summary", vector)

    def _told(self, text: str) -> str:
        return self.mask(clean_text(text)).strip()

    def _keep(self, text: str, kind: FactKind, which: str, vector: bytes) -> str:
        fact_id = digest([self.origin, which])[:16]
        row = FactRow(
            scope=self._scope(),
            fact_id=fact_id,
            kind=kind,
            text=text,
            run_id=self.run.id,
            seq=self.run.seq,
            at=ticks(self.now()),
            call_id=self.call_id,
            customer=self.run.customer,
            embedder=self.memory.embedder.name if self.memory.embedder else "",
            vector=vector,
        )
        self.change += MemoryChange(facts=(row,))
        return fact_id

    async def _found(
        self, scope: str, query: str, words: Sequence[str], most: int
    ) -> Sequence[FactRow]:
        """Those that have the words; with an embedder those that are near, too."""
        worded = await self.store.search(scope, words, most)
        if self.memory.embedder is None:
            return worded
        pages = self._vectors(scope, self.memory.embedder.name)
        near = await nearest(await self._embedded(self._told(query)), pages, most)
        order = _merged([one.fact_id for one in worded], near)[:most]
        rows = {one.fact_id: one for one in worded}
        found = [rows.get(one) or await self.store.fact(scope, one) for one in order]
        return [one for one in found if one is not None]

    async def _vectors(
        self, scope: str, embedder: str
    ) -> AsyncIterator[Sequence[tuple[str, bytes]]]:
        """All of them, page by page: the store has other things to do in between."""
        after = ""
        while page := await self.store.vectors(scope, embedder, after=after, limit=_PAGE):
            yield page
            after, _ = page[-1]

    async def _embedded(self, text: str) -> Sequence[float]:
        embedder = self.memory.embedder
        if embedder is None:
            return ()
        vectors = await _asked(embedder, text)
        if len(vectors) != 1:
            raise BadInputError(f"the embedder gave {len(vectors)} vectors for one text")
        return vectors[0]

    def _scope(self) -> str:
        key = self.memory.key(self.run)
        if key is None:
            raise RefusedError(
                "this run is about no known customer, so nothing is remembered or recalled in it"
            )
        return key


async def _asked(embedder: Embedder, text: str) -> Sequence[Sequence[float]]:
    """What the embedder gives; RefusedError, which leaves no doubt, where it fails.

    Whatever became of its request, nothing is remembered by it.
    """
    try:
        async with asyncio.timeout(PATIENCE) as patience:
            return [*await embedder.embed([text])]
    except (Exception, asyncio.CancelledError) as error:  # it may raise anything
        if is_our_cancellation(error):
            raise
        late = f"gave nothing in {PATIENCE:g} s"
        words = late if patience.expired() else f"failed: {error_words(error)}"
    raise RefusedError(f"the embedder {words}")


def remembering(store: Store) -> Remembering:
    """The store, as one that keeps facts; DefinitionError where it does not."""
    if not isinstance(store, Remembering):
        raise DefinitionError("a workflow with a memory needs a store that keeps facts")
    return store


def fact_of(row: FactRow) -> Fact:
    """The fact as it is shown."""
    return Fact.model_validate(
        {
            "id": row.fact_id,
            "scope": row.scope,
            "kind": row.kind,
            "text": row.text,
            "run_id": row.run_id,
            "seq": row.seq,
            "at": from_ticks(row.at),
            "call_id": row.call_id or None,
            "customer": row.customer,
        }
    )


def _merged(*rankings: Sequence[str]) -> list[str]:
    """The ids of several rankings in one, by reciprocal rank."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for place, one in enumerate(ranking):
            scores[one] = scores.get(one, 0) + 1 / (60 + place)
    return sorted(scores, key=lambda one: -scores[one])
