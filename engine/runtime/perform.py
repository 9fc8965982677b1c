"""The only call to a model. What comes back is an event, never an exception of its own."""

import logging
from collections.abc import Mapping

import orjson

from engine.codec.events import encode_event
from engine.core import events as ev
from engine.core.clean import clean_text, clean_value, error_words
from engine.core.found import found_so_far
from engine.core.memory import LONGEST
from engine.core.messages import Message
from engine.core.run import Run
from engine.core.summing import sum_up
from engine.core.workflow import ModelClient, ModelReply, ModelRequest
from engine.errors import EngineError, ModelError, PermanentModelError, TransientModelError
from engine.ports import Clock
from engine.prices import Prices
from engine.runtime.backoff import retry_at

_LOG = logging.getLogger("waystation")


async def call_model(
    run: Run, request: ModelRequest, model: ModelClient, clock: Clock, prices: Prices
) -> ev.Event:
    """What came of asking the model once."""
    began = clock.now()
    try:
        reply = await _ask(model, request)
        seconds = max(0.0, (clock.now() - began).total_seconds())
        cost = prices.cost(reply.model, reply.usage)
        return _replied(run, request.turn, reply, {"cost": cost, "seconds": seconds or None})
    except TransientModelError as error:
        return ev.ModelFailed(
            error=clean_text(str(error)),
            attempt=request.attempt,
            retry_at=retry_at(clock.now(), request.attempt, error.retry_after),
        )
    except PermanentModelError as error:
        return ev.RunAborted(reason=clean_text(str(error)), found=found_so_far(run))


async def summarise(
    run: Run, request: ModelRequest, model: ModelClient, clock: Clock, prices: Prices
) -> ev.RunSummarised:
    """The run, summed up by the model; by the engine itself where that came to nothing."""
    began = clock.now()
    try:
        reply = await _ask(model, request)
        words = clean_text(reply.message.content or "").strip()[:LONGEST]
        took = {"usage": reply.usage, "model": clean_value(reply.model)}
        event = ev.RunSummarised.model_validate(
            {
                **took,
                "words": words or sum_up(run),
                "by_model": True,
                "cost": prices.cost(reply.model, reply.usage),
                "seconds": max(0.0, (clock.now() - began).total_seconds()) or None,
            }
        )
        encode_event(event)
    except (ModelError, ValueError, TypeError, LookupError, RecursionError) as error:
        _LOG.warning("run %s was not summed up by the model: %s", run.id, error_words(error))
        return ev.RunSummarised(words=sum_up(run), by_model=True)
    return event


async def _ask(model: ModelClient, request: ModelRequest) -> ModelReply:
    try:
        return await model.complete(request)
    except EngineError:
        raise
    except Exception as error:
        raise ModelError(f"the model client failed: {error_words(error)}") from error


def _replied(run: Run, turn: int, reply: ModelReply, took: Mapping[str, object]) -> ev.Event:
    """The event that a reply is, sure to fit the journal; TransientModelError where it cannot."""
    try:
        event = _read(run, turn, reply, took)
        orjson.dumps([[event.model_dump(mode="json")]])  # as deep as it stands in a log line
        encode_event(event)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise TransientModelError(
            f"the model's reply cannot be kept: {error_words(error)}"
        ) from error
    return event


def _read(run: Run, turn: int, reply: ModelReply, took: Mapping[str, object]) -> ev.Event:
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
        **took,
    }
    if message.tool_calls:
        ids = tuple(f"call_{turn}_{place}" for place, _ in enumerate(message.tool_calls, 1))
        return ev.ToolsRequested.model_validate({"message": message.with_call_ids(ids), **said})
    if not message.content:
        raise TransientModelError("the model's reply was empty")
    return ev.ModelAnswered.model_validate({"message": message, **said})
