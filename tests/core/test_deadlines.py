"""What falls due of open approvals."""

from datetime import datetime, timedelta

import pytest

from engine.core import events as ev
from engine.core.approvers import Approvers, Authority
from engine.core.commands import Answer, Approve, Deny
from engine.core.demand import Escalation
from engine.core.policy import ApprovalPolicy, Policy
from engine.core.questions import ask_person
from engine.core.ready import ready_at
from engine.core.tools import tool
from engine.errors import NotAllowedError, RefusedError
from tests.core.story import STAFF, Story, answers, look, pays, shop
from tests.spec import NOON, asks

PAY = ("pay", '{"order": "1"}')
MINUTE = ApprovalPolicy(expires_in=60)
ABORTS = ApprovalPolicy(expires_in=60, on_expiry="abort")
ESCALATES = ApprovalPolicy(
    expires_in=60, on_expiry=Escalation(role="manager", expires_in=30, on_expiry="abort")
)
REMINDS = ApprovalPolicy(remind_every=10)


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def asked(policy: Policy) -> Story:
    return Story(shop(pays(policy)), asks(PAY), authority=STAFF)


@pytest.mark.parametrize(
    ("policy", "first"),
    [
        ("always", None),
        (MINUTE, 60),
        (ABORTS, 60),
        (ESCALATES, 60),
        (REMINDS, 10),
        (ApprovalPolicy(expires_in=5, remind_every=10), 5),
    ],
)
def test_a_driver_has_something_to_do_when_the_first_thing_falls_due(
    policy: Policy, first: float | None
) -> None:
    story = asked(policy)
    assert ready_at(story.live) == (None if first is None else after(first))
    if first is not None:
        told = len(story.journal)
        assert len(story.later(first - 0.001).goes_on().journal) == told
        assert len(story.later(0.001).goes_on().journal) > told


def test_what_nobody_decided_in_time_is_not_done_and_the_model_is_told() -> None:
    story = asked(MINUTE).later(60).goes_on()
    assert (story.waiting, story.starts, story.live.state) == ([], (), "AwaitingModel")
    assert story.read[-1] == ("tool", "Nobody approved this call in time, so it was not made.")
    (said,) = story.live.verdicts
    assert (said.verdict, said.by, said.approval_id) == ("expired", "nobody", "r1.1")


def test_what_has_expired_can_be_granted_no_more() -> None:
    story = asked(MINUTE).later(60).goes_on()
    for command in (Approve(by="ann"), Deny(by="ann"), Answer(by="ann", result="x")):
        story.refuses(command, RefusedError, "was expired by nobody at 2026-01-01 12:01:00 UTC")


def test_a_run_may_end_with_its_deadline() -> None:
    story = Story(shop(pays(ABORTS)), asks(PAY, PAY)).later(60).goes_on()
    assert (story.live.state, story.live.limit) == ("Aborted", "approval_expired")
    assert story.live.reason == "nobody decided in time about pay (call_1_1)"
    assert (story.waiting, ready_at(story.live)) == ([], None)


def test_only_what_is_due_expires() -> None:
    sees = tool(name="see", approval=ApprovalPolicy(expires_in=90))(look)
    story = Story(shop(pays(MINUTE), sees), asks(PAY, ("see", '{"order": "1"}')))
    assert ready_at(story.live) == after(60)
    story.later(60).goes_on()
    assert (story.waiting, ready_at(story.live)) == (["call_1_2"], after(90))
    story.later(30).goes_on()
    assert [one.call_id for one in story.live.verdicts] == ["call_1_1", "call_1_2"]


def test_a_run_that_ends_lets_everything_go() -> None:
    story = Story(shop(pays(ABORTS)), asks(PAY, ("look", '{"order": "1"}')))
    started = story.start
    story.happens(started).later(60).goes_on()
    assert story.live.state == "Aborted"
    story.happens(ev.ToolReturned(call_id=started.call_id, content="late"))  # still to be kept
    assert story.live.results[-1].content == "late"


def test_an_escalation_asks_people_of_another_role_until_a_new_deadline() -> None:
    story = asked(ESCALATES).later(61).goes_on()
    assert (story.waiting, ready_at(story.live)) == (["call_1_1"], after(91))
    assert (story.asked.demand.roles, story.asked.expires_at) == ((("manager",),), after(91))
    expired = story.journal[-1]
    assert isinstance(expired, ev.ApprovalExpired)
    assert (expired.outcome, expired.role) == ("escalated", "manager")
    story.refuses(Approve(by="ann"), NotAllowedError, "it takes the role manager")
    assert story.says(Approve(by="mia")).start.approval_id == "r1.1"


@pytest.mark.parametrize(("then", "state"), [("deny", "AwaitingModel"), ("abort", "Aborted")])
def test_an_escalation_expires_once(then: str, state: str) -> None:
    further = Escalation.model_validate({"role": "manager", "expires_in": 30, "on_expiry": then})
    story = asked(ApprovalPolicy(expires_in=60, on_expiry=further)).later(60).goes_on()
    story.later(29).goes_on()
    assert story.waiting == ["call_1_1"]
    assert story.later(1).goes_on().live.state == state


def test_an_escalation_starts_a_quorum_anew() -> None:
    further = Escalation(role="manager", expires_in=30)
    policy = ApprovalPolicy(quorum=2, roles=["agent"], expires_in=60, on_expiry=further)
    story = asked(policy).says(Approve(by="mia")).later(60).goes_on()
    assert (story.asked.grants, story.asked.demand.quorum) == ((), 2)
    assert story.says(Approve(by="mia")).asked.grants == ("mia",)


def test_who_it_is_escalated_to_may_change_it() -> None:
    policy = ApprovalPolicy(
        roles=["agent"], expires_in=60, on_expiry=Escalation(role="boss", expires_in=30)
    )
    story = asked(policy).later(60).goes_on()
    story.authority = Authority(Approvers({"cy": ["boss"]}))
    start = story.says(Approve(by="cy", arguments={"order": "1", "amount": 3})).start
    assert start.arguments["amount"] == 3


def test_reminders_come_at_intervals_and_change_nothing_else() -> None:
    story = asked(REMINDS)
    before = story.asked
    reminder = ev.ApprovalReminded(approval_id="r1.1", call_id="call_1_1")
    for place in (1, 2, 3):
        story.later(10).goes_on()
        assert story.journal[-1] == reminder
        assert ready_at(story.live) == after(10 * (place + 1))
    assert story.asked == before.model_copy(update={"remind_at": after(40), "occasion": "reminded"})
    assert story.journal.count(reminder) == 3


def test_missed_reminders_are_one() -> None:
    story = asked(REMINDS)
    told = len(story.journal)
    assert len(story.later(1000).goes_on().journal) == told + 1
    assert ready_at(story.live) == after(1010)


def test_what_has_expired_is_not_reminded_of() -> None:
    story = asked(ApprovalPolicy(expires_in=60, remind_every=60)).later(60).goes_on()
    assert not any(isinstance(event, ev.ApprovalReminded) for event in story.journal)


def test_a_verdict_ends_its_deadline() -> None:
    story = asked(MINUTE).later(59).says(Approve(by="ann")).later(60).goes_on()
    assert story.start.approval_id == "r1.1"


def test_a_call_in_doubt_never_expires_but_is_reminded_of() -> None:
    policy = ApprovalPolicy(expires_in=60, on_expiry="abort", remind_every=600)
    story = asked(policy).says(Approve(by="ann"))
    story.happens(story.start).goes_on()
    assert (story.asked.kind, story.asked.expires_at) == ("in_doubt", None)
    assert ready_at(story.live) == after(600)
    story.later(10**8).goes_on()
    assert (story.waiting, story.live.state) == (["call_1_1"], "AwaitingApproval")
    assert isinstance(story.journal[-1], ev.ApprovalReminded)


def test_a_question_expires_in_its_own_words() -> None:
    story = Story(shop(ask_person(approval=MINUTE)), asks(("ask_person", '{"question": "Who?"}')))
    assert ready_at(story.live) == after(60)
    assert story.later(60).goes_on().read[-1] == ("tool", "Nobody answered in time.")


def test_a_clock_that_was_set_back_lets_nothing_expire() -> None:
    story = asked(MINUTE).later(-3600).goes_on()
    assert (story.waiting, ready_at(story.live)) == (["call_1_1"], after(60))


def test_the_turn_s_other_calls_are_ready_at_once() -> None:
    calls = asks(PAY, ("look", '{"order": "1"}'))
    story = Story(shop(pays(MINUTE)), calls)
    at_once = ready_at(story.live)
    assert at_once is not None
    assert at_once < NOON
    assert ready_at(story.returns().live) == after(60)


def test_a_call_to_be_tried_again_is_ready_at_its_time() -> None:
    story = Story(shop(pays(MINUTE)), asks(PAY, ("look", '{"order": "1"}')))
    start = story.start
    failed = ev.ToolNotExecuted(call_id=start.call_id, error="closed", retry_at=after(7))
    assert ready_at(story.happens(start, failed).live) == after(7)


def test_what_batch_holds_back_is_not_ready() -> None:
    flow = shop(pays(ApprovalPolicy(batch=True)))
    story = Story(flow, asks(PAY, PAY)).says(Approve(by="ann", call_id="call_1_1"))
    assert ready_at(story.live) is None


def test_an_ended_run_is_never_ready() -> None:
    assert ready_at(Story(shop(), answers()).live) is None
