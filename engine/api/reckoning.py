"""What runs came to, in figures."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from engine.api.looking import journals_in
from engine.api.wiring import keys_of
from engine.codec.chain import AuditKeys
from engine.core.events import Recorded, RunStarted
from engine.errors import BadInputError, UnreadableRunError
from engine.logs.reading import Tally as Lines
from engine.logs.runs import logged_runs
from engine.replaying.statistics import Tally, statistics
from engine.replaying.summary import Summary, summarise
from engine.replaying.totals import Statistics
from engine.runtime.host import Host


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

    async def summary(self, run_id: str) -> Summary:
        """What the run came to so far: time, turns, tokens, cost, calls, approvals, outcome."""
        return summarise(await self.journal(run_id))

    async def statistics(
        self,
        *,
        workflow: str | None = None,
        since: datetime | None = None,
        damaged: list[str] | None = None,
    ) -> Statistics:
        """The figures of every run, or of those of a workflow, or begun since then.

        Runs are read one after the other, and only their figures kept. What is wrong with
        runs that cannot be read, which are left out, is added to `damaged`. Raises
        BadInputError where `since` has no time zone.
        """
        _require_zone(since)
        tally = Tally()
        async for journal in journals_in(self._host.store, self._keys, workflow, damaged, since):
            tally.take(journal)
        return tally.statistics()


def statistics_of(  # noqa: PLR0913 # as Engine.statistics, and what it is read from
    files: Sequence[Path],
    lines: Lines,
    *,
    workflow: str | None = None,
    since: datetime | None = None,
    damaged: list[str] | None = None,
    audit_key: AuditKeys | str | Path | None = None,
) -> Statistics:
    """As Engine.statistics, of the runs that these logs tell of; `lines` says what was read.

    Raises BadInputError where a file cannot be opened, or `since` has no time zone.
    """
    _require_zone(since)
    keys = keys_of(audit_key)

    def journals() -> Iterator[tuple[Recorded, ...]]:
        for run in logged_runs(files, lines, keys):
            try:
                journal = run.journal(keys)
            except UnreadableRunError as error:
                if damaged is not None:
                    damaged.append(str(error))
            else:
                yield journal

    return statistics(one for one in journals() if _is_wanted(one, workflow, since))


def _is_wanted(journal: Sequence[Recorded], workflow: str | None, since: datetime | None) -> bool:
    born = journal[0].event
    named = isinstance(born, RunStarted) and workflow in (None, born.workflow)
    return named and (since is None or journal[0].at >= since)


def _require_zone(since: datetime | None) -> None:
    if since is not None and since.tzinfo is None:
        raise BadInputError(f"since={since.isoformat()} has no time zone")
