"""Checkpoints to bytes and back."""

from decimal import Decimal

import orjson
from pydantic import Field, ValidationError

from engine.codec.versions import CHECKPOINT_SCHEMA, JUDGED_OTHERWISE
from engine.core.run import Checkpoint
from engine.core.shape import Shape
from engine.errors import CorruptRunError, RunTooNewError

_FIELDS = tuple(Checkpoint.model_fields)
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The checkpoint as JSON, every field of it, so that a list can show it as it is; keys sorted.

    Of a run, what is not in its checkpoint is left out. `schema` is the version of the
    shape; the first one did not say so.
    """
    whole = checkpoint.__dict__
    fields = {name: whole[name] for name in _FIELDS}
    fields["schema"] = CHECKPOINT_SCHEMA
    # As pydantic writes the same, in half of its time: at every commit.
    return orjson.dumps(fields, default=_as_json, option=_OPTIONS)


def _as_json(value: object) -> object:
    """What JSON has no value of its own for."""
    match value:
        case Shape():
            return value.__dict__
        case Decimal():
            return str(value)
        case _:
            raise TypeError(f"a checkpoint holds no {type(value).__name__}")


def decode_checkpoint(data: bytes) -> Checkpoint:
    """The checkpoint again; what an older version did not have takes its default.

    Raises RunTooNewError for a newer version, CorruptRunError where the bytes are none.
    """
    try:
        stored = _Stored.model_validate_json(data)
    except ValidationError as error:
        _fields(data)  # one of a newer version may have any shape
        raise CorruptRunError("a checkpoint cannot be read") from error
    fields = {**stored.__dict__}
    _require_known(fields.pop("version"))
    return Checkpoint.trusted(**fields)


class _Stored(Checkpoint):
    """A checkpoint as it stands in a store."""

    version: int = Field(1, alias="schema", strict=True)


def agrees(data: bytes, checkpoint: Checkpoint) -> bool:
    """Whether the bytes are that checkpoint, as far as the version that wrote them knew it.

    Raises RunTooNewError and CorruptRunError as `decode_checkpoint`.
    """
    stored = _fields(data)
    now = orjson.loads(encode_checkpoint(checkpoint))
    if is_of_today(data):
        return bool(stored == now)
    return stored.keys() != now.keys() and _within(stored, now)


def is_of_today(data: bytes) -> bool:
    """Whether the checkpoint is of today's shape; raises as `decode_checkpoint`."""
    return _fields(data).get("schema", 1) == CHECKPOINT_SCHEMA


def _fields(data: bytes) -> dict[str, object]:
    try:
        fields = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CorruptRunError("a checkpoint cannot be read") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("schema", 1), int):
        raise CorruptRunError("a checkpoint cannot be read")
    _require_known(fields.get("schema", 1))
    return fields


def _require_known(version: int) -> None:
    if version > CHECKPOINT_SCHEMA:
        raise RunTooNewError("its checkpoint is from a newer Waystation than this one")


def _within(old: object, new: object) -> bool:
    """Whether `new` says all that `old` says, and perhaps more."""
    match old, new:
        case dict(), dict():
            known = old.keys() - JUDGED_OTHERWISE
            return all(key in new and _within(old[key], new[key]) for key in known)
        case list(), list():
            return len(old) == len(new) and all(map(_within, old, new))
        case _:
            return old == new
