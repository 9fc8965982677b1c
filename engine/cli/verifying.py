"""Subcommands about whether runs are what was written: verify, anchor, seal."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.anchors import read_anchors
from engine.cli.options import Settings
from engine.cli.output import print_json
from engine.cli.root import ask, by_option, command
from engine.cli.text import counted, visible
from engine.errors import RefusedError, UnreadableRunError

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.runtime.verify import Examined

_PAGE = 500


@command("verify")
@click.option(
    "--anchors",
    "file",
    type=click.Path(path_type=Path),
    help="What `waystation anchor` printed once: find what was cut off or is gone since.",
)
def verify(settings: Settings, file: Path | None) -> int:
    """Read every run, and list those that do not hold together."""
    settings.note_missing()
    anchors = list(read_anchors(file)) if file else []
    found = ask(settings, lambda engine: engine.examine(anchors))
    if settings.json:
        print_json(asdict(found))
    else:
        _print(found)
        if anchors:
            click.echo(f"{counted(len(anchors), 'anchor')} compared.")
    return int(bool(found.damaged or found.unverified))


def _print(found: "Examined") -> None:
    for words in (*found.damaged.values(), *found.unverified.values()):
        click.echo(visible(words))
    if found.damaged:
        click.echo(
            f"Whole: {counted(found.whole, 'run')}. What is damaged can be had from a "
            "backup, or from a log (waystation rebuild)."
        )
    elif not found.unverified:
        click.echo("Every run holds together.")
    for key, count in sorted(found.keyed.items()):
        click.echo(
            f"Under the audit key {key}: {counted(count, 'run')}. Without it nobody can forge them."
        )
    if found.archived:
        click.echo(f"Archived: {counted(found.archived, 'run')}. Their files were read, too.")
    if found.plain:
        click.echo(
            f"Under no audit key: {counted(found.plain, 'run')}. Their chain finds accidents only."
        )
    if found.masked:
        words = "hold masked or erased events; anybody could have written what is left of these."
        click.echo(f"Of them {found.masked} {words}")


@command("anchor")
def anchor(settings: Settings) -> int:
    """Print the newest event of every run, as JSON Lines, to be kept elsewhere."""
    damaged: list[str] = []

    async def write(engine: "Engine") -> None:
        async for one in engine.anchors(damaged):
            click.echo(json.dumps(one.model_dump(mode="json")))  # ASCII, so it is inert

    ask(settings, write)
    for words in damaged:
        click.echo(f"waystation: left out: {visible(words)}", err=True)
    return int(bool(damaged))


@command("seal")
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every run that is under no audit key.")
@by_option
def seal(settings: Settings, runs: tuple[str, ...], *, every: bool, by: str) -> int:
    """Vouch for RUNs that were written without an audit key: from now on they are under it."""
    if bool(runs) == every:
        raise click.UsageError("name the RUNs, or say --all")
    faults: list[str] = []

    async def write() -> int:
        sealed = 0
        async with settings.changing(None, None) as engine:
            for run_id in await _every_id(engine) if every else runs:
                try:
                    sealed += await engine.seal(run_id, by=by)
                except (UnreadableRunError, RefusedError) as error:
                    faults.append(str(error))
        return sealed

    sealed = asyncio.run(write())
    click.echo(f"{counted(sealed, 'run')} sealed.")
    for words in faults:
        click.echo(f"waystation: not sealed: {visible(words)}", err=True)
    return int(bool(faults))


async def _every_id(engine: "Engine") -> list[str]:
    names: list[str] = []
    while page := await engine.runs(limit=_PAGE, after=names[-1] if names else None):
        names += [run.id for run in page]
    return names
