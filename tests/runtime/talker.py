"""A model that says its replies piece by piece, and waits where a test wants it to."""

import asyncio
from collections.abc import Sequence
from typing import Any

from engine import ModelReply, ModelRequest, ScriptedModel
from engine.core.workflow import OnDelta


class Talker:
    """Streams what a script says, letter by letter; before each piece in `stops` it waits."""

    def __init__(self, replies: Sequence[Any], *, size: int = 1) -> None:
        self._script, self._size = ScriptedModel(replies), size
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.streamed = 0

    async def complete(self, request: ModelRequest) -> ModelReply:
        return await self._script.complete(request)

    async def stream(self, request: ModelRequest, on_delta: OnDelta) -> ModelReply:
        self.streamed += 1
        reply = await self._script.complete(request)
        text = reply.message.content or ""
        for start in range(0, len(text), self._size):
            on_delta(text[start : start + self._size])
            await asyncio.sleep(0)
            await self.go_on.wait()
        return reply
