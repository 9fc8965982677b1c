"""The subcommand that sums up many runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.figures import console, money, span, table
from engine.cli.filters import moment
from engine.cli.options import Settings
from engine.cli.root import ask, command
from engine.cli.text import short, visible

if TYPE_CHECKING:
    from rich.table import Table

    from engine.replaying.totals import Cost, Statistics


_WIDE = 160  # columns, for pipes and files, in which nothing need be folded


@command("stats")
@click.argument("logs", metavar="[LOG]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--since", metavar="WHEN", help="Only runs begun since, e.g. 7d or 2026-11-01.")
@click.option("--workflow", help="Only runs of this workflow.")
def stats(
    settings: Settings, logs: tuple[Path, ...], since: str | None, workflow: str | None
) -> int:
    """Sum up every run: states, tools, waiting times, tokens and cost, the longest runs.

    Without a LOG those of the store; else those that the logs tell of.
    """
    from engine.cli.output import print_json

    wanted = _Wanted(moment(since), workflow)
    found = _in_logs(settings, logs, wanted) if logs else _in_store(settings, wanted)
    if settings.json:
        print_json(found)
    else:
        _print(found)
    for words in wanted.damaged:
        click.echo(f"waystation: left out: {visible(words)}", err=True)
    return int(bool(wanted.damaged))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which runs to sum up, and what is wrong with others."""

    since: datetime | None
    workflow: str | None
    damaged: list[str] = field(default_factory=list)


def _in_store(settings: Settings, wanted: _Wanted) -> "Statistics":
    settings.note_missing()
    since, workflow, damaged = wanted.since, wanted.workflow, wanted.damaged
    return ask(
        settings,
        lambda engine: engine.statistics(workflow=workflow, since=since, damaged=damaged),
    )


def _in_logs(settings: Settings, logs: tuple[Path, ...], wanted: _Wanted) -> "Statistics":
    from engine.api.logged import statistics_of
    from engine.logs.reading import Tally

    lines = Tally()
    found = statistics_of(
        logs,
        lines,
        workflow=wanted.workflow,
        since=wanted.since,
        damaged=wanted.damaged,
        audit_key=settings.audit_key,
    )
    wanted.damaged.extend(f"{one.where}: {one.words}" for one in lines.damaged)
    if lines.foreign:
        click.echo(f"Lines of other programs, passed over: {lines.foreign}.", err=True)
    return found


def _print(found: "Statistics") -> None:
    if not found.runs:
        click.echo("No runs.")
        return
    for line in _heading(found):
        click.echo(line)
    terminal = console(at_least=_WIDE)
    for one in _tables(found):
        if one.row_count:
            terminal.print()
            terminal.print(one)


def _heading(found: "Statistics") -> Iterator[str]:
    runs = "run" if found.runs == 1 else "runs"
    states = ", ".join(f"{count} {state}" for state, count in found.states.items())
    yield f"{found.runs} {runs}: {states}"
    yield (
        f"Tokens: {found.usage.input_tokens} in ({found.usage.cached_tokens} cached),"
        f" {found.usage.output_tokens} out. Cost: {_cost(found.cost)}."
    )
    yield f"Tries at the model that failed: {found.model_failures}; retries: {found.model_retries}."
    ways = ", ".join(f"{count} {way}".replace("_", " ") for way, count in found.approvals if count)
    if found.approvals.asked:
        yield f"Approvals: {ways}."


def _cost(cost: "Cost") -> str:
    if not cost.unpriced:
        return money(cost.known)
    runs = "run" if cost.unpriced == 1 else "runs"
    known = f"{money(cost.known)} and " if cost.known else ""
    return f"{known}unknown ({cost.unpriced} {runs})"


def _tables(found: "Statistics") -> "Iterator[Table]":
    yield table(
        *("workflow", "runs", "turns", "tokens", "cost"),
        rows=[
            (one.workflow, one.runs, one.turns, one.usage.total_tokens, _cost(one.cost))
            for one in found.workflows
        ],
    )
    yield table(
        *("model", "runs", "replies", "tokens", "cost"),
        rows=[
            (_named(one.model), one.runs, one.replies, one.usage.total_tokens, _cost(one.cost))
            for one in found.models
        ],
    )
    steps = ("asked", "started", "retried", "returned", "failed", "decided", "in_doubt", "open")
    yield table(
        "tool",
        *(step.replace("_", " ") for step in steps),
        rows=[
            (short(one.tool, 40), *(getattr(one, step) for step in steps)) for one in found.tools
        ],
    )
    waits = [("(all)", found.waits), *found.waits_by_tool.items()] if found.waits.count else []
    yield table(
        *("waited for a person", "approvals", "median", "p95"),
        rows=[(short(tool, 40), one.count, span(one.median), span(one.p95)) for tool, one in waits],
    )
    yield table(
        *("longest", "workflow", "state", "elapsed", "waited for people"),
        rows=[
            (one.run_id, one.workflow, one.state, span(one.elapsed), span(one.waited))
            for one in found.longest
        ],
        numbers=3,
    )


def _named(model: str | None) -> str:
    return "(not told)" if model is None else short(model, 40)
