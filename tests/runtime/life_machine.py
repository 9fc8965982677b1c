"""What may happen to runs, in any order."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from engine.ports import Store
from engine.stores.sqlite import SqliteStore
from tests.runtime.life_draws import (
    ASKS,
    DEED_PLAN,
    FUSE,
    GATED_TOOL,
    HANDS,
    MOST_RUNS,
    NUMBER,
    ORDERS,
    PEOPLE,
    REPLY_PLAN,
    SAID,
    VERDICTS,
)
from tests.runtime.life_pieces import Pieces
from tests.runtime.life_process import Fuse
from tests.runtime.life_shop import KINDS, Deed, Reply, Shop


class Life(Pieces):
    """Drivers, people, crashes, other code and odd clocks.

    `opening` is what is asked about and said first, where that is not drawn.
    """

    opening: ClassVar[tuple[str, str] | None] = None

    @initialize(
        asked=ASKS, deeds=DEED_PLAN, name=GATED_TOOL, said=st.sampled_from(SAID), orders=ORDERS
    )
    def begin(  # what is drawn
        self, asked: Reply, deeds: list[Deed], name: str, said: str, orders: list[str]
    ) -> None:
        async def opened() -> None:
            self.shop = Shop(self.make_store(), self.traffic)
            for place in range(2):
                await self.replace(place)

        self.loop.run(opened())
        self.drive(0, self.processes[0].engine.start("shop", "Hello", "r0"), [asked], deeds)
        self.everything_holds()
        name, said = self.opening or (name, said)
        self.ask_and_say(1, name, said, orders, [], None)

    @rule(hand=HANDS, replies=REPLY_PLAN, deeds=DEED_PLAN, fuse=FUSE, detached=st.booleans())
    @precondition(lambda self: len(self.witnesses) < MOST_RUNS - 1)
    def start(
        self, hand: int, replies: list[Reply], deeds: list[Deed], fuse: Fuse, detached: bool
    ) -> None:
        run_id, engine = f"r{len(self.witnesses)}", self.burning(hand, fuse)
        begin = engine.submit if detached else engine.start
        self.drive(hand, begin("shop", "Hello", run_id), replies, deeds)

    @rule(hand=HANDS, n=NUMBER, replies=REPLY_PLAN, deeds=DEED_PLAN, fuse=FUSE, wait=st.booleans())
    def step(  # noqa: PLR0913, PLR0917 # what is drawn
        self,
        hand: int,
        n: int,
        replies: list[Reply],
        deeds: list[Deed],
        fuse: Fuse,
        wait: bool,
    ) -> None:
        engine = self.burning(hand, fuse)
        self.drive(hand, engine.resume(self.pick(n), wait=wait), replies, deeds)

    @rule(hand=HANDS, replies=REPLY_PLAN, deeds=DEED_PLAN, fuse=FUSE)
    def work(self, hand: int, replies: list[Reply], deeds: list[Deed], fuse: Fuse) -> None:
        self.burning(hand, fuse)
        self.shop.plan(replies, deeds)
        self.run(self.processes[hand].work())
        self.bury()

    @rule(
        hand=HANDS,
        n=NUMBER,
        said=st.sampled_from(VERDICTS),
        by=PEOPLE,
        which=NUMBER,
        orders=ORDERS,
        deeds=DEED_PLAN,
        replies=REPLY_PLAN,
        fuse=FUSE,
    )
    @precondition(lambda self: any(self.waiting()))
    def decide(  # noqa: PLR0913, PLR0917 # what is drawn
        self,
        hand: int,
        n: int,
        said: str,
        by: str,
        which: int,
        orders: list[str],
        deeds: list[Deed],
        replies: list[Reply],
        fuse: Fuse,
    ) -> None:
        waiting = self.waiting()
        run_id, asked = waiting[n % len(waiting)]
        one, engine = asked[which % len(asked)], self.burning(hand, fuse)
        if said == "remember":  # and then comes what the rule is about
            replies = [(one.tool, one.tool), *replies]
        if one.kind != "tool_call" and said in {"approve", "edit", "remember"}:
            said = {"in_doubt": "retry", "changed": "accept"}[one.kind]  # what fits
        about: dict[str, Any] = {"by": by, "note": one.call_id}
        commands = self.verdicts(engine, run_id, one, about, orders)
        self.drive(hand, commands[said](), replies, deeds)

    @rule(hand=HANDS, n=NUMBER, replies=REPLY_PLAN, deeds=DEED_PLAN, fuse=FUSE)
    def send(self, hand: int, n: int, replies: list[Reply], deeds: list[Deed], fuse: Fuse) -> None:
        engine = self.burning(hand, fuse)
        self.drive(hand, self.write_again(engine, self.pick(n)), replies, deeds)

    @rule(hand=HANDS, n=NUMBER, fuse=FUSE)
    @precondition(lambda self: self.ruled())
    def revoke(self, hand: int, n: int, fuse: Fuse) -> None:
        rules = self.ruled()
        run_id, rule_id = rules[n % len(rules)]
        engine = self.burning(hand, fuse)
        self.drive(hand, engine.revoke(run_id, rule_id, by="bob"), [], [])

    @rule(hand=HANDS, n=NUMBER)
    def abort(self, hand: int, n: int) -> None:
        self.drive(hand, self.processes[hand].engine.abort(self.pick(n), by="ann"), [], [])

    @rule(hand=HANDS, killed=st.booleans())
    @precondition(lambda self: any(one.tasks for one in self.processes))
    def crash(self, hand: int, killed: bool) -> None:
        one = self.processes[hand]
        type(self).kills += killed
        self.loop.run(self.replace(hand) if killed else one.cancel())

    @rule(hand=HANDS, name=st.sampled_from(KINDS), version=st.integers(0, 2))
    def change(self, hand: int, name: str, version: int) -> None:
        """The process is started anew with other code."""
        if name in self.versions:
            self.versions[name] = version
            self.loop.run(self.replace(hand))

    @rule(hand=HANDS, n=NUMBER, replies=REPLY_PLAN, deeds=DEED_PLAN, returns=st.booleans())
    @precondition(lambda self: any(one.tasks for one in self.processes))
    def overtake(  # what is drawn
        self, hand: int, n: int, replies: list[Reply], deeds: list[Deed], returns: bool
    ) -> None:
        """A process is stopped for so long that another takes its run over, and may come back."""
        self.processes[hand].clock.stop()
        engine = self.processes[1 - hand].engine
        self.drive(1 - hand, engine.resume(self.pick(n), wait=True), replies, deeds)
        self.pass_time(8)
        if returns:
            self.processes[hand].clock.go_on()
            self.something_comes_back(0, replies, deeds)

    @rule(hand=HANDS)
    def go_on(self, hand: int) -> None:
        self.processes[hand].clock.go_on()
        self.settle()


def opened(name: str, said: str) -> type[Life]:
    """Lives that begin so."""
    return type("OpenedLife", (Life,), {"opening": (name, said)})


class LifeOnDisk(Life):
    """The same in a file, with a tool that writes in the store's own transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()

    def kinds(self) -> tuple[str, ...]:
        return KINDS

    def make_store(self) -> Store:
        return SqliteStore(Path(self.folder.name) / "runs.db")

    async def close(self) -> None:
        await super().close()
        self.folder.cleanup()
