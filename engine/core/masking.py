"""Secrets out of texts and JSON values: known ones, those under telling keys, tokens.

Nothing here needs more than the standard library: a list of runs is masked
without loading anything heavier.
"""

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from engine.core.clean import clean_text
from engine.core.secret_paths import Paths, below
from engine.core.tokens import MASK, fold, may_hold_token, without_tokens

BUILT_IN = (
    "password",
    "passwd",
    "secret",
    "client_secret",
    "api_key",
    "apikey",
    "access_token",
    "refresh_token",
    "authorization",
    "private_key",
    "cvv",
    "cvc",
)
SHORTEST = 4  # characters of a secret that is looked for in texts
_EVENTS = 8  # of one commit
_COMMON = frozenset({"true", "false", "null", "none", "undefined"})
_NESTED = 4  # the group of a piece of JSON in which an object or a list begins
_DEEPEST = 100  # levels that are looked into
_ESCAPED = b"\\\\"  # text within text: what stands there may be spelled otherwise


def folded(name: str) -> str:
    """The key without case, blanks, dashes and underscores: apiKey is api_key."""
    return re.sub("[-_ ]", "", name.lower())


class Mask:
    """What is to be hidden, whatever it stands in."""

    __slots__ = ("_known", "_marks", "_named", "_pieces", "keys", "suspects", "values")

    def __init__(self, values: Iterable[str] = (), keys: Iterable[str] = ()) -> None:
        """Take the secrets that are known, and the keys whose values are secret."""
        self.values = frozenset(values)
        self.keys = frozenset(map(folded, (*BUILT_IN, *keys)))
        self._known: re.Pattern[str] | None = None  # made when it is first needed
        self._marks = {mark for one in self.values for mark in _marks(one)}
        self._named = {
            fold(spelled.encode()) for key in self.keys for spelled in (key, key.upper())
        }
        names = "|".join("[-_ ]?".join(map(re.escape, key)) for key in sorted(self.keys))
        self._pieces = re.compile(
            rf"""(["'])(?:{names})\1\s*:\s*"""
            r"""(?:b?"((?:[^"\\]|\\.)*)|b?'((?:[^'\\]|\\.)*)|([{\[(]|[\w.]+\((?=['"{\[(b]))"""
            r"""|([^\s,'"{}\[\]]+))""",
            re.IGNORECASE | re.DOTALL,
        )

        # Asked again of the same event, once it is told.
        self.suspects = lru_cache(_EVENTS)(self._suspects)

    def _suspects(self, data: bytes) -> bool:
        """Whether it is worth looking into `data`, which is JSON or a text."""
        plain = fold(data)
        return (
            (b"\\" in data and _ESCAPED in data)
            or (self._marks and any(mark in data for mark in self._marks))
            or not self._named.isdisjoint(plain.split(b'"'))
            or may_hold_token(data, plain)
        )

    def hides(self, key: str) -> bool:
        """Whether the values of that key are secret."""
        return folded(key) in self.keys

    def text(self, text: str, found: set[str] | None = None, depth: int = 0) -> str:
        """The text without secrets, and as it was where it has none.

        One that is JSON stays so. What was hidden as a whole is added to `found`.
        """
        looks_plain = "\\" not in text or text.lstrip()[:1] not in ("{", "[")
        if looks_plain and not self.suspects(text.encode("utf-8", "surrogatepass")):
            return text
        value = read_json(text)
        if value is None:
            return self._plain(text, found)
        return _written(value, self.value(value, (), found, depth + 1), text)

    def arguments(self, text: str, paths: Paths, found: set[str] | None = None) -> str:
        """The text of a model's arguments; *** where there are secret ones and it is unreadable."""
        if not paths:
            return self.text(text, found)
        value = read_json(text)
        if value is None:
            return MASK if text.strip() else text
        return _written(value, self.value(value, paths, found), text)

    def value(
        self,
        value: Any,  # noqa: ANN401 # JSON is whatever it is
        paths: Paths = (),
        found: set[str] | None = None,
        depth: int = 0,
    ) -> Any:  # noqa: ANN401 # JSON is whatever it is
        """The JSON value without secrets; what stands at `paths` is one."""
        if "" in paths or depth > _DEEPEST:
            return hidden(value, found)
        match value:
            case str():
                return self.text(value, found, depth)
            case dict():
                return {
                    self.text(key, None, depth): hidden(item, found)
                    if self.hides(key)
                    else self.value(item, below(paths, key), found, depth + 1)
                    for key, item in value.items()
                }
            case list():
                inner = below(paths, None)
                return [self.value(item, inner, found, depth + 1) for item in value]
            case bool() | None:
                return value
            case _:
                words = str(value)
                whole = words in self.values or without_tokens(words) != words
                return MASK if whole else value

    def _plain(self, text: str, found: set[str] | None) -> str:
        """A text that is no JSON; what looks like a piece of it is taken for one."""
        pieces, after = [], 0
        while match := self._pieces.search(text, after):
            start, end = match.span(match.lastindex or 0)
            if is_nested := match.lastindex == _NESTED:
                end = _end_of_nested(text, start)
            if found is not None:
                piece = text[start:end]
                found.update(_leaves_within(piece) if is_nested else _leaves(piece))
            pieces += [text[after:start], MASK]
            after = end
        return without_tokens(self._without_known("".join([*pieces, text[after:]])))

    def _without_known(self, text: str) -> str:
        if not self.values:
            return text
        if self._known is None:
            longest_first = sorted(self.values, key=len, reverse=True)
            forms = [form for one in longest_first for form in _forms(one)]
            self._known = re.compile("|".join(forms))
        return self._known.sub(MASK, text)


def hidden(value: Any, found: set[str] | None = None) -> Any:  # noqa: ANN401 # JSON is whatever it is
    """*** in the place of a value; None, which is the lack of one, stays."""
    if found is not None:
        found.update(_leaves(value))
    return None if value is None else MASK


def read_json(text: str) -> Any:  # noqa: ANN401 # JSON is whatever it is
    """The object or list that the text is; None where it is none, or says a key twice."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None


def _written(value: object, told: object, text: str) -> str:
    """The JSON that is left; the text as it was where nothing was hidden."""
    return text if told == value else clean_text(json.dumps(told, ensure_ascii=False))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a key stands there twice")
    return read


def _leaves(value: object) -> set[str]:
    """The texts and numbers in a secret that are long enough to be told from other words."""
    match value:
        case dict():
            return {leaf for item in value.values() for leaf in _leaves(item)}
        case list():
            return {leaf for item in value for leaf in _leaves(item)}
        case bool() | None:
            return set()
        case _:
            text = str(value)
            dull = len(text) < SHORTEST or text.lower() in _COMMON or not text.strip("* ")
            return set() if dull else {text}


_QUOTED = r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'"""
_NESTING = re.compile(rf"{_QUOTED}|([{{\[(])|([}}\])])", re.DOTALL)
_LEAF = re.compile(rf"(?:{_QUOTED}|([^\s,:'\"{{}}\[\]()]+))(\s*:)?", re.DOTALL)


def _end_of_nested(text: str, start: int) -> int:
    """Where the object or list that begins there ends; that of the text where it does not."""
    depth = 0
    for one in _NESTING.finditer(text, start):
        depth += bool(one[3]) - bool(one[4])
        if not depth:
            return one.end()
    return len(text)


def _leaves_within(piece: str) -> set[str]:
    """The texts and numbers in an object or a list: JSON, or as a program prints its values."""
    value = read_json(piece)
    if value is not None:
        return _leaves(value)
    said = (one[1] or one[2] or one[3] for one in _LEAF.finditer(piece) if not one[4])
    return {leaf for text in said if text for leaf in _leaves(text)}


_PLAIN_RUN = re.compile(r"[A-Za-z0-9_ .:;,!?@#$%^&*()+={}<>|~-]+")
_LONG = 3  # characters that are looked for before anything is read


def _forms(secret: str) -> list[str]:
    """The patterns of a secret, as it may stand in a text."""
    return [_spelled(secret), *map(re.escape, sorted(_quoted(secret)))]


def _spelled(secret: str) -> str:
    """The pattern of a secret as it may stand in texts within texts, escaped again and again."""
    return "".join(_letter(letter) for letter in secret)


def _letter(letter: str) -> str:
    if _PLAIN_RUN.fullmatch(letter):
        return re.escape(letter)
    if letter == "\\":
        return r"\\+"
    units = letter.encode("utf-16-be", "surrogatepass")
    code = "".join(rf"\\+u(?i:{units[at : at + 2].hex()})" for at in range(0, len(units), 2))
    short = {"\n": r"|\\+n", "\t": r"|\\+t", "\r": r"|\\+r"}.get(letter, "")
    byte = rf"|\\+x(?i:{ord(letter):02x})" if ord(letter) <= 0xFF else ""  # noqa: PLR2004 # of repr
    whole = rf"|\\+U(?i:{ord(letter):08x})"
    return rf"(?:\\*{re.escape(letter)}|{code}{short}{byte}{whole})"


def _quoted(secret: str) -> set[str]:
    """The secret as it stands in an address."""
    return {quote(secret, safe=""), quote(secret), quote_plus(secret)} - {secret}


def _marks(secret: str) -> set[bytes]:
    """What has to be in a text for the secret to be there, one of these, however it is escaped."""
    longest = max(_PLAIN_RUN.findall(secret), key=len, default="")
    if len(longest) >= _LONG:
        return {longest.encode(), *(form.encode() for form in _quoted(secret))}
    return {secret.encode(), b"\\", *(form.encode() for form in _quoted(secret))}


PLAIN = Mask()
"""Of what nobody has declared anything."""
