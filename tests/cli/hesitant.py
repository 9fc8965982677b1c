"""A desk whose run begins once somebody at the terminal presses Enter."""

import sys
from functools import cache

from engine import Memory, ScriptedModel, Workflow
from engine.core.run import Checkpoint
from tests.runtime.test_engine import OK


@cache
def _line() -> str:
    return sys.stdin.readline()


def once_told(_: Checkpoint) -> None:
    """None, once a line was read."""
    _line()


WORKFLOWS = [
    Workflow(
        name="hesitant",
        instructions="Help.",
        memory=Memory(scope=once_told, summaries=False),
        model=ScriptedModel([OK]),
    )
]
