"""A run that would never end, the endpoint that drives it on, and each limit that ends it."""

import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine import Engine, Limits, OpenAIModel, Price, Run, Workflow, tool
from tests.clock import Jumping
from tests.models.server import ProtocolServer, Reply, completion, failure
from tests.races.processes import PATIENCE, Wire

STORE = "sqlite:///runs.db"
RUN = "r1"
MODEL = "test-model-2026"  # as the server says that it is
PRICES = {MODEL: Price(input=Decimal(10_000), output=Decimal(0))}  # a reply costs 1 USD
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
HANGS_AT = 3  # the request that is never answered, as the process is killed then

clock = Jumping()


@tool(read_only=True)
def look(order: str) -> str:
    """Look an order up, which takes ten seconds."""
    clock.time += clock.time.resolution * 10_000_000
    return f"order {order}"


@dataclass(frozen=True)
class Case:
    """A limit, by how much it is raised, and what was asked of the endpoint once it is reached."""

    bounds: dict[str, Any]
    more: int
    requests: int
    turns: int

    @property
    def limit(self) -> str:
        (name,) = self.bounds
        return name


CASES = (
    Case({"max_turns": 3}, more=2, requests=4, turns=3),
    Case({"max_attempts": 3}, more=2, requests=5, turns=1),
    Case({"max_tool_calls": 3}, more=9, requests=5, turns=4),
    Case({"max_tokens": 400}, more=900, requests=4, turns=3),
    Case({"max_cost_usd": "3.5"}, more=9, requests=4, turns=3),
    Case({"max_seconds": 25}, more=900, requests=4, turns=3),
    Case({"max_age": 25}, more=900, requests=4, turns=3),
    Case({"max_repeats": 3}, more=9, requests=5, turns=4),
)


def workflow(case: Case, on_limit: str) -> Workflow:
    limits = Limits(**case.bounds, on_limit=on_limit)
    return Workflow(name="desk", instructions="Help.", tools=(look,), limits=limits)


def engine_at(url: str, case: Case, on_limit: str) -> Engine:
    model = OpenAIModel(MODEL, api_key="sk-test", base_url=url, timeout=30)
    flow = workflow(case, on_limit)
    return Engine(store=STORE, workflows=[flow], model=model, prices=PRICES, clock=clock)


async def begin(_: Wire, url: str, case: Case, on_limit: str) -> None:
    """Start the run; the process is killed in the midst of it."""
    async with engine_at(url, case, on_limit) as engine:
        await engine.start("desk", "Hello", RUN)


async def go_further(_: Wire, url: str, case: Case, on_limit: str) -> None:
    """Raise the limit; the process is killed when the model is asked again."""
    async with engine_at(url, case, on_limit) as engine:
        clock.time = (await engine.run(RUN)).updated_at
        await raised(engine, case)


async def raised(engine: Engine, case: Case, by: str = "ann") -> Run:
    return await engine.raise_limits(RUN, {case.limit: Decimal(case.more)}, by=by)


class Endless(ProtocolServer):
    """A model that looks one order after the other up, until it has no tools, or is `over`.

    A `stubborn` one asks for more where it has no tools.
    """

    def __init__(self, limit: str) -> None:
        super().__init__([])
        self._limit, self.hangs_at = limit, HANGS_AT
        self.over = self.stubborn = False
        self.hung, self.let_go = threading.Event(), threading.Event()

    def answer(self, request: dict[str, Any]) -> Reply:
        self.requests.append(request)
        if len(self.requests) == self.hangs_at:
            self.hung.set()
            self.let_go.wait(PATIENCE)
        said = sum(message["role"] == "assistant" for message in request["messages"])
        if self.over or ("tools" not in request and not self.stubborn):
            return completion({"content": "All done."}, usage=USAGE)
        if said and self._limit == "max_attempts":
            return failure(503)
        return _looks(said, "1" if self._limit == "max_repeats" else str(said))

    def handle_error(self, *_: Any) -> None:
        """Nothing: whoever was killed does not read its answer."""


def _looks(said: int, order: str) -> Reply:
    function = {"name": "look", "arguments": f'{{"order": "{order}"}}'}
    asked = {"id": "x", "type": "function", "function": function}
    message = {"content": f"Looked {said} up.", "tool_calls": [asked]}
    return completion(message, "tool_calls", usage=USAGE)
