"""Programs for processes that work until they are told to stop."""

import asyncio
import signal
import threading

from engine import ToolContext, Workflow, tool
from tests.races import shop
from tests.races.drivers import LOG, HookedStore, complaints, opened, workflow
from tests.races.processes import Wire

STARTED, TOLD, IN_TOOL = "started", "told", "in a tool"
SENDS = (("send", "post"), ("charge",))
STAYS = (("stay",),)


def sending(wire: Wire | None = None) -> Workflow:
    """A workflow whose tools tell where they are, on the loop and in a thread."""

    def tell() -> None:
        if wire is not None:
            wire.say(IN_TOOL)

    @tool(approval="never")
    async def send(context: ToolContext) -> str:
        """Do it, giving way to others before and after."""
        tell()
        await asyncio.sleep(0)
        shop.buy(context)
        await asyncio.sleep(0)
        tell()
        return "sent"

    @tool(approval="never")
    def post(context: ToolContext) -> str:
        """Do it in a thread."""
        tell()
        shop.buy(context)
        tell()
        return "posted"

    return workflow(send, post, turns=SENDS)


def staying(wire: Wire | None = None) -> Workflow:
    """A workflow whose tool never returns, and tells that it was entered."""

    @tool(approval="never")
    async def stay(context: ToolContext) -> str:
        """Do it, and never come back."""
        shop.buy(context)
        if wire is not None:
            wire.say(IN_TOOL)
            await asyncio.Event().wait()
        return "stayed"

    return workflow(stay, turns=STAYS)


def staying_in_a_thread(wire: Wire | None = None) -> Workflow:
    """The same with a plain function."""

    @tool(approval="never")
    def stay(context: ToolContext) -> str:
        """Do it, and never come back."""
        shop.buy(context)
        if wire is not None:
            wire.say(IN_TOOL)
            threading.Event().wait()
        return "stayed"

    return workflow(stay, turns=STAYS)


WORKFLOWS = {
    "sending": sending,
    "staying": staying,
    "staying in a thread": staying_in_a_thread,
}


def wait_for_threads() -> None:
    """Nothing, once no tool's thread runs any more."""
    for thread in threading.enumerate():
        if thread.name.startswith("waystation post "):
            thread.join()


async def work(wire: Wire, name: str) -> list[str]:
    """Work until SIGTERM comes; what the engine complained of. Every step is told.

    At the end it hears that no more signals will come, so that none meets a program
    that has put its handlers away.
    """

    def at(point: str, _: tuple[str, ...]) -> None:
        wire.say(point)

    with complaints() as said:
        async with opened(WORKFLOWS[name](wire), HookedStore(at), log=LOG) as engine:
            worker = engine.worker(8)

            def told() -> None:
                worker.stop()
                wire.say(TOLD)

            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told)
            wire.say(STARTED)
            await worker.run()
            if name == "sending":
                wait_for_threads()
            wire.hear()
    return [*said, *worker.failed]
