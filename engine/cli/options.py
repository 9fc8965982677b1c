"""What every command takes, and the engine made from it."""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from engine.catalogue import MEMORY, open_store, sqlite_path
from engine.cli.text import visible

if TYPE_CHECKING:
    from engine.api import Engine, LogTarget
    from engine.core.workflow import Workflow
    from engine.ports import Logger, ModelClient, Store

DEFAULT_STORE = "sqlite:///.waystation/runs.db"
DEFAULT_APP = "workflows:ALL"

_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a command finds the store, the log and the workflows, and how it answers."""

    store: str
    log: str | None
    app: str
    json: bool
    approvers: str | None = None
    audit_key_file: str | None = None
    prices: str | None = None

    @property
    def audit_key(self) -> "str | Path | None":
        """The audit keys: in a file that was named, else in the environment, if anywhere."""
        if self.audit_key_file is not None:
            return Path(self.audit_key_file)
        return os.environ.get("WAYSTATION_AUDIT_KEY")

    def looking(self) -> "Store":
        """The store, to look at; one that does not exist yet is an empty one."""
        return open_store(self._existing_store())

    def reading(self) -> "Engine":
        """An engine that only looks."""
        from engine.api import Engine

        return Engine(store=self._existing_store(), audit_key=self.audit_key)

    def changing(self, model: "ModelClient | None", view: "Logger | None") -> "Engine":
        """An engine for a run that exists."""
        store = self._existing_store()
        return self._engine(store, model, self._log(view) if store != MEMORY else [])

    def creating(self, model: "ModelClient | None", view: "Logger | None") -> "Engine":
        """An engine for a new run."""
        return self._engine(self.store, model, self._log(view))

    def trying(self, model: "ModelClient | None", workflows: "Sequence[Workflow]") -> "Engine":
        """An engine for evaluations, with these workflows."""
        from engine.api import Engine

        return Engine(
            store=self.store,
            workflows=workflows,
            model=model,
            log=self._log(None),
            approvers=self.approvers,
            audit_key=self.audit_key,
            prices=self.prices,
        )

    def keeping(self, logs: Sequence[Path] = ()) -> "Engine":
        """An engine that looks after ended runs, and needs none of their workflows.

        Where no log is beside the store, the first of `logs` is the one that is written.
        """
        from engine.api import Engine

        store = self._existing_store()
        log = self._log(None) if store != MEMORY else []
        if logs and self.log is None and not any(Path(str(one)).exists() for one in log):
            log = [logs[0]]
        return Engine(store=store, log=log, audit_key=self.audit_key)

    def _engine(self, store: str, model: "ModelClient | None", log: "list[LogTarget]") -> "Engine":
        from engine.api import Engine
        from engine.cli.app import load_workflows

        return Engine(
            store=store,
            workflows=load_workflows(self.app),
            model=model,
            log=log,
            approvers=self.approvers,
            audit_key=self.audit_key,
            prices=self.prices,
        )

    def note_missing(self) -> None:
        """Say so, on stderr, where there is no store yet to look at."""
        if self.store != self._existing_store():
            click.echo(f"There is no store at {visible(self.store)} yet.", err=True)

    def _existing_store(self) -> str:
        try:
            missing = self.store != MEMORY and not sqlite_path(self.store).exists()
        except OSError:
            missing = False  # opening it says what is wrong
        return MEMORY if missing else self.store

    def _log(self, view: "Logger | None") -> "list[LogTarget]":
        beside = None if self.store == MEMORY else sqlite_path(self.store).with_suffix(".jsonl")
        targets = (beside if self.log is None else self.log, view)
        return [target for target in targets if target is not None]

    def hint(self, *said: str) -> str:
        """A command line of these words that reaches the same store and the same workflows.

        A run's own words may have come with a log from elsewhere: a shell takes them as one each.
        """
        known = (
            ("--store", self.store, DEFAULT_STORE, "WAYSTATION_STORE"),
            ("--app", self.app, DEFAULT_APP, "WAYSTATION_APP"),
            ("--approvers", self.approvers or "", "", "WAYSTATION_APPROVERS"),
            ("--audit-key-file", self.audit_key_file or "", "", "WAYSTATION_AUDIT_KEY_FILE"),
            ("--prices", self.prices or "", "", "WAYSTATION_PRICES"),
        )
        words = [
            f" {option} {shlex.quote(value)}"
            for option, value, default, variable in known
            if value not in (default, os.environ.get(variable))
        ]
        command = " ".join(shlex.quote(visible(one)) for one in said)
        return f"waystation {command}{''.join(words)}"


_several_logs = click.option(
    "--log",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Another log file to rewrite, such as a rotated one; may be said several times.",
)


def _options(
    variable: "Callable[[str], str | None]", *, several_logs: bool
) -> "tuple[Callable[[Any], Any], ...]":
    return (
        click.option("--json", "as_json", is_flag=True, help="Print JSON for machines."),
        click.option(
            "--app",
            envvar=variable("APP"),
            help=f"Workflows, as module:attribute. [{DEFAULT_APP}]",
        ),
        click.option(
            "--approvers",
            envvar=variable("APPROVERS"),
            help="Who may decide, with their roles: a TOML file. [anybody]",
        ),
        click.option(
            "--audit-key-file",
            envvar=variable("AUDIT_KEY_FILE"),
            help="The audit keys, as ID:SECRET, one a line. [WAYSTATION_AUDIT_KEY, or none]",
        ),
        click.option(
            "--prices",
            envvar=variable("PRICES"),
            help="What models cost: a TOML file of [prices.MODEL] tables. [public lists]",
        ),
        _several_logs
        if several_logs
        else click.option(
            "--log", envvar=variable("LOG"), help="JSON Lines log. [beside the store]"
        ),
        click.option(
            "--store", envvar=variable("STORE"), help=f"Where runs are kept. [{DEFAULT_STORE}]"
        ),
    )


def common_options(
    *, environment: bool, several_logs: bool = False
) -> Callable[[_Command], _Command]:
    """The options of the whole command (those with an `environment`), or of one subcommand."""

    def variable(name: str) -> str | None:
        return f"WAYSTATION_{name}" if environment else None

    def add(command: _Command) -> _Command:
        for option in _options(variable, several_logs=several_logs):
            command = option(command)
        return command

    return add


def merge(outer: Settings | None, told: Mapping[str, Any]) -> Settings:
    """What a subcommand was told, before what the whole command was told."""
    known = outer or Settings(DEFAULT_STORE, None, DEFAULT_APP, json=False)
    given = {name: value for name, value in told.items() if value is not None}
    as_json = bool(given.pop("as_json", False))
    return replace(known, **given, json=as_json or known.json)


def choose_model(name: str | None) -> "ModelClient | None":
    """A real model where the environment has a key or an address, else None: the workflow's own."""
    key, address = os.environ.get("OPENAI_API_KEY"), os.environ.get("OPENAI_BASE_URL")
    if key or address:
        from engine.models.openai import DEFAULT_MODEL, OpenAIModel

        # An endpoint of one's own may want no key, but the SDK wants one to send.
        return OpenAIModel(name or DEFAULT_MODEL, api_key=key or "none")
    if name:
        raise click.UsageError("--model needs OPENAI_API_KEY (or OPENAI_BASE_URL) to be set")
    return None
