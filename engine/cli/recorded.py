"""The run that a person names: in a log, or in the store."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.api.wiring import keys_of
from engine.cli.options import Settings
from engine.cli.root import ask
from engine.cli.text import visible
from engine.codec.chain import AuditKeys
from engine.errors import BadInputError, UnknownRunError, UnreadableRunError
from engine.journal.walk import Step, walk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.api import Engine
    from engine.logs.reading import Damaged
    from engine.logs.runs import LoggedRun
    from engine.ports import Entry

_NAMED = 20  # runs of a log


def steps_of(settings: Settings, source: str, run_id: str | None) -> Iterator[Step]:
    """The run step by step, verified; raises UnreadableRunError at the first that does not hold.

    A `source` that is a file is a log, in which `run_id` may be needed; else it is a run.
    """
    keys = keys_of(settings.audit_key)
    if Path(source).is_dir():
        raise BadInputError(f"{source} is a folder; name a log in it, or a run")
    if Path(source).exists():
        return _logged(Path(source), run_id, keys)
    if run_id is not None:
        raise click.UsageError(f"--run goes with a log, and there is no file {source!r}")
    return _stored(settings, source, keys)


def _stored(settings: Settings, run_id: str, keys: AuditKeys) -> Iterator[Step]:
    async def look(
        engine: "Engine",
    ) -> "tuple[Sequence[Entry], UnreadableRunError | None]":
        entries = await engine.entries(run_id)
        try:
            await engine.run(run_id)
        except UnreadableRunError as error:
            return entries, error
        return entries, None

    try:
        entries, fault = ask(settings, look)
    except UnknownRunError as error:
        raise UnknownRunError(f"there is no log {run_id}, and {error}") from None
    return _walked(entries, run_id, keys, fault)


def _walked(
    entries: "Sequence[Entry]", run_id: str, keys: AuditKeys, fault: UnreadableRunError | None
) -> Iterator[Step]:
    yield from walk(entries, run_id, keys)
    if fault is not None:  # it lies in what is stored beside the journal
        raise fault


def _logged(log: Path, wanted: str | None, keys: AuditKeys) -> Iterator[Step]:
    from engine.logs.reading import Tally
    from engine.logs.runs import logged_runs

    tally = Tally()
    run = _one_of(logged_runs([log], tally, keys), log, wanted)
    note_damage(tally.damaged)
    return run.steps(keys)


def _one_of(runs: "Iterable[LoggedRun]", log: Path, wanted: str | None) -> "LoggedRun":
    """The run that is wanted; UsageError, naming them, where it is not plain which one is."""
    found: LoggedRun | None = None
    names: list[str] = []
    for run in runs:
        names.append(run.run_id)
        if run.run_id == wanted or (wanted is None and len(names) == 1):
            found = run
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    known = ", ".join(names[:_NAMED]) + more
    if not names:
        raise click.UsageError(f"the log {log} tells of no run")
    if found is None:
        raise click.UsageError(f"the log {log} has no run {wanted!r}; it has: {known}")
    if wanted is None and len(names) > 1:
        raise click.UsageError(f"the log {log} has several runs; say which with --run: {known}")
    return found


def note_damage(damaged: "Iterable[Damaged]") -> None:
    """Say on stderr which lines of logs are damaged."""
    for bad in damaged:
        of = f" (run {bad.run_id}, seq {bad.seq or '?'})" if bad.run_id else ""
        click.echo(visible(f"Damaged: {bad.where}{of}: {bad.words}"), err=True)
