"""Events to bytes and back, and the digest chain over them."""

import hashlib
from datetime import UTC, datetime, timedelta

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError

from engine.core.events import Event, Recorded
from engine.errors import CorruptRunError

GENESIS = bytes(32)

_EVENT: TypeAdapter[Event] = TypeAdapter(Event, config=ConfigDict(defer_build=True))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


def encode_event(event: Event) -> bytes:
    """The event's fields but its kind, as JSON with sorted keys, defaults left out."""
    fields = event.model_dump(mode="json", exclude_defaults=True, exclude={"kind"})
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def decode_event(kind: str, data: bytes) -> Event:
    """The event again; CorruptRunError where the bytes are none."""
    try:
        return _EVENT.validate_python({**orjson.loads(data), "kind": kind}, strict=False)
    except (ValidationError, orjson.JSONDecodeError, TypeError) as error:
        raise CorruptRunError(f"{kind} holds something that is no such event") from error


def ticks(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (at - _EPOCH) // _TICK


def from_ticks(at: int) -> datetime:
    """The time that many microseconds after 1970, in UTC."""
    return _EPOCH + at * _TICK


def chain(previous: bytes, run_id: str, recorded: Recorded, data: bytes) -> bytes:
    """The SHA-256 (32 bytes) that binds an event to its run, its place, and all before it."""
    where = f"{run_id}\n{recorded.seq}\n{ticks(recorded.at)}\n{recorded.event.kind}\n"
    return hashlib.sha256(previous + where.encode() + data).digest()
