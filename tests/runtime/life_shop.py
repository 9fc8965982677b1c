"""A shop outside the engine, with a tool of every kind, and a model that says what it is told."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, TypeVar

from engine import (
    ApprovalPolicy,
    Escalation,
    Message,
    ModelReply,
    ModelRequest,
    NotExecuted,
    PermanentModelError,
    Tool,
    ToolContext,
    TransientModelError,
    Workflow,
    tool,
)
from engine.codec.events import decode_event
from engine.core import events as ev
from engine.core.demand import Demand
from engine.ports import Entry, Store
from tests.runtime.life_ledger import is_told_in_order

_T = TypeVar("_T")
MOST_STEPS = 3000  # of the store, before time must pass
Deed = Literal[
    "returns", "raises", "not executed", "times out", "is reset", "hangs", "hangs, having acted"
]
DEEDS: tuple[Deed, ...] = (
    "returns",
    "raises",
    "not executed",
    "times out",
    "is reset",
    "hangs",
    "hangs, having acted",
)
Reply = tuple[str, ...] | Literal["answers", "fails", "refuses", "hangs"]

_HINTS: Mapping[str, dict[str, Any]] = {
    "look": {"read_only": True},
    "note": {"approval": "never", "idempotent": True},
    "ping": {"approval": "never", "idempotent": True, "key_ttl": 60.0},
    "book": {"approval": "never"},
    "fire": {"approval": "never"},
    "pay": {},
    "gift": {"idempotent": True},
    "give": {"approval": ApprovalPolicy(quorum=2)},
    "lend": {"approval": ApprovalPolicy(expires_in=100.0)},
    "rent": {
        "approval": ApprovalPolicy(
            expires_in=50.0,
            on_expiry=Escalation(role="boss", expires_in=70.0, on_expiry="abort"),
        )
    },
    "write": {"approval": "never", "transactional": True},
}
APPROVERS = {"ann": ["boss"], "bob": ["boss"], "cy": ["clerk"]}
KINDS: tuple[str, ...] = tuple(_HINTS)
GATED = frozenset({"pay", "gift", "give", "lend", "rent"})
REPEATABLE = frozenset({"look", "note", "ping", "gift", "write"})
KEY_TTL = 60.0
ERRORS: Mapping[str, Callable[[], Exception]] = {
    "raises": lambda: ValueError("broken"),
    "not executed": lambda: NotExecuted("closed"),
    "times out": lambda: TimeoutError("slow"),
    "is reset": lambda: ConnectionResetError("gone"),
}


class Traffic:
    """What is under way to the store."""

    def __init__(self) -> None:
        self.count, self.steps = 0, 0

    async def pass_on(self, work: Coroutine[Any, Any, _T]) -> _T:
        """What the work gives; nothing is settled while it is under way."""
        self.count += 1
        self.steps += 1
        try:
            return await work
        finally:
            self.count -= 1

    async def settle(self) -> None:
        """Nothing, once nothing moves by itself any more."""
        ready: Any = asyncio.get_running_loop()._ready  # type: ignore[attr-defined] # noqa: SLF001 # nothing public says it
        begun = self.steps
        await asyncio.sleep(0)
        while ready or self.count:
            assert self.steps - begun < MOST_STEPS, "it goes round in circles"
            await asyncio.sleep(0)


class Shop:
    """What happened outside, whoever caused it, and what is wrong with that."""

    def __init__(self, store: Store, traffic: Traffic) -> None:
        self.store, self.traffic = store, traffic
        self.deeds, self.replies = deque[Deed](), deque[Reply]()
        self.deed_in_thread: Deed = "returns"  # a queue would be raced for
        self.effects = set[str]()
        self.shown: dict[str, set[str]] = {}
        self.entered = set[tuple[str, str, int]]()
        self.faults: list[str] = []
        self.hanging: list[asyncio.Event] = []

    def plan(self, replies: Sequence[Reply], deeds: Sequence[Deed]) -> None:
        """What is said and done next; after that everything goes well."""
        self.replies, self.deeds = deque(replies), deque(deeds)
        self.deed_in_thread = deeds[0] if deeds else "returns"

    async def act(self, used: Tool, arguments: dict[str, Any], context: ToolContext) -> str:
        await self._expect(used, arguments, context)
        deed: Deed = self.deeds.popleft() if self.deeds else "returns"
        if deed in ERRORS:
            error = ERRORS[deed]
            raise error()
        if deed == "hangs":
            await self.hang()
        self.effects.add(context.idempotency_key)
        if deed == "hangs, having acted":
            await self.hang()
        return "acted"

    def write(self, order: str, context: ToolContext) -> str:
        """Inside the store's transaction, on its thread."""
        assert context.transaction is not None
        context.transaction.execute("CREATE TABLE IF NOT EXISTS written (key, order_id)")
        context.transaction.execute(
            "INSERT INTO written VALUES (?, ?)", (context.idempotency_key, order)
        )
        if self.deed_in_thread in ERRORS:
            error = ERRORS[self.deed_in_thread]
            raise error()
        return "written"

    async def look_up(self, key: str, arguments: Mapping[str, Any]) -> str | None:
        """What is known here of a key."""
        if self.deeds and self.deeds.popleft() != "returns":
            raise ConnectionResetError(f"nobody answers for {arguments}")
        return "acted" if key in self.effects else None

    async def entries(self, run_id: str) -> Sequence[Entry]:
        return await self.traffic.pass_on(self.store.entries(run_id))

    async def hang(self) -> None:
        released = asyncio.Event()
        self.hanging.append(released)
        try:
            await released.wait()
        finally:
            self.hanging.remove(released)

    async def _expect(self, used: Tool, arguments: dict[str, Any], context: ToolContext) -> None:
        """Note a fault where the journal does not say that exactly this was to begin."""
        place = (context.run_id, context.call_id, context.attempt)
        events = [decode_event(e.kind, e.data) for e in await self.entries(context.run_id)]
        intents = [
            one
            for one in events
            if isinstance(one, ev.ToolStarted)
            and (one.call_id, one.attempt) == (context.call_id, context.attempt)
        ]
        if [(one.tool, one.idempotency_key, one.arguments) for one in intents] != [
            (used.name, context.idempotency_key, arguments)
        ]:
            self.faults.append(f"{place} began without its intent: {intents}")
        if place in self.entered:
            self.faults.append(f"{place} began twice")
        self.entered.add(place)
        if used.name in GATED and not _allowed(used, arguments, intents, events):
            self.faults.append(f"{place} began without a grant for exactly this")


def _allowed(
    used: Tool, arguments: dict[str, Any], intents: list[ev.ToolStarted], events: list[ev.Event]
) -> bool:
    """Whether as many as must have granted exactly this, or somebody made a rule."""
    if rules := [one for one in events if isinstance(one, ev.StickyRuleAdded)]:
        named = {one.approval_id for one in intents}
        if named & {one.rule_id for one in rules}:
            return True
    policy = used.approval
    demand = policy.demand("always", "") if isinstance(policy, ApprovalPolicy) else Demand()
    exactly = used.digest(arguments, demand)
    grants = [one for one in events if isinstance(one, ev.ApprovalGranted)]
    return len({one.by for one in grants if one.digest == exactly}) >= demand.quorum


_REPLIES = {"tools_requested", "model_answered", "answer_superseded"}


class Model:
    """Says what the shop has planned; without a plan it answers."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def complete(self, request: ModelRequest) -> ModelReply:
        kinds = [entry.kind for entry in await self._shop.entries(request.run_id)]
        if not is_told_in_order(request.messages):
            self._shop.faults.append(f"{request.run_id}: the model was told in no order")
        shown = self._shop.shown.setdefault(request.run_id, set())
        shown |= {one.content or "" for one in request.messages if one.role == "user"}
        if request.turn != 1 + sum(kind in _REPLIES for kind in kinds):
            self._shop.faults.append(f"the model was asked for turn {request.turn} of {kinds}")
        reply = self._shop.replies.popleft() if self._shop.replies else "answers"
        match reply:
            case "fails":
                raise TransientModelError("busy")
            case "refuses":
                raise PermanentModelError("no")
            case "hangs":
                await self._shop.hang()
            case tuple():
                return ModelReply(_asks(reply), finish_reason="tool_calls")
        return ModelReply(Message(role="assistant", content="ok"))


def _asks(names: tuple[str, ...]) -> Message:
    calls = [
        {"id": "x", "function": {"name": name, "arguments": json.dumps({"order": str(n)})}}
        for n, name in enumerate(names)
    ]
    return Message.model_validate({"role": "assistant", "tool_calls": calls})


def make_tool(shop: Shop, name: str, version: int) -> Tool:
    """One of the tools; version 2 has another schema."""
    made: list[Tool] = []

    async def first(order: str, context: ToolContext) -> str:
        return await shop.act(made[0], {"order": order}, context)

    async def second(order: str, context: ToolContext, soon: bool = False) -> str:  # noqa: FBT002 # as a tool's parameter
        return await shop.act(made[0], {"order": order, "soon": soon}, context)

    def first_write(order: str, context: ToolContext) -> str:
        return shop.write(order, context)

    def second_write(order: str, context: ToolContext, soon: bool = False) -> str:  # noqa: FBT002 # as above
        return shop.write(order + "!" * soon, context)

    hints = dict(_HINTS[name])
    if name == "book":
        hints["reconcile"] = shop.look_up
    functions = (first_write, second_write) if name == "write" else (first, second)
    made.append(tool(name=name, description="Act.", **hints)(functions[version - 1]))
    return made[0]


def make_workflow(shop: Shop, versions: Mapping[str, int]) -> Workflow:
    """The workflow with these versions of the tools; version 0 is gone."""
    tools = [make_tool(shop, name, version) for name, version in versions.items() if version]
    return Workflow(name="shop", instructions="Help.", tools=tools)
