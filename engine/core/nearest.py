"""The valid names that a wrong one is nearest to."""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 100  # a name is no longer; what is, is a name of nothing


def did_you_mean(wrong: str, names: Iterable[str]) -> str:
    """A question with the nearest of the names; empty where none is near."""
    by_folded = {name.casefold(): name for name in names}
    near = get_close_matches(wrong[:_LONGEST].casefold(), list(by_folded), n=2)
    return f"Did you mean {' or '.join(by_folded[one] for one in near)}?" if near else ""


def quoted(name: str) -> str:
    """The name in quotes, on one line; of a name that is too long for one, its beginning."""
    return repr(name) if len(name) <= _LONGEST else f"{name[:_LONGEST]!r}…"
