"""Tokens are told by their shape, and nothing else is."""

import base64
import hashlib
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.masking import PLAIN
from engine.core.tokens import without_tokens

BASIC = base64.b64encode(b"ann:opensesame").decode()
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27uhbUJU1p1r_wW1gFWFOEj"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA1c7+9z5Pad\nqrs=\n"
    "-----END RSA PRIVATE KEY-----"
)
TOKENS = {
    "sk-proj-abcDEF0123456789abcd": "***",
    "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc": "***",
    "AKIAIOSFODNN7EXAMPLE": "***",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": "***",
    "github_pat_11ABCDEFG0123456789_abcdefghij": "***",
    "glpat-abcdefghij0123456789": "***",
    "xoxb-123456789012-abcdefghijkl": "***",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv": "***",
    JWT: "***",
    f"Bearer {JWT}": "Bearer ***",
    "bearer abc123def456": "bearer ***",
    "Authorization: Bearer mF_9.B5f-4.1JqM": "Authorization: Bearer ***",
    f"Basic {BASIC}": "Basic ***",
    PEM: "***",
    PEM[:60]: "***",
    "postgres://shop:hunter2@db.example:5432/shop": "postgres://shop:***@db.example:5432/shop",
    "4111111111111111": "***",
    "4111 1111 1111 1111": "***",
    "4111-1111-1111-1111": "***",
    "4111 1111 1111 1111 123": "*** 123",
    "5555555555554444": "***",
    "2223003122003222": "***",
    "378282246310005": "***",
    "3782 822463 10005": "***",
    "30569309025904": "***",
    "3056 930902 5904": "***",
    "6011111111111117": "***",
    "3566002020360505": "***",
    "4222222222222": "***",
}


@pytest.mark.parametrize(("token", "left"), TOKENS.items())
@pytest.mark.parametrize("around", ["{}", "It is {}, I think.", "card={}", '{{"a": "{}"}}', "({})"])
def test_a_token_is_hidden_wherever_it_stands(token: str, left: str, around: str) -> None:
    if "PRIVATE" in token and not token.endswith("KEY-----"):
        around = "key: {}"  # one that is cut off has no end
    text = around.format(token)
    assert PLAIN.text(text) == around.format(left)
    assert PLAIN.suspects(text.encode())


INNOCENT = [
    "Order 24680 arrived broken, I want my money back",
    "order 4111111111111112 is no card: the check digit is another",
    "ORD-4111111111111111",
    "4111111111111111.25",
    "0.4111111111111111",
    "call_4111111111111111",
    "1790000000000000 microseconds, 1763737215000 ms, 20261121145515",
    "2026-11-21T14:55:15.123456+00:00",
    "2026-11-21 14:55:15",
    "tel. +49 30 901820 11223344",
    "IBAN DE89 3704 0044 0532 0130 00",
    "task-manager-with-a-very-long-name-2",
    "sk-learn-is-a-library-of-long-names",
    "bearer of good news, the bearer understands",
    "basic instructions, basic authentication, Basic knowledge",
    "https://example.com/a/b?c=d&mail=ann@example.com",
    "reset your password: https://example.com/reset",
    "the secret of a good soup",
    "00000000-0000-4000-8000-000000000000",
    "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----",
]


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_token_stays(text: str) -> None:
    assert without_tokens(text) == text
    assert PLAIN.text(text) == text


TIMES = st.datetimes(datetime(2001, 9, 10), datetime(2040, 1, 1))  # noqa: DTZ001 # any zone


@given(st.uuids(), st.binary(max_size=40), st.integers(0, 10**12 - 1), TIMES)
def test_no_id_digest_order_number_or_time_is_a_token(
    uuid: UUID, data: bytes, order: int, at: datetime
) -> None:
    digest = hashlib.sha256(data).hexdigest()
    told = [str(uuid), uuid.hex, digest, digest[:32], str(order), at.isoformat(), str(at)]
    microseconds = int(at.replace(tzinfo=UTC).timestamp() * 1_000_000)
    told += [f"{at:%Y%m%d%H%M%S}", f"{at:%Y%m%d}", str(microseconds), str(microseconds // 1000)]
    for text in (*told, " and ".join(told)):
        assert without_tokens(text) == text


@given(st.integers(0, 10**15 - 1).map(lambda one: f"4{one:015}"))
def test_of_the_numbers_of_an_issuer_those_are_cards_whose_check_digit_is_right(
    number: str,
) -> None:
    right = [f"{number[:-1]}{last}" for last in "0123456789"]
    assert sum(without_tokens(each) == "***" for each in right) == 1
