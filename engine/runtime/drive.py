"""Decide, perform, commit; until the run parks or ends."""

import asyncio
from dataclasses import dataclass
from typing import assert_never

from engine.core import events as ev
from engine.core.decide import decide
from engine.core.effects import CallModel, CallTools, Park, Record
from engine.core.workflow import ModelClient, Workflow
from engine.ports import Clock, Store
from engine.runtime.commit import commit, settle_log
from engine.runtime.draft import Draft
from engine.runtime.perform import call_model, call_tools
from engine.runtime.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Driver:
    """A workflow with all that its runs need to be moved on."""

    workflow: Workflow
    model: ModelClient
    store: Store
    telemetry: Telemetry
    clock: Clock

    async def drive(self, draft: Draft) -> None:
        """Nothing, once the run waits for a person or has ended, all of it durable.

        What follows from a run is staged as it is decided; everything staged is
        committed, in one transaction, before the next effect begins.
        """
        while True:
            effect = decide(draft.live, self.workflow, self.clock.now())
            match effect:
                case Record(events):
                    draft.record(events, self.clock.now())
                case CallModel():
                    await self._commit(draft)
                    event = await call_model(
                        draft.live, self.workflow, effect, self.model, self.clock
                    )
                    draft.record((event,), self.clock.now())
                case CallTools(intents):
                    draft.record(intents, self.clock.now())
                    await self._commit(draft)
                    await self._call_tools(draft, intents)
                case Park(until):
                    if until is None:
                        return await settle_log(draft, self.store, self.telemetry)
                    await self._commit(draft)
                    await self.clock.sleep_until(until)
                case other:
                    assert_never(other)

    async def _call_tools(self, draft: Draft, intents: tuple[ev.ToolStarted, ...]) -> None:
        """Run the tools. Each result is made durable as it comes.

        The last one waits for what follows from it, which is decided at once and
        commits before anything else happens.
        """
        door = asyncio.Lock()

        async def report(event: ev.Event) -> None:
            async with door:
                draft.record((event,), self.clock.now())
                if any(call.status == "started" for call in draft.live.calls):
                    await self._commit(draft)

        try:
            await call_tools(intents, self.workflow, report)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group

    async def _commit(self, draft: Draft) -> None:
        await commit(draft, self.store, self.telemetry)
