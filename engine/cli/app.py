"""Loading the application that holds the workflows."""

import importlib
import sys

import click

from engine.cli.text import visible
from engine.core.workflow import Workflow
from engine.errors import AppError


def load_workflows(app: str) -> list[Workflow]:
    """The workflows that `module:attribute` names; AppError, in one line, where it names none."""
    module_name, colon, attribute = app.partition(":")
    if not (module_name and colon and attribute):
        raise AppError(f"the app {app!r} is not of the form module:attribute")
    if "" not in sys.path:
        sys.path.insert(0, "")  # an app in the working folder, as `python -m` would find it
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (Exception, SystemExit) as error:
        raise AppError(f"the app {app!r} cannot be loaded: {_words(error)}") from error
    if not isinstance(found, list | tuple) or not all(isinstance(one, Workflow) for one in found):
        raise AppError(f"the app {app!r} is not a list of workflows")
    return list(found)


def workflow_of_today(app: str, name: str) -> Workflow | None:
    """The workflow as the app has it today, if it can be had; else stderr says why not."""
    try:
        found = load_workflows(app)
    except AppError as error:
        click.echo(f"waystation: {visible(' '.join(str(error).split()))}", err=True)
        return None
    return next((one for one in found if one.name == name), None)


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 # an app's own exception may do anything
        return type(error).__name__
