"""What is wrong with arguments, in one compact line that a model reads."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import ValidationError

from engine.core.nearest import did_you_mean

if TYPE_CHECKING:
    from jsonschema import ValidationError as SchemaFault

_MOST = 8  # faults that are named
_WHERE, _WHAT = 100, 300  # characters


def faults_of_model(error: ValidationError, names: Sequence[str]) -> str:
    """The faults that pydantic found, in arguments that have these names."""
    return _line(
        _fault(
            [str(step) for step in fault["loc"]],
            fault["msg"],
            _nearest(fault["loc"], names) if fault["type"] == "extra_forbidden" else "",
        )
        for fault in error.errors(include_url=False, include_context=False)
    )


def faults_of_schema(faults: "Iterable[SchemaFault]", names: Sequence[str]) -> str:
    """The faults that a JSON Schema's validator found; empty where there is none."""
    return _line(
        _fault([str(step) for step in fault.absolute_path], fault.message, _hints(fault, names))
        for fault in faults
    )


def _line(faults: Iterable[str]) -> str:
    told = [*faults]
    more = len(told) - _MOST
    return "; ".join((*told[:_MOST], *([f"and {more} more"] if more > 0 else [])))


def _fault(path: Sequence[str], what: str, hint: str) -> str:
    where = _short(".".join(path), _WHERE) or "arguments"
    return f"{where}: {_short(what, _WHAT)}" + (f". {hint}" if hint else "")


def _short(text: str, most: int) -> str:
    """On one line, and no longer than that."""
    line = " ".join(text[: most + 1].splitlines())
    return line if len(text) <= most else f"{line[:most]}…"


def _nearest(path: Sequence[str | int], names: Sequence[str]) -> str:
    return did_you_mean(str(path[0]), names) if len(path) == 1 else ""


def _hints(fault: "SchemaFault", names: Sequence[str]) -> str:
    given = fault.instance
    if fault.validator != "additionalProperties" or fault.absolute_path:
        return ""
    unknown = [name for name in given if name not in names] if isinstance(given, dict) else []
    hints = (did_you_mean(name, names) for name in unknown[:_MOST])
    return " ".join(filter(None, hints))
