"""Figures as people read them: sums of money, spans of time, tables."""

import os
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from engine.cli.text import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_SMALLEST = Decimal("0.000001")
_MINUTE = 60


def money(cost: Decimal | None) -> str:
    """A sum in USD; one that is unknown is never 0, and one that is small is not, either."""
    if cost is None:
        return "unknown"
    if not cost:
        return "0 USD"
    if cost < _SMALLEST:
        return f"< {_SMALLEST:f} USD"
    return f"{cost:.2f} USD" if cost >= 1 else f"{cost:.6f} USD"


def span(seconds: float | None) -> str:
    """So many seconds; from a minute on as hours, minutes and seconds."""
    if seconds is None:
        return "-"
    return str(timedelta(seconds=round(seconds))) if seconds >= _MINUTE else f"{seconds:.3f} s"


def console(*, at_least: int = 0) -> "Console":
    """The terminal, which takes text as it is.

    What is no terminal has at least so many columns, unless COLUMNS says how many.
    """
    from rich.console import Console

    made = Console(highlight=False, markup=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = max(made.width, at_least)
    return made


def table(*titles: str, rows: Iterable[Sequence[object]], numbers: int = 1) -> "Table":
    """A table of which the columns from `numbers` on are numbers; every cell is made visible."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, title in enumerate(titles):
        number = place >= numbers
        made.add_column(
            Text(visible(title)),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=number,
        )
    for row in rows:
        made.add_row(*(Text(visible(str(cell))) for cell in row))
    return made
