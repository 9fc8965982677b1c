"""Subcommands for runs that have ended: archive, forget."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.filters import seconds
from engine.cli.options import Settings
from engine.cli.output import print_json
from engine.cli.root import command, login
from engine.cli.text import counted, visible

if TYPE_CHECKING:
    from engine.keeping.archive import Archiving
    from engine.keeping.forget import Forgetting


@command("archive")
@click.option(
    "--ended-before",
    metavar="AGE",
    required=True,
    help="Runs that ended, and were left alone, longer ago than e.g. 90d.",
)
@click.option(
    "--to", metavar="DIR", required=True, type=click.Path(path_type=Path), help="The folder."
)
def archive(settings: Settings, ended_before: str, to: Path) -> int:
    """Move ended runs out of the store, into a new packed log in a folder."""
    age = seconds(ended_before)
    settings.note_missing()

    async def move() -> "Archiving":
        async with settings.keeping() as engine:
            return await engine.archive(ended_before=age, to=to)

    done = asyncio.run(move())
    if settings.json:
        print_json(asdict(done))
    else:
        where = ", ".join(done.files) or "an archive"
        many = counted(done.runs, "run") if done.runs else "no runs"
        click.echo(f"Moved to {visible(where)}: {many}.")
        for words in done.left.values():
            click.echo(f"waystation: left in the store: {visible(words)}", err=True)
    return int(bool(done.left))


@command("forget", several_logs=True)
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option(
    "--customer",
    metavar="KEY",
    help="Every run that was started with this --customer, and all that is remembered of it.",
)
@click.option("--by", default=login, help="Who erases. [the login name]")
@click.option("--reason", help="Why; it is kept.")
def forget(  # noqa: PLR0913 # what there is to say about it
    settings: Settings,
    *,
    runs: tuple[str, ...],
    customer: str | None,
    by: str,
    reason: str | None,
    logs: tuple[Path, ...],
) -> int:
    """Erase what was said in ended RUNs, wherever it is kept; what happened, and when, stays."""
    if not runs and not customer:
        raise click.UsageError("name the RUNs, or a --customer")
    settings.note_missing()

    async def erase() -> "Forgetting":
        async with settings.keeping(logs) as engine:
            return await engine.forget(*runs, customer=customer, logs=logs, by=by, reason=reason)

    done = asyncio.run(erase())
    if settings.json:
        print_json(asdict(done))
    else:
        _print(done)
    return int(bool(done.left or done.doubtful or done.traces))


def _print(done: "Forgetting") -> None:
    if not (done.erased or done.left or done.facts):
        click.echo(
            "There is no such run; of one that was forgotten the customer's key is gone, too."
        )
    if done.facts:
        click.echo(f"What was remembered: {counted(done.facts, 'note')} erased.")
    for run_id, events in done.erased.items():
        words = (
            f"erased from {counted(events, 'event')}"
            if events
            else "there was nothing left to erase"
        )
        click.echo(f"Run {visible(run_id)}: {words}.")
    for file, lines in done.files.items():
        click.echo(f"{visible(file)}: {counted(lines, 'line')} changed.")
    for words in done.left.values():
        click.echo(f"waystation: not erased: {visible(words)}", err=True)
    for place in done.doubtful:
        click.echo(f"waystation: {visible(place)} cannot be read; look at it yourself", err=True)
    if done.traces:
        words = "somebody reads the store, so its files may hold traces; do the same again later"
        click.echo(f"waystation: {words}", err=True)
