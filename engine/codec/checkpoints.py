"""Checkpoints to bytes and back."""

import orjson
from pydantic import ValidationError

from engine.core.run import Checkpoint
from engine.errors import CorruptRunError


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The checkpoint as JSON, every field of it, so that a list can show it as it is."""
    return orjson.dumps(checkpoint.model_dump(mode="json"))


def decode_checkpoint(data: bytes) -> Checkpoint:
    """The checkpoint again; CorruptRunError where the bytes are none."""
    try:
        return Checkpoint.model_validate_json(data)
    except ValidationError as error:
        raise CorruptRunError("a checkpoint cannot be read") from error
