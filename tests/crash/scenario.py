"""The run that is killed over and over: seven calls at once, two of them gated, and an answer.

While it waits, the customer writes again. One gated call is allowed with other arguments,
about the other nobody decides until its deadline. A file is told of each approval.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from engine import (
    Approval,
    ApprovalPolicy,
    Engine,
    Message,
    Notice,
    Run,
    Tool,
    ToolContext,
    UnknownRunError,
    Workflow,
    events,
    tool,
)
from engine.runtime.clock import SystemClock
from tests.crash.points import Points
from tests.crash.shop import Shop

RUN = "r1"
EDITED = {"order": "A2"}
DAY = timedelta(days=1)


class Clock(SystemClock):
    """One that goes on only where somebody waits: the same course writes the same bytes.

    A person may set it on, so that nobody waits for a deadline.
    """

    def __init__(self) -> None:
        self.ahead, self._time = timedelta(), super().now()

    def now(self) -> datetime:
        return self._time + self.ahead

    async def sleep_until(self, at: datetime) -> None:
        await super().sleep_until(at)
        self._time = max(self._time, at - self.ahead)


class World:
    """What the tools of this process act on; a child sets it before anything runs."""

    points: Points
    shop: Shop
    told: Path
    tell: Callable[[str], None]
    clock: Clock


class Told:
    """Somebody who keeps a line for each approval that they are told of."""

    name = "file"

    async def notify(self, notice: Notice) -> None:
        World.points.reach("notify.before")
        with World.told.open("a", encoding="utf-8") as file:  # as a tool's thread would
            file.write(f"{notice.approval.approval_id}\n")
        World.tell(notice.approval.approval_id)
        World.points.reach("notify.after")


@tool(read_only=True)
async def look(order: str) -> str:
    """Look an order up."""
    World.points.reach("effect.look.before")
    said = f"{order} is open"
    World.points.reach("effect.look.after")
    return said


@tool(idempotent=True, approval="never")
async def reserve(order: str, context: ToolContext) -> str:
    """Reserve the goods; the shop knows the key again."""
    return World.shop.do(context.idempotency_key, "reserve", f"reserved for {order}", once=True)


@tool(approval="never")
def charge(order: str, context: ToolContext) -> str:
    """Charge the customer, in a thread, as any plain function."""
    return World.shop.do(context.idempotency_key, "charge", f"charged for {order}")


async def find(key: str, _: object) -> str | None:
    """What came of a shipment."""
    World.points.reach("effect.ship.look-up")
    return World.shop.look(key)


@tool(approval="never", reconcile=find)
async def ship(order: str, context: ToolContext) -> str:
    """Ship the goods; whether it happened can be looked up."""
    return World.shop.do(context.idempotency_key, "ship", f"shipped {order}")


@tool(approval="never", transactional=True)
def book(order: str, context: ToolContext) -> str:
    """Write the order into the books, which lie in the store itself."""
    assert context.transaction is not None
    World.points.reach("effect.book.before")
    context.transaction.execute("CREATE TABLE IF NOT EXISTS books (key TEXT, wanted TEXT)")
    World.points.reach("effect.book.inside")
    values = (context.idempotency_key, order)
    context.transaction.execute("INSERT INTO books VALUES (?, ?)", values)
    World.points.reach("effect.book.after")
    return f"booked {order}"


@tool
async def refund(order: str, context: ToolContext) -> str:
    """Give the money back, which a person must allow."""
    return World.shop.do(context.idempotency_key, "refund", f"refunded {order}")


@tool(approval=ApprovalPolicy(expires_in=DAY.total_seconds()))
async def loan(order: str, context: ToolContext) -> str:
    """Lend the goods, which a person must allow within a day, and nobody does."""
    return World.shop.do(context.idempotency_key, "loan", f"lent {order}")


# One tool for each way in which a call may be repeated, or not.
TOOLS: tuple[Tool, ...] = (look, reserve, charge, ship, book, refund, loan)
WORKFLOW = Workflow(
    name="orders", instructions="See to the order.", tools=TOOLS, notifiers=[Told()]
)

# The same, with a tool that says it may be repeated, although each time it acts anew.
LYING = replace(
    WORKFLOW,
    tools=[replace(one, idempotent=one.idempotent or one is charge) for one in TOOLS],
)
REPLIES = [
    Message.model_validate(
        {
            "role": "assistant",
            "tool_calls": [
                {
                    "id": f"given_{one.name}",
                    "type": "function",
                    "function": {"name": one.name, "arguments": json.dumps({"order": "A1"})},
                }
                for one in TOOLS
            ],
        }
    ),
    Message(role="assistant", content="All is seen to."),
]


async def see_through(engine: Engine, shop: Shop) -> Run:
    """The run, begun or gone on with, and ended, with a person who does what persons do."""
    try:
        run = await engine.resume(RUN)
    except UnknownRunError:
        run = await engine.start("orders", "See to A1", run_id=RUN)
    while run.approvals:
        run = await _say(engine, shop, run)
    return run


async def _say(engine: Engine, shop: Shop, run: Run) -> Run:
    """The run after one more thing was said to it."""
    journal = await engine.journal(RUN)
    if not any(isinstance(one.event, events.MessageReceived) for one in journal):
        return await engine.send(RUN, "Is it done?", by="customer")
    asked = next((one for one in run.approvals if one.tool != loan.name), None)
    if asked is None:
        World.clock.ahead = DAY
        return await engine.resume(RUN)
    if asked.kind != "in_doubt":
        return await engine.approve(RUN, asked.call_id, by="ann", arguments=EDITED)
    return await _say_what_came_of_it(engine, shop, asked)


async def _say_what_came_of_it(engine: Engine, shop: Shop, asked: Approval) -> Run:
    said = shop.look(await _key(engine, asked.call_id))
    if said is None:
        return await engine.approve(RUN, asked.call_id, by="ann", retry=True)
    return await engine.answer(RUN, asked.call_id, by="ann", result=said)


async def _key(engine: Engine, call_id: str) -> str:
    """The key that the call was started under, as a person reads it in the journal."""
    return next(
        recorded.event.idempotency_key
        for recorded in await engine.journal(RUN)
        if isinstance(recorded.event, events.ToolStarted) and recorded.event.call_id == call_id
    )


def store_path(folder: Path) -> Path:
    return folder / "runs.db"


def shop_path(folder: Path) -> Path:
    return folder / "shop.db"


def log_path(folder: Path) -> Path:
    return folder / "log.jsonl"


def told_path(folder: Path) -> Path:
    return folder / "told.txt"
