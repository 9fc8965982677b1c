"""Measuring side by side: parts in turn, many times, medians, and one table for people."""

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import apsw

Part = Callable[[Path], float]


@dataclass(frozen=True)
class Ratio:
    """What one thing is over another, measured in the same run, and what it is to be at most."""

    name: str
    value: float
    at_most: float

    @property
    def holds(self) -> bool:
        """Whether it is as wanted."""
        return self.value <= self.at_most


@dataclass(frozen=True)
class Outcome:
    """What a script has measured: figures by name, in rows, and the ratios that are goals."""

    title: str
    rows: Sequence[Mapping[str, object]]
    ratios: Sequence[Ratio]

    def table(self) -> str:
        """The rows and the ratios as Markdown."""
        names = list(self.rows[0]) if self.rows else []
        lines = [
            f"### {self.title}",
            "",
            _line(names),
            _line("---" for _ in names),
            *(_line(_shown(row[name]) for name in names) for row in self.rows),
            "",
            *(
                f"- {one.name}: {_shown(one.value)} (wanted: at most {_shown(one.at_most)})"
                f"{'' if one.holds else ' **not met**'}"
                for one in self.ratios
            ),
        ]
        return "\n".join(lines)


def show(outcome: Outcome) -> None:
    """Print the outcome as a table, and as one line of JSON."""
    sys.stdout.write(f"{outcome.table()}\n\n{json.dumps(asdict(outcome))}\n")


def interleaved(rounds: int, parts: Mapping[str, Part]) -> dict[str, float]:
    """The median of what each part gives, in a new folder each time, taken in turn."""
    taken: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, part in parts.items():
            with folder() as where:
                taken[name].append(part(where))
    return {name: median(times) for name, times in taken.items()}


@contextmanager
def folder() -> Iterator[Path]:
    """A new folder on the disk that is measured: BENCH_DIR, or where temporary files are."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        yield Path(name)


def sync_seconds(times: int = 50) -> float:
    """What it takes to sync 4 KB that were written behind a file (median)."""
    taken = []
    with folder() as where, (where / "f").open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return median(taken)


def loop_seconds() -> float:
    """What a loop of a million steps takes just now: a shared machine is not always as fast."""
    taken = list[float]()
    for _ in range(5):
        began, total = time.perf_counter(), 0
        for step in range(1_000_000):
            total += step
        taken.append(time.perf_counter() - began)
    return median(taken)


def machine() -> str:
    """What was measured on, in words."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()}), "
        f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}, "
        f"a sync takes {sync_seconds() * 1e3:.2f} ms"
    )


def _line(cells: "Iterator[str] | Sequence[str]") -> str:
    return f"| {' | '.join(cells)} |"


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"  # three digits
    return f"{value:,}" if isinstance(value, int) else str(value)
