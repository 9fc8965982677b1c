"""Journals gone through again, out of a store or out of logs; nothing outside is touched."""

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from engine.api.wiring import keys_of
from engine.codec.chain import AuditKeys
from engine.codec.events import decode_event
from engine.core.events import Recorded, RunStarted
from engine.core.run import Run
from engine.errors import EngineError
from engine.journal.walk import walk
from engine.logs import runs
from engine.logs.reading import Tally
from engine.logs.runs import LoggedRun
from engine.ports import Entry

_NOBODY = "?"  # no run has that id


def replay(
    entries: Iterable[Entry], audit_key: AuditKeys | str | Path | None = None
) -> Iterator[tuple[Recorded, Run]]:
    """Each event of a journal with the run after it, once its digest and transition hold.

    `entries` are those of `Engine.entries` or `LoggedRun.entries`, from the first on. Raises
    CorruptRunError, naming the first seq that does not hold; RunTooNewError where a newer
    program wrote it, UnverifiedRunError where a key is missing.
    """
    keys, rest = keys_of(audit_key), iter(entries)
    for first in rest:
        for step in walk(chain((first,), rest), _run_id(first), keys):
            yield step.recorded, step.run


def logged_runs(
    files: Iterable[Path | str],
    tally: Tally | None = None,
    audit_key: AuditKeys | str | Path | None = None,
) -> Iterator[LoggedRun]:
    """Every run that these logs tell of, by when they begin; `tally` says what was read.

    The files may be plain or gzip; lines may be mixed, repeated, and of other programs. A
    run of which a line is damaged has a `fault`. Raises BadInputError where a file cannot
    be opened.
    """
    read = Tally() if tally is None else tally
    return runs.logged_runs(map(Path, files), read, keys_of(audit_key))


def _run_id(first: Entry) -> str:
    try:
        event = decode_event(first.kind, first.data)
    except EngineError:
        return _NOBODY
    return event.run_id if isinstance(event, RunStarted) else _NOBODY
