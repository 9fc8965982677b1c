"""The log: one structlog event for every transition, after it is durable.

The library wraps loggers of its own and never configures the application's
structlog or logging.
"""

import logging
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from engine.codec.chain import PLAIN, AuditKeys
from engine.core.commands import Command
from engine.core.run import Run
from engine.core.secrecy import Secrecy
from engine.errors import BadInputError, EngineError
from engine.journal.lines import SCHEMA, Line
from engine.ports import Logger
from engine.runtime.feeds import Feeds
from engine.runtime.logfile import LogFile
from engine.runtime.teller import FileTeller, Teller

_LOG = logging.getLogger("waystation")


class Telemetry:
    """Tells transitions to loggers and to `feeds`, and owns the files it opened for them."""

    def __init__(self, targets: Iterable[str | Path | Logger], keys: AuditKeys = PLAIN) -> None:
        """Take paths (JSON Lines, appended to) and loggers; BadInputError for a bad path."""
        self._keys, self.feeds = keys, Feeds()
        self._files: list[LogFile] = []
        self._tellers = [self._teller(target) for target in targets]

    @property
    def has_loggers(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._tellers)

    def tell(self, lines: list[Line]) -> None:
        """Write one event a line to every logger, and take from `lines` what all have written.

        Nothing that is told twice to this object is written twice. A logger that fails
        stops no run, and no other logger: what is left in `lines` is owed, and told later.
        Without a logger all of it is owed, to whoever opens the store with one.
        """
        told = [teller.tell(lines) for teller in self._tellers]
        del lines[: min(told, default=0)]

    def refuse(
        self, run: Run, command: Command, error: EngineError, at: datetime, secrecy: Secrecy
    ) -> None:
        """Nothing; tells that somebody was not allowed to decide. The journal has no part in it."""
        fields = {
            "schema": SCHEMA,
            "run_id": run.id,
            "workflow": run.workflow,
            "at": at.isoformat(timespec="microseconds"),
            "command": type(command).__name__.lower(),
            "data": secrecy.fields({**command.model_dump(mode="json"), "why": str(error)}),
        }
        if not self._tellers:
            _LOG.warning("run %s: %s", run.id, secrecy.text(str(error)))
        for teller in self._tellers:
            teller.refuse(fields)

    def forget(self, run_id: str) -> None:
        """Nothing; the store knows now what was told of the run."""
        for teller in self._tellers:
            teller.forget(run_id)

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _teller(self, target: str | Path | Logger) -> Teller:
        if not isinstance(target, str | Path):
            return Teller(target, self._keys)
        try:
            file = LogFile(Path(target))
        except OSError as error:
            raise BadInputError(f"the log {target} cannot be written: {error.strerror}") from error
        self._files.append(file)
        return FileTeller(file, self._keys)
