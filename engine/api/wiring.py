"""What an engine is given, in the form in which it is used."""

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.core.workflow import Workflow
from engine.errors import DefinitionError
from engine.ports import Logger

LogTarget = str | Path | Logger

_ID_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"  # none that are mistaken for each other


def new_id() -> str:
    """A random run id of 12 characters."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(12))


def several(log: LogTarget | Sequence[LogTarget] | None) -> Sequence[LogTarget]:
    """The targets, however many were given."""
    match log:
        case None:
            return ()
        case str() | Path():
            return (log,)
        case Sequence():
            return log
        case _:
            return (log,)


def by_name(workflows: Iterable[Workflow]) -> dict[str, Workflow]:
    """The workflows by their names; DefinitionError where two have one."""
    named: dict[str, Workflow] = {}
    for workflow in workflows:
        if not isinstance(workflow, Workflow):
            raise DefinitionError(f"{workflow!r} is no Workflow")
        if workflow.name in named:
            raise DefinitionError(f"two workflows are named {workflow.name}")
        named[workflow.name] = workflow
    return named
