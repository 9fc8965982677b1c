"""What a tool's value is to the model that reads it: bounded, and of text alone."""

from collections.abc import Iterator
from math import isfinite

import orjson
from pydantic import TypeAdapter

from engine.core.clean import clean_text, clean_value, error_words
from engine.core.cutting import cut_at, shortened
from engine.core.events import ToolReturned
from engine.core.limits import Limits

MOST_KEPT = 2_000_000  # characters of one result; a journal is no place for more
_NOTE = 100  # characters of them, for a note
MOST_SAID = 4_000  # characters of an error

_BYTES = bytes | bytearray | memoryview
_PICTURES = ("tobytes", "__array_interface__")  # what images and arrays have


def returned(call_id: str, text: str, limits: Limits) -> ToolReturned:
    """The event that a result is: the whole text, and how much of it the model is shown."""
    most = limits.max_result_chars
    shown = cut_at(text, 0, most) if len(text) > most else None
    return ToolReturned(call_id=call_id, content=text, shown=shown)


def readable(value: object) -> str:
    """What the model reads of a value. The tool has run, so a bad value is no failure."""
    try:
        text = value if isinstance(value, str) else _as_json(value)
        return clean_text(_kept(text))
    except Exception as error:  # noqa: BLE001 # a value may do anything when it is shown
        words = shortened(error_words(error), MOST_SAID)
        return f"The tool ran to its end, but its result cannot be shown: {words}"


def said(error: BaseException) -> str:
    """What an exception says, however long that is, or whether it can."""
    return shortened(error_words(error), MOST_SAID)


def _kept(text: str) -> str:
    if len(text) <= MOST_KEPT:
        return text
    kept = MOST_KEPT - _NOTE
    return f"{text[:kept]}\n[The last {len(text) - kept:,} characters were not kept.]"


def _as_json(value: object) -> str:
    any_value = TypeAdapter(object)
    _require_text(any_value.dump_python(value, fallback=_refused))
    return orjson.dumps(clean_value(any_value.dump_python(value, mode="json"))).decode()


def _require_text(value: object) -> None:
    """Nothing; TypeError where there are bytes in it, or what may never come to an end."""
    match value:
        case dict():
            for key, one in value.items():
                _require_text(key)
                _require_text(one)
        case list() | tuple() | set() | frozenset():
            for one in value:
                _require_text(one)
        case bytes() | bytearray() | memoryview():
            raise TypeError(_why_not(value))
        case float() if not isfinite(value):
            raise TypeError(f"a tool returns text or JSON values, and {value} is none")
        case Iterator():
            raise TypeError("a tool returns text or JSON values, not an iterator; a list will do")


def _refused(value: object) -> object:
    raise TypeError(_why_not(value))


def _why_not(value: object) -> str:
    kind = type(value).__name__
    is_binary = isinstance(value, _BYTES) or any(hasattr(value, name) for name in _PICTURES)
    what = f"not bytes or images ({kind})" if is_binary else f"not a {kind}"
    return f"a tool returns text or JSON values, {what}; let it return words, or where it lies"
