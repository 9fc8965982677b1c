"""The `waystation` command."""

import os
import sys
from typing import NoReturn, TextIO

import click

from engine.cli.commands import cli
from engine.cli.text import visible
from engine.errors import EngineError

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command and exit: 0 when it did what was asked, 1 when not, 2 for wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        code = _complain(error.format_message(), error.exit_code)
    except EngineError as error:
        code = _complain(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        code = _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str, code: int, stream: TextIO | None = None) -> int:
    words = visible(" ".join(message.split()))
    print(f"waystation: {words}", file=stream or sys.stderr)
    return code
