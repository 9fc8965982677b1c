"""How long to leave alone what has just failed."""

import math
from datetime import datetime, timedelta

BASE = 1.0
CAP = 60.0
RETRY_AFTER_CAP = 3600.0


def retry_at(
    now: datetime, attempt: int, retry_after: float | None = None, cap: float = CAP
) -> datetime:
    """When to try again: as the other side asks, else after a back-off with full jitter.

    `retry_after` and `cap` are in seconds; `attempt` counts from 1. The rule is that of the AWS
    Architecture Blog's "Exponential Backoff And Jitter".
    """
    if retry_after is not None and math.isfinite(retry_after):
        return now + timedelta(seconds=min(max(0.0, retry_after), RETRY_AFTER_CAP))
    import random

    longest = min(cap, BASE * 2 ** (attempt - 1))
    return now + timedelta(seconds=random.uniform(0, longest))  # noqa: S311 # jitter is no secret
