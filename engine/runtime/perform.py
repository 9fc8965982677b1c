"""Asking the model for the next message. What comes back is an event, never an exception."""

import orjson

from engine.codec.events import encode_event
from engine.core import events as ev
from engine.core.clean import clean_text, clean_value, error_words
from engine.core.effects import CallModel
from engine.core.found import found_so_far
from engine.core.messages import Message
from engine.core.run import Run
from engine.core.workflow import ModelClient, ModelReply, ModelRequest, Workflow
from engine.errors import PermanentModelError, TransientModelError
from engine.ports import Clock
from engine.replies import reply_of
from engine.runtime.backoff import retry_at


async def call_model(
    run: Run, workflow: Workflow, effect: CallModel, model: ModelClient, clock: Clock
) -> ev.Event:
    """What came of asking the model once."""
    request = ModelRequest(run.id, effect.turn, effect.attempt, run.messages, workflow.tools)
    try:
        return _replied(run, effect.turn, await reply_of(model, request))
    except TransientModelError as error:
        return ev.ModelFailed(
            error=clean_text(str(error)),
            attempt=effect.attempt,
            retry_at=retry_at(clock.now(), effect.attempt, error.retry_after),
        )
    except PermanentModelError as error:
        return ev.RunAborted(reason=clean_text(str(error)), found=found_so_far(run))


def _replied(run: Run, turn: int, reply: ModelReply) -> ev.Event:
    """The event that a reply is, sure to fit the journal; TransientModelError where it cannot."""
    try:
        event = _read(run, turn, reply)
        orjson.dumps([[event.model_dump(mode="json")]])  # as deep as it stands in a log line
        encode_event(event)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise TransientModelError(
            f"the model's reply cannot be kept: {error_words(error)}"
        ) from error
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
