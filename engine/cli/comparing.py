"""The subcommand that shows two runs side by side."""

from typing import TYPE_CHECKING

import click

from engine.cli.figures import console, money, span, table
from engine.cli.options import Settings
from engine.cli.root import ask, command
from engine.cli.text import short

if TYPE_CHECKING:
    from rich.table import Table

    from engine.api import Engine
    from engine.replaying.compare import Comparison
    from engine.replaying.summary import Summary
    from engine.replaying.trajectory import Step

_SHOWN = 300  # characters of a step
_TOLD = 600  # of the first difference


@command("diff")
@click.argument("one", metavar="RUN")
@click.argument("other", metavar="RUN")
def diff(settings: Settings, one: str, other: str) -> int:
    """Show what two runs did, side by side, and where they first part; exit 1 where they do."""
    from engine.cli.output import print_json
    from engine.replaying.compare import compare

    async def both(engine: "Engine") -> "Comparison":
        return compare(await engine.masked.journal(one), await engine.masked.journal(other))

    found = ask(settings, both)
    if settings.json:
        print_json(found)
    else:
        _print(found)
    return int(not found.alike)


def _print(found: "Comparison") -> None:
    terminal = console()
    terminal.print(_side_by_side(found))
    terminal.print()
    terminal.print(_totals(found.one, found.other))
    terminal.print()
    if found.words is None:
        click.echo("Both did the same.")
    else:
        click.echo(f"First difference: {short(found.words, _TOLD)}")


def _side_by_side(found: "Comparison") -> "Table":
    """A row a step; `>>` marks the first that differs, `>` the others."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    shown.add_column("", width=2)
    shown.add_column("turn", justify="right", width=4)
    for run in (found.one, found.other):
        shown.add_column(Text(run.run_id), ratio=1, overflow="fold")
    for place, pair in enumerate(found.steps):
        mark = "" if pair.alike else ">>" if place == found.first else ">"
        style = None if pair.alike else "bold" if place == found.first else "yellow"
        step = pair.one or pair.other
        turn = str(step.turn) if step else ""
        cells = (Text(_cell(one)) for one in (pair.one, pair.other))
        shown.add_row(mark, turn, *cells, style=style)
    return shown


def _cell(step: "Step | None") -> str:
    from engine.replaying.differing import in_words

    return short(in_words(step), _SHOWN) if step else ""


def _totals(one: "Summary", other: "Summary") -> "Table":
    return table(
        *("", one.run_id, other.run_id),
        rows=[
            (name, left, right)
            for (name, left), (_, right) in zip(_figures(one), _figures(other), strict=True)
        ],
    )


def _figures(run: "Summary") -> list[tuple[str, str]]:
    verdicts = run.approvals.asked - run.approvals.open - run.approvals.given_up
    return [
        ("turns", str(run.turns)),
        ("calls", str(sum(one.asked for one in run.tools))),
        ("verdicts", str(verdicts)),
        ("tokens", str(run.usage.total_tokens)),
        ("cost", money(run.cost)),
        ("time", span(run.elapsed)),
        ("waited for people", span(run.waited)),
    ]
