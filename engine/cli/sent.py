"""What the model is sent next of a run, to the letter."""

from typing import TYPE_CHECKING

import click

from engine.cli.moment import sent_as_json, sent_lines
from engine.cli.options import Settings
from engine.cli.output import print_json
from engine.cli.root import ask
from engine.cli.text import visible
from engine.core.effects import CallModel, Recap, SumUp
from engine.replaying.upcoming import Foreseen

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.core.workflow import Workflow


def print_sent(run_id: str, settings: Settings) -> None:
    """Print the messages that the model is sent next, without secrets; nobody is asked."""

    async def look(engine: "Engine") -> "tuple[Foreseen, Workflow | None]":
        following = await engine.masked.upcoming(run_id)
        return following, engine.workflows.get(following.run.workflow)

    following, workflow = ask(settings, look)
    asked = isinstance(following.effect, CallModel | SumUp | Recap)
    if settings.json:
        about = {"run_id": run_id, "state": following.run.state, "asked": asked}
        print_json({**about, **sent_as_json(following, workflow)})
        return
    click.echo(_heading(following, asked=asked))
    for line in sent_lines(following, workflow):
        click.echo(line)


def _heading(following: Foreseen, *, asked: bool) -> str:
    name = f"Run {visible(following.run.id)}"
    if isinstance(following.effect, SumUp):
        return f"{name}: the model is asked next to sum up what it is not sent any more:"
    if isinstance(following.effect, Recap):
        return f"{name}: the model is asked next to sum the run up for later ones:"
    if asked:
        return f"{name}: the model is sent next:"
    return f"{name} is {following.run.state}, and the model is not asked now; so far it is sent:"
