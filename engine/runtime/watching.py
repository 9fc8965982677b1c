"""A run as it moves, update by update, for somebody who reads along."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Coroutine
from typing import TYPE_CHECKING

from engine.codec.events import decode_event, from_ticks
from engine.core.clean import error_words
from engine.core.events import Recorded
from engine.core.evolve import evolve
from engine.core.run import Run
from engine.core.secrecy import Secrecy
from engine.core.tokens import without_tokens
from engine.core.updates import TextDelta, Update, masked_update, update_of
from engine.core.veil import Veil
from engine.errors import EngineError
from engine.ports import Entry
from engine.runtime.feeds import Words
from engine.runtime.load import load_unsealed

if TYPE_CHECKING:
    from engine.runtime.host import Host

_LOG = logging.getLogger("waystation")
_REPLIES = frozenset({"tools_requested", "model_answered", "answer_superseded"})
_BESIDE = frozenset({"message_received"})  # what may come while the model is writing


class Updates(AsyncIterator[Update]):
    """What happens to a run while something is done with it: `async for update in updates`.

    Every transition from then on comes once, in order, whoever made it; text as it comes.
    The run never waits for its reader: text that is not read in time is left out. Who stops
    reading ends nothing: the run goes on until it waits for a person or has ended, and
    `run` has it then. At the end what was done raises here as it does anywhere.
    """

    def __init__(
        self, host: "Host", run_id: str, doing: Awaitable[Run], *, masked: bool = False
    ) -> None:
        """Begin to do it, and to listen; `masked` leaves out what is secret."""
        self._host, self._run_id, self._masked = host, run_id, masked
        self._feed = host.telemetry.feeds.open(run_id)
        self._run: Run | None = None
        self._secrecy = Secrecy()
        self._spoken = 0  # the seq of the newest event that ends a try at the model
        self._words: tuple[int, int, int] | None = None
        self._veil = Veil(self._secrecy.mask)
        self._ready: deque[Update] = deque()
        self._based = self._closed = self._told = False
        self._task = asyncio.create_task(self._do(doing))
        self._task.add_done_callback(lambda _: self._done(doing))
        host.watched.add(self)

    async def run(self) -> Run:
        """The run, once it waits for a person or has ended; raises as what was done."""
        try:
            await asyncio.wait((self._task,))
        finally:
            self._told |= self._task.done()
        return self._result()

    async def aclose(self) -> None:
        """Nothing; no more is read, and the run goes on."""
        self._closed = True
        self._ready.clear()
        self._host.telemetry.feeds.close(self._run_id, self._feed)
        self._feed.wake()
        if self._task.done():
            self.tell_failure()

    async def __anext__(self) -> Update:
        """The next update; raises what the run was stopped by, once all was told."""
        while not self._ready:
            if self._closed:
                raise StopAsyncIteration
            await self._look()
        return self._ready.popleft()

    async def _look(self) -> None:
        """More of what is ready, or nothing once there may be more."""
        item = self._feed.take() if self._based else None
        if isinstance(item, Words):
            await self._catch_up(item.seq)
            self._hear(item)
        elif item is not None:
            await self._catch_up(item.seq - 1)
            self._take(item)
        elif self._based and self._feed.newest > self._seq:
            await self._catch_up(self._feed.newest)
        elif self._task.done():
            await self._end()
        else:
            await self._feed.change()

    async def _end(self) -> None:
        """The rest of what was done elsewhere; then nothing more, or what it raised."""
        self._closed = self._told = True
        await self._catch_up(self._result().seq)

    def _result(self) -> Run:
        if self._task.cancelled():
            words = f"run {self._run_id} was broken off; it goes on from where it was stored"
            raise EngineError(words)
        return self._task.result()

    @property
    def _seq(self) -> int:
        return self._run.seq if self._run else 0

    async def _do(self, doing: Awaitable[Run]) -> Run:
        try:
            draft, _ = await load_unsealed(self._host.store, self._run_id, self._host.keys)
        except EngineError:
            pass  # what is to be done will say so
        else:
            self._run, self._secrecy = draft.run, draft.secrecy
            self._spoken = self._seq
        self._based = True
        self._feed.wake()
        return await doing

    async def _catch_up(self, seq: int) -> None:
        """Take up to that seq what did not come: others did it, or it was not read in time."""
        if seq <= self._seq:
            return
        for entry in await self._host.store.entries(self._run_id):
            if entry.seq <= seq:
                self._take(entry)

    def _take(self, entry: Entry) -> None:
        before = self._run
        if entry.seq != self._seq + 1:
            return  # it was told already
        event = decode_event(entry.kind, entry.data)
        recorded = Recorded.trusted(seq=entry.seq, at=from_ticks(entry.at), event=event)
        self._run = evolve(before, recorded)
        self._secrecy = self._secrecy.after(event, entry.data)
        update = update_of(before, self._run, recorded)
        if entry.kind not in _BESIDE:
            self._flush(whole=entry.kind in _REPLIES)
            self._spoken = entry.seq
        self._ready.append(masked_update(update, self._secrecy) if self._masked else update)

    def _hear(self, words: Words) -> None:
        delta = words.delta()
        if delta.seq < self._spoken or self._run is None:
            return  # of a try that is over
        if not self._masked:
            self._ready.append(delta)
            return
        about = (delta.seq, delta.turn, delta.attempt)
        if about != self._words:
            self._words, self._veil = about, Veil(self._secrecy.mask)
        if delta.missed:
            self._veil.lose()
        if text := self._veil.more(delta.text):
            self._ready.append(delta.model_copy(update={"text": text}))

    def _flush(self, *, whole: bool) -> None:
        """Show what was held back of a reply that is whole by now; void the rest of any other."""
        if self._words is None:
            return
        seq, turn, attempt = self._words
        self._words = None
        if whole and (text := self._secrecy.text(self._veil.rest())):
            about = {"run_id": self._run_id, "seq": seq, "turn": turn, "attempt": attempt}
            self._ready.append(TextDelta.model_validate({**about, "text": text}))

    def _done(self, doing: Awaitable[Run]) -> None:
        if isinstance(doing, Coroutine):
            doing.close()  # it was not begun, where it was broken off before
        self._host.telemetry.feeds.close(self._run_id, self._feed)
        self._feed.wake()
        if self._closed:
            self.tell_failure()
        if self._task.cancelled() or self._task.exception() is None:
            self._host.watched.discard(self)

    def tell_failure(self) -> None:
        """Nothing; a failure that nobody was told of is told to the program's log."""
        failed = self._task.done() and not self._task.cancelled() and self._task.exception()
        if failed and not self._told:
            words = without_tokens(error_words(failed))
            _LOG.warning("run %s was not driven on: %s", self._run_id, words)
            self._told = True
        self._host.watched.discard(self)

    @property
    def doing(self) -> "asyncio.Task[Run]":
        """What is done with the run."""
        return self._task


async def settle(watched: "set[Updates]", *, break_off: bool) -> None:
    """Nothing, once all that is still done has ended, by itself unless we `break_off`.

    Broken off too where we are cancelled meanwhile. Failures that nobody saw are told.
    """
    left = list(watched)
    tasks = [one.doing for one in left]
    try:
        if tasks and not break_off:
            await asyncio.wait(tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in left:
            one.tell_failure()
