"""What a run that has ended leaves for the next one of the same customer."""

from collections import Counter

from engine.core.memory import LONGEST, TOOL_NAMES
from engine.core.run import Run

_ASKED, _ANSWERED = 400, 900  # characters


def recap_of(run: Run) -> str:
    """What was asked, which tools were called, and what was answered, in at most 2,000 characters.

    The first and the newest message stand for all that was asked.
    """
    said = [one.content or "" for one in run.messages if one.role == "user"]
    calls = Counter(
        call.function.name
        for message in run.messages
        for call in message.tool_calls
        if call.function.name not in TOOL_NAMES
    )
    tools = ", ".join(name if n == 1 else f"{name} ({n} times)" for name, n in calls.items())
    parts = [f"Asked: {_cut(said[0], _ASKED)}" if said else "", f"Called: {tools}" if tools else ""]
    whole = " ".join([*filter(None, parts), f"Answered: {_cut(run.answer or '', _ANSWERED)}"])
    return _cut(whole, LONGEST)


def _cut(text: str, most: int) -> str:
    """The text on one line, its end left out where it is too long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
