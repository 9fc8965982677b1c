"""The only calls to models and tools. What comes back is events, never an exception of theirs."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta

import orjson
from pydantic import BaseModel, TypeAdapter

from engine.core import events as ev
from engine.core.clean import clean_text, clean_value
from engine.core.effects import CallModel
from engine.core.found import found_so_far
from engine.core.messages import Message
from engine.core.run import Run
from engine.core.workflow import ModelClient, ModelReply, ModelRequest, Tool, Workflow
from engine.errors import PermanentModelError, TransientModelError
from engine.ports import Clock

BACKOFF_BASE = 1.0
BACKOFF_CAP = 60.0

Report = Callable[[ev.Event], Awaitable[None]]


async def call_model(
    run: Run, workflow: Workflow, effect: CallModel, model: ModelClient, clock: Clock
) -> ev.Event:
    """What came of asking the model once."""
    request = ModelRequest(run.id, effect.turn, effect.attempt, run.messages, workflow.tools)
    try:
        return _replied(run, effect.turn, await model.complete(request))
    except TransientModelError as error:
        wait = timedelta(seconds=_wait(effect.attempt, error.retry_after))
        return ev.ModelFailed(
            error=clean_text(str(error)), attempt=effect.attempt, retry_at=clock.now() + wait
        )
    except PermanentModelError as error:
        return ev.RunAborted(reason=clean_text(str(error)), found=found_so_far(run))


def _wait(attempt: int, retry_after: float | None) -> float:
    """Seconds before the next try: as the other side asks, else back-off with full jitter."""
    if retry_after is not None:
        return max(0.0, retry_after)
    import random

    return random.uniform(0, min(BACKOFF_CAP, BACKOFF_BASE * 2 ** (attempt - 1)))  # noqa: S311 # jitter is no secret


def _replied(run: Run, turn: int, reply: ModelReply) -> ev.Event:
    """The event that a reply is. A cut or filtered one is never acted on."""
    message = Message.model_validate(clean_value(reply.message.model_dump(exclude_unset=True)))
    if reply.finish_reason in ("length", "content_filter"):
        why = {"length": "at its length limit", "content_filter": "by a content filter"}
        reason = f"the model's reply was cut off {why[reply.finish_reason]}"
        return ev.RunAborted(
            reason=reason, limit=reply.finish_reason, found=message.content or found_so_far(run)
        )
    if message.tool_calls:
        ids = tuple(f"call_{turn}_{place}" for place, _ in enumerate(message.tool_calls, 1))
        message = message.with_call_ids(ids)
        return ev.ToolsRequested(
            message=message, usage=reply.usage, model=reply.model, request_id=reply.request_id
        )
    if not message.content:
        raise TransientModelError("the model's reply was empty")
    return ev.ModelAnswered(
        message=message, usage=reply.usage, model=reply.model, request_id=reply.request_id
    )


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
        return ev.ToolReturned(call_id=intent.call_id, content=clean_text(_text(value)))
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return ev.ToolFailed(call_id=intent.call_id, error=f"{tool.name} cancelled itself")
    except (Exception, SystemExit) as error:  # noqa: BLE001 # whatever a tool raises is for the model to read
        return ev.ToolFailed(call_id=intent.call_id, error=_words(error))


def _words(error: BaseException) -> str:
    """What an exception says, even one that cannot say it."""
    try:
        return clean_text(f"{type(error).__name__}: {error}")
    except Exception:  # noqa: BLE001 # a tool's own __str__ may do anything
        return type(error).__name__


async def _run(tool: Tool, arguments: dict[str, object]) -> object:
    if inspect.iscoroutinefunction(tool.function):
        return await tool.function(**arguments)
    value = await asyncio.to_thread(_in_thread, tool, arguments)
    return await value if inspect.isawaitable(value) else value


def _in_thread(tool: Tool, arguments: dict[str, object]) -> object:
    """Call the function; a StopIteration or SystemExit would never leave its thread as itself."""
    try:
        return tool.function(**arguments)
    except (StopIteration, SystemExit) as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def _text(value: object) -> str:
    """A tool's value as the model reads it: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError("a tool returns text or JSON values, not bytes")
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    plain = TypeAdapter(object).dump_python(value, mode="json")
    return orjson.dumps(plain).decode()
