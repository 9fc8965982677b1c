"""What people have allowed of one run, as its journal says; and its transcript.

Whoever holds a gated call against it shares no code with the engine's judgement.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from engine import Message
from engine.core import events as ev
from engine.core.messages import Arguments
from engine.core.run import Run

Verdict = ev.ApprovalGranted | ev.ApprovalDenied | ev.ApprovalAnswered


@dataclass
class Asked:
    """One approval, as far as it has come."""

    request: ev.ApprovalRequested
    arguments: Arguments
    digest: str
    deadline: datetime | None
    people: set[str] = field(default_factory=set)
    closed: bool = False
    granted: bool = False

    def agree(self, event: ev.ApprovalGranted) -> None:
        """One more agrees; whoever changes the arguments is the first for these."""
        if event.arguments is not None:
            assert event.digest != self.digest, "other arguments under the same digest"
            self.arguments, self.digest, self.people = event.arguments, event.digest, set()
        assert event.digest == self.digest, "granted is another action than is asked about"
        assert event.by not in self.people, "one person agreed twice"
        self.people.add(event.by)
        self.granted = len(self.people) >= self.request.demand.quorum
        self.closed = self.granted or self.request.approval_kind == "changed"


class Ledger:
    """Approvals and rules by their names."""

    def __init__(self) -> None:
        self.asked: dict[str, Asked] = {}
        self.rules: dict[str, ev.StickyRuleAdded] = {}

    def take(self, event: ev.Event, at: datetime) -> None:
        """One more event; AssertionError where nobody could have said that."""
        match event:
            case ev.ApprovalRequested():
                assert event.approval_id not in self.asked, "two approvals of one name"
                self.asked[event.approval_id] = Asked(
                    event, event.arguments, event.digest, event.expires_at
                )
            case ev.ApprovalGranted() | ev.ApprovalDenied() | ev.ApprovalAnswered():
                self._said(event, at)
            case ev.ApprovalExpired():
                self._expired(event, at)
            case ev.StickyRuleAdded():
                assert event.rule_id not in self.rules, "two rules of one name"
                self.rules[event.rule_id] = event
            case ev.StickyRuleRevoked():
                assert self.rules.pop(event.rule_id, None), "revoked twice"

    def gate(self, event: ev.ToolStarted) -> None:
        """Nothing; AssertionError where a gated call starts that nobody allowed so."""
        name = event.approval_id or ""
        if (rule := self.rules.get(name)) is not None:
            assert rule.tool == event.tool
            allowed = rule.when["order"]["in"]
            assert isinstance(allowed, list)
            assert event.arguments["order"] in allowed, "broader than the rule says"
            return
        assert name in self.asked, f"{event.tool} started without a grant, or a rule that stands"
        asked = self.asked[name]
        assert asked.granted, f"{event.tool} started without as many grants as it takes"
        assert asked.request.approval_kind != "changed", "started for what was no grant"
        assert (asked.request.call_id, asked.request.tool) == (event.call_id, event.tool)
        assert asked.arguments == event.arguments, "other arguments than were granted"

    def _said(self, event: Verdict, at: datetime) -> None:
        asked = self._open(event)
        assert asked.deadline is None or at < asked.deadline, "decided after its deadline"
        assert event.note in {None, event.call_id}, "said of another call"
        if isinstance(event, ev.ApprovalGranted):
            asked.agree(event)
        else:
            assert event.digest == asked.digest
            asked.closed = True

    def _expired(self, event: ev.ApprovalExpired, at: datetime) -> None:
        asked = self._open(event)
        assert asked.deadline is not None, "it had no deadline"
        assert asked.deadline <= at, "expired before its deadline"
        asked.people.clear()
        asked.deadline = event.expires_at
        asked.closed = event.outcome != "escalated"

    def _open(self, event: Verdict | ev.ApprovalExpired) -> Asked:
        asked = self.asked[event.approval_id]
        assert not asked.closed, f"{event.kind} after it was decided or had expired"
        assert asked.request.call_id == event.call_id
        return asked


def is_told_in_order(messages: Sequence[Message]) -> bool:
    """Whether each turn's results follow at once on what asked for them, in that order."""
    place = 0
    while place < len(messages):
        asked = [call.id for call in messages[place].tool_calls]
        results = messages[place + 1 : place + 1 + len(asked)]
        if results and [one.tool_call_id for one in results] != asked:
            return False
        place += 1 + len(results)
        if place < len(messages) and messages[place].role == "tool":
            return False
    return True


def each_heard_once(run: Run, sent: Iterable[str]) -> bool:
    """Whether every message of the customer's stands in the transcript, or is about to."""
    texts = [one.content for one in (*run.messages, *run.inbox) if one.role == "user"]
    return sorted(map(str, texts[1:])) == sorted(sent)
