"""The bounds of a run: reached before more is spent, told, asked about, raised."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from engine.core import events as ev
from engine.core.commands import Approve, Deny, Raise
from engine.core.effects import CallModel, Record
from engine.core.limits import RAISABLE, Limits
from engine.core.loops import circle
from engine.core.messages import FunctionCall, Message, ToolCall, Usage
from engine.core.request import request_of
from engine.core.run import Run
from engine.core.states import State
from engine.core.workflow import Workflow
from engine.errors import BadInputError, DefinitionError, RefusedError
from engine.rates.limit import RateLimit
from tests.spec import NOON, STARTED, WORKFLOW, Given, asks, given

LOOK = ("look", '{"order": "1"}')


def turn(
    number: int, call: tuple[str, str] = LOOK, gave: str = "order 1", **took: Any
) -> list[Any]:
    """A turn with one call that gave something."""
    call_id = f"call_{number}_1"
    asked = asks(call, turn=number).model_copy(update=took)
    started = ev.ToolStarted(
        call_id=call_id, tool=call[0], arguments={"order": "1"}, idempotency_key="k" * 32
    )
    returned = ev.ToolReturned(call_id=call_id, content=gave)
    return [asked, started, returned, ev.ToolsSettled()]


def turns(count: int, gave: Callable[[int], str] = str, **took: Any) -> list[Any]:
    return [event for one in range(1, count + 1) for event in turn(one, gave=gave(one), **took)]


def begun(*events: Any) -> Given:
    return given(STARTED, *events)


def recorded(run: Given) -> ev.Event:
    effect = run.effect()
    assert isinstance(effect, Record), effect
    (event,) = effect.events
    return event


def cents(spent: int) -> dict[str, Any]:
    return {"cost": Decimal(spent) / 100, "usage": Usage(input_tokens=90, output_tokens=10)}


SPENT: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "max_turns": (turns(2), {"max_turns": 2}),
    "max_tokens": (turns(2, **cents(1)), {"max_tokens": 250}),
    "max_cost_usd": (turns(2, **cents(40)), {"max_cost_usd": 1}),
    "max_seconds": (turns(2, seconds=30.0), {"max_seconds": 60}),
    "max_attempts": (
        [ev.ModelFailed(error="down", attempt=2, retry_at=NOON)],
        {"max_attempts": 2},
    ),
}


@pytest.mark.parametrize("limit", SPENT)
def test_at_a_limit_the_model_is_not_asked_again_and_what_was_found_is_kept(limit: str) -> None:
    events, bounds = SPENT[limit]
    aborted = recorded(begun(*events).limited(**bounds))
    assert isinstance(aborted, ev.RunAborted)
    assert (aborted.limit, aborted.by) == (limit, None)
    assert aborted.found == ("2" if len(events) > 1 else None)
    wider = {name: bound * 10 for name, bound in bounds.items()}
    assert isinstance(begun(*events).limited(**wider).effect(), CallModel)


def test_the_age_of_a_run_is_a_limit_only_where_one_is_set() -> None:
    assert isinstance(begun().later(10**8).effect(), CallModel)
    aborted = recorded(begun().limited(max_age=60).later(60))
    assert isinstance(aborted, ev.RunAborted)
    assert aborted.limit == "max_age"


def test_an_unknown_cost_is_over_any_limit_on_it() -> None:
    unpriced = turns(1, usage=Usage(input_tokens=9, output_tokens=1))
    aborted = recorded(begun(*unpriced).limited(max_cost_usd=100))
    assert isinstance(aborted, ev.RunAborted)
    assert aborted.reason == "what the run has cost is not known; max_cost_usd=100"
    assert isinstance(begun(*unpriced).effect(), CallModel)


def test_calls_beyond_the_limit_are_refused_one_by_one_and_then_it_is_reached() -> None:
    run = begun(asks(LOOK, LOOK, LOOK)).limited(max_tool_calls=2)
    refused = recorded(run)
    assert isinstance(refused, ev.ToolFailed)
    assert (refused.call_id, refused.error) == (
        "call_1_3",
        "Not made: the 2 tool calls before it are all that this run may make.",
    )
    ended = (ev.ToolReturned(call_id=f"call_1_{one}", content="x") for one in (1, 2))
    starts = [
        ev.ToolStarted(call_id=f"call_1_{one}", tool="look", arguments={}, idempotency_key="k")
        for one in (1, 2)
    ]
    settled = begun(asks(LOOK, LOOK, LOOK), refused, *starts, *ended, ev.ToolsSettled())
    aborted = recorded(settled.limited(max_tool_calls=2))
    assert isinstance(aborted, ev.RunAborted)
    assert aborted.limit == "max_tool_calls"


def test_the_model_may_use_every_call_that_it_has() -> None:
    assert isinstance(begun(*turns(3)).limited(max_tool_calls=3).effect(), CallModel)


# Circles


def same(_: int) -> str:
    return "order 1"


def test_a_circle_is_told_to_the_model_once_and_is_then_a_limit() -> None:
    events = turns(3, same)
    told = recorded(begun(*events))
    assert isinstance(told, ev.LoopNoticed)
    run = begun(*events, told)
    assert isinstance(run.effect(), CallModel)
    assert run.run is not None
    assert "3 times in a row" in (run.run.messages[-1].content or "")
    again = recorded(begun(*events, told, *turn(4)))
    assert isinstance(again, ev.RunAborted)
    assert (again.limit, again.found) == ("max_repeats", "order 1")


WRITTEN = ('{"order": "1", "n": 2}', '{"order":"1","n":2}', '{"n":2,\n"order":"1"}')


def test_a_call_is_the_same_however_its_arguments_are_written() -> None:
    events = [one for n, text in enumerate(WRITTEN, 1) for one in turn(n, ("look", text), same(n))]
    assert isinstance(recorded(begun(*events)), ev.LoopNoticed)
    broken = [one for n in (1, 2, 3) for one in turn(n, ("look", "{" * n), "no JSON")]
    assert isinstance(begun(*broken).effect(), CallModel)


def cut(number: int) -> list[ev.Event]:
    asked, started, returned, settled = turn(number, gave="word " * 99)
    return [asked, started, returned.model_copy(update={"shown": 10}), settled]


def test_a_result_that_was_cut_is_the_same_though_the_note_on_its_rest_names_its_call() -> None:
    tools = {**WORKFLOW.schemas, "read_result": "s"}
    start = STARTED.model_copy(update={"tools": tools})
    run = given(start, *(event for number in (1, 2, 3) for event in cut(number)))
    assert run.run is not None
    assert 'read_result(call_id="call_3_1"' in (run.run.messages[-1].content or "")
    assert isinstance(recorded(run), ev.LoopNoticed)


def test_whoever_stops_going_round_may_go_on_and_is_told_again_of_the_next_circle() -> None:
    told = ev.LoopNoticed(words="again and again")
    events = [*turns(3, same), told, *turn(4, gave="something else")]
    assert isinstance(begun(*events).effect(), CallModel)
    events += [event for one in (5, 6, 7) for event in turn(one)]
    assert isinstance(recorded(begun(*events)), ev.LoopNoticed)


def transcript(*said: str) -> list[Message]:
    """A transcript in which each letter is a turn with a call and a result of its own."""
    messages = [Message(role="system", content="s"), Message(role="user", content="u")]
    for number, letter in enumerate(said):
        call = ToolCall(id=f"c{number}", function=FunctionCall(name=letter, arguments="{}"))
        messages += [
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", tool_call_id=f"c{number}", content=letter),
        ]
    return messages


@pytest.mark.parametrize(
    ("said", "rounds"),
    [("A", 1), ("AA", 2), ("BAAA", 3), ("ABAB", 2), ("ABABAB", 3), ("ABCABC", 2), ("AAB", 1)],
)
def test_rounds_are_counted_whatever_their_length(said: str, rounds: int) -> None:
    found = circle(transcript(*said), 4)
    assert (found.rounds if found else 1) == rounds


@over(st.text("ABC", max_size=20), st.integers(1, 6))
def test_a_circle_is_what_stands_there_so_often(said: str, most: int) -> None:
    messages = transcript(*said)
    found = circle(messages, most)
    if found is None:
        assert most < 2 or not said or said[-1:] != said[-2:-1]
        return
    assert found.rounds >= 2
    names = [one.tool_calls[0].function.name for one in messages if one.tool_calls]
    begins = (found.begins - 2) // 2
    part = names[begins:]
    length = len(part) // found.rounds
    assert part == part[:length] * found.rounds


# Asking, answering, raising


def at_the_limit(on_limit: str) -> Given:
    return begun(*turns(2)).limited(max_turns=2, on_limit=on_limit)


def test_a_person_is_asked_and_says_by_how_much_it_may_go_on() -> None:
    asked = recorded(at_the_limit("ask"))
    assert isinstance(asked, ev.ApprovalRequested)
    assert (asked.approval_kind, asked.tool, asked.call_id) == ("limit", "max_turns", "")
    run = begun(*turns(2), asked)
    assert run.run is not None
    assert (run.run.state, run.run.limit) == (State.AwaitingApproval, "max_turns")
    more = Raise(raises={"max_turns": Decimal(3)}, by="ann", note="ok")
    raised = ev.LimitsRaised(
        raised={"max_turns": Decimal(3)}, by="ann", approval_id="r1.1", note="ok"
    )
    run.accepts(more, raised)
    on = begun(*turns(2), asked, raised).limited(max_turns=2, on_limit="ask")
    assert isinstance(on.effect(), CallModel)
    run.refuses(Approve(by="ann"), RefusedError, r"resume --raise max_turns=\+N")
    run.refuses(
        Raise(raises={"max_tokens": Decimal(1)}, by="ann"), RefusedError, "has come to max_turns"
    )


def test_a_no_to_going_on_ends_the_run_with_what_it_has_found() -> None:
    asked = recorded(at_the_limit("ask"))
    run = begun(*turns(2), asked)
    assert run.run is not None
    denied = ev.ApprovalDenied(
        approval_id="r1.1", call_id="", digest=run.run.approvals[0].digest, by="ann", reason="no"
    )
    reason = "the limit max_turns=2 is reached; ann did not let it go on: no"
    stop = ev.RunAborted(reason=reason, by="ann", limit="max_turns", found="2")
    run.accepts(Deny(by="ann", reason="no"), denied, stop)
    ended = begun(*turns(2), asked, denied, stop).run
    assert ended is not None
    assert (ended.state, ended.approvals, ended.found) == (State.Aborted, (), "2")


def test_the_last_answer_is_given_without_tools() -> None:
    reached = recorded(at_the_limit("answer"))
    assert isinstance(reached, ev.LimitReached)
    run = begun(*turns(2), reached).limited(max_turns=2, on_limit="answer")
    assert isinstance(run.effect(), CallModel)
    stubborn = begun(*turns(2), reached, asks(LOOK, turn=3))
    refused = recorded(stubborn.limited(max_turns=2, on_limit="answer"))
    assert isinstance(refused, ev.ToolFailed)
    assert refused.error.startswith("No tool can be called any more")
    events = [*turns(2), reached, asks(LOOK, turn=3), refused, ev.ToolsSettled()]
    ended = recorded(begun(*events).limited(max_turns=2, on_limit="answer"))
    assert isinstance(ended, ev.RunAborted)
    assert ended.limit == "max_turns"


def told_more_after_its_last_words(limit: str) -> Given:
    reached = ev.LimitReached(limit=limit, words="enough. Answer now.")
    said = ev.ModelAnswered(message=Message(role="assistant", content="So far."))
    more = ev.MessageReceived(message="And order 2?", by="ann")
    run = begun(*turns(2), reached, said, more)
    return run.limited(max_turns=3 if limit == "max_turns" else 12, on_limit="answer")


@pytest.mark.parametrize("limit", ["max_repeats", "context"])
def test_whoever_says_more_after_a_loop_is_answered_with_tools_again(limit: str) -> None:
    run = told_more_after_its_last_words(limit)
    assert isinstance(run.effect(), CallModel)
    assert run.run is not None
    assert request_of(run.run, run.workflow).tools == run.workflow.tools
    assert run.run.limit is None


def test_whoever_says_more_after_all_is_spent_gets_no_more() -> None:
    ended = recorded(told_more_after_its_last_words("max_turns"))
    assert isinstance(ended, ev.RunAborted)
    assert (ended.limit, ended.found) == ("max_turns", "So far.")


def test_an_aborted_run_is_revived_and_may_be_raised_again() -> None:
    stop = recorded(at_the_limit("abort"))
    raised = ev.LimitsRaised(raised={"max_turns": Decimal(1)}, by="ann")
    run = begun(*turns(2), stop)
    run.accepts(Raise(raises={"max_turns": Decimal(1)}, by="ann"), raised)
    revived = begun(*turns(2), stop, raised).limited(max_turns=2)
    assert revived.run is not None
    assert (revived.run.reason, revived.run.limit, revived.run.found) == (None, None, None)
    assert isinstance(revived.effect(), CallModel)
    further = begun(*turns(2), stop, raised, *turn(3)).limited(max_turns=2)
    assert isinstance(recorded(further), ev.RunAborted)
    run.refuses(
        Raise(raises={"max_tokens": Decimal(1)}, by="ann"), RefusedError, "has come to max_turns"
    )


def test_what_was_given_up_for_another_reason_is_not_raised() -> None:
    by_hand = given(STARTED, ev.RunAborted(reason="enough", by="ann"))
    wish = Raise(raises={"max_turns": Decimal(1)}, by="ann")
    by_hand.refuses(wish, RefusedError, "has come to none of its limits")
    begun().refuses(wish, RefusedError, "nothing to raise")


@pytest.mark.parametrize(
    ("raises", "words"),
    [
        ({}, "say which limit"),
        ({"max_turn": 1}, "is max_turns meant"),
        ({"max_turns": 0}, "above 0"),
        ({"max_turns": -1}, "above 0"),
        ({"max_turns": "0.5"}, "whole number"),
        ({"max_turns": "1e30"}, "at most 1,000,000,000"),
    ],
)
def test_an_amount_that_makes_no_sense_is_refused(raises: dict[str, Any], words: str) -> None:
    run = begun(*turns(2), recorded(at_the_limit("abort")))
    amounts = {name: Decimal(amount) for name, amount in raises.items()}
    run.refuses(Raise(raises=amounts, by="ann"), BadInputError, words)
    for odd in ("NaN", "Infinity"):
        with pytest.raises(BadInputError):
            Raise(raises={"max_turns": Decimal(odd)}, by="ann")


# What is declared


@pytest.mark.parametrize("name", RAISABLE)
@pytest.mark.parametrize("bound", [0, -1, "x", float("nan")])
def test_a_bound_that_bounds_nothing_is_refused_by_its_name(name: str, bound: Any) -> None:
    with pytest.raises(DefinitionError, match=name):
        Limits(**{name: bound})


ODD = [True, "3", b"3", [], 10**16, float("inf"), 1e300, Decimal("NaN"), Decimal("Infinity")]


@pytest.mark.parametrize("name", Limits.model_fields)
@pytest.mark.parametrize("bound", ODD, ids=repr)
def test_a_bound_that_is_no_number_of_its_kind_is_refused_by_its_name(
    name: str, bound: Any
) -> None:
    if name == "max_cost_usd" and bound == "3":  # as exactly as it is said
        assert Limits(max_cost_usd=bound).max_cost_usd == 3
        return
    with pytest.raises(DefinitionError, match=name):
        Limits(**{name: bound})


@pytest.mark.parametrize("name", RateLimit.model_fields)
@pytest.mark.parametrize("bound", ODD, ids=repr)
def test_a_rate_that_is_no_number_is_refused_by_its_name(name: str, bound: Any) -> None:
    with pytest.raises(DefinitionError, match=name):
        RateLimit(**{name: bound})


@pytest.mark.parametrize("limits", [None, 5, {"max_turns": 3}])
def test_limits_that_are_none_are_refused_when_the_workflow_is_built(limits: Any) -> None:
    with pytest.raises(DefinitionError, match="limits"):
        Workflow(name="shop", instructions="Help.", limits=limits)


def test_limits_that_nobody_set_leave_the_workflow_as_it_was() -> None:
    assert Limits().declared == {"max_turns": 12, "max_attempts": 5}
    other = Workflow(
        name="shop", instructions="Help.", tools=WORKFLOW.tools, limits=Limits(max_tokens=9)
    )
    assert other.definition != WORKFLOW.definition
    same_one = Workflow(name="shop", instructions="Help.", tools=WORKFLOW.tools, limits=Limits())
    assert same_one.definition == WORKFLOW.definition


def test_what_was_raised_in_a_run_is_not_raised_in_its_fork() -> None:
    raised = ev.LimitsRaised(raised={"max_turns": Decimal(3)}, by="ann")
    stop = recorded(at_the_limit("abort"))
    forked = ev.RunForked(run_id="r0", at_seq=11, digest="0" * 64)
    run: Run | None = begun(*turns(2), stop, raised, forked).run
    assert run is not None
    assert run.raised == {}
