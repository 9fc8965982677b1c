"""Text from models, tools and strangers, made safe to show in a terminal."""

import unicodedata

# Controls, formats (bidirectional overrides, zero widths), surrogates, private and
# unassigned code points, and the separators that break lines behind a reader's back.
# Of the spaces only the plain one is shown as itself.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
# Letters and marks that have no shape: fillers, the empty Braille cell, joiners, selectors.
_SHAPELESS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def visible(text: str, *, keep: str = "") -> str:
    r"""`text` with every character that a terminal would act on or hide as a `\u` escape.

    Characters in `keep` (a line end, say) stay as they are.
    """
    return "".join(
        letter if letter in keep or not _hides(letter) else _escape(letter) for letter in text
    )


def short(text: str, width: int = 80) -> str:
    """`text` on one visible line of at most `width` characters, the rest counted."""
    shown = visible(text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}… ({len(text)} characters)"


def _hides(letter: str) -> bool:
    if letter == " ":
        return False
    selects = any(ord(letter) in selectors for selectors in _SELECTORS)
    return selects or letter in _SHAPELESS or unicodedata.category(letter) in _HIDDEN


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    code = ord(letter)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 # the basic plane
