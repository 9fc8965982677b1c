"""Desks whose runs come to a limit after two turns."""

from typing import Any

from engine import Limits, Notice, ScriptedModel, Workflow, tool
from tests.runtime.test_engine import OK, calls


@tool(read_only=True)
def look(order: str) -> str:
    """Look an order up."""
    return f"order {order}"


class Box:
    """A notifier that keeps what it was told."""

    name = "box"

    def __init__(self) -> None:
        self.told = list[Notice]()

    async def notify(self, notice: Notice) -> None:
        self.told.append(notice)


def _turn(order: str) -> dict[str, Any]:
    return {**calls(("look", {"order": order})), "content": f"Looking {order} up."}


box = Box()
WORKFLOWS = [
    Workflow(
        name=on_limit,
        instructions="Help.",
        tools=(look,),
        limits=Limits(max_turns=2, on_limit=on_limit),
        model=ScriptedModel([_turn("1"), _turn("2"), OK]),
        notifiers=(box,) if on_limit == "ask" else (),
    )
    for on_limit in ("ask", "abort", "answer")
]
