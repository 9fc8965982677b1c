"""Loading the application that holds the workflows."""

import importlib
import sys

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


def _words(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 # an app's own exception may do anything
        return type(error).__name__
