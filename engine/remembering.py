"""What a store remembers beside its journals: facts under a key, and the port to them."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 64  # characters of it that are looked for


@dataclass(frozen=True, slots=True)
class FactRow:
    """One fact as it is kept: `at` in microseconds since 1970 UTC.

    It is found under its `scope` only, by an id that is unique there. `customer` is whom the run
    that wrote it was about. `vector` is its embedding by the `embedder` of that name, as
    float32 of length 1 (in the machine's byte order); empty where it has none.
    """

    scope: str
    fact_id: str
    kind: str
    text: str
    run_id: str
    seq: int
    at: int
    call_id: str = ""
    customer: str | None = None
    embedder: str = ""
    vector: bytes = b""


@dataclass(frozen=True, slots=True)
class MemoryChange:
    """What one commit changes of what is remembered.

    A fact takes the place of one of the same scope and id; `forgotten` are scopes and ids.
    """

    facts: tuple[FactRow, ...] = ()
    forgotten: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: "MemoryChange") -> "MemoryChange":
        """Both, the other one after this."""
        return MemoryChange(self.facts + other.facts, self.forgotten + other.forgotten)


NOTHING = MemoryChange()


@dataclass(frozen=True, slots=True)
class Erasure:
    """That facts were erased: how many, when (microseconds since 1970 UTC), by whom, and why."""

    at: int
    by: str
    facts: int
    reason: str | None = None


@runtime_checkable
class Remembering(Protocol):
    """A store that keeps facts. They are written and forgotten with an Append, or not at all."""

    async def facts(
        self, *, scope: str | None = None, customer: str | None = None, limit: int
    ) -> Sequence[FactRow]:
        """At most `limit` facts, the newest first: all, those of a scope, or those of a customer.

        A customer's are those under that key, and those that runs about them wrote. A scope
        goes before a customer.
        """
        ...

    async def fact(self, scope: str, fact_id: str) -> FactRow | None:
        """The fact of that id in that scope, or None."""
        ...

    async def search(self, scope: str, words: Sequence[str], limit: int) -> Sequence[FactRow]:
        """At most `limit` facts of the scope that have words beginning with these, the best first.

        Case and accents make no difference. None for no words.
        """
        ...

    async def vectors(
        self, scope: str, embedder: str, *, after: str, limit: int
    ) -> Sequence[tuple[str, bytes]]:
        """At most `limit` ids and vectors of the scope's facts that have one by that embedder.

        They come in the order of their ids; `after` is the last one of the page before.
        """
        ...

    async def erase_facts(self, customer: str | None, runs: Sequence[str], erasure: Erasure) -> int:
        """How many facts were erased, durably: the customer's, and those that these runs wrote.

        Where there were any, `erasure` is kept, with that number.
        """
        ...

    async def erasures(self) -> Sequence[Erasure]:
        """Every erasure of facts, the oldest first."""
        ...


def words_in(text: str) -> tuple[str, ...]:
    """The words of a text, each once, without case, accents, and anything else in a query."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    return tuple(dict.fromkeys(word[:_LONGEST_WORD] for word in _WORD.findall(plain)))
