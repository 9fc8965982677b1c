"""Whether an endpoint says that a request is longer than what its model can read.

Each has words of its own for it; those of the common ones are known here.
"""

import re

_STATUSES = frozenset({400, 413, 422})
_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_WORDS = re.compile(
    "|".join(  # noqa: FLY002 # to be read
        [
            r"(maximum|max|model'?s) (context|prompt) (length|window|size)",
            r"(exceeds?|exceeded|beyond) (\w+ )?(available |maximum )?context",
            r"context[ _](length|window|size)[ _](is )?exceed",
            r"(prompt|input|request|message)s? (is|are) too (long|large)",
            r"(input|prompt) token count .*exceeds",
            r"too many (input )?tokens",
            r"tokens.* must be <=",
            r"reduce the length of (the|your) (messages|prompt|input)",
        ]
    ),
    re.IGNORECASE,
)


def is_overflow(status: int, code: str | None, words: str) -> bool:
    """Whether that answer, of an HTTP status, says so by its code or in its words."""
    return status in _STATUSES and (code in _CODES or _WORDS.search(words) is not None)
