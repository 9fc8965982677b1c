"""Workflows with limits, whose runs are kept as golden journals; they must not change any more."""

from typing import Any

from engine import (
    Context,
    Limits,
    Message,
    ModelReply,
    Price,
    Tool,
    Usage,
    Workflow,
    drop_old_results,
    summarise,
    tool,
)
from tests.replay.market import Market
from tests.runtime.test_engine import calls

PRICES = {"meter": Price(input="1", output="4", cached="0.25", window=8000)}


def meters(market: Market) -> list[Workflow]:
    """A workflow for each thing that may come of a limit, and two whose requests get too long.

    The market says what models say.
    """
    full = [
        Workflow(
            name=f"meter-{strategy.kind}",
            instructions="Help people at the meters.",
            tools=(_history(),),
            model=market,
            context=Context(strategies=(strategy,)),
        )
        for strategy in (drop_old_results, summarise)
    ]
    limited = [
        Workflow(
            name=f"meter-{on_limit}",
            instructions="Help people at the meters.",
            tools=(_read(),),
            model=market,
            limits=Limits(max_turns=2, max_repeats=2, max_cost_usd=1, on_limit=on_limit),
        )
        for on_limit in ("ask", "answer", "abort")
    ]
    return [*full, *limited]


def reading(meter: str, tool: str = "read_meter") -> ModelReply:
    """The model wants a meter read; that takes tokens of a known price."""
    message = Message.model_validate({"role": "assistant", **calls((tool, {"meter": meter}))})
    return spent(message)


def said(words: str) -> ModelReply:
    """The model gives its answer."""
    return spent(Message(role="assistant", content=words))


def spent(message: Message, **more: Any) -> ModelReply:
    usage = Usage(input_tokens=1200, cached_tokens=1000, output_tokens=50, reasoning_tokens=8)
    return ModelReply(message, usage=usage, model="meter", request_id="req-1", **more)


def _read() -> Tool:
    @tool(read_only=True)
    def read_meter(meter: str) -> str:
        """Read a meter."""
        return f"meter {meter} stands at 7"

    return read_meter


def _history() -> Tool:
    @tool(read_only=True)
    def history(meter: str) -> str:
        """Read all that a meter has shown."""
        return f"meter {meter}: " + ", ".join(f"day {day}: 7" for day in range(60))

    return history
