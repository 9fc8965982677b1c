"""The versions of the shapes that outlive a release, and the way up from each to the next.

A shape that changes gets a new version here, and an upcaster from the one before; the
journals that the old release wrote stay in `tests/replay/journals`, and must load.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import get_args

from engine.core.events import Event
from engine.core.shape import Shape
from engine.errors import CorruptRunError, RunTooNewError

CHECKPOINT_SCHEMA = 5
# What older checkpoints say of the same events in another way.
JUDGED_OTHERWISE = frozenset({"schema", "doubtful"})

_Fields = dict[str, object]

EVENTS: Mapping[str, type[Shape]] = {
    one.model_fields["kind"].default: one for one in get_args(get_args(Event)[0])
}
# The version that brought a field of a kind; an event that has none of them is of version 1.
_BROUGHT: Mapping[str, Mapping[str, int]] = {
    "run_started": {
        "definition": 2,
        "tools": 2,
        "by": 3,
        "customer": 4,
        "secrets": 4,
        "redact": 4,
        "known": 5,
    },
    "workflow_changed": {"secrets": 2, "redact": 2},
    "tools_requested": {"seen": 2, "cost": 3, "seconds": 3, "window": 3},
    "model_answered": {"cost": 2, "seconds": 2, "window": 2, "sums_up": 2},
    "answer_superseded": {"cost": 2, "seconds": 2, "window": 2},
    "model_failed": dict.fromkeys(
        ("usage", "model", "cost", "seconds", "window", "overflow", "cut", "found"), 2
    ),
    "run_aborted": dict.fromkeys(("usage", "model", "cost", "seconds", "window"), 2),
    "tool_started": {"audit": 2},
    "tool_returned": {"shown": 2},
    "approval_requested": {
        "demand": 2,
        "expires_at": 2,
        "remind_at": 2,
        "notify": 2,
        "form": 2,
    },
    "approval_granted": {"arguments": 2, "demand": 2},
    "approval_denied": {"note": 2},
}

_NEWEST = {kind: max(_BROUGHT.get(kind, {"": 1}).values()) for kind in EVENTS}


def version_of(kind: str, fields: Iterable[str]) -> int:
    """The oldest version in which an event of that kind can be read that has these fields."""
    brought = _BROUGHT.get(kind)
    return max([brought.get(field, 1) for field in fields], default=1) if brought else 1


def brought_later(kind: str) -> frozenset[str]:
    """The fields that the first version of a kind did not have."""
    return frozenset(_BROUGHT.get(kind, {}))


def upcast_event(kind: str, fields: _Fields) -> _Fields:
    """The fields in today's shape; RunTooNewError where they are newer than that."""
    fields = dict(fields)
    version = fields.pop("v", 1)
    if not isinstance(version, int):
        raise CorruptRunError(f"{kind} is of no version")
    newest = _NEWEST.get(kind, 0)
    if version > newest:
        raise RunTooNewError(
            f"{kind} of version {version} is from a newer Waystation than this one"
        )
    for step in range(version, newest):
        if (upcast := _UPCASTERS.get((kind, step))) is not None:
            fields = upcast(fields)
    return fields


def _run_started_of_unknown_code(fields: _Fields) -> _Fields:
    """Version 1 did not say under which definition a run was begun."""
    return {**fields, "definition": "", "tools": {}}


_UPCASTERS: Mapping[tuple[str, int], Callable[[_Fields], _Fields]] = {
    ("run_started", 1): _run_started_of_unknown_code,
}
