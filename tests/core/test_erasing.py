"""What people, models and tools wrote can be taken out of every event; the run stays."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, JsonValue

from engine.codec.events import decode_event, encode_event
from engine.core import events as ev
from engine.core.erasing import ERASED, About, erased
from engine.core.evolve import evolve
from engine.core.messages import FunctionCall, Message, ToolCall
from engine.core.run import Run
from engine.core.states import ENDED, State
from tests.core.walking import Walk
from tests.spec import asks

CANARY = "Zanzibar"
KINDS: dict[str, type[BaseModel]] = {
    one.model_fields["kind"].default: one for one in get_args(get_args(ev.Event)[0])
}
# Fields that only ever hold what the engine or the workflow's authors wrote.
_OURS = """
kind run_id workflow definition tools secrets redact tool notify notifier role call_id calls
approval_id rule_id approval_kind digest schema_digest terms demand idempotency_key audit
limit outcome model request_id usage id name type
"""
OURS = set(_OURS.split())
NAMES = st.sampled_from(["ann", CANARY, f" {CANARY.upper()}"])
WRITTEN = st.sampled_from(["", CANARY, f"so {CANARY} said"])
JSON: st.SearchStrategy[JsonValue] = st.sampled_from(
    [None, 5, CANARY, [CANARY], {CANARY: {CANARY: 1}}]
)
CALL = st.builds(
    lambda name, more: ToolCall(
        id="call_1_1", function=FunctionCall(name=name, arguments=f'{{"a": "{CANARY}"}}', **more)
    ),
    st.sampled_from(["pay", CANARY]),
    st.sampled_from([{}, {"extra": CANARY}]),
)
MESSAGE = st.builds(
    lambda content, calls, more: Message(
        role="assistant", content=content, tool_calls=tuple(calls), **more
    ),
    st.none() | WRITTEN,
    st.lists(CALL, max_size=2),
    st.sampled_from([{}, {"reasoning": CANARY}, {"tool_call_id": CANARY}]),
)


def anything(annotation: Any, *, ours: bool) -> st.SearchStrategy[Any]:  # noqa: PLR0911 # a type a line
    """Whatever a field of that type can hold; the canary, where the text is not ours."""
    text = st.just("ours") if ours else WRITTEN
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: text,
        int: st.integers(0, 9),
        float: st.sampled_from([0.5, 60.0]),
        Decimal: st.sampled_from([Decimal("0.5"), Decimal(60)]),
        bool: st.booleans(),
        NoneType: st.none(),
        datetime: st.just(datetime(2026, 1, 1, tzinfo=UTC)),
        Message: MESSAGE,
    }
    if annotation in plain:
        return plain[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin in (Union, UnionType):
        return st.one_of([anything(one, ours=ours) for one in inner])
    if origin is tuple:
        return st.lists(anything(inner[0], ours=ours), max_size=2).map(tuple)
    if origin in (dict, Mapping):
        keys, values = (anything(one, ours=ours) for one in inner)
        return st.dictionaries(keys, values, max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return built(annotation, ours=ours)
    return st.just("ours") if ours else JSON


def built(shape: type[BaseModel], *, ours: bool = False) -> st.SearchStrategy[Any]:
    fields = {
        name: NAMES if name == "by" else anything(field.annotation, ours=ours or name in OURS)
        for name, field in shape.model_fields.items()
    }
    return st.fixed_dictionaries(fields).map(shape.model_validate)


ABOUT = About(CANARY, frozenset(["pay"]))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_is_left_in_any_event_of_what_anybody_wrote(kind: str) -> None:
    held = []

    @settings(max_examples=40)
    @given(built(KINDS[kind]))
    def holds(event: Any) -> None:
        left = erased(event, ABOUT)
        data = encode_event(left)
        kept = kind == "data_erased"  # why something was erased is kept
        assert kept or CANARY.casefold() not in data.decode().casefold()
        assert decode_event(kind, data) == left
        assert erased(left, ABOUT) == left
        for name in OURS & left.model_fields_set - {"calls"}:
            assert getattr(left, name) == getattr(event, name)
        held.append(CANARY in encode_event(event).decode())

    holds()
    without = {"tools_settled", "approvals_settled", "arguments_lost", "approval_expired"}
    told = {"approval_reminded", "approval_notified", "workflow_changed"}
    assert any(held) or kind in without | told


def test_names_of_the_staff_stay_and_tools_that_there_are() -> None:
    grant = ev.ApprovalGranted(approval_id="a", call_id="c", digest="d", by="ann", note="hm")
    left = erased(grant, ABOUT)
    assert isinstance(left, ev.ApprovalGranted)
    assert (left.by, left.note) == ("ann", ERASED)
    asked = erased(asks(("pay", '{"amount": 5}'), ("zap", "{}")), ABOUT)
    assert isinstance(asked, ev.ToolsRequested)
    assert [one.function.name for one in asked.message.tool_calls] == ["pay", ERASED]
    assert [one.id for one in asked.message.tool_calls] == ["call_1_1", "call_1_2"]


def test_a_walk_without_its_words_goes_through_the_same_states() -> None:
    ended: list[State] = []

    @settings(max_examples=60)
    @given(st.data())
    def walk(data: st.DataObject) -> None:
        walk = Walk(data)
        while len(walk.journal) < 70 and walk.step():
            pass
        run: Run | None = None
        left: Run | None = None
        for one in walk.journal:
            run = evolve(run, one)
            event = erased(one.event, About(None, frozenset(run.tools)))
            left = evolve(left, one.model_copy(update={"event": event}))
            assert _bones(left) == _bones(run)
        ended.append(walk.live.state)

    walk()
    assert set(ended) & set(ENDED)


def _bones(run: Run) -> object:
    """What of a run is nobody's words."""
    calls = [(one.id, one.status, one.attempt, one.digest, one.batch) for one in run.calls]
    asked = [(one.approval_id, one.kind, one.digest, one.expires_at) for one in run.approvals]
    said = [(one.approval_id, one.verdict, one.by, one.at) for one in run.verdicts]
    told = [(one.role, one.tool_call_id, len(one.tool_calls)) for one in run.messages]
    figures = (run.state, run.seq, run.turns, run.usage, run.failures, run.unread, run.limit)
    return figures, calls, asked, said, told, [one.id for one in run.rules]
