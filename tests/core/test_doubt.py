"""What becomes of a call whose result is lost: the table of the promise, row by row."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.core import events as ev
from engine.core.canonical import idempotency_key
from engine.core.commands import AcceptChanges, Answer, Approve, Deny
from engine.core.context import ToolContext
from engine.core.demand import Demand
from engine.core.effects import CallTools, Effect, Park, Reconcile, Record
from engine.core.tool import Tool
from engine.core.tools import tool
from engine.core.workflow import Workflow
from engine.errors import DefinitionError, RefusedError
from tests.spec import NOON, STARTED, Given, asks, given

KEY = idempotency_key("r1", "call_1_1")


def send(order: str) -> str:
    """Send an order."""
    return order


def write(order: str, context: ToolContext) -> str:
    """Write an order down."""
    return f"{order} {context.attempt}"


DEFAULT = tool(approval="never")(send)
READS = tool(read_only=True)(send)
REPEATS = tool(approval="never", idempotent=True)(send)
FORGETS = tool(approval="never", idempotent=True, key_ttl=60)(send)
LOOKED_UP = tool(approval="never", reconcile=lambda *_: None)(send)
WRITES = tool(approval="never", transactional=True, name="send")(write)

REQUESTED = asks(("send", '{"order": "1"}'))


def started(attempt: int = 1, sender: Tool = DEFAULT) -> ev.ToolStarted:
    return ev.ToolStarted(
        repeats=sender.repeats,
        call_id="call_1_1",
        tool="send",
        arguments={"order": "1"},
        attempt=attempt,
        idempotency_key=KEY,
    )


def broken_off(sender: Tool = DEFAULT) -> tuple[ev.Event, ev.Event]:
    failed = ev.ToolInterrupted(
        call_id="call_1_1", error="ReadTimeout: 5 s", retry_at=NOON + timedelta(seconds=2)
    )
    return started(sender=sender), failed


def under(sender: Tool, *events: ev.Event) -> Given:
    workflow = Workflow(name="shop", instructions="Help.", tools=(sender,))
    begun = STARTED.model_copy(
        update={"definition": workflow.definition, "tools": workflow.schemas}
    )
    return given(begun, REQUESTED, *events).under(workflow)


def asked(effect: Effect) -> ev.ApprovalRequested:
    assert isinstance(effect, Record)
    (request,) = effect.events
    assert isinstance(request, ev.ApprovalRequested)
    return request


@pytest.mark.parametrize("sender", [DEFAULT, READS, REPEATS, FORGETS, LOOKED_UP, WRITES])
def test_without_an_intent_it_runs(sender: Tool) -> None:
    under(sender).decides(CallTools((started(sender=sender),)))


@pytest.mark.parametrize("sender", [DEFAULT, READS, REPEATS, FORGETS, LOOKED_UP, WRITES])
def test_with_a_result_it_never_runs_again(sender: Tool) -> None:
    returned = ev.ToolReturned(call_id="call_1_1", content="ok")
    under(sender, started(sender=sender), returned).decides(Record((ev.ToolsSettled(),)))


@pytest.mark.parametrize("sender", [READS, REPEATS, FORGETS, WRITES])
def test_a_repeatable_tool_goes_again_under_the_same_key(sender: Tool) -> None:
    under(sender, started(sender=sender)).decides(CallTools((started(2, sender),)))


def test_any_other_tool_is_asked_about() -> None:
    request = asked(under(DEFAULT, started()).effect())
    assert request.approval_kind == "in_doubt"
    assert request.reason == "its driver stopped while it ran; the tool may not be repeated unasked"


def test_a_look_up_comes_first_and_a_failed_one_leaves_it_to_a_person() -> None:
    under(LOOKED_UP, started()).decides(Reconcile((started(),)))
    failed = ev.ReconcileFailed(call_id="call_1_1", error="no answer")
    request = asked(under(LOOKED_UP, started(), failed).effect())
    assert (request.approval_kind, request.reason) == (
        "in_doubt",
        "no answer; the tool may not be repeated unasked",
    )


def test_what_is_known_not_to_have_happened_runs_again() -> None:
    absent = ev.ToolNotExecuted(call_id="call_1_1", error="not there", retry_at=NOON)
    under(LOOKED_UP, started(), absent).decides(CallTools((started(attempt=2),)))


def test_what_did_not_happen_is_tried_later_and_not_for_ever() -> None:
    later = NOON + timedelta(seconds=3)
    refused = ev.ToolNotExecuted(call_id="call_1_1", error="closed", retry_at=later)
    tries = [event for attempt in range(1, 6) for event in (started(attempt), refused)]
    under(DEFAULT, *tries[:2]).decides(Park(until=later))
    under(DEFAULT, *tries[:2]).later(3).decides(CallTools((started(attempt=2),)))
    words = "Not executed, after 5 attempts: closed"
    under(DEFAULT, *tries).decides(Record((ev.ToolFailed(call_id="call_1_1", error=words),)))


def test_a_repeat_that_did_nothing_leaves_the_first_attempt_in_doubt() -> None:
    """A person had it run again; that attempt says nothing about the one before it."""
    broken = under(DEFAULT, *broken_off())
    request = asked(broken.effect()).model_copy(update={"approval_id": "r1.1"})
    granted = ev.ApprovalGranted(
        approval_id="r1.1", call_id="call_1_1", digest=request.digest, by="ann"
    )
    again = started(2).model_copy(update={"approval_id": "r1.1"})
    refused = ev.ToolNotExecuted(call_id="call_1_1", error="closed", retry_at=NOON)
    journal = (*broken_off(), request, granted, ev.ApprovalsSettled(), again, refused)
    second = asked(under(DEFAULT, *journal).effect())
    assert second.approval_kind == "in_doubt"
    looked_up = refused.model_copy(update={"reconciled": True})
    effect = under(DEFAULT, *journal[:-1], looked_up).effect()
    assert isinstance(effect, CallTools)


def test_a_call_that_broke_off_is_in_doubt() -> None:
    request = asked(under(DEFAULT, *broken_off()).effect())
    assert request.reason == "ReadTimeout: 5 s; the tool may not be repeated unasked"


def test_an_idempotent_call_that_broke_off_goes_again_after_a_while() -> None:
    under(REPEATS, *broken_off(REPEATS)).decides(Park(until=NOON + timedelta(seconds=2)))
    under(REPEATS, *broken_off(REPEATS)).later(2).decides(CallTools((started(2, REPEATS),)))


def test_the_receiver_s_memory_bounds_what_is_repeated_unasked() -> None:
    under(FORGETS, *broken_off(FORGETS)).later(60).decides(CallTools((started(2, FORGETS),)))
    request = asked(under(FORGETS, *broken_off(FORGETS)).later(61).effect())
    assert request.reason == "ReadTimeout: 5 s; its key may be forgotten after 60 s"


def test_the_number_of_starts_is_bounded() -> None:
    request = asked(
        under(REPEATS, *(started(attempt, REPEATS) for attempt in range(1, 6))).effect()
    )
    assert request.reason == "its driver stopped while it ran; it was started 5 times"


def gated(sender: Tool) -> Tool:
    return replace(sender, approval="always")


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (DEFAULT, REPEATS, "the tool could not be repeated so when it was started"),
        (DEFAULT, READS, "the tool could not be repeated so when it was started"),
        (REPEATS, WRITES, "the tool could not be repeated so when it was started"),
        (REPEATS, gated(REPEATS), "the tool needs approval now"),
    ],
)
def test_what_a_tool_says_today_does_not_bind_what_it_did_yesterday(
    before: Tool, after: Tool, why: str
) -> None:
    today = Workflow(name="shop", instructions="Help.", tools=(after,))
    request = asked(under(before, started(sender=before)).under(today).effect())
    assert request.reason == f"its driver stopped while it ran; {why}"


def test_an_attempt_that_did_nothing_says_nothing_of_those_before_it() -> None:
    refused = ev.ToolNotExecuted(call_id="call_1_1", error="closed", retry_at=NOON)
    path = (*broken_off(FORGETS), started(2, FORGETS), refused)
    under(FORGETS, *path).decides(CallTools((started(3, FORGETS),)))
    request = asked(under(FORGETS, *path).later(61).effect())
    assert request.reason == "closed; its key may be forgotten after 60 s"


def test_a_clock_that_was_set_back_is_not_waited_for() -> None:
    back = -3600
    under(REPEATS, *broken_off(REPEATS)).later(back).decides(CallTools((started(2, REPEATS),)))
    request = asked(under(FORGETS, *broken_off(FORGETS)).later(back).effect())
    assert request.reason == "ReadTimeout: 5 s; its key may be forgotten after 60 s"


def test_a_call_in_doubt_of_a_tool_that_is_gone_is_asked_about() -> None:
    gone = Workflow(name="shop", instructions="Help.")
    request = asked(under(REPEATS, started()).under(gone).effect())
    assert request.reason == "its driver stopped while it ran; the tool is gone"


def in_doubt(sender: Tool = DEFAULT) -> tuple[ev.Event, ...]:
    return (started(), asked(under(sender, started()).effect()))


def test_a_person_says_run_it_again() -> None:
    parked = under(DEFAULT, *in_doubt())
    digest = DEFAULT.digest({"order": "1"}, Demand())
    granted = ev.ApprovalGranted(approval_id="r1.1", call_id="call_1_1", digest=digest, by="ann")
    parked.refuses(Approve(by="ann"), RefusedError, "not known whether send happened")
    parked.accepts(Approve(by="ann", retry=True), granted)
    again = started(attempt=2).model_copy(update={"approval_id": "r1.1"})
    under(DEFAULT, *in_doubt(), granted, ev.ApprovalsSettled()).decides(CallTools((again,)))


def test_a_person_says_what_came_of_it() -> None:
    parked = under(DEFAULT, *in_doubt())
    answered = ev.ApprovalAnswered(
        approval_id="r1.1",
        call_id="call_1_1",
        digest=DEFAULT.digest({"order": "1"}, Demand()),
        by="ann",
        content="sent",
    )
    parked.accepts(Answer(by="ann", result="sent"), answered)
    told = under(DEFAULT, *in_doubt(), answered, ev.ApprovalsSettled())
    told.decides(Record((ev.ToolsSettled(),)))
    assert told.run is not None
    assert [(r.content, r.is_error) for r in told.run.results] == [("sent", False)]


def test_a_person_gives_up_on_it() -> None:
    parked = under(DEFAULT, *in_doubt())
    denied = ev.ApprovalDenied(
        approval_id="r1.1",
        call_id="call_1_1",
        digest=DEFAULT.digest({"order": "1"}, Demand()),
        by="ann",
        reason="too late",
    )
    parked.accepts(Deny(by="ann", reason="too late"), denied)
    given_up = under(DEFAULT, *in_doubt(), denied, ev.ApprovalsSettled()).run
    assert given_up is not None
    assert given_up.results[0].content == (
        "It is not known whether this call happened; a person gave up on it: too late"
    )


def test_a_plain_approval_has_nothing_to_retry() -> None:
    gated = tool(send)
    asks_first = under(gated, asked(under(gated).effect()))
    asks_first.refuses(Approve(by="ann", retry=True), RefusedError, "send is not in doubt")
    asks_first.refuses(AcceptChanges(by="ann"), RefusedError, "waits for no one to accept")


def other(order: str, express: bool = False) -> str:  # noqa: FBT002 # as a tool's parameter
    """Send an order some way."""
    return f"{order} {express}"


def test_a_tool_that_changed_since_it_was_asked_for_waits_for_a_person() -> None:
    changed = replace(DEFAULT, parameters=tool(other).parameters, validator=None)
    today = Workflow(name="shop", instructions="Help.", tools=(changed,))
    request = asked(under(DEFAULT).under(today).effect())
    assert request.approval_kind == "changed"
    assert request.reason == "the tool send has another schema than when the model asked for it"
    parked = under(DEFAULT, request).under(today)
    parked.refuses(Approve(by="ann"), RefusedError, "accept the changes")
    accepted = ev.ApprovalGranted(
        approval_id="r1.1", call_id="call_1_1", digest=request.digest, by="ann"
    )
    parked.accepts(AcceptChanges(by="ann"), accepted)
    goes_on = under(DEFAULT, request, accepted, ev.ApprovalsSettled()).under(today)
    goes_on.decides(CallTools((started(),)))


def test_a_tool_that_is_gone_waits_for_a_person_and_is_then_refused() -> None:
    today = Workflow(name="shop", instructions="Help.")
    request = asked(under(DEFAULT).under(today).effect())
    assert request.reason == "the tool send is gone from the workflow since the model asked for it"
    accepted = ev.ApprovalGranted(
        approval_id="r1.1", call_id="call_1_1", digest=request.digest, by="ann"
    )
    words = "There is no tool 'send'. The tools are: none."
    under(DEFAULT, request, accepted, ev.ApprovalsSettled()).under(today).decides(
        Record((ev.ToolFailed(call_id="call_1_1", error=words),))
    )


def test_a_workflow_that_changed_is_noted_before_the_model_is_asked_again() -> None:
    today = Workflow(name="shop", instructions="Help.", tools=(READS,))
    changed = ev.WorkflowChanged(definition=today.definition, tools=today.schemas)
    given(STARTED).under(today).decides(Record((changed,)))


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ({"key_ttl": 5.0}, "key_ttl"),
        ({"key_ttl": 0.0, "idempotent": True}, "key_ttl"),
        ({"transactional": True}, "ToolContext"),
        ({"transactional": True, "reconcile": lambda *_: None}, "nothing to look up"),
    ],
)
def test_what_makes_no_sense_is_refused_when_it_is_declared(
    declared: dict[str, object], fault: str
) -> None:
    with pytest.raises(DefinitionError, match=f"tool send: .*{fault}"):
        tool(**declared)(send)  # type: ignore[call-overload] # wrong on purpose


def test_a_tool_s_context_is_not_the_model_s_to_give() -> None:
    assert WRITES.context == "context"
    assert set(WRITES.parameters["properties"]) == {"order"}  # type: ignore[arg-type] # a schema's
    both = """def both(first: ToolContext, second: ToolContext) -> str: return ''"""
    scope: dict[str, object] = {"ToolContext": ToolContext}
    exec(both, scope)  # noqa: S102 # a function no reader would write
    with pytest.raises(DefinitionError, match="first and second both want a ToolContext"):
        tool(scope["both"])  # type: ignore[call-overload] # a function
