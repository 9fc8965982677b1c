"""What it takes to go on with a run of 200 turns in a new process: `python -m tests.bench.cold`.

Reading and folding alone, within a process; and whole commands, beside one that only imports.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from tests.bench.measure import Outcome, Ratio, folder, show
from tests.bench.work import run_once

TURNS, ROUNDS = 200, 7
MOST = 25.0  # milliseconds of reading and folding

_LOAD = """
import asyncio, json, sys, time
from engine.runtime.load import load
from engine.stores.sqlite import SqliteStore

async def main():
    store, taken = SqliteStore(sys.argv[1]), []
    for _ in range(2):
        began = time.perf_counter()
        draft = await load(store, "r")
        taken.append((time.perf_counter() - began) * 1e3)
    await store.close()
    assert draft.live.turns > 200
    print(json.dumps(taken))

asyncio.run(main())
"""
_RESUME = "from engine.cli import main; main()"
_IMPORT = "import engine.api.engine, engine.runtime.host, engine.cli.driving"


# As it is where it was installed: modules are compiled once, and not each time.
_ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def _took(*words: str) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run(  # our own words
        [sys.executable, *words], check=True, capture_output=True, text=True, env=_ENVIRONMENT
    )
    return (time.perf_counter() - began) * 1e3, done.stdout


def _commands(where: Path) -> dict[str, Sequence[str]]:
    store = f"sqlite:///{where}/runs.db"
    return {
        "importing only": ("-c", _IMPORT),
        "waystation resume": ("-c", _RESUME, "--store", store, "resume", "r"),
        "waystation show": ("-c", _RESUME, "--store", store, "show", "r"),
    }


def measure() -> Outcome:
    """Milliseconds, medians of what is taken in turn."""
    with folder() as where:
        asyncio.run(run_once(where, TURNS, log=where / "runs.jsonl"))  # as commands have one
        first, again = zip(
            *(json.loads(_took("-c", _LOAD, f"{where}/runs.db")[1]) for _ in range(ROUNDS)),
            strict=True,
        )
        taken = {name: list[float]() for name in _commands(where)}
        for _ in range(ROUNDS):
            for name, words in _commands(where).items():
                taken[name].append(_took(*words)[0])
    found = {name: median(times) for name, times in taken.items()}
    rows = [
        {"what": "reading and folding, the first time", "ms": median(first)},
        {"what": "reading and folding, again", "ms": median(again)},
        *({"what": name, "ms": took} for name, took in found.items()),
    ]
    return Outcome(
        f"A run of {TURNS} turns in a new process",
        rows,
        (
            Ratio("milliseconds of reading and folding", median(first), MOST),
            Ratio(
                "the part of resume that is importing",
                found["importing only"] / found["waystation resume"],
                0.5,
            ),
        ),
    )


if __name__ == "__main__":
    show(measure())
