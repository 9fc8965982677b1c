"""What may happen to runs, in any order."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from engine import Approval, Engine
from engine.core.conditions import Conditions
from engine.ports import Store
from engine.stores.sqlite import SqliteStore
from tests.runtime.life_process import Fuse
from tests.runtime.life_shop import DEEDS, GATED, KINDS, Deed, Reply, Shop
from tests.runtime.life_world import World

NUMBER = st.integers(0, 9)
MOST_RUNS = 4
HANDS = st.integers(0, 1)
HANGS: tuple[Deed, ...] = ("hangs", "hangs, having acted")
DEED_PLAN = st.lists(st.sampled_from([*DEEDS, *HANGS]), max_size=3)
ANY = st.lists(st.sampled_from([*KINDS, "gone"]), min_size=1, max_size=3).map(tuple)
# Turns in which some calls wait for a person, one at a time, and others run meanwhile.
MIXED: st.SearchStrategy[tuple[str, ...]] = st.sampled_from(
    [("pay", "pay", "book"), ("give", "lend", "fire"), ("rent", "give", "note"), ("lend", "pay")]
)
ASKS = st.one_of(ANY, MIXED)
SAYS: st.SearchStrategy[Reply] = st.sampled_from(["answers", "fails", "refuses", "hangs"])
REPLY_PLAN = st.lists(st.one_of(ASKS, ASKS, SAYS), min_size=1, max_size=2)
FUSE = st.one_of(st.none(), st.none(), st.tuples(st.integers(0, 12), st.booleans()))
VERDICTS = ("approve", "approve", "edit", "remember", "retry", "deny", "answer", "accept")
PEOPLE = st.sampled_from(["ann", "ann", "bob", "cy"])
ORDERS = st.lists(st.sampled_from(["0", "1", "2", "9"]), max_size=2)


class Life(World):
    """Drivers, people, crashes, other code and odd clocks."""

    @initialize(asked=ASKS, deeds=DEED_PLAN)
    def begin(self, asked: Reply, deeds: list[Deed]) -> None:
        async def opened() -> None:
            self.shop = Shop(self.make_store(), self.traffic)
            for place in range(2):
                await self.replace(place)

        self.loop.run(opened())
        self.drive(0, self.processes[0].engine.start("shop", "Hello", "r0"), [asked], deeds)

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

    def verdicts(
        self, engine: Engine, run_id: str, one: Approval, about: dict[str, Any], orders: list[str]
    ) -> dict[str, Callable[[], Coroutine[Any, Any, Any]]]:
        """What a person may say about that approval."""
        call, asked_for = one.call_id, one.arguments.get("order", "0")
        while_: Conditions = {"order": {"in": [asked_for, "0", *orders]}}
        edited = {"order": [*orders, "9"][0]}
        return {
            "approve": lambda: engine.approve(run_id, call, **about),
            "edit": lambda: engine.approve(run_id, call, arguments=edited, **about),
            "remember": lambda: engine.approve(run_id, call, remember=while_, **about),
            "retry": lambda: engine.approve(run_id, call, retry=True, **about),
            "deny": lambda: engine.deny(run_id, call, **about),
            "answer": lambda: engine.answer(run_id, call, result="it happened", **about),
            "accept": lambda: engine.accept_changes(run_id, by=about["by"]),
        }

    @rule(hand=HANDS, n=NUMBER, replies=REPLY_PLAN, deeds=DEED_PLAN, fuse=FUSE)
    def send(self, hand: int, n: int, replies: list[Reply], deeds: list[Deed], fuse: Fuse) -> None:
        engine = self.burning(hand, fuse)
        self.drive(hand, self.write_again(engine, self.pick(n)), replies, deeds)

    @rule(
        hand=HANDS,
        name=st.sampled_from(sorted(GATED)),
        said=st.sampled_from(["approve", "edit", "remember", "wait"]),
        orders=ORDERS,
        replies=REPLY_PLAN,
        deeds=DEED_PLAN,
        fuse=FUSE,
    )
    @precondition(lambda self: len(self.witnesses) < MOST_RUNS)
    def ask_and_say(  # noqa: PLR0913, PLR0917 # what is drawn
        self,
        hand: int,
        name: str,
        said: str,
        orders: list[str],
        replies: list[Reply],
        deeds: list[Deed],
        fuse: Fuse,
    ) -> None:
        """A run asks about one gated call, and what is said leads to what is rare by itself."""
        run_id, engine = f"r{len(self.witnesses)}", self.processes[hand].engine
        self.drive(hand, engine.start("shop", "Hello", run_id), [(name,)], [])
        self.everything_holds()
        asked = [one for waits, all_ in self.waiting() if waits == run_id for one in all_]
        if said == "wait":
            self.pass_time(1, 200)
            self.work(hand, replies, deeds, fuse)
        for one in asked if said != "wait" else ():
            about = {"by": "ann", "note": one.call_id}
            then = [(name, name), *replies] if said == "remember" else replies
            commands = self.verdicts(self.burning(hand, fuse), run_id, one, about, orders)
            self.drive(hand, commands[said](), then, deeds)

    @rule(hand=HANDS, n=NUMBER, replies=REPLY_PLAN, deeds=DEED_PLAN)
    def talk_over(self, hand: int, n: int, replies: list[Reply], deeds: list[Deed]) -> None:
        """The customer writes again while the model thinks."""
        run_id, (one, other) = self.pick(n), (self.processes[hand], self.processes[1 - hand])
        self.drive(hand, self.write_again(one.engine, run_id), ["hangs"], [])
        self.drive(1 - hand, self.write_again(other.engine, run_id), [], [])
        self.something_comes_back(0, replies, deeds)

    @rule(hand=HANDS, n=NUMBER, deeds=DEED_PLAN, replies=REPLY_PLAN, fuse=FUSE)
    @precondition(lambda self: self.half_agreed())
    def agree(self, hand: int, n: int, deeds: list[Deed], replies: list[Reply], fuse: Fuse) -> None:
        """Somebody else says yes, too."""
        half = self.half_agreed()
        run_id, one = half[n % len(half)]
        by = next(name for name in ("ann", "bob") if name not in one.grants)
        retry, note = one.kind == "in_doubt", one.call_id
        work = self.burning(hand, fuse).approve(run_id, note, by=by, note=note, retry=retry)
        self.drive(hand, work, replies, deeds)

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

    @rule(place=NUMBER, replies=REPLY_PLAN, deeds=DEED_PLAN)
    @precondition(lambda self: self.shop.hanging)
    def something_comes_back(self, place: int, replies: list[Reply], deeds: list[Deed]) -> None:
        self.shop.plan(replies, deeds)
        for hung in self.shop.hanging[place % max(1, len(self.shop.hanging)) :][:1]:
            hung.set()
        self.settle()

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

    @rule(steps=st.integers(1, 12), jump=st.sampled_from([0, 0, -3600, 86_400]))
    def pass_time(self, steps: int, jump: int = 0) -> None:
        self.time.jump(jump)
        for _ in range(steps):
            self.time.run(5)
            for one in self.processes:
                one.clock.wake()
            self.settle()


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
