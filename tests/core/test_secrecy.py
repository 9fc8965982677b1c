"""What is masked of an event, a run, a record: secrets wherever they stand, and nothing else."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from engine.codec.events import decode_event, encode_event
from engine.core import commands as cmd
from engine.core import events as ev
from engine.core.demand import Demand
from engine.core.free_fields import ARGUMENTS, CONDITIONS, FORMS, MESSAGES, PARTS, TEXTS
from engine.core.masking import Mask
from engine.core.messages import FunctionCall, Message, ToolCall, ToolResult
from engine.core.notices import Notice
from engine.core.record import CallRecord, Said
from engine.core.run import Approval, Call, Checkpoint, Run, StickyRule, Verdict
from engine.core.secrecy import NOTHING_SECRET, Secrecy
from engine.core.states import State
from tests.spec import NOON, STARTED, asks

SECRET = 'wq7-Zeta/0"q\\é'  # noqa: S105 # known to the tests alone
LOGIN = STARTED.model_copy(update={"secrets": {"login": ("pin", "cards.*.number")}})

# What is never masked: a new field belongs here, or among the free ones.
STRUCTURE = frozenset(
    re.findall(
        r"\w+",
        """
        accepted allowed_by approval_id approval_kind asked_at at at_seq attempt attempts audit
        by_model sums_up
        batch by call_id customer definition digest doubtful edited_by ended_at epoch erased
        expires_at expires_in four_eyes grants id idempotency_key is_error key kind limit lost
        before compacted cut noted overflowed start strategies tokens window
        begun_at context_messages context_tokens tools_counted cost last_cost last_words looped_at
        overflow raised raises seconds tool_calls
        model name notice_id notifier notify occasion on_expiry origin outcome quorum reconciled
        redact remind_at remind_every repeats request_id requested_at retry retry_at role roles
        rule_id ruled run_id schema_digest secrets seen seq shown started_at started_by state status
        terms to_review tool tools turns unread untold updated_at usage verdict workflow
        """,
    )
)


def shapes() -> Iterator[type[BaseModel]]:
    """Whatever is told of a run."""
    yield from get_args(get_args(ev.Event)[0])
    yield from (Checkpoint, Run, Approval, Call, StickyRule, Verdict, CallRecord, Said, Notice)
    yield from (Demand, ToolResult, ev.Recorded, *get_args(cmd.Command))


def test_of_every_field_it_is_known_whether_people_and_models_write_it() -> None:
    fields = {name for shape in shapes() for name in shape.model_fields}
    free = TEXTS | ARGUMENTS | CONDITIONS | MESSAGES | FORMS | PARTS
    assert len(fields) > 80
    # `ask` and `calls` are of a shape each whose values are structure by their type.
    assert fields - free - STRUCTURE == {"ask"}
    assert not free & STRUCTURE


def recorded(*events: ev.Event) -> list[ev.Recorded]:
    return [ev.Recorded(seq=seq, at=NOON, event=event) for seq, event in enumerate(events, 1)]


def known(*events: ev.Event) -> Secrecy:
    return Secrecy.over(recorded(*events))


def told(secrecy: Secrecy, event: ev.Event) -> ev.Event:
    """The event as a log line has it."""
    return decode_event(event.kind, secrecy.masked(event.kind, encode_event(event)))


ARGS: dict[str, Any] = {
    "user": "ann",
    "pin": SECRET,
    "cards": [{"number": "n-4711-x", "owner": "ann"}],
}
HIDDEN = {"user": "ann", "pin": "***", "cards": [{"number": "***", "owner": "ann"}]}


def started(arguments: dict[str, Any], tool: str = "login") -> ev.ToolStarted:
    return ev.ToolStarted(
        call_id="call_1_1", tool=tool, arguments=arguments, idempotency_key="k" * 32
    )


def requested(arguments: dict[str, Any], **more: Any) -> ev.ApprovalRequested:
    return ev.ApprovalRequested(
        approval_id="r1.1",
        call_id="call_1_1",
        tool="login",
        arguments=arguments,
        digest="0" * 64,
        **more,
    )


def granted(**more: Any) -> ev.ApprovalGranted:
    return ev.ApprovalGranted(
        approval_id="r1.1", call_id="call_1_1", digest="0" * 64, by="ann", **more
    )


def test_arguments_are_masked_at_their_paths_in_every_kind_of_event() -> None:
    secrecy = known(LOGIN, asks(("login", json.dumps(ARGS))))
    for event in (started(ARGS), requested(ARGS), granted(arguments=ARGS)):
        assert getattr(told(secrecy, event), "arguments") == HIDDEN  # noqa: B009 # of several kinds
    assert json.loads(call_of(told(secrecy, asks(("login", json.dumps(ARGS)))))) == HIDDEN


def call_of(event: ev.Event) -> str:
    assert isinstance(event, ev.ToolsRequested)
    return event.message.tool_calls[0].function.arguments


@pytest.mark.parametrize(
    "text", ['{"pin": "12', "pin=1234", '{"pin": "a", "pin": "b"}', "[" * 5000, '["x"', "null"]
)
def test_unreadable_arguments_of_a_tool_with_secrets_are_masked_whole(text: str) -> None:
    assert call_of(told(known(LOGIN), asks(("login", text)))) == "***"
    assert call_of(told(known(STARTED), asks(("pay", text)))) == text


def test_a_call_of_unknown_tool_is_masked_wherever_any_tool_s_would_be() -> None:
    event = granted(arguments={"pin": "x", "amount": 5})
    assert told(known(LOGIN), event) == granted(arguments={"pin": "***", "amount": 5})


def test_a_known_secret_is_masked_in_whatever_is_said_later() -> None:
    secrecy = known(LOGIN, started(ARGS))
    forms = [SECRET, json.dumps(SECRET), repr(SECRET), json.dumps({"a": [json.dumps(SECRET)]})]
    for form in forms:
        words = f"it was {form}, was it?"
        for event in (
            ev.ToolReturned(call_id="c", content=words),
            ev.ToolReturned(call_id="c", content=json.dumps({"echo": words, words: 1})),
            ev.ToolFailed(call_id="c", error=words),
            ev.ModelAnswered(message=Message(role="assistant", content=words)),
            ev.ModelAnswered(
                message=Message.model_validate({"role": "assistant", "thinking": [{"t": words}]})
            ),
            ev.MessageReceived(message=words),
            ev.RunAborted(reason=words, found=words),
            granted(note=words, arguments={"user": words}),
            requested({"user": words}, reason=words, demand=Demand(source=words)),
        ):
            data = secrecy.masked(event.kind, encode_event(event))
            assert b"Zeta" not in data, (event, data)
            assert decode_event(event.kind, data) != event


def test_a_number_that_is_secret_is_masked_as_a_number_too() -> None:
    secrecy = known(LOGIN, started({"pin": 471100}))
    event = ev.ToolReturned(call_id="c", content='{"a": 471100, "b": "pin 471100", "c": 47110}')
    assert told(secrecy, event) == ev.ToolReturned(
        call_id="c", content='{"a": "***", "b": "pin ***", "c": 47110}'
    )


@pytest.mark.parametrize("short", ["abc", "", True, None, "true", "null", "****", 12])
def test_what_is_too_short_to_be_told_from_other_words_is_masked_in_its_place_only(
    short: Any,
) -> None:
    secrecy = known(LOGIN, started({"pin": short}))
    assert told(secrecy, started({"pin": short})) == started(
        {"pin": None if short is None else "***"}
    )
    event = ev.MessageReceived(message=f"so {short} it is, abcd 1234")
    assert told(secrecy, event) == event


@pytest.mark.parametrize(
    "key", ["password", "PASSWORD", "apiKey", "API-Key", "x_token", "X-Token", "refresh_token"]
)
def test_what_stands_under_a_telling_key_is_masked_in_free_content(key: str) -> None:
    secrecy = known(STARTED.model_copy(update={"redact": ("x_token",)}))
    value = {"deep": [{key: "hush-hush", "other": "plain"}]}
    masked = {"deep": [{key: "***", "other": "plain"}]}
    assert told(secrecy, started(value, "pay")) == started(masked, "pay")
    content = ev.ToolReturned(call_id="c", content=json.dumps(value))
    assert told(secrecy, content) == ev.ToolReturned(call_id="c", content=json.dumps(masked))
    call = asks(("pay", json.dumps(value)))
    assert json.loads(call_of(told(secrecy, call))) == masked
    broken = ev.ToolFailed(call_id="c", error=f"KeyError: {value!r}, cut")
    assert told(secrecy, broken) == ev.ToolFailed(call_id="c", error=f"KeyError: {masked!r}, cut")
    spaced = json.dumps(value, separators=(",", "\n : "))
    assert "hush" not in str(told(secrecy, ev.ToolReturned(call_id="c", content=spaced)))
    escaped = json.dumps(value).replace("e", "\\u0065")
    assert "hush" not in str(told(secrecy, ev.ToolReturned(call_id="c", content=escaped)))
    later = told(
        secrecy.after(content, encode_event(content)),
        ev.MessageReceived(message="it is hush-hush now"),
    )
    assert later == ev.MessageReceived(message="it is *** now")


@pytest.mark.parametrize(
    "piece",
    [
        '"password": {"old": ["qwertz-1", {"kept": "qwertz-2"}]}, "door": "front"',
        "'password': {'old': ['qwertz-1', {'kept': \"qwertz-2\"}]}, 'door': 'front'",
        "'password': ('qwertz-1', 'qwertz-2'), 'door': 'front'",
        "'password': Kept(b'qwertz-1', 'qwertz-2'), 'door': 'front'",
        "'password': b'qwertz-1 qwertz-2', 'door': 'front'",
        '"password": ["qwertz-1]}", "qwertz-2"], "door": "front"',
        '"password": ["qwertz-1", {"kept": "qwertz-2',
        '"password": "{qwertz-1 qwertz-2", "door": "front"',
    ],
)
def test_what_is_nested_under_a_telling_key_is_masked_in_a_piece_of_json(piece: str) -> None:
    said = ev.ModelAnswered(message=Message(role="assistant", content=f"I tried: {{{piece}}}"))
    later = ev.MessageReceived(message="qwertz-1 and qwertz-2, kept, front")
    secrecy = Secrecy().after(said, encode_event(said))
    assert "qwertz" not in secrecy.told(said).model_dump_json()
    assert ("front" in piece) == ("front" in secrecy.told(said).model_dump_json())
    assert "kept, front" in str(secrecy.after(later, encode_event(later)).told(later).message)


def test_a_sticky_rule_s_conditions_are_masked_like_the_arguments() -> None:
    rule = ev.StickyRuleAdded(
        rule_id="r1.rule1",
        tool="login",
        when={"pin": {"eq": SECRET}, "user": {"in": ["ann", SECRET]}, "password": {"ne": "x"}},
        schema_digest="d",
        terms="t",
        by="ann",
    )
    hidden = {"pin": {"eq": "***"}, "user": {"in": ["ann", "***"]}, "password": {"ne": "***"}}
    assert told(known(LOGIN, rule), rule) == rule.model_copy(update={"when": hidden})


def test_a_form_keeps_its_keys_and_its_answer_is_masked_where_it_says() -> None:
    form = {
        "type": "object",
        "properties": {"password": {"type": "string", "writeOnly": True}, "user": {}},
    }
    asked = requested({"question": "Who?"}, form=form)
    secrecy = known(STARTED, asked)
    assert told(secrecy, asked) == asked
    answer = ev.ApprovalAnswered(
        approval_id="r1.1",
        call_id="call_1_1",
        digest="d",
        by="ann",
        content='{"password": "opensesame", "user": "ann"}',
    )
    shown = json.loads(getattr(told(secrecy, answer), "content"))  # noqa: B009 # of one kind
    assert shown == {"password": "***", "user": "ann"}
    later = told(
        secrecy.after(answer, encode_event(answer)), ev.MessageReceived(message="opensesame")
    )
    assert later == ev.MessageReceived(message="***")


def test_ids_digests_and_names_are_never_masked() -> None:
    secrecy = known(LOGIN, *(started({"pin": one}) for one in ("call_1_1", "login", "k" * 32)))
    assert told(secrecy, started({"user": "call_1_1 login"})) == started({"user": "*** ***"})


def test_where_nothing_is_secret_the_very_same_bytes_come_back() -> None:
    event = started({"order": "24680", "amount": 5.0, "at": "2026-11-21"}, "pay")
    data = encode_event(event)
    assert NOTHING_SECRET.masked(event.kind, data) is data
    at = ev.Recorded(seq=1, at=NOON, event=event)
    assert NOTHING_SECRET.told(at) is at


def test_masking_what_was_masked_changes_nothing() -> None:
    secrecy = known(LOGIN, started(ARGS))
    once = secrecy.masked("tool_started", encode_event(started(ARGS)))
    assert secrecy.masked("tool_started", once) == once
    assert known(LOGIN, decode_event("tool_started", once)).masked("tool_started", once) == once


def test_a_secret_that_a_workflow_does_not_name_any_more_stays_one() -> None:
    changed = ev.WorkflowChanged(definition="d", tools={})
    secrecy = known(LOGIN, changed)
    assert told(secrecy, started(ARGS)) == started(HIDDEN)


def test_nothing_that_is_secret_shows_where_a_secrecy_is_printed() -> None:
    assert "Zeta" not in repr(known(LOGIN, started(ARGS)))
    assert "Zeta" not in repr(Mask([SECRET]))


def a_run(**more: Any) -> Run:
    return Run(
        id="r1",
        workflow="shop",
        state=State.Done,
        seq=9,
        started_at=NOON,
        updated_at=NOON + timedelta(1),
        **more,
    )


def test_a_run_is_told_without_what_is_secret_in_any_part_of_it() -> None:
    call = ToolCall(id="call_1_1", function=FunctionCall(name="login", arguments=json.dumps(ARGS)))
    run = a_run(
        answer=f"It is {SECRET}.",
        secrets=LOGIN.secrets,
        messages=(
            Message(role="assistant", tool_calls=(call,)),
            Message(role="tool", tool_call_id="call_1_1", content=f"ok, {SECRET}"),
        ),
        verdicts=(
            Verdict(
                approval_id="r1.1",
                call_id="call_1_1",
                verdict="granted",
                by="ann",
                at=NOON,
                arguments={**ARGS, "pin": "another-one"},
                note="another-one",
            ),
        ),
    )
    masked = Secrecy.of(run).told(run)
    assert masked.answer == "It is ***."
    assert (masked.verdicts[0].arguments, masked.verdicts[0].note) == (HIDDEN, "***")
    text = masked.model_dump_json()
    assert not [word for word in ("Zeta", "another-one", "n-4711-x") if word in text]
    assert (
        masked.model_copy(
            update={"answer": run.answer, "messages": run.messages, "verdicts": run.verdicts}
        )
        == run
    )


def test_a_record_is_told_without_secrets() -> None:
    record = CallRecord(
        run_id="r1",
        workflow="shop",
        started_by=None,
        call_id="call_1_1",
        tool="login",
        requested_at=NOON,
        requested=json.dumps(ARGS),
        asked=ARGS,
        ran=ARGS,
        result=f"ok, {SECRET}",
        verdicts=(Said(verdict="granted", by="ann", at=NOON, digest="d", arguments=ARGS),),
    )
    masked = known(LOGIN, started(ARGS)).told(record)
    assert (masked.asked, masked.ran, masked.result) == (HIDDEN, HIDDEN, "ok, ***")
    assert json.loads(masked.requested) == HIDDEN
    assert masked.verdicts[0].arguments == HIDDEN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=8) | st.just(SECRET),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
CLEAN = st.text(max_size=20).filter(lambda text: text.isprintable())
SAYING = st.builds("{}{}{}".format, CLEAN, st.sampled_from(["", SECRET]), CLEAN) | JSON.map(
    json.dumps
)


@given(SAYING, st.dictionaries(st.text(max_size=5), JSON, max_size=3), st.booleans())
def test_whatever_holds_a_secret_is_still_that_event_without_it(
    words: str, arguments: dict[str, Any], ascii_only: bool
) -> None:
    secrecy = known(LOGIN, started(ARGS))
    text = json.dumps(arguments, ensure_ascii=ascii_only)
    message = Message.model_validate(
        {
            "role": "assistant",
            "content": words,
            "extra": arguments,
            "tool_calls": asks(("login", text)).message.tool_calls,
        }
    )
    for event in (
        started(arguments),
        requested(arguments, reason=words, form=arguments),
        ev.ToolReturned(call_id="call_1_1", content=words),
        ev.ToolReturned(call_id="call_1_1", content=text),
        ev.RunAborted(reason=words),
        ev.ToolsRequested(message=message),
    ):
        data = secrecy.masked(event.kind, encode_event(event))
        assert b"Zeta" not in data
        after = decode_event(event.kind, data)
        assert after.kind == event.kind
        assert secrecy.masked(after.kind, encode_event(after)) == encode_event(after)
