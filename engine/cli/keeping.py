"""Subcommands that look after a store: backup, doctor."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from engine.cli.options import Settings
from engine.cli.root import command
from engine.cli.text import visible

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.ports import Store

_T = TypeVar("_T")


@command("backup")
@click.argument("file", type=click.Path(path_type=Path))
def backup(settings: Settings, file: Path) -> None:
    """Copy the store, as it is now, to a new FILE, while it may be in use."""
    from engine.catalogue import backup as copy
    from engine.cli.output import print_json

    size = copy(settings.store, file)
    if settings.json:
        print_json({"file": str(file), "bytes": size})
    else:
        click.echo(f"Backed up to {visible(str(file))}, {size} bytes. It is a store of its own.")


@command("doctor")
def doctor(settings: Settings) -> None:
    """Examine the store, its leases and its log, and say what to do."""
    from engine.cli.doctor import examine, figures
    from engine.cli.output import print_json

    settings.note_missing()

    async def look(examine: "Callable[[Store], Awaitable[_T]]") -> "_T":
        store = settings.looking()
        try:
            return await examine(store)
        finally:
            await store.close()

    if settings.json:
        print_json(asyncio.run(look(figures)))
        return
    for one in asyncio.run(look(examine)):
        click.echo(f"{one.name:<16} {visible(one.found)}")
        if one.to_do:
            click.echo(f"{'':<16} -> {visible(one.to_do)}")
