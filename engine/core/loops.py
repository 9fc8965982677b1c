"""Whether a run goes round in circles: the same calls, again and again, with the same results."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from engine.core.canonical import digest, parse_object
from engine.core.messages import Message, ToolCall

_LONGEST = 3  # turns, after which a circle closes


class Circle(NamedTuple):
    """How many rounds alike the newest turns are; the places of its first and last turn."""

    rounds: int
    begins: int
    ends: int


class _Turn(NamedTuple):
    """What was asked and what came of it: names, results, and arguments as they were written."""

    place: int
    calls: list[tuple[str, str, str]]

    @property
    def outline(self) -> list[tuple[str, str]]:
        """What can be compared at once."""
        return sorted([(name, result) for name, result, _ in self.calls])

    @property
    def whole(self) -> list[tuple[str, str, str]]:
        """All of it, however the arguments were written."""
        return sorted([(name, result, _written(text)) for name, result, text in self.calls])


def circle(messages: Sequence[Message], most: int) -> Circle | None:
    """The circle that the newest turns go round in, of 2 to `most` rounds; None for none.

    A turn repeats another where the model asked for the same calls and got the same
    results, however it wrote the arguments; A-B-A-B are two rounds of two turns.
    """
    newest = _turns(messages)
    turns = list(islice(newest, _LONGEST + 1))
    if not turns or turns[0].outline not in [one.outline for one in turns[1:]]:
        return None  # mostly; no more of a long transcript is looked at
    turns = [*turns, *islice(newest, _LONGEST * most)][: _LONGEST * most]
    calls = [one.whole for one in turns]
    found = ((_rounds(calls, length), length) for length in range(1, _LONGEST + 1))
    rounds, length = max(found, key=lambda one: one[0])
    if rounds < 2:  # noqa: PLR2004 # once is no repetition
        return None
    return Circle(rounds, turns[rounds * length - 1].place, turns[0].place)


def _rounds(turns: list[list[tuple[str, str, str]]], length: int) -> int:
    """How many rounds of that many turns are alike, counted from the newest."""
    alike = 0
    while alike + length < len(turns) and turns[alike] == turns[alike + length]:
        alike += 1
    return alike // length + 1


def _turns(messages: Sequence[Message]) -> Iterator[_Turn]:
    """What was asked and what came of it, turn by turn, from the newest; up to other words."""
    results: dict[str, str] = {}
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if message.role == "tool":
            results[message.tool_call_id or ""] = message.content or ""
        elif message.role == "assistant":
            if not message.tool_calls:
                return
            yield _Turn(place, [_told(call, results) for call in message.tool_calls])
            results = {}


def _told(call: ToolCall, results: Mapping[str, str]) -> tuple[str, str, str]:
    """The call and its result, without what differs though they are the same."""
    result = results.get(call.id, "").replace(call.id, "")  # which a note on its rest names
    return call.function.name, result, call.function.arguments


@lru_cache(maxsize=1024)
def _written(arguments: str) -> str:
    """The arguments, however they were written; what is no JSON object is as its text is."""
    try:
        return digest(parse_object(arguments or "{}"))
    except ValueError:
        return arguments
