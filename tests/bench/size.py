"""How many bytes a run takes on disk, over what was said in it: `python -m tests.bench.size`."""

import asyncio
from pathlib import Path

from tests.bench.measure import Outcome, Ratio, folder, show
from tests.bench.work import payload, run_once

TURNS = (10, 50, 200, 1000)


def size(turns: int) -> int:
    """Bytes of a store with one run of so many turns, closed."""
    with folder() as where:
        asyncio.run(run_once(where, turns))
        return sum(path.stat().st_size for path in Path(where).iterdir())


def measure() -> Outcome:
    """Bytes at each length."""
    sizes = {turns: size(turns) for turns in TURNS}
    rows = [
        {"turns": turns, "bytes": found, "payload": payload(turns), "over": found / payload(turns)}
        for turns, found in sizes.items()
    ]
    grown = (sizes[1000] - sizes[200]) / 800
    return Outcome(
        "Bytes on disk of one run",
        rows,
        (
            Ratio("over the payload, 200 turns", sizes[200] / payload(200), 1.6),
            Ratio("a turn's bytes at 1,000 turns over those at 200", grown * 200 / sizes[200], 1.1),
        ),
    )


if __name__ == "__main__":
    show(measure())
