"""Events to bytes and back."""

from datetime import UTC, datetime, timedelta
from typing import cast

import orjson
from pydantic import ValidationError

from engine.codec.versions import EVENTS, upcast_event, version_of
from engine.core.events import Event
from engine.errors import CorruptRunError

_KIND = {"kind"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def encode_event(event: Event) -> bytes:
    """The event's fields but its kind, as JSON with sorted keys, defaults left out.

    `v` is the version of the kind's shape, left out where it is 1.
    """
    write = event.__pydantic_serializer__.to_python
    fields = write(event, mode="json", exclude_defaults=True, exclude=_KIND)
    version = version_of(event.kind, fields)
    if version > 1:
        fields["v"] = version
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def decode_event(kind: str, data: bytes) -> Event:
    """The event again, in today's shape, whichever version wrote it.

    Raises RunTooNewError for a kind or a version that this program does not know,
    CorruptRunError where the bytes are no such event.
    """
    try:
        fields = upcast_event(kind, orjson.loads(data))
        fields["kind"] = kind
        # By its own class: a journal builds the validators of those kinds alone that it has.
        return cast(Event, EVENTS[kind].model_validate(fields, strict=False))
    except (ValidationError, orjson.JSONDecodeError, TypeError, AttributeError) as error:
        raise CorruptRunError(f"{kind} holds something that is no such event") from error


def ticks(at: datetime) -> int:
    """Microseconds since 1970 UTC."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_ticks(at: int) -> datetime:
    """The time that many microseconds after 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=at)
