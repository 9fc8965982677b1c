"""What people say about which approvals, and which runs, they want to see."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which approvals are wanted, as Engine.pending has them."""
    for option in (
        click.option("--older-than", type=_Time(), help="Waiting longer than, e.g. 2h."),
        click.option("--role", help="Only what a person of this role may decide."),
        click.option("--tool", help="Only calls of this tool."),
        click.option("--workflow", help="Only runs of this workflow."),
    ):
        function = option(function)
    return function


class _Time(click.ParamType[float]):
    """A time, in seconds."""

    name = "time"

    def convert(
        self,
        value: object,
        param: click.Parameter | None,
        ctx: click.Context | None,  # as click has it
    ) -> float:
        """See click."""
        del param, ctx
        return seconds(str(value))


def seconds(text: str, also: str = "") -> float:
    """A time such as 90, 45s, 30m, 2h or 7d, in seconds; UsageError where it is none."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
    if not _NUMBER.fullmatch(number):
        right = f"90, 45s, 30m, 2h, 7d {also}".strip()
        raise click.UsageError(f"{text!r} is no time; right would be {right}")
    return float(number) * _SECONDS[unit]


def moment(text: str | None) -> datetime | None:
    """A time that --since names, or so long ago, in UTC; UsageError where it is none."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    except ValueError:
        age = seconds(text, "or a day such as 2026-11-01")
    try:
        return datetime.now(UTC) - timedelta(seconds=age)
    except OverflowError:
        raise click.UsageError(f"--since: {text!r} is before all time") from None
