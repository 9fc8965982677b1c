"""Who is told of transitions: a logger of the application's, or a file of ours."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import BinaryIO, cast

import orjson

from engine.codec.chain import AuditKeys
from engine.core.tokens import without_tokens
from engine.journal.lines import EVENT, REFUSED, Line, fields_of
from engine.ports import Logger
from engine.runtime.logfile import LogFile

_LOG = logging.getLogger("waystation")


class Teller:
    """A logger, and up to where it was told of each run.

    It is told each line once, whatever becomes of the next, in values that any processor takes.
    """

    _at_once = 1  # lines

    def __init__(self, logger: Logger, keys: AuditKeys) -> None:
        """Take the logger, and the keys under which what is masked is bound to the rest."""
        self._logger, self._keys = logger, keys
        self._told: dict[str, int] = {}
        self._failing = False

    def tell(self, lines: Sequence[Line]) -> int:
        """How many of the lines it has been told, from the first on; the rest is owed to it."""
        told = 0
        try:
            while told < len(lines):
                some = lines[told : told + self._at_once]
                self._tell(some)
                told += len(some)
                self._told |= {one.run_id: max(one.entry.seq, self._seq(one)) for one in some}
        except Exception as error:  # noqa: BLE001 # an application's logger may raise anything
            if not self._failing:
                words = without_tokens(str(error))
                _LOG.warning("the log cannot be written, its lines are owed: %s", words)
            self._failing = True
        else:
            self._failing = False
        return told

    def refuse(self, fields: Mapping[str, object]) -> None:
        """Nothing; it is told that somebody was not allowed to decide."""
        try:
            self._logger.info(REFUSED, **fields)
        except Exception as error:  # noqa: BLE001 # as above
            _LOG.warning("the log cannot be written: %s", without_tokens(str(error)))

    def forget(self, run_id: str) -> None:
        """Nothing; the store knows now what was told of the run."""
        self._told.pop(run_id, None)

    def _tell(self, lines: Sequence[Line]) -> None:
        for line in lines:
            if line.entry.seq > self._seq(line):
                self._logger.info(EVENT, **fields_of(line, self._keys, self._read))

    def _seq(self, line: Line) -> int:
        """Up to which seq it was told of the line's run."""
        return self._told.get(line.run_id, 0)

    def _read(self, data: bytes) -> object:
        return orjson.loads(data)


class FileTeller(Teller):
    """A file, into which the lines of a commit go by one write."""

    _at_once = 100

    def __init__(self, file: LogFile, keys: AuditKeys) -> None:
        """Take the file."""
        super().__init__(_FileLogger(file), keys)
        self._file = file

    def _tell(self, lines: Sequence[Line]) -> None:
        with self._file.together():
            super()._tell(lines)

    def _read(self, data: bytes) -> object:
        return orjson.Fragment(data)


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
