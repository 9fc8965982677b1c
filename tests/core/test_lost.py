"""Calls of which a log did not have the arguments: nobody invents them."""

import pytest

from engine.core import events as ev
from engine.core.accept import accept
from engine.core.commands import Answer, Approve, Deny
from engine.core.decide import decide
from engine.core.effects import CallTools, Record
from engine.core.evolve import evolve
from engine.core.run import Run
from engine.errors import RefusedError
from tests.spec import NOON, STARTED, WORKFLOW, asks, given

LOST = (STARTED, asks(("pay", '{"order": "***"}')), ev.ArgumentsLost(calls=("call_1_1",)))


def on(run: Run, *events: ev.Event) -> Run:
    for event in events:
        run = evolve(run, ev.Recorded(seq=run.seq + 1, at=NOON, event=event))
    return run


def asked() -> Run:
    """The run after a person was asked about the call."""
    run = given(*LOST).run
    assert run is not None
    effect = decide(run, WORKFLOW, NOON)
    assert isinstance(effect, Record)
    return on(run, *effect.events)


def test_the_call_is_in_doubt_whatever_became_of_it() -> None:
    (approval,) = asked().approvals
    assert (approval.kind, approval.tool) == ("in_doubt", "pay")
    assert "does not have all of its arguments" in str(approval.reason)


def test_an_approval_that_was_open_is_asked_for_anew_as_in_doubt() -> None:
    request = ev.ApprovalRequested(
        approval_id="r1.1", call_id="call_1_1", tool="pay", arguments={"order": "***"}, digest="d"
    )
    run = given(STARTED, LOST[1], request).run
    assert run is not None
    assert on(run, LOST[2]).approvals == ()


def test_it_runs_only_with_arguments_that_a_person_gives() -> None:
    run = asked()
    with pytest.raises(RefusedError, match="give all of its arguments"):
        accept(run, WORKFLOW, Approve(by="ann", retry=True))
    given_anew = Approve(by="ann", retry=True, arguments={"order": "7"})
    run = on(run, *accept(run, WORKFLOW, given_anew), ev.ApprovalsSettled())
    effect = decide(run, WORKFLOW, NOON)
    assert isinstance(effect, CallTools)
    assert effect.intents[0].arguments == {"order": "7", "amount": 5.0}


@pytest.mark.parametrize("command", [Deny(by="ann"), Answer(by="ann", result="It was paid.")])
def test_or_it_is_given_up_or_answered(command: Deny | Answer) -> None:
    run = asked()
    run = on(run, *accept(run, WORKFLOW, command), ev.ApprovalsSettled())
    assert decide(run, WORKFLOW, NOON) == Record((ev.ToolsSettled(),))


def test_once_it_has_started_its_arguments_are_known_again() -> None:
    run = asked()
    given_anew = Approve(by="ann", retry=True, arguments={"order": "7"})
    run = on(run, *accept(run, WORKFLOW, given_anew), ev.ApprovalsSettled())
    effect = decide(run, WORKFLOW, NOON)
    assert isinstance(effect, CallTools)
    again = decide(on(run, *effect.intents), WORKFLOW, NOON)
    assert isinstance(again, Record)
    (request,) = again.events
    assert isinstance(request, ev.ApprovalRequested)
    assert (request.approval_kind, request.arguments["order"]) == ("in_doubt", "7")
