"""All that is measured, one after the other: `python -m tests.bench` writes RESULTS.md."""

import sys
from pathlib import Path

from tests.bench import cold, many, measure, parked, peers, replay, sdk, size, telling, turns

RESULTS = Path(__file__).parent / "RESULTS.md"
SCRIPTS = (turns, many, size, cold, parked, replay, telling, sdk, peers)


def main() -> None:
    """Run every script, print its table, and write them all down."""
    versions = ", ".join(f"{name} {said}" for name, said in peers.installed().items() if said)
    parts = [
        "# What was measured\n",
        f"By `python -m tests.bench` on {measure.machine()}; {versions}.\n",
    ]
    for script in SCRIPTS:
        before, outcome = measure.loop_seconds(), script.measure()
        loop = (before + measure.loop_seconds()) / 2 * 1e3
        table = f"{outcome.table()}\n- meanwhile a loop of a million steps took {loop:.0f} ms"
        sys.stdout.write(f"{table}\n\n")
        sys.stdout.flush()
        parts.append(f"{table}\n")
    RESULTS.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
