"""What people write on the command line, read."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.core.conditions import Conditions
    from engine.core.messages import Arguments

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def conditions_of(whiles: tuple[str, ...]) -> "Conditions | None":
    """The conditions of a sticky rule; None where there are none."""
    from engine.core.conditions import read

    conditions: Conditions = {}
    for text in whiles:
        try:
            for name, tests in read(text).items():
                if tests.keys() & conditions.get(name, {}).keys():
                    words = f"{text!r}: there is such a condition on {name} already"
                    raise click.UsageError(f"--while: {words}")
                conditions[name] = conditions.get(name, {}) | tests
        except ValueError as error:
            raise click.UsageError(f"--while: {error}") from error
    return conditions or None


async def edited(
    engine: "Engine", run_id: str, wanted: Mapping[str, Any], sets: tuple[str, ...]
) -> "Arguments | None":
    """The arguments that wait, with what a person changed of them; None where nothing is."""
    if not sets:
        return None
    changes = [_set(text) for text in sets]
    run = await engine.run(run_id)
    meant = [
        one
        for one in run.approvals
        if wanted["call_id"] in (None, one.call_id)
        and wanted["approval_id"] in (None, one.approval_id)
    ]
    if len(meant) != 1:
        return dict(changes)  # which of them is meant, the engine will ask
    return {**meant[0].arguments, **dict(changes)}


def filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which approvals are wanted, as Engine.pending has them."""
    for option in (
        click.option("--older-than", type=_Time(), help="Waiting longer than, e.g. 2h."),
        click.option("--role", help="Only what a person of this role may decide."),
        click.option("--tool", help="Only calls of this tool."),
        click.option("--workflow", help="Only runs of this workflow."),
    ):
        function = option(function)
    return function


class _Time(click.ParamType[float]):
    """A time, in seconds."""

    name = "time"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,  # as click has it
    ) -> float:
        """See click."""
        del param, ctx
        return seconds(str(value))


def seconds(text: str) -> float:
    """A time such as 90, 45s, 30m, 2h or 7d, in seconds; UsageError where it is none."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if not _NUMBER.fullmatch(number):
        raise click.UsageError(f"{text!r} is no time; right would be 90, 45s, 30m, 2h or 7d")
    return float(number) * _SECONDS[unit]


def _set(text: str) -> tuple[str, Any]:
    from engine.core.canonical import parse_object

    name, equals, value = text.partition("=")
    try:
        (read_value,) = parse_object(f'{{"value": {value}}}').values()
    except ValueError as error:
        raise _no_assignment(text, str(error)) from error
    if not equals:
        raise _no_assignment(text, "there is no =")
    return name, read_value


def _no_assignment(text: str, why: str) -> click.UsageError:
    example = """note='"hi"'"""
    return click.UsageError(
        f"--set: {text!r} is not NAME=JSON ({why}); a text needs quotes: {example}"
    )
