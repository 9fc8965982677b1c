"""A step, and the difference between two, in words."""

from collections.abc import Mapping
from typing import assert_never

import rfc8785
from pydantic import JsonValue

from engine.core.messages import Arguments
from engine.replaying.trajectory import Step, StepKind

_BEFORE = 30  # characters shown before the place where two texts part

_NAMES: Mapping[StepKind, str] = {
    "message": "the customer's message",
    "note": "the engine's note",
    "words": "the model's words",
    "call": "the call of",
    "asked": "the question about",
    "verdict": "the verdict on",
    "ran": "what ran of",
    "result": "the result of",
    "answer": "the answer",
    "end": "the end",
}
_WHOSE: Mapping[StepKind, str] = {
    "message": "customer",
    "note": "the engine",
    "words": "model",
    "answer": "answer",
}


def in_words(step: Step) -> str:
    """The step on one line, as it was said: to be made visible before a terminal shows it."""
    shown = "" if step.arguments is None else _json({**step.arguments})
    return ": ".join(part for part in (_head(step), step.text, shown) if part)


def difference(one: Step | None, other: Step | None, names: tuple[str, str]) -> str:
    """How two steps that are not alike differ, in the runs of these names."""
    if one is None or other is None:
        name, only = (names[0], one) if one else (names[1], other)
        return f"{_turn(only)}only in {name}: {in_words(only) if only else ''}"
    if (one.kind, one.tool) != (other.kind, other.tool):
        return f"{_turn(one)}{in_words(one)} in {names[0]}; {in_words(other)} in {names[1]}"
    what, shown, others = _part(one, other)
    about = f"{_NAMES[one.kind]} {one.tool or ''}".rstrip()
    return f"{_turn(one)}{about}: {what} is {shown} in {names[0]}, {others} in {names[1]}"


def _turn(step: Step | None) -> str:
    return f"turn {step.turn}: " if step and step.turn else ""


def _head(step: Step) -> str:  # noqa: PLR0911 # a kind a line
    match step.kind:
        case "message" | "note" | "words" | "answer":
            return _WHOSE[step.kind]
        case "call":
            return f"call of {step.tool}"
        case "asked":
            return f"asks a person about {step.tool} ({step.said})"
        case "verdict":
            return f"{step.said} by {step.by}"
        case "ran":
            return f"ran {step.tool} with"
        case "result":
            return f"{step.tool} {step.said}"
        case "end":
            return f"is {step.said}"
        case other:
            assert_never(other)


def _part(one: Step, other: Step) -> tuple[str, str, str]:
    """The name of the first part that differs, and how it stands in either."""
    for name, told in (("it", "said"), ("who", "by")):
        left, right = getattr(one, told), getattr(other, told)
        if left != right:
            return name, str(left), str(right)
    if one.text != other.text:
        return "the text", *_texts(one.text, other.text)
    return _arguments(one.arguments or {}, other.arguments or {})


def _arguments(one: Arguments, other: Arguments) -> tuple[str, str, str]:
    for name in sorted({*one, *other}):
        left, right = _value(one, name), _value(other, name)
        if left != right:
            return name, left, right
    return "what it ran with", _json({**one}), _json({**other})


def _value(arguments: Arguments, name: str) -> str:
    return _json(arguments[name]) if name in arguments else "nothing"


def _json(value: JsonValue) -> str:
    return rfc8785.dumps(value).decode()


def _texts(one: str | None, other: str | None) -> tuple[str, str]:
    """Both texts in quotes, from shortly before the place where they part."""
    if one is None or other is None:
        return _quoted(one), _quoted(other)
    pairs = enumerate(zip(one, other, strict=False))
    parting = next((place for place, (left, right) in pairs if left != right), len(min(one, other)))
    begin = max(parting - _BEFORE, 0)
    dots = "…" if begin else ""
    return _quoted(one[begin:], dots), _quoted(other[begin:], dots)


def _quoted(text: str | None, dots: str = "") -> str:
    return "nothing" if text is None else f'"{dots}{text}"'
