"""Programs for processes that hold a run: their tool has begun, and does not come back."""

import asyncio
import sys

from engine import State, Tool, tool
from tests.races.drivers import opened, workflow
from tests.races.processes import Wire

ENTERED = "entered"
LINGERS = (("linger",),)


def lingering(wire: Wire | None) -> Tool:
    """A tool that tells that it was entered, and does not return; without a wire it does."""

    @tool(read_only=True)
    async def linger() -> str:
        """Look at something for a long time."""
        if wire is not None:
            wire.say(ENTERED)
            await asyncio.Event().wait()
        return "seen"

    return linger


async def hold(wire: Wire) -> State:
    """Drive the run r1 into a tool that does not return."""
    async with opened(workflow(lingering(wire), turns=LINGERS)) as engine:
        return (await engine.resume("r1")).state


class Spoken(Wire):
    """A wire of one direction, for a process that was started as a command."""

    def __init__(self) -> None:
        """Speak to the standard output."""

    def say(self, word: object) -> None:
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(hold(Spoken()))
