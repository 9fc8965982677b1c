"""The subcommands."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.cli.options import Settings, choose_model, common_options, merge
from engine.core.states import State
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.core.run import Run
    from engine.ports import Head

_T = TypeVar("_T")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="waystation")
@common_options(environment=True)
@click.pass_context
def cli(context: click.Context, /, **told: Any) -> None:  # noqa: ANN401 # click's own
    """Run AI agents as persisted state machines that stop for approval."""
    context.obj = merge(None, **told)


def command(name: str) -> Callable[[Callable[..., int | None]], click.Command]:
    """A subcommand with the common options, given its Settings first."""

    def make(function: Callable[..., int | None]) -> click.Command:
        @wraps(function)
        def called(**told: Any) -> int | None:  # noqa: ANN401 # click's own
            common = {name: told.pop(name) for name in ("store", "log", "app", "as_json")}
            outer = click.get_current_context().find_object(Settings)
            return function(merge(outer, **common), **told)

        return cli.command(name)(common_options(environment=False)(called))

    return make


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


_by = click.option("--by", default=_login, help="Who decides. [the login name]")
_model = click.option("--model", help="The real model to ask.")
_call = click.option("--call", "call_id", help="Which call, where several wait.")
_run = click.argument("run_id", metavar="RUN")


@command("start")
@click.argument("workflow")
@click.argument("message")
@click.option("--run-id", help="A name for the run. [a random one]")
@_model
def start(
    settings: Settings, workflow: str, message: str, run_id: str | None, model: str | None
) -> int:
    """Start WORKFLOW on a (quoted) MESSAGE."""
    return _drive(
        settings,
        settings.creating,
        model,
        lambda engine: engine.start(workflow, message, run_id=run_id),
    )


@command("resume")
@_run
@_model
def resume(settings: Settings, run_id: str, model: str | None) -> int:
    """Go on with RUN from where it stopped."""
    return _drive(settings, settings.changing, model, lambda engine: engine.resume(run_id))


@command("approve")
@_run
@_call
@_by
@click.option("--note", help="A word for the record.")
@_model
def approve(settings: Settings, run_id: str, model: str | None, **verdict: Any) -> int:  # noqa: ANN401 # as Engine.approve has them
    """Allow what RUN waits for, and go on with it."""
    return _drive(
        settings,
        settings.changing,
        model,
        lambda engine: engine.approve(run_id, **verdict),
    )


@command("deny")
@_run
@_call
@_by
@click.option("--reason", help="Why; the model reads it.")
@_model
def deny(settings: Settings, run_id: str, model: str | None, **verdict: Any) -> int:  # noqa: ANN401 # as Engine.deny has them
    """Refuse what RUN waits for, and go on with it."""
    return _drive(
        settings,
        settings.changing,
        model,
        lambda engine: engine.deny(run_id, **verdict),
    )


@command("abort")
@_run
@_by
@click.option("--reason", help="Why.")
def abort(settings: Settings, run_id: str, by: str, reason: str | None) -> None:
    """Give RUN up."""
    from engine.cli.render import print_run

    async def act() -> "Run":
        async with settings.changing(None, None) as engine:
            return await engine.abort(run_id, by=by, reason=reason)

    print_run(asyncio.run(act()), settings)


@command("list")
@click.option("--state", help=f"Only runs in this state: {', '.join(State)}.")
@click.option("--workflow", help="Only runs of this workflow.")
@click.option("--limit", type=int, default=100, show_default=True, help="At most so many.")
@click.option("--after", metavar="RUN", help="Go on after this run.")
def list_runs(settings: Settings, **wanted: Any) -> None:  # noqa: ANN401 # as Engine.runs has them
    """List runs, the newest first."""
    from engine.catalogue import heads
    from engine.cli.rows import print_rows

    settings.note_missing()

    async def look() -> "Sequence[Head]":
        store = settings.looking()
        try:
            return await heads(store, **wanted)
        finally:
            await store.close()

    print_rows(asyncio.run(look()), as_json=settings.json)


@command("show")
@_run
def show(settings: Settings, run_id: str) -> None:
    """Show RUN: where it is, and who said what."""
    from engine.cli.render import print_run, print_transcript

    run = _ask(settings, lambda engine: engine.run(run_id))
    if not settings.json:
        print_transcript(run)
    print_run(run, settings)


@command("approvals")
def approvals(settings: Settings) -> None:
    """List what waits for a person, the oldest first."""
    from engine.cli.render import print_pending

    settings.note_missing()
    print_pending(_ask(settings, lambda engine: engine.pending()), settings)


@command("log")
@_run
def log(settings: Settings, run_id: str) -> None:
    """Print the journal of RUN, an event a line."""
    from engine.cli.render import print_journal

    print_journal(_ask(settings, lambda engine: engine.journal(run_id)), settings)


@command("diagram")
def diagram(settings: Settings) -> None:
    """Print the machine as a Mermaid diagram."""
    from engine.cli.render import print_json
    from engine.diagrams import lifecycle

    if settings.json:
        print_json({"lifecycle": lifecycle()})
    else:
        click.echo(lifecycle(), nl=False)


def _ask(settings: Settings, question: "Callable[[Engine], Awaitable[_T]]") -> _T:
    async def ask() -> _T:
        async with settings.reading() as engine:
            return await question(engine)

    return asyncio.run(ask())


def _drive(
    settings: Settings,
    engine_for: "Callable[..., Engine]",
    model: str | None,
    act: "Callable[[Engine], Awaitable[Run]]",
) -> int:
    """Drive a run in view of the person; the exit code."""
    from engine.cli.live import SilentView
    from engine.cli.render import print_run

    client = choose_model(model)
    view = SilentView.choose(as_json=settings.json, offline=client is None)

    async def drive() -> "Run":
        async with engine_for(client, view) as engine:
            with view.live():
                return await act(engine)

    try:
        run = asyncio.run(drive())
    except KeyboardInterrupt:
        if view.run_id is None:
            raise
        go_on = settings.hint(f"resume {view.run_id}")
        raise EngineError(
            f"interrupted; run {view.run_id} is kept as it was last stored; go on with: {go_on}"
        ) from None
    print_run(run, settings)
    if run.state is State.Aborted:
        click.echo(f"waystation: run {run.id} was aborted", err=True)
    return int(run.state is State.Aborted)
