"""How a tool is run, as its author declares it: for how long, where, and how often."""

from collections.abc import Callable
from inspect import isasyncgenfunction, isgeneratorfunction
from typing import TYPE_CHECKING, Literal, get_args

from pydantic import JsonValue

if TYPE_CHECKING:
    from engine.core.tool import Tool

Isolation = Literal["thread", "process"]

_LONGEST = 10**9  # seconds; a clock that counts on from now has an end
BACKOFF = 1.0  # seconds, at most, before the second attempt


def fault_of_terms(tool: "Tool") -> str | None:
    """What is wrong with how the tool is to be run, naming the field; None where nothing is."""
    faults = (
        _of_hints(tool),
        _of_function(tool),
        _of_times(tool),
        _of_errors(tool),
        _of_isolation(tool),
    )
    return next((fault for fault in faults if fault), None)


def names_of(errors: tuple[type[BaseException], ...]) -> frozenset[str]:
    """The classes by module and name, as the classes of an error are compared."""
    return frozenset(f"{kind.__module__}.{kind.__qualname__}" for kind in errors)


def declared_terms(tool: "Tool") -> dict[str, JsonValue]:
    """What of it makes the tool another one: all that is not as it is where nothing is said."""
    said: dict[str, JsonValue] = {
        "timeout": tool.timeout,
        "isolation": None if tool.isolation == "thread" else tool.isolation,
        "transient": [*sorted(names_of(tool.transient))] or None,
        "not_executed": [*sorted(names_of(tool.not_executed))] or None,
        "max_attempts": tool.max_attempts,
        "backoff": None if tool.backoff == BACKOFF else tool.backoff,
        "answers": None if tool.from_run is None else True,
    }
    return {name: value for name, value in said.items() if value is not None}


def home_of(function: Callable[..., object]) -> tuple[str, str] | None:
    """The module and the name in it by which another process finds the function, or None."""
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    return None if module == "__main__" or "<" in name else (module, name)


def _of_hints(tool: "Tool") -> str | None:
    """What is no hint: a word is no yes, and would be taken for one."""
    for name in ("read_only", "destructive", "idempotent", "transactional"):
        if not isinstance(getattr(tool, name), bool):
            return f"{name} is True or False"
    ttl = tool.key_ttl
    if ttl is not None and not (tool.idempotent and _is_number(ttl, above=0)):
        return "key_ttl is a number of seconds above 0, for an idempotent tool"
    return None


def _of_function(tool: "Tool") -> str | None:
    if isgeneratorfunction(tool.function) or isasyncgenfunction(tool.function):
        return "its function yields, and would run while its result is read: let it return a list"
    return None


def _of_times(tool: "Tool") -> str | None:
    if tool.timeout is not None and not _is_number(tool.timeout, above=0):
        return "timeout is a number of seconds above 0"
    if not _is_number(tool.backoff, above=-1) or tool.backoff < 0:
        return "backoff is a number of seconds, 0 or more"
    most = tool.max_attempts
    if most is not None and not (isinstance(most, int) and _is_number(most, above=0)):
        return "max_attempts is a whole number, 1 or more"
    return None


def _of_errors(tool: "Tool") -> str | None:
    for name in ("transient", "not_executed"):
        kinds = getattr(tool, name)
        if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds):
            return f"{name} has exception classes, and nothing else"
    if tool.transient and not tool.repeatable and tool.reconcile is None:
        return (
            "transient is for a tool that may be repeated (read_only, idempotent, transactional) "
            "or looked up (reconcile); an error after which nothing has happened, for certain, "
            "belongs into not_executed"
        )
    return None


def _of_isolation(tool: "Tool") -> str | None:
    if tool.isolation not in get_args(Isolation):
        return f'isolation is "thread" or "process", not {tool.isolation!r}'
    if tool.isolation == "thread":
        return None
    if tool.transactional:
        return 'isolation="process" is not for a transactional tool: it writes through this process'
    if home_of(tool.function) is None:
        return (
            'isolation="process" needs a function at the top of a module that another process '
            "can import: no lambda, no function within a function, nothing in __main__"
        )
    return None


def _is_number(value: object, *, above: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return above < value <= _LONGEST  # NaN is neither
