"""Text from models, tools and strangers, made safe to show in a terminal."""

import unicodedata

# Controls, formats (bidirectional overrides, zero widths), surrogates, private and
# unassigned code points, and the separators that break lines behind a reader's back.
# Of the spaces only the plain one is shown as itself.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})
# Letters and marks that have no shape: fillers, the empty Braille cell, joiners, selectors.
_SHAPELESS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_ACCENTED = range(0xC0, 0x180)
_ALIKE = frozenset("\u0131\u0138\u013f\u0140\u017f")  # dotless i, kra, l with a dot, long s
_PUNCTUATION = frozenset(
    "\u00a3\u00a7\u00ab\u00b0\u00bb\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u20ac"
)
_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))


def visible(text: str, *, keep: str = "") -> str:
    r"""`text` with every character that a terminal would act on or hide as a `\u` escape.

    Characters in `keep` (a line end, say) stay as they are.
    """
    if text.isascii() and text.isprintable():
        return text  # most are, and some are long
    return "".join(
        letter if letter in keep or not _hides(letter) else _escape(letter) for letter in text
    )


def short(text: str, width: int = 80) -> str:
    """`text` on one visible line of at most `width` characters, the rest counted."""
    shown = visible(text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}… ({len(text)} characters)"


def block(text: str) -> str:
    """`text` on as many visible lines as it has, all but the first indented."""
    return visible(text.rstrip("\n"), keep="\n").replace("\n", "\n    ")


def strange(text: str) -> str:
    """What in `text` looks like something else, or is of another script; empty where nothing is.

    Plain are ASCII, the accented letters of Latin-1 and Latin Extended-A, and common
    punctuation. Of the rest the first character is named, and the others are counted.
    """
    if text.isascii():
        return ""
    found = [letter for letter in text if not _plain(letter) and not _hides(letter)]
    if not found:
        return ""
    first = f"U+{ord(found[0]):04X} {unicodedata.name(found[0], 'without a name')}"
    more = len(found) - 1
    return f"{first}, and {more} more outside plain Latin" if more else first


def _plain(letter: str) -> bool:
    if letter in _ALIKE:
        return False
    accented = _ACCENTED.start <= ord(letter) < _ACCENTED.stop and letter.isalpha()
    return letter.isascii() or accented or letter in _PUNCTUATION


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


def counted(count: int, noun: str) -> str:
    """So many of a thing, in words: 1 run, 2 runs."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
