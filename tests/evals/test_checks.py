"""Each check of a case, holding and failing."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from engine import (
    Case,
    Expect,
    ExpectedAnswer,
    ExpectedCall,
    ModelReply,
    ModelRequest,
    PermanentModelError,
    Run,
    ScriptedModel,
    State,
)
from tests.evals.bench import LOOK, OK, PAY, PAYS, YES, Priced, case, tried
from tests.runtime.test_engine import calls

ARGUMENTS = {"order": "1", "amount": 60}
SCHEMA = {"type": "object", "required": ["paid"], "properties": {"paid": {"type": "number"}}}


@pytest.mark.parametrize(
    "expect",
    [
        {},
        {"calls": ["look", "pay"]},
        {"calls": ["pay"]},
        {"calls": ["look", "pay"], "order": "exact"},
        {"calls": ["pay", "look"], "order": "any"},
        {"calls": ["l*", "p?y"], "order": "exact"},
        {"calls": [{"tool": "pay", "arguments": {"order": "1"}, "outcome": "returned"}]},
        {"calls": [{"tool": "pay", "exactly": ARGUMENTS}]},
        {"calls": [{"tool": "pay", "where": {"amount": {"le": 60, "gt": 20}}}]},
        {"not_called": ["ship"]},
        {"not_called": ["ship", "ask_*"]},
        {"approvals": ["pay"]},
        {"max_turns": 3},
        {"max_seconds": 600},
        {"answer": {"contains": ["Paid", "order 1"]}},
        {"answer": {"regex": r"\d+ for"}},
    ],
)
async def test_what_holds_passes(expect: dict[str, Any]) -> None:
    result = await tried(case(expect, YES), *PAYS)
    assert (result.failures, result.passed) == ((), True)


PAID = 'pay {"amount": 60.0, "order": "1"} (returned)'
GOT = f'got look {{"order": "1"}} (returned); {PAID}'


@pytest.mark.parametrize(
    ("expect", "words"),
    [
        ({"state": "Aborted"}, "state: expected Aborted, got Done"),
        ({"calls": ["pay", "look"]}, f"calls: expected look after pay; {GOT}"),
        ({"calls": ["look", "look"]}, f"calls: expected look after look; {GOT}"),
        ({"calls": ["ship"]}, f"calls: expected ship; {GOT}"),
        (
            {"calls": ["look"], "order": "exact"},
            f"calls: expected exactly 1: look; {GOT}",
        ),
        (
            {"calls": [], "order": "exact"},
            f"calls: expected exactly 0: nothing; {GOT}",
        ),
        (
            {"calls": ["pay", "look"], "order": "exact"},
            f'calls: expected pay as call 1, got look {{"order": "1"}} (returned); {GOT}',
        ),
        (
            {"calls": ["look", "pay", "pay"], "order": "exact"},
            f"calls: expected exactly 3: look; pay; pay; {GOT}",
        ),
        (
            {"calls": ["pay", "pay"], "order": "any"},
            f"calls: expected pay, in whatever order; {GOT}",
        ),
        (
            {"calls": [{"tool": "pay", "arguments": {"order": "2"}}]},
            f'calls: expected pay with {{"order": "2"}}; {GOT}',
        ),
        (
            {"calls": [{"tool": "pay", "arguments": {"colour": "red"}}]},
            f'calls: expected pay with {{"colour": "red"}}; {GOT}',
        ),
        (
            {"calls": [{"tool": "pay", "exactly": {"order": "1"}}]},
            f'calls: expected pay with exactly {{"order": "1"}}; {GOT}',
        ),
        (
            {"calls": [{"tool": "pay", "where": {"amount": {"le": 20}}}]},
            f"calls: expected pay where amount <= 20; {GOT}",
        ),
        (
            {"calls": [{"tool": "pay", "outcome": "denied"}]},
            f"calls: expected pay (denied); {GOT}",
        ),
        (
            {"not_called": ["p*"]},
            f"not_called: expected no call of p*, got {PAID}",
        ),
        ({"approvals": []}, "approvals: expected none, got pay"),
        ({"approvals": ["pay", "pay"]}, "approvals: expected pay, pay, got pay"),
        ({"approvals": ["ship"]}, "approvals: expected ship, got pay"),
        ({"max_turns": 2}, "max_turns: expected at most 2, got 3"),
        (
            {"answer": {"contains": ["Paid", "sent"]}},
            'answer: expected it to contain "sent", got "Paid 60 for order 1."',
        ),
        (
            {"answer": {"regex": "^paid"}},
            'answer: expected ^paid to be found in it, got "Paid 60 for order 1."',
        ),
        (
            {"answer": {"json_schema": SCHEMA}},
            'answer: expected JSON, got "Paid 60 for order 1."',
        ),
    ],
)
async def test_what_does_not_hold_fails_and_says_so(expect: dict[str, Any], words: str) -> None:
    result = await tried(case(expect, YES), *PAYS)
    assert (result.failures, result.passed) == ((words,), False)


async def test_every_failure_is_told() -> None:
    result = await tried(case({"max_turns": 1, "not_called": ["pay"], "approvals": []}, YES), *PAYS)
    assert [words.partition(":")[0] for words in result.failures] == [
        "not_called",
        "approvals",
        "max_turns",
    ]


async def test_in_any_order_each_expected_call_needs_one_of_its_own() -> None:
    twice = (calls(PAY, ("pay", {"order": "1", "amount": 5})), OK)
    small = {"tool": "pay", "where": {"amount": {"le": 20}}}
    large = {"tool": "pay", "where": {"amount": {"gt": 20}}}

    async def failures(*wanted: Any) -> int:
        expect = {"calls": wanted, "order": "any"}
        return len((await tried(case(expect, YES, YES), *twice)).failures)

    assert await failures("pay", small) == await failures(small, "pay") == 0
    assert await failures("pay", large) == await failures(large, "pay") == 0
    assert await failures(large, large) == await failures("pay", "pay", "pay") == 1
    assert await failures(small, large) == 0


async def test_arguments_may_hold_more_also_inside() -> None:
    place = {"city": "Rome", "street": "Main St 1"}
    asked = (calls(("ship", {"where": place})), OK)
    people = [{"tool": "ship", "verdict": "approve", "by": by} for by in ("ann", "bob")]

    async def passes(arguments: dict[str, Any]) -> bool:
        expect = {"calls": [{"tool": "ship", "arguments": arguments}]}
        return (await tried(case(expect, *people), *asked)).passed

    assert await passes({"where": {"city": "Rome"}})
    assert await passes({"where": place})
    assert not await passes({"where": {"city": "Paris"}})
    assert not await passes({"where": {"land": "Italy"}})
    assert not await passes({"where": "Rome"})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ('{"paid": 60}', None),
        ('{"paid": "60"}', "answer: expected JSON that fits the schema, got paid: '60' is not of"),
        ("{}", "answer: expected JSON that fits the schema, got it: 'paid' is a required property"),
        ("[" * 100_000, "answer: expected JSON, got "),
        ("", "answer: expected JSON, got no answer"),
    ],
)
async def test_an_answer_that_is_json_fits_a_schema(answer: str, words: str | None) -> None:
    result = await tried(case({"answer": {"json_schema": SCHEMA}}), {"content": answer})
    assert result.passed is (words is None)
    assert words is None or any(one.startswith(words) for one in result.failures)


async def test_a_schema_that_leads_nowhere_fails_and_fetches_nothing() -> None:
    schema = {"$ref": "https://example.invalid/schema.json"}
    result = await tried(case({"answer": {"json_schema": schema}}), {"content": "{}"})
    (words,) = result.failures
    assert words.startswith("answer: it could not be checked: ")


def yes(run: Run) -> bool:
    return run.answer == OK["content"]


async def slow_yes(run: Run) -> bool:
    await asyncio.sleep(0)
    return yes(run)


async def reason(run: Run) -> str:
    return f"{run.turns} turns are dull"


def broken(run: Run) -> bool:
    raise ValueError(f"two\nlines of {run.workflow}")


NEITHER = "which is neither a bool nor a reason"


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        (yes, None),
        (slow_yes, None),
        (lambda run: slow_yes(run=run), None),
        (lambda run: not yes(run), 'judge: <lambda> said no; got "Paid 60 for order 1."'),
        (reason, 'judge: 3 turns are dull; got "Paid 60 for order 1."'),
        (lambda _: "dull", 'judge: dull; got "Paid 60 for order 1."'),
        (broken, "judge: it could not be checked: ValueError: two lines of shop"),
        (
            lambda _: None,
            f"judge: it could not be checked: TypeError: the judge gave None, {NEITHER}",
        ),
    ],
)
async def test_a_judge_says_yes_no_or_why_not(
    judge: Callable[[Run], object], words: str | None
) -> None:
    one = case({}, YES).model_copy(update={"expect": Expect(answer=ExpectedAnswer(judge=judge))})
    result = await tried(one, *PAYS)
    assert result.failures == (() if words is None else (words,))


@pytest.mark.parametrize(
    ("predicate", "words"),
    [
        (lambda arguments: arguments["amount"] == 60, None),
        (lambda arguments: arguments["amount"] == 5, "expected pay where <lambda> holds"),
        (lambda arguments: arguments["colour"], "it could not be checked: KeyError: 'colour'"),
        (lambda _: None, "it could not be checked: TypeError: the predicate for pay gave None"),
    ],
)
async def test_arguments_meet_a_predicate(
    predicate: Callable[[Any], bool], words: str | None
) -> None:
    call = ExpectedCall(tool="pay", where=predicate)
    one = case({}, YES).model_copy(update={"expect": Expect(calls=[call])})
    result = await tried(one, *PAYS)
    assert result.passed is (words is None)
    assert words is None or result.failures[0].startswith(f"calls: {words}")


async def test_a_predicate_that_would_never_say_no_is_refused() -> None:
    async def promises(arguments: Any) -> bool:
        return bool(arguments)

    with pytest.raises(ValidationError, match="plain function"):
        ExpectedCall(tool="pay", where=promises)  # type: ignore[arg-type] # that is the point


async def test_arguments_that_cannot_be_read_meet_nothing() -> None:
    call = {"name": "look", "arguments": "{"}
    asked = {"content": None, "tool_calls": [{"id": "1", "type": "function", "function": call}]}
    expect = {"calls": [{"tool": "look", "outcome": "failed"}]}
    result = await tried(case(expect), asked, OK)
    assert (result.passed, result.calls[0].arguments) == (True, None)
    wanted = {"calls": [{"tool": "look", "arguments": {}}]}
    assert (await tried(case(wanted), asked, OK)).failures == (
        "calls: expected look with {}; got look unreadable arguments (failed)",
    )


async def test_tokens_and_cost_are_those_of_all_turns() -> None:
    result = await tried(case({"max_cost": "0.01"}, YES), model=Priced(PAYS))
    assert (result.passed, result.turns, result.tokens) == (True, 3, 3000)
    assert result.cost is not None
    assert 0 < result.cost < Decimal("0.01")
    low = await tried(case({"max_cost": 0.000001}, YES), model=Priced(PAYS))
    (words,) = low.failures
    assert words == f"max_cost: expected at most 0.000001 USD, got {result.cost} USD"


@pytest.mark.parametrize("name", [None, "a model that nobody sells"])
async def test_an_unknown_price_is_within_no_limit(name: str | None) -> None:
    result = await tried(case({"max_cost": 1000}, YES), model=Priced(PAYS, name))
    assert result.cost is None
    (words,) = result.failures
    assert words == (
        "max_cost: expected at most 1000 USD, and the cost is unknown: no price is known"
    )


class PartlyPriced(Priced):
    """Only its first reply has a known price."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        reply = await super().complete(request)
        return reply if len(request.messages) == 2 else replace(reply, model=None)


async def test_a_cost_of_which_a_part_is_unknown_is_unknown() -> None:
    result = await tried(case({}, YES), model=PartlyPriced(PAYS))
    assert (result.tokens, result.cost) == (3000, None)
    untold = await tried(case(), model=Priced([OK], tokens=0))
    assert (untold.tokens, untold.cost) == (0, None)
    known = await tried(case(), model=PartlyPriced([OK]))
    assert known.cost is not None


class Mute:
    """A model that never replies."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        del request
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_run_that_takes_too_long_is_broken_off() -> None:
    result = await tried(case({"max_seconds": 0.02}), model=Mute())
    assert result.failures == (
        "max_seconds: expected at most 0.02 s; the run was broken off then",
        "state: expected Done, got AwaitingModel",
    )


async def test_a_run_may_be_expected_to_be_aborted() -> None:
    assert (await tried(case({"state": "Aborted"}), PermanentModelError("no"))).passed
    result = await tried(case({}), calls(LOOK), PermanentModelError("no"))
    (words,) = result.failures
    assert words.startswith("state: expected Done, got Aborted (")
    assert result.state is State.Aborted


@pytest.mark.parametrize("part", ["calls", "not_called", "answer", "order"])
def test_a_check_that_could_not_fail_is_refused(part: str) -> None:
    empty: dict[str, Any] = {"answer": {}, "order": "exact"}
    with pytest.raises(ValidationError):
        case({part: empty.get(part, [])})


def test_long_texts_are_cut() -> None:
    long = "x" * 5000
    result = asyncio.run(tried(case({"answer": {"contains": "y"}}), {"content": long}))
    (words,) = result.failures
    assert words.endswith("x… (5002 characters)")
    assert len(words) < 600


def test_a_case_made_in_python_is_that_of_a_file() -> None:
    made = Case(
        name="a case",
        workflow="shop",
        message="Hello",
        expect=Expect(calls=[ExpectedCall(tool="look")], max_cost=Decimal("0.5")),
    )
    read = {"name": "a case", "workflow": "shop", "message": "Hello"}
    read["expect"] = {"calls": ["look"], "max_cost": 0.5}  # type: ignore[assignment] # JSON
    assert Case.model_validate(json.loads(json.dumps(read))) == made


async def test_the_script_s_end_is_the_run_s_not_the_evaluation_s() -> None:
    result = await tried(case({}), model=ScriptedModel([]))
    assert "the script has 0 replies" in result.failures[0]
