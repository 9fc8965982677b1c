"""The subcommand that starts a new run from any point of an old one."""

from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.cli.driving import drive
from engine.cli.options import Settings
from engine.cli.root import ask, command, login, model_option, run_argument
from engine.cli.text import visible
from engine.errors import BadInputError

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.core.events import Recorded
    from engine.core.messages import Arguments
    from engine.core.run import Run


@command("fork")
@run_argument
@click.argument("sets", metavar="[NAME=JSON]...", nargs=-1)
@click.option("--at", type=int, required=True, metavar="SEQ", help="Copy it up to this event.")
@click.option("--run-id", "new_id", help="A name for the fork. [a random one]")
@click.option("--message", help="What the customer says next.")
@click.option(
    "--edit-instructions",
    "instructions",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file of instructions, in the place of those that RUN began with.",
)
@click.option(
    "--arguments",
    "call_id",
    metavar="CALL",
    help="An open call that is asked for with other arguments: NAME=JSON ...",
)
@click.option("--by", default=login, help="Who forks it. [the login name]")
@click.option("--detach", is_flag=True, help="Only store the fork; a worker drives it.")
@model_option
def fork(  # noqa: PLR0913 # what there is to say about a fork
    settings: Settings,
    *,
    run_id: str,
    sets: tuple[str, ...],
    at: int,
    call_id: str | None,
    instructions: Path | None,
    model: str | None,
    **more: Any,  # noqa: ANN401 # as the command has them
) -> int:
    """Start a new run with the past of RUN up to an event, and change at most one thing.

    RUN stays as it is. Nothing of the past is done again.
    """
    if bool(sets) != (call_id is not None):
        raise click.UsageError("--arguments CALL goes with the changes: NAME=JSON ...")
    changes: dict[str, Any] = {"by": more.pop("by") or None}
    if instructions is not None:
        changes["instructions"] = _read(instructions)
    journal = ask(settings, lambda engine: engine.journal(run_id))
    if call_id is not None:
        changes["arguments"] = {call_id: {**_asked(journal[:at], call_id), **_values(sets)}}

    from engine.api.wiring import new_id

    given = more.pop("new_id")
    name = new_id() if given is None else given

    def begin(engine: "Engine") -> "Awaitable[Run]":
        return engine.fork(run_id, at=at, new_id=name, **changes, **more)

    code = drive(settings, settings.changing, model, begin, name)
    _note_again(journal, at, run_id)
    return code


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        words = getattr(error, "strerror", None) or "it is no text"
        raise BadInputError(f"the instructions {file} cannot be read: {words}") from error


def _values(sets: tuple[str, ...]) -> "Arguments":
    from engine.cli.reading import assigned

    return dict(assigned(text, "--arguments") for text in sets)


def _asked(journal: "tuple[Recorded, ...]", call_id: str) -> "Arguments":
    """What the call was asked for with; nothing where it is no call, or no JSON object."""
    from engine.core.canonical import parse_object
    from engine.core.events import ToolsRequested

    for one in reversed(journal):
        if isinstance(one.event, ToolsRequested):
            for call in one.event.message.tool_calls:
                if call.id == call_id:
                    try:
                        return parse_object(call.function.arguments or "{}")
                    except ValueError:
                        return {}
            break
    return {}


def _note_again(journal: "tuple[Recorded, ...]", at: int, run_id: str) -> None:
    """Say which calls the fork may make though the old run has made them, too."""
    from engine.core.events import ToolStarted
    from engine.replaying.fork import made_since

    again = [
        f"{one.event.tool} ({one.event.call_id}) at seq {one.seq}"
        for one in made_since(journal, at)
        if isinstance(one.event, ToolStarted)
    ]
    if again:
        click.echo(
            f"Note: run {run_id} made these calls, and the fork may make them again, under keys "
            f"of its own: {visible(', '.join(again))}",
            err=True,
        )
