"""Subcommands by which a person decides: approve, deny, answer, abort."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from engine.cli.driving import drive
from engine.cli.options import Settings
from engine.cli.root import (
    by_option,
    call_option,
    command,
    digest_option,
    model_option,
    run_argument,
)

if TYPE_CHECKING:
    from engine.core.run import Run


@command("approve")
@run_argument
@call_option
@digest_option
@by_option
@click.option("--note", help="A word for the record.")
@click.option("--retry", is_flag=True, help="Run a call in doubt again.")
@model_option
def approve(settings: Settings, run_id: str, model: str | None, **verdict: Any) -> int:  # noqa: ANN401 # as Engine.approve has them
    """Allow what RUN waits for, and go on with it."""
    return drive(
        settings, settings.changing, model, lambda engine: engine.approve(run_id, **verdict)
    )


@command("deny")
@run_argument
@call_option
@digest_option
@by_option
@click.option("--reason", help="Why; the model reads it.")
@model_option
def deny(settings: Settings, run_id: str, model: str | None, **verdict: Any) -> int:  # noqa: ANN401 # as Engine.deny has them
    """Refuse what RUN waits for, or give up on a call in doubt, and go on with it."""
    return drive(settings, settings.changing, model, lambda engine: engine.deny(run_id, **verdict))


@command("answer")
@run_argument
@call_option
@digest_option
@by_option
@click.option("--result", required=True, help="What came of the call; the model reads it.")
@click.option("--note", help="A word for the record.")
@model_option
def answer(settings: Settings, run_id: str, model: str | None, **verdict: Any) -> int:  # noqa: ANN401 # as Engine.answer has them
    """Say what came of a call of RUN instead of running it, and go on."""
    return drive(
        settings, settings.changing, model, lambda engine: engine.answer(run_id, **verdict)
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
