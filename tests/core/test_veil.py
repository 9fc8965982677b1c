"""Text that comes bit by bit shows no secret, however it is split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.masking import Mask
from engine.core.veil import Veil

SECRETS = ["hunter2", "the blue door", "Chloé Martin", "4711 0815", "密码密码", 'a"b c']
MASK = Mask(SECRETS, ["badge"])
PIECES = [
    *SECRETS,
    "the blue sky ",
    "hunter of words, ",
    "sk-abcdefgh1234567890",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111 is it",
    "order 24680 of 3 items ",
    "Bearer abcdefgh12345678",
    "bearer of good news ",
    "https://ann:pass word@shop",
    "https://ann:secret@shop.example/x ",
    '"password": "very secret indeed" ',
    "'badge' : 12345, ",
    '"secret agents", ',
    "it's a day's work ",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIB AAAA\n-----END RSA PRIVATE KEY-----\n",
    "-----BEGIN CERTIFICATE-----\nMIIB\n",
    "[1] a note ",
    "你好、这是一个密码",
    " ",
    "\n",
    "plain words of an answer. ",
    "\\u0068unter2",
]


def shown(text: str, cuts: set[int], mask: Mask = MASK) -> tuple[list[str], str]:
    """What is shown while it comes, and what is left for the end."""
    veil = Veil(mask)
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    return [veil.more(text[start:end]) for start, end in pairwise(places)], veil.rest()


@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
    st.sets(st.integers(1, 200), max_size=40),
)
def test_what_is_shown_is_the_masked_text_however_it_is_split(text: str, cuts: set[int]) -> None:
    coming, rest = shown(text, cuts)
    assert "".join([*coming, rest]) == MASK.text(text)


@pytest.mark.parametrize("text", PIECES)
def test_letter_by_letter_too(text: str) -> None:
    coming, rest = shown(f"So {text} it is.", set(range(200)))
    assert "".join([*coming, rest]) == MASK.text(f"So {text} it is.")


def test_what_is_no_secret_is_shown_word_by_word() -> None:
    coming, rest = shown("We found your 2 orders, and it's fine.", set(range(100)), Mask())
    assert [word for word in coming if word] == [
        "We ", "found ", "your ", "2 ", "orders, ", "and ", "it's ",
    ]  # fmt: skip
    assert rest == "fine."


def test_json_is_shown_when_it_is_whole() -> None:
    text = '{"password": "hunter2", "ok": 1} '
    coming, rest = shown(text, set(range(100)))
    assert "".join(coming) == ""
    assert rest == MASK.text(text)


def test_after_a_gap_nothing_is_shown_any_more() -> None:
    veil = Veil(MASK)
    veil.more("It is hun")
    veil.lose()
    assert veil.more("ter2 and more words ") == ""
    assert veil.rest() == ""


class Counting(Mask):
    """Counts the texts that it is shown."""

    looks = 0

    def text(self, text: str, found: set[str] | None = None, depth: int = 0) -> str:
        """See Mask."""
        self.looks += 1
        return super().text(text, found, depth)


def test_a_text_that_is_held_back_for_long_is_not_looked_at_bit_by_bit() -> None:
    mask, text = Counting(), f"{'1 ' * 2000}and so on. "
    veil = Veil(mask)
    looks, told = [], ""
    for letter in text:
        told += veil.more(letter)
        looks.append(mask.looks)
    assert looks[1500] > 0
    assert looks[-1] - looks[1500] < 1500
    assert told + veil.rest() == text
