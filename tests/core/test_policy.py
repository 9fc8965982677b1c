"""What a policy demands before one exact action may run."""

from collections.abc import Callable

import pytest

from engine.core.commands import Approve
from engine.core.demand import Demand, Escalation
from engine.core.messages import Arguments
from engine.core.policy import ApprovalPolicy, Policy, Rule
from engine.core.run import Run
from engine.core.tool import Tool
from engine.core.tools import tool
from engine.core.workflow import Workflow
from engine.errors import DefinitionError
from tests.core.story import LOOKS, Story, look, pay, pays, shop
from tests.spec import asks

SMALL, LARGE = '{"order": "1", "amount": 5}', '{"order": "1", "amount": 999}'


def large(arguments: Arguments, run: Run) -> bool:
    del run
    return isinstance(arguments["amount"], float) and arguments["amount"] > 50


def no_judge(arguments: Arguments, run: Run) -> bool:
    raise KeyError(f"{arguments} {run.id}")


def paying(policy: Policy | None, text: str = SMALL, whole: Policy | None = None) -> Story:
    """The model wants to pay, under the tool's policy and the whole workflow's."""
    return Story(shop(pays(policy), approval=whole), asks(("pay", text)))


@pytest.mark.parametrize(
    ("policy", "text", "asks_first"),
    [
        (None, SMALL, True),
        ("always", SMALL, True),
        ("never", LARGE, False),
        ("audit", LARGE, False),
        (large, SMALL, False),
        (large, LARGE, True),
        (no_judge, SMALL, True),
        (ApprovalPolicy(), SMALL, True),
        (ApprovalPolicy(when="never"), LARGE, False),
        (ApprovalPolicy(when=large), SMALL, False),
        (ApprovalPolicy(when=large), LARGE, True),
        ([Rule(when={"amount": {"gt": 50}}), Rule(ask="never")], SMALL, False),
        ([Rule(when={"amount": {"gt": 50}}), Rule(ask="never")], LARGE, True),
        ([Rule(ask="never"), Rule(when={"amount": {"gt": 50}})], LARGE, False),
        ([Rule(tool="pa?", ask="never"), Rule()], LARGE, False),
        ([Rule(tool="PAY", ask="never"), Rule()], SMALL, True),
        ([Rule(tool="issue_*", ask="never")], SMALL, True),
        ([], SMALL, True),
    ],
)
def test_a_policy_says_whether_a_person_is_asked(
    policy: Policy | None, text: str, asks_first: bool
) -> None:
    story = paying(policy, text)
    assert (story.waiting, len(story.starts)) == ((["call_1_1"], 0) if asks_first else ([], 1))


@pytest.mark.parametrize(
    ("policy", "source"),
    [
        (large, "tool pay: large"),
        (no_judge, "tool pay: no_judge, which could not judge it (KeyError)"),
        ([Rule(tool="pa*", when={"amount": {"gt": 50}})], "tool pay, rule 1: pa* if amount > 50"),
        ([Rule(tool="x"), Rule()], "tool pay, rule 2: *"),
    ],
)
def test_what_asks_says_which_policy_it_is(policy: Policy, source: str) -> None:
    assert paying(policy, LARGE).asked.demand.source == source


def test_a_predicate_judges_the_run_and_the_arguments_after_defaults() -> None:
    seen: list[tuple[Arguments, str]] = []

    def watch(arguments: Arguments, run: Run) -> bool:
        seen.append((arguments, run.id))
        return False

    story = paying(watch, '{"order": "1"}')
    assert story.start.arguments == {"order": "1", "amount": 5.0}
    assert seen[0] == ({"order": "1", "amount": 5.0}, "r1")


def test_a_predicate_cannot_change_what_it_judges() -> None:
    def meddle(arguments: Arguments, run: Run) -> bool:
        del run
        arguments["order"] = "666"
        return True

    story = paying(meddle)
    assert story.asked.arguments["order"] == "1"
    story.says(Approve(by="ann", arguments={"order": "2"}))
    assert story.start.arguments["order"] == "2"
    assert story.live.calls[0].edited == {"order": "2", "amount": 5.0}


@pytest.mark.parametrize(
    ("policy", "audit"),
    [
        ("audit", "tool pay"),
        ("never", None),
        (ApprovalPolicy(when="audit"), "tool pay"),
        ([Rule(ask="audit")], "tool pay, rule 1: *"),
    ],
)
def test_what_runs_unasked_may_have_to_be_reviewed(policy: Policy, audit: str | None) -> None:
    assert paying(policy).start.audit == audit


@pytest.mark.parametrize(
    ("own", "whole", "ask"),
    [
        ("never", "never", "never"),
        ("never", "audit", "audit"),
        ("audit", "never", "audit"),
        ("never", "always", "always"),
        ("always", "never", "always"),
        ("audit", "always", "always"),
        (None, "never", "never"),
        (None, [Rule(tool="look", ask="never")], "always"),
        ("never", [Rule(tool="look")], "never"),
        ([Rule(tool="look")], "never", "never"),
        ("never", large, "always"),
        (no_judge, "never", "always"),
    ],
)
def test_the_stricter_of_tool_and_workflow_wins(
    own: Policy | None, whole: Policy | None, ask: str
) -> None:
    story = paying(own, LARGE, whole)
    said = "always" if story.waiting else "audit" if story.start.audit else "never"
    assert said == ask


def test_of_each_thing_that_both_demand_the_harder_holds() -> None:
    own = ApprovalPolicy(quorum=2, roles=["agent"], expires_in=60, on_expiry="abort", batch=True)
    whole = ApprovalPolicy(
        when=large, quorum=1, roles=("manager", "boss"), four_eyes=True, expires_in=90,
        remind_every=9,
    )  # fmt: skip
    assert paying(own, LARGE, whole).asked.demand == Demand(
        source="workflow shop: large",
        quorum=2,
        roles=(("agent",), ("manager", "boss")),
        four_eyes=True,
        batch=True,
        expires_in=60,
        on_expiry="abort",
        remind_every=9,
    )


def test_a_demand_reads_as_words() -> None:
    demand = Demand(quorum=2, roles=(("agent", "boss"), ("legal",)), four_eyes=True)
    words = "2 people, role agent or boss, role legal, not who started the run"
    assert demand.in_words() == words
    assert Demand().in_words() == ""


@pytest.mark.parametrize(
    ("one", "asks_first"),
    [
        (tool(read_only=True, name="pay")(pay), False),
        (tool(read_only=True, approval="always", name="pay")(pay), True),
        (tool(idempotent=True, destructive=False, name="pay")(pay), True),
    ],
)
def test_where_nobody_declares_anything_only_reading_goes_unasked(
    one: Tool, asks_first: bool
) -> None:
    assert bool(Story(shop(one), asks(("pay", SMALL))).waiting) is asks_first


def test_a_workflow_s_policy_binds_tools_that_only_read() -> None:
    assert Story(shop(approval="always"), asks(("look", '{"order": "1"}'))).waiting


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: pays("sometimes"), "tool pay: approval is .*'sometimes'"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: pays(5), "tool pay: .*not 5"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: pays([Rule(), "always"]), "'always' is no Rule"),  # type: ignore[list-item] # wrong on purpose
        (lambda: shop(approval="perhaps"), "workflow shop: .*'perhaps'"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: ApprovalPolicy(when="perhaps"), "'perhaps' is neither"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: ApprovalPolicy(quorum=0), "quorum"),
        (lambda: ApprovalPolicy(quorum=True), "quorum"),
        (lambda: ApprovalPolicy(quorum="2"), "quorum"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: ApprovalPolicy(roles="manager"), "roles is a list"),
        (lambda: ApprovalPolicy(roles=["manager", " "]), "roles is a list"),
        (lambda: ApprovalPolicy(expires_in=0), "expires_in is in seconds"),
        (lambda: ApprovalPolicy(expires_in=-1), "expires_in is in seconds"),
        (lambda: ApprovalPolicy(expires_in=float("nan")), "expires_in is in seconds"),
        (lambda: ApprovalPolicy(expires_in=1e12), "expires_in is in seconds"),
        (lambda: ApprovalPolicy(expires_in="60"), "expires_in is in seconds"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: ApprovalPolicy(remind_every=0), "remind_every is in seconds"),
        (lambda: ApprovalPolicy(on_expiry="shrug"), "on_expiry"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: ApprovalPolicy(on_expiry=Escalation(role="a", expires_in=5)), "needs expires_in"),
        (
            lambda: ApprovalPolicy(expires_in=5, on_expiry=Escalation(role="a", expires_in=0)),
            "the escalation's expires_in",
        ),
        (
            lambda: ApprovalPolicy(expires_in=5, on_expiry=Escalation(role=" ", expires_in=5)),
            "the escalation's role",
        ),
        (lambda: Rule(ask="maybe"), "'maybe' is not one of"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: Rule(tool=3), "is no rule"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: Rule(when=[]), "is no rule"),  # type: ignore[arg-type] # wrong on purpose
        (lambda: Rule(when={"amount": {"less": 5}}), "'less' is no test"),  # type: ignore[dict-item] # wrong on purpose
        (lambda: Rule(when={"amount": {"le": "5"}}), "needs a number"),
    ],
)
def test_a_policy_that_nobody_could_meet_is_refused_where_it_is_declared(
    make: Callable[[], object], said: str
) -> None:
    with pytest.raises(DefinitionError, match=said):
        make()


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ("always", ApprovalPolicy(), False),
        ("always", ApprovalPolicy(quorum=2), True),
        ("always", ApprovalPolicy(roles=["manager"]), True),
        ("always", ApprovalPolicy(four_eyes=True), True),
        ("always", large, True),
        (large, large, False),
        (large, [Rule(when={"amount": {"gt": 50}})], True),
        ([Rule(when={"amount": {"gt": 50}})], [Rule(when={"amount": {"gt": 70}})], True),
        (large, no_judge, True),
        (ApprovalPolicy(quorum=2), "always", True),
    ],
)
def test_a_policy_that_changed_between_asking_and_running_is_asked_again(
    before: Policy, after: Policy, again: bool
) -> None:
    story = paying(before, LARGE)
    story.says(*(Approve(by=one) for one in ("ann", "bob")[: story.asked.demand.quorum]))
    old = story.live.calls[0].digest
    assert story.start.approval_id == "r1.1"
    story.under(shop(pays(after))).goes_on()
    assert bool(story.waiting) is again
    if again:
        assert story.starts == ()
        assert (story.asked.approval_id, story.asked.kind) == ("r1.2", "tool_call")
        assert story.asked.digest != old


def test_a_workflow_s_policy_that_changed_is_asked_again_too() -> None:
    story = paying("always").says(Approve(by="ann"))
    assert story.start.approval_id == "r1.1"
    story.under(shop(pays("always"), approval=ApprovalPolicy(quorum=2))).goes_on()
    assert (story.starts, story.asked.demand.quorum) == ((), 2)


def test_a_predicate_that_has_changed_its_mind_leaves_a_grant_as_it_is() -> None:
    minds = [True]
    story = paying(lambda *_: minds[0]).says(Approve(by="ann"))
    minds[0] = False
    assert story.start.approval_id == "r1.1"


def test_a_definition_covers_its_policies() -> None:
    policies: list[Policy | None] = [
        None, "never", "audit", "always", large, ApprovalPolicy(quorum=2), [Rule()],
        [Rule(ask="never")],
    ]  # fmt: skip
    whole = {shop(approval=one).definition for one in policies}
    own = {shop(pays(one)).definition for one in policies}
    assert (len(whole), len(own)) == (len(policies), len(policies))


def test_two_tools_of_one_workflow_may_have_other_policies() -> None:
    sees = tool(name="see", read_only=True, approval="always")(look)
    flow = Workflow(name="shop", instructions="", tools=(pays("never"), sees, LOOKS))
    story = Story(flow, asks(("pay", SMALL), ("see", '{"order": "1"}'), ("look", '{"order": "1"}')))
    assert story.waiting == ["call_1_2"]
    assert [one.tool for one in story.starts] == ["pay", "look"]
