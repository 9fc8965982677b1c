"""What a line of the log takes on the caller's thread: `python -m tests.bench.telling`."""

import time
from pathlib import Path
from statistics import median

import orjson

from engine.runtime.draft import Draft
from engine.runtime.telemetry import Telemetry
from tests.bench.measure import Outcome, Ratio, interleaved, show
from tests.bench.replay import journal

ROUNDS, RUNS = 9, 100
MOST = 25e-6  # seconds


def ours(where: Path) -> float:
    """Microseconds an event of telling whole runs to a file."""
    telemetry = Telemetry([where / "log.jsonl"])
    taken = list[float]()
    for _ in range(RUNS):
        draft = Draft(lines=[line._replace(run_id=str(len(taken))) for line in journal_lines])
        lines, count = draft.lines, len(draft.lines)
        began = time.perf_counter()
        telemetry.tell(lines)
        taken.append((time.perf_counter() - began) / count)
    telemetry.close()
    return median(taken) * 1e6


def floor(where: Path) -> float:
    """The same of a plain write of a line of the same JSON."""
    taken = []
    with (where / "log.jsonl").open("ab", buffering=0) as file:
        for _ in range(RUNS):
            began = time.perf_counter()
            for line in journal_lines:
                file.write(orjson.dumps({"data": orjson.loads(line.entry.data)}) + b"\n")
            taken.append((time.perf_counter() - began) / len(journal_lines))
    return median(taken) * 1e6


journal_lines = journal()


def measure() -> Outcome:
    """Both, in turn."""
    found = interleaved(ROUNDS, {"ours": ours, "floor": floor})
    return Outcome(
        "A line of the log: microseconds on the caller's thread",
        [{"ours": found["ours"], "a plain write of the same": found["floor"]}],
        (Ratio("microseconds an event", found["ours"], MOST * 1e6),),
    )


if __name__ == "__main__":
    show(measure())
