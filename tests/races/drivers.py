"""What the processes of these tests drive: small workflows on one SQLite file."""

import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

from engine import ConflictError, Engine, ScriptedModel, Tool, ToolContext, Workflow, tool
from engine.ports import Append, Lease
from engine.runtime import lease as leases
from engine.stores.sqlite import SqliteStore
from tests.races import shop

FILE = "runs.db"
LOG = "log.jsonl"
WORKFLOW = "shop"

At = Callable[[str, tuple[str, ...]], None]


@tool(approval="never")
async def pay(context: ToolContext) -> str:
    """Pay, which must not happen twice."""
    shop.buy(context)
    return "paid"


@tool
async def refund(context: ToolContext) -> str:
    """Pay back, which a person has to allow."""
    shop.buy(context)
    return "refunded"


@tool(approval="never", idempotent=True)
async def charge(context: ToolContext) -> str:
    """Pay under a key that the shop remembers."""
    shop.buy_once(context)
    return "charged"


SCRIPTS: dict[str, tuple[tuple[str, ...], ...]] = {
    "pays": (("pay",),),
    "one by one": (("pay",), ("charge",)),
    "at once": (("pay", "pay"),),
    "refund": (("refund",),),
}


def asks(names: tuple[str, ...]) -> dict[str, Any]:
    """The model asks for these tools at once."""
    function = [{"name": name, "arguments": json.dumps({})} for name in names]
    asked = [{"id": "x", "type": "function", "function": one} for one in function]
    return {"content": None, "tool_calls": asked}


def scripted(*turns: tuple[str, ...]) -> ScriptedModel:
    """A model that asks for these tools, turn by turn, and then answers."""
    return ScriptedModel([*map(asks, turns), {"content": "ok"}])


def workflow(*more: Tool, turns: tuple[tuple[str, ...], ...]) -> Workflow:
    tools = (*more, pay, refund, charge)
    return Workflow(name=WORKFLOW, instructions="Help.", tools=tools, model=scripted(*turns))


class HookedStore(SqliteStore):
    """The SQLite store, with something to do before and after what it writes.

    `lost` counts how often somebody else was faster. One that is not `fenced` takes
    what a driver appends whoever has the lease, as long as the seq fits.
    """

    def __init__(self, at: At | None = None, *, fenced: bool = True) -> None:
        super().__init__(FILE)
        self._at: At = at or (lambda _point, _kinds: None)
        self._fenced = fenced
        self.lost: Counter[str] = Counter()

    async def append(self, addition: Append) -> None:
        kinds = tuple(entry.kind for entry in addition.entries)
        self._at("before append", kinds)
        if not self._fenced:
            addition = await self._under_the_lease_of_now(addition)
        try:
            await super().append(addition)
        except ConflictError:
            self.lost["append"] += 1
            raise
        self._at("after append", kinds)

    async def _under_the_lease_of_now(self, addition: Append) -> Append:
        now = await self.head(addition.head.run_id)
        return replace(addition, head=replace(addition.head, lease=now.lease)) if now else addition

    async def claim(self, run_id: str, seen: Lease, lease: Lease) -> bool:
        self._at("before claim", ())
        won = await super().claim(run_id, seen, lease)
        self.lost["claim"] += not won
        self._at("after claim", ())
        return won

    async def release(self, run_id: str, lease: Lease, *, moved: bool) -> None:
        self._at("before release", ())
        await super().release(run_id, lease, moved=moved)
        self._at("after release", ())


@asynccontextmanager
async def opened(
    script: str | Workflow = "pays", store: SqliteStore | None = None, **more: Any
) -> AsyncIterator[Engine]:
    """An engine on this folder's store, which is closed with it."""
    store = store or SqliteStore(FILE)
    declared = script if isinstance(script, Workflow) else workflow(turns=SCRIPTS[script])
    try:
        async with Engine(store=store, workflows=[declared], **more) as engine:
            yield engine
    finally:
        await store.close()


async def submit(number: int, script: str | Workflow = "pays") -> list[str]:
    """The ids of so many new runs, which nobody drives yet."""
    names = [f"r{place}" for place in range(1, number + 1)]
    async with opened(script) as engine:
        for name in names:
            await engine.submit(WORKFLOW, "Hello", run_id=name)
    return names


def short_leases(ttl: float, renewal: float) -> None:
    """Nothing; the leases of this process last `ttl` seconds from now on."""
    leases.TTL, leases.RENEWAL, leases.POLL = ttl, renewal, ttl / 10


class Heard(logging.Handler):
    """What the engine complained of."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


@contextmanager
def complaints() -> Iterator[list[str]]:
    """What the engine complains of meanwhile."""
    heard, logger = Heard(), logging.getLogger("waystation")
    logger.addHandler(heard)
    try:
        yield heard.words
    finally:
        logger.removeHandler(heard)
