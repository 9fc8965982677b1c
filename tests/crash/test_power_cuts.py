"""After a power cut nothing acknowledged is lost, and nothing is done twice or unrecorded."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.crash.crew import Hand, Report, crew, fresh
from tests.crash.files import Step
from tests.crash.points import Points
from tests.crash.power import Moment, lay_out
from tests.crash.programs import Job
from tests.crash.scenario import TOOLS, shop_path, told_path
from tests.crash.shop import Effect, Shop
from tests.crash.verdict import same_end

SEED = 20260101
OFTEN, SELDOM = 12, 1000  # pages between two checkpoints: several in one run, or at its end


def _chance(place: int) -> Random:
    return Random(SEED + place)  # noqa: S311 # the same at every run


class Cut:
    """A power cut after so many steps; `torn` where some unsynced writes got through."""

    def __init__(self, place: int, *, torn: bool, moment: Moment) -> None:
        self.name = f"{place}-{'torn' if torn else 'synced'}"
        self.images = moment.images(_chance(place) if torn else None)
        self.acked, self.effects = moment.acked, list(moment.effects)
        self.told = list(moment.told)

    def folder(self, above: Path) -> Path:
        """A fresh folder that holds what is left, with the shop as it was."""
        folder = above / self.name
        lay_out(self.images, folder)
        Shop(shop_path(folder), Points()).fill(self.effects)
        told_path(folder).write_text("".join(f"{one}\n" for one in self.told), encoding="utf-8")
        return folder

    def same_as(self, other: "Cut | None") -> bool:
        """Whether there is nothing that tells the two apart."""
        mine = (self.images, self.acked, self.effects, self.told)
        return other is not None and mine == (other.images, other.acked, other.effects, other.told)


def cuts(report: Report) -> Iterator[Cut]:
    """Every step of the record, cut off just after it; what changes nothing is left out."""
    moment, before = Moment(), None
    for place, (name, what, where, data) in enumerate(report["steps"], 1):
        step: Step = (name, what, where, bytes.fromhex(data))
        moment.take(step)
        cut = Cut(place, torn=False, moment=moment)
        if not cut.same_as(before):
            yield cut
        before = cut
        yield Cut(place, torn=True, moment=moment)


def intents(found: Report) -> set[str]:
    """The tools whose start is in the journal."""
    started = {data["call_id"] for trigger, data in found["journal"] if trigger == "tool_started"}
    return {tool.name for place, tool in enumerate(TOOLS, 1) if f"call_1_{place}" in started}


def done(effects: list[Effect]) -> set[str]:
    return {tool for _, tool, _ in effects}


@pytest.mark.parametrize("checkpoint", [OFTEN, SELDOM])
async def test_a_power_cut_at_any_write_loses_nothing_acknowledged_and_repeats_nothing(
    checkpoint: int, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    made = {"synced": 0, "torn": 0}
    async with crew() as hands:
        wanted = await hands.hands[0].report(Job(fresh(tmp_path / "recorded"), record=checkpoint))
        assert {"sync", "write", "effect", "told", "acked"} <= {step[1] for step in wanted["steps"]}

        async def cut_and_recover(hand: Hand, cut: Cut) -> None:
            folder = cut.folder(tmp_path)
            try:
                report = await hand.report(Job(str(folder)))
                found = report["found"]
                assert len(found["journal"]) >= cut.acked, "an acknowledged commit is lost"
                assert done(cut.effects) <= intents(found), "done, and not in the journal"
                same_end(report, wanted)
            except AssertionError as error:
                pytest.fail(f"cut at {cut.name}: {error}")
            made[cut.name.split("-")[1]] += 1
            shutil.rmtree(folder)

        await hands.each(cuts(wanted), cut_and_recover)
    tell(
        f"power cuts: {made['synced']} with what was synced, {made['torn']} with a part of the rest"
    )
    assert made["torn"] == len(wanted["steps"])
    assert made["synced"] > 0


async def test_without_a_sync_at_each_commit_the_same_cuts_lose_acknowledged_commits(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    lost = dict[str, int]()
    async with crew() as hands:
        job = Job(fresh(tmp_path / "recorded"), record=OFTEN, loose=True)
        recorded = await hands.hands[0].report(job)

        async def cut_and_look(hand: Hand, cut: Cut) -> None:
            folder = cut.folder(tmp_path)
            found = (await hand.report(Job(str(folder), only_look=True)))["found"]
            lost[cut.name] = cut.acked - len(found["journal"])
            shutil.rmtree(folder)

        synced = [cut for cut in cuts(recorded) if cut.name.endswith("synced")]
        await hands.each(synced, cut_and_look)
    losing = sum(missing > 0 for missing in lost.values())
    tell(f"power cuts without that sync: {losing} of {len(lost)} lost an acknowledged commit")
    assert losing > 0
