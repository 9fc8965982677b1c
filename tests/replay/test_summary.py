"""The summary of a run, with numbers worked out by hand."""

from datetime import timedelta
from decimal import Decimal

import pytest

from engine import CorruptRunError, State, Usage
from engine.core import events as ev
from engine.core.demand import Demand, Escalation
from engine.prices import LISTED
from engine.replaying.figures import ApprovalUse, ToolUse
from engine.replaying.summary import Summary, summarise
from tests.replay.told import (
    CALL,
    DECIDED,
    LOOK,
    OTHER,
    PAY,
    SETTLED,
    answer,
    asked,
    denied,
    granted,
    model_failed,
    returned,
    said,
    started,
    told,
)
from tests.spec import NOON

MODEL = "gpt-5-mini"


def tool(summary: Summary, name: str = "pay") -> ToolUse:
    return next(one for one in summary.tools if one.tool == name)


def price(*tokens: tuple[int, int]) -> Decimal:
    costs = (LISTED.cost(MODEL, Usage(input_tokens=one, output_tokens=two)) for one, two in tokens)
    return sum((cost for cost in costs if cost is not None), Decimal())


def test_a_run_to_its_end_adds_up() -> None:
    nothing = ev.ToolNotExecuted(call_id=OTHER, error="closed", retry_at=NOON)
    summary = summarise(
        told(
            (2, model_failed()),
            (5, said(LOOK, PAY, model=MODEL, tokens=(1000, 100))),
            (5, started(CALL, "look")),
            (6, asked(OTHER)),
            (7, returned(CALL)),
            (16, granted(OTHER, arguments={"order": "1", "amount": 4})),
            (16, DECIDED),
            (17, started(OTHER)),
            (18, nothing),
            (20, started(OTHER, attempt=2)),
            (22, returned(OTHER)),
            (22, SETTLED),
            (25, ev.MessageReceived(message="Well?")),
            (30, answer("Paid.", MODEL, (2000, 200))),
        )
    )
    assert (summary.run_id, summary.workflow, summary.state) == ("r1", "shop", State.Done)
    assert (summary.started_at, summary.ended_at) == (NOON, NOON + timedelta(seconds=30))
    assert (summary.elapsed, summary.waited, summary.waiting_since) == (30.0, 10.0, None)
    assert (summary.turns, summary.messages, summary.seq) == (2, 2, 15)
    assert (summary.model_failures, summary.model_retries) == (1, 1)
    assert summary.usage == Usage(input_tokens=3000, output_tokens=300)
    assert summary.cost == price((1000, 100), (2000, 200)) > 0
    (used,) = summary.models
    assert (used.model, used.replies, used.cost) == (MODEL, 2, summary.cost)
    assert tool(summary, "look") == ToolUse(tool="look", asked=1, started=1, returned=1)
    assert tool(summary) == ToolUse(tool="pay", asked=1, started=1, retried=1, returned=1)
    assert summary.approvals == ApprovalUse(asked=1, edited=1)
    (approval,) = summary.asked
    assert (approval.tool, approval.closing, approval.decided_in) == ("pay", "edited", 10.0)
    assert (summary.answer, summary.reason) == ("Paid.", None)


def test_waits_that_overlap_are_one_and_a_gap_between_them_is_none() -> None:
    summary = summarise(
        told(
            (1, said(PAY, PAY)),
            (6, asked(CALL, 1)),
            (10, asked(OTHER, 2)),
            (16, denied(CALL, 1)),
            (40, denied(OTHER, 2)),
            (40, DECIDED),
            (41, SETTLED),
            (45, said(PAY, turn=2)),
            (50, asked("call_2_1", 3)),
            (55, denied("call_2_1", 3)),
        )
    )
    assert summary.waited == (40 - 6) + (55 - 50)
    assert [one.decided_in for one in summary.asked] == [10.0, 30.0, 5.0]
    assert tool(summary) == ToolUse(tool="pay", asked=3, decided=3)
    assert summary.approvals == ApprovalUse(asked=3, denied=3)


def test_a_parked_run_has_waited_until_its_newest_event() -> None:
    summary = summarise(
        told((3, said(PAY)), (4, asked()), (10, ev.MessageReceived(message="Hello?")))
    )
    assert (summary.state, summary.ended_at) == (State.AwaitingApproval, None)
    assert (summary.elapsed, summary.waited) == (10.0, 6.0)
    assert summary.waiting_since == NOON + timedelta(seconds=4)
    assert summary.approvals == ApprovalUse(asked=1, open=1)
    assert summary.asked[0].decided_in is None
    assert tool(summary) == ToolUse(tool="pay", asked=1, open=1)


def test_what_a_run_that_was_given_up_still_asked_was_decided_by_nobody() -> None:
    summary = summarise(
        told(
            (1, said(LOOK, PAY)),
            (2, started(CALL, "look")),
            (3, asked(OTHER)),
            (9, ev.RunAborted(reason="enough", by="bob")),
            (12, returned(CALL)),
        )
    )
    assert (summary.state, summary.reason) == (State.Aborted, "enough")
    assert (summary.elapsed, summary.waited) == (9.0, 6.0)
    assert summary.updated_at == NOON + timedelta(seconds=12)
    assert summary.approvals == ApprovalUse(asked=1, given_up=1)
    assert summary.asked[0].decided_in is None
    assert tool(summary, "look").returned == 1
    assert tool(summary) == ToolUse(tool="pay", asked=1, open=1)


def test_a_call_without_a_result_is_in_doubt_also_after_the_end() -> None:
    begun = ((1, said(PAY, LOOK)), (2, started()), (2, started(OTHER, "look", repeats="read_only")))
    summary = summarise(told(*begun))
    assert tool(summary) == ToolUse(tool="pay", asked=1, started=1, in_doubt=1)
    assert tool(summary, "look") == ToolUse(tool="look", asked=1, started=1, open=1)
    unknown = (9, asked(approval_kind="in_doubt"))
    aborted = (10, ev.RunAborted(reason="enough"))
    for journal in (told(*begun, unknown), told(*begun, unknown, aborted)):
        assert tool(summarise(journal)) == tool(summary)


def test_what_was_refused_or_raised_has_failed() -> None:
    failed = ev.ToolFailed(call_id=CALL, error="no such tool")
    summary = summarise(told((1, said(("gone", "{}"))), (2, failed), (2, SETTLED)))
    assert tool(summary, "gone") == ToolUse(tool="gone", asked=1, failed=1)


def test_an_approval_that_went_to_another_role_is_still_open() -> None:
    demand = Demand(expires_in=60, on_expiry=Escalation(role="boss", expires_in=60))
    expired = ev.ApprovalExpired(
        approval_id="r1.1", call_id=CALL, digest="r1.1", outcome="escalated", role="boss"
    )
    begun = ((1, said(PAY)), (2, asked(demand=demand)), (62, expired))
    open_still = summarise(told(*begun))
    assert open_still.approvals == ApprovalUse(asked=1, open=1)
    assert tool(open_still) == ToolUse(tool="pay", asked=1, open=1)
    over = expired.model_copy(update={"outcome": "denied"})
    ended = summarise(told(*begun, (122, over)))
    assert ended.approvals == ApprovalUse(asked=1, expired=1)
    assert (ended.waited, ended.asked[0].decided_in) == (120.0, 120.0)
    assert tool(ended) == ToolUse(tool="pay", asked=1, decided=1)


def test_what_one_of_two_people_changed_was_edited() -> None:
    two = Demand(quorum=2)
    changed = granted(by="ann", arguments={"order": "1", "amount": 4}, demand=two)
    begun = ((1, said(PAY)), (2, asked(demand=two)), (3, changed))
    assert summarise(told(*begun)).approvals == ApprovalUse(asked=1, open=1)
    whole = summarise(told(*begun, (8, granted(by="bob"))))
    assert whole.approvals == ApprovalUse(asked=1, edited=1)
    assert whole.asked[0].decided_in == 6.0


def test_a_price_that_is_unknown_is_not_nothing() -> None:
    known = (1, said(PAY, model=MODEL, tokens=(1000, 100)))
    mixed = told(known, (2, denied_at_once()), (2, SETTLED), (3, answer("Hi", "mine", (5, 5))))
    summary = summarise(mixed)
    assert summary.cost is None
    assert [(one.model, one.cost) for one in summary.models] == [
        (MODEL, price((1000, 100))),
        ("mine", None),
    ]
    assert summarise(told((1, answer("Hi", MODEL)))).cost is None  # its tokens were not told
    assert summarise(told((1, answer("Hi", None, (5, 5))))).cost is None
    assert summarise(told((1, model_failed()))).cost is None
    assert summarise(told()).cost == 0


def denied_at_once() -> ev.ToolFailed:
    return ev.ToolFailed(call_id=CALL, error="not today")


def test_every_further_try_at_the_model_is_a_retry() -> None:
    failures = told((1, model_failed(1)), (2, model_failed(2)), (3, answer()), (9, heard()))
    summary = summarise((*failures, *more(failures, model_failed(1), answer("Again"))))
    assert (summary.model_failures, summary.model_retries) == (3, 3)
    assert (summary.answer, summary.messages) == ("Again", 2)


def heard() -> ev.MessageReceived:
    return ev.MessageReceived(message="And?")


def more(journal: tuple[ev.Recorded, ...], *events: ev.Event) -> list[ev.Recorded]:
    last = journal[-1]
    return [
        ev.Recorded(seq=last.seq + place, at=last.at, event=event)
        for place, event in enumerate(events, 1)
    ]


def test_a_clock_that_was_set_back_gives_no_negative_times() -> None:
    summary = summarise(told((1, said(PAY)), (50, asked()), (-9, denied())))
    assert (summary.elapsed, summary.waited) == (0.0, 0.0)
    assert summary.asked[0].decided_in == 0.0


def test_no_event_is_no_run() -> None:
    with pytest.raises(CorruptRunError, match="without an event"):
        summarise(())


PAST: tuple[tuple[float, ev.Event], ...] = (
    (1, said(LOOK, PAY, model=MODEL, tokens=(1000, 100))),
    (2, started(CALL, "look")),
    (3, returned(CALL)),
    (4, asked(OTHER)),
    (100, ev.RunForked(run_id="r0", at_seq=5, digest="00")),
    (101, asked(OTHER, 2)),
    (103, denied(OTHER, 2)),
    (103, DECIDED),
    (103, SETTLED),
    (110, answer("Hi", MODEL, (10, 1))),
)


def test_a_fork_is_summed_up_with_the_past_that_it_copied() -> None:
    whole = summarise(told(*PAST))
    assert whole.origin is not None
    assert (whole.origin.run_id, whole.turns, whole.elapsed) == ("r0", 2, 110.0)
    assert whole.cost == price((1000, 100), (10, 1))
    assert whole.approvals == ApprovalUse(asked=2, denied=1, given_up=1)
    assert tool(whole, "look").returned == 1


def test_without_its_past_a_fork_has_only_what_came_since() -> None:
    own = summarise(told(*PAST), past=False)
    assert (own.turns, own.messages, own.elapsed, own.waited) == (1, 0, 10.0, 2.0)
    assert own.started_at == NOON + timedelta(seconds=100)
    assert (own.cost, own.usage.input_tokens) == (price((10, 1)), 10)
    assert own.approvals == ApprovalUse(asked=1, denied=1)
    assert own.tools == (ToolUse(tool="pay", asked=1, decided=1),)
