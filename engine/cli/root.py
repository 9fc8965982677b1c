"""The command itself, and how its subcommands are made."""

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.cli.options import Settings, common_options, merge

if TYPE_CHECKING:
    from engine.api import Engine

_T = TypeVar("_T")


_HOMES = {
    "engine.cli.archiving": ("archive", "forget"),
    "engine.cli.chatting": ("chat",),
    "engine.cli.driving": ("resume", "start", "worker"),
    "engine.cli.keeping": ("backup", "doctor"),
    "engine.cli.remembering": ("memory",),
    "engine.cli.looking": ("approvals", "diagram", "list", "log", "show"),
    "engine.cli.verdicts": ("abort", "answer", "approve", "deny", "revoke", "send"),
    "engine.cli.reviewing": ("review",),
    "engine.cli.auditing": ("audit",),
    "engine.cli.evaluating": ("eval",),
    "engine.cli.rebuilding": ("rebuild",),
    "engine.cli.replaying": ("replay",),
    "engine.cli.forking": ("fork",),
    "engine.cli.verifying": ("anchor", "seal", "verify"),
    "engine.cli.comparing": ("diff",),
    "engine.cli.statistics": ("stats",),
    "engine.cli.rerunning": ("rerun",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


class Commands(click.Group):
    """Subcommands, each imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in order."""
        del ctx
        return sorted(_HOME)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name, or None."""
        if cmd_name in _HOME:
            import_module(_HOME[cmd_name])
        return super().get_command(ctx, cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="waystation")
@common_options(environment=True)
@click.pass_context
def cli(context: click.Context, /, **told: Any) -> None:  # noqa: ANN401 # click's own
    """Run AI agents as persisted state machines that stop for approval."""
    context.obj = merge(None, told)


class Interrupted(click.ClickException):  # nothing failed
    """A person ended the command in the midst of its work."""

    exit_code = 130


def command(
    name: str, *, several_logs: bool = False
) -> Callable[[Callable[..., int | None]], click.Command]:
    """A subcommand with the common options, given its Settings first.

    With `several_logs` its own --log are `logs`, besides the one that the whole command has.
    """

    def make(function: Callable[..., int | None]) -> click.Command:
        @wraps(function)
        def called(**told: Any) -> int | None:  # noqa: ANN401 # click's own
            common = {
                name: told.pop(name)
                for name in (
                    "store",
                    "log",
                    "app",
                    "approvers",
                    "audit_key_file",
                    "prices",
                    "as_json",
                )
            }
            if several_logs:
                told["logs"] = common.pop("log")
            outer = click.get_current_context().find_object(Settings)
            return function(merge(outer, common), **told)

        return cli.command(name)(
            common_options(environment=False, several_logs=several_logs)(called)
        )

    return make


def ask(settings: Settings, question: "Callable[[Engine], Awaitable[_T]]") -> _T:
    """The answer of an engine that only looks."""

    async def asked() -> _T:
        async with settings.reading() as engine:
            return await question(engine)

    return asyncio.run(asked())


def login() -> str:
    """The login name; empty where there is none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


by_option = click.option("--by", default=login, help="Who decides. [the login name]")
model_option = click.option("--model", help="The real model to ask.")
run_argument = click.argument("run_id", metavar="RUN")
