"""Two runs side by side: what is alike, and where they first part."""

from collections.abc import Mapping
from typing import Any

import pytest

from engine import Comparison, compare
from engine.core import events as ev
from engine.core.canonical import digest
from engine.replaying.differing import in_words
from engine.replaying.trajectory import Step, trajectory
from tests.replay.told import (
    CALL,
    DECIDED,
    LOOK,
    OTHER,
    PAY,
    SETTLED,
    Journal,
    Told,
    answer,
    asked,
    denied,
    granted,
    returned,
    said,
    started,
    told,
)


def story(*, run_id: str = "r1", **other: Any) -> Journal:
    """A payment that a person allowed; `other` puts something else in the place of a part."""
    parts: dict[str, ev.Event] = {
        "wish": said(PAY, words="Let me see."),
        "asked": asked(),
        "verdict": granted(),
        "decided": DECIDED,
        "started": started(),
        "result": returned(content="paid"),
        "settled": SETTLED,
        "end": answer("Paid."),
    }
    found: Mapping[str, ev.Event | None] = {**parts, **other}
    events = [event for event in found.values() if event is not None]
    return told(*((place, event) for place, event in enumerate(events, 1)), run_id=run_id)


def parted(one: Journal, other: Journal) -> str:
    """Where they first part, in words, which is the same seen from either side."""
    found, back = compare(one, other), compare(other, one)
    assert not found.alike
    assert not back.alike
    assert found.first is not None
    assert found.first == back.first
    assert not found.steps[found.first].alike
    assert all(pair.alike for pair in found.steps[: found.first])
    assert found.words is not None
    return found.words


def test_the_steps_of_a_run_are_told_in_order() -> None:
    assert [in_words(step) for step in trajectory(story())] == [
        "customer: Hello",
        "model: Let me see.",
        'call of pay: {"amount":5,"order":"1"}',
        "asks a person about pay (tool_call): always",
        "granted by ann",
        "pay returned: paid",
        "answer: Paid.",
        "is Done",
    ]
    assert [step.turn for step in trajectory(story())] == [0, 1, 1, 1, 1, 1, 2, 2]


def test_what_merely_names_things_is_no_difference() -> None:
    later = story(
        run_id="r2",
        wish=said(("pay", '{"amount":5.0,  "order":"1"}'), words="Let me see."),
        asked=asked(reason=None).model_copy(update={"approval_id": "x", "digest": "y"}),
        verdict=granted().model_copy(update={"approval_id": "x", "digest": "y"}),
        started=started(epoch=9),
        end=answer("Paid.", "another-model", (9, 9)),
    )
    slower = tuple(one.model_copy(update={"at": one.at.replace(hour=20)}) for one in later)
    found = compare(story(), slower)
    assert found.alike
    assert (found.first, found.words) == (None, None)
    assert found.one.run_id != found.other.run_id
    assert found.one.usage != found.other.usage


def test_which_of_two_calls_came_back_first_is_no_difference() -> None:
    begun: list[Told] = [
        (1, said(LOOK, LOOK)),
        (2, started(CALL, "look")),
        (2, started(OTHER, "look")),
    ]
    first, second = (3.0, returned(CALL, "a")), (4.0, returned(OTHER, "b"))
    assert compare(told(*begun, first, second), told(*begun, second, first)).alike


SMALLER = '{"order": "1", "amount": 4}'


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (
            {"wish": said(("pay", SMALLER), words="Let me see."), "started": started()},
            "turn 1: the call of pay: amount is 5 in r1, 4 in r2",
        ),
        (
            {"wish": said(("pay", '{"order": "1"}'), words="Let me see.")},
            "turn 1: the call of pay: amount is 5 in r1, nothing in r2",
        ),
        (
            {"wish": said(PAY, words="Let me pay.")},
            'turn 1: the model\'s words: the text is "Let me see." in r1, "Let me pay." in r2',
        ),
        ({"wish": said(PAY)}, "turn 1: only in r1: model: Let me see."),
        (
            {"asked": asked(approval_kind="in_doubt")},
            "turn 1: the question about pay: it is tool_call in r1, in_doubt in r2",
        ),
        ({"verdict": granted(by="bob")}, "turn 1: the verdict on pay: who is ann in r1, bob in r2"),
        (
            {"result": returned(content="paid twice")},
            'turn 1: the result of pay: the text is "paid" in r1, "paid twice" in r2',
        ),
        (
            {"result": ev.ToolFailed(call_id=CALL, error="paid")},
            "turn 1: the result of pay: it is returned in r1, failed in r2",
        ),
        ({"end": answer("No.")}, 'turn 2: the answer: the text is "Paid." in r1, "No." in r2'),
        (
            {"started": started(arguments={"order": "1", "amount": 9})},
            'turn 1: only in r2: ran pay with: {"amount":9,"order":"1"}',
        ),
    ],
)
def test_the_first_difference_is_named_in_words(other: dict[str, Any], words: str) -> None:
    assert parted(story(), story(run_id="r2", **other)) == words


def test_a_denial_is_told_from_a_grant_and_what_follows_stands_beside_it() -> None:
    refusal = {"verdict": denied(reason="too much"), "started": None, "result": None}
    one, other = story(), story(run_id="r2", **refusal)
    assert parted(one, other) == "turn 1: the verdict on pay: it is granted in r1, denied in r2"
    pairs = [
        (pair.one and pair.one.kind, pair.other and pair.other.kind) for pair in both(one, other)
    ]
    assert pairs == [("verdict", "verdict"), ("result", None)]


def both(one: Journal, other: Journal) -> list[Any]:
    return [pair for pair in compare(one, other).steps if not pair.alike]


def test_changed_arguments_are_part_of_the_verdict() -> None:
    less = granted(arguments={"order": "1", "amount": 4})
    ran = started(arguments={"order": "1", "amount": 4})
    steps = [in_words(step) for step in trajectory(story(verdict=less, started=ran))]
    assert 'granted with changes by ann: {"amount":4,"order":"1"}' in steps
    assert 'ran pay with: {"amount":4,"order":"1"}' in steps
    words = parted(story(), story(run_id="r2", verdict=less, started=ran))
    assert words == "turn 1: the verdict on pay: it is granted in r1, granted with changes in r2"


def test_a_turn_more_is_one_difference_and_the_rest_is_aligned() -> None:
    looks = started(CALL, "look", arguments={"order": "1"})
    look = (said(LOOK), looks, returned(CALL, "order 1"), SETTLED)
    pay = (said(PAY, turn=2), started("call_2_1"), returned("call_2_1", "paid"), SETTLED)
    first = (said(PAY), started(CALL), returned(CALL, "paid"), SETTLED)
    whole = told(*enumerated(*look, *pay, answer("Paid.")))
    short = told(*enumerated(*first, answer("Paid.")), run_id="r2")
    assert parted(whole, short) == 'turn 1: only in r1: call of look: {"order":"1"}'
    assert [in_words(pair.one) for pair in both(whole, short)] == [
        'call of look: {"order":"1"}',
        "look returned: order 1",
    ]


def enumerated(*events: ev.Event) -> list[Told]:
    return [(float(place), event) for place, event in enumerate(events, 1)]


def test_unlike_steps_at_one_place_are_both_named() -> None:
    waits = told((1, said(PAY)), (2, asked()))
    done = told((1, answer("No.")), run_id="r2")
    found = compare(waits, done)
    assert found.words == ('turn 1: call of pay: {"amount":5,"order":"1"} in r1; answer: No. in r2')
    assert [one.state for one in (found.one, found.other)] == ["AwaitingApproval", "Done"]


def test_a_call_in_doubt_and_one_that_was_given_up_are_told_apart() -> None:
    doubtful = told((1, said(PAY)), (2, started()))
    assert in_words(trajectory(doubtful)[-2]) == "pay in doubt"
    given_up = told((1, said(PAY)), (2, asked()), (3, ev.RunAborted(reason="enough")))
    assert [in_words(step) for step in trajectory(given_up)[-2:]] == [
        "pay given up: enough",
        "is Aborted: enough",
    ]


def test_a_message_that_came_in_the_midst_of_a_turn_is_there() -> None:
    journal = told((1, said(PAY)), (2, asked()), (3, ev.MessageReceived(message="Be quick")))
    assert [in_words(step) for step in trajectory(journal)][-2:] == [
        "customer: Be quick",
        "is AwaitingApproval",
    ]


def test_true_is_another_argument_than_1_and_1_the_same_as_1_0() -> None:
    def wants(value: str) -> Journal:
        return told((1, said(("pay", f'{{"x": {value}}}'))))

    assert not compare(wants("1"), wants("true")).alike
    assert compare(wants("1"), wants("1.0")).alike


def test_arguments_that_are_no_json_are_shown_as_they_are() -> None:
    broken = told((1, said(("pay", '{"x": '))))
    assert in_words(trajectory(broken)[1]) == 'call of pay: {"x": '
    assert compare(broken, broken).alike


def test_long_texts_are_told_from_where_they_part() -> None:
    one, other = (told((1, answer("x" * 500 + end))) for end in ("A", "B"))
    words = compare(one, other).words
    assert words == (
        f'turn 1: the answer: the text is "…{"x" * 30}A" in the one, "…{"x" * 30}B" in the other'
    )


def test_a_comparison_survives_json() -> None:
    found = compare(story(), story(run_id="r2", verdict=granted(by="bob")))
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_steps_are_alike_where_all_but_their_place_is() -> None:
    step = Step(kind="call", turn=1, tool="pay", arguments={"x": 1})
    assert step.essence == step.model_copy(update={"turn": 7}).essence
    assert len(step.essence) == len(digest({}))
    for change in ({"tool": "look"}, {"arguments": {"x": 2}}, {"text": "x"}, {"by": "ann"}):
        assert step.model_copy(update=change).essence != step.essence


def test_a_note_of_the_engine_is_not_taken_for_the_customer_s() -> None:
    noticed = ev.LoopNoticed(words="the same again")
    events = enumerated(said(PAY), started(), returned(), SETTLED, noticed, answer("Paid."))
    notes = [step for step in trajectory(told(*events)) if step.kind == "note"]
    assert [in_words(step) for step in notes] == [
        "the engine: Note from the system, not from the customer: the same again"
    ]
