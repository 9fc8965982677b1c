"""Random walks over the machine, folded, encoded, and folded back."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec.checkpoints import decode_checkpoint, encode_checkpoint
from engine.codec.events import decode_event, encode_event
from engine.core import events as ev
from engine.core.approvers import person
from engine.core.canonical import parse_object
from engine.core.conditions import hold
from engine.core.evolve import fold
from engine.core.ready import ready_at
from engine.core.run import Run
from engine.core.sent import NOTE
from engine.core.states import ENDED
from tests.core.story import valid_for_chat
from tests.core.walking import PAY, SHOP, Walk

# What the walks are there to come across, together; each comes dozens of times.
# Rarer ways, such as a start by a rule, are checked where a walk takes them.
REACHED = {
    "answer_superseded",
    "approval_answered",
    "approval_denied",
    "approval_expired",
    "approval_granted",
    "approval_notified",
    "edited",
    "message_received",
    "notification_failed",
    "refused",
}


def test_walks_fold_back_to_the_same_run_through_bytes() -> None:
    reached: Counter[str] = Counter()

    @settings(max_examples=80)
    @given(st.data())
    def walk(data: st.DataObject) -> None:
        walk = Walk(data)
        while len(walk.journal) < 70 and walk.step():
            _is_in_shape(walk.live)
        _folds_back(walk)
        reached.update(_holds_together(walk))

    walk()
    assert not REACHED - set(reached), reached


def _is_in_shape(run: Run) -> None:
    """What is true of every run after every step."""
    assert valid_for_chat(run)
    replies = [place for place, one in enumerate(run.messages) if one.role == "assistant"]
    since = run.messages[replies[-1] + 1 if replies else 2 :]
    said = [one for one in (*since, *run.inbox) if one.role == "user"]
    unread = [one for one in said if not (one.content or "").startswith(NOTE)]
    assert run.unread == len(unread)
    assert (ready_at(run) is None) <= (run.state in ENDED or bool(run.approvals))
    waiting = [call.id for call in run.calls if call.status == "waiting"]
    asked = [one.call_id for one in run.approvals]
    assert run.state == "Aborted" or sorted(asked) == sorted(waiting)


def _folds_back(walk: Walk) -> None:
    again = [
        one.model_copy(update={"event": decode_event(one.event.kind, encode_event(one.event))})
        for one in walk.journal
    ]
    assert again == walk.journal
    assert fold(again) == walk.run
    checkpoint = walk.live.checkpoint()
    assert decode_checkpoint(encode_checkpoint(checkpoint)) == checkpoint


class _Books:
    """The journal read once more, by other means: who allowed what, and what has run."""

    def __init__(self) -> None:
        self.said: dict[str, list[ev.ApprovalGranted]] = {}
        self.open: set[str] = set()
        self.used: dict[str, str] = {}
        self.rules: dict[str, ev.StickyRuleAdded] = {}
        self.reached: Counter[str] = Counter()

    def take(self, run: Run | None, recorded: ev.Recorded) -> None:
        """One more event, which came upon that run."""
        event = recorded.event
        self.reached[event.kind] += 1
        match event:
            case ev.ApprovalGranted():
                assert run is not None
                due = run.approval(event.approval_id).expires_at
                assert due is None or recorded.at <= due, "granted after its deadline"
                self.said.setdefault(event.approval_id, []).append(event)
                self.open.add(event.approval_id)
                self.reached["edited"] += event.arguments is not None
            case ev.StickyRuleAdded():
                self.rules[event.rule_id] = event
            case ev.StickyRuleRevoked():
                del self.rules[event.rule_id]
            case ev.ToolNotExecuted(call_id=call_id) if call_id in self.used:
                self.open.add(self.used[call_id])  # it did nothing, so its grant still holds
            case ev.ToolStarted(tool="pay"):
                assert run is not None
                self.reached[f"started {self._allowed(run, event)}"] += 1

    def _allowed(self, run: Run, start: ev.ToolStarted) -> str:
        """By what a payment was allowed; AssertionError where by nothing."""
        demand = SHOP.demand(PAY.name, start.arguments, run)
        if start.approval_id is None:
            assert (demand.ask, bool(start.audit)) == ("audit", True)
            return "to be reviewed"
        if rule := self.rules.get(start.approval_id):
            assert hold(rule.when, start.arguments)
            assert demand.quorum == 1
            return "by a rule"
        assert start.approval_id in self.open, "a gated tool started without a grant"
        self.open.remove(start.approval_id)  # one grant, one start
        self.used[start.call_id] = start.approval_id
        digest = PAY.digest(start.arguments, demand)
        people = {person(one.by) for one in self.said[start.approval_id] if one.digest == digest}
        assert len(people) >= demand.quorum, "too few people agreed to exactly this"
        return "by two" if demand.quorum > 1 else "by one"


def _holds_together(walk: Walk) -> Counter[str]:
    """What is true of every journal, wherever its walk has led; and what it has come across."""
    run = walk.live
    assert run.seq == len(walk.journal)
    books, before = _Books(), None
    for one in walk.journal:
        books.take(before, one)
        before = fold([one], before)
    asked = {call.id for message in run.messages for call in message.tool_calls}
    answered = [message.tool_call_id for message in run.messages if message.role == "tool"]
    assert len(answered) == len(set(answered))
    assert asked - set(answered) == {call.id for call in run.calls}
    approvals = [one.event for one in walk.journal if isinstance(one.event, ev.ApprovalRequested)]
    assert len({one.approval_id for one in approvals}) == len(approvals) == run.asked
    books.reached["refused"] += walk.refused
    return books.reached


@given(st.text())
def test_any_text_of_arguments_is_an_object_or_a_clear_refusal(text: str) -> None:
    try:
        value = parse_object(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 # either outcome is fine, if it is clear
    else:
        assert isinstance(value, dict)
