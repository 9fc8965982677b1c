"""What a turn of a long conversation costs us in CPU, through the real SDK over a socket.

`python -m tests.bench.sdk`: beside a plain loop that gives the SDK the same messages, and one
that gives it none. The server is in a process of its own.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from statistics import median
from typing import Any

from openai import AsyncOpenAI

from engine import Message, ModelRequest, OpenAIModel
from engine.core.messages import FunctionCall, ToolCall
from tests.bench.measure import Outcome, Ratio, show
from tests.bench.work import RESULT, arguments, look, said
from tests.models.server import completion, serving

TURNS = (10, 50, 200)
ROUNDS = 15
MOST = 10.0  # milliseconds


def history(turns: int) -> tuple[Message, ...]:
    """The messages of so many turns, each with one call."""
    messages = [Message(role="system", content="Help."), Message(role="user", content="Hello")]
    for turn in range(1, turns + 1):
        function = FunctionCall(name="look", arguments=arguments(turn))
        call = ToolCall(id=f"call_{turn}_1", function=function)
        messages.append(Message(role="assistant", tool_calls=(call,)))
        messages.append(Message(role="tool", tool_call_id=call.id, content=said(turn, RESULT)))
    return tuple(messages)


def _serve(told: Connection) -> None:
    with serving(completion({"content": "Done."})) as server:
        told.send(server.url)
        told.recv()


@contextmanager
def elsewhere() -> Iterator[str]:
    """The address of a model in another process."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    child = spawn.Process(target=_serve, args=(there,))
    child.start()
    try:
        yield here.recv()
    finally:
        here.send(None)
        child.join()


async def _timed(url: str, turns: int) -> dict[str, float]:
    """Milliseconds of CPU a call, ours and a plain loop's, in turn."""
    messages = history(turns)
    model = OpenAIModel("test-model", api_key="sk-test", base_url=url)
    plain: list[Any] = [
        json.loads(one.model_dump_json(exclude_none=True, exclude_defaults=True))
        | {"role": one.role}
        for one in messages
    ]
    async with AsyncOpenAI(api_key="sk-test", base_url=url, max_retries=0) as client:

        async def ours() -> None:
            await model.complete(ModelRequest("r", turns + 1, 1, messages, (look,)))

        async def walked() -> None:
            await client.chat.completions.create(model="test-model", messages=plain)

        parts = {"ours": ours, "plain loop": walked}
        taken: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(ROUNDS + 1):
            for name, part in parts.items():
                began = time.process_time()
                await part()
                taken[name].append((time.process_time() - began) * 1e3)
    await model.aclose()
    return {name: median(times[1:]) for name, times in taken.items()}


def measure() -> Outcome:
    """CPU a turn at each length."""
    with elsewhere() as url:
        found = {turns: asyncio.run(_timed(url, turns)) for turns in TURNS}
    rows = [{"turns": turns, **times} for turns, times in found.items()]
    return Outcome(
        "A turn through the SDK: milliseconds of CPU",
        rows,
        (Ratio("milliseconds at 200 turns", found[200]["ours"], MOST),),
    )


if __name__ == "__main__":
    show(measure())
