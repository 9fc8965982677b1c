"""A rule by which a person allows a tool beforehand: never broader than what was said."""

from typing import Any

import pytest

from engine.core import events as ev
from engine.core.commands import Abort, Approve, Revoke
from engine.core.conditions import Conditions
from engine.core.demand import Escalation
from engine.core.messages import Arguments
from engine.core.policy import ApprovalPolicy, Policy, Rule
from engine.core.run import Run
from engine.core.tool import Tool
from engine.core.tools import tool
from engine.errors import BadInputError, EngineError, RefusedError
from tests.core.story import STAFF, Story, answers, look, pays, shop
from tests.spec import asks

SMALL: Conditions = {"order": {"eq": "1"}, "amount": {"le": 20}}
FIRST = asks(("pay", '{"order": "1"}'))


def large(arguments: Arguments, run: Run) -> bool:
    del run
    return float(str(arguments["amount"])) > 1


def wrecked(arguments: Arguments, run: Run) -> bool:
    raise ValueError(f"{arguments} {run.id}")


def ruled(policy: Policy | None = None, when: Conditions = SMALL, **more: Any) -> Story:
    """A first call was granted with a rule, and has returned."""
    story = Story(shop(pays(policy)), FIRST, authority=STAFF)
    return story.says(Approve(by="ann", remember=when, **more)).returns()


def pays_again(story: Story, text: str) -> Story:
    return story.happens(asks(("pay", text), turn=2)).goes_on()


def test_a_grant_brings_its_rule_as_an_event() -> None:
    story = Story(shop(pays()), FIRST).says(Approve(by="ann", remember=SMALL))
    grant, added = story.journal[3:5]
    assert isinstance(grant, ev.ApprovalGranted)
    assert isinstance(added, ev.StickyRuleAdded)
    assert (added.rule_id, added.tool, added.when, added.by) == ("r1.rule1", "pay", SMALL, "ann")
    (rule,) = story.live.rules
    assert (rule.id, rule.at, story.live.ruled) == ("r1.rule1", story.now, 1)
    assert story.start.approval_id == "r1.1"  # the grant itself; the rule is for others


@pytest.mark.parametrize(
    ("text", "unasked"),
    [
        ('{"order": "1", "amount": 20}', True),
        ('{"order": "1"}', True),
        ('{"order": "1", "amount": 20.01}', False),
        ('{"order": "1", "amount": 999}', False),
        ('{"order": "2", "amount": 1}', False),
    ],
)
def test_a_rule_holds_while_its_conditions_do(text: str, unasked: bool) -> None:
    story = pays_again(ruled(), text)
    if unasked:
        assert (story.waiting, story.start.approval_id) == ([], "r1.rule1")
    else:
        assert (story.waiting, story.starts) == (["call_2_1"], ())


def test_a_rule_is_for_the_calls_of_its_own_turn_too() -> None:
    calls = (("pay", '{"order": "1"}'), ("pay", '{"order": "1", "amount": 7}'))
    story = Story(shop(pays()), asks(*calls))
    story.says(Approve(by="ann", call_id="call_1_1", remember=SMALL))
    assert story.waiting == ["call_1_2"]  # it was asked before, so it is still answered


def test_a_rule_is_for_its_own_tool() -> None:
    sees = tool(name="see", approval="always")(look)
    story = Story(shop(pays(), sees), FIRST)
    story.says(Approve(by="ann", remember={"order": {"eq": "1"}})).returns()
    story.happens(asks(("see", '{"order": "1"}'), turn=2)).goes_on()
    assert story.waiting == ["call_2_1"]


def test_a_rule_is_not_for_another_schema() -> None:
    @tool(name="pay")
    def changed(order: str, amount: float = 5.0, currency: str = "EUR") -> str:
        """Pay in some currency."""
        return f"{order} {amount} {currency}"

    story = ruled().under(shop(changed)).goes_on()  # which is noted before the next turn
    pays_again(story, '{"order": "1"}')
    assert (story.asked.kind, story.starts) == ("tool_call", ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, ApprovalPolicy(quorum=2)),
        (None, ApprovalPolicy(roles=["agent"])),
        (None, ApprovalPolicy(four_eyes=True)),
        (None, large),
        (large, wrecked),
        (large, [Rule()]),
    ],
)
def test_a_rule_is_not_for_what_the_policy_demands_otherwise(
    before: Policy | None, after: Policy
) -> None:
    story = ruled(before)
    assert pays_again(story.copy(), '{"order": "1", "amount": 7}').start
    story.under(shop(pays(after))).goes_on()
    assert pays_again(story, '{"order": "1", "amount": 7}').waiting == ["call_2_1"]


def test_a_rule_of_one_rule_of_the_policy_is_not_for_another() -> None:
    policy = [Rule(when={"amount": {"gt": 10}}), Rule()]
    story = ruled(policy)
    assert pays_again(story.copy(), '{"order": "1", "amount": 7}').start
    assert pays_again(story, '{"order": "1", "amount": 11}').waiting


@pytest.mark.parametrize("policy", [None, large, [Rule(tool="pa?")], ApprovalPolicy(when=large)])
def test_a_rule_comes_with_an_edited_grant_as_well(policy: Policy | None) -> None:
    story = ruled(policy, {"amount": {"eq": 7}}, arguments={"order": "1", "amount": 7})
    assert pays_again(story, '{"order": "9", "amount": 7}').start.approval_id == "r1.rule1"


def test_a_rule_of_an_escalated_grant_holds_under_the_same_policy() -> None:
    policy = ApprovalPolicy(
        roles=["agent"], expires_in=60, on_expiry=Escalation(role="manager", expires_in=60)
    )
    story = Story(shop(pays(policy)), FIRST, authority=STAFF).later(60).goes_on()
    story.says(Approve(by="mia", remember=SMALL)).returns()
    assert pays_again(story, '{"order": "1", "amount": 7}').start.approval_id == "r1.rule1"


@pytest.mark.parametrize(
    ("when", "error", "fault"),
    [
        ({}, BadInputError, "say while what holds"),
        ({"order": {}}, BadInputError, "needs tests"),
        ({"order": {"in": "12"}}, BadInputError, "needs a list"),
        ({"amount": {"le": True}}, BadInputError, "needs a number"),
        ({"to": {"eq": "me"}}, BadInputError, "pay has no argument 'to'"),
        ({"amount": {"le": 4.99}}, BadInputError, "not hold of this very call: amount <= 4.99"),
        ({"order": {"eq": "2"}}, BadInputError, 'not hold of this very call: order == "2"'),
        ({"order": {"ne": "1"}}, BadInputError, "does not hold"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_its_grant(
    when: Any, error: type[EngineError], fault: str
) -> None:
    story = Story(shop(pays()), FIRST)
    story.refuses(Approve(by="ann", remember=when), error, fault)
    assert story.waiting == ["call_1_1"]


def test_a_rule_is_measured_against_the_edited_call() -> None:
    story = Story(shop(pays()), FIRST)
    edit: Arguments = {"order": "1", "amount": 21}
    command = Approve(by="ann", arguments=edit, remember=SMALL)
    story.refuses(command, BadInputError, "does not hold of this very call")


def test_a_rule_is_measured_against_an_edit_to_nothing() -> None:
    schema: dict[str, Any] = {"type": "object", "properties": {"a": {}}}
    bare = Tool(name="pay", description="", parameters=schema, function=print)
    story = Story(shop(bare), asks(("pay", '{"a": 1}')))
    command = Approve(by="ann", arguments={}, remember={"a": {"eq": 1}})
    story.refuses(command, BadInputError, "does not hold of this very call")


def test_no_rule_stands_for_several_people() -> None:
    story = Story(shop(pays(ApprovalPolicy(quorum=2))), FIRST)
    words = "it takes 2 people each time; no rule can stand for them"
    story.refuses(Approve(by="ann", remember=SMALL), RefusedError, words)
    story.says(Approve(by="ann"))
    story.refuses(Approve(by="bob", remember=SMALL), RefusedError, words)


def test_no_rule_stands_for_several_people_whom_an_edit_brings_in() -> None:
    story = Story(shop(pays([Rule(when={"amount": {"gt": 50}}, quorum=2), Rule()])), FIRST)
    command = Approve(
        by="ann", arguments={"order": "1", "amount": 60}, remember={"order": {"eq": "1"}}
    )
    story.refuses(command, RefusedError, "it takes 2 people each time")


def test_a_call_in_doubt_makes_no_rule() -> None:
    story = Story(shop(pays()), FIRST).says(Approve(by="ann"))
    story.happens(story.start).goes_on()
    command = Approve(by="ann", retry=True, remember=SMALL)
    story.refuses(command, RefusedError, "run again as it was, or not at all")


def test_a_rule_does_not_repeat_what_may_have_happened() -> None:
    story = pays_again(ruled(), '{"order": "1", "amount": 7}')
    story.happens(story.start).goes_on()  # and its result was lost
    assert story.asked.kind == "in_doubt"


def test_a_revoked_rule_holds_no_more() -> None:
    story = ruled().says(Revoke(rule_id="r1.rule1", by="bob"))
    assert story.live.rules == ()
    assert story.journal[-1] == ev.StickyRuleRevoked(rule_id="r1.rule1", by="bob")
    assert pays_again(story, '{"order": "1", "amount": 7}').waiting == ["call_2_1"]


def test_a_rule_that_is_revoked_between_deciding_and_starting_starts_nothing() -> None:
    story = pays_again(ruled(), '{"order": "1", "amount": 7}')
    assert story.start.approval_id == "r1.rule1"
    assert story.says(Revoke(rule_id="r1.rule1", by="bob")).waiting == ["call_2_1"]


def test_a_rule_s_number_is_never_given_twice() -> None:
    story = ruled().says(Revoke(rule_id="r1.rule1", by="bob"))
    pays_again(story, '{"order": "1"}').says(Approve(by="ann", remember=SMALL))
    assert [rule.id for rule in story.live.rules] == ["r1.rule2"]


def test_only_a_rule_that_is_there_can_be_revoked() -> None:
    words = "has no rule 'r1.rule2' to revoke; it has: r1.rule1"
    ruled().refuses(Revoke(rule_id="r1.rule2", by="bob"), RefusedError, words)
    revoked = ruled().says(Revoke(rule_id="r1.rule1", by="bob"))
    revoked.refuses(Revoke(rule_id="r1.rule1", by="bob"), RefusedError, "it has: none")
    aborted = ruled().says(Abort(by="ann"))
    aborted.refuses(Revoke(rule_id="r1.rule1", by="bob"), RefusedError, "to revoke")


def test_a_rule_can_be_taken_back_from_a_run_that_may_go_on_again() -> None:
    done = ruled().happens(answers())
    assert done.says(Revoke(rule_id="r1.rule1", by="bob")).live.rules == ()


def test_the_same_grant_with_its_rule_twice_is_one_and_with_another_refused() -> None:
    story = Story(shop(pays()), FIRST)
    command = Approve(by="ann", remember=SMALL, digest=story.asked.digest)
    story.says(command).unmoved_by(command)
    wider = command.model_copy(update={"remember": {"order": {"eq": "1"}}})
    story.refuses(wider, RefusedError, "was granted by ann")


def test_a_rule_is_not_made_for_a_policy_that_its_maker_has_not_met() -> None:
    story = Story(shop(pays()), FIRST, authority=STAFF)
    story.under(shop(pays(ApprovalPolicy(roles=["manager"]))))
    words = "the policy has changed since"
    story.refuses(Approve(by="ann", remember=SMALL), RefusedError, words)
