"""What must hold of a call's arguments, as data: `{"amount": {"le": 20}}`."""

import re
from collections.abc import Mapping
from typing import Literal, get_args

import orjson
from pydantic import JsonValue

from engine.core.canonical import digest
from engine.core.messages import Arguments

Test = Literal["eq", "ne", "lt", "le", "gt", "ge", "in"]
Conditions = dict[str, dict[Test, JsonValue]]

_SIGNS: Mapping[Test, str] = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
    "in": "in",
}

_NAME = re.compile(r"[^\s=<>!]+")
_SIGN = re.compile(r"==|!=|<=|>=|<|>| in ")


def hold(conditions: Conditions, arguments: Arguments) -> bool:
    """Whether every condition holds. None does of an argument that is not there."""
    return all(
        name in arguments and _passes(test, arguments[name], wanted)
        for name, tests in conditions.items()
        for test, wanted in tests.items()
    )


def fault_in(conditions: Mapping[str, Mapping[Test, JsonValue]]) -> str | None:
    """What is wrong with the conditions themselves; None where nothing is."""
    for name, tests in conditions.items():
        if not isinstance(name, str) or not isinstance(tests, Mapping) or not tests:
            return f'{name!r} needs tests, such as {{"le": 20}}'
        for test, wanted in tests.items():
            if test not in get_args(Test):
                return f"{name}: {test!r} is no test; there are: {', '.join(get_args(Test))}"
            if test == "in" and not isinstance(wanted, list):
                return f'{name}: "in" needs a list, not {wanted!r}'
            if test in ("lt", "le", "gt", "ge") and not _is_number(wanted):
                return f'{name}: "{test}" needs a number, not {wanted!r}'
            try:
                digest(wanted)
            except (ValueError, TypeError) as error:
                return f"{name}: {error}"
    return None


def in_words(conditions: Mapping[str, Mapping[Test, JsonValue]]) -> str:
    """The conditions as a person reads them: `amount <= 20 and order == "24680"`."""
    return " and ".join(
        f"{name} {_SIGNS[test]} {orjson.dumps(wanted).decode()}"
        for name, tests in sorted(conditions.items())
        for test, wanted in tests.items()
    )


def read(text: str) -> Conditions:
    """One condition from such words; ValueError where it is none."""
    if found := _SIGN.search(text):  # the first one: the value may hold others
        name, wanted = text[: found.start()], text[found.end() :]
        if not _NAME.fullmatch(name.strip()) or not _is_value(wanted):
            raise _no_condition(text)
        return {name.strip(): {_test_of(found[0]): orjson.loads(wanted.strip())}}
    raise _no_condition(text)


def _test_of(sign: str) -> Test:
    return next(test for test, known in _SIGNS.items() if known == sign.strip())


def _no_condition(text: str) -> ValueError:
    signs = ", ".join(_SIGNS.values())
    return ValueError(
        f"{text!r} is no condition; one is a name, one of {signs}, and a JSON value, such as: "
        'amount <= 20, or order == "24680"; say several one by one'
    )


def _is_value(text: str) -> bool:
    try:
        orjson.loads(text.strip())
    except orjson.JSONDecodeError:
        return False
    return True


def _passes(test: Test, found: JsonValue, wanted: JsonValue) -> bool:  # noqa: PLR0911 # a test a line
    match test:
        case "eq":
            return _same(found, wanted)
        case "ne":
            return not _same(found, wanted)
        case "in":
            return isinstance(wanted, list) and any(_same(found, one) for one in wanted)
    if not (_is_number(found) and _is_number(wanted)):
        return False
    numbers: tuple[float, float] = (found, wanted)  # type: ignore[assignment] # as was just seen
    match test:
        case "lt":
            return numbers[0] < numbers[1]
        case "le":
            return numbers[0] <= numbers[1]
        case "gt":
            return numbers[0] > numbers[1]
        case "ge":
            return numbers[0] >= numbers[1]


def _same(one: JsonValue, other: JsonValue) -> bool:
    """Whether both are one JSON value; True is no 1."""
    return digest(one) == digest(other)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
