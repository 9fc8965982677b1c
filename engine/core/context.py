"""What a tool is told about the call that it is."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, get_type_hints

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


@dataclass(frozen=True, slots=True)
class ToolContext:
    """One attempt at one call, for a tool that declares a parameter of this type.

    `idempotency_key` (32 hex characters) is the same at every attempt of the call;
    `attempt` counts from 1. `transaction` is there for a transactional tool only.
    """

    run_id: str
    call_id: str
    attempt: int
    idempotency_key: str
    transaction: Transaction | None = None


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
