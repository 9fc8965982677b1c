"""A notifier that breaks itself off breaks off nothing else."""

import asyncio

from engine import Engine, ScriptedModel, State, Workflow
from engine.core.notices import Notice
from tests.core.story import pays
from tests.runtime.test_engine import OK, PAY, calls


class Quits:
    """A notifier whose own task was cancelled."""

    name = "quits"

    async def notify(self, notice: Notice) -> None:
        del notice
        raise asyncio.CancelledError


async def test_a_notifier_that_is_cancelled_has_failed() -> None:
    model = ScriptedModel([calls(PAY), OK])
    shop = Workflow(
        name="shop", instructions="Help.", tools=[pays()], notifiers=[Quits()], model=model
    )
    async with Engine(store="memory://", workflows=[shop]) as engine:
        await engine.start("shop", "Hello", "r1")
        assert "notification_failed" in [one.event.kind for one in await engine.journal("r1")]
        assert (await engine.approve("r1", by="ann")).state is State.Done
