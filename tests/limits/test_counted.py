"""What counts into the limits though it came to nothing, through the real SDK over a socket."""

from decimal import Decimal
from typing import Any

import pytest

from engine import (
    Engine,
    Limits,
    OpenAIModel,
    Price,
    Run,
    State,
    Workflow,
    events,
    rerun,
    tool,
)
from engine.core.evolve import fold
from engine.errors import TransientModelError
from engine.replaying.summary import summarise
from tests.clock import Jumping
from tests.models.server import Reply, completion, serving

PRICES = {"test-model-2026": Price(input=Decimal(10_000), output=Decimal(0))}
USAGE = {"prompt_tokens": 100, "completion_tokens": 0, "total_tokens": 100}  # for 1 USD


@tool(read_only=True)
def look(order: str) -> str:
    """Look an order up."""
    return f"order {order}"


def looks(order: int, **usage: Any) -> Reply:
    function = {"name": "look", "arguments": f'{{"order": "{order}"}}'}
    asked = {"id": "x", "type": "function", "function": function}
    return completion({"content": None, "tool_calls": [asked]}, "tool_calls", **usage)


async def driven(*replies: Reply, **bounds: Any) -> tuple[Run, int, tuple[events.Recorded, ...]]:
    """The run, how often the endpoint was asked, and the journal, which gives the same run."""
    flow = Workflow(name="desk", instructions="Help.", tools=[look], limits=Limits(**bounds))
    with serving(*replies) as server:
        model = OpenAIModel("test-model-2026", api_key="sk-test", base_url=server.url)
        async with Engine(
            store="memory://", workflows=[flow], model=model, prices=PRICES, clock=Jumping()
        ) as engine:
            run = await engine.start("desk", "Hello", "r1")
            journal = await engine.journal("r1")
            assert fold(journal) == run
            assert rerun(journal, flow) is None
            return run, len(server.requests), journal


EMPTY = completion({"content": ""}, usage=USAGE)


async def test_a_reply_that_says_nothing_is_paid_for() -> None:
    run, asked, journal = await driven(EMPTY, max_attempts=9, max_cost_usd=3)
    assert (run.state, run.limit, asked) == (State.Aborted, "max_cost_usd", 3)
    assert (run.cost, run.usage.total_tokens) == (Decimal(3), 300)
    failed = [one.event for one in journal if isinstance(one.event, events.ModelFailed)]
    assert [one.error for one in failed] == ["the model's reply was empty"] * 3


async def test_a_filtered_reply_is_paid_for() -> None:
    run, asked, journal = await driven(completion({"content": ""}, "content_filter", usage=USAGE))
    assert (run.state, run.limit, asked) == (State.Aborted, "content_filter", 1)
    assert (run.cost, run.usage.total_tokens) == (Decimal(1), 100)
    assert (summarise(journal).cost, summarise(journal).turns) == (Decimal(1), 0)


async def test_an_endpoint_that_counts_below_nothing_gives_no_tokens_back() -> None:
    told = {"prompt_tokens": -1_000_000, "completion_tokens": 300, "total_tokens": 0}
    below: dict[str, Any] = {"usage": told}
    run, asked, _ = await driven(*(looks(one, **below) for one in range(9)), max_tokens=1000)
    assert (run.state, run.limit, asked) == (State.Aborted, "max_tokens", 3)
    assert (run.usage.total_tokens, run.cost) == (900, None), "and nobody knows what that costs"


class Slow:
    """A model that takes a minute to fail."""

    name = "slow"

    def __init__(self, clock: Jumping) -> None:
        self._clock, self.asked = clock, 0

    async def complete(self, request: object) -> Any:
        self.asked += 1
        self._clock.time += self._clock.time.resolution * 60_000_000
        raise TransientModelError(f"no reply from the model to {request!r:.10}")


async def test_the_time_of_a_try_that_fails_is_time_that_the_model_worked() -> None:
    clock = Jumping()
    model = Slow(clock)
    limits = Limits(max_attempts=50, max_seconds=200)
    flow = Workflow(name="desk", instructions="Help.", limits=limits, model=model)
    async with Engine(store="memory://", workflows=[flow], clock=clock) as engine:
        run = await engine.start("desk", "Hello", "r1")
        assert (run.state, run.limit, run.seconds) == (State.Aborted, "max_seconds", 240)
        assert model.asked == 4
        assert rerun(await engine.journal("r1"), flow) is None


@pytest.mark.parametrize("tokens", [2**63, 10**40])
async def test_a_count_that_no_journal_can_hold_is_over_the_limit(tokens: int) -> None:
    told = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": 1}
    vast: dict[str, Any] = {"usage": told}
    last = completion({"content": "Done."}, **vast)
    run, asked, _ = await driven(looks(1, **vast), last, on_limit="answer")
    assert (run.state, run.limit, run.answer) == (State.Done, "max_tokens", "Done.")
    assert (asked, run.cost) == (2, None)
