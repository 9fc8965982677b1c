"""The workflow whose runs are kept as golden journals. What it declares must not change any more.

A new kind of event needs new runs, in a new folder; the old folders stay as they are.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from engine import Message, ModelReply, ModelRequest, Tool, Workflow, tool

INSTRUCTIONS = "Help people at the market."


class Market:
    """What its tools do next, and its model says next; by itself all goes well."""

    name = "meter"  # of the model, for those who ask what it costs

    def __init__(self) -> None:
        self.faults = deque[Exception]()
        self.look_ups = deque[Any]()
        self.sayings: dict[str, deque[Any]] = {}

    def act(self, order: str) -> str:
        if self.faults:
            raise self.faults.popleft()
        return f"done for {order}"

    def look_up(self, key: str, arguments: Mapping[str, Any]) -> str | None:
        found = self.look_ups.popleft() if self.look_ups else None
        if isinstance(found, Exception):
            raise found
        return found and f"{found} for {arguments['order']} under {key[:4]}"

    def says(self, run_id: str, sayings: Iterable[Any]) -> str:
        self.sayings[run_id] = deque(sayings)
        return run_id

    async def complete(self, request: ModelRequest) -> ModelReply:
        said = self.sayings.get(request.run_id)
        saying = said.popleft() if said else {"content": "ok"}
        if callable(saying):  # something happens meanwhile
            saying = await saying()
        if isinstance(saying, Exception):
            raise saying
        if isinstance(saying, ModelReply):
            return saying
        return ModelReply(Message.model_validate({"role": "assistant", **saying}))

    def workflow(self, *, changed: bool = False) -> Workflow:
        """The workflow; `changed`, one of its tools has another schema."""
        pay = self._changed_pay() if changed else self._pay()
        return Workflow(
            name="market", instructions=INSTRUCTIONS, tools=(pay, *self._tools()), model=self
        )

    def _pay(self) -> Tool:
        @tool
        def pay(order: str, amount: float = 5.0) -> str:
            """Pay for an order."""
            return f"{self.act(order)}: {amount}"

        return pay

    def _changed_pay(self) -> Tool:
        @tool
        def pay(order: str, amount: float = 5.0, currency: str = "EUR") -> str:
            """Pay for an order."""
            return f"{self.act(order)}: {amount} {currency}"

        return pay

    def _tools(self) -> tuple[Tool, ...]:
        @tool(read_only=True)
        def look(order: str) -> str:
            """Look an order up."""
            return self.act(order)

        @tool(approval="never")
        def send(order: str) -> str:
            """Send an order."""
            return self.act(order)

        @tool(approval="never", idempotent=True)
        def note(order: str) -> str:
            """Note an order down."""
            return self.act(order)

        @tool(approval="never", reconcile=self.look_up)
        def book(order: str) -> str:
            """Book an order."""
            return self.act(order)

        return (look, send, note, book)
