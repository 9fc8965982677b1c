"""The floors as a Mermaid picture, drawn from the contract: `python -m tests.house.floors`."""

import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def floors() -> str:
    """A flowchart, from the upper floors to the lower, which alone may be imported."""
    contracts = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]["contracts"]
    layers: list[str] = next(one for one in contracts if one["id"] == "floors")["layers"]
    boxes = [f'    floor{place}["{layer}"]' for place, layer in enumerate(layers)]
    arrows = [f"    floor{place} --> floor{place + 1}" for place in range(len(layers) - 1)]
    return "\n".join(["flowchart TD", *boxes, *arrows]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(floors())
