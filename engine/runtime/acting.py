"""Whether it is a tool that acts: what an agent calls may not decide for a person.

This guards against a mistake, not against malice: a tool runs in the engine's process,
and can begin threads of its own, in which nobody knows it any more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from engine.core.commands import Abort, Command, Send
from engine.errors import NotAllowedError

_TOOL: ContextVar[str] = ContextVar("waystation_tool", default="")


@contextmanager
def acting(tool: str) -> Iterator[None]:
    """A context, followed by the tasks that are begun in it, in which `tool` acts."""
    token = _TOOL.set(tool)
    try:
        yield
    finally:
        _TOOL.reset(token)


def require_no_tool(command: Command) -> None:
    """Nothing; NotAllowedError where a tool means to decide."""
    if not isinstance(command, Abort | Send):
        require_person("decide for a person")


def require_person(deed: str) -> None:
    """Nothing; NotAllowedError where a tool means to do it."""
    if tool := _TOOL.get():
        raise NotAllowedError(f"the tool {tool} may not {deed}")
