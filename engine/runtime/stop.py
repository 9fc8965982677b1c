"""Waiting for something, but not past the moment when we are to stop; or just past it."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

_T = TypeVar("_T")


async def until_stopped(
    stopping: asyncio.Event | None, work: Coroutine[None, None, _T]
) -> _T | None:
    """What `work` gives; None where we were to stop first, and then it is cancelled.

    Without `stopping` nobody stops us, but by cancelling all that we do.
    """
    if stopping is None:
        return await work
    task = asyncio.ensure_future(work)
    stopped = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        stopped.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def to_the_end(work: Coroutine[None, None, _T]) -> _T:
    """What `work` gives, which is never broken off; a cancellation is raised after it."""
    task, cancelled = asyncio.ensure_future(work), False
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError:
            cancelled = True
    result = task.result()
    if cancelled:
        raise asyncio.CancelledError
    return result


def is_our_cancellation(error: BaseException) -> bool:
    """Whether our task is cancelled, rather than that somebody raised it so."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and bool(task and task.cancelling())
