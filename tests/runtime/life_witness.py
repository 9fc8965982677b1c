"""Somebody who reads each journal as it grows, and says where it breaks a promise.

It shares no code with the loading of runs: only the fold, and the way bytes are read.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from engine.codec.chain import GENESIS, Place, chain
from engine.codec.checkpoints import decode_checkpoint
from engine.codec.events import decode_event, from_ticks
from engine.core import events as ev
from engine.core.evolve import evolve
from engine.core.limits import Limits
from engine.core.run import Run
from engine.core.states import ENDED, TRANSITIONS, State
from engine.ports import Entry, Head
from tests.runtime.life_ledger import Ledger, each_heard_once, is_told_in_order
from tests.runtime.life_shop import GATED, KEY_TTL, REPEATABLE

_ROWS = {(row.trigger, row.source): row.dest for row in TRANSITIONS}
_LATE = {"tool_returned", "tool_failed", "tool_not_executed", "tool_interrupted"}
_LATER = {"message_received", "sticky_rule_revoked"}
_VERDICTS = {"approval_denied", "approval_answered", "approval_expired"}
# The rarer things that are to come to pass, or else nothing is said of them.
RARE = frozenset(
    {
        "edited",
        "agreed by two",
        "denied",
        "aborted",
        "escalated",
        "started by a rule",
        "started while others wait",
        "sticky_rule_revoked",
        "answer_superseded",
        "message in a turn",
    }
)
_RESULTS = {"tool_returned", "tool_failed", *_VERDICTS}


class Witness:
    """The life of one run, as far as it was seen."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.run: Run | None = None
        self.entries: list[Entry] = []
        self.starts, self.allowed = Counter[str](), Counter[str]()
        self.keys: dict[str, str] = {}
        self._digest, self._epoch = GENESIS, 0
        self._state: State | None = None
        self.ledger, self.sent, self.seen = Ledger(), list[str](), Counter[str]()
        self._first: dict[str, datetime] = {}
        self._settled: set[str] = set()

    def look(self, head: Head, entries: Sequence[Entry]) -> None:
        """Read what is new; AssertionError where something is wrong with it."""
        known = len(self.entries)
        assert list(entries[:known]) == self.entries, "what was written has changed"
        for entry in entries[known:]:
            self._take(entry)
        self._epoch = max(self._epoch, head.lease.epoch)
        assert self.run is not None
        assert (head.seq, head.state, head.workflow) == (len(self.entries), self._state, "shop")
        assert decode_checkpoint(head.checkpoint) == self.run.checkpoint(), "the checkpoint is not"
        moving = {call.status for call in self.run.calls} - {"settled", "waiting"}
        due = any(one.expires_at or one.remind_at or one.untold for one in self.run.approvals)
        asleep = self._state in ENDED or (bool(self.run.approvals) and not moving and not due)
        assert (head.ready_at is None) == asleep, "it is ready, or it is not"

    def at_rest(self, shown: AbstractSet[str]) -> None:
        """What is true once everything was driven to its end; `shown` is what the model read."""
        assert self.run is not None
        waits = self.run.state is State.AwaitingApproval and bool(self.run.approvals)
        assert waits or self.run.state in ENDED
        left = {call.status for call in self.run.calls} - {"settled"}
        if self.run.state is State.Done:
            assert not left, "a call has no result"
            assert shown >= set(self.sent), "the model never saw a message"
        if waits:
            assert not left & {"started", "interrupted"}, "a call in doubt is not asked about"

    def _take(self, entry: Entry) -> None:
        assert entry.seq == len(self.entries) + 1, "seq has a gap"
        self._digest = chain(
            self._digest, Place(self.run_id, entry.seq, entry.at, entry.kind), entry.data
        )
        assert entry.digest == self._digest, "the chain is broken"
        assert (entry.kind, self._state) in _ROWS, f"{entry.kind} in {self._state}"
        if self._state in ENDED:
            late = _LATE if self._state is State.Aborted else _LATER
            assert entry.kind in late, f"{entry.kind} after the end"
        event, at = decode_event(entry.kind, entry.data), from_ticks(entry.at)
        self._judge(event, at)
        self.run = evolve(self.run, ev.Recorded(seq=entry.seq, at=at, event=event))
        self._state = _ROWS[entry.kind, self._state]
        assert self.run.state is self._state
        assert each_heard_once(self.run, self.sent), "a message is lost, or stands there twice"
        assert is_told_in_order(self.run.messages), "something stands between calls and results"
        self.entries.append(entry)

    def _judge(self, event: ev.Event, at: datetime) -> None:
        match event:
            case ev.ToolsRequested():
                self._asked(event)
            case ev.ToolStarted():
                self._started(event, at)
            case ev.ToolNotExecuted():
                self._once_more(event.call_id)
            case ev.MessageReceived():
                self.sent.append(event.message)
        self.ledger.take(event, at)
        self._count(event)
        if isinstance(event, ev.ApprovalGranted):
            self._granted(event)
        if event.kind in _RESULTS and getattr(event, "outcome", "") != "escalated":
            self._result(event)

    def _asked(self, event: ev.ToolsRequested) -> None:
        for call in event.message.tool_calls:
            assert call.id not in self.allowed, "two calls of one name"
            self.allowed[call.id] = 1

    def _granted(self, event: ev.ApprovalGranted) -> None:
        asked = self.ledger.asked[event.approval_id]
        if asked.granted and asked.request.approval_kind == "in_doubt":
            self._once_more(event.call_id)

    def _once_more(self, call_id: str) -> None:
        """One more start is fine, whatever the tool."""
        self.allowed[call_id] = self.starts[call_id] + 1

    def _result(self, event: ev.Event) -> None:
        call_id = getattr(event, "call_id", "")
        assert call_id in self.allowed, "a result of a call that nobody asked for"
        assert call_id not in self._settled, "two results of one call"
        self._settled.add(call_id)

    def _started(self, event: ev.ToolStarted, at: datetime) -> None:
        call = event.call_id
        assert call not in self._settled, "started after its result"
        self.starts[call] += 1
        assert event.attempt == self.starts[call], "attempts do not count the starts"
        assert self.keys.setdefault(call, event.idempotency_key) == event.idempotency_key
        assert event.epoch >= self._epoch, "an old driver started it"
        self._epoch = event.epoch
        unasked = self.starts[call] > self.allowed[call]
        assert not unasked or event.tool in REPEATABLE, f"{event.tool} was repeated unasked"
        assert not unasked or event.attempt <= Limits().max_attempts, "repeated for ever"
        first = self._first.setdefault(call, at)
        if unasked and event.tool == "ping":
            assert at - first <= timedelta(seconds=KEY_TTL), "its key was forgotten"
        if event.tool in GATED:
            self.ledger.gate(event)

    def _count(self, event: ev.Event) -> None:
        """Which of the rarer things have come to pass."""
        match event:
            case ev.ApprovalGranted() if event.arguments is not None:
                self.seen["edited"] += 1
            case ev.ApprovalGranted() if self.ledger.asked[event.approval_id].people != {event.by}:
                self.seen["agreed by two"] += 1
            case ev.ApprovalExpired():
                self.seen[event.outcome] += 1
            case ev.ToolStarted() if event.approval_id in self.ledger.rules:
                self.seen["started by a rule"] += 1
            case ev.ToolStarted() if self._state is State.AwaitingApproval:
                self.seen["started while others wait"] += 1
            case ev.StickyRuleRevoked() | ev.AnswerSuperseded():
                self.seen[event.kind] += 1
            case ev.MessageReceived() if self.run and self.run.calls:
                self.seen["message in a turn"] += 1


def keys_differ(witnesses: Mapping[str, Witness]) -> None:
    """No two calls share a key."""
    keys = [key for one in witnesses.values() for key in one.keys.values()]
    assert len(keys) == len(set(keys)), "two calls share a key"
