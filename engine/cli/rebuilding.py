"""The subcommand that makes a lost store again from logs alone."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.anchors import read_anchors
from engine.cli.options import Settings
from engine.cli.recorded import note_damage
from engine.cli.root import command
from engine.cli.text import counted, visible

if TYPE_CHECKING:
    from engine.api.rebuilding import Rebuilt
    from engine.logs.reading import Tally


@command("rebuild")
@click.argument("logs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--anchors",
    "file",
    type=click.Path(path_type=Path),
    help="What `waystation anchor` printed once: leave out what the logs have less of.",
)
def rebuild(settings: Settings, logs: tuple[Path, ...], file: Path | None) -> int:
    """Put every whole run that LOGS tell of into the store, as it was."""
    from engine.api.rebuilding import rebuild as put_back
    from engine.cli.output import print_json
    from engine.logs.reading import Tally

    tally, anchors = Tally(), list(read_anchors(file)) if file else []
    runs: list[Rebuilt] = []

    async def work() -> None:
        put = put_back(logs, settings.store, tally, settings.audit_key, anchors)
        runs.extend([one async for one in put])

    asyncio.run(work())
    left_out = [one for one in runs if one.fault]
    if settings.json:
        print_json({"runs": list(map(asdict, runs)), **asdict(tally)})
    else:
        _print(settings, runs, tally)
    return int(bool(left_out or tally.damaged))


def _print(settings: Settings, runs: "list[Rebuilt]", tally: "Tally") -> None:
    whole = [one for one in runs if not one.fault]
    events = sum(one.events for one in whole)
    click.echo(
        f"{counted(len(whole), 'run')}, {counted(events, 'event')}: in {visible(settings.store)}."
    )
    if tally.foreign:
        click.echo(f"{counted(tally.foreign, 'line')} of other programs passed over.")
    if ready := sum(one.ready for one in whole):
        click.echo(
            f"{counted(ready, 'run')} not waiting for a person: driven, they go on from where "
            "their log ends. If lines may be missing there, compare with anchors first."
        )
    for one in whole:
        if one.masked:
            many = counted(one.masked, "event")
            words = f"run {one.run_id}: {many} masked or erased in the log"
            calls = f"; in doubt, as arguments are missing: {', '.join(one.lost)}"
            click.echo(visible(words + (calls if one.lost else "")))
    note_damage(tally.damaged)
    for one in runs:
        if one.fault:
            click.echo(visible(f"Left out: {one.fault}"), err=True)
