"""The log: one structlog event for every transition, after it is durable.

The library wraps loggers of its own and never configures the application's
structlog or logging.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

import orjson

from engine.codec.events import from_ticks
from engine.errors import BadInputError
from engine.ports import Logger
from engine.runtime.draft import Line

SCHEMA = 1


class Telemetry:
    """Tells transitions to loggers, and owns the files it opened for them."""

    def __init__(self, targets: Iterable[str | Path | Logger]) -> None:
        """Take paths (JSON Lines, appended to) and loggers; BadInputError for a bad path."""
        self._files: list[BinaryIO] = []
        self._told: dict[str, int] = {}
        self._loggers: Sequence[Logger] = [self._logger(target) for target in targets]

    def tell(self, lines: Iterable[Line]) -> None:
        """Write one event a line to every logger, but none that this process has told before."""
        for line in lines:
            if line.entry.seq <= self._told.get(line.run_id, 0):
                continue
            fields = _fields(line)
            for logger in self._loggers:
                logger.info("transition", **fields)
            self._told[line.run_id] = line.entry.seq

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
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered and appending, so that a line is one write and processes may share a file.
            file = Path(target).open("ab", buffering=0)  # noqa: SIM115 # closed by close()
        except OSError as error:
            raise BadInputError(f"the log {target} cannot be written: {error.strerror}") from error
        self._files.append(file)
        return _file_logger(file)


def _file_logger(file: BinaryIO) -> Logger:
    import structlog

    logger: Logger = structlog.wrap_logger(
        structlog.BytesLogger(file),
        processors=[structlog.processors.JSONRenderer(serializer=orjson.dumps)],
        wrapper_class=structlog.BoundLogger,
        context_class=dict,
        cache_logger_on_first_use=True,
    )
    return logger


def _fields(line: Line) -> dict[str, object]:
    """A transition as the log has it; what people and models wrote is all below `data`."""
    entry = line.entry
    return {
        "schema": SCHEMA,
        "run_id": line.run_id,
        "seq": entry.seq,
        "workflow": line.workflow,
        "trigger": entry.kind,
        "source": line.source and str(line.source),
        "dest": str(line.dest),
        "at": from_ticks(entry.at).isoformat(timespec="microseconds"),
        "data": orjson.loads(entry.data),
        "digest": entry.digest.hex(),
    }
