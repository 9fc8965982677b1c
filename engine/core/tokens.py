"""Tokens that can be told by their shape, in any text: API keys, credentials, card numbers.

They are looked for by what no order number, id, time or digest looks like.
"""

import re
import string
from base64 import b64decode
from binascii import Error
from collections.abc import Callable

MASK = "***"

_Match = re.Match[str]

# Beside each shape, what a text has to contain for it to be there: looking for that is cheap.
_SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("sk-", re.compile(r"(?<![\w-])sk-(?=[\w-]*\d)[\w-]{16,}", re.ASCII)),
    ("k_", re.compile(r"(?<![\w-])[rs]k_(?:live|test)_\w{16,}", re.ASCII)),
    ("AKIA", re.compile(r"(?<!\w)AKIA[A-Z0-9]{16}(?!\w)")),
    ("ASIA", re.compile(r"(?<!\w)ASIA[A-Z0-9]{16}(?!\w)")),
    ("gh", re.compile(r"(?<!\w)gh[pousr]_[A-Za-z0-9]{20,}")),
    ("github_pat_", re.compile(r"(?<!\w)github_pat_\w{20,}", re.ASCII)),
    ("glpat-", re.compile(r"(?<!\w)glpat-[\w-]{20,}", re.ASCII)),
    ("xox", re.compile(r"(?<!\w)xox[abeoprs]-[A-Za-z0-9-]{11,}")),
    ("AIza", re.compile(r"(?<!\w)AIza[\w-]{30,}", re.ASCII)),
    ("eyJ", re.compile(r"(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){2,4}", re.ASCII)),
    (
        "PRIVATE KEY",
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
            r"(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|.*)",
            re.DOTALL,
        ),
    ),
)
_URL = re.compile(r"(://[^\s/:@\"']*:)[^\s/@\"']+(?=@)")
_BEARER = re.compile(
    r"(\bbearer[ \t]+)((?=[a-z._~+/-]*\d)[\w.~+/-]{8,}=*|[\w.~+/-]{20,}=*)",
    re.ASCII | re.IGNORECASE,
)
_BASIC = re.compile(r"(\bbasic[ \t]+)([A-Za-z0-9+/_-]{6,}={0,2})", re.IGNORECASE)
_CARD = re.compile(
    r"(?<![\w.])(?<![\w.]-)(?:\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,4}(?:[ -]?\d{1,3})?"
    r"|\d{4}[ -]?\d{6}[ -]?\d{4,5})(?!\w|[.-]\d)",
    re.ASCII,
)
# Prefixes of the issuers, each with the numbers of digits that theirs have.
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"
    r"|3[47]\d{13}"
    r"|3(?:0[0-5]|[689]\d)\d{11}"
    r"|(?:6011|64[4-9]\d|65\d\d|62\d\d|35(?:2[89]|[3-8]\d))\d{12,15}"
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{9,15}",
    re.ASCII,
)

_MARKS = tuple(mark.encode() for mark, _ in _SHAPES)
_ANY_DIGITS = b"0" * 13
_ANY_WORD = b"a" * 16
_IN_WORDS = string.ascii_letters + string.digits + "_-."
_WORDS = bytes(ord("a") if chr(one) in _IN_WORDS else ord(" ") for one in range(256))
_UPPER = string.ascii_uppercase + string.digits + "'"
_FOLD = bytes.maketrans(_UPPER.encode(), (string.ascii_lowercase + "0" * 10 + '"').encode())


def fold(data: bytes) -> bytes:
    """Lower case, every digit 0, every quote double; without what may stand within a name."""
    return data.translate(_FOLD, b"_- \\")


def may_hold_token(data: bytes, plain: bytes) -> bool:
    """Whether it is worth looking for tokens; `plain` is `data` folded. Quick, where it is not."""
    return (
        _ANY_DIGITS in plain
        or (_ANY_WORD in data.translate(_WORDS) and _has_a_mark(data))
        or b"bearer" in plain
        or b"basic" in plain
        or (b"@" in data and b"://" in data)
    )


def _has_a_mark(data: bytes) -> bool:
    for mark in _MARKS:  # noqa: SIM110 # asked of every event: `any` takes twice as long
        if mark in data:
            return True
    return False


def without_tokens(text: str) -> str:
    """The text with *** in the place of each token."""
    for mark, shape in _SHAPES:
        if mark in text:
            text = shape.sub(MASK, text)
    if "://" in text:
        text = _URL.sub(rf"\1{MASK}", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    text = _BASIC.sub(_hidden_if(_is_basic), text)
    return _CARD.sub(_card_hidden, text)


def _hidden_if(holds: Callable[[str], bool]) -> Callable[[_Match], str]:
    return lambda found: f"{found[1]}{MASK}" if holds(found[2]) else found[0]


def _is_basic(token: str) -> bool:
    """Whether it is a name, a colon and a password, in Base64."""
    plain = token.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return b":" in b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (Error, ValueError):
        return False


def _card_hidden(found: _Match) -> str:
    """The mask where it is a card number, with what may stand behind it, such as three digits."""
    whole, rest = found[0], ""
    while not _is_card(re.sub("[ -]", "", whole)):
        whole, between, last = _parted(whole)
        if not between:
            return found[0]
        rest = f"{between}{last}{rest}"
    return f"{MASK}{rest}"


def _parted(text: str) -> tuple[str, str, str]:
    """What stands before the last separator, the separator, and what is behind it."""
    place = max(text.rfind(" "), text.rfind("-"))
    return (text[:place], text[place], text[place + 1 :]) if place > 0 else (text, "", "")


def _is_card(digits: str) -> bool:
    return bool(_ISSUERS.fullmatch(digits)) and _luhn(digits)


def _luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812)."""
    places = [int(digit) for digit in reversed(digits)]
    return (sum(places[::2]) + sum(sum(divmod(2 * place, 10)) for place in places[1::2])) % 10 == 0
