"""A shop whose model does what models do wrong, and the endpoint that says it."""

import threading
from pathlib import Path
from typing import Any

from engine import Engine, OpenAIModel, Workflow, tool
from tests.clock import Jumping
from tests.models.server import ProtocolServer, Reply, completion
from tests.races.processes import PATIENCE, Wire

STORE = "sqlite:///runs.db"
RUN = "r1"
DONE = Path("done.txt")  # what the tools did, a line each


def did(what: str) -> str:
    with DONE.open("a") as file:
        file.write(f"{what}\n")
    return what


def done() -> list[str]:
    return DONE.read_text().splitlines() if DONE.exists() else []


@tool(read_only=True)
def look_up_order(order: str, days: int = 30) -> str:
    """Look an order up."""
    return did(f"order {order} of {days} days")


@tool(read_only=True)
def list_orders() -> str:
    """List all orders."""
    return did("orders 1 and 2")


@tool
def refund(order: str) -> str:
    """Pay an order back."""
    return did(f"refunded {order}")


SHOP = Workflow(name="shop", instructions="Help.", tools=(look_up_order, list_orders, refund))

Call = tuple[str, str]  # a tool and the arguments, as the model writes them
LOOK: Call = ("look_up_order", '{"order": "1"}')
LIST: Call = ("list_orders", "{}")


class Wrong(ProtocolServer):
    """A model that makes these calls, a turn each, and then answers; without an end, for ever.

    Its request number `hangs_at` is not answered before it is told to.
    """

    def __init__(self, *calls: Call, for_ever: bool = False, hangs_at: int = 0) -> None:
        super().__init__([])
        self._calls, self._for_ever, self.hangs_at = calls, for_ever, hangs_at
        self.hung, self.let_go = threading.Event(), threading.Event()

    def answer(self, request: dict[str, Any]) -> Reply:
        self.requests.append(request)
        if len(self.requests) == self.hangs_at:
            self.hung.set()
            self.let_go.wait(PATIENCE)
        said = sum(message["role"] == "assistant" for message in request["messages"])
        if said >= len(self._calls) and not self._for_ever:
            return completion({"content": "All done."})
        name, arguments = self._calls[said % len(self._calls)]
        asked = {"id": "x", "type": "function", "function": {"name": name, "arguments": arguments}}
        return completion({"content": None, "tool_calls": [asked]}, "tool_calls")

    @property
    def told(self) -> list[str]:
        """What the model was last told by its tools and by the engine."""
        last = self.requests[-1]["messages"]
        return [one["content"] for one in last[2:] if one["role"] != "assistant"]

    def handle_error(self, *_: Any) -> None:
        """Nothing: whoever was killed does not read its answer."""


def engine_at(url: str) -> Engine:
    model = OpenAIModel("m", api_key="sk-test", base_url=url, timeout=30)
    return Engine(store=STORE, workflows=[SHOP], model=model, clock=Jumping())


async def begin(_: Wire, url: str) -> None:
    """Start the run; the process is killed in the midst of it."""
    async with engine_at(url) as engine:
        await engine.start("shop", "Hello", RUN)
