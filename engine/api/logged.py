"""What the runs came to that logs tell of, in figures."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from engine.api.reckoning import require_zone
from engine.api.wiring import keys_of
from engine.codec.chain import AuditKeys
from engine.core.events import Recorded, RunStarted
from engine.errors import UnreadableRunError
from engine.logs.reading import Tally as Lines
from engine.logs.runs import logged_runs
from engine.replaying.statistics import statistics
from engine.replaying.totals import Statistics


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
    require_zone(since)
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
