"""What the model is sent next of a run, to the letter."""

import click

from engine.cli.app import workflow_of_today
from engine.cli.moment import sent_as_json, sent_lines
from engine.cli.options import Settings
from engine.cli.output import print_json
from engine.cli.root import ask
from engine.cli.text import visible
from engine.core.effects import CallModel, Recap, SumUp
from engine.replaying.upcoming import Foreseen


def print_sent(run_id: str, settings: Settings) -> None:
    """Print the messages that the model is sent next, without secrets; nobody is asked."""
    run = ask(settings, lambda engine: engine.masked.run(run_id))
    workflow = workflow_of_today(settings.app, run.workflow)
    following = ask(settings, lambda engine: engine.masked.upcoming(run_id, workflow))
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
