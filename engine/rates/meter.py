"""Counts requests and tokens by the minute."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.rates.limit import RateLimit

if TYPE_CHECKING:
    from pyrate_limiter import Decision, InMemoryBucket, Rate

_MINUTE = 60_000  # milliseconds
_LONGEST = 10  # minutes, for which one reply keeps the next ones waiting
_FINEST = 60_000  # units that a minute's tokens are counted in; the library rounds finer ones


class Meter:
    """What was spent of a limit, by the clock of who asks."""

    def __init__(self) -> None:
        """Begin with nothing spent, and no limit."""
        self._requests: _Requests | None = None
        self._tokens: _Tokens | None = None

    def narrow(self, limit: RateLimit) -> None:
        """Nothing; this limit holds from now on, of what was spent already, too."""
        from pyrate_limiter import InMemoryBucket, Rate

        if most := limit.requests_per_minute:
            rates = [Rate(most, _MINUTE)]
            self._requests = self._requests or _Requests(InMemoryBucket(rates))
            self._requests.bucket.rates = rates
        if most := limit.tokens_per_minute:
            unit = max(1, most // _FINEST)
            rate = Rate(most // unit, _MINUTE)
            self._tokens = self._tokens or _Tokens(rate, unit)
            self._tokens.rate, self._tokens.unit = rate, unit

    def spend(self, now: float, tokens: int) -> float:
        """0, and one request of so many tokens is counted; else for how many seconds it waits."""
        spending = self._tokens.judged(now, tokens) if self._tokens else None
        if spending and not spending.decision.allowed:
            return (spending.decision.retry_after_ms or 1) / 1000
        if self._requests and (wait := self._requests.spend(now)):
            return wait
        if spending and self._tokens:
            self._tokens.take(spending)
        return 0

    def settle(self, estimated: int, tokens: int) -> None:
        """Nothing; what a request took more or less than estimated is counted with the next.

        That is ten minutes' worth at most: an endpoint may say anything.
        """
        if self._tokens:
            self._tokens.owed += min(tokens - estimated, _LONGEST * self._tokens.a_minute)


@dataclass(slots=True)
class _Requests:
    bucket: "InMemoryBucket"

    def spend(self, now: float) -> float:
        from pyrate_limiter import RateItem

        item = RateItem("request", int(now * 1000))
        self.bucket.leak(item.timestamp)
        if self.bucket.put(item):
            return 0
        wait = self.bucket.waiting(item)
        return max(wait, 1) / 1000 if isinstance(wait, int) else 1


@dataclass(frozen=True, slots=True)
class _Spending:
    """What it would be to go now: the state after it, and what is owed then."""

    decision: "Decision"
    state: tuple[float, ...]
    owed: int


@dataclass(slots=True)
class _Tokens:
    """A bucket that fills evenly; `unit` tokens are counted as one."""

    rate: "Rate"
    unit: int
    state: tuple[float, ...] = (0,)
    owed: int = 0

    @property
    def a_minute(self) -> int:
        """How many tokens flow back in one."""
        return self.rate.limit * self.unit

    def judged(self, now: float, tokens: int) -> _Spending:
        """More than a minute's tokens go when there are all; the rest is owed by the next."""
        from pyrate_limiter import GCRA

        wanted = max(0, tokens + self.owed)
        weight = min(-(-wanted // self.unit), self.rate.limit)
        state, decision = GCRA().step([self.rate], self.state, int(now * 1000), weight)
        return _Spending(decision, state, tokens + self.owed - weight * self.unit)

    def take(self, spending: _Spending) -> None:
        self.state, self.owed = spending.state, spending.owed
