"""The runs of the meters: what came of their limits."""

from decimal import Decimal
from typing import Any

from engine import ContextOverflowError, Engine, Message, State
from tests.replay.market import Market
from tests.replay.meters import reading, said, spent

MORE = {"max_turns": Decimal(2)}


class MeasuredRuns:
    """Writes them."""

    def __init__(self, market: Market) -> None:
        self._market = market

    async def asked(self, engine: Engine) -> None:
        """A person is asked whether it may go on: open, raised, and stopped."""
        for run_id in ("limit-asks", "limit-raised", "limit-stopped"):
            await self._start(engine, "meter-ask", run_id, reading("1"), reading("2"), said("14"))
        run = await engine.raise_limits("limit-raised", MORE, by="ann", note="go on")
        assert (run.state, run.answer) == (State.Done, "14")
        await engine.deny("limit-stopped", by="bob", reason="enough")

    async def ended(self, engine: Engine) -> None:
        """The last words of one, the loop of another, and one that is revived."""
        await self._start(
            engine, "meter-answer", "last-words", reading("1"), reading("2"), said("7")
        )
        await self._start(engine, "meter-abort", "revived", reading("1"), reading("2"), said("14"))
        await engine.raise_limits("revived", MORE, by="ann")
        round_and_round = [reading("1"), reading("1"), reading("1")]
        await self._start(engine, "meter-ask", "going-round", *round_and_round)
        run = await engine.raise_limits("going-round", MORE, by="ann")
        assert run.limit == "max_repeats"

    async def compacted(self, engine: Engine) -> None:
        """Requests that get too long: results left out, turns summed up, and nothing to be done."""
        told = [reading(meter, "history") for meter in ("1", "2", "3", "4")]
        too_long = ContextOverflowError("that is too long")
        half = spent(Message(role="assistant", content="Half an"), finish_reason="length")
        summary = said("Meters 1 to 3 stood at 7, each day.")
        drops, sums = "meter-drop_old_results", "meter-summarise"
        await self._start(engine, drops, "left-out", *told, too_long, said("28"))
        await self._start(engine, sums, "summed-up", *told, half, summary, said("28"))
        await self._start(engine, drops, "too-long", too_long)
        assert (await engine.run("too-long")).limit == "context"

    async def _start(self, engine: Engine, workflow: str, run_id: str, *sayings: Any) -> None:
        self._market.says(run_id, sayings)
        await engine.start(workflow, f"The run {run_id}", run_id, by="cy")
