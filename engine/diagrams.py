"""The machine's table as a picture."""

from engine.core.states import ENDED, TRANSITIONS


def lifecycle() -> str:
    """The table as a Mermaid state diagram, one arrow for each pair of states."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        arrows.setdefault((row.source or "[*]", row.dest), []).append(row.trigger)
    drawn = [
        f"    {source} --> {dest}: {'<br/>'.join(triggers)}"
        for (source, dest), triggers in arrows.items()
    ]
    return (
        "\n".join(["stateDiagram-v2", *drawn, *(f"    {state} --> [*]" for state in ENDED)]) + "\n"
    )
