"""Several steps at once, which lead to what would be rare by itself."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from engine import Approval, Engine, State
from engine.core.conditions import Conditions
from tests.runtime.life_draws import (
    DEED_PLAN,
    FUSE,
    GATED_TOOL,
    HANDS,
    MOST_RUNS,
    NUMBER,
    ORDERS,
    REPLY_PLAN,
    SAID,
)
from tests.runtime.life_process import Fuse
from tests.runtime.life_shop import Deed, Reply
from tests.runtime.life_world import World


class Pieces(World):
    """Asking and being told, messages that cross an answer, and time."""

    @rule(
        hand=HANDS,
        name=GATED_TOOL,
        said=st.sampled_from(SAID),
        orders=ORDERS,
        replies=REPLY_PLAN,
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
        fuse: Fuse,
    ) -> None:
        """A run asks about two gated calls, and they are decided one by one."""
        run_id, engine = f"r{len(self.witnesses)}", self.processes[hand].engine
        self.drive(hand, engine.start("shop", "Hello", run_id), [(name, name)], [])
        if said in {"wait", "too late"}:
            self.pass_time(1, 200)
        if said == "write":
            self.drive(hand, self.write_again(self.processes[hand].engine, run_id), [], [])
        engine = self.burning(hand, fuse)
        if said == "wait":
            self.drive(hand, engine.resume(run_id), replies, [])
        elif said in {"remember", "revoke"}:
            self._remember(hand, run_id, name, orders)
            if said == "revoke":
                self._revoke(hand, run_id, name)
        else:
            verdict = "edit" if said == "edit" else "approve"
            for one in self.open_of(run_id):
                for by in ("ann", "ann", "bob") if said == "twice" else ("ann",):
                    about = {"by": by, "note": one.call_id}
                    work = self.verdicts(engine, run_id, one, about, orders)[verdict]()
                    self.drive(hand, work, replies, [])
                    engine = self.processes[hand].engine

    def _remember(self, hand: int, run_id: str, name: str, orders: list[str]) -> None:
        """A rule is made, and then comes what it is about, and what waits for a person."""
        for place, one in reversed([*enumerate(self.open_of(run_id))]):
            about = {"by": "ann", "note": one.call_id}
            said = self.verdicts(self.processes[hand].engine, run_id, one, about, orders)
            self.drive(hand, said["deny" if place else "remember"](), [(name, name, "give")], [])

    def _revoke(self, hand: int, run_id: str, name: str) -> None:
        """The rule is taken back, and then comes what it was about."""
        self.everything_holds()
        for ruled, rule_id in [one for one in self.ruled() if one[0] == run_id]:
            engine = self.processes[hand].engine
            self.drive(hand, engine.revoke(ruled, rule_id, by="bob"), [], [])
        for one in self.open_of(run_id):
            engine = self.processes[hand].engine
            work = engine.deny(run_id, one.call_id, by="ann", note=one.call_id)
            self.drive(hand, work, [(name, name)], [])

    def open_of(self, run_id: str) -> Sequence[Approval]:
        """What that run asks by now."""
        self.everything_holds()
        return next((asked for waits, asked in self.waiting() if waits == run_id), ())

    @rule(hand=HANDS, n=NUMBER, replies=REPLY_PLAN, deeds=DEED_PLAN)
    def talk_over(self, hand: int, n: int, replies: list[Reply], deeds: list[Deed]) -> None:
        """The customer writes again while the model thinks."""
        answered = [run.id for run in self.runs() if run.state is State.Done]
        run_id = answered[n % len(answered)] if answered else self.pick(n)
        self.drive(hand, self.write_again(self.processes[hand].engine, run_id), ["hangs"], [])
        self.drive(1 - hand, self.write_again(self.processes[1 - hand].engine, run_id), [], [])
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

    @rule(place=NUMBER, replies=REPLY_PLAN, deeds=DEED_PLAN)
    @precondition(lambda self: self.shop.hanging)
    def something_comes_back(self, place: int, replies: list[Reply], deeds: list[Deed]) -> None:
        self.shop.plan(replies, deeds)
        for hung in self.shop.hanging[place % max(1, len(self.shop.hanging)) :][:1]:
            hung.set()
        self.settle()

    @rule(steps=st.integers(1, 12), jump=st.sampled_from([0, 0, -3600, 86_400]))
    def pass_time(self, steps: int, jump: int = 0) -> None:
        self.time.jump(jump)
        for _ in range(steps):
            self.time.run(5)
            for one in self.processes:
                one.clock.wake()
            self.settle()
