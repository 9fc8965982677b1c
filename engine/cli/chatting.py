"""The subcommand by which a person talks with a workflow in a terminal."""

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import click

from engine.cli.asks import described, print_approval
from engine.cli.driving import driven
from engine.cli.options import Settings, choose_model
from engine.cli.render import way_on
from engine.cli.reviewing import decided
from engine.cli.root import Interrupted, ask, command, login, model_option
from engine.cli.spoken import ChatLines, said_by, view_of
from engine.cli.text import block, visible
from engine.core.run import pending_of
from engine.core.secrecy import Secrecy
from engine.core.states import State
from engine.errors import BadInputError, EngineError

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from engine.api import Engine
    from engine.cli.reviewing import Act
    from engine.core.run import Run
    from engine.ports import ModelClient


@command("chat")
@click.argument("workflow")
@click.argument("message", required=False)
@click.option("--run", "run_id", metavar="RUN", help="Go on with this conversation.")
@click.option("--by", default=login, help="Who writes. [the login name]")
@click.option("--customer", metavar="KEY", help="Whom it is about; see `forget`.")
@click.option("--approve-as", "decider", metavar="NAME", help="Decide as NAME what it asks.")
@model_option
def chat(  # noqa: PLR0913 # what there is to say about it
    settings: Settings,
    *,
    workflow: str,
    message: str | None,
    run_id: str | None,
    by: str,
    customer: str | None,
    decider: str | None,
    model: str | None,
) -> int:
    """Talk with WORKFLOW, a message a line; an empty line looks again, Ctrl-D ends it.

    What it asks a person to decide is shown, and left to others unless you --approve-as.
    """
    from engine.api.wiring import by_name, named_in, new_id
    from engine.cli.app import load_workflows

    if settings.json:
        raise click.UsageError("chat is for people; start, send and show take --json")
    if run_id is not None and customer is not None:
        raise click.UsageError("--customer is said when a conversation begins, not with --run")
    named_in(by_name(load_workflows(settings.app)), workflow)
    client, name = choose_model(model), new_id() if run_id is None else run_id
    view = view_of(workflow, offline=client is None)
    talk = Talk(settings, workflow, name, by or None, customer, decider, client, view)
    try:
        return _talk(talk, message, begun=run_id is not None)
    except (KeyboardInterrupt, click.Abort):
        raise Interrupted(f"interrupted; {talk.kept}") from None
    except click.UsageError as error:
        raise click.UsageError(f"{error.message}; {talk.kept}") from None
    except UnicodeDecodeError:
        raise BadInputError(f"what was written is no text; {talk.kept}") from None


def _talk(talk: "Talk", message: str | None, *, begun: bool) -> int:
    """The exit code, once nothing more is said, or the run hears nothing more."""
    if begun:
        talk.take_up()
    failed, text = False, message
    while not talk.is_over:
        if text is None and (text := _line()) is None:
            click.echo(f"waystation: {talk.kept}", err=True)
            return int(failed)
        try:
            talk.hear(text)
        except BadInputError as error:
            failed = True
            click.echo(f"waystation: {visible(str(error))}", err=True)
            if not talk.begun:
                return 1
        text = None
    return 1


def _line() -> str | None:
    """What the person writes next, None at the end; UnicodeDecodeError for what is no text."""
    if sys.stdin is None:
        return None
    try:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            line = sys.stdin.readline()
            return line.rstrip("\n") if line else None
        with suppress(ImportError):
            import readline  # noqa: F401 # it is by being there that lines can be edited
        return input("you> ")
    except EOFError:
        click.echo()
        return None


@dataclass(slots=True)
class Talk:
    """One conversation: a run, and who talks with it."""

    settings: Settings
    workflow: str
    run_id: str
    by: str | None
    customer: str | None
    decider: str | None
    client: "ModelClient | None"
    view: ChatLines
    run: "Run | None" = None
    shown: set[str] = field(default_factory=set)  # approvals that were asked about here

    @property
    def begun(self) -> bool:
        """Whether there is a run."""
        return self.run is not None or self.view.run_id is not None

    @property
    def is_over(self) -> bool:
        """Whether it hears nothing more."""
        return self.run is not None and self.run.state is State.Aborted

    @property
    def kept(self) -> str:
        """What there is to come back to, and how."""
        if not self.begun:
            return "nothing was said"
        return f"the conversation is kept as run {self.run_id}; go on with: {self._again}"

    @property
    def _again(self) -> str:
        return self.settings.hint("chat", self.workflow, "--run", self.run_id)

    def take_up(self) -> None:
        """Go on with the run that there is."""
        run = ask(self.settings, lambda engine: engine.run(self.run_id))
        if run.workflow != self.workflow:
            raise BadInputError(f"run {self.run_id} is of the workflow {run.workflow}")
        self.run = run
        self._go(lambda engine: engine.resume(self.run_id))

    def hear(self, text: str) -> None:
        """Nothing, after the run was told, and has answered as far as it can."""
        if not text.strip():
            if self.begun:
                self._go(lambda engine: engine.resume(self.run_id))
        elif self.begun:
            self._go(lambda engine: engine.send(self.run_id, text, by=self.by))
        else:
            self._go(self._start(text))

    def _start(self, text: str) -> "Act":
        def begin(engine: "Engine") -> "Awaitable[Run]":
            return engine.start(
                self.workflow, text, self.run_id, by=self.by, customer=self.customer
            )

        return begin

    def _go(self, act: "Act") -> None:
        self._drive(act, self.run_id)
        if self.decider is None or self.run is None:
            self._show_waiting()
        else:
            self._decide(self.decider)

    def _drive(self, act: "Act", run_id: str) -> None:
        settings = self.settings
        engine_for = settings.changing if self.begun else settings.creating
        opened = partial(engine_for, self.client, self.view)
        run = driven(opened, self.view, act, run_id, again=self._again)
        self.run = Secrecy.of(run).told(run)
        self._show(self.run)

    def _show(self, run: "Run") -> None:
        """What the view has not shown: others may have gone on with the run."""
        if run.answer and run.state is State.Done and run.answer != self.view.answer:
            self.view.answer = run.answer
            click.echo(said_by(self.workflow, run.answer))
        if run.state is State.Aborted:
            words = f"{visible(run.reason or '')}{way_on(run, self.settings)}"
            click.echo(f"waystation: run {run.id} was aborted: {words}", err=True)
            if run.found:
                click.echo(f"Found so far: {block(run.found)}")
        if run.state in (State.AwaitingModel, State.DispatchingTools):
            click.echo("(it is driven elsewhere; an empty line looks again)", err=True)

    def _show_waiting(self) -> None:
        run = self.run
        for approval in run.approvals if run else ():
            if run and approval.approval_id not in self.shown:
                click.echo("It waits for a person:")
                print_approval(pending_of(run, approval), self.settings)
            elif run:
                click.echo(f"(it still waits for a person to decide {visible(approval.tool)})")
            self.shown.add(approval.approval_id)

    def _decide(self, decider: str) -> None:
        """Ask about what waits, one after the other, until nothing is left or it is left open."""
        left: set[str] = set()

        def go(act: "Act", run_id: str) -> None:
            self._drive(act, run_id)

        while waiting := [
            pending_of(self.run, one)
            for one in (self.run.approvals if self.run else ())
            if self.run and one.approval_id not in left
        ]:
            for line in described(waiting[0]):
                click.echo(line)
            left.add(waiting[0].approval_id)
            try:
                if not decided(self.settings, waiting[0], decider, go):
                    return
            except EngineError as error:
                click.echo(f"waystation: {visible(str(error))}", err=True)
