"""Canonical JSON: what is written quickly is what RFC 8785 says, and what it refuses is refused."""

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from engine.core.canonical import MAX_DEPTH, digest, idempotency_key, require_canonical

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(TEXTS, TEXTS)
@example('\x00\x1f\x7f"\\/', "\u2028\ufeff\U0001f600")
def test_a_key_is_the_digest_of_what_it_is_the_key_of(run_id: str, call_id: str) -> None:
    assert idempotency_key(run_id, call_id) == digest([run_id, call_id])[:32]


def is_canonical(value: JsonValue) -> bool:
    try:
        require_canonical(value)
    except ValueError:
        return False
    return True


@given(VALUES)
@example([float("inf")])
@example({"a": [None, 2**53 - 1, -(2**53) + 1, -0.0, 1e300]})
@example([2**53])
@example({"\ud800": 1})
@example([[[None], "[[[["]])
def test_what_is_taken_is_what_the_library_can_write(value: JsonValue) -> None:
    try:
        rfc8785.dumps(value)
    except ValueError:
        assert not is_canonical(value)
    else:
        assert is_canonical(value)


@pytest.mark.parametrize("leaf", ["x", None, "[" * 90])
def test_what_is_nested_too_deeply_is_refused_whatever_is_in_it(leaf: JsonValue) -> None:
    value = leaf
    for _ in range(MAX_DEPTH):
        value = [value]
    assert is_canonical(value)
    assert not is_canonical({"one more": value})
