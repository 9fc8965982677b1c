"""What people write on the command line, read."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic import JsonValue

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
    changes = dict(assigned(text, "--set") for text in sets)
    run = await engine.run(run_id)
    meant = [one for one in run.approvals if _is_meant(wanted, one.approval_id, one.call_id)]
    if len(meant) == 1:
        return {**meant[0].arguments, **changes}
    if meant:
        return changes  # which of them is meant, the engine will ask
    return {**await _asked_before(engine, run_id, wanted), **changes}


async def _asked_before(engine: "Engine", run_id: str, wanted: Mapping[str, Any]) -> "Arguments":
    """What was asked for by an approval that is closed: the verdict may come a second time."""
    from engine.core.approval_events import ApprovalRequested

    arguments: Arguments = {}
    for one in await engine.journal(run_id):
        event = one.event
        if isinstance(event, ApprovalRequested) and _is_meant(
            wanted, event.approval_id, event.call_id
        ):
            arguments = event.arguments
    return arguments


def _is_meant(wanted: Mapping[str, Any], approval_id: str, call_id: str) -> bool:
    return wanted["call_id"] in (None, call_id) and wanted["approval_id"] in (None, approval_id)


def unmasked(edited: "JsonValue", shown: "JsonValue", truth: "JsonValue") -> "JsonValue":
    """What a person made of `shown`, with the truth in the place of each *** that they left."""
    if edited == shown:
        return truth
    match edited, shown, truth:
        case dict(), dict(), dict():
            return {
                name: unmasked(value, shown[name], truth[name])
                if name in shown and name in truth
                else value
                for name, value in edited.items()
            }
        case list(), list(), list() if len(edited) == len(shown) == len(truth):
            return [unmasked(*each) for each in zip(edited, shown, truth, strict=True)]
    return edited


def assigned(text: str, option: str) -> tuple[str, Any]:
    """The name and the value of NAME=JSON; UsageError, naming the option, for anything else."""
    from engine.core.canonical import parse_object

    name, equals, value = text.partition("=")
    try:
        (read_value,) = parse_object(f'{{"value": {value}}}').values()
    except ValueError as error:
        raise _no_assignment(text, option) from error
    if not equals:
        raise _no_assignment(text, option)
    return name, read_value


def _no_assignment(text: str, option: str) -> click.UsageError:
    name = text.partition("=")[0]
    right = f"""{name}=20, or {name}='"a text"'"""
    return click.UsageError(f"{option}: {text!r} is not NAME=JSON; right would be {right}")
