"""The only calls to models and tools. What comes back is events, never an exception of theirs."""

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable
from datetime import timedelta

import orjson
from pydantic import TypeAdapter

from engine.codec.events import encode_event
from engine.core import events as ev
from engine.core.clean import clean_text, clean_value
from engine.core.effects import CallModel
from engine.core.found import found_so_far
from engine.core.messages import Message
from engine.core.run import Run
from engine.core.workflow import ModelClient, ModelReply, ModelRequest, Tool, Workflow
from engine.errors import EngineError, ModelError, PermanentModelError, TransientModelError
from engine.ports import Clock

BACKOFF_BASE = 1.0
BACKOFF_CAP = 60.0
RETRY_AFTER_CAP = 3600.0

Report = Callable[[ev.Event], Awaitable[None]]


async def call_model(
    run: Run, workflow: Workflow, effect: CallModel, model: ModelClient, clock: Clock
) -> ev.Event:
    """What came of asking the model once."""
    request = ModelRequest(run.id, effect.turn, effect.attempt, run.messages, workflow.tools)
    try:
        return _replied(run, effect.turn, await _ask(model, request))
    except TransientModelError as error:
        wait = timedelta(seconds=_wait(effect.attempt, error.retry_after))
        return ev.ModelFailed(
            error=clean_text(str(error)), attempt=effect.attempt, retry_at=clock.now() + wait
        )
    except PermanentModelError as error:
        return ev.RunAborted(reason=clean_text(str(error)), found=found_so_far(run))


async def _ask(model: ModelClient, request: ModelRequest) -> ModelReply:
    try:
        return await model.complete(request)
    except EngineError:
        raise
    except Exception as error:
        raise ModelError(f"the model client failed: {_words(error)}") from error


def _wait(attempt: int, retry_after: float | None) -> float:
    """Seconds before the next try: as the other side asks, else back-off with full jitter."""
    if retry_after is not None and math.isfinite(retry_after):
        return min(max(0.0, retry_after), RETRY_AFTER_CAP)
    import random

    return random.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (attempt - 1)))  # noqa: S311 # jitter is no secret


def _replied(run: Run, turn: int, reply: ModelReply) -> ev.Event:
    """The event that a reply is, sure to fit the journal; TransientModelError where it cannot."""
    try:
        event = _read(run, turn, reply)
        encode_event(event)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise TransientModelError(f"the model's reply cannot be kept: {_words(error)}") from error
    return event


def _read(run: Run, turn: int, reply: ModelReply) -> ev.Event:
    """The event that a reply is. A cut or filtered one is never acted on."""
    message = Message.model_validate(clean_value(reply.message.model_dump(exclude_unset=True)))
    if message.role != "assistant":
        raise TransientModelError("the model's reply is no assistant message")
    if reply.finish_reason in ("length", "content_filter"):
        why = {"length": "at its length limit", "content_filter": "by a content filter"}
        reason = f"the model's reply was cut off {why[reply.finish_reason]}"
        return ev.RunAborted(
            reason=reason, limit=reply.finish_reason, found=message.content or found_so_far(run)
        )
    said = {
        "usage": reply.usage,
        "model": clean_value(reply.model),
        "request_id": clean_value(reply.request_id),
    }
    if message.tool_calls:
        ids = tuple(f"call_{turn}_{place}" for place, _ in enumerate(message.tool_calls, 1))
        return ev.ToolsRequested.model_validate({"message": message.with_call_ids(ids), **said})
    if not message.content:
        raise TransientModelError("the model's reply was empty")
    return ev.ModelAnswered.model_validate({"message": message, **said})


async def call_tools(
    intents: tuple[ev.ToolStarted, ...], workflow: Workflow, report: Report
) -> None:
    """Nothing, once every intent has run, all at once, and each result was reported as it came."""

    async def one(intent: ev.ToolStarted) -> None:
        tool = workflow.tool(intent.tool)
        if tool is not None:
            await report(await _call(tool, intent))

    async with asyncio.TaskGroup() as group:
        for intent in intents:
            group.create_task(one(intent))


async def _call(tool: Tool, intent: ev.ToolStarted) -> ev.Event:
    try:
        value = await _run(tool, tool.bind(intent.arguments))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a tool raises is for the model to read
        if _is_our_cancellation(error):
            raise
        return ev.ToolFailed(call_id=intent.call_id, error=_words(error))
    return ev.ToolReturned(call_id=intent.call_id, content=_shown(value))


def _is_our_cancellation(error: BaseException) -> bool:
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and bool(task and task.cancelling())


def _shown(value: object) -> str:
    """What the model reads of a value. The tool has run, so a bad value is no failure."""
    try:
        return clean_text(_text(value))
    except Exception as error:  # noqa: BLE001 # a value may do anything when it is shown
        return f"The tool ran to its end, but its result cannot be shown: {_words(error)}"


def _words(error: BaseException) -> str:
    """What an exception says, even one that cannot say it."""
    try:
        return clean_text(f"{type(error).__name__}: {error}")
    except BaseException:  # noqa: BLE001 # a tool's own __str__ may do anything
        return type(error).__name__


async def _run(tool: Tool, arguments: dict[str, object]) -> object:
    if inspect.iscoroutinefunction(tool.function):
        return await tool.function(**arguments)
    value = await asyncio.to_thread(_in_thread, tool, arguments)
    return await value if inspect.isawaitable(value) else value


def _in_thread(tool: Tool, arguments: dict[str, object]) -> object:
    """Call the function; what is no Exception, or a StopIteration, would break its thread."""
    try:
        return tool.function(**arguments)
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):
            raise
        raise RuntimeError(_words(error)) from error


def _text(value: object) -> str:
    """A tool's value as the model reads it: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("a tool returns text or JSON values, not bytes")
    plain = TypeAdapter(object).dump_python(value, mode="json")
    return orjson.dumps(clean_value(plain)).decode()
