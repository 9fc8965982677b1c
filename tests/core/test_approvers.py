"""Who may decide what."""

import pytest

from engine.core import events as ev
from engine.core.approvers import Approvers, Authority, person
from engine.core.commands import AcceptChanges, Answer, Approve, Command, Deny, Revoke
from engine.core.policy import ApprovalPolicy, Policy
from engine.core.tools import tool
from engine.errors import BadInputError, NotAllowedError
from tests.core.story import STAFF, Story, pays, shop
from tests.spec import asks

PAY = asks(("pay", '{"order": "1"}'))
VERDICTS = (Approve, Deny, Answer)
MANAGER = ApprovalPolicy(roles=["manager"])
FOUR_EYES = ApprovalPolicy(four_eyes=True)
TWO = ApprovalPolicy(quorum=2)


def asked(policy: Policy, by: str | None = None, authority: Authority = STAFF) -> Story:
    return Story(shop(pays(policy)), PAY, by=by, authority=authority)


def verdict(kind: type[Command], by: str) -> Command:
    more = {"result": "x"} if kind is Answer else {}
    return kind.model_validate({"by": by, **more})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Alice", "alice", True),
        (" alice ", "alice", True),
        ("ALICE\n", "alice", True),
        ("\uff21lice", "alice", True),  # a full-width A
        ("Stra\u00dfe", "strasse", True),
        ("e\u0301ve", "\u00e9ve", True),  # an accent that stands apart
        ("alice", "alicia", False),
        ("al ice", "alice", False),
    ],
)
def test_a_person_is_one_however_the_name_is_written(one: str, other: str, same: bool) -> None:
    assert (person(one) == person(other)) is same
    known = Approvers({one: ["manager"]})
    assert (known.knows(other), "manager" in known.roles(other)) == (same, same)


@pytest.mark.parametrize("kind", VERDICTS)
def test_a_stranger_decides_nothing(kind: type[Command]) -> None:
    words = "eve may not .*: eve is none of the approvers"
    asked("always").refuses(verdict(kind, "eve"), NotAllowedError, words)


@pytest.mark.parametrize("kind", VERDICTS)
def test_a_role_that_does_not_fit_decides_nothing(kind: type[Command]) -> None:
    story = asked(MANAGER)
    words = r"ann may not .* pay \(call_1_1\): it takes the role manager, which ann does not have"
    story.refuses(verdict(kind, "ann"), NotAllowedError, words)
    assert story.says(verdict(kind, "Mia")).waiting == []


def test_one_role_of_each_group_is_enough() -> None:
    whole = ApprovalPolicy(roles=["agent", "boss"])
    flow = shop(pays(ApprovalPolicy(roles=["manager", "boss"])), approval=whole)
    story = Story(flow, PAY, authority=STAFF)
    story.refuses(Approve(by="ann"), NotAllowedError, "it takes the role manager or boss")
    assert story.says(Approve(by="mia")).start.approval_id == "r1.1"


def test_roles_without_approvers_are_nobody_s() -> None:
    story = Story(shop(pays(MANAGER)), PAY)
    for kind in VERDICTS:
        words = "the role manager, and no approvers are known"
        story.refuses(verdict(kind, "manager"), NotAllowedError, words)


@pytest.mark.parametrize("starter", ["ann", "Ann", " ANN ", "\uff41nn"])
def test_who_started_the_run_is_not_the_second_pair_of_eyes(starter: str) -> None:
    story = asked(FOUR_EYES, by=starter)
    story.refuses(Approve(by="ann"), NotAllowedError, "ann started the run, and it takes somebody")
    assert story.says(Approve(by="bob")).start.approval_id == "r1.1"


def test_four_eyes_ask_for_a_run_that_somebody_started() -> None:
    words = "nobody knows who did"
    asked(FOUR_EYES).refuses(Approve(by="ann"), NotAllowedError, words)


def test_who_started_the_run_may_decide_where_four_eyes_are_not_asked() -> None:
    assert asked("always", by="ann").says(Approve(by="ann")).start


def test_a_call_in_doubt_takes_who_the_call_took() -> None:
    story = asked(ApprovalPolicy(roles=["agent"], four_eyes=True), by="ann")
    story.says(Approve(by="bob"))
    story.happens(story.start).goes_on()  # and its result was lost
    assert story.asked.kind == "in_doubt"
    for command in (Approve(by="ann", retry=True), Answer(by="ann", result="x"), Deny(by="ann")):
        story.refuses(command, NotAllowedError, "ann started the run")
    assert story.says(Approve(by="bob", retry=True)).start.attempt == 2


def test_changes_are_accepted_by_who_may_allow_the_call() -> None:
    @tool(name="pay", approval=ApprovalPolicy(roles=["manager"], four_eyes=True))
    def changed(order: str, currency: str = "EUR") -> str:
        """Pay in some currency."""
        return order + currency

    story = asked(ApprovalPolicy(roles=["manager"], four_eyes=True), by="zoe")
    story.says(Approve(by="mia")).under(shop(changed)).goes_on()
    assert story.asked.kind == "changed"
    story.refuses(AcceptChanges(by="ann"), NotAllowedError, "which ann does not have")
    story.refuses(AcceptChanges(by="eve"), NotAllowedError, "none of the approvers")
    story.says(AcceptChanges(by="mia"))
    assert (story.asked.kind, story.starts) == ("tool_call", ())


@pytest.mark.parametrize("again", ["ann", "Ann", "ANN ", "\uff41nn"])
def test_one_person_is_one_of_two(again: str) -> None:
    story = asked(TWO).says(Approve(by="ann"))
    assert (story.asked.grants, story.starts) == (("ann",), ())
    words = r"has approved pay \(call_1_1\) already; it takes 2 people"
    story.refuses(Approve(by=again), NotAllowedError, words)
    assert story.says(Approve(by="bob")).start.approval_id == "r1.1"


@pytest.mark.parametrize("again", ["ann", "Ann "])
@pytest.mark.parametrize(
    "text", [{"order": "1"}, {"order": "1", "amount": 5}, {"order": "1", "amount": None}]
)
def test_one_person_is_one_of_two_with_the_same_arguments_once_more(
    again: str, text: dict[str, str | int | None]
) -> None:
    story = asked(TWO).says(Approve(by="ann"))
    story.refuses(Approve(by=again, arguments={**text}), NotAllowedError, "approved pay .* already")


def test_one_no_is_enough_where_two_have_to_agree() -> None:
    story = asked(TWO).says(Approve(by="ann"), Deny(by="bob", reason="no"))
    assert (story.waiting, story.starts) == ([], ())
    assert story.read[-1] == ("tool", "Denied by a person: no")


def test_a_quorum_without_approvers_is_any_two_people() -> None:
    story = asked(TWO, authority=Authority()).says(Approve(by="x"), Approve(by="y"))
    assert story.start.approval_id == "r1.1"
    assert [one.by for one in story.live.verdicts] == ["x", "y"]


@pytest.mark.parametrize("by", ["", " ", "\n\t"])
def test_nobody_decides_nothing(by: str) -> None:
    commands = [verdict(kind, by) for kind in VERDICTS]
    for authority in (STAFF, Authority()):
        for command in commands:
            asked("always", authority=authority).refuses(command, BadInputError, "by is empty")


def test_a_refusal_leaves_nothing_in_the_run() -> None:
    story = asked(MANAGER)
    before = story.live
    story.refuses(Approve(by="ann"), NotAllowedError, "manager")
    assert story.live == before
    assert not any(isinstance(event, ev.ApprovalGranted) for event in story.journal)


def test_a_rule_is_revoked_by_an_approver() -> None:
    story = asked("always").says(Approve(by="ann", remember={"order": {"eq": "1"}}))
    words = "eve may not revoke a rule: eve is none"
    story.refuses(Revoke(rule_id="r1.rule1", by="eve"), NotAllowedError, words)
    assert story.says(Revoke(rule_id="r1.rule1", by="bob")).live.rules == ()
