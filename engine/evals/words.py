"""What was expected and got, as a person reads it: on one line, and not too long."""

import json

from engine.core.conditions import in_words
from engine.core.messages import Arguments
from engine.evals.cases import ExpectedCall
from engine.evals.course import Called

_LONGEST = 400


def cut(text: str) -> str:
    """`text`, or its beginning and how long it is."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def quoted(text: str | None) -> str:
    """An answer, quoted; "no answer" for none."""
    return "no answer" if text is None else cut(json.dumps(text, ensure_ascii=False))


def expected(call: ExpectedCall) -> str:
    """What is expected of one call."""
    parts = [call.tool]
    if call.exactly is not None:
        parts.append(f"with exactly {_json(call.exactly)}")
    if call.arguments is not None:
        parts.append(f"with {_json(call.arguments)}")
    if callable(call.where):
        parts.append(f"where {getattr(call.where, '__name__', 'the predicate')} holds")
    elif call.where is not None:
        parts.append(f"where {in_words(call.where)}")
    if call.outcome is not None:
        parts.append(f"({call.outcome})")
    return " ".join(parts)


def got(call: Called) -> str:
    """One call as it was made."""
    arguments = "unreadable arguments" if call.arguments is None else _json(call.arguments)
    return f"{call.tool} {arguments} ({call.outcome})"


def listed(words: list[str]) -> str:
    """One after the other; "nothing" where there are none."""
    return cut("; ".join(words)) or "nothing"


def _json(arguments: Arguments) -> str:
    return cut(json.dumps(arguments, ensure_ascii=False))
