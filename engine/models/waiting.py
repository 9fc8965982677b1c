"""For how long an endpoint asks to be left alone."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """What Retry-After says, in seconds, or as a date; None where it says nothing readable.

    A date is compared with the endpoint's own, where it tells that: clocks differ.
    """
    said = headers.get("retry-after")
    if said is None:
        return None
    try:
        return float(said)
    except ValueError:
        until, now = _time(said), _time(headers.get("date"))
    return (until - (now or datetime.now(UTC))).total_seconds() if until else None


def _time(said: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(said or "")
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
