"""Text from models, tools and strangers, made safe to show in a terminal."""

import unicodedata

# Controls, formats (bidirectional overrides, zero widths), surrogates, private and
# unassigned code points, and the separators that break lines behind a reader's back.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def visible(text: str, *, keep: str = "") -> str:
    r"""`text` with every character that a terminal would act on or hide as a `\u` escape.

    Characters in `keep` (a line end, say) stay as they are.
    """
    return "".join(
        letter if letter in keep or unicodedata.category(letter) not in _HIDDEN else _escape(letter)
        for letter in text
    )


def short(text: str, width: int = 80) -> str:
    """`text` on one visible line of at most `width` characters, the rest counted."""
    shown = visible(text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}… ({len(text)} characters)"


_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def _escape(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    code = ord(letter)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 # the basic plane
