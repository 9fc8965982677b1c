"""What a workflow's runs remember for each other, and under which key."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from pydantic import JsonValue

from engine.core.clean import clean_text, error_words
from engine.core.run import Checkpoint
from engine.core.shape import Shape
from engine.errors import DefinitionError

FactKind = Literal["fact", "preference", "summary"]
LONGEST = 2000  # characters of a fact
MOST_KNOWN = 50
TOOL_NAMES = ("remember", "recall", "forget")  # of the tools in memory_tools


class Fact(Shape):
    """One thing that is remembered, and found under its `scope` only.

    `run_id`, `seq` and `call_id` say which run, which of its events and which call wrote it; a
    summary is of no call. `customer` is whom that run was about.
    """

    id: str
    scope: str
    kind: FactKind
    text: str
    run_id: str
    seq: int
    at: datetime
    call_id: str | None = None
    customer: str | None = None


class Erased(Shape):
    """That so many notes were erased: when, by whom, and why; not whose they were."""

    at: datetime
    by: str
    facts: int
    reason: str | None = None


class Embedder(Protocol):
    """The port to what turns texts into vectors. `name` tells its vectors from another's."""

    @property
    def name(self) -> str:
        """Which one it is, with the version of its model."""
        ...

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """A vector for each text, all of one length."""
        ...


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What runs remember for the next ones that have the same key.

    `scope` says which key: the run's customer, or what a function of the run gives (None: such
    a run remembers nothing); the function has to give the same for the same run. With
    `summaries` each run that ends in Done leaves one; for "model" the model is asked for it. So
    many notes as `known`, the newest ones, are told to a run when it begins. With an
    `embedder` notes are also found by their meaning.
    """

    scope: Literal["customer"] | Callable[[Checkpoint], str | None] = "customer"
    summaries: bool | Literal["model"] = True
    known: int = 10
    embedder: Embedder | None = None

    def __post_init__(self) -> None:
        """Refuse, with DefinitionError, what no key comes from, and a number that is none."""
        if self.scope != "customer" and not callable(self.scope):
            raise DefinitionError(
                f"memory: scope is 'customer' or a function of the run, not {self.scope!r}"
            )
        if type(self.known) is not int or not 0 <= self.known <= MOST_KNOWN:
            raise DefinitionError(f"memory: known is 0 to {MOST_KNOWN}, not {self.known!r}")
        if not isinstance(self.summaries, bool) and self.summaries != "model":
            words = "summaries is True, False or 'model'"
            raise DefinitionError(f"memory: {words}, not {self.summaries!r}")
        embed = self.embedder
        if embed is not None and not (hasattr(embed, "name") and hasattr(embed, "embed")):
            raise DefinitionError(f"memory: embedder has a name and an async embed, not {embed!r}")

    def key(self, run: Checkpoint) -> str | None:
        """The key under which the run remembers; None where it has none.

        Raises DefinitionError where the scope raises, or gives something that is no key.
        """
        try:
            key = run.customer if self.scope == "customer" else self.scope(run)
        except Exception as error:
            raise DefinitionError(f"memory: the scope failed: {error_words(error)}") from error
        if key is None:
            return None
        if not isinstance(key, str) or not key.strip() or clean_text(key) != key:
            raise DefinitionError(f"memory: the scope gave {key!r}; it gives a text, or None")
        return key

    @property
    def declared(self) -> JsonValue:
        """What of it belongs to a workflow's definition; a function by its name."""
        scope = self.scope if isinstance(self.scope, str) else _name(self.scope)
        embedder = None if self.embedder is None else self.embedder.name
        return [scope, self.summaries, self.known, embedder]


def _name(function: object) -> str:
    return str(getattr(function, "__qualname__", type(function).__qualname__))
