"""A thread of its own for a call that may never return, and which of them still run."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from threading import Lock, Thread
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(eq=False, slots=True)
class Work:
    """Something that goes on for a run; `left` where nobody waits for it, nor ever will."""

    name: str
    call_id: str = ""
    left: bool = False


_going: dict[str, set[Work]] = {}
_noting = Lock()


def still_runs(run_id: str) -> bool:
    """Whether a thread of that run goes on, though nobody waits for it any more.

    One that was left behind is not counted: what came of its call is recorded already.
    """
    with _noting:
        return any(not one.left for one in _going.get(run_id, ()))


def left_behind(run_id: str, call_id: str) -> str | None:
    """The name of what still goes on of a call that was given up at its timeout, or None."""
    with _noting:
        left = (one for one in _going.get(run_id, ()) if one.left and one.call_id == call_id)
        return next((one.name for one in left), None)


def leave(run_id: str, work: Work) -> None:
    """Nothing; that work goes on by itself from now on, until it is `ended`."""
    with _noting:
        work.left = True
        _going.setdefault(run_id, set()).add(work)


def ended(run_id: str, work: Work) -> None:
    """Nothing; that work is over."""
    with _noting:
        going = _going.get(run_id, set())
        going.discard(work)
        if not going:
            _going.pop(run_id, None)


async def in_own_thread(
    run_id: str,
    function: Callable[[], _T],
    work: Work | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 # the thread is not cancelled by it
) -> _T:
    """What `function` gives. No other call waits for its thread, nor does the program's end.

    Raises TimeoutError, which names the thread, where it gives nothing within so many
    seconds; the thread goes on, and is left behind.
    """
    work = work or Work("waystation tool")
    future = _begin(run_id, function, work)
    try:
        await asyncio.wait((future,), timeout=timeout)
        if future.done():
            return future.result()
    finally:
        future.cancel()
    raise _given_up(run_id, work, timeout or 0)


def _begin(run_id: str, function: Callable[[], _T], work: Work) -> "asyncio.Future[_T]":
    """What the function will give, once its thread, which is begun here, is over."""
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
        ended(run_id, work)  # first: who is told may drive the run on at once
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell)

    with _noting:
        _going.setdefault(run_id, set()).add(work)
    Thread(target=run, name=work.name, daemon=True).start()
    return future


def _given_up(run_id: str, work: Work, timeout: float) -> TimeoutError:
    with _noting:
        goes_on = work in _going.get(run_id, ())
        work.left = goes_on
    state = "is still alive" if goes_on else "has ended since"
    return TimeoutError(f"no result within {timeout:g} s; its thread {work.name!r} {state}")
