"""Telling through a log."""

from engine.core.notices import Notice
from engine.ports import Logger


class LogNotifier:
    """Writes one `approval_waiting` line to a structlog logger."""

    def __init__(self, logger: Logger, *, name: str = "log") -> None:
        """Take the logger, and the name that the journal has it by."""
        self.name, self._logger = name, logger

    async def notify(self, notice: Notice) -> None:
        """See Notifier."""
        self._logger.info("approval_waiting", **notice.model_dump(mode="json"))
