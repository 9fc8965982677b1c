"""What a person says about an open approval, and what comes of it."""

import pytest

from engine.core import events as ev
from engine.core.commands import Answer, Approve, Deny, VerdictCommand
from engine.core.demand import Demand
from engine.core.policy import ApprovalPolicy, Policy
from engine.core.tools import tool
from engine.errors import BadInputError, NotAllowedError, RefusedError, UnknownCallError
from tests.core.story import STAFF, Story, look, pays, shop
from tests.spec import NOON, asks

PAY = ("pay", '{"order": "1"}')
PLAIN = pays()
DIGEST = PLAIN.digest({"order": "1", "amount": 5.0}, Demand())


def asked(policy: Policy | None = None) -> Story:
    return Story(shop(pays(policy)), asks(PAY))


def three(policy: Policy | None = None) -> Story:
    calls = [("pay", f'{{"order": "{number}"}}') for number in (1, 2, 3)]
    return Story(shop(pays(policy)), asks(*calls))


GRANT = Approve(by="ann", note="seen")
DENIAL = Deny(by="ann", reason="too much", note="twice this week")
ANSWER = Answer(by="ann", result="paid by hand", note="at the till")


@pytest.mark.parametrize(
    ("command", "verdict", "said"),
    [(GRANT, "granted", None), (DENIAL, "denied", "too much"), (ANSWER, "answered", ANSWER.result)],
)
def test_a_verdict_is_noted_with_who_and_when_and_on_what(
    command: VerdictCommand, verdict: str, said: str | None
) -> None:
    story = asked().later(60).says(command)
    (noted,) = story.live.verdicts
    assert (noted.verdict, noted.said) == (verdict, said)
    assert (noted.by, noted.note) == ("ann", command.note)
    assert (noted.at - NOON).total_seconds() == 60
    assert (noted.approval_id, noted.call_id, noted.digest) == ("r1.1", "call_1_1", DIGEST)


def test_a_grant_runs_exactly_what_was_asked() -> None:
    start = asked().says(GRANT).start
    assert (start.tool, start.arguments) == ("pay", {"order": "1", "amount": 5.0})
    assert start.approval_id == "r1.1"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (DENIAL, "Denied by a person: too much"),
        (Deny(by="ann"), "Denied by a person, without a reason."),
        (ANSWER, "paid by hand"),
    ],
)
def test_what_a_person_says_instead_is_the_result(command: VerdictCommand, words: str) -> None:
    story = asked().says(command)
    assert story.starts == ()
    assert story.read[-1] == ("tool", words)
    (message,) = [one for one in story.live.messages if one.role == "tool"]
    assert message.tool_call_id == "call_1_1"
    assert "twice this week" not in str(story.live.messages)


@pytest.mark.parametrize("command", [GRANT, DENIAL, ANSWER])
@pytest.mark.parametrize(
    "named",
    [{}, {"call_id": "call_1_1"}, {"approval_id": "r1.1"}, {"digest": DIGEST[:12]},
     {"by": "Ann "}],
)  # fmt: skip
def test_the_same_verdict_twice_is_one(command: VerdictCommand, named: dict[str, str]) -> None:
    asked().says(command).unmoved_by(command.model_copy(update=named))


@pytest.mark.parametrize("command", [GRANT, DENIAL, ANSWER])
@pytest.mark.parametrize(
    "other",
    [
        Approve(by="bob", note="seen"),
        Approve(by="ann"),
        Approve(by="ann", note="seen", digest="0" * 64),
        Approve(by="ann", note="seen", arguments={"order": "2"}),
        Approve(by="ann", note="seen", remember={"order": {"eq": "1"}}),
        Deny(by="ann", reason="too late", note="twice this week"),
        Answer(by="ann", result="lost", note="at the till"),
    ],
)
def test_another_verdict_is_refused_and_says_who_was_first(
    command: VerdictCommand, other: VerdictCommand
) -> None:
    story = asked().later(60).says(command)
    said = story.live.verdicts[0].verdict
    words = rf"call_1_1 was {said} by ann at 2026-01-01 12:01:00 UTC"
    story.refuses(other.model_copy(update={"call_id": "call_1_1"}), RefusedError, words)


def test_another_verdict_on_one_of_several_names_what_is_left() -> None:
    story = three().says(Deny(by="ann", call_id="call_1_2"))
    words = r"waits for: pay \(call_1_1\), pay \(call_1_3\) \(call_1_2 was denied by ann"
    story.refuses(Approve(by="bob", call_id="call_1_2"), UnknownCallError, words)
    story.unmoved_by(Deny(by="ann", call_id="call_1_2"))
    story.unmoved_by(Deny(by="ann", approval_id="r1.2"))


@pytest.mark.parametrize("kind", [Approve, Deny])
def test_a_verdict_on_another_action_is_refused(kind: type[Approve | Deny]) -> None:
    other = PLAIN.digest({"order": "1", "amount": 999.0}, Demand())
    words = f"waits with another action than the one of {other[:12]}: it is {DIGEST[:12]} by now"
    asked().refuses(kind(by="ann", digest=other[:12]), RefusedError, words)
    asked().refuses(
        Answer(by="ann", digest=other, result="x"), RefusedError, f"it is {DIGEST[:12]}"
    )


def test_an_approval_of_another_call_is_not_meant() -> None:
    story = three()
    pair = Approve(by="ann", approval_id="r1.1", call_id="call_1_2")
    story.refuses(pair, UnknownCallError, "call_1_2")
    story.refuses(Approve(by="ann", approval_id="r2.1"), UnknownCallError, "'r2.1'")


def test_two_of_three_are_decided_while_the_third_stays_open() -> None:
    story = three().says(Approve(by="ann", call_id="call_1_1"))
    assert story.waiting == ["call_1_2", "call_1_3"]
    assert story.start.call_id == "call_1_1"
    story.returns("first").says(Deny(by="bob", approval_id="r1.3"))
    assert (story.waiting, story.starts) == (["call_1_2"], ())
    assert story.live.state == "AwaitingApproval"
    story.says(Approve(by="cid")).returns("second")
    assert story.read[-3:] == [
        ("tool", "first"),
        ("tool", "second"),
        ("tool", "Denied by a person, without a reason."),
    ]


def test_an_ungated_call_and_a_bad_one_do_not_wait_for_a_gated_one() -> None:
    story = Story(shop(pays()), asks(PAY, ("look", '{"order": "2"}'), ("look", "{")))
    assert (story.waiting, story.start.call_id) == (["call_1_1"], "call_1_2")
    assert [one.call_id for one in story.live.results] == ["call_1_3"]


def test_with_batch_what_was_granted_waits_for_the_rest() -> None:
    story = three(ApprovalPolicy(batch=True)).says(Approve(by="ann", call_id="call_1_1"))
    assert not story.starts
    story.says(Deny(by="ann", call_id="call_1_2"))
    assert not story.starts
    story.says(Approve(by="ann"))
    assert [one.call_id for one in story.starts] == ["call_1_1", "call_1_3"]


def test_batch_holds_what_was_granted_and_nothing_else() -> None:
    sees = tool(name="see", approval="always")(look)
    flow = shop(pays(ApprovalPolicy(batch=True)), sees)
    calls = (PAY, ("see", '{"order": "1"}'), ("see", '{"order": "2"}'), ("look", '{"order": "3"}'))
    story = Story(flow, asks(*calls)).says(
        Approve(by="ann", call_id="call_1_1"), Approve(by="ann", call_id="call_1_2")
    )
    assert [one.call_id for one in story.starts] == ["call_1_2", "call_1_4"]
    story.returns()
    assert (story.starts, story.waiting) == ((), ["call_1_3"])
    assert story.says(Answer(by="ann", result="seen")).start.call_id == "call_1_1"


def test_a_call_that_stopped_waiting_by_an_abort_takes_no_verdict() -> None:
    story = asked().happens(ev.RunAborted(reason="enough"))
    for command in (GRANT, DENIAL, ANSWER):
        story.refuses(command, RefusedError, "is Aborted and waits for no verdict")


def test_approvers_hold_for_batches_of_one_turn_alike() -> None:
    flow = shop(pays(ApprovalPolicy(roles=["manager"])))
    story = Story(flow, asks(PAY, PAY), authority=STAFF)
    for call_id in ("call_1_1", "call_1_2"):
        story.refuses(Approve(by="ann", call_id=call_id), NotAllowedError, "role manager")


@pytest.mark.parametrize("digest", ["", "1234567", "G" * 12, "a" * 65, DIGEST.upper()])
def test_what_is_no_digest_is_refused_before_anything_else(digest: str) -> None:
    asked().says(GRANT).refuses(
        Approve(by="ann", digest=digest), BadInputError, "8 to 64 of the characters"
    )
