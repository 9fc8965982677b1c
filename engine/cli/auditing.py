"""The subcommand that exports who asked, who decided, what ran, and what came of it."""

import csv
import io
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, TextIO

import click
import orjson

from engine.cli.filters import moment
from engine.cli.options import Settings
from engine.cli.root import ask, command
from engine.cli.text import visible
from engine.core.record import CallRecord

if TYPE_CHECKING:
    from engine.api import Engine

_PAGE = 200
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@command("audit")
@click.option(
    "--since", metavar="WHEN", help="Only what was asked for since, e.g. 7d or 2026-11-01."
)
@click.option("--tool", help="Only calls of this tool.")
@click.option("--workflow", help="Only runs of this workflow.")
@click.option("--to-review", is_flag=True, help="Only what ran unasked and is to be reviewed.")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv")
@click.option("--output", type=click.File("w", encoding="utf-8"), default="-", help="A file. [-]")
def audit(  # noqa: PLR0913 # what there is to choose from
    settings: Settings,
    *,
    since: str | None,
    tool: str | None,
    workflow: str | None,
    to_review: bool,
    form: str,
    output: TextIO,
) -> int:
    """Export every call of every run: who asked, who said what, what ran, what came of it."""
    begin = moment(since)
    damaged: list[str] = []

    async def write(engine: "Engine") -> None:
        written = 0
        async for record in engine.masked.audit(workflow=workflow, damaged=damaged):
            wanted = tool in (None, record.tool) and (begin is None or record.requested_at >= begin)
            if wanted and (record.to_review or not to_review):
                output.writelines(
                    _lines(record, "jsonl" if settings.json else form, first=not written)
                )
                written += 1

    ask(settings, write)
    for words in damaged:
        click.echo(f"waystation: left out: {words}", err=True)
    return int(bool(damaged))


def _lines(record: CallRecord, form: str, *, first: bool) -> Iterator[str]:
    plain = record.model_dump(mode="json")
    if form == "jsonl":
        yield json.dumps(plain) + "\n"  # ASCII, so it is inert in a terminal
        return
    if first:
        yield _row(list(plain))
    yield _row([_cell(value) for value in plain.values()])


def _row(cells: list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(value: object) -> str:
    """The value as a spreadsheet, or a terminal, shows it, and does not run it."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return visible(f"'{text}" if text.startswith(_FORMULA) else text)
