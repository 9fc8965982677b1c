"""The same work by others, side by side: `python -m tests.bench.peers`.

Those that are installed (the extra `bench`) are measured; with matplotlib bytes and CPU
against turns are drawn into diagrams/speed.svg.
"""

import json
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.measure import Outcome, Ratio, folder, show

TURNS, ROUNDS = (10, 50, 200), 3
PLOT = Path(__file__).parents[2] / "diagrams" / "speed.svg"
PACKAGES = {"waystation": "waystation", "langgraph": "langgraph", "dbos": "dbos"}

Taken = dict[tuple[str, int], dict[str, float]]


def installed() -> dict[str, str]:
    """The versions of those that are here, by name."""
    found = {"sqlite": ""}
    for name, package in PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            continue
    return found


def once(name: str, turns: int) -> dict[str, float]:
    """What one run took, in a process of its own."""
    with folder() as where:
        words = ["-m", "tests.bench.contenders", name, str(turns), str(where)]
        done = subprocess.run(  # our own words
            [sys.executable, *words], check=True, capture_output=True, text=True
        )
    taken: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return taken


def take(names: dict[str, str]) -> Taken:
    """The medians of each at each length, taken in turn."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        for turns in TURNS:
            for name in names:
                found.setdefault((name, turns), []).append(once(name, turns))
    return {
        key: {figure: median(one[figure] for one in runs) for figure in runs[0]}
        for key, runs in found.items()
    }


def draw(taken: Taken, names: dict[str, str]) -> None:
    """Draw bytes and CPU against turns, where there is something to draw with."""
    try:
        import matplotlib as mpl
    except ModuleNotFoundError:
        return
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "waystation"
    from matplotlib import pyplot as plt

    figure, sides = plt.subplots(1, 2, figsize=(9, 3.2))
    shown: Any = sides
    for side, (what, title) in zip(
        shown, (("bytes", "bytes on disk"), ("cpu_ms", "ms of CPU a turn")), strict=True
    ):
        for name, said in names.items():
            values = [taken[name, turns][what] for turns in TURNS]
            side.plot(TURNS, values, marker="o", label=f"{name} {said}".strip())
        side.set(xlabel="turns", title=title, yscale="log")
    shown[0].legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Creator": None, "Date": None})


def measure() -> Outcome:
    """All that are installed, beside plain SQLite."""
    names = installed()
    taken = take(names)
    draw(taken, names)
    rows = [
        {"who": f"{name} {names[name]}".strip(), "turns": turns, **figures}
        for (name, turns), figures in sorted(taken.items())
    ]
    ours = taken["waystation", 200]
    others = [name for name in names if name not in ("waystation", "sqlite")]
    return Outcome(
        "The same run by others",
        rows,
        tuple(
            Ratio(f"ours over {name}: {what}", ours[what] / taken[name, 200][what], 1)
            for name in others
            for what in ("ms", "cpu_ms", "bytes")
        ),
    )


if __name__ == "__main__":
    show(measure())
