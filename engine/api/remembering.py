"""Looking at what is remembered of customers."""

from abc import ABC, abstractmethod

from engine.codec.events import from_ticks
from engine.core.clean import clean_text
from engine.core.memory import Erased, Fact
from engine.errors import BadInputError
from engine.keeping.keeper import Keeper
from engine.remembering import Remembering
from engine.runtime.notebook import fact_of

_MOST = 1_000_000


class Recollecting(ABC):
    """The part of an Engine that shows what runs have remembered."""

    @property
    @abstractmethod
    def _keeper(self) -> Keeper:
        """What has the store."""

    async def memory(self, customer: str | None = None, limit: int = 100) -> list[Fact]:
        """At most `limit` notes, the newest first: all, or those of a customer.

        These are the ones under that key, and those that runs about them wrote. Secrets were
        masked before they were kept. Raises BadInputError for a limit below 1.
        """
        if not 1 <= limit <= _MOST:
            raise BadInputError(f"limit must be at least 1 and at most {_MOST}, not {limit}")
        if customer is not None and clean_text(customer) != customer:
            raise BadInputError("customer holds bytes that are no text")
        store = self._keeper.store
        if not isinstance(store, Remembering):
            return []
        return [fact_of(row) for row in await store.facts(customer=customer, limit=limit)]

    async def erasures(self) -> list[Erased]:
        """That notes were erased: when, by whom, how many and why; the oldest first."""
        store = self._keeper.store
        if not isinstance(store, Remembering):
            return []
        return [
            Erased(at=from_ticks(one.at), by=one.by, facts=one.facts, reason=one.reason)
            for one in await store.erasures()
        ]
