"""A random walk: what the world, people and the clock may do to a run, step by step."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import strategies as st

from engine.core import events as ev
from engine.core.accept import accept
from engine.core.commands import Abort, Answer, Approve, Command, Deny, Revoke, Send
from engine.core.decide import decide
from engine.core.demand import Escalation
from engine.core.effects import CallModel, CallTools, Notify, Park, Recap, Reconcile, Record, SumUp
from engine.core.evolve import evolve, fold
from engine.core.messages import Arguments, Message, Usage
from engine.core.notices import Notice
from engine.core.policy import Rule
from engine.core.questions import ask_person
from engine.core.run import Approval, Run
from engine.core.states import ENDED
from engine.core.tools import tool
from engine.errors import EngineError
from engine.runtime.late import on_top
from tests.spec import NOON, STARTED, WORKFLOW, asks, look, pay


@tool(reconcile=lambda *_: None, idempotent=True)
def send(order: str) -> str:
    """Send an order, and be able to say whether it was sent."""
    return order


class Desk:
    """A notifier that is never told in earnest."""

    name = "desk"

    async def notify(self, notice: Notice) -> None:
        raise AssertionError(notice)


POLICY = [
    Rule(tool="pay", when={"amount": {"le": 0}}, ask="audit"),
    Rule(tool="pay", when={"amount": {"gt": 50}}, quorum=2, batch=True, expires_in=60),
    Rule(
        tool="pay",
        when={"order": {"eq": "2"}},
        expires_in=60,
        on_expiry=Escalation(role="any", expires_in=30, on_expiry="abort"),
        remind_every=20,
    ),
]
SHOP = replace(
    WORKFLOW,
    tools=(look, replace(pay, approval=POLICY), send, ask_person(choices=["red", "blue"])),
    notifiers=(Desk(),),
)
PAY = SHOP.tools[1]

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ORDERS = st.sampled_from(["1", "2"])
PAID: st.SearchStrategy[Arguments] = st.fixed_dictionaries(
    {"order": ORDERS, "amount": st.sampled_from([0, 5, 7, 60])}
)
ARGUMENTS = st.one_of(TEXT, st.just("{}"))
NAMES = st.sampled_from(["look", "pay", "send", "ask_person", "gone"])
SENSIBLE = st.sampled_from(
    [
        ("pay", '{"order": "1"}'),
        ("pay", '{"order": "1", "amount": 7}'),
        *[("pay", '{"order": "1", "amount": 60}')] * 4,
        *[("pay", '{"order": "1", "amount": 7}')] * 3,
        ("pay", '{"order": "2", "amount": 3}'),
        ("pay", '{"order": "1", "amount": 0}'),
        ("look", '{"order": "1"}'),
        ("send", '{"order": "1"}'),
        ("ask_person", '{"question": "?"}'),
    ]
)
ODD = st.tuples(NAMES, ARGUMENTS)
CALLS = st.lists(st.one_of(SENSIBLE, SENSIBLE, SENSIBLE, ODD), min_size=1, max_size=3)
PEOPLE = st.sampled_from(["ann", "bob", "Ann"])


class Walk:
    """A run that is walked on by what `data` draws; `journal` has all that happened."""

    def __init__(self, data: st.DataObject) -> None:
        self.data, self.now = data, NOON
        self.journal: list[ev.Recorded] = []
        self.run: Run | None = None
        self.refused = 0
        self._record(STARTED)

    @property
    def live(self) -> Run:
        assert self.run is not None
        return self.run

    def step(self) -> bool:
        """Whether there was one more step to take."""
        if self.live.state in ENDED and not self.live.sums_up and not self._is_woken():
            return False
        self._record(*self._next())
        return True

    def _is_woken(self) -> bool:
        if self.live.state == "Aborted" or not self.data.draw(st.booleans()):
            return False
        self._record(*accept(self.live, SHOP, Send(message="Again")))
        return True

    def _record(self, *events: ev.Event) -> None:
        for event in events:
            self.now += timedelta(microseconds=1)
            one = ev.Recorded(seq=len(self.journal) + 1, at=self.now, event=event)
            self.run = fold([one], self.run)
            self.journal.append(one)

    def _next(self) -> list[ev.Event]:  # noqa: PLR0911 # an effect a case
        match decide(self.live, SHOP, self.now):
            case CallModel() as effect:
                return self._model_says(effect)
            case SumUp() as effect:
                return [self._summed_up(effect)]
            case Recap():
                return [ev.RunSummarised(words="In short", by_model=True)]
            case CallTools() as effect:
                return self._tools_say(effect)
            case Reconcile() as effect:
                return [self._looked_up(start) for start in effect.starts]
            case Record(events):
                return list(events)
            case Notify(untold):
                return [self._told(*one) for one in untold]
            case Park():
                return self._people_say()

    def _model_says(self, effect: CallModel) -> list[ev.Event]:
        """A reply; now and then a message comes before it."""
        reply = self._reply(effect)
        if not self.data.draw(st.integers(0, 3)):
            run, seen = self.live, len(self.live.messages)
            heard = ev.MessageReceived(message="Wait")
            later = evolve(run, ev.Recorded(seq=run.seq + 1, at=self.now, event=heard))
            late = on_top(later, reply, seen)
            assert late is not None
            return [heard, late]
        return [reply]

    def _summed_up(self, effect: SumUp) -> ev.Event:
        if not self.data.draw(st.integers(0, 3)):
            return ev.ModelFailed(error="no", attempt=effect.attempt, retry_at=NOON)
        return ev.ContextCompacted(
            strategies=effect.strategies,
            start=effect.start,
            noted=effect.noted,
            seen=effect.seen,
            before=effect.before,
            tokens=effect.tokens,
            summary=self.data.draw(TEXT),
        )

    def _reply(self, effect: CallModel) -> ev.Event:
        match self.data.draw(
            st.sampled_from(["answer", "tools", "tools", "tools", "tools", "fail", "long"])
        ):
            case "tools":
                return asks(*self.data.draw(CALLS), turn=effect.turn)
            case "answer":
                message = Message(role="assistant", content=self.data.draw(TEXT))
                usage, sums_up = Usage(input_tokens=self.live.turns), self.data.draw(st.booleans())
                return ev.ModelAnswered(message=message, usage=usage, sums_up=sums_up)
            case "long":
                cut: bool = self.data.draw(st.booleans())
                return ev.ModelFailed(
                    error="long", attempt=effect.attempt, retry_at=NOON, overflow=True, cut=cut
                )
            case _:
                error = self.data.draw(TEXT)
                return ev.ModelFailed(error=error, attempt=effect.attempt, retry_at=NOON)

    def _tools_say(self, effect: CallTools) -> list[ev.Event]:
        """Outcomes in any order; now and then a crash loses some of them."""
        results = [self._outcome(one) for one in effect.intents]
        order = self.data.draw(st.permutations(results))
        return [*effect.intents, *order[: self.data.draw(st.integers(0, len(order)))]]

    def _outcome(self, intent: ev.ToolStarted) -> ev.Event:
        call_id, words = intent.call_id, self.data.draw(TEXT)
        match self.data.draw(
            st.sampled_from(["returned"] * 3 + ["failed", "not executed", "interrupted"])
        ):
            case "returned":
                return ev.ToolReturned(call_id=call_id, content=words)
            case "failed":
                return ev.ToolFailed(call_id=call_id, error=words)
            case "not executed":
                return ev.ToolNotExecuted(call_id=call_id, error=words, retry_at=NOON)
            case _:
                return ev.ToolInterrupted(call_id=call_id, error=words, retry_at=NOON)

    def _looked_up(self, start: ev.ToolStarted) -> ev.Event:
        call_id, words = start.call_id, self.data.draw(TEXT)
        match self.data.draw(st.sampled_from(["happened", "did not", "failed"])):
            case "happened":
                return ev.ToolReturned(call_id=call_id, content=words, reconciled=True)
            case "did not":
                return ev.ToolNotExecuted(call_id=call_id, error=words, retry_at=NOON)
            case _:
                return ev.ReconcileFailed(call_id=call_id, error=words)

    def _told(self, approval_id: str, notifier: str) -> ev.Event:
        about = {"approval_id": approval_id, "notifier": notifier}
        about["call_id"] = self.live.approval(approval_id).call_id
        if self.data.draw(st.booleans()):
            return ev.ApprovalNotified.model_validate(about)
        retry_at: datetime | None = self.data.draw(
            st.sampled_from([None, self.now + timedelta(seconds=5)])
        )
        more = {"error": "unreachable", "attempt": 1, "retry_at": retry_at}
        return ev.NotificationFailed.model_validate({**about, **more})

    def _people_say(self) -> list[ev.Event]:
        """What one of them says; where nobody may, or nobody does, time passes."""
        if self.live.approvals and self.data.draw(st.sampled_from([True] * 4 + [False])):
            asked: Approval = self.data.draw(st.sampled_from(self.live.approvals))
            command = self.data.draw(st.sampled_from(self._commands(asked)))
            try:
                return list(accept(self.live, SHOP, command))
            except EngineError:
                self.refused += 1
        self.now += timedelta(seconds=self.data.draw(st.sampled_from([5, 20, 60])))
        return []

    def _commands(self, asked: Approval) -> list[Command]:
        by, call_id = self.data.draw(PEOPLE), asked.call_id
        if asked.kind == "question":
            return [
                *(Answer(call_id=call_id, by=by, result=one) for one in ("red", "blue", "green")),
                Deny(call_id=call_id, by=by),
                Send(message="And hurry", by=by),
            ]
        plain = Approve(call_id=call_id, by=by, retry=asked.kind == "in_doubt")
        edited = self.data.draw(PAID)
        rules: list[Command] = [Revoke(rule_id=one.id, by=by) for one in self.live.rules]
        return [
            *[plain] * 6,
            plain.model_copy(update={"digest": asked.digest}),
            plain.model_copy(update={"arguments": edited}),
            *[plain.model_copy(update={"remember": {"amount": {"le": 20}}})] * 3,
            plain.model_copy(update={"arguments": edited, "remember": {"amount": {"le": 20}}}),
            Answer(call_id=call_id, by=by, result=self.data.draw(TEXT)),
            Deny(call_id=call_id, by=by),
            Send(message="And hurry", by=by),
            *rules,
            *([Abort(by=by)] if not self.data.draw(st.integers(0, 9)) else []),
        ]
