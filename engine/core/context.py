"""What a tool is told about the call that it is."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, get_type_hints

from engine.core.memory import Fact, FactKind
from engine.errors import DefinitionError

SqlValue = str | int | float | bytes | None


class Transaction(Protocol):
    """The transaction of the store in which a call's result will be kept."""

    def execute(
        self, sql: str, bindings: Sequence[SqlValue] = ()
    ) -> Sequence[tuple[SqlValue, ...]]:
        """The rows that the statement gives.

        It may not touch the store's own tables, nor begin or end a transaction.
        """
        ...


class Notes(Protocol):
    """What is remembered under the run's own key, as far as one call may use it.

    What it remembers and forgets is kept together with the call's result, or not at all.
    Each raises RefusedError where the run has no key.
    """

    async def remember(self, text: str, kind: FactKind = "fact") -> str:
        """The id of the note; BadInputError for an empty or too long one."""
        ...

    async def recall(self, query: str, limit: int = 8) -> Sequence[Fact]:
        """The notes that fit the query best; the newest ones for an empty query."""
        ...

    async def forget(self, note_id: str) -> bool:
        """Whether there was a note of that id."""
        ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """One attempt at one call, for a tool that declares a parameter of this type.

    `idempotency_key` (32 hex characters) is the same at every attempt of the call;
    `attempt` counts from 1. `transaction` is there for a transactional tool only,
    `memory` for any other one of a workflow that has a memory.
    """

    run_id: str
    call_id: str
    attempt: int
    idempotency_key: str
    transaction: Transaction | None = None
    memory: Notes | None = None


def context_parameter(name: str, function: Callable[..., object]) -> str | None:
    """The parameter of `function` that wants a ToolContext, or None.

    Raises DefinitionError where there are several.
    """
    try:
        hints = get_type_hints(function)
        parameters = inspect.signature(function).parameters
    except (NameError, TypeError, AttributeError, ValueError):
        return None  # a callable whose hints cannot be read declares nothing
    found = [one for one in parameters if wants_context(hints.get(one))]
    if len(found) > 1:
        raise DefinitionError(f"tool {name}: {found[0]} and {found[1]} both want a ToolContext")
    return found[0] if found else None


def wants_context(hint: object) -> bool:
    """Whether a parameter with that type hint is filled in by the engine."""
    return hint is ToolContext
