"""What must hold of a call's arguments, as data."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from engine.core.canonical import digest
from engine.core.conditions import Conditions, Test, fault_in, hold, in_words, read

WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    WHOLE,
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner),
    max_leaves=5,
)
NUMBERS = WHOLE | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("test", "found", "wanted", "holds"),
    [
        ("eq", "a", "a", True),
        ("eq", "a", "A", False),
        ("eq", 1, 1.0, True),
        ("eq", 1, True, False),
        ("eq", True, 1, False),
        ("eq", 0, False, False),
        ("eq", None, None, True),
        ("eq", "1", 1, False),
        ("eq", {"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ("eq", [1, 2], [2, 1], False),
        ("ne", 1, True, True),
        ("ne", 1, 1, False),
        ("in", 2, [1, 2], True),
        ("in", True, [1], False),
        ("in", 1, [True], False),
        ("in", "a", "abc", False),
        ("in", 1, [], False),
        ("lt", 1, 2, True),
        ("lt", 2, 2, False),
        ("le", 2, 2, True),
        ("le", 2.1, 2, False),
        ("gt", 3, 2, True),
        ("gt", 2, 2, False),
        ("ge", 2, 2, True),
        ("ge", 1, 2, False),
        ("le", True, 20, False),
        ("le", "5", 20, False),
        ("le", None, 20, False),
        ("le", [5], 20, False),
    ],
)
def test_a_test_compares_json_values(
    test: Test, found: JsonValue, wanted: JsonValue, holds: bool
) -> None:
    assert hold({"it": {test: wanted}}, {"it": found}) is holds


@pytest.mark.parametrize("test", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_nothing_holds_of_an_argument_that_is_not_there(test: Test) -> None:
    assert not hold({"amount": {test: 5}}, {"order": "1"})
    assert not hold({"amount": {"in": [5, None]}}, {"order": "1"})
    assert not hold({"amount": {"eq": None}}, {})


def test_every_condition_has_to_hold() -> None:
    both: Conditions = {"order": {"eq": "1"}, "amount": {"gt": 1, "le": 20}}
    assert hold(both, {"order": "1", "amount": 20})
    assert not hold(both, {"order": "1", "amount": 21})
    assert not hold(both, {"order": "1", "amount": 1})
    assert not hold(both, {"order": "2", "amount": 20})
    assert hold({}, {"order": "1"})


@given(VALUES, VALUES)
def test_equal_is_equal_as_json(one: JsonValue, other: JsonValue) -> None:
    same = digest(one) == digest(other)
    assert hold({"it": {"eq": other}}, {"it": one}) is same
    assert hold({"it": {"ne": other}}, {"it": one}) is not same
    assert hold({"it": {"eq": one}}, {"it": one})


@given(VALUES, st.lists(VALUES, max_size=4))
def test_to_be_in_a_list_is_to_equal_one_of_it(one: JsonValue, some: list[JsonValue]) -> None:
    known = {digest(each) for each in some}
    assert hold({"it": {"in": some}}, {"it": one}) is (digest(one) in known)
    assert hold({"it": {"in": [*some, one]}}, {"it": one})


@given(NUMBERS, NUMBERS)
def test_of_two_numbers_one_is_less_or_both_are_equal(one: float, other: float) -> None:
    said = [hold({"it": {test: other}}, {"it": one}) for test in ("lt", "ge", "gt", "le")]
    assert said == [one < other, one >= other, one > other, one <= other]


@pytest.mark.parametrize(
    ("conditions", "fault"),
    [
        ({"amount": {}}, "needs tests"),
        ({"amount": 20}, "needs tests"),
        ({1: {"eq": 1}}, "needs tests"),
        ({"amount": {"less": 20}}, "'less' is no test; there are: eq, ne, lt, le, gt, ge, in"),
        ({"amount": {"in": "abc"}}, '"in" needs a list'),
        ({"amount": {"le": "20"}}, '"le" needs a number'),
        ({"amount": {"gt": True}}, '"gt" needs a number'),
        ({"amount": {"lt": None}}, '"lt" needs a number'),
        ({"amount": {"le": float("nan")}}, "amount: "),
        ({"amount": {"eq": 2**60}}, "amount: "),
        ({"order": {"eq": "\ud800"}}, "order: "),
        ({"order": {"in": [{"a": float("inf")}]}}, "order: "),
    ],
)
def test_conditions_that_could_mean_anything_are_at_fault(conditions: Any, fault: str) -> None:
    said = fault_in(conditions)
    assert said is not None
    assert fault in said


@given(st.sampled_from(["eq", "ne"]), VALUES)
def test_any_json_value_can_be_compared_with(test: Test, wanted: JsonValue) -> None:
    assert fault_in({"it": {test: wanted}}) is None
    assert fault_in({"it": {"in": [wanted]}}) is None


def test_conditions_read_as_words_in_one_order() -> None:
    both: Conditions = {"order": {"eq": "24680"}, "amount": {"gt": 1, "le": 20}}
    assert in_words(both) == 'amount > 1 and amount <= 20 and order == "24680"'
    assert in_words({"order": {"in": ["a", 1]}}) == 'order in ["a",1]'


@pytest.mark.parametrize(
    ("text", "conditions"),
    [
        ("amount <= 20", {"amount": {"le": 20}}),
        ("amount<20", {"amount": {"lt": 20}}),
        ("amount >= 1.5", {"amount": {"ge": 1.5}}),
        ("amount > -3", {"amount": {"gt": -3}}),
        (' order == "24680" ', {"order": {"eq": "24680"}}),
        ("order != null", {"order": {"ne": None}}),
        ('order in ["a", "b"]', {"order": {"in": ["a", "b"]}}),
        ('order != "a == b"', {"order": {"ne": "a == b"}}),
        ('order in ["a <= b"]', {"order": {"in": ["a <= b"]}}),
    ],
)
def test_a_condition_is_read_from_words(text: str, conditions: Conditions) -> None:
    assert read(text) == conditions


@given(st.sampled_from(["eq", "ne"]), PLAIN)
def test_what_was_put_in_words_reads_back(test: Test, wanted: JsonValue) -> None:
    again = read(in_words({"it": {test: wanted}}))
    assert digest(again["it"][test]) == digest(wanted)
    listed = read(in_words({"it": {"in": [wanted]}}))
    assert digest(listed["it"]["in"]) == digest([wanted])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no condition"),
        ("amount", "is no condition"),
        ("amount = 20", "is no condition"),
        ("amount <= ", "is no condition"),
        ("amount <= twenty", "is no condition"),
        ("amount <= 20 and order == 1", "is no condition"),
        ("amount =< 20 20", "is no condition"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(text)
