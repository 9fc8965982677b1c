"""A help desk that remembers its customers."""

import asyncio
import json
from typing import Any

from engine import Engine, Fact, Memory, Run, ScriptedModel, State, Workflow
from engine.core.evolve import KNOWN
from tests.clock import Jumping
from tests.runtime.test_engine import OK, SQLITE, calls

TEA = ("remember", {"fact": "She likes green tea", "kind": "preference"})
RECALL = ("recall", {"query": "What tea?"})
FACTS_ONLY = Memory(summaries=False, known=0)


def desk(memory: Memory = FACTS_ONLY, **more: Any) -> Workflow:
    return Workflow(name="desk", instructions="Help.", memory=memory, **more)


def engine(
    *replies: Any, memory: Memory = FACTS_ONLY, store: Any = SQLITE, **more: Any
) -> Engine:  # as Engine has them
    model = ScriptedModel([*replies, OK])
    return Engine(store=store, workflows=[desk(memory)], model=model, clock=Jumping(), **more)


async def told(
    *asked: tuple[str, dict[str, Any]],
    customer: str | None = "chloe",
    run_id: str = "r1",
    **more: Any,
) -> list[str]:
    """What the tools gave, in a run of that customer."""
    async with engine(calls(*asked), **more) as waystation:
        run = await waystation.start("desk", "Hello", run_id, customer=customer)
        assert run.state is State.Done
        return [one.content or "" for one in run.messages if one.role == "tool"]


async def kept(customer: str | None = None, **more: Any) -> list[Fact]:
    async with engine(**more) as waystation:
        return await waystation.memory(customer)


def notes(result: str) -> list[str]:
    """The texts that recall gave."""
    return [one["text"] for one in json.loads(result)["notes"]]


def known(run: Run) -> str | None:
    """What the model was told when the run began."""
    begun = [one.content or "" for one in run.messages if (one.content or "").startswith(KNOWN)]
    return begun[0].removeprefix(KNOWN) if begun else None


def kinds(journal: Any) -> list[str]:
    return [one.event.kind for one in journal]


def only(kind: type[Any], journal: Any) -> Any:
    """The one event of that kind."""
    (found,) = [one.event for one in journal if isinstance(one.event, kind)]
    return found


async def heard(waystation: Engine, text: str) -> "asyncio.Task[Run]":
    """The run r1, while it is driven, has got a message; the task ends when it has ended."""
    sending = asyncio.create_task(waystation.send("r1", text))
    while "message_received" not in kinds(await waystation.journal("r1")):  # noqa: ASYNC110 # it is stored then
        await asyncio.sleep(0)
    return sending
