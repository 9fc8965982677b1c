"""Random walks over the machine, folded, encoded, and folded back."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.codec.checkpoints import decode_checkpoint, encode_checkpoint
from engine.codec.events import decode_event, encode_event
from engine.core import events as ev
from engine.core.accept import accept
from engine.core.canonical import parse_object
from engine.core.commands import Abort, Approve, Command, Deny
from engine.core.decide import decide
from engine.core.effects import CallModel, CallTools, Park, Record
from engine.core.evolve import fold
from engine.core.messages import Message, Usage
from engine.core.run import Run
from engine.core.states import ENDED
from tests.spec import NOON, STARTED, WORKFLOW, asks

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ARGUMENTS = st.one_of(
    TEXT, st.sampled_from(['{"order": "1"}', '{"order": "2", "amount": 3}', "{}"])
)
CALLS = st.lists(
    st.tuples(st.sampled_from(["look", "pay", "gone"]), ARGUMENTS), min_size=1, max_size=4
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
    """Results in any order; now and then a crash loses some of them."""
    results: list[ev.Event] = [
        ev.ToolReturned(call_id=one.call_id, content=data.draw(TEXT))
        if data.draw(st.booleans())
        else ev.ToolFailed(call_id=one.call_id, error=data.draw(TEXT))
        for one in effect.intents
    ]
    order = data.draw(st.permutations(results))
    return [*effect.intents, *order[: data.draw(st.integers(0, len(order)))]]


def _person_says(data: st.DataObject, run: Run) -> tuple[ev.Event, ...]:
    call_id = data.draw(st.sampled_from(run.approvals)).call_id
    verdicts: list[Command] = [
        Approve(call_id=call_id, by="ann"),
        Deny(call_id=call_id, by="ann"),
        Abort(by="ann"),
    ]
    return accept(run, WORKFLOW, data.draw(st.sampled_from(verdicts)))


def _next(data: st.DataObject, run: Run) -> list[ev.Event]:
    match decide(run, WORKFLOW, NOON):
        case CallModel() as effect:
            return [_model_says(data, run, effect)]
        case CallTools() as effect:
            return _tools_say(data, effect)
        case Record(events):
            return list(events)
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
    for event in (one.event for one in journal):
        if isinstance(event, ev.ApprovalGranted):
            granted.add(event.approval_id)
        if isinstance(event, ev.ToolStarted) and event.tool == "pay":
            assert event.approval_id in granted, "a gated tool started without a grant"
            granted.remove(event.approval_id)  # one grant, one start
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
