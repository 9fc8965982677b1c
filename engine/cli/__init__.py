"""The `waystation` command."""

import os
import sys
from typing import NoReturn

import click

from engine.cli.text import visible
from engine.core.tokens import without_tokens
from engine.errors import EngineError

INTERRUPTED = 130


def main() -> NoReturn:
    """Run the command and exit: 0 when it did what was asked, 1 when not, 2 for wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run()
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        click.echo(help_wanted.format_message(), err=True)
        code = help_wanted.exit_code
    except click.ClickException as error:
        code = _complain(error.format_message(), error.exit_code)
    except EngineError as error:
        code = _complain(str(error), 1)
    except (click.Abort, KeyboardInterrupt):
        code = _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        code = _give_up_output()
    except OSError as error:
        code = _complain(f"{error.filename or 'the output'} failed: {error.strerror}", 1)
        _give_up_output()
    sys.exit(code)


def _run() -> int:
    from engine.cli.root import cli

    code = cli.main(standalone_mode=False)
    if sys.stdout is not None:
        sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _give_up_output() -> int:
    """The exit code; what is still buffered has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _complain(message: str, code: int) -> int:
    words = visible(" ".join(without_tokens(message).split()))
    click.echo(f"waystation: {words}", err=True)
    return code
