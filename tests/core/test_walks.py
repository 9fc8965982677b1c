"""Random walks over the machine, folded, encoded, and folded back."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec.checkpoints import decode_checkpoint, encode_checkpoint
from engine.codec.events import decode_event, encode_event
from engine.core import events as ev
from engine.core.accept import accept
from engine.core.canonical import parse_object
from engine.core.commands import Abort, Answer, Approve, Command, Deny
from engine.core.decide import decide
from engine.core.effects import CallModel, CallTools, Notify, Park, Reconcile, Record
from engine.core.evolve import fold
from engine.core.messages import Message, Usage
from engine.core.run import Run
from engine.core.states import ENDED
from engine.core.tools import tool
from tests.spec import NOON, STARTED, WORKFLOW, asks


@tool(reconcile=lambda *_: None, idempotent=True)
def send(order: str) -> str:
    """Send an order, and be able to say whether it was sent."""
    return order


SHOP = replace(WORKFLOW, tools=(*WORKFLOW.tools, send))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ARGUMENTS = st.one_of(
    TEXT, st.sampled_from(['{"order": "1"}', '{"order": "2", "amount": 3}', "{}"])
)

CALLS = st.lists(
    st.tuples(st.sampled_from(["look", "pay", "send", "gone"]), ARGUMENTS), min_size=1, max_size=4
)


def _model_says(data: st.DataObject, run: Run, effect: CallModel) -> ev.Event:
    match data.draw(st.sampled_from(["tools", "tools", "answer", "fail"])):
        case "tools":
            return asks(*data.draw(CALLS), turn=effect.turn)
        case "answer":
            message = Message(role="assistant", content=data.draw(TEXT))
            return ev.ModelAnswered(message=message, usage=Usage(input_tokens=run.turns))
        case _:
            return ev.ModelFailed(error=data.draw(TEXT), attempt=effect.attempt, retry_at=NOON)


def _tools_say(data: st.DataObject, effect: CallTools) -> list[ev.Event]:
    """Outcomes in any order; now and then a crash loses some of them."""
    results = [_outcome(data, one) for one in effect.intents]
    order = data.draw(st.permutations(results))
    return [*effect.intents, *order[: data.draw(st.integers(0, len(order)))]]


def _outcome(data: st.DataObject, intent: ev.ToolStarted) -> ev.Event:
    call_id, words = intent.call_id, data.draw(TEXT)
    match data.draw(st.sampled_from(["returned", "failed", "not executed", "interrupted"])):
        case "returned":
            return ev.ToolReturned(call_id=call_id, content=words)
        case "failed":
            return ev.ToolFailed(call_id=call_id, error=words)
        case "not executed":
            return ev.ToolNotExecuted(call_id=call_id, error=words, retry_at=NOON)
        case _:
            return ev.ToolInterrupted(call_id=call_id, error=words, retry_at=NOON)


def _looked_up(data: st.DataObject, start: ev.ToolStarted) -> ev.Event:
    call_id, words = start.call_id, data.draw(TEXT)
    match data.draw(st.sampled_from(["happened", "did not", "failed"])):
        case "happened":
            return ev.ToolReturned(call_id=call_id, content=words, reconciled=True)
        case "did not":
            return ev.ToolNotExecuted(call_id=call_id, error=words, retry_at=NOON)
        case _:
            return ev.ReconcileFailed(call_id=call_id, error=words)


def _person_says(data: st.DataObject, run: Run) -> tuple[ev.Event, ...]:
    asked = data.draw(st.sampled_from(run.approvals))
    call_id, retry = asked.call_id, asked.kind == "in_doubt"
    verdicts: list[Command] = [
        Approve(call_id=call_id, by="ann", retry=retry),
        Answer(call_id=call_id, by="ann", result=data.draw(TEXT)),
        Deny(call_id=call_id, by="ann"),
        Abort(by="ann"),
    ]
    return accept(run, SHOP, data.draw(st.sampled_from(verdicts)))


def _next(data: st.DataObject, run: Run) -> list[ev.Event]:
    match decide(run, SHOP, NOON):
        case CallModel() as effect:
            return [_model_says(data, run, effect)]
        case CallTools() as effect:
            return _tools_say(data, effect)
        case Reconcile() as effect:
            return [_looked_up(data, start) for start in effect.starts]
        case Record(events):
            return list(events)
        case Notify():
            raise AssertionError("there is nobody to tell")
        case Park():
            return list(_person_says(data, run))


@settings(max_examples=150)
@given(st.data())
def test_a_walk_folds_back_to_the_same_run_through_bytes(data: st.DataObject) -> None:
    journal: list[ev.Recorded] = []
    run: Run | None = None
    events: list[ev.Event] = [STARTED]
    while events and len(journal) < 60:
        at = NOON + timedelta(microseconds=len(journal))
        fresh = [
            ev.Recorded(seq=len(journal) + place, at=at, event=event)
            for place, event in enumerate(events, 1)
        ]
        journal += fresh
        run = fold(fresh, run)
        assert run is not None
        events = [] if run.state in ENDED else _next(data, run)
    again = [
        one.model_copy(update={"event": decode_event(one.event.kind, encode_event(one.event))})
        for one in journal
    ]
    assert again == journal
    assert fold(again) == run
    assert run is not None
    checkpoint = run.checkpoint()
    assert decode_checkpoint(encode_checkpoint(checkpoint)) == checkpoint
    _holds_together(run, journal)


def _holds_together(run: Run, journal: list[ev.Recorded]) -> None:
    """What is true of every run, wherever its walk has led it."""
    assert run.seq == len(journal)
    granted: set[str] = set()
    grants: dict[str, set[str]] = {}
    for event in (one.event for one in journal):
        if isinstance(event, ev.ApprovalGranted):
            granted.add(event.approval_id)
        if isinstance(event, ev.ToolNotExecuted):
            granted |= grants.get(event.call_id, set())  # it did nothing, so its grant still holds
        if isinstance(event, ev.ToolStarted) and event.tool == "pay":
            assert event.approval_id in granted, "a gated tool started without a grant"
            granted.remove(event.approval_id)  # one grant, one start
            grants[event.call_id] = {event.approval_id}
    asked = {call.id for message in run.messages for call in message.tool_calls}
    answered = [message.tool_call_id for message in run.messages if message.role == "tool"]
    assert len(answered) == len(set(answered))
    assert asked - set(answered) == {call.id for call in run.calls}


@given(st.text())
def test_any_text_of_arguments_is_an_object_or_a_clear_refusal(text: str) -> None:
    try:
        value = parse_object(text)
    except ValueError as error:
        assert str(error)  # noqa: PT017 # either outcome is fine, if it is clear
    else:
        assert isinstance(value, dict)
