"""A call that can be broken off is, where its run is given up by somebody else meanwhile."""

import asyncio
from collections.abc import Coroutine

from engine.core.events import ToolInterrupted
from engine.core.states import State
from engine.errors import StoreError
from engine.ports import Clock, Store
from engine.runtime.attempt import Attempt
from engine.runtime.failing import Outcome

_LOOK = 0.5  # seconds between two looks at the run, as it is stored


async def unless_given_up(
    store: Store, clock: Clock, attempt: Attempt, calling: Coroutine[None, None, Outcome]
) -> Outcome:
    """What comes of the call. In a process of its own it is killed where its run is Aborted."""
    if attempt.tool.isolation == "thread":
        return await calling
    task = asyncio.ensure_future(calling)
    try:
        while not task.done():
            await asyncio.wait((task,), timeout=_LOOK)
            if not task.done() and await _is_given_up(store, attempt.run_id):
                task.cancel()
                await asyncio.wait((task,))
        if not task.cancelled():
            return task.result()
    finally:
        task.cancel()
        await asyncio.wait((task,))
    words = "its process was killed, as the run was given up"
    return ToolInterrupted(call_id=attempt.call_id, error=words, retry_at=clock.now())


async def _is_given_up(store: Store, run_id: str) -> bool:
    try:
        head = await store.head(run_id)
    except StoreError:
        return False  # the call is not to blame
    return head is not None and head.state == State.Aborted
