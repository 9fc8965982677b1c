"""Programs for processes that wait, at some point of their driving, to be told to go on."""

import asyncio
from collections.abc import Awaitable, Callable

from engine import Engine, State, ToolContext, Workflow, tool
from tests.races import shop
from tests.races.drivers import SCRIPTS, HookedStore, opened, workflow
from tests.races.processes import Wire

PAUSED = "paused"
SLOW = (("slow", "slow"),)


async def _resume(engine: Engine) -> None:
    await engine.resume("r1")


async def _work(engine: Engine) -> None:
    await engine.worker().run(once=True)


WAYS: dict[str, Callable[[Engine], Awaitable[None]]] = {"resume": _resume, "worker": _work}


def slowly(wire: Wire | None = None) -> Workflow:
    """A workflow whose tool waits in the middle; without a wire it does not."""

    @tool(approval="never")
    async def slow(context: ToolContext) -> str:
        """Do it, in two steps."""
        if wire is not None:
            wire.say(PAUSED)
            await asyncio.to_thread(wire.hear)
        shop.buy(context)
        return "done at last"

    return workflow(slow, turns=SLOW)


async def pause_in_tools(wire: Wire, way: str) -> State:
    """Drive the run r1, with a pause in each of its tools."""
    async with opened(slowly(wire)) as engine:
        await WAYS[way](engine)
        return (await engine.run("r1")).state


async def pause_at(wire: Wire, way: str, point: str, kind: str | None) -> State:
    """Drive the run r1, with one pause at that point of its parking."""
    paused = False

    def at(where: str, kinds: tuple[str, ...]) -> None:
        nonlocal paused
        if not paused and where == point and (kind is None or kind in kinds):
            paused = True
            wire.say(PAUSED)
            wire.hear()

    async with opened(workflow(turns=SCRIPTS["refund"]), HookedStore(at)) as engine:
        await WAYS[way](engine)
        return (await engine.run("r1")).state


async def abort(_: Wire) -> State:
    """Give the run r1 up."""
    async with opened(slowly()) as engine:
        return (await engine.abort("r1", by="ann", reason="enough")).state


async def approve(_: Wire) -> tuple[State, int]:
    """Allow what the run r1 asks for; its state then, and how many verdicts it still waits for."""
    async with opened("refund") as engine:
        run = await engine.approve("r1", by="ann")
    return run.state, len(run.approvals)
