"""A thread of its own for a call that may never return, and a count of those that still run."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import Lock, Thread
from typing import TypeVar

_T = TypeVar("_T")


_running: Counter[str] = Counter()
_counting = Lock()


def still_runs(run_id: str) -> bool:
    """Whether a thread of that run goes on, though nobody waits for it any more."""
    with _counting:
        return _running[run_id] > 0


def _count(run_id: str, change: int) -> None:
    with _counting:
        _running[run_id] += change
        if not _running[run_id]:
            del _running[run_id]


async def in_own_thread(run_id: str, function: Callable[[], _T]) -> _T:
    """What `function` gives. No other call waits for its thread, nor does the program's end."""
    loop, context = asyncio.get_running_loop(), copy_context()
    future: asyncio.Future[_T] = loop.create_future()

    def fail(error: Exception) -> None:
        if not future.done():
            future.set_exception(error)

    def succeed(value: _T) -> None:
        if not future.done():
            future.set_result(value)

    def run() -> None:
        tell: Callable[[], None]
        try:
            tell = partial(succeed, context.run(function))
        except Exception as error:  # noqa: BLE001 # it belongs to who waits
            tell = partial(fail, error)
        _count(run_id, -1)  # first: who is told may drive the run on at once
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell)

    _count(run_id, 1)
    Thread(target=run, name="waystation tool", daemon=True).start()
    return await future
