"""What people say in a case, and approvals that no case foresees."""

from typing import Any

import pytest
from pydantic import ValidationError

from engine import State, evaluate
from tests.evals.bench import ASK, OK, PAY, PAYS, RING, SHIP, YES, bench, case, tried
from tests.runtime.test_engine import calls


async def test_an_approval_is_granted_with_other_arguments() -> None:
    expect = {"calls": [{"tool": "pay", "arguments": {"order": "1", "amount": 20}}]}
    result = await tried(case(expect, YES | {"arguments": {"order": "1", "amount": 20}}), *PAYS)
    assert result.passed, result.failures


async def test_an_approval_is_denied_with_a_reason_that_the_model_reads() -> None:
    no = {"tool": "p*", "verdict": "deny", "reason": "not today", "by": "ann"}
    one = case({"calls": [{"tool": "pay", "outcome": "denied"}]}, no)
    async with bench(*PAYS) as engine:
        (result,) = (await evaluate([one], engine)).results
        run = await engine.run(result.run_id)
    assert result.passed, result.failures
    assert "Denied by a person: not today" in [message.content for message in run.messages]
    assert [said.by for said in run.verdicts] == ["ann"]


async def test_a_question_is_answered() -> None:
    expect = {"calls": [{"tool": "ask_person", "outcome": "answered"}], "approvals": ["ask_person"]}
    said = {"tool": "ask_*", "verdict": "answer", "result": "blue"}
    assert (await tried(case(expect, said), calls(ASK), OK)).passed
    result = await tried(case(expect, said | {"result": "green"}), calls(ASK), OK)
    assert result.failures[0] == (
        "the run could not be carried through: EngineError: approvals: the verdict answer on "
        "ask_person was not taken: 'green' is none of the choices: red, blue"
    )


async def test_each_verdict_is_given_once_to_the_first_approval_that_it_fits() -> None:
    twice = (calls(PAY, SHIP, ("pay", {"order": "2"})), OK)
    said = [
        {"tool": "ship", "verdict": "approve", "by": "ann"},
        YES,
        {"tool": "p*", "verdict": "deny"},
        {"tool": "*", "verdict": "approve", "by": "bob"},
    ]
    expect = {
        "calls": [
            {"tool": "pay", "arguments": {"order": "1"}, "outcome": "returned"},
            {"tool": "ship", "outcome": "returned"},
            {"tool": "pay", "arguments": {"order": "2"}, "outcome": "denied"},
        ],
        "order": "exact",
        "approvals": ["pay", "ship", "pay"],
    }
    result = await tried(case(expect, *said), *twice)
    assert result.passed, result.failures


async def test_a_verdict_that_is_never_asked_for_says_nothing() -> None:
    assert (await tried(case({"approvals": []}, YES), OK)).passed


async def test_an_approval_that_no_case_foresees_fails_it_and_the_run_is_left_parked() -> None:
    async with bench(calls(PAY, SHIP), OK) as engine:
        (result,) = (await evaluate([case({}, YES)], engine)).results
        run = await engine.run(result.run_id)
    asked, state = result.failures
    assert asked == (
        "approvals: a person was asked what the case does not foresee: ship (tool_call) "
        'with {"where": {"city": "Rome", "street": "Main St 1"}}'
    )
    assert state == "state: expected Done, got AwaitingApproval"
    assert (run.state, [one.tool for one in run.approvals]) == (State.AwaitingApproval, ["ship"])


async def test_a_run_may_be_expected_to_be_left_waiting() -> None:
    waits = {"state": "AwaitingApproval", "approvals": ["pay"]}
    assert (await tried(case(waits), *PAYS)).passed
    assert (await tried(case(waits, YES), *PAYS)).failures == (
        "state: expected AwaitingApproval, got Done",
    )


async def test_a_call_in_doubt_is_run_again_only_where_the_case_says_so() -> None:
    doubt = (calls(RING), OK)
    unforeseen = await tried(case({}, {"tool": "ring", "verdict": "approve"}), *doubt)
    assert "does not foresee: ring (in_doubt)" in unforeseen.failures[0]
    again = {"tool": "ring", "verdict": "approve", "retry": True}
    gives_up = {"tool": "ring", "verdict": "deny"}
    expect = {"calls": [{"tool": "ring", "outcome": "given up"}], "approvals": ["ring", "ring"]}
    result = await tried(case(expect, again, gives_up), *doubt)
    assert result.passed, result.failures


async def test_a_verdict_of_who_may_not_decide_fails_the_case() -> None:
    result = await tried(case({}, YES), *PAYS, approvers={"ann": ["manager"]})
    assert result.failures[0].endswith("evaluation is none of the approvers")
    assert (await tried(case({}, YES | {"by": "ann"}), *PAYS, approvers={"ann": []})).passed


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ({"verdict": "deny", "arguments": {}}, "arguments says nothing where"),
        ({"verdict": "approve", "reason": "no"}, "reason says nothing where"),
        ({"verdict": "deny", "result": "x"}, "result says nothing where"),
        ({"verdict": "deny", "retry": True}, "retry says nothing where"),
        ({"verdict": "answer"}, "an answer needs a result"),
        ({"verdict": "grant"}, "'approve', 'deny' or 'answer'"),
    ],
)
def test_a_verdict_says_only_what_it_can(verdict: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        case({}, {"tool": "pay"} | verdict)
