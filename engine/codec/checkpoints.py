"""Checkpoints to bytes and back."""

import orjson
from pydantic import ValidationError

from engine.codec.versions import CHECKPOINT_SCHEMA, JUDGED_OTHERWISE
from engine.core.run import Checkpoint
from engine.errors import CorruptRunError, RunTooNewError


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The checkpoint as JSON, every field of it, so that a list can show it as it is; keys sorted.

    Of a run, what is not in its checkpoint is left out. `schema` is the version of the
    shape; the first one did not say so.
    """
    # By the serializer of the one class, whichever the other: a run has more fields.
    fields = Checkpoint.__pydantic_serializer__.to_python(checkpoint, mode="json")
    return orjson.dumps({"schema": CHECKPOINT_SCHEMA, **fields}, option=orjson.OPT_SORT_KEYS)


def decode_checkpoint(data: bytes) -> Checkpoint:
    """The checkpoint again; what an older version did not have takes its default.

    Raises RunTooNewError for a newer version, CorruptRunError where the bytes are none.
    """
    try:
        fields = _fields(data)
        fields.pop("schema", None)
        return Checkpoint.model_validate(fields)
    except ValidationError as error:
        raise CorruptRunError("a checkpoint cannot be read") from error


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
    if fields.get("schema", 1) > CHECKPOINT_SCHEMA:
        raise RunTooNewError("its checkpoint is from a newer Waystation than this one")
    return fields


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
