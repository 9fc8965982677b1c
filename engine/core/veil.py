r"""Text that comes bit by bit, shown without its secrets as far as that can be told.

A secret may come in two bits, and what is the beginning of one is known only later. So
what is shown always ends at a place that no secret, known or told by its shape, can reach
across, whatever comes next.
"""

import re
import unicodedata

from engine.core.masking import Mask, folded

_LITTLE = 500  # characters; of more than that it is not looked at each bit
_TRIED = 64  # ends that are looked at for each bit, the last ones first
_WIDEST = 12  # characters in which one of a secret may be spelled: \\\\U0001f600
_NUMBER = re.compile(r"\d[ -]*\Z")
_SCHEME = re.compile(r"\b(?:bearer|basic)[ \t]*\Z", re.IGNORECASE)
_PRIVATE = re.compile(r"-----BEGIN [A-Z0-9 ]*(?:-----)?\Z|-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")
_QUOTED = re.compile(r"""["']([^"'\n]*)(["']\s*:?\s*)?\Z""")


class Veil:
    """One text as it grows, shown through the mask of what is known when it begins."""

    def __init__(self, mask: Mask) -> None:
        """Take what is to be hidden."""
        self._mask, self._held = mask, ""
        self._whole = False  # whether it is all shown at the end, and nothing before
        self._begun = self._lost = False
        self._enough = 0  # characters that are to be held before they are looked at again
        self._longest = max((_span(one) for one in mask.values), default=0)
        self._keys = mask.keys

    def more(self, text: str) -> str:
        """What can be shown now that `text` has come, too."""
        if self._lost:
            return ""
        self._held += text
        if not self._begun and self._held.strip():
            self._begun = True
            self._whole = self._held.lstrip()[0] in "{["  # JSON is masked as a whole
        if self._whole or len(self._held) < self._enough:
            return ""
        end = self._end()
        shown, self._held = self._mask.text(self._held[:end]), self._held[end:]
        held = len(self._held)
        self._enough = held + held // 4 if held > _LITTLE else 0  # else it takes time squared
        return shown

    def lose(self) -> None:
        """Nothing; some of the text did not come, so of the rest nothing can be shown."""
        self._held, self._lost = "", True

    def rest(self) -> str:
        """What had been held back, now that the text is whole."""
        shown, self._held = self._mask.text(self._held), ""
        return shown

    def _end(self) -> int:
        """Up to where nothing of what is held can belong to a secret that is not all there."""
        held, tried = self._held, 0
        for end in range(len(held) - self._longest, 0, -1):
            if not _parts(held[end - 1]):
                continue
            if self._is_safe(end):
                return end
            tried += 1
            if tried == _TRIED:
                break
        return 0

    def _is_safe(self, end: int) -> bool:
        shown, rest, mask = self._held[:end], self._held[end:], self._mask.text
        if _is_open(shown, rest) or self._may_be_key(shown, rest):
            return False
        told = mask(shown)
        # Neither what is there reaches across, nor would what may come belong to the last secret.
        return told + mask(rest) == mask(self._held) and mask(f"{shown}x") == f"{told}x"

    def _may_be_key(self, shown: str, rest: str) -> bool:
        """Whether its last quote may begin the name of something secret."""
        found = _QUOTED.search(shown)
        if found is None:
            return False
        name, more = folded(found[1]), "" if found[2] else folded(found[1] + rest)
        return any(
            key.startswith(name) and (key.startswith(more) or more.startswith(key))
            for key in self._keys
        )


def _is_open(shown: str, rest: str) -> bool:
    """Whether what is shown may be the beginning of a token that has blanks in it."""
    if _NUMBER.search(shown) and not rest.lstrip(" -")[:1].strip("0123456789"):
        return True
    if _SCHEME.search(shown):
        return True
    if not shown[-1].isspace() and "://" in shown.rsplit(maxsplit=1)[-1]:
        return True
    keys = [*_PRIVATE.finditer(shown)]
    return bool(keys) and not _END.search(shown, keys[-1].start())


def _parts(letter: str) -> bool:
    """Whether a text may be parted behind the letter: a blank, or of a script that has none."""
    return letter.isspace() or unicodedata.category(letter) == "Lo"


def _span(secret: str) -> int:
    """How far a secret may reach across places where a text may be parted."""
    if not any(map(_parts, secret)):
        return 0
    plain = secret.isascii() and "\\" not in secret and secret.isprintable()
    return len(secret) * (1 if plain and _is_plain(secret) else _WIDEST)


def _is_plain(secret: str) -> bool:
    return all(letter.isalnum() or letter == " " for letter in secret)
