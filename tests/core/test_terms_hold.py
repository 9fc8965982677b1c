"""What was found by attack: each of these failed once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import click
import pytest

from engine.cli.reading import conditions_of
from engine.core import events as ev
from engine.core.approvers import Approvers
from engine.core.commands import Approve
from engine.core.effects import Park
from engine.core.notices import Notice
from engine.core.policy import ApprovalPolicy, Policy, Rule
from engine.core.record import CallRecord, record_of
from engine.core.tool import Tool
from engine.core.tools import tool
from engine.errors import BadInputError, DefinitionError, RefusedError
from engine.runtime.late import on_top
from tests.core.story import Story, pay, pays, shop
from tests.spec import NOON, asks

PAY = asks(("pay", '{"order": "1"}'))
BOTH = asks(("pay", '{"order": "1"}'), ("other", '{"order": "1"}'))
EDIT: Any = {"order": "1", "amount": 3}


def recorded(story: Story) -> tuple[CallRecord, ...]:
    return record_of(ev.Recorded(seq=n, at=NOON, event=e) for n, e in enumerate(story.journal, 1))


def test_an_edit_outlives_a_doubt() -> None:
    story = Story(shop(pays()), PAY).says(Approve(by="ann", arguments=EDIT))
    story.happens(story.start)  # and the driver dies
    story.goes_on().says(Approve(by="ann", retry=True)).returns("paid")
    assert "A person changed the arguments" in str(story.read[-1][1])


def test_an_edit_outlives_a_policy_that_changed() -> None:
    story = Story(shop(pays()), PAY).says(Approve(by="ann", arguments=EDIT))
    story.workflow = shop(pays(ApprovalPolicy(four_eyes=True)))
    story.run = story.live.model_copy(update={"by": "zoe"})
    story.goes_on()
    assert story.asked.arguments["amount"] == 3
    story.says(Approve(by="bob", digest=story.asked.digest))
    assert story.start.arguments["amount"] == 3


def test_doubtful_repeatable_is_not_made_again_under_terms_that_got_stricter() -> None:
    def tools(policy: Policy) -> Tool:
        return tool(idempotent=True, approval=policy)(pay)

    story = Story(shop(tools("always")), PAY).says(Approve(by="ann"))
    story.happens(story.start)
    story.workflow = shop(tools(ApprovalPolicy(quorum=2)))
    story.goes_on()
    assert story.starts == ()


def test_retry_of_audited_keeps_its_mark() -> None:
    story = Story(shop(tool(idempotent=True, approval="audit")(pay)), PAY)
    assert story.start.audit
    story.happens(story.start)
    story.returns("ok")
    (record, *_) = recorded(story)
    assert record.to_review


def test_duplicate_of_a_grant_before_an_edit_is_no_grant_of_the_edit() -> None:
    story = Story(shop(pays(ApprovalPolicy(quorum=2))), PAY)
    first = Approve(by="ann", approval_id="r1.1")
    story.says(first, Approve(by="bob", arguments={"order": "1", "amount": 999}))
    story.refuses(first, RefusedError, "look at it again")
    assert story.starts == ()


def test_two_conditions_on_one_argument_both_hold() -> None:
    with pytest.raises(click.UsageError, match="already"):
        conditions_of(('order != "A"', 'order != "B"'))


def test_seen_stays() -> None:
    story = Story(shop(pays()))
    reply = asks(("look", '{"order": "1"}'))
    seen = len(story.live.messages)
    story.happens(ev.MessageReceived(message="one"))
    late = on_top(story.live, reply, seen)
    assert late is not None
    seen2 = len(story.live.messages)
    story.happens(ev.MessageReceived(message="two"))
    late2 = on_top(story.live, late, seen2)
    assert late2 is not None
    story.happens(late2)
    assert story.live.unread == 2


def test_record_of_in_doubt() -> None:
    story = Story(shop(pays()), PAY).says(Approve(by="ann"))
    story.happens(story.start)
    story.goes_on()
    assert story.asked.kind == "in_doubt"
    (record, *_) = recorded(story)
    assert record.outcome == "in doubt"


def test_edit_to_a_shorter_deadline() -> None:
    rules = [Rule(when={"amount": {"gt": 50}}, expires_in=60), Rule(expires_in=86400, quorum=2)]
    story = Story(shop(pays(rules)), PAY)
    story.says(Approve(by="ann", arguments={"order": "1", "amount": 99}))
    assert story.asked.expires_at == story.now + timedelta(seconds=60)


def test_tiny_reminders() -> None:
    with pytest.raises(DefinitionError):
        ApprovalPolicy(remind_every=1e-9)


def test_old_notice_does_not_count_for_new() -> None:
    class Desk:
        name = "desk"

        async def notify(self, notice: Notice) -> None:
            raise AssertionError(notice)

    wf = replace(shop(pays(ApprovalPolicy(quorum=2))), notifiers=(Desk(),))
    story = Story(wf, PAY)
    told = ev.ApprovalNotified(approval_id="r1.1", call_id="call_1_1", notifier="desk")
    was = story.live
    story.says(Approve(by="ann", arguments=EDIT))
    assert on_top(story.live, told, 0, was) is None
    assert on_top(was, told, 0, was) == told


def test_retry_wait_does_not_hide_deadline() -> None:
    policy = ApprovalPolicy(expires_in=5)
    other = tool(name="other", approval="never")(pay)
    story = Story(shop(pays(policy), other), BOTH)
    later = story.now + timedelta(seconds=60)
    start = next(one for one in story.starts if one.tool == "other")
    failed = ev.ToolNotExecuted(call_id=start.call_id, error="no", retry_at=later)
    story.happens(start, failed).goes_on().decides(Park(until=story.asked.expires_at))


def test_roles_that_are_one_text_are_no_roles() -> None:
    with pytest.raises(BadInputError, match="are a list"):
        Approvers({"ann": "manager"})
