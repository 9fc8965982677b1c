"""What was asked, decided and done in a run, call by call, as an auditor reads it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from engine.cli.asks import value_in_full
from engine.cli.text import short, strange, visible
from engine.core.record import CallRecord

if TYPE_CHECKING:
    from engine.core.events import Recorded

_TIME = "%Y-%m-%d %H:%M:%S"


def print_records(records: Sequence[CallRecord]) -> None:
    """Print every call that a person was asked about, or is to look at."""
    for record in records:
        if record.asked_at or record.allowed_by or record.to_review:
            for line in _lines(record):
                click.echo(line)


def print_raises(journal: "Sequence[Recorded]") -> None:
    """Print who added to which limit."""
    for one in journal:
        event = one.event
        if event.kind == "limits_raised":
            more = ", ".join(f"{name} by {amount:f}" for name, amount in event.raised.items())
            beware = f" (beware: {found})" if (found := strange(event.by)) else ""
            note = f" (note: {visible(event.note)})" if event.note else ""
            click.echo(f"\n{visible(event.by)}{beware} raised {more} {_when(one.at)}{note}")


def _lines(record: CallRecord) -> Iterator[str]:
    call = f"{visible(record.tool)} ({visible(record.call_id)})"
    yield f"\n{call} was asked for {_when(record.requested_at)}"
    if record.asked_at and record.digest:
        digest = visible(record.digest[:12])
        yield f"  put to a person {_when(record.asked_at)}, digest {digest}, with:"
        for name, value in sorted((record.asked or {}).items()):
            yield f"    {value_in_full(name)}: {value_in_full(value)}"
        yield f"  policy: {visible(record.policy or '')}"
    for said in record.verdicts:
        reason = f": {visible(said.reason)}" if said.reason else ""
        note = f" (note: {visible(said.note)})" if said.note else ""
        beware = f" (beware: {found})" if (found := strange(said.by)) else ""
        yield (
            f"  {said.verdict} by {visible(said.by)}{beware} {_when(said.at)},"
            f" digest {visible(said.digest[:12])}{reason}{note}"
        )
        for name, value in sorted((said.arguments or {}).items()):
            yield f"    {value_in_full(name)}: {value_in_full(value)}"
    if record.to_review:
        yield f"  to be reviewed: it ran unasked, by {visible(record.to_review)}"
    if record.started_at:
        allowed = f", allowed by {visible(record.allowed_by)}" if record.allowed_by else ""
        yield f"  started {_when(record.started_at)}, attempt {record.attempts}{allowed}, with:"
        for name, value in sorted((record.ran or {}).items()):
            yield f"    {value_in_full(name)}: {value_in_full(value)}"
    ended = f" {_when(record.ended_at)}" if record.ended_at else ""
    result = f": {short(record.result, 300)}" if record.result else ""
    yield f"  {record.outcome}{ended}{result}"


def _when(at: datetime) -> str:
    return f"at {at:{_TIME}} UTC"
