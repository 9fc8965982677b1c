"""The versions of the shapes that outlive a release, and the way up from each to the next.

A shape that changes gets a new version here, and an upcaster from the one before; the
journals that the old release wrote stay in `tests/replay/journals`, and must load.
"""

from collections.abc import Callable, Mapping
from typing import get_args

from engine.core.events import Event
from engine.errors import CorruptRunError, RunTooNewError

CHECKPOINT_SCHEMA = 2

_Fields = dict[str, object]

_KINDS = frozenset(event.model_fields["kind"].default for event in get_args(get_args(Event)[0]))
_NEWEST: Mapping[str, int] = {"run_started": 2}


def version_of(kind: str) -> int:
    """The version in which events of that kind are written today."""
    return _NEWEST.get(kind, 1)


def upcast_event(kind: str, fields: _Fields) -> _Fields:
    """The fields in today's shape; RunTooNewError where they are newer than that."""
    fields = dict(fields)
    version = fields.pop("v", 1)
    if not isinstance(version, int):
        raise CorruptRunError(f"{kind} is of no version")
    if kind not in _KINDS or version > version_of(kind):
        raise RunTooNewError(
            f"{kind} of version {version} is from a newer Waystation than this one"
        )
    for step in range(version, version_of(kind)):
        fields = _UPCASTERS[kind, step](fields)
    return fields


def _run_started_of_unknown_code(fields: _Fields) -> _Fields:
    """Version 1 did not say under which definition a run was begun."""
    return {**fields, "definition": "", "tools": {}}


_UPCASTERS: Mapping[tuple[str, int], Callable[[_Fields], _Fields]] = {
    ("run_started", 1): _run_started_of_unknown_code,
}
