"""A tool's function, run beside the loop or on it, for no longer than it may take."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from threading import Event, Lock, Thread

from engine.core.context import SqlValue, Transaction
from engine.runtime.acting import acting
from engine.runtime.attempt import Attempt
from engine.runtime.results import said
from engine.runtime.threads import Work, ended, in_own_thread, leave

GRACE = 1.0  # seconds that an async function has to end in, once it is cancelled

_Function = Callable[..., object]


async def run_function(
    attempt: Attempt, function: _Function, given: Sequence[object], named: Mapping[str, object]
) -> object:
    """What the function gives; TimeoutError where that takes longer than its tool may."""
    work, most, run_id = attempt.work(), attempt.tool.timeout, attempt.run_id
    if inspect.iscoroutinefunction(function):
        return await _within(most, function(*given, **named), run_id, work)
    value = await in_own_thread(run_id, lambda: called(function, given, named), work, most)
    return await _within(most, value, run_id, work) if inspect.isawaitable(value) else value


def run_in_transaction(attempt: Attempt, transaction: Transaction) -> object:
    """As `run_function`, at once, with what the function writes in that transaction."""
    tool = attempt.tool
    if tool.timeout is None:
        return called(tool.function, (), attempt.bound(transaction))
    fenced = _UntilGivenUp(transaction)
    thread = _Thread(attempt, attempt.bound(fenced))
    thread.over.wait(tool.timeout)
    fenced.close()
    if thread.over.is_set():
        return thread.result()
    leave(attempt.run_id, thread.work)
    if thread.over.is_set():
        ended(attempt.run_id, thread.work)
    words = f"no result within {tool.timeout:g} s, and nothing of it was written"
    raise TimeoutError(f"{words}; its thread {thread.work.name!r} is still alive")


def called(function: _Function, given: Sequence[object], named: Mapping[str, object]) -> object:
    """Call the function; what is no Exception, or a StopIteration, would break its thread."""
    try:
        return function(*given, **named)
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise RuntimeError(said(error)) from error


async def _within(most: float | None, value: Awaitable[object], run_id: str, work: Work) -> object:
    """What it gives; it is cancelled where that takes longer."""
    if most is None:
        return await value
    task = asyncio.ensure_future(_unbroken(value))
    task.add_done_callback(_heard)
    try:
        await asyncio.wait((task,), timeout=most)
        late = not task.done()
        if late:
            task.cancel()
            await asyncio.wait((task,), timeout=GRACE)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait((task,))
        raise
    if task.done() and not (late and task.cancelled()):
        return task.result()
    state = "it was cancelled"
    if not task.done():
        leave(run_id, work)
        task.add_done_callback(lambda _: ended(run_id, work))
        state = f"it was cancelled, and its task ({work.name}) goes on all the same"
    raise TimeoutError(f"no result within {most:g} s; {state}")


async def _unbroken(value: Awaitable[object]) -> object:
    """What it gives; a SystemExit would break the loop."""
    try:
        return await value
    except (SystemExit, GeneratorExit) as error:
        raise RuntimeError(said(error)) from error


def _heard(task: "asyncio.Task[object]") -> None:
    if not task.cancelled():
        task.exception()


class _UntilGivenUp:
    """A transaction for as long as somebody waits for who writes in it."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction, self._lock, self._open = transaction, Lock(), True

    def execute(
        self, sql: str, bindings: Sequence[SqlValue] = ()
    ) -> Sequence[tuple[SqlValue, ...]]:
        """See Transaction."""
        with self._lock:
            if not self._open:
                raise ValueError("the call was given up, and its transaction with it")
            return self._transaction.execute(sql, bindings)

    def close(self) -> None:
        """Nothing, once no statement runs any more."""
        with self._lock:
            self._open = False


class _Thread:
    """A thread that calls a tool's function, while another one waits for it."""

    def __init__(self, attempt: Attempt, named: Mapping[str, object]) -> None:
        self.work, self.over = attempt.work(), Event()
        self._value: object = None
        self._error: Exception | None = None
        Thread(target=self._run, args=(attempt, named), name=self.work.name, daemon=True).start()

    def result(self) -> object:
        """What the function gave, or raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def _run(self, attempt: Attempt, named: Mapping[str, object]) -> None:
        try:
            with acting(attempt.tool.name):
                self._value = called(attempt.tool.function, (), named)
        except Exception as error:  # noqa: BLE001 # it belongs to who waits
            self._error = error
        self.over.set()
        ended(attempt.run_id, self.work)
