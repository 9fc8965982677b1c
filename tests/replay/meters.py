"""Workflows with limits, whose runs are kept as golden journals; they must not change any more."""

from typing import Any

from engine import Limits, Message, ModelReply, Price, Tool, Usage, Workflow, tool
from tests.replay.market import Market
from tests.runtime.test_engine import calls

PRICES = {"meter": Price(input="1", output="4", cached="0.25", window=8000)}


def meters(market: Market) -> list[Workflow]:
    """A workflow for each thing that may come of a limit; the market says what models say."""
    return [
        Workflow(
            name=f"meter-{on_limit}",
            instructions="Help people at the meters.",
            tools=(_read(),),
            model=market,
            limits=Limits(max_turns=2, max_repeats=2, max_cost_usd=1, on_limit=on_limit),
        )
        for on_limit in ("ask", "answer", "abort")
    ]


def reading(meter: str) -> ModelReply:
    """The model wants a meter read; that takes tokens of a known price."""
    message = Message.model_validate(
        {"role": "assistant", **calls(("read_meter", {"meter": meter}))}
    )
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
