"""The subcommand that lists what is remembered: memory."""

from typing import TYPE_CHECKING

import click

from engine.cli.options import Settings
from engine.cli.root import ask, command
from engine.cli.text import block, short, visible

if TYPE_CHECKING:
    from engine.core.memory import Erased, Fact

_TIME = "%Y-%m-%d %H:%M:%S"


@command("memory")
@click.option("--customer", metavar="KEY", help="Only what is remembered under this key.")
@click.option("--limit", type=int, default=100, show_default=True, help="At most so many notes.")
@click.option("--erasures", is_flag=True, help="That notes were erased, instead: by whom, and why.")
def memory(settings: Settings, *, customer: str | None, limit: int, erasures: bool) -> None:
    """List what runs have remembered for later ones, the newest first."""
    from engine.cli.output import print_json

    if erasures and customer is not None:
        raise click.UsageError(
            "an erasure does not say whose notes they were: leave --customer out"
        )
    settings.note_missing()
    if erasures:
        gone = ask(settings, lambda engine: engine.erasures())
        print_json(gone) if settings.json else _print_erasures(gone)
        return
    facts = ask(settings, lambda engine: engine.memory(customer, limit))
    print_json(facts) if settings.json else _print(facts)


def _print(facts: "list[Fact]") -> None:
    if not facts:
        click.echo("Nothing is remembered.")
    for one in facts:
        call = f", call {visible(one.call_id)}" if one.call_id else ""
        about = f", about {short(one.customer)}" if one.customer not in (None, one.scope) else ""
        click.echo(f"{short(one.scope or '')}  {one.kind} {visible(one.id)}: {block(one.text)}")
        click.echo(
            f"    {one.at:{_TIME}} UTC, run {visible(one.run_id)}, seq {one.seq}{call}{about}"
        )


def _print_erasures(gone: "list[Erased]") -> None:
    if not gone:
        click.echo("No notes were erased.")
    for one in gone:
        why = f": {block(one.reason)}" if one.reason else ""
        click.echo(f"{one.at:{_TIME}} UTC  {one.facts} erased by {visible(one.by)}{why}")
