"""The runs that a log tells of."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from engine.codec.chain import GENESIS, PLAIN, AuditKeys
from engine.core.events import Recorded
from engine.errors import CorruptRunError, UnreadableRunError
from engine.journal.lines import Line
from engine.journal.walk import Step, require_chained, walk
from engine.logs.reading import Damaged, Tally, read_lines
from engine.logs.sorting import Sorted
from engine.ports import Entry

_ERASED = "data_erased"


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One run as logs have it, one line a seq; `fault` is why it is known not to be whole."""

    run_id: str
    lines: tuple[Line, ...]
    fault: str | None = None

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Its journal as it was logged, not verified yet."""
        return tuple(line.entry for line in self.lines)

    def steps(self, keys: AuditKeys = PLAIN) -> Iterator[Step]:
        """The run step by step, each verified; raises UnreadableRunError where it is not whole.

        What stands before the first thing that does not hold is given first.
        """
        for line, step in zip(self.lines, walk(self.entries, self.run_id, keys), strict=True):
            line.require_told_of(step)
            yield step
        if self.fault:
            raise CorruptRunError(f"run {self.run_id}: {self.fault}")

    def journal(self, keys: AuditKeys = PLAIN) -> tuple[Recorded, ...]:
        """The run's events, verified; raises as `steps`."""
        return tuple(step.recorded for step in self.steps(keys))


def logged_runs(
    files: Iterable[Path], tally: Tally, keys: AuditKeys = PLAIN
) -> Iterator[LoggedRun]:
    """Every run that these files tell of, by when they begin; `tally` is filled in first.

    The files may be plain or gzip; lines may be mixed, repeated, and of other programs. One
    run at a time is held in memory. Raises BadInputError where a file cannot be opened.
    """
    with closing(Sorted(read_lines(files, tally))) as found:
        by_run = defaultdict[str | None, list[Damaged]](list)
        for one in tally.damaged:
            by_run[one.run_id].append(one)
        for run_id in found.runs():
            yield _put_together(run_id, found, tally.damaged, by_run[run_id], keys)


def _put_together(
    run_id: str,
    found: Sorted,
    damaged: list[Damaged],
    of_run: Sequence[Damaged],
    keys: AuditKeys,
) -> LoggedRun:
    told: list[list[Line]] = []
    for seq, candidates in found.of(run_id):
        previous = told[-1][0].entry.digest if told else GENESIS
        fitting = list(candidates)
        if len(candidates) > 1:
            fitting = [one for one in candidates if _fits(previous, one, keys)]
        if fitting and len(fitting) < len(candidates):
            words = "it does not follow from what stands before it; another line of that seq does"
            damaged.append(Damaged("a line", words, run_id, seq))
        fitting = fitting or [candidates[0]]
        if len({one.entry.digest for one in fitting}) > 1:
            return LoggedRun(run_id, _told_best(told), f"the logs tell two stories of seq {seq}")
        told.append(fitting)
    lines = _told_best(told)
    newest = lines[-1].entry.seq
    for one in of_run:
        if one.seq is None or one.seq > newest:
            return LoggedRun(run_id, lines, f"a line of it is damaged ({one.where})")
    return LoggedRun(run_id, lines)


def _told_best(told: list[list[Line]]) -> tuple[Line, ...]:
    """The line of each seq that says most of it; the least, where it was erased since."""
    kinds = [lines[0].entry.kind for lines in told]
    since = len(kinds) - kinds[::-1].index(_ERASED) if _ERASED in kinds else 0
    return (
        *(min(lines, key=_length) for lines in told[:since]),
        *(min(lines, key=_is_masked) for lines in told[since:]),
    )


def _length(line: Line) -> tuple[bool, int]:
    return not line.entry.cover, len(line.entry.data)


def _fits(previous: bytes, line: Line, keys: AuditKeys) -> bool:
    try:
        require_chained(previous, line.run_id, line.entry, keys)
    except UnreadableRunError:
        return False
    return True


def _is_masked(line: Line) -> bool:
    return bool(line.entry.cover)
