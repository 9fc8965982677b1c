"""How long to leave alone what has just failed."""

import math
from datetime import datetime, timedelta

BASE = 1.0
CAP = 60.0
RETRY_AFTER_CAP = 3600.0
_MOST_DOUBLED = 60  # a float takes no more than a thousand


def retry_at(
    now: datetime,
    attempt: int,
    retry_after: float | None = None,
    cap: float = CAP,
    base: float = BASE,
) -> datetime:
    """When to try again: as the other side asks, else after a back-off with full jitter.

    `retry_after`, `cap` and `base` are in seconds; `attempt` counts from 1. The rule is that
    of the AWS Architecture Blog's "Exponential Backoff And Jitter".
    """
    if retry_after is not None and math.isfinite(retry_after):
        return now + timedelta(seconds=min(max(0.0, retry_after), RETRY_AFTER_CAP))
    import random

    longest = min(cap, base * 2 ** min(attempt - 1, _MOST_DOUBLED))
    return now + timedelta(seconds=random.uniform(0, longest))  # noqa: S311 # jitter is no secret
