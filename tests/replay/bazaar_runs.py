"""The runs of the bazaar, one for each thing that may become of an approval."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from engine import Engine, State
from tests.replay.market import Market
from tests.runtime.test_engine import calls

OK = {"content": "ok"}
PAY, TIP = ("pay", {"order": "6", "amount": 30}), ("tip", {"order": "7"})
LESS, MORE = ("pay", {"order": "6", "amount": 9}), ("pay", {"order": "8", "amount": 15})
REFUND, LEND = ("refund", {"order": "9"}), ("lend", {"order": "10"})
SELL, HIRE = ("sell", {"order": "11"}), ("hire", {"order": "12"})
ASK = ("ask_person", {"question": "Which colour?"})


class BazaarRuns:
    """Writes them; `pass_time` sets the clock on."""

    def __init__(self, market: Market, pass_time: Callable[[timedelta], None]) -> None:
        self._market, self._pass_time = market, pass_time

    async def decided(self, engine: Engine) -> None:
        """Runs that people decided on, in every way."""
        await self._start(engine, "edited", calls(PAY, TIP, ASK))
        edited = await engine.run("edited")
        paying, asking = edited.approvals
        await engine.approve(
            "edited", paying.call_id, by="ann", arguments={"order": "6", "amount": 20}
        )
        await engine.answer("edited", asking.call_id, by="bob", result="blue")
        await self._start(engine, "pair", calls(REFUND, LESS))
        refunding, paying = (await engine.run("pair")).approvals
        await engine.approve("pair", refunding.call_id, by="ann", note="one")
        await engine.approve("pair", refunding.call_id, by="bob", note="two")
        await engine.deny("pair", paying.call_id, by="ann", reason="not now", note="sorry")
        await self._start(engine, "half", calls(REFUND))
        await engine.approve("half", by="ann")
        await self._start(engine, "asking", calls(ASK))

    async def ruled(self, engine: Engine) -> None:
        """Runs with a rule that outlasts its approval; one is taken back."""
        for run_id in ("ruled", "revoked"):
            await self._start(engine, run_id, calls(LESS), calls(MORE), calls(PAY), calls(MORE))
            run = await engine.approve(run_id, by="ann", remember={"amount": {"le": 20}})
            assert [one.arguments["amount"] for one in run.approvals] == [30]
        await engine.revoke("revoked", run.rules[0].id, by="bob")
        run = await engine.deny("revoked", by="bob", reason="too much")
        assert [one.arguments["amount"] for one in run.approvals] == [15]

    async def expired(self, engine: Engine) -> None:
        """Runs about which nobody decided in time."""
        for run_id, asked in (("late", LEND), ("sold", SELL), ("hired", HIRE), ("lost", HIRE)):
            await self._start(engine, run_id, calls(asked))
        self._pass_time(timedelta(minutes=20))
        await engine.resume("late")
        self._pass_time(timedelta(hours=1))
        for run_id in ("late", "sold", "lost"):
            await engine.resume(run_id)
        self._pass_time(timedelta(hours=2))
        lost = await engine.resume("lost")
        assert lost.state is State.Aborted
        await engine.resume("hired")
        await engine.approve("hired", by="ann", note="as a manager")

    async def written_to(self, engine: Engine) -> None:
        """Runs whose customer writes again, at odd moments."""
        await self._start(engine, "waiting", calls(PAY))
        await engine.send("waiting", "Are you there?", by="cy")
        sent: list[asyncio.Task[Any]] = []

        async def meanwhile() -> Any:
            sent.append(asyncio.create_task(engine.send("chatty", "And another thing")))
            while not (await engine.run("chatty")).unread:  # noqa: ASYNC110 # the store tells nobody
                await asyncio.sleep(0)
            return {"content": "What I know by now"}

        await self._start(engine, "chatty", meanwhile)
        await asyncio.gather(*sent)
        await engine.send("chatty", "Thank you", by="cy")

    async def _start(self, engine: Engine, run_id: str, *sayings: Any) -> None:
        self._market.says(run_id, [*sayings, OK])
        await engine.start("bazaar", f"The run {run_id}", run_id, by="cy")
