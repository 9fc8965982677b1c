"""A recovery that is killed as well loses nothing and repeats nothing either."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.crew import Hand, Report, crew, fresh
from tests.crash.points import Pair
from tests.crash.programs import Job
from tests.crash.verdict import log_tells_all, names, same_end, unkilled

SECONDS = ("store.", "effect.")
Twice = tuple[Pair, Pair]


def firsts(reached: list[Pair]) -> list[Pair]:
    """Every point, the first, the middle and the last time it is reached."""
    last = dict(reached)
    return sorted({(name, at) for name, n in last.items() for at in (1, (n + 1) // 2, n)})


class Sweep:
    """Folders of once-killed runs, each to be recovered, and killed again, many times."""

    def __init__(self, folder: Path, wanted: Report) -> None:
        self._folder, self._wanted = folder, wanted
        self._known = set[str]()
        self.once, self.twice = Counter[Pair](), Counter[Twice]()
        self.planned: list[Twice] = []

    async def kill_first(self, hand: Hand, first: Pair) -> None:
        """Kill a run, and find out what its recovery goes through."""
        left = self._left(first)
        await hand.kill(Job(fresh(left), kill=first))
        self.once[first] += 1
        copy = self._copy(first, "unkilled")
        found = await self._recover(hand, copy, 1, first)
        reached = [(name, time) for name, time in found["reached"] if name.startswith(SECONDS)]
        if self._is_new(found["found"]):
            self.planned += [(first, second) for second in reached]
        elif reached:  # the same run, differently broken below: one second kill each, in turn
            self.planned.append((first, reached[len(self.planned) % len(reached)]))

    async def kill_second(self, hand: Hand, both: Twice) -> None:
        """Kill the recovery too, and recover from that."""
        first, second = both
        copy = self._copy(first, f"{second[0]}-{second[1]}")
        await hand.kill(Job(str(copy), kill=second))
        self.twice[both] += 1
        await self._recover(hand, copy, 2, both)

    async def _recover(self, hand: Hand, folder: Path, kills: int, where: object) -> Report:
        try:
            found = await hand.report(Job(str(folder)))
            same_end(found, self._wanted)
            log_tells_all(folder, found["journal"], kills)
        except AssertionError as error:
            pytest.fail(f"killed at {where}: {error}")
        shutil.rmtree(folder)
        return found

    def _is_new(self, found: Report) -> bool:
        """Whether the first kill has left the run as no other has; one that left none is not."""
        journal = [(kind, {**data, "expires_at": None}) for kind, data in found["journal"]]
        seen = repr([journal, found["driven"], found["effects"]])  # times are never the same
        new = bool(found["journal"]) and seen not in self._known
        self._known.add(seen)
        return new

    def _left(self, first: Pair) -> Path:
        return self._folder / f"{first[0]}-{first[1]}"

    def _copy(self, first: Pair, name: str) -> Path:
        """The once-killed folder again, without what SQLite shares among living processes."""
        copy = self._folder / f"{first[0]}-{first[1]}+{name}"
        shutil.copytree(self._left(first), copy, ignore=shutil.ignore_patterns("*-shm"))
        return copy


async def test_a_recovery_killed_at_any_store_or_effect_point_comes_to_the_same_end(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    async with crew() as hands:
        wanted = await unkilled(hands.hands[0], Job(fresh(tmp_path / "unkilled")))
        first = firsts([(name, time) for name, time in wanted["reached"]])
        sweep = Sweep(tmp_path, wanted)
        await hands.each(first, sweep.kill_first)
        await hands.each(list(sweep.planned), sweep.kill_second)
    seconds = names(second for _, second in sweep.twice)
    tell(
        f"killed once at {len(first)} places and again in recovery at {len(seconds)} points: "
        f"{sweep.twice.total()} double kills"
    )
    assert sweep.once == Counter(first)
    assert sweep.twice == Counter(sweep.planned)
    assert sweep.twice.total() > len(first) > 0
