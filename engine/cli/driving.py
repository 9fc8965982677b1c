"""Subcommands that drive runs: start, resume, worker."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import TYPE_CHECKING

import click

from engine.cli.options import Settings, choose_model
from engine.cli.root import Interrupted, by_option, command, login, model_option
from engine.core.states import State
from engine.errors import EngineError, StoreError

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.cli.live import PlainView
    from engine.core.run import Run
    from engine.runtime.worker import Worker


@command("start")
@click.argument("workflow")
@click.argument("message")
@click.option("--run-id", help="A name for the run. [a random one]")
@click.option("--by", default=login, help="Whose run it is. [the login name]")
@click.option("--customer", metavar="KEY", help="Whom it is about; see `forget`.")
@click.option("--detach", is_flag=True, help="Only store the run; a worker drives it.")
@model_option
def start(  # noqa: PLR0913 # what there is to say about a start
    settings: Settings,
    *,
    workflow: str,
    message: str,
    run_id: str | None,
    by: str,
    customer: str | None,
    detach: bool,
    model: str | None,
) -> int:
    """Start WORKFLOW on a (quoted) MESSAGE."""
    from engine.api.wiring import new_id

    name = new_id() if run_id is None else run_id

    def begin(engine: "Engine") -> "Awaitable[Run]":
        return (engine.submit if detach else engine.start)(
            workflow, message, run_id=name, by=by or None, customer=customer
        )

    return drive(settings, settings.creating, model, begin, name)


@command("resume")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--all", "all_runs", is_flag=True, help="Every run that is ready, till none is.")
@click.option("--wait", is_flag=True, help="Where somebody else drives it, wait for them.")
@click.option("--accept-changes", is_flag=True, help="Go on under code that has changed meanwhile.")
@click.option(
    "--raise",
    "raises",
    multiple=True,
    metavar="LIMIT=+N",
    help="Add to a limit that it has come to, such as max_turns=+10; may be said several times.",
)
@by_option
@model_option
def resume(  # noqa: PLR0913 # what there is to say about it
    settings: Settings,
    *,
    run_id: str | None,
    all_runs: bool,
    wait: bool,
    accept_changes: bool,
    raises: tuple[str, ...],
    by: str,
    model: str | None,
) -> int:
    """Go on with RUN from where it stopped."""
    if (run_id is None) != all_runs:
        raise click.UsageError("name one RUN, or say --all")
    if raises and (accept_changes or all_runs):
        raise click.UsageError("--raise goes with one RUN, and without --accept-changes")
    more = dict(map(_raise, raises))
    if len(more) < len(raises):
        raise click.UsageError("--raise names a limit twice; say each once")
    if run_id is None:
        return work(settings, model, once=True, concurrency=1)
    wanted = run_id

    def go_on(engine: "Engine") -> "Awaitable[Run]":
        if more:
            return engine.raise_limits(wanted, more, by=by)
        if accept_changes:
            return engine.accept_changes(wanted, by=by)
        return engine.resume(wanted, wait=wait)

    return drive(settings, settings.changing, model, go_on, wanted)


def _raise(said: str) -> tuple[str, Decimal]:
    name, _, amount = said.partition("=+")
    try:
        if (more := Decimal(amount)).is_finite():
            return name, more
    except InvalidOperation:
        pass
    raise click.UsageError(f"--raise is said like max_turns=+10, not {said!r}")


@command("worker")
@click.option("--once", is_flag=True, help="Stop when nothing is ready any more.")
@click.option(
    "--concurrency", type=int, default=16, show_default=True, help="At most so many runs at once."
)
@model_option
def worker(settings: Settings, *, once: bool, concurrency: int, model: str | None) -> int:
    """Drive every run that is ready, until told to stop (SIGTERM, or Ctrl-C)."""
    return work(settings, model, once=once, concurrency=concurrency)


def work(settings: Settings, model: str | None, *, once: bool, concurrency: int) -> int:
    """Drive what is ready; the exit code, 1 where a run could not be driven."""
    from engine.cli.live import SilentView
    from engine.cli.output import print_json

    client = choose_model(model)
    view = SilentView.lines(as_json=settings.json, offline=client is None)

    async def act() -> "Worker":
        async with settings.creating(client, view) as engine:
            worker = engine.worker(concurrency)
            _stop_at_signals(worker)
            ends = "" if once else "; Ctrl-C or SIGTERM ends it"
            names = ", ".join(worker.workflows)
            click.echo(f"waystation: driving what is ready of {names}{ends}", err=True)
            await worker.run(once=once)
            return worker

    done = asyncio.run(act())
    if done.is_broken_off:
        raise Interrupted("broken off; what was running is in doubt, or was rolled back")
    if settings.json:
        print_json({"failed": list(done.failed)})
    for run_id in () if settings.json else done.failed:
        again = settings.hint("resume", run_id)
        click.echo(f"Run {run_id} could not be driven; see why with: {again}", err=True)
    return int(bool(done.failed))


def _stop_at_signals(worker: "Worker") -> None:
    """SIGTERM and Ctrl-C finish what runs and begin nothing; the second one breaks off."""
    said = iter(("stopping; once more breaks off what still runs", "breaking off"))

    def stop() -> None:
        worker.stop()
        click.echo(f"waystation: {next(said, 'breaking off')}", err=True)

    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)


def drive(
    settings: Settings,
    engine_for: "Callable[..., Engine]",
    model: str | None,
    act: "Callable[[Engine], Awaitable[Run]]",
    run_id: str,
) -> int:
    """Drive the run of that id in view of the person; the exit code."""
    from engine.cli.live import SilentView
    from engine.cli.render import print_run

    client = choose_model(model)
    view = SilentView.choose(as_json=settings.json, offline=client is None)
    opened = partial(engine_for, client, view)
    said = ("--model", model) if model else ()
    run = driven(opened, view, act, run_id, again=settings.hint("resume", run_id, *said))
    print_run(run, settings)
    if run.state is State.Aborted:
        click.echo(f"waystation: run {run.id} was aborted", err=True)
    return int(run.state is State.Aborted)


def driven(
    opened: "Callable[[], Engine]",
    view: "PlainView",
    act: "Callable[[Engine], Awaitable[Run]]",
    run_id: str,
    *,
    again: str,
) -> "Run":
    """The run after that was done with it; `again` is how to go on where it is broken off."""

    async def watched() -> "Run":
        async with opened() as engine:
            with view.live():
                return await view.watch(engine, run_id, act(engine))

    try:
        return asyncio.run(watched())
    except (KeyboardInterrupt, StoreError) as error:
        if view.run_id is None:
            raise
        kept = f"run {view.run_id} is kept as it was last stored; go on with: {again}"
        if isinstance(error, StoreError):
            raise EngineError(f"{error}; {kept}") from None
        raise Interrupted(f"interrupted; {kept}") from None
