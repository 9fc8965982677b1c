"""The subcommand that walks a run again, as it was recorded."""

import asyncio
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from engine.cli.options import Settings
from engine.cli.root import command
from engine.errors import BadInputError

if TYPE_CHECKING:
    from engine.ports import Clock
    from engine.replaying.told import Told


@command("replay")
@click.argument("source", metavar="LOG|RUN")
@click.option("--run", "run_id", metavar="RUN", help="Which run of the LOG, if it has several.")
@click.option("--step", is_flag=True, help="Wait for a key after each step; q ends it.")
@click.option(
    "--pace",
    type=float,
    metavar="FACTOR",
    help="So many times as fast as it was recorded; no wait is longer than 5 s.",
)
@click.option("--at", type=int, metavar="SEQ", help="Only how it stood then, and what is next.")
def replay(  # noqa: PLR0913 # the ways to walk
    settings: Settings,
    *,
    source: str,
    run_id: str | None,
    step: bool,
    pace: float | None,
    at: int | None,
) -> None:
    """Walk a run again: one of a LOG, or RUN of the store. Nothing outside is touched.

    Every digest and transition is verified; the first that does not hold is named, and
    ends it with exit code 1.
    """
    from engine.cli.recorded import steps_of
    from engine.cli.replayed import Printer
    from engine.replaying.told import told

    if step + (pace is not None) + (at is not None) > 1 or (step and settings.json):
        raise click.UsageError("take one of --step, --pace and --at; --step prints no --json")
    if step and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("--step reads keys from a terminal, and this is none; try --pace")
    steps = told(steps_of(settings, source, run_id))
    show = Printer(settings).show
    if at is not None:
        _show_moment(settings, steps, at)
    elif pace is not None:
        from engine.runtime.clock import SystemClock

        asyncio.run(walk_paced(steps, pace, SystemClock(), show))
    elif step:
        _walk_by_key(steps, show)
    else:
        for one in steps:
            show(one)


async def walk_paced(
    steps: "Iterable[Told]", factor: float, clock: "Clock", show: "Callable[[Told], None]"
) -> None:
    """Nothing, once every step was shown, as far from each other as they were recorded."""
    from engine.replaying.told import paced

    async for one in paced(steps, factor, clock):
        show(one)


def _walk_by_key(steps: "Iterable[Told]", show: "Callable[[Told], None]") -> None:
    click.echo("(any key: the next step; q: enough)", err=True)
    for one in steps:
        show(one)
        try:
            key = click.getchar()
        except EOFError:
            return
        if (key or "q").lower() == "q":  # nothing: the terminal is gone
            return


def _show_moment(settings: Settings, steps: "Iterable[Told]", at: int) -> None:
    from engine.cli.app import workflow_of_today
    from engine.cli.moment import print_moment

    newest = 0
    for one in steps:
        newest = one.step.entry.seq
        if newest == at:
            print_moment(one, workflow_of_today(settings.app, one.step.run.workflow), settings)
            return
    raise BadInputError(f"there is no event {at}; the run has 1 to {newest}")
