"""Programs for processes that some of their runs bring down."""

import os
import signal

from engine import ModelReply, ModelRequest, ToolContext, Workflow, tool
from tests.races.drivers import HookedStore, opened, scripted, workflow
from tests.races.processes import Wire

DIES_IN_TOOL, DIES_IN_MODEL = "dies-in-tool", "dies-in-model"


@tool(read_only=True)
async def look(context: ToolContext) -> str:
    """Look, harmlessly."""
    return context.run_id


def die() -> str:
    """Bring the process down."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "unreachable"


def survive() -> str:
    """Bring nothing down."""
    return "survived"


class Choosing:
    """A model that asks for what the run's own id says; it may bring its process down too."""

    def __init__(self, turns: tuple[tuple[str, ...], ...], *, deadly: bool) -> None:
        self._healthy, self._deadly = scripted(*turns), deadly
        self._dies = scripted(("break",))

    async def complete(self, request: ModelRequest) -> ModelReply:
        if request.run_id == DIES_IN_TOOL:
            return await self._dies.complete(request)
        if request.run_id == DIES_IN_MODEL and self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return await self._healthy.complete(request)


def breaking(turns: tuple[tuple[str, ...], ...], *, deadly: bool = True) -> Workflow:
    """A workflow with a tool that brings its process down, unless it is not `deadly`."""
    harmful = tool(read_only=True, name="break", description="Break.")(die if deadly else survive)
    declared = workflow(look, harmful, turns=turns)
    return Workflow(
        name=declared.name,
        instructions=declared.instructions,
        tools=declared.tools,
        model=Choosing(turns, deadly=deadly),
    )


async def work_once(
    _: Wire, turns: tuple[tuple[str, ...], ...], concurrency: int
) -> tuple[str, ...]:
    """Work until nothing is ready; the runs that could not be driven."""
    async with opened(breaking(turns), HookedStore()) as engine:
        worker = engine.worker(concurrency)
        await worker.run(once=True)
    return tuple(worker.failed)
