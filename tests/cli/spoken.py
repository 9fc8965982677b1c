"""The command within this process: quicker than a process of its own, and the same words."""

import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from unittest.mock import patch

from engine.cli import main


@dataclass(frozen=True)
class Spoken:
    """What a command gave back."""

    exit_code: object
    stdout: str
    stderr: str


def run(*words: str, **environment: str) -> Spoken:
    """What `waystation WORDS` gives under these variables."""
    out, err, code = StringIO(), StringIO(), None
    with (
        patch("sys.argv", ["waystation", *words]),
        patch.dict(os.environ, environment),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
    return Spoken(code, out.getvalue(), err.getvalue())
