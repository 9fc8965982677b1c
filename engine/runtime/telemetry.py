"""The log: one structlog event for every transition, after it is durable.

The library wraps loggers of its own and never configures the application's
structlog or logging.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

import orjson

from engine.codec.chain import PLAIN, AuditKeys
from engine.core.commands import Command
from engine.core.run import Run
from engine.core.secrecy import Secrecy
from engine.core.tokens import without_tokens
from engine.errors import BadInputError, EngineError
from engine.journal.lines import EVENT, REFUSED, SCHEMA, Line, fields_of
from engine.ports import Logger
from engine.runtime.feeds import Feeds
from engine.runtime.logfile import LogFile

_AT_ONCE = 100  # lines in one write

_LOG = logging.getLogger("waystation")


class Telemetry:
    """Tells transitions to loggers and to `feeds`, and owns the files it opened for them."""

    def __init__(self, targets: Iterable[str | Path | Logger], keys: AuditKeys = PLAIN) -> None:
        """Take paths (JSON Lines, appended to) and loggers; BadInputError for a bad path."""
        self._keys, self.feeds = keys, Feeds()
        self._files: list[LogFile] = []
        self._told: dict[str, int] = {}
        self._failing = False
        self._loggers: Sequence[Logger] = [self._logger(target) for target in targets]
        # A logger of the application's is told each line once, whatever becomes of the next,
        # and in values that any processor takes.
        only_files = len(self._files) == len(self._loggers)
        self._at_once = _AT_ONCE if only_files else 1
        self._read: Callable[[bytes], object] = orjson.Fragment if only_files else orjson.loads

    @property
    def has_loggers(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._loggers)

    def tell(self, lines: list[Line]) -> None:
        """Write one event a line to every logger, and take from `lines` what was written.

        Nothing that is told twice to this object is written twice. A logger that fails
        stops no run: what is left in `lines` is owed, and told later. Without a logger
        all of it is owed, to whoever opens the store with one.
        """
        try:
            while lines and self._loggers:
                some = lines[: self._at_once]
                self._tell_some(some)
                del lines[: len(some)]
        except Exception as error:  # noqa: BLE001 # an application's logger may raise anything
            if not self._failing:
                _LOG.warning("the log cannot be written, its lines are owed: %s", _words(error))
            self._failing = True
        else:
            self._failing = False

    def _tell_some(self, lines: Sequence[Line]) -> None:
        with ExitStack() as together:
            for file in self._files:
                together.enter_context(file.together())
            for line in lines:
                if line.entry.seq > self._told.get(line.run_id, 0):
                    self._tell_one(line)
        for line in lines:
            self._told[line.run_id] = max(line.entry.seq, self._told.get(line.run_id, 0))

    def _tell_one(self, line: Line) -> None:
        fields = fields_of(line, self._keys, self._read)
        for logger in self._loggers:
            logger.info(EVENT, **fields)

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
        if not self._loggers:
            _LOG.warning("run %s: %s", run.id, secrecy.text(str(error)))
        try:
            for logger in self._loggers:
                logger.info(REFUSED, **fields)
        except Exception as failed:  # noqa: BLE001 # an application's logger may raise anything
            _LOG.warning("the log cannot be written: %s", _words(failed))

    def forget(self, run_id: str) -> None:
        """Nothing; the store knows now what was told of the run."""
        self._told.pop(run_id, None)

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _logger(self, target: str | Path | Logger) -> Logger:
        if not isinstance(target, str | Path):
            return target
        try:
            file = LogFile(Path(target))
        except OSError as error:
            raise BadInputError(f"the log {target} cannot be written: {error.strerror}") from error
        self._files.append(file)
        return _FileLogger(file)


def _words(error: Exception) -> str:
    return without_tokens(str(error))


class _FileLogger:
    """The structlog logger of a file, made for its first line: most commands tell none."""

    def __init__(self, file: LogFile) -> None:
        self._file = file

    @cached_property
    def info(self) -> Callable[..., object]:
        """See Logger."""
        import structlog

        # Bound at once: the lazy proxy would be asked for each line what it stands for.
        logger: Logger = structlog.wrap_logger(
            structlog.BytesLogger(cast(BinaryIO, self._file)),
            processors=[structlog.processors.JSONRenderer(serializer=orjson.dumps)],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            context_class=dict,
        ).bind()
        return logger.info
