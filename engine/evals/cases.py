"""What a case is: a message, what people say when they are asked, and what must hold then."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from inspect import iscoroutinefunction
from typing import Annotated, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    JsonValue,
    PlainValidator,
    model_validator,
)

from engine.core.canonical import require_canonical
from engine.core.conditions import Conditions, fault_in
from engine.core.messages import Arguments
from engine.core.record import Outcome
from engine.core.run import Run
from engine.core.shape import Shape
from engine.core.states import State

Predicate = Callable[[Arguments], bool]
Judge = Callable[[Run], object]


def _canonical(value: Arguments) -> Arguments:
    require_canonical(value)
    return value


def _where(value: object) -> Conditions | Predicate:
    if iscoroutinefunction(value):
        raise ValueError("a predicate is a plain function, not an async one")
    if callable(value):
        return cast("Predicate", value)
    if not isinstance(value, dict) or not value:
        raise ValueError('conditions are such as {"amount": {"le": 20}}')
    if fault := fault_in(value):
        raise ValueError(fault)
    return value


def _judge(value: object) -> Judge:
    if callable(value):
        return cast("Judge", value)
    raise ValueError("a judge is a function, given in Python")


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


def _schema(value: dict[str, JsonValue]) -> dict[str, JsonValue]:
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(value)
    except (SchemaError, RecursionError) as error:
        words = error.message if isinstance(error, SchemaError) else "nested too deeply"
        raise ValueError(f"no JSON Schema: {words}") from error
    return value


def _one_or_several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _by_name(value: object) -> object:
    return {"tool": value} if isinstance(value, str) else value


Name = Annotated[str, Field(min_length=1)]
Given = Annotated[Arguments, AfterValidator(_canonical)]


class CaseVerdict(Shape):
    """What a person says at one approval of a tool of that name (globs as `issue_*`).

    It is said once, to the first such approval that is open. `arguments` are run in the
    place of the model's, `reason` is what the model reads, `result` is what it reads in
    the place of the tool's. `retry` is for a call in doubt, and for no other.
    """

    tool: Name
    verdict: Literal["approve", "deny", "answer"]
    arguments: Given | None = None
    reason: str | None = None
    result: str | None = None
    retry: bool = False
    by: Name = "evaluation"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        said: dict[str, object] = {
            "arguments": self.arguments,
            "retry": self.retry or None,
            "reason": self.reason,
            "result": self.result,
        }
        own = {"approve": ("arguments", "retry"), "deny": ("reason",), "answer": ("result",)}
        for name, value in said.items():
            if value is not None and name not in own[self.verdict]:
                raise ValueError(f"{name} says nothing where the verdict is {self.verdict}")
        if self.verdict == "answer" and self.result is None:
            raise ValueError("an answer needs a result")
        return self


class ExpectedCall(Shape):
    """A call of a tool of that name (globs as `issue_*`), and what must hold of it.

    `arguments` are among its own (also inside objects), `exactly` are all of them,
    `where` are conditions on them, or in Python a predicate. They are those it ran with;
    of a call that did not run, those that were asked for.
    """

    tool: Name
    arguments: Given | None = None
    exactly: Given | None = None
    where: Annotated[Conditions | Predicate, PlainValidator(_where)] | None = None
    outcome: Outcome | None = None


class ExpectedAnswer(Shape):
    """What must hold of the answer: all of it.

    `contains` are texts that are in it, `regex` is found in it, `json_schema` is what it
    fits as JSON. `judge`, in Python, is given the run: True passes, False or a reason
    (a str) fails; it may be async.
    """

    contains: Annotated[
        Sequence[Name] | None, BeforeValidator(_one_or_several), Field(min_length=1)
    ] = None
    regex: Annotated[Name, AfterValidator(_pattern)] | None = None
    json_schema: Annotated[dict[str, JsonValue], AfterValidator(_schema)] | None = None
    judge: Annotated[Judge, PlainValidator(_judge)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if all(value is None for _, value in self):
            raise ValueError("it says nothing")
        return self


class Expect(Shape):
    """What must hold of a run, all of it.

    `calls` are the tools called: with order "in_order" these, in this order, whatever else
    is called between; with "exact" these and no others; with "any" these, in whatever
    order. `not_called` are tools that no call may ask for. `approvals` are the tools that
    a person was asked about, all of them, in order. `max_cost` is in USD; a run of unknown
    cost is not within it. A run is broken off after `max_seconds`.
    """

    state: State = State.Done
    calls: Sequence[Annotated[ExpectedCall, BeforeValidator(_by_name)]] | None = None
    order: Literal["exact", "in_order", "any"] = "in_order"
    not_called: Annotated[Sequence[Name] | None, Field(min_length=1)] = None
    approvals: Sequence[Name] | None = None
    max_turns: Annotated[int, Field(ge=1)] | None = None
    max_cost: Annotated[Decimal, Field(ge=0)] | None = None
    max_seconds: Annotated[float, Field(gt=0)] | None = None
    answer: ExpectedAnswer | None = None

    @model_validator(mode="after")
    def _can_fail(self) -> Self:
        if self.calls is None and "order" in self.model_fields_set:
            raise ValueError("order says nothing without calls")
        if self.calls is not None and not self.calls and self.order != "exact":
            raise ValueError('calls: none at all needs the order "exact"')
        return self


class Case(Shape):
    """One case: a message to a workflow, what people say, and what must hold of the run.

    `by` is whose run it is. An approval that `approvals` do not foresee fails the case,
    unless the run is expected to be left AwaitingApproval. `repeat` runs it so many times.
    Raises pydantic's ValidationError, a ValueError, for what makes no sense.
    """

    name: Name
    workflow: Name
    message: Name
    by: str | None = None
    approvals: Sequence[CaseVerdict] = ()
    expect: Expect = Expect.model_construct()
    repeat: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
