"""What runs came to, in figures."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING

from engine.api.looking import journals_in
from engine.codec.chain import AuditKeys
from engine.core.events import Recorded
from engine.errors import BadInputError
from engine.runtime.host import Host

if TYPE_CHECKING:
    from engine.replaying.summary import Summary
    from engine.replaying.totals import Statistics


class Reckoning(ABC):
    """The part of an Engine that sums up."""

    _keys: AuditKeys

    @property
    @abstractmethod
    def _host(self) -> Host:
        """What has the store."""

    @abstractmethod
    async def journal(self, run_id: str) -> tuple[Recorded, ...]:
        """See Engine."""

    async def summary(self, run_id: str) -> "Summary":
        """What the run came to so far: time, turns, tokens, cost, calls, approvals, outcome."""
        from engine.replaying.summary import summarise

        return summarise(await self.journal(run_id))

    async def statistics(
        self,
        *,
        workflow: str | None = None,
        since: datetime | None = None,
        damaged: list[str] | None = None,
    ) -> "Statistics":
        """The figures of every run, or of those of a workflow, or begun since then.

        Runs are read one after the other, and only their figures kept. What is wrong with
        runs that cannot be read, which are left out, is added to `damaged`. Raises
        BadInputError where `since` has no time zone.
        """
        from engine.replaying.statistics import Tally

        require_zone(since)
        tally = Tally()
        async for journal in journals_in(self._host.store, self._keys, workflow, damaged, since):
            tally.take(journal)
        return tally.statistics()


def require_zone(since: datetime | None) -> None:
    """Nothing; BadInputError where the time has no time zone."""
    if since is not None and since.tzinfo is None:
        raise BadInputError(f"since={since.isoformat()} has no time zone")
