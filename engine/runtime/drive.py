"""Decide, perform, commit; until the run parks or ends."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from engine.core import events as ev
from engine.core.context import Transaction
from engine.core.decide import decide
from engine.core.effects import CallModel, CallTools, Notify, Park, Recap, Reconcile, Record, SumUp
from engine.core.request import request_of
from engine.core.sizes import next_input
from engine.core.tool import Tool
from engine.core.workflow import ModelClient, Workflow
from engine.errors import ConflictError, EngineError, RunBusy, StoreError
from engine.ports import Clock, Store, Transactional
from engine.prices import LISTED, Prices
from engine.rates.turns import turn_at
from engine.remembering import NOTHING, MemoryChange
from engine.runtime.attempt import Attempt
from engine.runtime.commit import commit, commit_with, settle_log
from engine.runtime.draft import Draft
from engine.runtime.failing import failure
from engine.runtime.given_up import unless_given_up
from engine.runtime.knowing import announced, kept_of, notes_for
from engine.runtime.late import on_top
from engine.runtime.load import load
from engine.runtime.notify import tell
from engine.runtime.perform import call_model, recap, sum_up
from engine.runtime.stop import until_stopped
from engine.runtime.telemetry import Telemetry
from engine.runtime.tools import call_in_transaction, call_tool, reconcile

_Asks = CallModel | SumUp | Recap
_Act = Callable[[Draft, Tool, ev.ToolStarted, asyncio.Lock], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True)
class Driver:
    """A workflow with all that its runs need to be moved on."""

    workflow: Workflow
    model: ModelClient
    store: Store
    telemetry: Telemetry
    clock: Clock
    stopping: asyncio.Event | None
    prices: Prices = LISTED

    async def drive(self, draft: Draft) -> datetime | None:
        """Until when the run waits; None where it waits for a person, has ended, or we stop.

        All of it is durable then. What follows from a run is staged as it is decided;
        everything staged is committed, in one transaction, before the next effect
        begins. An effect begins under our lease only. Raises RunBusy where the lease
        was taken from us; then nothing more was written.
        """
        try:
            return await self._drive(draft)
        except EngineError as error:
            draft.secrecy.tell(error)
            raise

    async def _drive(self, draft: Draft) -> datetime | None:
        while not (self.stopping and self.stopping.is_set()):
            effect = decide(draft.live, self.workflow, self.clock.now())
            if not isinstance(effect, Park):
                if until := await self._perform(draft, effect):
                    return until
            elif await self._commit(draft):
                return effect.until
        await self._commit(draft)
        return None

    async def settle(self, draft: Draft) -> None:
        """Nothing; the store knows up to where the log has the run's lines."""
        await settle_log(draft, self.store, self.telemetry)

    async def _perform(
        self, draft: Draft, effect: _Asks | CallTools | Reconcile | Notify | Record
    ) -> datetime | None:
        """Until when it has to wait, though nothing more is known of the run; else None."""
        match effect:
            case Record(events):
                await self._record(draft, events)
            case CallModel() | SumUp() | Recap():
                return await self._call_model(draft, effect)
            case CallTools(intents):
                epoch = draft.lease.epoch
                stamped = tuple(one.model_copy(update={"epoch": epoch}) for one in intents)
                draft.record(stamped, self.clock.now())
                if await self._commit(draft):
                    await self._each(draft, stamped, self._call_tool)
            case Reconcile(starts):
                if await self._still_ours(draft):
                    await self._each(draft, starts, self._reconcile)
            case Notify(untold):
                if await self._still_ours(draft):
                    await self._notify(draft, untold)
            case other:
                assert_never(other)
        return None

    async def _record(self, draft: Draft, events: tuple[ev.Event, ...]) -> None:
        if self._embeds(events) and not await self._still_ours(draft):
            return
        draft.record(events, self.clock.now())
        for event in events:
            draft.remember(await self._kept(draft, event))

    def _embeds(self, events: tuple[ev.Event, ...]) -> bool:
        """Whether somebody outside is asked about them: all that is known is kept before that."""
        memory = self.workflow.memory
        asked = any(isinstance(one, ev.RunSummarised) for one in events)
        return asked and memory is not None and memory.embedder is not None

    async def _notify(self, draft: Draft, untold: tuple[tuple[str, str], ...]) -> None:
        for event in await tell(draft.live, self.workflow, untold, self.clock.now):
            draft.report(event, self.clock.now())

    async def _call_model(self, draft: Draft, effect: _Asks) -> datetime | None:
        if not await self._still_ours(draft):
            return None
        event = await until_stopped(self.stopping, self._ask_in_turn(draft, effect))
        if isinstance(event, datetime):
            return event
        if event is not None:
            change = await self._kept(draft, event)
            draft.report(announced(event, draft.live, self.workflow), self.clock.now(), change)
        return None

    async def _kept(self, draft: Draft, event: ev.Event) -> MemoryChange:
        return await kept_of(event, draft, self.workflow, self.store, self.clock)

    async def _ask_in_turn(self, draft: Draft, effect: _Asks) -> ev.Event | datetime | None:
        """What came of asking the model, or when it may be asked at the earliest.

        None where something else is due when our turn comes.
        """
        with await turn_at(self.model, next_input(draft.live), self.clock) as turn:
            if turn.held:
                return turn.held
            due = await self._still_due(draft) if turn.waited else effect
            by = (turn, self.clock, self.prices)
            if isinstance(due, SumUp):
                return await sum_up(draft.live, due, *by)
            if isinstance(due, Recap):
                return await recap(draft.live, due, *by)
            if due is None:
                return None
            request = request_of(draft.live, self.workflow)
            hear = self.telemetry.feeds.hearer(request, draft.live.seq)
            return await call_model(draft.live, request, *by, hear=hear)

    async def _still_due(self, draft: Draft) -> _Asks | None:
        """What the model is to be asked, after some time has passed; None for nothing."""
        if not await self._still_ours(draft):
            return None
        due = decide(draft.live, self.workflow, self.clock.now())
        return due if isinstance(due, _Asks) else None

    async def _each(
        self,
        draft: Draft,
        starts: tuple[ev.ToolStarted, ...],
        act: _Act,
    ) -> None:
        """Act on all of the starts at once. Each outcome is made durable as it comes.

        The last one waits for what follows from it, which is decided at once and
        commits before anything else happens.
        """
        door = asyncio.Lock()
        tools = [(self.workflow.tool(start.tool), start) for start in starts]
        acts = [act(draft, tool, start, door) for tool, start in tools if tool is not None]
        if len(acts) == 1:  # as most turns are: no task is made for it
            await acts[0]
            return
        # What goes wrong with one breaks off no other: that one may be in the midst of its effect.
        for outcome in await asyncio.gather(*acts, return_exceptions=True):
            if outcome is not None:
                raise outcome

    async def _call_tool(
        self, draft: Draft, tool: Tool, intent: ev.ToolStarted, door: asyncio.Lock
    ) -> None:
        change = NOTHING
        if tool.transactional:
            async with door:
                outcome = await self._transact(draft, tool, intent)
        else:
            notes = notes_for(draft, intent, self.workflow, self.store, self.clock)
            attempt = Attempt(tool, intent, draft.live.id, self.workflow, notes)
            calling = call_tool(attempt, self.clock.now)
            outcome = await unless_given_up(self.store, self.clock, attempt, calling)
            if attempt.notes is not None and isinstance(outcome, ev.ToolReturned):
                change = attempt.notes.change
        if outcome is not None:
            await self._report(draft, outcome, door, change)

    async def _reconcile(
        self, draft: Draft, tool: Tool, start: ev.ToolStarted, door: asyncio.Lock
    ) -> None:
        attempt = self._attempt(draft, tool, start)
        await self._report(draft, await reconcile(attempt, self.clock.now), door)

    def _attempt(self, draft: Draft, tool: Tool, intent: ev.ToolStarted) -> Attempt:
        return Attempt(tool, intent, draft.live.id, self.workflow)

    async def _report(
        self, draft: Draft, outcome: ev.Event, door: asyncio.Lock, change: MemoryChange = NOTHING
    ) -> None:
        async with door:
            draft.report(outcome, self.clock.now(), change)
            if any(call.status == "started" for call in draft.live.calls):
                await self._commit(draft)

    async def _transact(self, draft: Draft, tool: Tool, intent: ev.ToolStarted) -> ev.Event | None:
        """None, after the tool has run inside the transaction that keeps its result.

        Else nothing of it was kept: its failure, or None where all is decided again.
        """
        if not isinstance(self.store, Transactional):
            raise StoreError(f"tool {tool.name} needs a store with transactions")

        before, attempt = draft.copy(), self._attempt(draft, tool, intent)

        def work(transaction: Transaction) -> None:
            try:
                outcome = call_in_transaction(attempt, transaction)
            except Exception as error:
                raise _ToolRaisedError from error
            draft.report(outcome, self.clock.now())

        try:
            await commit_with(draft, self.store, self.telemetry, work)
        except _ToolRaisedError as raised:
            error = raised.__cause__ or raised
            return failure(attempt, error, self.clock.now())
        except ConflictError:
            draft.outcomes.clear()  # what the tool wrote was rolled back
            await self._rebase(draft)
        except StoreError:
            draft.become(before)  # the result was rolled back with what the tool wrote
            raise
        return None

    async def _still_ours(self, draft: Draft) -> bool:
        """Whether an effect may begin on what is staged, or on the run as it is stored."""
        if draft.staged:
            return await self._commit(draft)
        head = await self.store.head(draft.live.id)
        if head and (head.seq, head.lease.epoch) == (draft.live.seq, draft.lease.epoch):
            return True
        await self._rebase(draft)
        return False

    async def _commit(self, draft: Draft) -> bool:
        """Whether what is staged was kept; where somebody was faster, all is decided again."""
        try:
            await commit(draft, self.store, self.telemetry)
        except ConflictError:
            await self._rebase(draft)
            return False
        return True

    async def _rebase(self, draft: Draft) -> None:
        """Take the run as it is stored, and on top of it what we know to have happened outside."""
        fresh = await load(self.store, draft.live.id, draft.keys)
        if fresh.lease.epoch != draft.lease.epoch:
            raise RunBusy(
                f"run {draft.live.id} was taken over by driver {fresh.lease.epoch} meanwhile; "
                f"what driver {draft.lease.epoch} still meant to write was not kept"
            )
        outcomes, was = tuple(draft.outcomes), draft.live
        draft.become(fresh)
        for outcome, seen, change in outcomes:
            if (late := on_top(draft.live, outcome, seen, was)) is not None:
                draft.report(late, self.clock.now(), change)


class _ToolRaisedError(Exception):
    """A transactional tool raised; the cause says what."""
