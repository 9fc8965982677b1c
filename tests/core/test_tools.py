"""Tools from functions, and from explicit schemas."""

from collections.abc import Callable
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from engine import BadInputError, Limits, Tool, Workflow, tool
from engine.core.schema import ArgumentsError
from tests.spec import STARTED, given


def asks_first(one: Tool) -> bool:
    """Whether a person is asked before a call of it, where its workflow says nothing."""
    workflow = Workflow(name="any", instructions="", tools=(one,))
    run = given(STARTED).run
    assert run is not None
    return workflow.demand(one.name, {}, run).ask == "always"


class Colour(Enum):
    RED = "red"


class Address(BaseModel):
    street: str
    number: int = 1


def test_descriptions_come_from_annotations_or_the_docstring() -> None:
    @tool(read_only=True)
    def find(a: Annotated[int, Field(description="from the hint", ge=1)], b: str = "x") -> str:
        """Find it.

        It may take long.

        Args:
            a: from the docstring
            b: also from the docstring
        """
        return f"{a}{b}"

    assert (find.name, find.description) == ("find", "Find it.\n\nIt may take long.")
    assert find.parameters["properties"] == {
        "a": {"type": "integer", "minimum": 1, "description": "from the hint"},
        "b": {"type": "string", "default": "x", "description": "also from the docstring"},
    }
    assert find.parameters["required"] == ["a"]


def test_arguments_reach_the_function_as_its_types_and_the_journal_as_json() -> None:
    @tool
    def use(
        day: date,
        colour: Colour,
        home: Address,
        kind: Literal["a", "b"] = "a",
        note: str | None = None,
    ) -> None:
        """Use all kinds."""

    text = (
        '{"day": "2026-01-02", "colour": "red", "home": {"street": "Elm"},'
        ' "kind": null, "note": null}'
    )
    values = use.validate(text)
    assert values == {
        "day": "2026-01-02",
        "colour": "red",
        "home": {"street": "Elm", "number": 1},
        "kind": "a",
        "note": None,
    }
    assert use.bind(values) == {
        "day": date(2026, 1, 2),
        "colour": Colour.RED,
        "home": Address(street="Elm"),
        "kind": "a",
        "note": None,
    }


def test_validating_never_calls_the_function() -> None:
    @tool
    def boom(x: int) -> None:
        """Never to be called."""
        raise AssertionError(x)

    assert boom.validate('{"x": 1}') == {"x": 1}


def test_parameters_may_have_any_name() -> None:
    @tool
    def odd(copy: int, model_config: int, _private: int, json: int) -> None:
        """Have names that pydantic knows."""

    text = '{"copy": 1, "model_config": 2, "_private": 3, "json": 4}'
    assert odd.bind(odd.validate(text)) == {"copy": 1, "model_config": 2, "_private": 3, "json": 4}


def test_the_safe_default_asks_and_never_repeats() -> None:
    bare = Tool(name="t", description="", parameters={"type": "object"}, function=print)
    assert (asks_first(bare), bare.repeatable, bare.destructive) == (True, False, True)


@pytest.mark.parametrize(
    ("hints", "asks", "repeats"),
    [
        ({"read_only": True}, False, True),
        ({"read_only": True, "approval": "always"}, True, True),
        ({"idempotent": True}, True, True),
        ({"approval": "never"}, False, False),
        ({"destructive": False}, True, False),
    ],
)
def test_hints_loosen_only_what_they_say(hints: dict[str, Any], asks: bool, repeats: bool) -> None:
    made = tool(**hints)(print_nothing)
    assert (asks_first(made), made.repeatable) == (asks, repeats)


def test_an_explicit_schema_is_enforced() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"n": {"type": "integer", "minimum": 1}},
        "required": ["n"],
        "additionalProperties": False,
    }
    made = Tool(name="t", description="", parameters=schema, function=print)
    assert made.validate('{"n": 2}') == {"n": 2}
    for text, said in [
        ('{"n": 0}', "n: 0 is less"),
        ("{}", "required"),
        ('{"n": 1, "m": 1}', "'m'"),
    ]:
        with pytest.raises(ArgumentsError, match=said):
            made.validate(text)


def test_null_leaves_out_an_optional_parameter_of_an_explicit_schema() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"type": "integer"}, "c": {"type": ["null"]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    made = Tool(name="t", description="", parameters=schema, function=print)
    assert made.validate('{"a": "x", "b": null, "c": null}') == {"a": "x", "c": None}
    with pytest.raises(ArgumentsError, match="a: None is not"):
        made.validate('{"a": null}')


def _untyped(x) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 # the point of it
    """Have no hints."""


def _star(*x: int) -> None:
    """Take any number."""


def _unknown(x: "NoSuchType") -> None:  # type: ignore[name-defined] # noqa: F821 # the point of it
    """Name no type."""


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: tool(_untyped), "x has no type hint"),
        (lambda: tool(_star), "x cannot be given by name"),
        (lambda: tool(_unknown), "NoSuchType"),
        (lambda: tool(name="two words")(print_nothing), "two words"),
        (lambda: tool(approval="sometimes")(print_nothing), "sometimes"),  # type: ignore[arg-type] # wrong on purpose
        (
            lambda: Tool(name="t", description="", parameters={"type": "array"}, function=print),
            "type object",
        ),
        (
            lambda: Tool(
                name="t",
                description="",
                parameters={"type": "object", "required": 3},
                function=print,
            ),
            "t: parameters",
        ),
        (lambda: Workflow(name="a b", instructions=""), "a b"),
        (lambda: Workflow(name="a", instructions="", tools=(print,)), "@tool"),  # type: ignore[arg-type] # wrong on purpose
        (
            lambda: Workflow(
                name="a", instructions="", tools=(tool(print_nothing), tool(print_nothing))
            ),
            "print_nothing",
        ),
        (lambda: Limits(max_turns=0), "max_turns must be at least 1"),
        (lambda: Limits(max_truns=3), "max_truns"),
        (lambda: Workflow(name="a", instructions="", limits=3), "a: limits: 3 is no Limits"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: Workflow(name="a", instructions="", memory=True), "memory: True is no Memory"),  # type: ignore[arg-type] # wrong on purpose
    ],
)
def test_a_wrong_declaration_is_refused_where_it_is_made(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        make()


def print_nothing() -> None:
    """Do nothing."""
