"""Subcommands by which a person decides: approve, deny, answer, revoke, abort; and send."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from engine.cli.driving import drive
from engine.cli.options import Settings
from engine.cli.reading import conditions_of, edited
from engine.cli.root import by_option, command, model_option, run_argument

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.core.run import Run

_Function = Callable[..., int]


def _verdict(name: str) -> Callable[[_Function], click.Command]:
    """A subcommand about one open approval."""
    options = (
        run_argument,
        click.option("--call", "call_id", help="Which call, where several wait."),
        click.option("--approval", "approval_id", help="Which approval, by its id."),
        click.option("--digest", help="What you saw: refused if it is another by now."),
        by_option,
        click.option("--note", help="A word for the record; the model does not read it."),
        model_option,
    )

    def make(function: _Function) -> click.Command:
        for option in reversed(options):
            function = option(function)
        return command(name)(function)

    return make


@_verdict("approve")
@click.option("--retry", is_flag=True, help="Run a call in doubt again.")
@click.option("--set", "sets", multiple=True, metavar="NAME=JSON", help="Run it with this instead.")
@click.option(
    "--while",
    "whiles",
    multiple=True,
    metavar="CONDITION",
    help='From now on let it run unasked in this run, while e.g. "amount <= 20".',
)
def approve(
    settings: Settings,
    run_id: str,
    model: str | None,
    sets: tuple[str, ...],
    whiles: tuple[str, ...],
    **verdict: Any,  # noqa: ANN401 # as Engine.approve has them
) -> int:
    """Allow what RUN waits for, and go on with it."""
    remember = conditions_of(whiles)

    async def act(engine: "Engine") -> "Run":
        arguments = await edited(engine, run_id, verdict, sets)
        return await engine.approve(run_id, arguments=arguments, remember=remember, **verdict)

    return drive(settings, settings.changing, model, act, run_id)


@_verdict("deny")
@click.option("--reason", help="Why; the model reads it.")
def deny(settings: Settings, run_id: str, model: str | None, **verdict: Any) -> int:  # noqa: ANN401 # as Engine.deny has them
    """Refuse what RUN waits for, or give up on a call in doubt, and go on with it."""
    return drive(
        settings, settings.changing, model, lambda engine: engine.deny(run_id, **verdict), run_id
    )


@_verdict("answer")
@click.option("--result", required=True, help="What came of the call; the model reads it.")
def answer(settings: Settings, run_id: str, model: str | None, **verdict: Any) -> int:  # noqa: ANN401 # as Engine.answer has them
    """Answer a question of RUN, or say what came of a call instead of running it, and go on."""
    return drive(
        settings, settings.changing, model, lambda engine: engine.answer(run_id, **verdict), run_id
    )


@command("revoke")
@run_argument
@click.argument("rule_id", metavar="RULE")
@by_option
@model_option
def revoke(settings: Settings, run_id: str, rule_id: str, by: str, model: str | None) -> int:
    """Take back what was allowed beforehand in RUN by RULE."""
    return drive(
        settings,
        settings.changing,
        model,
        lambda engine: engine.revoke(run_id, rule_id, by=by),
        run_id,
    )


@command("send")
@run_argument
@click.argument("message")
@by_option
@model_option
def send(settings: Settings, run_id: str, message: str, by: str, model: str | None) -> int:
    """Give RUN another (quoted) MESSAGE of the customer's, and go on with it."""
    return drive(
        settings,
        settings.changing,
        model,
        lambda engine: engine.send(run_id, message, by=by),
        run_id,
    )


@command("abort")
@run_argument
@by_option
@click.option("--reason", help="Why.")
def abort(settings: Settings, run_id: str, by: str, reason: str | None) -> None:
    """Give RUN up."""
    from engine.cli.render import print_run

    async def act() -> "Run":
        async with settings.changing(None, None) as engine:
            return await engine.abort(run_id, by=by, reason=reason)

    print_run(asyncio.run(act()), settings)
