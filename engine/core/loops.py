"""Whether a run goes round in circles: the same calls, again and again, with the same results."""

from collections.abc import Iterator, Sequence
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
    place: int
    calls: list[tuple[str, str, str]]


def circle(messages: Sequence[Message], most: int) -> Circle | None:
    """The circle that the newest turns go round in, of 2 to `most` rounds; None for none.

    A turn repeats another where the model asked for the same calls and got the same
    results, however it wrote the arguments; A-B-A-B are two rounds of two turns.
    """
    newest = _turns(messages)
    turns = list(islice(newest, _LONGEST + 1))
    if all(one.calls != turns[0].calls for one in turns[1:]):
        return None  # mostly; no more of a long transcript is looked at
    turns = [*turns, *islice(newest, _LONGEST * most)][: _LONGEST * most]
    found = ((_rounds(turns, length), length) for length in range(1, _LONGEST + 1))
    rounds, length = max(found, key=lambda one: one[0])
    if rounds < 2:  # noqa: PLR2004 # once is no repetition
        return None
    return Circle(rounds, turns[rounds * length - 1].place, turns[0].place)


def _rounds(turns: list[_Turn], length: int) -> int:
    """How many rounds of that many turns are alike, counted from the newest."""
    alike = 0
    while alike + length < len(turns) and turns[alike].calls == turns[alike + length].calls:
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
            calls = ((call, results.get(call.id, "")) for call in message.tool_calls)
            yield _Turn(place, sorted(_told(call, result) for call, result in calls))
            results = {}


def _told(call: ToolCall, result: str) -> tuple[str, str, str]:
    """The call, its arguments and its result, without what differs though they are the same."""
    rest = result.replace(call.id, "")  # which a note on its rest names
    return call.function.name, _written(call.function.arguments), rest


@lru_cache(maxsize=1024)
def _written(arguments: str) -> str:
    """The arguments, however they were written; what is no JSON object is as its text is."""
    try:
        return digest(parse_object(arguments or "{}"))
    except ValueError:
        return arguments
