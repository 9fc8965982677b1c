"""Two runs side by side: what each did, and where they first part."""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from engine.core.events import Recorded
from engine.core.shape import Shape
from engine.replaying.differing import difference
from engine.replaying.summary import Summary, summarise
from engine.replaying.trajectory import Step, trajectory

_Pairs = Iterator[tuple[Step | None, Step | None]]


class Pair(Shape):
    """A step of each run; None where the other run has no step like it."""

    one: Step | None
    other: Step | None
    alike: bool


class Comparison(Shape):
    """Two runs: their steps in pairs, and the summary of each.

    `first` is the place in `steps` (from 0) of the first pair that differs, and `words` say
    how; both are None where the runs are alike. They are where their steps are: time,
    tokens and cost may differ.
    """

    alike: bool
    first: int | None
    words: str | None
    steps: tuple[Pair, ...]
    one: Summary
    other: Summary


def compare(one: Sequence[Recorded], other: Sequence[Recorded]) -> Comparison:
    """What two journals have in common, and where they part.

    Ids, digests, times and places in the journal are no differences. Raises as `evolve`
    where a journal is of no run, and CorruptRunError where one is empty.
    """
    pairs = _aligned(trajectory(one), trajectory(other))
    steps = tuple(_pair(left, right) for left, right in pairs)
    first = next((place for place, pair in enumerate(steps) if not pair.alike), None)
    summaries = summarise(one), summarise(other)
    return Comparison(
        alike=first is None,
        first=first,
        words=None if first is None else _words(steps[first], *summaries),
        steps=steps,
        one=summaries[0],
        other=summaries[1],
    )


def _pair(one: Step | None, other: Step | None) -> Pair:
    alike = one is not None and other is not None and one.essence == other.essence
    return Pair(one=one, other=other, alike=alike)


def _words(pair: Pair, one: Summary, other: Summary) -> str:
    names = (one.run_id, other.run_id)
    if one.run_id == other.run_id:
        names = ("the one", "the other")
    return difference(pair.one, pair.other, names)


def _aligned(one: Sequence[Step], other: Sequence[Step]) -> _Pairs:
    """The steps in pairs: those that are alike, between them those of one kind, then any."""
    essences = [[step.essence for step in steps] for steps in (one, other)]
    for equal, left, right in _blocks(essences[0], essences[1]):
        if equal:
            yield from zip(one[left], other[right], strict=True)
        else:
            yield from _by_kind(one[left], other[right])


def _by_kind(one: Sequence[Step], other: Sequence[Step]) -> _Pairs:
    kinds = [[f"{step.kind} {step.tool}" for step in steps] for steps in (one, other)]
    for _, left, right in _blocks(kinds[0], kinds[1]):
        yield from zip_longest(one[left], other[right])


def _blocks(one: list[str], other: list[str]) -> Iterator[tuple[bool, slice, slice]]:
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    for tag, begin, end, other_begin, other_end in matcher.get_opcodes():
        yield tag == "equal", slice(begin, end), slice(other_begin, other_end)
