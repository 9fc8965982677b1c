"""Subcommands that only look: list, show, approvals, log, diagram."""

import asyncio
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from engine.cli.filters import filters
from engine.cli.options import Settings
from engine.cli.root import ask, command, run_argument
from engine.cli.text import visible
from engine.core.states import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.api import Engine
    from engine.ports import Head


@command("list")
@click.option("--state", help=f"Only runs in this state: {', '.join(State)}.")
@click.option("--workflow", help="Only runs of this workflow.")
@click.option("--limit", type=int, default=100, show_default=True, help="At most so many.")
@click.option("--after", metavar="RUN", help="Go on after this run.")
def list_runs(settings: Settings, **wanted: Any) -> None:  # noqa: ANN401 # as Engine.runs has them
    """List runs, the newest first."""
    from engine.catalogue import heads
    from engine.cli.rows import print_rows, to_look_up

    settings.note_missing()

    async def look() -> "Sequence[Head]":
        store = settings.looking()
        try:
            return await heads(store, **wanted)
        finally:
            await store.close()

    rows = asyncio.run(look())
    wanted_whole = to_look_up(rows)
    told = ask(settings, lambda engine: _told(engine, wanted_whole)) if wanted_whole else {}
    print_rows(rows, told, as_json=settings.json)


async def _told(engine: "Engine", run_ids: "Sequence[str]") -> "dict[str, dict[str, object]]":
    """Those checkpoints without secrets, but for the damaged ones."""
    import orjson

    from engine.codec.checkpoints import encode_checkpoint
    from engine.errors import UnreadableRunError

    told: dict[str, dict[str, object]] = {}
    for run_id in run_ids:
        with suppress(UnreadableRunError):
            run = (await engine.masked.run(run_id)).checkpoint()
            told[run_id] = orjson.loads(encode_checkpoint(run))
    return told


@command("show")
@run_argument
@click.option("--context", is_flag=True, help="Exactly what the model is sent next, instead.")
def show(settings: Settings, run_id: str, *, context: bool) -> None:
    """Show RUN: who said what, who allowed what, what came of it, and where it is."""
    if context:
        from engine.cli.sent import print_sent

        print_sent(run_id, settings)
    else:
        _show(settings, run_id)


def _show(settings: Settings, run_id: str) -> None:
    from engine.cli.records import print_raises, print_records
    from engine.cli.render import print_run, print_transcript
    from engine.core.evolve import fold
    from engine.core.record import record_of

    journal = ask(settings, lambda engine: engine.masked.journal(run_id))
    if run := fold(journal):
        if not settings.json:
            print_transcript(run)
            print_records(record_of(journal))
            print_raises(journal)
        print_run(run, settings)
    if settings.audit_key is not None:
        ask(settings, lambda engine: engine.run(run_id))  # whether it is under the key


@command("approvals")
@filters
@click.option("--limit", type=int, default=100, show_default=True, help="About so many.")
@click.option("--after", metavar="RUN", help="Go on after this run.")
def approvals(settings: Settings, **wanted: Any) -> None:  # noqa: ANN401 # as Engine.pending has them
    """List what waits for a person, the oldest run first."""
    from engine.cli.asks import print_pending

    settings.note_missing()
    found = ask(settings, lambda engine: engine.masked.pending(**wanted))
    print_pending(found, settings)
    if len(found) >= wanted["limit"]:
        again = f"the same with --after {shlex.quote(visible(found[-1].run_id))} goes on"
        click.echo(f"waystation: more may wait; {again}", err=True)


@command("log")
@click.argument("run_id", metavar="RUN", required=False)
@click.option("--schema", is_flag=True, help="The JSON Schema of a line of the log, instead.")
def log(settings: Settings, run_id: str | None, *, schema: bool) -> None:
    """Print the journal of RUN, an event a line."""
    from engine.cli.output import print_json
    from engine.cli.render import print_journal

    if schema:
        from engine.journal.schema import line_schema

        print_json(line_schema())
    elif run_id is None:
        raise click.UsageError("say which RUN, or --schema")
    else:
        print_journal(ask(settings, lambda engine: engine.masked.journal(run_id)), settings)


@command("diagram")
def diagram(settings: Settings) -> None:
    """Print the machine as a Mermaid diagram."""
    from engine.cli.output import print_json
    from engine.diagrams import lifecycle

    if settings.json:
        print_json({"lifecycle": lifecycle()})
    else:
        click.echo(lifecycle(), nl=False)
