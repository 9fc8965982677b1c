"""A counter where people approve payments: what was paid, the engines, and what they told."""

import json
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import (
    Engine,
    Limits,
    ModelClient,
    NotAllowedError,
    Notice,
    Notifier,
    ScriptedModel,
    Tool,
    Workflow,
    events,
    tool,
)
from engine.core.policy import Policy
from tests.runtime.test_engine import OK, SQLITE, calls

LOG = "log.jsonl"
BOSSES = {"ann": ["manager"], "bob": ["manager"], "carl": ["clerk"]}


class Till:
    """What was paid, in order; its `tool` pays."""

    def __init__(self) -> None:
        self.paid: list[float] = []

    def tool(self, approval: Policy | None = None, **more: Any) -> Tool:  # as @tool has them
        """The tool that pays, under that policy."""

        @tool(approval=approval, **more)
        def pay(order: str, amount: float = 5.0) -> str:
            """Pay for an order."""
            self.paid.append(amount)
            return f"paid {amount} for {order}"

        return pay


@tool(read_only=True)
def look(order: str) -> str:
    """Look an order up."""
    return f"order {order}"


LOOK = ("look", {"order": "1"})


class Keeping:
    """A notifier that keeps what it is told."""

    name = "keeping"

    def __init__(self) -> None:
        self.told: list[str] = []

    async def notify(self, notice: Notice) -> None:
        self.told.append(notice.model_dump_json())


def pays(*amounts: float) -> dict[str, Any]:
    """The model asks, in one turn, for a payment of each of these amounts."""
    return calls(*(("pay", {"order": "1", "amount": amount}) for amount in amounts))


def desk(
    *replies: Any,
    tools: Sequence[Tool] = (),
    notifiers: Sequence[Notifier] = (),
    redact: Sequence[str] = (),
    model: ModelClient | None = None,
    **more: Any,
) -> Engine:
    """An engine for a shop whose model gives these replies, and then says ok; on one store."""
    workflow = Workflow(
        name="shop",
        instructions="Help.",
        tools=tools,
        notifiers=notifiers,
        redact=redact,
        limits=Limits(max_turns=50),
        model=model or ScriptedModel([*replies, OK]),
    )
    return Engine(store=SQLITE, workflows=[workflow], log=LOG, **more)


async def journal(engine: Engine) -> list[events.Event]:
    """The events of the run r1."""
    return [one.event for one in await engine.journal("r1")]


async def kinds(engine: Engine) -> list[str]:
    """The kinds of the events of the run r1."""
    return [event.kind for event in await journal(engine)]


def log_lines() -> list[dict[str, Any]]:
    """What the log has, line by line."""
    return [json.loads(line) for line in Path(LOG).read_text(encoding="utf-8").splitlines()]


def refusals() -> list[dict[str, Any]]:
    """What the log has of people who were not allowed to decide."""
    return [line for line in log_lines() if line["event"] == "refused"]


async def not_allowed(engine: Engine, deciding: Awaitable[object], match: str) -> None:
    """It is refused, the refusal stands in the log, once, and nothing in the journal."""
    before, told = await engine.journal("r1"), len(refusals())
    with pytest.raises(NotAllowedError, match=match) as caught:
        await deciding
    assert await engine.journal("r1") == before
    (line,) = refusals()[told:]
    assert (line["run_id"], line["data"]["why"]) == ("r1", str(caught.value))
