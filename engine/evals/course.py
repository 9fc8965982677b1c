"""The course that a run took, from its journal."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.core import events as ev
from engine.core.canonical import parse_object
from engine.core.evolve import fold
from engine.core.messages import Arguments
from engine.core.record import CallRecord, Outcome, record_of
from engine.core.run import Run
from engine.core.shape import Shape
from engine.replaying.summary import summarise


class Called(Shape):
    """A call that the model asked for, and what came of it.

    `arguments` are those it ran with; of a call that did not run, those that were asked
    for, and None where they cannot be read.
    """

    call_id: str
    tool: str
    arguments: Arguments | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Course:
    """A run, its calls, the tools that people were asked about, and what it cost.

    `cost` is in USD, None where that of any reply of the model is unknown.
    """

    run: Run
    calls: tuple[Called, ...]
    asked: tuple[str, ...]
    cost: Decimal | None


def course_of(journal: Sequence[ev.Recorded]) -> Course | None:
    """The course of the run that the journal is of; None where it has no events."""
    run = fold(journal)
    if run is None:
        return None
    events = [one.event for one in journal]
    return Course(
        run=run,
        calls=tuple(map(_called, record_of(journal))),
        asked=tuple(one.tool for one in events if isinstance(one, ev.ApprovalRequested)),
        cost=summarise(journal).cost,
    )


def _called(record: CallRecord) -> Called:
    known = record.ran if record.ran is not None else record.asked
    arguments = _readable(record.requested) if known is None else known
    return Called(
        call_id=record.call_id, tool=record.tool, arguments=arguments, outcome=record.outcome
    )


def _readable(text: str) -> Arguments | None:
    try:
        return parse_object(text or "{}")
    except ValueError:
        return None
