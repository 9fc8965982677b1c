"""The only calls to tools. What comes back is events, never an exception of theirs."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import orjson
from pydantic import TypeAdapter

from engine.core import events as ev
from engine.core.clean import clean_text, clean_value, error_words
from engine.core.context import Notes, ToolContext, Transaction
from engine.core.tool import Tool
from engine.errors import DefinitionError, NotExecuted
from engine.runtime.acting import acting
from engine.runtime.backoff import retry_at
from engine.runtime.doubt import leaves_doubt
from engine.runtime.stop import is_our_cancellation
from engine.runtime.threads import in_own_thread

Outcome = ev.ToolReturned | ev.ToolFailed | ev.ToolNotExecuted | ev.ToolInterrupted


async def call_tool(
    tool: Tool,
    intent: ev.ToolStarted,
    run_id: str,
    now: Callable[[], datetime],
    notes: Notes | None = None,
) -> Outcome:
    """What came of running the tool once."""
    try:
        with acting(tool.name):
            value = await _run(run_id, tool.function, **_bound(tool, intent, run_id, notes=notes))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a tool raises is for the model, or a person, to read
        if is_our_cancellation(error):
            raise
        return failure(tool, intent, error, now())
    return _returned(intent, value)


def call_in_transaction(
    tool: Tool, intent: ev.ToolStarted, run_id: str, transaction: Transaction
) -> ev.ToolReturned:
    """What a transactional tool returned; what it raises is raised here."""
    with acting(tool.name):
        value = _in_thread(tool.function, (), _bound(tool, intent, run_id, transaction))
    return _returned(intent, value)


async def reconcile(
    tool: Tool, start: ev.ToolStarted, run_id: str, now: Callable[[], datetime]
) -> ev.ToolReturned | ev.ToolNotExecuted | ev.ReconcileFailed:
    """What the tool's own look-up says of a start whose result was lost."""
    try:
        with acting(tool.name):
            found = await _run(run_id, _look_up(tool), start.idempotency_key, start.arguments)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an author's look-up may raise anything
        if is_our_cancellation(error):
            raise
        words = f"looking up what came of it failed: {error_words(error)}"
        return ev.ReconcileFailed(call_id=start.call_id, error=words)
    if found is None:
        words = "it did not happen, as was looked up"
        return ev.ToolNotExecuted(
            call_id=start.call_id, error=words, retry_at=now(), reconciled=True
        )
    return _returned(start, found).model_copy(update={"reconciled": True})


def failure(tool: Tool, intent: ev.ToolStarted, error: BaseException, now: datetime) -> Outcome:
    """The event that an exception of a tool is."""
    if isinstance(error, NotExecuted):
        return ev.ToolNotExecuted(
            call_id=intent.call_id,
            error=clean_text(str(error)),
            retry_at=retry_at(now, intent.attempt),
        )
    words = error_words(error)
    harmless = tool.read_only or tool.transactional
    if not harmless and leaves_doubt(error):
        return ev.ToolInterrupted(
            call_id=intent.call_id, error=words, retry_at=retry_at(now, intent.attempt)
        )
    return ev.ToolFailed(call_id=intent.call_id, error=words)


def _look_up(tool: Tool) -> Callable[..., object]:
    if tool.reconcile is None:
        raise DefinitionError(f"tool {tool.name} offers no look-up")
    return tool.reconcile


def _bound(
    tool: Tool,
    intent: ev.ToolStarted,
    run_id: str,
    transaction: Transaction | None = None,
    notes: Notes | None = None,
) -> dict[str, object]:
    """The keyword arguments for the function."""
    bound = tool.bind(intent.arguments)
    if tool.context is not None:
        bound[tool.context] = ToolContext(
            run_id, intent.call_id, intent.attempt, intent.idempotency_key, transaction, notes
        )
    return bound


def _returned(intent: ev.ToolStarted, value: object) -> ev.ToolReturned:
    return ev.ToolReturned(call_id=intent.call_id, content=_shown(value))


def _shown(value: object) -> str:
    """What the model reads of a value. The tool has run, so a bad value is no failure."""
    try:
        return clean_text(_text(value))
    except Exception as error:  # noqa: BLE001 # a value may do anything when it is shown
        return f"The tool ran to its end, but its result cannot be shown: {error_words(error)}"


async def _run(
    run_id: str, function: Callable[..., object], /, *given: object, **named: object
) -> object:
    if inspect.iscoroutinefunction(function):
        return await function(*given, **named)
    value = await in_own_thread(run_id, lambda: _in_thread(function, given, named))
    return await value if inspect.isawaitable(value) else value


def _in_thread(
    function: Callable[..., object], given: Sequence[object], named: Mapping[str, object]
) -> object:
    """Call the function; what is no Exception, or a StopIteration, would break its thread."""
    try:
        return function(*given, **named)
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise RuntimeError(error_words(error)) from error


def _text(value: object) -> str:
    """A tool's value as the model reads it: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("a tool returns text or JSON values, not bytes")
    plain = TypeAdapter(object).dump_python(value, mode="json")
    return orjson.dumps(clean_value(plain)).decode()
