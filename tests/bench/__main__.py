"""All that is measured, one after the other: `python -m tests.bench` writes RESULTS.md."""

import sys
from pathlib import Path

from tests.bench import cold, many, measure, parked, replay, sdk, size, telling, turns

RESULTS = Path(__file__).parent / "RESULTS.md"
SCRIPTS = (turns, many, size, cold, parked, replay, telling, sdk)


def main() -> None:
    """Run every script, print its table, and write them all down."""
    parts = [f"# What was measured\n\nBy `python -m tests.bench` on {measure.machine()}.\n"]
    for script in SCRIPTS:
        table = script.measure().table()
        sys.stdout.write(f"{table}\n\n")
        sys.stdout.flush()
        parts.append(f"{table}\n")
    RESULTS.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
