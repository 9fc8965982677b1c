"""Workflows with a memory, whose runs are kept as golden journals; they must not change."""

from engine import Engine, Memory, State, Workflow
from tests.replay.market import Market
from tests.replay.meters import said
from tests.runtime.test_engine import calls

CUSTOMER = "c-9"


def diaries(market: Market) -> list[Workflow]:
    """One that sums up by itself, and one whose model is asked to."""
    return [
        Workflow(name=name, instructions="Help people who are known.", model=market, memory=memory)
        for name, memory in (
            ("diary", Memory()),
            ("diary-told", Memory(summaries="model")),
        )
    ]


class RememberedRuns:
    """Writes them."""

    def __init__(self, market: Market) -> None:
        self._market = market

    async def noted(self, engine: Engine) -> None:
        """A run that notes something down, one that knows of it, and one that is summed up."""
        note = calls(("remember", {"fact": "They like tea", "kind": "preference"}))
        self._market.says("notes", [note, {"content": "I will think of it."}])
        run = await engine.start("diary", "I like tea", "notes", by="cy", customer=CUSTOMER)
        assert run.state is State.Done
        self._market.says("knows", [calls(("recall", {"query": "tea"})), {"content": "Tea?"}])
        await engine.start("diary", "What do I like?", "knows", by="cy", customer=CUSTOMER)
        self._market.says("sums-up", [said("Here you are."), said("They came for tea.")])
        run = await engine.start("diary-told", "Tea!", "sums-up", by="cy", customer=CUSTOMER)
        assert run.state is State.Done
