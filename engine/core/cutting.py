"""Where a text that is too long is cut, and what is said of the rest."""

READ_RESULT = "read_result"  # the tool by which a model reads the rest

_BREAKS = ("\n", " ", ",")  # the sooner the better
_GIVEN_UP = 5  # at most a fifth of what there is room for is given up for a better place


def cut_at(text: str, begin: int, most: int) -> int:
    """The place behind at most `most` characters from `begin` on: at the end of a line or word.

    Of JSON it is behind a comma, as there is nothing else to go by.
    """
    end = begin + most
    if end >= len(text):
        return len(text)
    for mark in _BREAKS:
        found = text.rfind(mark, end - most // _GIVEN_UP, end)
        if found >= 0:
            return found + 1
    return end


def shortened(text: str, most: int) -> str:
    """The text, or its beginning with a word on how much is missing."""
    if len(text) <= most:
        return text
    end = cut_at(text, 0, most)
    return f"{text[:end]}… [{len(text) - end:,} more characters]"


def shown_of(text: str, shown: int, call_id: str, *, readable: bool) -> str:
    """The first `shown` characters of a result, with a note on the rest."""
    if shown >= len(text):
        return text
    rest = f"[Cut: {shown:,} of {len(text):,} characters are shown."
    how = f' {READ_RESULT}(call_id="{call_id}", offset={shown}) reads on.]' if readable else "]"
    return f"{text[:shown]}\n{rest}{how}"
