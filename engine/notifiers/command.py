"""Telling through a command of the system."""

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress

from engine.core.notices import Notice
from engine.errors import NotifyError


class CommandNotifier:
    """Runs a command with the notice as JSON on its standard input; 0 means that it was told."""

    def __init__(self, command: Sequence[str], *, name: str = "command") -> None:
        """Take the program and its arguments, which no shell reads."""
        self.name, self._command = name, tuple(command)

    async def notify(self, notice: Notice) -> None:
        """See Notifier. Broken off, the command is killed with all that it began."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            await process.communicate(notice.model_dump_json().encode())
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode:
            raise NotifyError(f"{self._command[0]} ended with {process.returncode}")
