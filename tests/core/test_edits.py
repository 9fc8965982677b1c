"""A grant with other arguments than the model's is a grant of another action."""

from typing import Any

import pytest

from engine.core import events as ev
from engine.core.commands import Approve, Deny
from engine.core.demand import Demand
from engine.core.messages import Arguments
from engine.core.policy import ApprovalPolicy, Policy, Rule
from engine.core.run import Run
from engine.core.tool import Tool
from engine.errors import BadInputError, NotAllowedError, RefusedError
from tests.core.story import STAFF, Story, pays, shop
from tests.spec import asks

PAY = asks(("pay", '{"order": "1"}'))
ASKED: Arguments = {"order": "1", "amount": 5.0}
EDIT: Arguments = {"order": "1", "amount": 3}
STRICT = [Rule(when={"amount": {"gt": 50}}, quorum=2, roles=["agent"]), Rule()]


def asked(policy: Policy | None = None) -> Story:
    return Story(shop(pays(policy)), PAY, authority=STAFF)


def large(arguments: Arguments, run: Run) -> bool:
    del run
    return float(str(arguments["amount"])) > 4


def test_what_runs_is_the_edited_action_and_both_are_in_the_journal() -> None:
    edited: Arguments = {"order": "1", "amount": 3.0}
    story = asked().says(Approve(by="ann", arguments=EDIT, note="less"))
    request, grant = story.journal[2:4]
    assert isinstance(request, ev.ApprovalRequested)
    assert isinstance(grant, ev.ApprovalGranted)
    assert (request.arguments, grant.arguments) == (ASKED, edited)
    assert grant.digest == pays().digest(edited, Demand()) != request.digest
    assert (story.start.arguments, story.start.approval_id) == (edited, "r1.1")
    assert story.live.verdicts[0].arguments == edited
    assert story.live.calls[0].digest == grant.digest


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "order: Field required"),
        ({"order": 3}, "order"),
        ({"order": "1", "amount": "much"}, "amount"),
        ({"order": "1", "to": "me"}, "to"),
        ({"order": "\ud800"}, "surrogates"),
        ({"order": "1", "amount": 2**60}, "amount|1152921504606846976"),
    ],
)
def test_an_edit_has_to_fit_the_tool(arguments: dict[str, Any], fault: str) -> None:
    words = f"the changed arguments do not fit pay: .*({fault})"
    asked().refuses(Approve(by="ann", arguments=arguments), BadInputError, words)


def test_an_edit_that_is_no_number_is_not_read_as_nothing() -> None:
    """It would be run with the default in its place."""
    with pytest.raises((BadInputError, ValueError), match="amount|nan|finite"):
        asked().says(Approve(by="ann", arguments={"order": "1", "amount": float("nan")}))


def test_an_edit_that_changes_nothing_is_a_plain_grant() -> None:
    story = asked().says(Approve(by="ann", arguments={"order": "1", "amount": 5}))
    assert story.start.arguments == ASKED
    assert story.live.calls[0].edits is None
    assert story.returns("paid").read[-1] == ("tool", "paid")


@pytest.mark.parametrize(
    ("arguments", "how"),
    [
        (EDIT, "amount: 5.0 -> 3.0"),
        ({"order": "2", "amount": 5}, 'order: "1" -> "2"'),
        ({"order": "2", "amount": 3}, 'amount: 5.0 -> 3.0; order: "1" -> "2"'),
    ],
)
def test_the_model_reads_how_its_call_was_changed(arguments: Arguments, how: str) -> None:
    story = asked().says(Approve(by="ann", arguments=arguments)).returns("paid")
    words = f"A person changed the arguments before the call was made ({how}). It gave:\npaid"
    assert story.read[-1] == ("tool", words)


def test_an_argument_that_is_left_out_is_said_to_be_nothing() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {}, "b": {}}}
    bare = Tool(name="pay", description="", parameters=schema, function=print)
    story = Story(shop(bare), asks(("pay", '{"a": 1, "b": {"c": 2}}')))
    story.says(Approve(by="ann", arguments={"a": True}))
    assert story.start.arguments == {"a": True}
    assert story.live.calls[0].edits == 'a: 1 -> true; b: {"c":2} -> nothing'


@pytest.mark.parametrize("value", [True, "1", [1], None])
def test_no_edit_is_lost_as_equal(value: Any) -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {}}, "required": ["a"]}
    bare = Tool(name="pay", description="", parameters=schema, function=print)
    story = Story(shop(bare), asks(("pay", '{"a": 1}')))
    ran = story.says(Approve(by="ann", arguments={"a": value})).start.arguments["a"]
    assert (ran, type(ran)) == (value, type(value))


def test_an_edited_call_that_failed_says_so_too() -> None:
    story = asked().says(Approve(by="ann", arguments=EDIT))
    story.happens(story.start, ev.ToolFailed(call_id="call_1_1", error="closed")).goes_on()
    assert str(story.read[-1][1]).startswith("A person changed the arguments")


def test_an_edit_is_kept_while_the_call_is_tried_again() -> None:
    story = asked().says(Approve(by="ann", arguments=EDIT))
    first = story.start
    failed = ev.ToolNotExecuted(call_id="call_1_1", error="closed", retry_at=story.now)
    story.happens(first, failed).goes_on()
    assert (story.start.arguments, story.start.attempt) == (first.arguments, 2)


def test_a_late_verdict_on_what_was_asked_before_the_edit_is_refused() -> None:
    story = asked(ApprovalPolicy(quorum=2))
    seen = story.asked.digest
    story.says(Approve(by="ann", arguments=EDIT, digest=seen))
    assert story.asked.original == ASKED
    for command in (Approve(by="bob", digest=seen), Deny(by="bob", digest=seen)):
        story.refuses(command, RefusedError, f"it is {story.asked.digest[:12]} by now")
    story.says(Approve(by="bob", digest=story.asked.digest))
    assert story.start.arguments == {"order": "1", "amount": 3.0}


def test_an_edit_resets_the_grants_of_a_quorum() -> None:
    story = asked(ApprovalPolicy(quorum=3)).says(Approve(by="ann"), Approve(by="bob"))
    story.says(Approve(by="mia", arguments=EDIT))
    assert (story.asked.grants, story.asked.original) == (("mia",), ASKED)
    story.says(Approve(by="ann", digest=story.asked.digest))
    assert story.starts == ()
    story.refuses(Approve(by="Mia"), NotAllowedError, "already")
    story.says(Approve(by="bob", digest=story.asked.digest))
    assert story.start.arguments == {"order": "1", "amount": 3.0}
    assert story.live.calls[0].edits == "amount: 5.0 -> 3.0"


def test_who_granted_may_change_it_and_counts_once() -> None:
    story = asked(ApprovalPolicy(quorum=2)).says(Approve(by="ann"))
    story.says(Approve(by="ann", arguments=EDIT))
    assert (story.asked.grants, story.starts) == (("ann",), ())


def test_an_edit_that_is_taken_back_is_none() -> None:
    story = asked(ApprovalPolicy(quorum=2)).says(Approve(by="ann", arguments=EDIT))
    story.says(Approve(by="bob", arguments=ASKED))
    assert (story.asked.grants, story.asked.arguments) == (("bob",), ASKED)
    story.says(Approve(by="mia"))
    assert story.start.arguments == ASKED
    assert story.returns("paid").read[-1] == ("tool", "paid")


def test_a_policy_that_is_stricter_with_the_edit_needs_more_people() -> None:
    story = asked(STRICT)
    assert story.asked.demand.quorum == 1
    story.says(Approve(by="ann", arguments={"order": "1", "amount": 60}))
    assert (story.starts, story.asked.demand.quorum, story.asked.grants) == ((), 2, ("ann",))
    story.says(Approve(by="bob"))
    assert story.start.arguments == {"order": "1", "amount": 60.0}


def test_a_policy_that_is_stricter_with_the_edit_needs_another_role() -> None:
    story = asked([Rule(when={"amount": {"gt": 50}}, roles=["manager"]), Rule()])
    edit: Arguments = {"order": "1", "amount": 60}
    words = "ann may not change pay so: it takes the role manager"
    story.refuses(Approve(by="ann", arguments=edit), NotAllowedError, words)
    assert story.says(Approve(by="mia", arguments=edit)).start.arguments["amount"] == 60


def test_a_policy_that_is_stricter_with_the_edit_needs_four_eyes() -> None:
    flow = shop(pays([Rule(when={"amount": {"gt": 50}}, four_eyes=True), Rule()]))
    story = Story(flow, PAY, by="ann", authority=STAFF)
    edit: Arguments = {"order": "1", "amount": 60}
    story.refuses(Approve(by="ann", arguments=edit), NotAllowedError, "ann started the run")
    assert story.says(Approve(by="bob", arguments=edit)).start


def test_an_edit_that_the_policy_would_not_ask_about_takes_what_was_demanded() -> None:
    story = asked(ApprovalPolicy(when=large, quorum=2)).says(Approve(by="ann", arguments=EDIT))
    assert (story.starts, story.asked.demand.quorum) == ((), 2)
    assert story.says(Approve(by="bob")).start.arguments == {"order": "1", "amount": 3.0}


def test_an_edit_to_be_run_under_a_policy_that_changed_is_asked_again_as_edited() -> None:
    story = asked().says(Approve(by="ann", arguments=EDIT))
    story.under(shop(pays(ApprovalPolicy(quorum=2)))).goes_on()
    assert story.starts == ()
    assert story.asked.arguments == {"order": "1", "amount": 3.0}
    assert story.asked.digest == pays().digest(story.asked.arguments, story.asked.demand)


@pytest.mark.parametrize("edit", [EDIT, {"order": "1", "amount": 3.0}, {"amount": 3, "order": "1"}])
def test_the_same_edit_twice_is_one(edit: Arguments) -> None:
    story = asked()
    command = Approve(by="ann", arguments=edit, digest=story.asked.digest[:12])
    story.says(command).unmoved_by(command)


def test_the_same_edit_without_its_defaults_twice_is_one() -> None:
    command = Approve(by="ann", arguments={"order": "2"})
    asked().says(command).unmoved_by(command)
    unedited = Approve(by="ann", arguments=ASKED)
    asked().says(unedited).unmoved_by(unedited)


def test_another_edit_is_another_verdict() -> None:
    story = asked().says(Approve(by="ann", arguments=EDIT))
    others: list[Arguments] = [{"order": "1", "amount": 4}, {"order": "1"}, {"order": 5}]
    for other in others:
        story.refuses(Approve(by="ann", arguments=other), RefusedError, "was granted by ann")
    story.refuses(Approve(by="ann"), RefusedError, "was granted by ann")
