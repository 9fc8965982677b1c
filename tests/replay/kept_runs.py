"""The runs of the vault, and those that were copied, rebuilt and erased."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from engine import Engine, State
from engine.codec.chain import PLAIN
from engine.logs.reading import Tally
from engine.logs.runs import logged_runs
from engine.runtime.rebuild import put_back
from engine.stores.sqlite import SqliteStore
from tests.replay.market import Market
from tests.runtime.test_engine import calls

OK = {"content": "ok"}
UNLOCK = ("unlock", {"box": "7", "code": "open-sesame-91"})


class KeptRuns:
    """Writes them."""

    def __init__(self, market: Market, now: Callable[[], datetime], folder: Path) -> None:
        self._market, self._now, self._folder = market, now, folder

    async def secret(self, engine: Engine) -> None:
        """Runs with a secret: one that ended, one that waits."""
        for run_id in ("secret", "sealed-lips"):
            self._market.says(run_id, [calls(UNLOCK), OK])
            await engine.start("vault", "Open box 7", run_id, by="cy", customer="c-7")
        await engine.approve("secret", by="ann")

    async def elsewhere(self, engine: Engine) -> None:
        """The run that is lost with its store; only its log is left."""
        self._market.says("rebuilt", [calls(UNLOCK), OK])
        await engine.start("vault", "Open box 7", "rebuilt", by="cy")

    async def rebuilt(self, engine: Engine) -> None:
        """And made again from the log, which lacks the secret."""
        log = self._folder / "runs.jsonl"
        (lost,) = [one for one in logged_runs([log], Tally()) if one.run_id == "rebuilt"]
        store = SqliteStore(self._folder / "runs.db")
        await put_back(store, lost.steps(), PLAIN, self._now())
        await store.close()
        run = await engine.resume("rebuilt")
        assert [one.kind for one in run.approvals] == ["in_doubt"]

    async def forked(self, engine: Engine) -> None:
        """Forks: of a run that waited, and of one in whose midst a person had been asked."""
        self._market.says("forked", [OK])
        journal = await engine.journal("denied")
        (asked,) = [one.seq for one in journal if one.event.kind == "approval_requested"]
        run = await engine.fork("denied", at=asked, new_id="forked", by="ann")
        assert run.state is State.AwaitingApproval
        self._market.says("told", [OK])
        run = await engine.fork(
            "denied", at=journal[-1].seq, new_id="told", message="And now?", by="ann"
        )
        assert run.state is State.Done

    async def forgotten(self, engine: Engine) -> None:
        """A run of which a person asked to be forgotten."""
        self._market.says("forgotten", [calls(UNLOCK), OK])
        await engine.start("vault", "I am Chloe", "forgotten", by="cy", customer="c-8")
        await engine.deny("forgotten", by="ann", reason="Not for Chloe")
        done = await engine.forget(customer="c-8", by="bob", reason="she asked")
        assert list(done.erased) == ["forgotten"]
