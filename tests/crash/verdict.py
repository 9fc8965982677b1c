"""Whether a run that was killed and recovered has come to what it would have come to unkilled."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.crash.crew import Hand, Report
from tests.crash.programs import Job
from tests.crash.scenario import EDITED, RUN, TOOLS, log_path

_SAME = ("state", "answer", "messages", "effects", "books")
_SETTLING = {"tool_returned", "tool_failed", "approval_answered", "approval_expired"}


async def unkilled(hand: Hand, job: Job) -> Report:
    """The end that there is to compare with, and every point that the run goes through."""
    report = await hand.report(job)
    same_end(report, report)
    log_tells_all(Path(job.folder), report["journal"], 0)
    return report


def same_end(found: Report, wanted: Report) -> None:
    """Nothing; AssertionError where anything is lost, doubled, left over or damaged."""
    for name in _SAME:
        assert found[name] == wanted[name], name
    assert found["returned"], "what was returned is not what is stored"
    assert found["faults"] == []
    assert found["leases"] == []
    journal = found["journal"]
    assert [one["seq"] for one in journal] == list(range(1, len(journal) + 1))
    done = Counter(tool for _, tool, _ in found["effects"])
    assert all(times == 1 for times in done.values()), done
    _every_call_has_one_end(journal)
    _everybody_was_asked_as_they_were(found)


def _every_call_has_one_end(journal: list[dict[str, Any]]) -> None:
    ends = Counter(one["data"]["call_id"] for one in journal if one["trigger"] in _SETTLING)
    assert ends == {f"call_1_{place}": 1 for place, _ in enumerate(TOOLS, 1)}


def _everybody_was_asked_as_they_were(found: Report) -> None:
    """Each approval was told of, the edit and the message are there once, and one expired."""
    kinds = Counter(one["trigger"] for one in found["journal"])
    assert (kinds["message_received"], kinds["approval_expired"]) == (1, 1)
    about = [(one["trigger"], one["data"]) for one in found["journal"]]
    edited = [data for kind, data in about if kind == "approval_granted" and "arguments" in data]
    assert [one["arguments"] for one in edited] == [EDITED]
    asked = Counter(data["approval_id"] for kind, data in about if kind == "approval_requested")
    assert asked == Counter(
        data["approval_id"] for kind, data in about if kind == "approval_notified"
    )
    assert asked.keys() == set(found["told"]), "told at least once, of what is asked alone"


def log_tells_all(folder: Path, journal: list[dict[str, Any]], kills: int) -> None:
    """Nothing; AssertionError where the log's whole lines are not the journal.

    A line may stand there twice, and each kill may have left one half line.
    """
    whole, torn = _lines(folder)
    told: dict[int, str] = {}
    for line in whole:
        event = json.loads(line)
        assert event["run_id"] == RUN
        assert told.setdefault(event["seq"], line) == line, "one event, told in two ways"
    assert len(torn) <= kills
    for half in torn:
        assert any(line.startswith(half) for line in whole), f"neither whole nor half: {half}"
    assert [_entry(told[seq]) for seq in sorted(told)] == journal


def _lines(folder: Path) -> tuple[list[str], list[str]]:
    path = log_path(folder)
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n"), "the last line is not whole"
    whole, torn = list[str](), list[str]()
    for line in text.splitlines():
        (whole if _is_json(line) else torn).append(line)
    return whole, torn


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _entry(line: str) -> dict[str, Any]:
    event = json.loads(line)
    return {name: event[name] for name in ("seq", "trigger", "data", "digest")}


def names(reached: Iterable[tuple[str, int]]) -> list[str]:
    """The points, each once."""
    return sorted({name for name, _ in reached})
