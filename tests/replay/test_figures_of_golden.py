"""The golden journals are summed up and compared without an error, and all adds up."""

import shutil
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from engine import Engine, compare
from engine.core import events as ev
from engine.core.evolve import fold
from engine.core.record import record_of
from engine.replaying.statistics import statistics
from engine.replaying.summary import Summary, summarise
from engine.replaying.trajectory import trajectory
from tests.replay.told import Journal

JOURNALS = Path(__file__).parent / "journals"
VERSIONS = sorted(folder.name for folder in JOURNALS.iterdir() if folder.is_dir())


@pytest.fixture(params=VERSIONS)
async def golden(request: pytest.FixtureRequest) -> list[Journal]:
    """Every journal of a version, the newest run first."""
    shutil.copy(JOURNALS / str(request.param) / "runs.db", Path.cwd())
    async with Engine(store="sqlite:///runs.db") as engine:
        return [await engine.journal(run.id) for run in await engine.runs()]


def kinds(journal: Journal) -> Counter[str]:
    return Counter(one.event.kind for one in journal)


def test_every_summary_adds_up(golden: list[Journal]) -> None:
    assert len(golden) >= 9
    for journal in golden:
        summary, run, counted = summarise(journal), fold(journal), kinds(journal)
        assert run is not None
        assert (summary.run_id, summary.state, summary.turns) == (run.id, run.state, run.turns)
        assert summary.messages == 1 + counted["message_received"]
        assert summary.model_failures == counted["model_failed"]
        calls_add_up(summary, journal)
        approvals_add_up(summary, counted, open_now=len(run.approvals))
        assert 0 <= summary.waited <= summary.elapsed


def calls_add_up(summary: Summary, journal: Journal) -> None:
    records, counted = record_of(journal), kinds(journal)
    assert sum(one.asked for one in summary.tools) == len(records)
    assert sum(one.returned for one in summary.tools) == counted["tool_returned"]
    assert sum(one.failed for one in summary.tools) == counted["tool_failed"]
    assert sum(one.started + one.retried for one in summary.tools) == counted["tool_started"]
    for one in summary.tools:
        ends = one.returned + one.failed + one.decided + one.in_doubt + one.open
        assert one.asked == ends, (summary.run_id, one)
        assert one.started <= one.asked


def approvals_add_up(summary: Summary, counted: Counter[str], open_now: int) -> None:
    approvals = summary.approvals
    assert approvals.asked == len(summary.asked) == counted["approval_requested"]
    parts = {name: count for name, count in approvals if name != "asked"}
    assert approvals.asked == sum(parts.values()), summary.run_id
    assert approvals.open == open_now
    assert approvals.denied == counted["approval_denied"]
    assert approvals.answered == counted["approval_answered"]
    yes = counted["approval_granted"] + counted["limits_raised"]
    assert approvals.granted + approvals.edited <= yes
    spans = [(one.closed_at or summary.updated_at) - one.asked_at for one in summary.asked]
    assert summary.waited <= sum(spans, timedelta()).total_seconds()


def test_the_statistics_are_the_sum_of_the_summaries(golden: list[Journal]) -> None:
    summaries, found = [summarise(journal) for journal in golden], statistics(golden)
    assert found.runs == len(golden) == sum(found.states.values())
    # What a fork has copied is counted where it happened.
    summaries = [
        one
        if (run := fold(journal)) is None or run.origin is None
        else summarise(journal, past=False)
        for one, journal in zip(summaries, golden, strict=True)
    ]
    assert sum(one.runs for one in found.workflows) == len(golden)
    assert found.approvals.asked == sum(one.approvals.asked for one in summaries)
    assert found.waits.count == sum(
        one.decided_in is not None for summary in summaries for one in summary.asked
    )
    assert sum(one.count for one in found.waits_by_tool.values()) == found.waits.count
    assert found.longest[0].elapsed == max(one.elapsed for one in summaries)
    assert len(found.longest) == min(10, len(golden))


def test_each_run_is_like_itself_and_none_is_like_the_next(golden: list[Journal]) -> None:
    for journal in golden:
        assert compare(journal, journal).alike
    for one, other in pairwise(golden):
        found = compare(one, other)
        assert [pair.one for pair in found.steps if pair.one] == list(trajectory(one))
        assert [pair.other for pair in found.steps if pair.other] == list(trajectory(other))
        assert found.alike == (found.words is None) == (found.first is None)


def test_every_step_is_of_an_event(golden: list[Journal]) -> None:
    for journal in golden:
        steps = Counter(step.kind for step in trajectory(journal))
        asked = [one.event for one in journal if isinstance(one.event, ev.ToolsRequested)]
        assert steps["call"] == sum(len(event.message.tool_calls) for event in asked)
        noted = ("limit_reached", "loop_noticed")
        begun = journal[0].event
        assert isinstance(begun, ev.RunStarted)
        assert steps["note"] == bool(begun.known) + sum(kinds(journal)[kind] for kind in noted)
        assert steps["message"] == 1 + kinds(journal)["message_received"]
        assert steps["verdict"] == sum(len(record.verdicts) for record in record_of(journal))
        assert steps["end"] == 1
