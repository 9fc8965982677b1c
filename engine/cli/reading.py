"""What people write on the command line, read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.core.conditions import Conditions
    from engine.core.messages import Arguments


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
