"""Subcommands that look after a store: backup, verify, doctor."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.options import Settings
from engine.cli.root import ask, command
from engine.cli.text import visible

if TYPE_CHECKING:
    from engine.cli.doctor import Finding


@command("backup")
@click.argument("file", type=click.Path(path_type=Path))
def backup(settings: Settings, file: Path) -> None:
    """Copy the store, as it is now, to a new FILE, while it may be in use."""
    from engine.catalogue import backup as copy
    from engine.cli.render import print_json

    size = copy(settings.store, file)
    if settings.json:
        print_json({"file": str(file), "bytes": size})
    else:
        click.echo(f"Backed up to {visible(str(file))}, {size} bytes. It is a store of its own.")


@command("verify")
def verify(settings: Settings) -> int:
    """Read every run, and list those that do not hold together."""
    from engine.cli.render import print_json

    settings.note_missing()
    damaged = ask(settings, lambda engine: engine.damaged())
    if settings.json:
        print_json(damaged)
    for words in () if settings.json else damaged.values():
        click.echo(visible(words))
    if not damaged and not settings.json:
        click.echo("Every run holds together.")
    return int(bool(damaged))


@command("doctor")
def doctor(settings: Settings) -> None:
    """Examine the store, its leases and its log, and say what to do."""
    from engine.cli.doctor import examine
    from engine.cli.render import print_json

    settings.note_missing()

    async def look() -> "list[Finding]":
        store = settings.looking()
        try:
            return await examine(store)
        finally:
            await store.close()

    findings = asyncio.run(look())
    if settings.json:
        print_json({one.name: one.found for one in findings})
    for one in () if settings.json else findings:
        click.echo(f"{one.name:<16} {visible(one.found)}")
        if one.to_do:
            click.echo(f"{'':<16} -> {visible(one.to_do)}")
