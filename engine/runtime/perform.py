"""Asking the model for the next message. What comes back is an event, never an exception."""

from collections.abc import Callable, Mapping
from datetime import datetime

import orjson

from engine.codec.events import encode_event
from engine.core import effects
from engine.core import events as ev
from engine.core.clean import clean_text, clean_value, error_words
from engine.core.found import found_so_far
from engine.core.memory import LONGEST
from engine.core.messages import Message, Usage
from engine.core.recap import recap_of
from engine.core.request import recap_request
from engine.core.run import Run
from engine.core.sizes import tokens_in
from engine.core.summing_up import cut, summary_request
from engine.core.workflow import ModelReply, ModelRequest, OnDelta
from engine.errors import (
    ContextOverflowError,
    ModelError,
    PermanentModelError,
    TransientModelError,
)
from engine.ports import Clock
from engine.prices import Prices
from engine.rates.turns import Turn
from engine.replies import reply_of
from engine.runtime.backoff import retry_at

_MOST_TOLD = 10**12  # tokens of one reply; no endpoint that counts has more
_Reading = Callable[[ModelReply, Message, Mapping[str, object]], ev.Event]


async def call_model(  # noqa: PLR0913 # what a call takes
    run: Run,
    request: ModelRequest,
    turn: Turn,
    clock: Clock,
    prices: Prices,
    *,
    hear: OnDelta | None = None,
) -> ev.Event:
    """What came of asking the model once, in our turn.

    `hear` is told the text as it comes, where the model can tell it so.
    """

    def read(reply: ModelReply, message: Message, took: Mapping[str, object]) -> ev.Event:
        if reply.finish_reason == "length":
            return _cut(request, message, took, clock)
        return _read(run, request.turn, reply, message, took)

    return await _tried(run, request, read, (turn, clock, prices), hear)


async def sum_up(
    run: Run, effect: effects.SumUp, turn: Turn, clock: Clock, prices: Prices
) -> ev.Event:
    """What came of asking the model once for a summary of what it is not to be sent any more."""
    request = summary_request(run, effect)

    def read(reply: ModelReply, message: Message, took: Mapping[str, object]) -> ev.Event:
        del reply
        return _summed_up(effect, message, took)

    return await _tried(run, request, read, (turn, clock, prices))


async def recap(
    run: Run, effect: effects.Recap, turn: Turn, clock: Clock, prices: Prices
) -> ev.RunSummarised:
    """The run, summed up by the model; by the engine itself where that came to nothing."""

    def read(reply: ModelReply, message: Message, took: Mapping[str, object]) -> ev.Event:
        del reply
        words = (message.content or "").strip()[:LONGEST] or recap_of(run)
        return ev.RunSummarised.model_validate({**took, "words": words, "by_model": True})

    by = (turn, clock, prices)
    try:
        event = await _tried(run, recap_request(run, effect), read, by)
    except ModelError:
        event = None
    if isinstance(event, ev.RunSummarised):
        return event
    return ev.RunSummarised(words=recap_of(run), by_model=True)


async def _tried(
    run: Run,
    request: ModelRequest,
    read: _Reading,
    by: tuple[Turn, Clock, Prices],
    hear: OnDelta | None = None,
) -> ev.Event:
    turn, clock, prices = by
    began, took = clock.now(), dict[str, object]()
    try:
        reply = await reply_of(turn.model, request, hear)
        usage = _told(reply)
        took = _took(reply, usage, prices)
        turn.settle(usage.total_tokens)
        return _replied(reply, {**took, **_seconds(began, clock)}, read)
    except ContextOverflowError as error:
        now = clock.now()
        return _failed(request, error, now, {"overflow": True, **_seconds(began, clock)})
    except TransientModelError as error:
        again = retry_at(clock.now(), request.attempt, error.retry_after)
        if error.retry_after is not None:
            turn.hold(again)
        return _failed(request, error, again, {**took, **_seconds(began, clock)})
    except PermanentModelError as error:
        return ev.RunAborted(reason=clean_text(str(error)), found=found_so_far(run))


def _failed(
    request: ModelRequest, error: ModelError, again: datetime, more: Mapping[str, object]
) -> ev.ModelFailed:
    """The try that came to nothing, with what it took all the same, where that can be kept."""
    bare = ev.ModelFailed(error=clean_text(str(error)), attempt=request.attempt, retry_at=again)
    try:
        whole = ev.ModelFailed.model_validate({**dict(bare), **more})
        encode_event(whole)
    except (ValueError, TypeError):
        return bare
    return whole


def _took(reply: ModelReply, usage: Usage, prices: Prices) -> dict[str, object]:
    name = reply.model if isinstance(reply.model, str) else None  # an endpoint may say anything
    return {
        "usage": usage,
        "model": clean_value(reply.model),
        "cost": prices.cost(name, usage) if usage == reply.usage else None,
        "window": prices.window(name),
    }


def _told(reply: ModelReply) -> Usage:
    return Usage(**{kind: min(max(0, told), _MOST_TOLD) for kind, told in reply.usage})


def _seconds(began: datetime, clock: Clock) -> dict[str, object]:
    return {"seconds": max(0.0, (clock.now() - began).total_seconds()) or None}


def _replied(reply: ModelReply, took: Mapping[str, object], read: _Reading) -> ev.Event:
    """The event that a reply is, sure to fit the journal; TransientModelError where it cannot."""
    try:
        message = Message.model_validate(clean_value(reply.message.model_dump(exclude_unset=True)))
        if message.role != "assistant":
            raise TransientModelError("the model's reply is no assistant message")
        event = read(reply, message, took)
        if _is_extended(message):
            orjson.dumps([[event.model_dump(mode="json")]])  # as deep as it stands in a log line
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise TransientModelError(
            f"the model's reply cannot be kept: {error_words(error)}"
        ) from error
    return event


def _is_extended(message: Message) -> bool:
    """Whether there is more in it than the fields that we know, which always can be kept."""
    calls = message.tool_calls
    return any(one.model_extra for one in (message, *calls, *(call.function for call in calls)))


def _cut(
    request: ModelRequest, message: Message, took: Mapping[str, object], clock: Clock
) -> ev.Event:
    """The try of which only a part came; that is kept, and never acted on."""
    failed = {
        "error": "the model's reply was cut off at its length limit",
        "attempt": request.attempt,
        "retry_at": clock.now(),
        "found": message.content or None,
    }
    return ev.ModelFailed.model_validate({**failed, **took, "overflow": True, "cut": True})


def _summed_up(effect: effects.SumUp, message: Message, took: Mapping[str, object]) -> ev.Event:
    if not message.content:
        raise TransientModelError("the model gave no summary")
    summary = cut(message.content, effect.longest)
    more = tokens_in((Message(role="user", content=summary),))
    return ev.ContextCompacted.model_validate(
        {
            "strategies": effect.strategies,
            "start": effect.start,
            "noted": effect.noted,
            "seen": effect.seen,
            "before": effect.before,
            "tokens": effect.tokens + more,
            "summary": summary,
            **took,
        }
    )


def _read(
    run: Run, turn: int, reply: ModelReply, message: Message, took: Mapping[str, object]
) -> ev.Event:
    """The event that a whole reply is. A filtered one is never acted on."""
    if reply.finish_reason == "content_filter":
        reason = "the model's reply was cut off by a content filter"
        found = message.content or found_so_far(run)
        ends = {"reason": reason, "limit": reply.finish_reason, "found": found}
        return ev.RunAborted.model_validate({**ends, **took})
    said = {**took, "request_id": clean_value(reply.request_id)}
    if message.tool_calls:
        ids = tuple(f"call_{turn}_{place}" for place, _ in enumerate(message.tool_calls, 1))
        return ev.ToolsRequested.model_validate({"message": message.with_call_ids(ids), **said})
    if not message.content:
        raise TransientModelError("the model's reply was empty")
    return ev.ModelAnswered.model_validate({"message": message, **said})
