"""Any endpoint that speaks Chat Completions, through the `openai` SDK.

The SDK costs over a second of CPU to import, so it is imported when a model is
first called. Its own retries are off: the journal holds every try.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from engine.core.messages import Message, Usage
from engine.core.strict import strict_schema
from engine.core.tool import Tool
from engine.core.workflow import ModelReply, ModelRequest, OnDelta
from engine.errors import ContextOverflowError, PermanentModelError, TransientModelError
from engine.models.assembling import Assembly
from engine.models.overflowing import is_overflow
from engine.models.waiting import seconds_to_wait
from engine.rates.limit import RateLimit

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI, AsyncStream
    from openai.types.chat import ChatCompletion, ChatCompletionChunk
    from openai.types.chat.chat_completion import Choice

DEFAULT_MODEL = "gpt-5-mini"

_DEFAULT_ADDRESS = "https://api.openai.com/v1"  # the SDK's own

_MESSAGES = TypeAdapter(tuple[Message, ...])
_PASSING = frozenset({408, 409, 425, 429})
_FOR_GOOD = frozenset({"insufficient_quota"})


class OpenAIModel:
    """A model asked through `openai.AsyncOpenAI`."""

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = 120.0,
        rate: RateLimit | None = None,
    ) -> None:
        """Take the model's name, a deadline in seconds for each call, and what its endpoint takes.

        Key and address default to the environment's OPENAI_API_KEY and OPENAI_BASE_URL.
        """
        self.name, self.rate = model, RateLimit.given(rate)
        self._api_key, self._base_url, self._timeout = api_key, base_url, timeout
        self._client: AsyncOpenAI | None = None

    @property
    def endpoint(self) -> tuple[str, str]:
        """The address and the model's name: what is asked with these shares one limit."""
        address = self._base_url or os.environ.get("OPENAI_BASE_URL") or _DEFAULT_ADDRESS
        return address.rstrip("/"), self.name

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See ModelClient."""
        with _translated(self._timeout):
            async with asyncio.timeout(self._timeout):
                completion = await self._create(request)
        return _reply(completion, getattr(completion, "_request_id", None))

    async def stream(self, request: ModelRequest, on_delta: OnDelta) -> ModelReply:
        """See StreamingModel. An endpoint that does not stream is heard as one that does not."""
        with _translated(self._timeout):
            async with asyncio.timeout(self._timeout):
                stream = await self._create_stream(request)
                async with stream:
                    return await _heard(stream, on_delta)

    async def aclose(self) -> None:
        """Nothing; gives the connections back."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def _create(self, request: ModelRequest) -> "ChatCompletion":
        completion: ChatCompletion = await self._opened().chat.completions.create(
            **self._body(request)
        )
        return completion

    async def _create_stream(self, request: ModelRequest) -> "AsyncStream[ChatCompletionChunk]":
        stream: AsyncStream[ChatCompletionChunk] = await self._opened().chat.completions.create(
            **self._body(request), stream=True, stream_options={"include_usage": True}
        )
        return stream

    def _opened(self) -> "AsyncOpenAI":
        from openai import AsyncOpenAI

        if self._client is None:
            self._client = AsyncOpenAI(
                api_key=self._api_key, base_url=self._base_url, max_retries=0, timeout=self._timeout
            )
        return self._client

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        """What the SDK is given. It takes what is extra as it is.

        All that stands in `messages` or `tools` it walks at every call, which for 200 turns
        takes ten times as long as all the rest; over the wire both are the same.
        """
        whole: dict[str, Any] = {"messages": _wire(request.messages)}
        body: dict[str, Any] = {"model": self.name, "messages": [], "extra_body": whole}
        if request.tools:
            body["tools"], whole["tools"] = [], [_declare(tool) for tool in request.tools]
        return {**body, "extra_headers": {"Idempotency-Key": request.idempotency_key}}


@contextmanager
def _translated(timeout: float) -> Iterator[None]:
    """Whatever the SDK raises as an error of a model's."""
    import openai

    try:
        yield
    except TimeoutError as error:
        raise TransientModelError(f"no reply from the model in {timeout:g} s") from error
    except openai.APIStatusError as error:
        raise _from_status(error) from error
    except openai.APIConnectionError as error:
        raise TransientModelError(
            f"the model cannot be reached: {error.__cause__ or error}"
        ) from error
    except (openai.APIError, json.JSONDecodeError, RecursionError) as error:
        if isinstance(error, openai.APIError) and is_overflow(400, error.code, error.message):
            raise ContextOverflowError(f"the model's endpoint said: {error.message}") from error
        raise TransientModelError(f"the model's reply cannot be read: {error}") from error
    except (openai.OpenAIError, UnicodeError) as error:
        raise PermanentModelError(f"the model cannot be asked: {error}") from error


async def _heard(stream: "AsyncStream[ChatCompletionChunk]", on_delta: OnDelta) -> ModelReply:
    """The reply, put together; one that breaks off is none."""
    from httpx2 import HTTPError
    from openai.types.chat import ChatCompletion

    headers = stream.response.headers
    request_id = headers.get("x-request-id")
    try:
        if "json" in headers.get("content-type", ""):
            whole = json.loads(await stream.response.aread())
        else:
            whole = await _assembled(stream, on_delta)
        return _reply(ChatCompletion.construct(**whole), request_id)
    except (ValueError, TypeError, AttributeError, LookupError, HTTPError) as error:
        raise TransientModelError(f"the model's reply cannot be read: {error}") from error


async def _assembled(
    stream: "AsyncStream[ChatCompletionChunk]", on_delta: OnDelta
) -> dict[str, Any]:
    assembly = Assembly()
    async for chunk in stream:
        if text := assembly.take(_fields(chunk)):
            on_delta(text)
    if assembly.finish_reason is None:
        raise TransientModelError("the model's reply broke off before its end")
    return assembly.completion()


def _fields(chunk: object) -> dict[str, Any]:
    """What a chunk says; ValueError where it is none."""
    from openai import BaseModel

    if not isinstance(chunk, BaseModel):
        raise ValueError("a chunk of it is no object")  # noqa: TRY004 # it was read, not given
    return chunk.to_dict(mode="python", warnings=False)


def _wire(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The messages as Chat Completions takes them, the same whether live or out of a journal."""
    wire = _MESSAGES.dump_python(messages, mode="json", exclude_none=True)
    for message, fields in zip(messages, wire, strict=True):
        fields["content"] = message.content  # null, too
        if not message.tool_calls:
            fields.pop("tool_calls", None)
    return list(wire)


def _declare(tool: Tool) -> dict[str, Any]:
    strict = strict_schema(tool.parameters)
    function: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "parameters": strict or dict(tool.parameters),
        **({"strict": True} if strict else {}),
    }
    return {"type": "function", "function": function}


def _from_status(error: "APIStatusError") -> TransientModelError | PermanentModelError:
    words = f"the model's endpoint answered {error.status_code}: {error.message}"
    passing = error.status_code in _PASSING or error.status_code >= 500  # noqa: PLR2004 # HTTP's own
    if not passing and is_overflow(error.status_code, error.code, error.message):
        return ContextOverflowError(words)
    if not passing or error.code in _FOR_GOOD:
        return PermanentModelError(words)
    return TransientModelError(words, seconds_to_wait(error.response.headers))


def _reply(completion: object, request_id: str | None) -> ModelReply:
    """The reply, validated here: the SDK takes anything that an endpoint sends."""
    from openai.types.chat import ChatCompletion

    if not isinstance(completion, ChatCompletion) or not completion.choices:
        raise TransientModelError("the model's reply has no choices")
    try:
        return _read(completion, completion.choices[0], request_id)
    except (ValueError, AttributeError, TypeError, LookupError, RecursionError) as error:
        raise TransientModelError("the model's reply is no assistant message") from error


def _read(completion: "ChatCompletion", choice: "Choice", request_id: str | None) -> ModelReply:
    fields = _telling(choice.message.to_dict(warnings=False))
    calls = [{**call, "id": ""} for call in _calls(fields)]
    message = Message.model_validate({**fields, "tool_calls": calls, "content": _said(fields)})
    return ModelReply(
        message=message,
        finish_reason=choice.finish_reason or "stop",
        usage=_usage(completion),
        model=completion.model,
        request_id=request_id,
    )


def _telling(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields that say something: which empty ones there are depends on whether it streams."""
    return {name: value for name, value in fields.items() if value is not None and value != []}


def _calls(fields: dict[str, Any]) -> list[dict[str, Any]]:
    return fields.get("tool_calls") or []


def _said(fields: dict[str, Any]) -> Any:  # noqa: ANN401 # Message judges it
    """The text; a refusal is what a model says instead of one."""
    return fields.get("content") or fields.get("refusal")


def _usage(completion: "ChatCompletion") -> Usage:
    usage = completion.usage
    if usage is None:
        return Usage()
    prompt, output = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        input_tokens=usage.prompt_tokens or 0,
        output_tokens=usage.completion_tokens or 0,
        cached_tokens=(prompt and prompt.cached_tokens) or 0,
        reasoning_tokens=(output and output.reasoning_tokens) or 0,
    )
